"""Search finds what a plain loop finds, in the same order, page by page and while others write; both databases."""

from __future__ import annotations

import itertools
import random
from datetime import date

import pytest

from hstore.errors import InputError
from hstore.formula import parse_formula
from hstore.records import Access, Family, Kind, Provenance, Scope
from hstore.store import search as searching
from hstore.store.numbers import KINDS
from hstore.store.search import BY_COMPOSITION, BestNumber, NumberRange, Order, Wanted

CAPACITY, HULL = "h2_capacity_wt_pct", "energy_above_hull_ev_per_atom"
FORMULAS = ["LaNi5", "La2Ni10", "NiLa", "LaNi4.7Al0.3", "Mg2Ni", "MgH2", "NaAlH4", "CoLa", "CLaO", "C6H6"]
PUBLIC, LAB_A, LAB_B = Scope(), Scope(lab_id="a"), Scope(lab_id="b")
ACCESSES = (
    Access(),
    Access(lab_id="a", visibility="lab"),
    Access(lab_id="b", visibility="lab"),
    Access(lab_id="b", visibility="lab", embargo_until=date(2020, 1, 1)),
)


def test_licences_are_counted_as_pages_find_materials(store, build):
    said = [None, "MIT", None, "CC-BY-4.0", "MIT", "MIT"]
    store.add_materials(
        build.material(f"m{place}", "TiFe", provenance=Provenance(source="x", licence=licence), access=access)
        for (place, licence), access in zip(enumerate(said), [*[Access()] * 5, ACCESSES[1]], strict=True)
    )
    for wanted in (Wanted(), Wanted(elements=("Ti",)), Wanted(text="tife")):
        count = store.search.licences
        assert count(wanted, scope=PUBLIC, limit=9) == {None: 2, "MIT": 2, "CC-BY-4.0": 1}
        assert count(wanted, scope=LAB_A, limit=9) == {None: 2, "MIT": 3, "CC-BY-4.0": 1}
        assert count(wanted, scope=PUBLIC, limit=2) == {None: 1, "MIT": 1}
        assert count(wanted, scope=PUBLIC, limit=1, order=Order(descending=True)) == {"MIT": 1}
        assert count(wanted, scope=PUBLIC, limit=9, after=(None, "m2")) == {"MIT": 1, "CC-BY-4.0": 1}
    assert store.search.licences(Wanted(elements=("Ni",)), scope=PUBLIC, limit=9) == {}


@pytest.fixture
def pool(store, build):
    """Materials with numbers of every kind and owner; each as ``(material, name, kind, value, access)``."""
    draw = random.Random(1)
    materials, numbers = [], []
    for number in range(60):
        access = draw.choice(ACCESSES) if number % 3 == 0 else Access()
        descriptors = {HULL: round(draw.random(), 1)} if draw.random() < 0.7 else {}
        record = build.material(
            f"m-{number:02}",
            draw.choice(FORMULAS),
            family=draw.choice(list(Family)),
            known=draw.random() < 0.5,
            name=draw.choice(["", "Alloy_1", "50%"]),
            structure={"sites": []} if draw.random() < 0.3 else None,
            descriptors=descriptors,
            provenance=Provenance(source=draw.choice(["x", "y"])),
            access=access,
        )
        materials.append(record)
        numbers += [(record, name, "descriptor", value, access) for name, value in descriptors.items()]
    store.add_materials(materials)
    measurements, predictions = [], []
    for place, record in enumerate(draw.choices(materials, k=120)):
        kind, access = draw.choice([Kind.MEASURED, Kind.COMPUTED, Kind.PREDICTED]), draw.choice(ACCESSES)
        value = build.value(round(draw.uniform(0, 5), 1), kind=kind)
        if kind is Kind.PREDICTED:
            record_of = build.prediction(
                value=value, material_id=record.material_id, model_id=f"{place}", access=access
            )
            predictions.append(record_of)
        else:
            measurements.append(
                build.measurement(f"n-{place:03}", value=value, material_id=record.material_id, access=access)
            )
        numbers.append((record, CAPACITY, kind.value, value.value, access))
    store.add_measurements(measurements)
    store.add_predictions(predictions)
    return materials, numbers


def elements_of(material):
    return set(parse_formula(material.formula).amounts)


