"""Deduplication: the same material once, polymorphs apart, owners apart, whatever the order of batches."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import PUBLIC_SCOPE, Family, Provenance, Scope
from hstore.store import open_store
from hstore_workflows import sameness
from hstore_workflows.dedupe import Deduplicator, Fate
from hstore_workflows.sameness import Block, Label, Sketch, equal_cells, same_structure

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
CORNER_AND_CENTRE = [[0, 0, 0], [0.5, 0.5, 0.5]]
EVERYTHING = Scope(everything=True)


def rocksalt(edge=5.6, numbers=(11, 17)):
    return Crystal(edge * FCC, CORNER_AND_CENTRE, np.asarray(numbers))


def caesium_chloride(edge=3.5):
    return Crystal(edge * np.eye(3), CORNER_AND_CENTRE, np.asarray([11, 17]))


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def one_crew():
    """One deduplicator whose workers all tests of this module share: starting them takes seconds."""
    with Deduplicator(None, PUBLIC_SCOPE, workers=1) as shared:
        yield shared._crew


@pytest.fixture
def adder(store, one_crew):
    """Make deduplicators of the store, as fresh processes would, but with the shared workers."""

    def make(scope=PUBLIC_SCOPE):
        made = Deduplicator(store, scope, workers=1)
        made._crew = one_crew
        return made

    return make


@pytest.fixture
def salt(build):
    """Make records of sodium chloride."""

    def make(material_id, crystal=None, **fields):
        structure = None if crystal is None else crystal.to_dict()
        origin = Provenance(source=f"source of {material_id}")
        return build.material(
            material_id, "NaCl", structure=structure, provenance=origin, family="ionic", **fields
        )

    return make


def fates(verdicts):
    return {verdict.material_id: (verdict.fate, verdict.kept_id) for verdict in verdicts}


def kept(store, scope=EVERYTHING):
    return {m.material_id: [r.material_id for r in m.merged] for m in store.materials(scope=scope)}


def in_another_cell(crystal, seed=0):
    """Describe the same crystal otherwise: supercell, origin, orientation, order of the sites."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    fractional = np.concatenate([crystal.fractional, crystal.fractional + np.array([1, 0, 0])]) / [2, 1, 1]
    order = rng.permutation(2 * len(crystal))
    lattice = crystal.lattice_angstrom * np.array([[2], [1], [1]])
    return Crystal(lattice @ turn, (fractional + rng.uniform(0, 1, 3))[order], np.tile(crystal.numbers, 2)[order])


def test_the_same_crystal_in_another_cell_is_merged(store, adder, salt):
    verdicts = adder().add([salt("a", rocksalt()), salt("b", in_another_cell(rocksalt()))])
    assert fates(verdicts) == {"a": (Fate.NEW, "a"), "b": (Fate.MERGED, "a")}
    material = store.material("b", scope=PUBLIC_SCOPE)
    assert material.material_id == "a"
    assert [record.provenance.source for record in material.merged] == ["source of b"]


