"""What materials are sought by follows the records, whatever is done to them; on both databases."""

from __future__ import annotations

from datetime import date

import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine, insert, select

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import StoreError
from hstore.records import Access, Conditions, Family, Kind
from hstore.store import open_store
from hstore.store.migration import alembic_config
from hstore.store.numbers import MAX_NAME, element_masks, rebuild
from hstore.store.rows import material_values, measurement_values, prediction_values
from hstore.store.schema import (
    MaterialElementRow,
    MaterialIndexRow,
    MaterialNumberRow,
    MaterialRow,
    MeasurementRow,
    PredictionRow,
    table_of,
)

CAPACITY = "h2_capacity_wt_pct"


def rows_of(store, table):
    with store.database.connected("read") as connection:
        return sorted(map(str, connection.execute(select(table_of(table)))))


def numbers(store, **wanted):
    """Return ``{(material, name, kind): [values]}``."""
    found = {}
    with store.database.connected("read") as connection:
        for row in connection.execute(select(table_of(MaterialNumberRow)).filter_by(**wanted)):
            found.setdefault((row.material_id, row.name, row.kind), []).append(row.value)
    return {key: sorted(values) for key, values in found.items()}


def index(store):
    with store.database.connected("read") as connection:
        return {row.material_id: row for row in connection.execute(select(table_of(MaterialIndexRow)))}


@pytest.fixture
def as_rebuilt(store):
    """Check that the tables are what they would be if they were made anew from the records."""
    tables = (MaterialIndexRow, MaterialElementRow, MaterialNumberRow)

    def check():
        before = [rows_of(store, table) for table in tables]
        with store.database.writing("the index") as connection:
            rebuild(connection)
        assert [rows_of(store, table) for table in tables] == before

    return check


def test_numbers_of_every_origin_carry_the_access_of_their_record(store, build, as_rebuilt):
    until = date(2031, 1, 1)
    held = Access(lab_id="a", visibility="lab", embargo_until=until)
    store.add_materials([build.material(descriptors={"lcd_A": 15.0, CAPACITY: 1.2})])
    store.add_measurements([build.measurement("x", 1.5, access=held)])
    calculated = build.value(1.6, kind=Kind.COMPUTED)
    store.add_measurements([build.measurement("y", value=calculated)])
    store.add_predictions([build.prediction(1.4, access=build.of("b"))])
    assert numbers(store, visibility="public") == {
        ("m1", "lcd_A", "descriptor"): [15.0],
        ("m1", CAPACITY, "descriptor"): [1.2],
        ("m1", CAPACITY, "computed"): [1.6],
    }
    assert numbers(store, lab_id="a", embargo_until=until) == {("m1", CAPACITY, "measured"): [1.5]}
    assert numbers(store, lab_id="b", visibility="lab") == {("m1", CAPACITY, "predicted"): [1.4]}
    as_rebuilt()


def test_a_material_written_again_has_the_numbers_it_says_now(store, build, as_rebuilt):
    store.add_materials([build.material(descriptors={"a": 1.0, "b": 2.0}), build.material("m2")])
    store.add_measurements([build.measurement("x")])
    store.add_predictions([build.prediction(1.0)])
    as_rebuilt()
    store.add_materials([build.material(formula="Mg2Ni", family=Family.IONIC, descriptors={"b": 3.0})])
    assert numbers(store, family="ionic") == {
        ("m1", "b", "descriptor"): [3.0],
        ("m1", CAPACITY, "measured"): [1.4],
        ("m1", CAPACITY, "predicted"): [1.0],
    }
    assert (index(store)["m1"].family, index(store)["m1"].chemical_system) == ("ionic", "Mg-Ni")
    as_rebuilt()


def test_merged_records_give_and_take_numbers(store, build, as_rebuilt):
    store.add_materials([build.material("k1"), build.material("k2")])
    twin = build.material("twin", descriptors={"a": 1.0}, known=True, name="alloy")
    for kept in ("k1", "k2"):
        store.merge_materials({kept: [twin]})
        assert numbers(store) == {(kept, "a", "descriptor"): [1.0]}
        as_rebuilt()
    assert (index(store)["k2"].known, index(store)["k2"].name) == (True, "alloy")
    store.add_materials([twin])
    assert numbers(store) == {("twin", "a", "descriptor"): [1.0]}
    as_rebuilt()


def test_corrected_measurements_have_no_number_even_where_the_correction_is_private(store, build, as_rebuilt):
    store.add_materials([build.material()])
    held = Access(lab_id="a", visibility="lab")
    store.add_measurements([build.measurement("old", access=Access(lab_id="a"))])
    store.add_measurements([build.measurement("new", 1.6, replaces="old", access=held)])
    assert numbers(store) == {("m1", CAPACITY, "measured"): [1.6]}
    assert numbers(store, visibility="public") == {}
    store.add_measurements([build.measurement("old", access=Access(lab_id="a"))])
    assert numbers(store) == {("m1", CAPACITY, "measured"): [1.6]}
    store.add_measurements(
        [build.measurement("c", 1.0), build.measurement("d", 2.0, replaces="c"), build.measurement("e", 3.0)]
    )
    assert numbers(store, visibility="public") == {("m1", CAPACITY, "measured"): [2.0, 3.0]}
    as_rebuilt()