def keeps(found, kind, value):
    too_low = found.low is not None and (value <= found.low if found.low_open else value < found.low)
    too_high = found.high is not None and (value >= found.high if found.high_open else value > found.high)
    return found.kind in {None, kind} and not too_low and not too_high


def best_of(numbers, material, found, scope):
    """The number that counts, by a plain loop."""
    held = [
        (KINDS.index(kind), -value)
        for record, name, kind, value, access in numbers
        if record is material and name == found.name and scope.allows(access) and keeps(found, kind, value)
    ]
    return None if not held else BestNumber(-min(held)[1], KINDS[min(held)[0]])


def fits(material, wanted):
    elements = elements_of(material)
    return (
        wanted.family in {None, material.family}
        and set(wanted.elements) <= elements
        and (not wanted.elements_any or bool(set(wanted.elements_any) & elements))
        and not set(wanted.exclude_elements) & elements
        and (not wanted.only_elements or elements <= set(wanted.only_elements))
        and (wanted.n_elements_min or 0) <= len(elements) <= (wanted.n_elements_max or 99)
        and wanted.chemical_system in {None, "-".join(sorted(elements))}
        and wanted.composition in {None, material.composition}
        and wanted.known in {None, material.known}
        and wanted.source in {None, material.provenance.source}
        and wanted.has_structure in {None, material.structure is not None}
        and (wanted.text or "").lower() in f"{material.formula}\n{material.name}".lower()
    )


def expected(pool, wanted, order, scope):
    materials, numbers = pool
    found = []
    for material in materials:
        bounds = [best_of(numbers, material, one, scope) for one in wanted.ranges]
        if scope.allows(material.access) and fits(material, wanted) and None not in bounds:
            key = None
            if order.by == BY_COMPOSITION:
                key = material.composition
            elif order.is_number:
                best = best_of(numbers, material, wanted.range_of(order.by), scope)
                if best is None:
                    continue
                key = best.value
            found.append((() if key is None else (key,)) + (material.material_id,))
    return [key[-1] for key in sorted(found, reverse=order.descending)]


def walked(store, wanted, order, scope, limit=7):
    names, after = [], None
    for _ in range(100):
        page = store.search.page(wanted, scope=scope, order=order, after=after, limit=limit)
        assert len(page.rows) == limit or page.next is None
        names += [row["material_id"] for row in page.rows]
        after = page.next
        if after is None:
            return names
    raise AssertionError("no end")


WANTED = [
    Wanted(),
    Wanted(family=Family.IONIC),
    Wanted(elements=("La",)),
    Wanted(elements=("Ni", "La", "Ni"), known=True),
    Wanted(elements=("Xe",)),
    Wanted(elements_any=("Mg", "Na")),
    Wanted(elements_any=("La", "C"), exclude_elements=("Ni",)),
    Wanted(only_elements=("La", "Ni", "Co")),
    Wanted(n_elements_min=3),
    Wanted(n_elements_min=2, n_elements_max=2, source="x"),
    Wanted(chemical_system="La-Ni", known=False),
    Wanted(composition="LaNi5"),
    Wanted(has_structure=True),
    Wanted(has_structure=False, text="ALH"),
    Wanted(text="_1"),
    Wanted(text="%"),
    Wanted(ranges=(NumberRange(CAPACITY, low=2.0),)),
    Wanted(
        elements=("La",), ranges=(NumberRange(CAPACITY, high=2.5, high_open=True), NumberRange(HULL, high=0.5))
    ),
    Wanted(ranges=(NumberRange(CAPACITY, kind="measured", low=1.0, low_open=True, high=3.0),)),
    Wanted(ranges=(NumberRange(HULL, low=9.0),)),
]
ORDERS = [Order(), Order(BY_COMPOSITION), Order(CAPACITY), Order(HULL)]


@pytest.fixture(params=["few", "many"])
def plans(request, monkeypatch):
    """Have everything gathered, or everything walked, as in a store of many materials."""
    for name in ("_FEW", "_RARE") if request.param == "many" else ():
        monkeypatch.setattr(searching, name, 2)


def test_pages_hold_what_a_plain_loop_finds(store, pool, plans):
    cases, scopes = 0, itertools.cycle((PUBLIC, LAB_A, LAB_B))
    for wanted, order, descending in itertools.product(WANTED, ORDERS, (False, True)):
        asked = Order(order.by, descending=descending)
        scope = next(scopes)
        right = expected(pool, wanted, asked, scope)
        assert walked(store, wanted, asked, scope) == right, (wanted, asked, scope)
        assert store.search.count(wanted, scope=scope, order=asked) == len(right)
        cases += bool(right)
    assert cases > 100


