"""How strategies choose: the portfolio, the plain ones, and the parts they are made of."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_workflows.campaign.descriptors import column_blocks, composition_blocks, standardised
from hstore_workflows.campaign.guess import GATHERING, Guess
from hstore_workflows.campaign.landscape import History, Landscape, Prior, free_rows, neighbourhoods_of
from hstore_workflows.campaign.merit import Merit, merit_of, per_effort
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.reason import AIMS
from hstore_workflows.campaign.shortlist import MOST, shortlist
from hstore_workflows.campaign.strategies import DEFAULT, STRATEGIES, strategy
from hstore_workflows.campaign.strategies.portfolio import WAYS, Portfolio, success_of_ways
from hstore_workflows.campaign.surrogates.forest import N_TREES
from tests.workflows.alloy_pool import alloy_formulas, alloy_labels, alloy_landscape, best_found, measured

OURS = ["hstore", "random", "forest-thompson", "forest-ei", "gp-thompson", "gp-ei"]
MERIT = Objective.maximizing("merit")


@pytest.fixture(scope="module")
def alloys():
    """Formulas and labels of the pool."""
    formulas = alloy_formulas()
    return formulas, alloy_labels(formulas)


@pytest.fixture
def landscape(alloys):
    return alloy_landscape(alloys[0], MERIT)


@pytest.mark.parametrize("name", OURS)
def test_no_row_comes_twice_until_nothing_is_free(name, alloys, landscape):
    chosen, seen = strategy(name), set(range(12))
    history = History(measured(alloys[1], range(12)), failed=[12, 13], pending=[14])
    seen |= {12, 13, 14}
    for _ in range(30):
        picks = chosen.choose(landscape, history, 7, seed=3)
        rows = [pick.row for pick in picks]
        assert len(set(rows)) == len(rows)
        assert not seen & set(rows)
        assert all(pick.why in AIMS for pick in picks)
        seen |= set(rows)
        results = {**history.results, **measured(alloys[1], rows)}
        history = History(
            results, history.failed, history.pending, {**history.chosen, **{p.row: p.why for p in picks}}
        )
        if not picks:
            break
    doubles = len(landscape) - len(np.unique(landscape.features, axis=0))
    assert len(seen) >= len(landscape) - doubles
    assert chosen.choose(landscape, history, 3, seed=0) == []


@pytest.mark.parametrize("name", OURS)
def test_the_same_question_has_the_same_answer(name, alloys, landscape):
    history = History(measured(alloys[1], range(15)))
    once, again = (strategy(name).choose(landscape, history, 5, seed=2) for _ in range(2))
    assert once == again
    assert len(once) == 5


@pytest.mark.parametrize("name", OURS)
def test_nothing_known_covers_the_pool(name, landscape):
    picks = strategy(name).choose(landscape, History(), 6, seed=0)
    assert len({pick.row for pick in picks}) == 6
    assert {pick.why for pick in picks} == ({"random"} if name == "random" else {"spread"})


@pytest.mark.parametrize("name", ["hstore", "forest-ei", "gp-ei"])
def test_strategies_find_more_of_the_best_than_chance(name, alloys, landscape):
    found = [best_found(strategy(name), landscape, alloys[1], seed=seed) for seed in range(3)]
    assert np.mean(found) >= 2 * 10 * 40 / 120, found  # twice what random choice finds


def test_a_lab_gets_only_what_it_can_make(alloys):
    makeable = np.zeros(120, dtype=bool)
    makeable[50:60] = True
    landscape = alloy_landscape(alloys[0], MERIT, makeable=makeable)
    history = History(measured(alloys[1], range(20)), pending=[55])
    for name in OURS:
        rows = {pick.row for pick in strategy(name).choose(landscape, history, 20, seed=1)}
        assert rows <= set(range(50, 60)) - {55}
        assert len(rows) >= 7


def test_a_window_turns_choices_away_from_what_cannot_meet_it():
    x = np.linspace(-1, 1, 60)[:, None]
    priors = {"y": Prior(x[:, 0], np.full(60, 0.2)), "w": Prior(30 * x[:, 0], np.full(60, 2.0))}
    free = Landscape({"columns": x}, Objective.maximizing("y"), priors)
    bound = Landscape({"columns": x}, Objective.maximizing("y", (Window("w", -20, 0),)), priors)
    for name in ("hstore", "forest-ei"):
        unbound = [x[p.row, 0] for s in range(8) for p in strategy(name).choose(free, History(), 2, seed=s)]
        inside = [x[p.row, 0] for s in range(8) for p in strategy(name).choose(bound, History(), 2, seed=s)]
        assert np.median(unbound) > 0.5
        assert np.quantile(inside, 0.8) < 0.2


def test_failed_syntheses_turn_choices_away():
    x = np.repeat(np.linspace(-1, 1, 30), 2)[:, None] + np.tile([0.0, 0.004], 30)[:, None]
    landscape = Landscape({"columns": x}, Objective.maximizing("y"), {"y": Prior(x[:, 0], np.full(60, 0.05))})
    failed = list(range(50, 60, 2))
    chosen = [p.row for s in range(10) for p in Portfolio().choose(landscape, History(failed=failed), 3, seed=s)]
    untroubled = [p.row for s in range(10) for p in Portfolio().choose(landscape, History(), 3, seed=s)]
    near = set(range(50, 60))
    assert len(near & set(chosen)) == 0 or sum(r in near for r in chosen) < sum(r in near for r in untroubled)


def test_what_is_dear_must_promise_more():
    x = np.random.default_rng(0).normal(size=(80, 2))
    values = x[:, 0]
    effort = np.where(x[:, 1] > 0, 10.0, 1.0)
    results = {row: {"y": float(values[row])} for row in range(30)}
    dear, even = (
        [p.row for s in range(10) for p in Portfolio().choose(
            Landscape({"columns": x}, Objective.maximizing("y"), effort=e), History(results), 3, seed=s)]
        for e in (effort, None)
    )  # fmt: skip
    assert np.mean(effort[dear]) < 0.5 * np.mean(effort[even])


def test_several_goals_spread_along_their_front():
    angle = np.random.default_rng(0).uniform(0, np.pi / 2, 200)
    radius = np.random.default_rng(1).uniform(0.2, 1.0, 200)
    one, two = radius * np.cos(angle), radius * np.sin(angle)
    points = standardised(np.column_stack([one, two]))
    landscape = Landscape({"columns": points}, Objective((Goal("one"), Goal("two"))))
    results = {row: {"one": float(one[row]), "two": float(two[row])} for row in range(30)}
    for name in ("hstore", "forest-ei"):
        picks = [p.row for s in range(4) for p in strategy(name).choose(landscape, History(results), 5, seed=s)]
        assert np.mean(radius[picks]) > 0.75
        assert np.ptp(angle[picks]) > 0.6  # not all at one place


def test_a_goal_to_minimise_is_minimised():
    x = np.linspace(-1, 1, 60)[:, None]
    results = {row: {"y": float(x[row, 0])} for row in range(5, 60, 4)}
    landscape = Landscape({"columns": x}, Objective((Goal("y", minimize=True),)))
    rows = [pick.row for pick in Portfolio().choose(landscape, History(results), 4, seed=0)]
    assert min(rows) < 5


def test_partial_results_are_used():
    x = np.random.default_rng(0).normal(size=(80, 2))
    results = {
        row: {"y": float(x[row, 0])} | ({"w": float(x[row, 1])} if row % 3 == 0 else {}) for row in range(40)
    }
    landscape = Landscape({"columns": x}, Objective.maximizing("y", (Window("w", 0.0, 9.0),)))
    rows = [p.row for s in range(6) for p in Portfolio().choose(landscape, History(results), 3, seed=s)]
    assert np.mean(x[rows, 0]) > 0.5
    assert np.mean(x[rows, 1] > 0) > 0.6


def test_the_end_of_a_budget_gathers_what_is_known_to_be_good(alloys, landscape):
    results = measured(alloys[1], range(40))
    ended = Portfolio().choose(landscape, History(results, remaining=10), 5, seed=0)
    going = Portfolio().choose(landscape, History(results, remaining=11), 5, seed=0)
    assert {pick.why for pick in ended} == {"best"}
    assert "best" not in {pick.why for pick in going}
    plain = strategy("forest-thompson").choose(landscape, History(results, remaining=5), 5, seed=0)
    assert {pick.why for pick in plain} == {"sample"}
    merit = alloys[1]["merit"]
    found = [
        merit[
            [pick.row for pick in Portfolio().choose(landscape, History(results, remaining=r), 5, seed=s)]
        ].mean()
        for r in (5, None)
        for s in range(6)
    ]
    assert np.mean(found[:6]) > np.mean(found[6:])


@pytest.mark.parametrize(("spread", "taken"), [(0.01, False), (3.0, True)])
def test_the_way_out_is_left_where_values_are_foretold(spread, taken):
    """On a plane that a process foretells nobody looks for a way out; where noise rules, it is taken as before."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 3))
    values = points.sum(axis=1) + spread * rng.standard_normal(len(points))
    landscape = Landscape({"columns": points}, MERIT)
    history = History({row: {"merit": float(values[row])} for row in range(40)})
    chosen = Portfolio({"sample": (1.0, 1.0), "family": (30.0, 1.0)}).choose(landscape, history, 20, seed=1)
    ways = [pick.why for pick in chosen]
    assert (ways.count("family") > 15) == taken
    assert taken or ways.count("sample") > 15
    alone = Portfolio({"family": (1.0, 1.0)}).choose(landscape, history, 3, seed=1)
    assert [pick.why for pick in alone] == ["family"] * 3, "the only way is never left"


