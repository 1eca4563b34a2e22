import itertools
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.explain.causal.effects import estimate_effect, robustness_value
from hstore_models.explain.causal.graph import CauseGraph, equivalence_class, hamming_distance
from hstore_models.explain.causal.knowledge import SETS, Knowledge, Rules, curated, read_knowledge
from hstore_models.explain.causal.search import hidden_causes, search_lingam, search_pc
from hstore_models.explain.causal.stability import draw_rows, stability
from hstore_models.explain.causal.synthetic import make_world
from hstore_models.features.table import GROUPS

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of the packages that lingam brings
    pytest.mark.skipif(
        not all(map(find_spec, ("lingam", "causallearn", "dowhy"))), reason="needs pip install 'hstore[explain]'"
    ),
]


@pytest.mark.parametrize(
    ("arrows", "distance"),
    [
        ([("a", "b"), ("b", "c")], 0),
        ([("b", "a"), ("b", "c")], 1),
        ([("a", "b")], 1),
        ([("a", "b"), ("b", "c"), ("a", "c")], 1),
        ([("b", "a"), ("c", "b")], 2),
    ],
    ids=["same", "turned", "missing", "surplus", "both turned"],
)
def test_hamming_distance_counts_pairs_that_differ(arrows, distance):
    truth = CauseGraph.of("abc", [("a", "b"), ("b", "c")])
    assert hamming_distance(CauseGraph.of("abc", arrows), truth) == distance


def test_independences_tell_a_common_effect_and_nothing_of_a_chain():
    chain = equivalence_class(CauseGraph.of("abc", [("a", "b"), ("b", "c")]))
    assert chain.pairs() == [("a", "--", "b"), ("b", "--", "c")]
    collider = equivalence_class(CauseGraph.of("abc", [("a", "b"), ("c", "b")]))
    assert collider.pairs() == [("a", "->", "b"), ("c", "->", "b")]
    after = equivalence_class(CauseGraph.of("abcd", [("a", "b"), ("c", "b"), ("b", "d")]))
    assert ("b", "->", "d") in after.pairs()


def test_equivalence_class_is_that_of_all_graphs_with_the_same_independences():
    """Against the definition: arrows that all acyclic graphs of one skeleton and colliders share."""
    for seed in range(8):
        world = make_world(seed=seed, variables=5, arrows=6, rows=10).graph
        pairs = [tuple(pair) for pair in np.argwhere(np.triu(world.joined, 1)).tolist()]
        alike = []
        for turned in itertools.product((False, True), repeat=len(pairs)):
            arrows = [
                (world.names[b], world.names[a]) if turn else (world.names[a], world.names[b])
                for (a, b), turn in zip(pairs, turned, strict=True)
            ]
            other = CauseGraph.of(world.names, arrows)
            if other.is_acyclic() and colliders(other) == colliders(world):
                alike.append(other.arrows)
        shared = np.all(alike, axis=0)
        assert (equivalence_class(world).arrows == shared).all()


def colliders(found):
    return {
        (frozenset((a, b)), effect)
        for effect in found.names
        for a, b in itertools.combinations(found.parents(effect), 2)
        if not found.joined[found.names.index(a), found.names.index(b)]
    }


def test_lingam_recovers_six_variables_in_nine_of_ten_seeds():
    distances = []
    for seed in range(10):
        world = make_world(seed=seed)
        distances.append(hamming_distance(search_lingam(world.values, world.graph.names), world.graph))
    assert sum(distance <= 1 for distance in distances) >= 9, distances


def test_gaussian_disturbances_leave_lingam_lost_as_theory_says():
    worlds = [make_world(seed=seed, gaussian=True) for seed in range(5)]
    distances = [hamming_distance(search_lingam(w.values, w.graph.names), w.graph) for w in worlds]
    assert np.mean(distances) > 2


def test_pc_finds_what_independences_can_tell():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2000))
    c = a + b + 0.5 * rng.normal(size=2000)
    d = c + 0.5 * rng.normal(size=2000)
    found = search_pc(np.column_stack([a, b, c, d]), "abcd")
    assert found.pairs() == [("a", "->", "c"), ("b", "->", "c"), ("c", "->", "d")]