def test_numbers_beside_materials_are_those_that_count(store, pool):
    materials, numbers = pool
    for wanted in (Wanted(), Wanted(ranges=(NumberRange(CAPACITY, kind="predicted", low=1.0),))):
        for scope in (PUBLIC, LAB_A):
            page = store.search.page(wanted, scope=scope, limit=100, numbers=(CAPACITY, HULL))
            for row in page.rows:
                (material,) = (m for m in materials if m.material_id == row["material_id"])
                bounds = {name: wanted.range_of(name) for name in (CAPACITY, HULL)}
                right = {name: best_of(numbers, material, found, scope) for name, found in bounds.items()}
                assert page.numbers[material.material_id] == {n: b for n, b in right.items() if b is not None}


def test_columns_that_were_asked_for_come_with_each(store, pool):
    page = store.search.page(Wanted(), scope=PUBLIC, limit=3, columns=("formula", "descriptors", "structure"))
    for row in page.rows:
        record = store.material(row["material_id"], scope=PUBLIC)
        assert row == {
            "material_id": record.material_id,
            "formula": record.formula,
            "descriptors": record.descriptors,
            "structure": record.structure,
        }


@pytest.mark.parametrize("order", [Order(), Order(CAPACITY, descending=True)], ids=["identifier", "number"])
def test_what_stays_comes_once_while_others_write(store, build, order):
    def add(name, value):
        store.add_materials([build.material(name)])
        store.add_measurements([build.measurement(f"{name}-n", value, material_id=name)])

    for number in range(10):
        add(f"m{number}", number / 10)
    names, after = [], None
    for turn in range(100):
        page = store.search.page(Wanted(), scope=PUBLIC, order=order, after=after, limit=2)
        names += [row["material_id"] for row in page.rows]
        after = page.next
        if after is None:
            break
        add(f"before{turn}", 0.95 if order.descending else 0.0)
        add(f"m{4}.{turn}", 0.45)
        if turn == 0:
            with store.database.writing("a deletion") as connection:
                connection.exec_driver_sql(
                    f"DELETE FROM measurements WHERE material_id = '{page.rows[-1]['material_id']}'"
                )
                connection.exec_driver_sql(
                    f"DELETE FROM materials WHERE material_id = '{page.rows[-1]['material_id']}'"
                )
    stayed = [f"m{number}" for number in range(10)]
    seen = [name for name in names if name in stayed]
    assert seen == (stayed[::-1] if order.descending else stayed)
    assert len(names) == len(set(names))


def test_counting_stops_where_it_is_told_to(store, pool):
    assert store.search.count(Wanted(), scope=PUBLIC, most=5) == 5


def test_names_are_those_of_numbers_that_can_be_seen(store, build):
    store.add_materials(
        [
            build.material("m1", descriptors={"b": 1.0, "a": 1.0}),
            build.material("m2", descriptors={"secret": 1.0}, access=build.of("a")),
        ]
    )
    assert store.search.number_names(scope=PUBLIC) == ["a", "b"]
    assert store.search.number_names(scope=LAB_A) == ["a", "b", "secret"]
    assert [store.search.has_number("secret", scope=scope) for scope in (PUBLIC, LAB_A, LAB_B)] == [
        False,
        True,
        False,
    ]


def test_an_empty_store_has_no_names_and_no_pages(store):
    assert store.search.number_names(scope=PUBLIC) == []
    assert store.search.page(Wanted(), scope=PUBLIC, limit=5) == searching.Page((), {}, None)
    with pytest.raises(InputError, match="limit must be at least 1, got 0"):
        store.search.page(Wanted(), scope=PUBLIC, limit=0)


def test_streams_end_where_they_are_told_to(store, pool):
    def streamed(limit, size):
        found = list(store.search.pages(Wanted(), scope=PUBLIC, limit=limit, size=size))
        return [row["material_id"] for page in found for row in page.rows]

    everything = expected(pool, Wanted(), Order(), PUBLIC)
    assert streamed(1000, 7) == everything
    assert streamed(10, 4) == everything[:10]