def test_the_last_batches_trust_the_process_as_far_as_it_has_shown():
    trees, draws = np.zeros((N_TREES, 2)), np.ones((4, 2))
    assert Guess(trees, draws, 0.5).blend(0) == pytest.approx([0.3, 0.3])
    assert Guess(trees, draws, 0.5).blend(0, GATHERING) == pytest.approx([0.5, 0.5])
    assert Guess(trees, draws, 0.0).blend(0, GATHERING) == pytest.approx([0.0, 0.0]), "one that foretold nothing"


def test_the_last_batches_rather_take_what_may_be_best_than_what_is_surely_good():
    """A plateau that is known well, and waves that go on where nobody has looked and may be higher."""
    x = np.linspace(0.0, 1.0, 200)[:, None]
    values = np.where(x[:, 0] < 0.25, 1.0, 0.9 * np.sin(40.0 * x[:, 0]))
    results = {row: {"y": float(values[row])} for row in range(0, 140, 2)}
    landscape = Landscape({"columns": x}, Objective.maximizing("y"))
    for seed in range(3):
        picks = Portfolio().choose(landscape, History(results, remaining=5), 5, seed=seed)
        assert min(pick.row for pick in picks) >= 140


def test_ways_are_paid_by_their_success():
    merit = Merit((Goal("y"),), np.array([0.0]), np.array([1.0]))
    results = {row: {"y": float(row)} for row in range(10)} | {10: {"y": -1.0}, 11: {"y": 99.0}}
    counts = success_of_ways(
        Objective.maximizing("y"),
        History(results, failed=[20], chosen={9: "blend", 10: "sample", 11: "blend", 20: "family"}),
        merit,
        WAYS,
    )
    assert counts["blend"] == (WAYS["blend"][0] + 2, WAYS["blend"][1])
    assert counts["sample"] == (WAYS["sample"][0], WAYS["sample"][1] + 1)
    assert counts["family"] == (WAYS["family"][0], WAYS["family"][1] + 1)


