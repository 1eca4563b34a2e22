"""Filters, pages, corrections and ownership, on both databases."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from hstore.errors import InputError, StoreError
from hstore.formula import parse_formula
from hstore.records import Access, Conditions, Family, Kind, Scope
from hstore.store import queries

EVERYTHING = Scope(everything=True)

FORMULAS = ["LaNi5", "La2Ni10", "NiLa", "LaNi4.7Al0.3", "Mg2Ni", "MgH2", "NaAlH4", "CoLa", "CLaO", "C6H6"]


@pytest.fixture
def pool(store, build):
    """Twenty materials, given in no particular order."""
    families = itertools.cycle([Family.INTERSTITIAL, Family.COMPLEX, Family.IONIC])
    records = [
        build.material(f"{letter}-{number}", formula, family=next(families), known=letter == "b")
        for letter in "bA"
        for number, formula in enumerate(FORMULAS)
    ]
    store.add_materials(records[::-1])
    return sorted(records, key=lambda record: record.material_id)


def elements_of(record):
    return set(parse_formula(record.formula).amounts)


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        ({}, lambda _: True),
        ({"family": Family.COMPLEX}, lambda m: m.family is Family.COMPLEX),
        ({"known": True}, lambda m: m.known),
        ({"known": False}, lambda m: not m.known),
        ({"elements": ["Ni"]}, lambda m: "Ni" in elements_of(m)),
        ({"elements": ("La", "Ni", "La")}, lambda m: {"La", "Ni"} <= elements_of(m)),
        ({"elements": {"C"}}, lambda m: "C" in elements_of(m)),
        ({"chemical_system": "Ni-La"}, lambda m: elements_of(m) == {"La", "Ni"}),
        ({"chemical_system": "La-Ni"}, lambda m: elements_of(m) == {"La", "Ni"}),
        ({"composition": "LaNi5"}, lambda m: m.formula in {"LaNi5", "La2Ni10"}),
        (
            {"family": Family.INTERSTITIAL, "known": True, "elements": ["La"]},
            lambda m: m.family is Family.INTERSTITIAL and m.known and "La" in elements_of(m),
        ),
        ({"elements": ["Li"]}, lambda _: False),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_filters_keep_what_a_plain_loop_keeps(store, pool, filters, keeps):
    expected = [record for record in pool if keeps(record)]
    assert list(store.materials(scope=EVERYTHING, **filters)) == expected
    assert store.count_materials(scope=EVERYTHING, **filters) == len(expected)


@pytest.mark.parametrize("page", [1, 3, 20, 100])
def test_pages_joined_by_after_are_the_whole(store, pool, page):
    seen, after = [], None
    while found := list(store.materials(scope=EVERYTHING, limit=page, after=after)):
        assert len(found) <= page
        seen += found
        after = found[-1].material_id
    assert seen == pool


@pytest.mark.parametrize("rows", [1, 2, 7, 20])
def test_streams_do_not_depend_on_the_size_of_their_fetches(store, pool, build, monkeypatch, rows):
    store.add_predictions(
        build.prediction(number, m.material_id, model_id=model)
        for m in pool[:5]
        for number, model in enumerate("xyz")
    )
    predictions = list(store.predictions(scope=EVERYTHING))
    monkeypatch.setattr(queries, "PAGE_ROWS", rows)
    assert list(store.materials(scope=EVERYTHING)) == pool
    assert list(store.materials(scope=EVERYTHING, limit=5)) == pool[:5]
    assert list(store.predictions(scope=EVERYTHING)) == predictions
    assert len(predictions) == 15
    assert [p.material_id for p in predictions] == sorted(p.material_id for p in predictions)


def test_ids_are_ordered_by_code_point_whatever_the_language_of_the_server(store, build):
    names = ["a", "B", "b", "A", "é", "Z", "z", "1", "a-1", "a_1", "aa", "Å", "𝔸"]
    store.add_materials(build.material(name) for name in names)
    assert [m.material_id for m in store.materials(scope=EVERYTHING)] == sorted(names)


@pytest.mark.parametrize("limit", [-1, -1000])
def test_a_negative_limit_is_refused_at_once(store, limit):
    with pytest.raises(InputError, match=f"0 or more, got {limit}"):
        store.materials(scope=EVERYTHING, limit=limit)
    with pytest.raises(InputError, match=f"0 or more, got {limit}"):
        store.screens(scope=EVERYTHING, limit=limit)


def test_limit_zero_gives_nothing(store, pool):
    assert list(store.materials(scope=EVERYTHING, limit=0)) == []


@pytest.mark.parametrize(
    "attack",
    ["'; DROP TABLE materials; --", "' OR '1'='1", '" OR 1=1 --', "%", "_", "La%", ":x", "%(x)s", "{}", "\\"],
)
def test_filter_values_are_never_read_as_sql(store, pool, build, attack):
    for filters in ({"elements": [attack]}, {"chemical_system": attack}, {"composition": attack}):
        assert list(store.materials(scope=EVERYTHING, **filters)) == []
        assert store.count_materials(scope=EVERYTHING, **filters) == 0
    assert store.material(attack, scope=EVERYTHING) is None
    assert list(store.measurements(scope=Scope(lab_id=attack), material_id=attack, property=attack)) == []
    assert list(store.predictions(scope=Scope(lab_id=attack), property=attack, model_id=attack)) == []
    assert store.screen(attack, scope=EVERYTHING) is None
    assert store.screens(scope=EVERYTHING, target=attack) == []
    store.add_materials([build.material(attack, reason=attack, access=build.of(attack))])
    assert [m.material_id for m in store.materials(scope=Scope(lab_id=attack))].count(attack) == 1
    assert store.count_materials(scope=EVERYTHING) == len(pool) + 1


def test_adding_again_replaces_the_material_and_its_elements(store, build):
    store.add_materials([build.material("m1", "LaNi5"), build.material("m2", "MgH2")])
    changed = build.material("m1", "Mg2Ni", family=Family.IONIC, known=True, reason="new")
    assert store.add_materials([changed]) == 1
    assert store.material("m1", scope=EVERYTHING) == changed
    assert store.count_materials(scope=EVERYTHING, elements=["La"]) == 0
    assert store.count_materials(scope=EVERYTHING, elements=["Mg"]) == 2
    assert store.count_materials(scope=EVERYTHING) == 2


def test_of_one_id_twice_in_a_chunk_the_last_stays(store, build):
    twice = [build.material("m1", "LaNi5"), build.material("m1", "Mg2Ni")]
    assert store.add_materials(twice) == 2
    assert store.material("m1", scope=EVERYTHING) == twice[1]
    assert store.count_materials(scope=EVERYTHING, elements=["La"]) == 0


@pytest.mark.parametrize(("owner", "other"), [(None, "b"), ("a", None), ("a", "b")])
def test_nobody_overwrites_the_material_of_another(store, build, owner, other):
    own = build.material("m1", "LaNi5", access=Access(lab_id=owner))
    foreign = build.material("m1", "Mg2Ni", access=Access(lab_id=other))
    store.add_materials([own])
    with pytest.raises(StoreError, match=r"'m1' given by .* already belongs to another owner") as caught:
        store.add_materials([build.material("m0"), foreign])
    assert repr(owner) not in str(caught.value)
    assert list(store.materials(scope=EVERYTHING)) == [own]


def test_two_owners_of_one_material_in_one_chunk_are_refused(store, build):
    records = [build.material("m1", access=Access(lab_id=lab)) for lab in "ab"]
    with pytest.raises(StoreError, match="already belongs to another owner"):
        store.add_materials(records)
    assert store.count_materials(scope=EVERYTHING) == 0


def test_materials_are_taken_chunk_by_chunk_and_written_chunks_stay(store, build):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            if number == 7:
                raise RuntimeError("the source broke")
            yield build.material(f"m{number}")

    with pytest.raises(RuntimeError, match="the source broke"):
        store.add_materials(endless(), chunk_size=3)
    assert taken == list(range(8))
    assert store.count_materials(scope=EVERYTHING) == 6


def test_a_chunk_without_rows_is_refused(store, build):
    with pytest.raises(InputError, match="chunk_size must be at least 1, got 0"):
        store.add_materials([build.material()], chunk_size=0)


@pytest.mark.parametrize("add", ["add_measurements", "add_predictions"])
def test_a_value_of_an_unknown_material_is_refused_by_name(store, build, add):
    store.add_materials([build.material("m1")])
    records = {
        "add_measurements": [build.measurement("a"), build.measurement("b", material_id="ghost")],
        "add_predictions": [build.prediction(), build.prediction(material_id="ghost")],
    }[add]
    with pytest.raises(StoreError, match="unknown material_id 'ghost'; add the material first"):
        getattr(store, add)(records)
    assert list(store.measurements(scope=EVERYTHING)) == list(store.predictions(scope=EVERYTHING)) == []


def test_nothing_given_is_nothing_written(store):
    assert store.add_materials([]) == store.add_measurements([]) == store.add_predictions([]) == 0


def test_a_correction_replaces_and_keeps(store, build):
    store.add_materials([build.material()])
    first, second, third = (
        build.measurement(name, number, replaces=replaces)
        for name, number, replaces in [("z", 1.4, None), ("y", 1.5, "z"), ("x", 1.6, "y")]
    )
    store.add_measurements([first, second])
    assert list(store.measurements(scope=EVERYTHING)) == [second]
    store.add_measurements([third])
    assert list(store.measurements(scope=EVERYTHING)) == [third]
    assert list(store.measurements(scope=EVERYTHING, include_replaced=True)) == [third, second, first]


def test_a_public_value_with_a_hidden_correction_is_not_used_any_more(store, build):
    store.add_materials([build.material()])
    store.add_measurements([build.measurement("old", access=Access(lab_id="a"))])
    store.add_measurements([build.measurement("new", 1.5, replaces="old", access=build.of("a"))])
    assert list(store.measurements(scope=Scope())) == []
    assert [m.measurement_id for m in store.measurements(scope=Scope(), include_replaced=True)] == ["old"]
    assert [m.measurement_id for m in store.measurements(scope=Scope(lab_id="a"))] == ["new"]


def test_measurements_given_again_change_nothing(store, build):
    store.add_materials([build.material()])
    records = [build.measurement("a"), build.measurement("b", 1.5, replaces="a")]
    for _ in range(2):
        assert store.add_measurements(records) == 2
    assert list(store.measurements(scope=EVERYTHING, include_replaced=True)) == records


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"measurement_id": "a", "number": 1.5}, "'a' is already stored with other content"),
        ({"measurement_id": "n", "replaces": "ghost"}, "replaces 'ghost', which is not stored"),
        ({"measurement_id": "n", "replaces": "n"}, "replaces 'n', which is not stored"),
        ({"measurement_id": "n", "replaces": "a"}, "replaces 'a', which 'b' already replaces"),
        ({"measurement_id": "n", "replaces": "theirs"}, "'theirs', which belongs to another owner"),
    ],
)
def test_a_correction_that_does_not_fit_leaves_all_as_it_was(store, build, wrong, message):
    store.add_materials([build.material()])
    before = [
        build.measurement("a"),
        build.measurement("b", 1.6, replaces="a"),
        build.measurement("theirs", access=build.of("b")),
    ]
    store.add_measurements(before)
    with pytest.raises(StoreError, match=message):
        store.add_measurements([build.measurement("fine"), build.measurement(**wrong)])
    assert list(store.measurements(scope=EVERYTHING, include_replaced=True)) == before


def test_two_corrections_of_one_value_in_one_call_are_refused(store, build):
    store.add_materials([build.material()])
    records = [build.measurement("a"), *(build.measurement(name, replaces="a") for name in "bc")]
    with pytest.raises(StoreError, match="'c' replaces 'a', which 'b' already replaces"):
        store.add_measurements(records)


def test_measurements_and_predictions_are_found_by_what_they_are(store, build):
    store.add_materials(build.material(name) for name in ("m1", "m2"))
    warm = build.value(5.0, property="plateau_pressure_bar", conditions=Conditions(temperature_k=300))
    store.add_measurements([build.measurement("a"), build.measurement("b", material_id="m2", value=warm)])
    store.add_predictions([build.prediction(), build.prediction(material_id="m2", value=warm, model_id="b")])
    for filters in ({"material_id": "m2"}, {"property": "plateau_pressure_bar"}):
        assert [m.measurement_id for m in store.measurements(scope=EVERYTHING, **filters)] == ["b"]
        assert [p.model_id for p in store.predictions(scope=EVERYTHING, **filters)] == ["b"]
    assert [p.material_id for p in store.predictions(scope=EVERYTHING, model_id="a")] == ["m1"]


def test_a_model_asked_again_replaces_its_answer_and_no_other(store, build):
    store.add_materials([build.material()])

    def answer(number, *, temperature_k=300.0, **fields):
        value = build.value(number, kind=Kind.PREDICTED, conditions=Conditions(temperature_k=temperature_k))
        return build.prediction(value=value, **fields)

    others = [
        answer(1.1, temperature_k=400.0),
        answer(1.2, model_id="b"),
        answer(1.3, access=build.of("x")),
        answer(1.4, access=build.of("y")),
    ]
    store.add_predictions([answer(1.0), *others])
    store.add_predictions([answer(7.0), answer(2.0)])
    found = [p.value.value for p in store.predictions(scope=EVERYTHING)]
    assert sorted(found) == [1.1, 1.2, 1.3, 1.4, 2.0]


def test_screens_come_newest_first(store, build):
    start = datetime(2025, 1, 1, tzinfo=UTC)
    for number in (3, 1, 4, 0, 2):
        target = "onboard" if number % 2 else "stationary"
        store.add_screen(build.screen(f"s{number}", target=target, created_at=start + timedelta(days=number)))
    assert [s.screen_id for s in store.screens(scope=EVERYTHING)] == ["s4", "s3", "s2", "s1", "s0"]
    assert [s.screen_id for s in store.screens(scope=EVERYTHING, limit=2)] == ["s4", "s3"]
    assert [s.screen_id for s in store.screens(scope=EVERYTHING, target="onboard")] == ["s3", "s1"]


def test_a_screen_is_never_changed(store, build):
    store.add_screen(build.screen())
    with pytest.raises(StoreError, match="screen 's1' is already stored with other content"):
        store.add_screen(build.screen(target="stationary"))
    assert store.screen("s1", scope=EVERYTHING) == build.screen()