def test_a_hidden_common_cause_is_seen_by_fci():
    rng = np.random.default_rng(0)
    a, hidden, d = rng.normal(size=(3, 4000))
    b, c = a + hidden + 0.5 * rng.normal(size=4000), d + hidden + 0.5 * rng.normal(size=4000)
    assert hidden_causes(np.column_stack([a, b, c, d]), "abcd") == [("b", "c")]


def test_knowledge_is_kept_by_both_methods():
    world = make_world(seed=3)
    names = world.graph.names
    effect, cause = next((b, a) for a, _, b in world.graph.pairs())
    tiers = {name: 1 if name == cause else 0 for name in names}
    own = {"variable": [{"name": n, "tier": tiers[n], "reason": "r"} for n in names]}
    known = Knowledge.model_validate(own)
    for search in (search_lingam, search_pc):
        found = search(world.values, names, known.of(names))
        assert not found.arrows[names.index(cause)].any(), "of the last tier, it causes nothing"
    must = Knowledge.model_validate({**own, "required": [{"cause": effect, "effect": cause, "reason": "r"}]})
    for search in (search_lingam, search_pc):
        assert search(world.values, names, must.of(names)).arrows[names.index(effect), names.index(cause)]


def test_a_forbidden_arrow_does_not_forbid_the_way_round():
    rng = np.random.default_rng(0)
    a = rng.uniform(-1, 1, 1000)
    b = a + rng.uniform(-1, 1, 1000)
    c = b + rng.uniform(-1, 1, 1000)
    own = {
        "variable": [{"name": n, "reason": "r"} for n in "abc"],
        "forbidden": [{"cause": "a", "effect": "c", "reason": "r"}],
    }
    rules = Knowledge.model_validate(own).of("abc")
    found = search_lingam(np.column_stack([a, b, c]), "abc", rules)
    assert found.pairs() == [("a", "->", "b"), ("b", "->", "c")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forbidden": [{"cause": "a", "effect": "z", "reason": "r"}]}, "'z', which is no variable"),
        ({"required": [{"cause": "b", "effect": "a", "reason": "r"}]}, "against the tiers"),
        ({"required": [{"cause": "a", "effect": "a", "reason": "r"}]}, "cannot cause itself"),
        ({"variable": [{"name": "a", "reason": "r"}, {"name": "a", "reason": "r"}]}, "stands twice"),
        ({"variable": [{"name": "a", "reason": ""}, {"name": "b", "reason": "r"}]}, "reason"),
    ],
)
def test_knowledge_that_contradicts_itself_is_refused(change, message, tmp_path):
    text = {
        "variable": [{"name": "a", "reason": "r"}, {"name": "b", "tier": 1, "reason": "r"}],
        **change,
    }
    path = tmp_path / "known.toml"
    path.write_text("\n".join(toml_lines(text)))
    with pytest.raises(InputError, match=message):
        read_knowledge(path)


def toml_lines(content):
    for table, entries in content.items():
        for entry in entries:
            yield f"[[{table}]]"
            yield from (f"{key} = {value!r}" for key, value in entry.items())


@pytest.mark.parametrize("name", SETS)
def test_curated_variables_are_columns_or_descriptors_with_a_reason(name):
    from hstore_data.curated import curated_table

    known = curated(name)
    columns = set(curated_table(known.table).frame)
    descriptors = {label for group in GROUPS.values() for label in group.names()}
    for variable in known.variable:
        assert variable.name in columns | descriptors
        assert len(variable.reason) > 10
    assert any(variable.outcome for variable in known.variable)
    assert known.unsaid


def test_unknown_sets_are_named_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="interstitial"):
        curated("interstital")


def test_whole_groups_are_drawn():
    groups = [f"g{row // 5}" for row in range(60)]
    for rows in draw_rows(groups, 60, draws=5, seed=0):
        counts = np.bincount(rows, minlength=60).reshape(12, 5)
        assert (counts == counts[:, :1]).all()