def test_a_slightly_different_relaxation_is_merged(store, adder, salt):
    strained = rocksalt().lattice_angstrom @ np.diag([1.01, 1.0, 0.99])
    other = Crystal(strained, [[0.003, 0, 0], [0.5, 0.495, 0.5]], np.array([11, 17]))
    assert fates(adder().add([salt("a", rocksalt()), salt("b", other)]))["b"] == (Fate.MERGED, "a")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (caesium_chloride(), "another structure"),
        (Crystal(np.diag([2.8, 2.8, 5.6]), [[0, 0, 0], [0, 0, 0.5]], np.array([11, 17])), "another ordering"),
        (rocksalt(5.6 * 1.05), "the same, 16 % larger in volume"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_polymorphs_orderings_and_other_volumes_stay_apart(store, adder, salt, other, why):
    verdicts = adder().add([salt("a", rocksalt()), salt("b", other)])
    assert fates(verdicts) == {"a": (Fate.NEW, "a"), "b": (Fate.NEW, "b")}, why
    assert not any(verdict.note for verdict in verdicts)


def test_look_alikes_that_the_matcher_tells_apart_stay_apart(store, adder, salt, monkeypatch):
    monkeypatch.setattr(sameness, "FINGERPRINT_TOLERANCE", 10.0)
    monkeypatch.setattr(sameness, "VOLUME_TOLERANCE", 10.0)
    verdicts = adder().add([salt("a", rocksalt()), salt("b", caesium_chloride()), salt("c", rocksalt(5.62))])
    assert fates(verdicts) == {"a": (Fate.NEW, "a"), "b": (Fate.NEW, "b"), "c": (Fate.MERGED, "a")}


def test_a_source_fetched_again_merges_nothing_with_itself(store, adder, salt):
    batch = [salt("a", rocksalt()), salt("b", rocksalt(5.61)), salt("c", caesium_chloride()), salt("d")]
    adder().add(batch)
    before = list(store.materials(scope=EVERYTHING))
    again = adder().add(batch)
    assert fates(again) == {
        "a": (Fate.REPLACED, "a"),
        "b": (Fate.MERGED, "a"),
        "c": (Fate.REPLACED, "c"),
        "d": (Fate.REPLACED, "d"),
    }
    assert list(store.materials(scope=EVERYTHING)) == before


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_where_batches_end_makes_no_difference(store, adder, salt, size):
    edges = (5.60, 5.95, 5.62, 6.40, 5.61, 5.97)
    batch = [salt(name, rocksalt(edge)) for name, edge in zip("fbdaec", edges, strict=True)]
    batch += [salt("g", caesium_chloride()), salt("h"), salt("i")]
    adding = adder()
    for start in range(0, len(batch), size):
        adding.add(batch[start : start + size])
    assert kept(store) == {"a": [], "b": ["c"], "f": ["d", "e"], "g": [], "h": ["i"]}


def test_an_interrupted_run_started_again_ends_alike(store, adder, salt):
    batch = [salt(name, rocksalt(edge)) for name, edge in zip("dcba", (5.6, 5.9, 5.61, 5.92), strict=True)]
    adder().add(batch[:3])
    adder().add(batch)
    assert kept(store) == {"c": ["a"], "d": ["b"]}


def test_an_identifier_that_comes_twice_in_a_batch_is_replaced(store, adder, salt):
    verdicts = adder().add([salt("a", rocksalt()), salt("a", rocksalt(), reason="newer")])
    assert [verdict.fate for verdict in verdicts] == [Fate.NEW, Fate.REPLACED]
    assert store.material("a", scope=PUBLIC_SCOPE).reason == "newer"


def test_a_merged_record_whose_source_changed_the_structure_stands_alone(store, adder, salt):
    adder().add([salt("a", rocksalt()), salt("b", rocksalt(5.61), descriptors={"x": 1.0})])
    (verdict,) = adder().add([salt("b", caesium_chloride())])
    assert verdict.fate is Fate.NEW
    assert kept(store) == {"a": [], "b": []}
    assert store.material("a", scope=PUBLIC_SCOPE).descriptors == {}


def test_records_of_other_owners_are_not_compared(store, adder, salt, build):
    own = {"access": build.of("a")}
    adder().add([salt("public", rocksalt())])
    (theirs,) = adder(Scope(lab_id="a")).add([salt("a:1", rocksalt(), **own)])
    assert theirs.fate is Fate.NEW
    (again,) = adder(Scope(lab_id="a")).add([salt("a:2", rocksalt(), **own)])
    assert (again.fate, again.kept_id) == (Fate.MERGED, "a:1")
    (later,) = adder().add([salt("public 2", rocksalt())])
    assert (later.fate, later.kept_id) == (Fate.MERGED, "public")
    assert kept(store, PUBLIC_SCOPE) == {"public": ["public 2"]}


def test_a_scope_that_may_not_see_a_record_cannot_add_it(adder, salt, build):
    with pytest.raises(InputError, match=r"belongs to lab 'a'.*use a scope of that lab"):
        adder().add([salt("x", access=build.of("a"))])


def test_a_structure_and_a_mere_formula_are_two_records(store, adder, salt):
    halite = {"name": "halite"}
    verdicts = adder().add([salt("a", **halite), salt("b", rocksalt(), **halite), salt("c", **halite)])
    assert [verdict.fate for verdict in verdicts] == [Fate.NEW, Fate.NEW, Fate.MERGED]
    assert store.material("b", scope=PUBLIC_SCOPE).structure is not None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({"name": "Halite"}, {"name": "halite "}, True),
        ({"name": "halite"}, {"name": ""}, False),
        ({"family": Family.ELECTROLYTE}, {}, False),
        ({"descriptors": {"energy_above_hull_ev_per_atom": 0.1}}, {}, True),
        ({"family": Family.SORBENT}, {"family": Family.SORBENT}, False),
        ({"family": Family.SORBENT, "name": "x"}, {"family": Family.SORBENT, "name": "X"}, True),
        (
            {"family": Family.SORBENT, "descriptors": {"gsa_m2_g": 2000.0}},
            {"family": Family.SORBENT, "descriptors": {"gsa_m2_g": 2001.0}},
            True,
        ),
        (
            {"family": Family.SORBENT, "name": "x", "descriptors": {"gsa_m2_g": 2000.0}},
            {"family": Family.SORBENT, "name": "x", "descriptors": {"gsa_m2_g": 2400.0}},
            False,
        ),
    ],
)
def test_records_without_structure_are_told_apart_by_what_they_say(salt, one, other, same):
    labels = [Label.of(salt("a").model_copy(update=fields)) for fields in (one, other)]
    assert labels[0].agrees_with(labels[1]) is same
    assert labels[1].agrees_with(labels[0]) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ti (alpha)", "Ti (beta)"),
        ("TiCr2 (LT)", "TiCr2 (HT)"),
        ("TiCr2 (C14)", "TiCr2 (C15)"),
        ("LaNi5 (CaCu5)", "LaNi5 (MgZn2)"),
        ("SnO2 (P42/mnm)", "SnO2 (Pbcn)"),
    ],
)
def test_phases_named_in_formulas_stay_apart(build, one, other):
    formulas = (one, other, one.split()[0])
    first, second, plain = (Label.of(build.material(formula=formula)) for formula in formulas)
    assert first.agrees_with(first)
    assert not first.agrees_with(second)
    assert not first.agrees_with(plain)