def test_a_result_outside_its_window_is_no_success():
    merit = Merit((Goal("y"),), np.array([0.0]), np.array([1.0]))
    objective = Objective.maximizing("y", (Window("w", 0.0, 1.0),))
    history = History({0: {"y": 1.0, "w": 0.5}, 1: {"y": 2.0, "w": 5.0}}, chosen={1: "sample"})
    assert success_of_ways(objective, history, merit, WAYS)["sample"] == (2.0, 3.0)


def test_merit_of_several_goals_is_not_hidden_by_one():
    merit = Merit((Goal("a"), Goal("b", minimize=True)), np.array([0.0, -10.0]), np.array([1.0, 10.0]))
    values = {"a": np.array([1.0, 1.0, 0.0]), "b": np.array([0.0, 10.0, 0.0])}
    assert merit.scaled(values).tolist() == [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    worth = merit.of(values, np.array([0.5**0.5, 0.5**0.5]))
    assert worth[0] > worth[1]
    assert worth[1] == pytest.approx(worth[2])


def test_too_little_known_is_no_merit():
    landscape = Landscape({"columns": np.zeros((9, 1))}, Objective.maximizing("y"))
    assert merit_of(landscape, History({0: {"y": 1.0}})) is None
    assert merit_of(landscape, History({row: {"y": 1.0} for row in range(4)})) is not None


def test_effort_divides_what_is_gained():
    worth = np.array([1.0, 1.0, 0.2])
    assert per_effort(worth, None) is worth
    per = per_effort(worth, np.array([1.0, 4.0, 0.1]))
    assert per[0] == pytest.approx(4 * per[1], rel=1e-4)
    assert per[2] < per[1]


def test_short_lists_of_large_pools_keep_the_best():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 6))
    values = points[:, 0] - np.abs(points[:, 1])
    landscape = Landscape({"columns": points}, Objective.maximizing("y"))
    history = History({int(row): {"y": float(values[row])} for row in rng.choice(20_000, 60, replace=False)})
    merit = merit_of(landscape, history)
    rows = shortlist(landscape, history, free_rows(landscape, history), merit, 10, rng)
    assert len(rows) <= 2 * MOST
    assert not set(rows.tolist()) & set(history.taken)
    by_trees = set(np.argsort(values)[-200:].tolist())
    assert len(by_trees & set(rows.tolist())) > 0.2 * 200  # random choice would keep 15 of them
    assert len(set(landscape.neighbourhoods[rows].tolist())) == len(set(landscape.neighbourhoods.tolist()))