def test_true_arrows_are_stable_and_others_are_not():
    world = make_world(seed=1, rows=400)
    names = world.graph.names
    found = stability(search_lingam, world.values, names, draws=15, seed=0)
    assert found.draws == 15
    assert found.arrows[world.graph.arrows].min() > 0.8
    assert found.arrows[~world.graph.joined].max() < 0.4


def test_searches_that_fail_are_counted_with_their_cause():
    def fails_at_times(values, names, rules):
        if values[0, 0] > 0.5:
            raise InputError("this draw cannot be used")
        return CauseGraph.of(names, [("a", "b")])

    values = np.random.default_rng(0).uniform(size=(30, 2))
    values[:, 0] = np.where(np.arange(30) < 6, 1.0, 0.0)
    found = stability(fails_at_times, values, "ab", draws=40, seed=0)
    assert sum(found.failed.values()) + found.draws == 40
    assert set(found.failed) == {"this draw cannot be used"}
    assert found.arrows[0, 1] == 1.0


@pytest.fixture(scope="module")
def confounded():
    rng = np.random.default_rng(0)
    common, own, noise, free = rng.uniform(-1, 1, (4, 600))
    return pd.DataFrame({
        "common": common, "bystander": common + own, "free": free, "outcome": 2 * common + 0.5 * free + noise
    })  # fmt: skip


def test_a_planted_null_effect_is_refuted_and_a_real_one_is_not(confounded):
    null = estimate_effect(confounded, "bystander", "outcome", ["common"], simulations=20, draws=400)
    assert null.verdict == "refuted"
    assert "interval holds 0" in null.why
    assert abs(null.slope) < 0.1
    real = estimate_effect(confounded, "free", "outcome", simulations=20, draws=400)
    assert real.verdict == "not refuted", real.why
    assert real.interval[0] < 0.5 < real.interval[1]
    assert real.wide[0] < real.interval[0] < real.interval[1] < real.wide[1]
    fooled = estimate_effect(confounded, "bystander", "outcome", simulations=20, draws=400)
    assert not fooled.is_refuted  # no test sees a common cause that is left out
    assert fooled.slope > 0.8


def test_a_hidden_cause_as_strong_as_the_robustness_value_undoes_the_effect(confounded):
    """By construction: a variable that explains that share of what is left of cause and outcome, held fixed."""
    values = confounded[["free", "common", "outcome"]].to_numpy()
    share = robustness_value(values)
    design = np.column_stack([values[:, 1], np.ones(len(values))])
    left = [column - design @ np.linalg.lstsq(design, column, rcond=None)[0] for column in values[:, [0, 2]].T]
    cause, outcome = (column / np.linalg.norm(column) for column in left)
    own = outcome - (outcome @ cause) * cause  # what the cause does not explain of the outcome
    own /= np.linalg.norm(own)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(values))
    basis = np.column_stack([design, cause, own])
    noise -= basis @ np.linalg.lstsq(basis, noise, rcond=None)[0]
    noise /= np.linalg.norm(noise)
    along = np.sqrt(share * (1 - share))
    hidden = np.sqrt(share) * cause + along * own + np.sqrt(1 - share - along**2) * noise
    fixed = np.column_stack([values[:, 0], values[:, 1], hidden, np.ones(len(values))])
    slope = np.linalg.lstsq(fixed, values[:, 2], rcond=None)[0][0]
    assert abs(slope) < 1e-9


def test_effects_have_two_ends(confounded):
    with pytest.raises(InputError, match="one variable on another"):
        estimate_effect(confounded, "outcome", "outcome")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((40, 2)), "same in all 40 rows"),
        (np.random.default_rng(0).uniform(size=(8, 2)), "at least 5 rows for each"),
    ],
)
def test_tables_that_say_nothing_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        search_lingam(values, "ab")


def test_no_knowledge_bars_only_self_causes():
    rules = Rules.nothing(3)
    assert (rules.barred == np.eye(3, dtype=bool)).all()
    assert not rules.must.any()