def test_refused_measurements_leave_no_number(store, build, as_rebuilt):
    store.add_materials([build.material()])
    with pytest.raises(StoreError, match="which is not stored"):
        store.add_measurements([build.measurement("a"), build.measurement("b", replaces="nothing")])
    assert numbers(store) == {}
    as_rebuilt()


def test_a_model_asked_again_has_one_number_for_each_question(store, build, as_rebuilt):
    store.add_materials([build.material()])
    warm = build.value(3.0, kind=Kind.PREDICTED, conditions=Conditions(temperature_k=400))
    store.add_predictions([build.prediction(1.0), build.prediction(value=warm)])
    store.add_predictions([build.prediction(2.0)])
    assert numbers(store) == {("m1", CAPACITY, "predicted"): [2.0, 3.0]}
    as_rebuilt()


def test_a_measurement_named_as_a_prediction_does_not_take_its_number(store, build):
    store.add_materials([build.material()])
    store.add_predictions([build.prediction(1.0)])
    (name,) = [row.prediction_id for row in store_rows(store, PredictionRow)]
    store.add_measurements([build.measurement(name, 2.0)])
    store.add_measurements([build.measurement("better", 3.0, replaces=name)])
    assert numbers(store) == {("m1", CAPACITY, "predicted"): [1.0], ("m1", CAPACITY, "measured"): [3.0]}


def store_rows(store, table):
    with store.database.connected("read") as connection:
        return connection.execute(select(table_of(table))).all()


def test_the_index_has_what_filters_ask(store, build):
    crystal = {"lattice": {"a": 2.98}, "sites": []}
    store.add_materials([build.material(formula="Mg2NiH4", structure=crystal, access=build.of("a"))])
    row = index(store)["m1"]
    assert (row.n_elements, row.has_structure, row.source, row.composition) == (3, True, "test", "H4Mg2Ni")
    assert (row.lab_id, row.visibility, row.embargo_until) == ("a", "lab", None)
    assert (row.elements_low, row.elements_high) == (1 << 0 | 1 << 11 | 1 << 27, 0)


def test_every_element_has_a_bit_of_its_own():
    masks = [element_masks([symbol]) for symbol in ATOMIC_MASS_G_PER_MOL]
    assert len(set(masks)) == len(masks) == 103
    assert element_masks(ATOMIC_MASS_G_PER_MOL) == tuple(map(sum, zip(*masks, strict=True)))
    assert max(map(max, masks)) < 1 << 63
    assert element_masks(["H", "H"]) == (1, 0)


def test_names_too_long_for_an_index_are_left_out(store, build, as_rebuilt):
    store.add_materials([build.material(descriptors={"x" * MAX_NAME: 1.0, "y" * (MAX_NAME + 1): 2.0})])
    assert numbers(store) == {("m1", "x" * MAX_NAME, "descriptor"): [1.0]}
    as_rebuilt()


def test_a_store_of_the_second_schema_is_filled_when_it_is_opened(database_url, build):
    held = build.of("a")
    materials = [
        build.material(f"m{i:04}", descriptors={"lcd_A": float(i)}, access=held if i == 7 else Access())
        for i in range(1003)
    ]
    measurements = [
        build.measurement("a", 1.0, material_id="m0000"),
        build.measurement("b", 1.1, material_id="m0000", replaces="a", access=held),
        build.measurement("c", 1.2, material_id="m0001"),
    ]
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0002")
        connection.execute(insert(table_of(MaterialRow)), [material_values(m) for m in materials])
        connection.execute(insert(table_of(MeasurementRow)), [measurement_values(m) for m in measurements])
        predictions = [prediction_values(build.prediction(material_id="m0002"))]
        connection.execute(insert(table_of(PredictionRow)), predictions)
    with open_store(database_url) as store:
        assert len(index(store)) == len(materials)
        assert index(store)["m0007"].lab_id == "a"
        found = numbers(store)
        assert found.pop(("m0000", CAPACITY, "measured")) == [1.1]
        assert found.pop(("m0001", CAPACITY, "measured")) == [1.2]
        assert found.pop(("m0002", CAPACITY, "predicted")) == [1.4]
        assert found == {(m.material_id, "lcd_A", "descriptor"): [m.descriptors["lcd_A"]] for m in materials}
        assert list(numbers(store, lab_id="a", kind="descriptor").values()) == [[7.0]]