def test_a_structure_that_cannot_be_used_is_stored_with_a_note(store, adder, salt):
    shared = rocksalt().to_dict()
    shared["sites"][0]["species"] = [{"element": "Na", "occu": 0.5}, {"element": "K", "occu": 0.5}]
    adding = adder()
    verdicts = adding.add([salt("a", rocksalt()), salt("b").model_copy(update={"structure": shared})])
    assert verdicts[1].fate is Fate.NEW
    assert verdicts[1].note.startswith("not compared with others: a site holds Na 0.5, K 0.5; order")


def test_what_takes_too_long_is_kept_and_said(store, salt):
    places = np.random.default_rng(0).uniform(0, 1, (200, 3))  # takes the matcher a hundred clock ticks
    one, other = (Crystal(edge * np.eye(3), places, np.tile([11, 17], 100)) for edge in (16.0, 16.01))
    with Deduplicator(store, PUBLIC_SCOPE, workers=1, match_seconds=0.01) as adding:
        verdicts = adding.add([salt("a", one), salt("b", other)])
    assert fates(verdicts) == {"a": (Fate.NEW, "a"), "b": (Fate.NEW, "b")}
    assert verdicts[1].note == (
        "not compared with a, both kept: there was no answer after 0.01 s of processor time"
    )


def test_neighbours_on_both_sides_of_any_rounding_are_found():
    rng = np.random.default_rng(0)
    block = Block()
    rows = rng.uniform(0, 0.2, (300, 3)).astype(np.float32)
    volumes = rng.uniform(0, 0.3, 300)
    for place, (row, volume) in enumerate(zip(rows, volumes, strict=True)):
        block.put(Sketch(str(place), volume, row))
    for place in range(0, 300, 10):
        near = np.abs(rows - rows[place]).max(axis=1) <= sameness.FINGERPRINT_TOLERANCE
        near &= np.abs(volumes - volumes[place]) <= np.log1p(sameness.VOLUME_TOLERANCE)
        near[place] = False
        expected = sorted(map(str, np.flatnonzero(near)))
        assert block.look_alikes(Sketch(str(place), volumes[place], rows[place])) == expected


def conventional(moved=0.0):
    cube = [[moved, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    return Crystal(5.6 * np.eye(3), np.concatenate([cube, np.array(cube) + 0.5]), np.repeat([11, 17], 4))


def test_centred_cells_are_compared_by_their_primitive_ones():
    assert [len(crystal) for crystal in equal_cells(conventional(), rocksalt())] == [2, 2]
    assert same_structure(conventional(), rocksalt())


def test_a_cell_that_is_nearly_centred_is_not_compared_with_half_of_the_other():
    nearly = conventional(moved=0.01)
    assert [len(crystal) for crystal in equal_cells(conventional(), nearly)] == [8, 8]
    assert same_structure(conventional(), nearly)


def test_batches_without_company_start_no_worker(store, build):
    with Deduplicator(store, PUBLIC_SCOPE) as adding:
        began = time.monotonic()
        adding.add([build.material(f"x{n}", f"LaNi{n}", structure=rocksalt().to_dict()) for n in range(1, 200)])
        assert adding._crew._workers == []
    assert time.monotonic() - began < 5