def test_neighbourhoods_hold_alike_candidates_together():
    points = np.concatenate([np.random.default_rng(k).normal(10 * k, 0.1, (40, 3)) for k in range(3)])
    numbers = neighbourhoods_of(standardised(points))
    groups = [set(numbers[40 * k : 40 * k + 40].tolist()) for k in range(3)]
    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]
    assert neighbourhoods_of(np.zeros((50, 2))).tolist() == [0] * 50


def test_names_of_strategies():
    assert DEFAULT in STRATEGIES
    assert strategy("default") == strategy(DEFAULT)
    with pytest.raises(UnknownNameError, match="did you mean 'forest-ei'"):
        strategy("forest-e")


@pytest.mark.parametrize(
    ("formulas", "names"),
    [
        (["LaNi5", "TiFe", "Mg2Ni", "TiMn2"], {"magpie", "hydride"}),
        (["Li7La3Zr2O12", "Li6PS5Cl", "Li3N", "LiI"], {"magpie", "electrolyte"}),
        (["LaNi5", "TiFe", "Li6PS5Cl", "Li3N"], {"magpie", "hydride", "electrolyte"}),
    ],
    ids=["alloys", "electrolytes", "both"],
)
def test_pools_are_described_by_what_they_are(formulas, names):
    from hstore_models.features.composition import CompositionBatch

    blocks = composition_blocks(CompositionBatch.from_formulas(formulas)[0])
    assert set(blocks) == names
    for block in blocks.values():
        assert np.isfinite(block).all()
        assert block.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
        assert block.std(axis=0) == pytest.approx(1.0)


def test_texture_columns_bring_what_follows_from_them():
    from hstore_models.features.pores import PORE_DESCRIPTORS

    values = np.random.default_rng(0).uniform(0.2, 0.9, (30, 7))
    values[3, 2] = np.nan
    blocks = column_blocks(values, PORE_DESCRIPTORS)
    assert blocks["columns"].shape == (30, 7)
    assert blocks["pores"].shape[1] > 7
    assert np.isfinite(blocks["pores"]).all()
    landscape = Landscape(blocks, Objective.maximizing("y"))
    assert landscape.features.shape[1] == 7  # what libraries are told
    assert landscape.field_features.shape[1] == blocks["pores"].shape[1]
    assert set(column_blocks(values[:, :3], PORE_DESCRIPTORS[:3])) == {"columns"}


@pytest.mark.parametrize("text", ["best:y", "max:", ""])
def test_goals_are_read_or_refused(text):
    assert Goal.parse("min:x") == Goal("x", minimize=True)
    assert str(Goal.parse("x")) == "max:x"
    with pytest.raises(InputError, match="must read"):
        Goal.parse(text)


def test_objectives_are_checked():
    with pytest.raises(InputError, match="1 to 4 goals"):
        Objective(())
    with pytest.raises(InputError, match="one goal only"):
        Objective((Goal("a"), Goal("a", minimize=True)))
    assert Objective.maximizing("a", (Window("b", 0, 1), Window("a", 0, 9))).columns == ("a", "b")


FORKED = """
import multiprocessing
import numpy as np
from hstore_workflows.campaign.landscape import neighbourhoods_of

points = np.random.default_rng(0).normal(size=(600, 30))

def work(queue):
    queue.put(int(neighbourhoods_of(points).max()))

neighbourhoods_of(points)
queue = multiprocessing.get_context("fork").Queue()
child = multiprocessing.get_context("fork").Process(target=work, args=(queue,))
child.start()
print(queue.get(timeout=60))
child.join()
"""


def test_a_forked_process_can_choose_too():
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
