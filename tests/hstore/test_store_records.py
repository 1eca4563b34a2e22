"""Every record comes back from either database exactly as it went in."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.errors import StoreError
from hstore.formula import parse_formula
from hstore.properties import PROPERTIES
from hstore.records import (
    Access,
    Basis,
    Conditions,
    Family,
    Kind,
    Material,
    Measurement,
    Prediction,
    PropertyValue,
    Provenance,
    Scope,
    Screen,
    Visibility,
)
from hstore.store.schema import MaterialRow, MeasurementRow, PredictionRow, ScreenRow

EVERYTHING = Scope(everything=True)

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = itertools.count()

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
names = texts.filter(bool)
floats = st.floats(allow_nan=False, allow_infinity=False)
dates = st.dates()
plain = st.recursive(
    st.none() | st.booleans() | floats | texts | st.integers(-(2**60), 2**60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, plain, max_size=4)
optional_dates = st.none() | dates
provenances = st.builds(
    Provenance, source=texts, reference=st.none() | texts, licence=st.none() | texts, retrieved=optional_dates
)
accesses = st.builds(Access, lab_id=names, visibility=st.sampled_from(Visibility), embargo_until=optional_dates)
formulas = st.sampled_from(
    ["LaNi5", "Ti0.95Zr0.05Mn1.55V0.45", "Ca(BH4)2", "Mg-5 at.% Ni", "Hf2Cu (M)", "Li₆PS₅Cl"]
)
kelvin = st.none() | st.floats(0, 5000, exclude_min=True)
bars = st.none() | st.floats(0, 1e7)
conditions = st.builds(
    Conditions,
    temperature_k=kelvin,
    pressure_bar=bars,
    charge_pressure_bar=bars,
    charge_temperature_k=kelvin,
    discharge_pressure_bar=bars,
    discharge_temperature_k=kelvin,
)
bases = st.builds(
    Basis,
    capacity_definition=st.none() | st.just("usable"),
    mass_basis=st.none() | st.just("host"),
    uptake_kind=st.none() | st.just("excess"),
)


@st.composite
def materials(draw):
    return Material(
        material_id=f"{next(numbers)} {draw(texts)}",
        formula=draw(formulas),
        family=draw(st.sampled_from(Family)),
        structure=draw(st.none() | objects),
        descriptors=draw(st.dictionaries(texts, floats, max_size=4)),
        known=draw(st.booleans()),
        reason=draw(texts),
        provenance=draw(provenances),
        access=draw(accesses),
    )


@st.composite
def values(draw):
    quantity = draw(st.sampled_from(sorted(PROPERTIES.values(), key=lambda p: p.name)))
    ends = sorted(draw(st.tuples(floats, floats)))
    return PropertyValue(
        property=quantity.name,
        value=draw(st.floats(quantity.low, quantity.high)),
        kind=draw(st.sampled_from(Kind)),
        standard_deviation=draw(st.none() | st.floats(0, 1e300)),
        lower=draw(st.sampled_from([None, ends[0]])),
        upper=draw(st.sampled_from([None, ends[1]])),
        conditions=draw(conditions),
        basis=draw(bases),
        provenance=draw(provenances),
    )


@quick
@given(record=materials())
def test_materials_come_back_as_they_went_in(store, record):
    assert store.add_materials([record]) == 1
    assert store.material(record.material_id, scope=EVERYTHING) == record
    assert list(store.materials(scope=EVERYTHING, composition=record.composition)).count(record) == 1


@quick
@given(value=values(), measured_on=optional_dates, access=accesses)
def test_measurements_come_back_as_they_went_in(store, build, value, measured_on, access):
    name = f"x{next(numbers)}"
    store.add_materials([build.material(name)])
    record = Measurement(
        measurement_id=name, material_id=name, value=value, measured_on=measured_on, access=access
    )
    assert store.add_measurements([record]) == 1
    assert list(store.measurements(scope=EVERYTHING, material_id=name)) == [record]


@quick
@given(value=values(), in_domain=st.booleans(), reason=texts, model_id=texts, access=accesses)
def test_predictions_come_back_as_they_went_in(store, build, *, value, in_domain, reason, model_id, access):
    name = f"x{next(numbers)}"
    store.add_materials([build.material(name)])
    record = Prediction(
        material_id=name, value=value, model_id=model_id, in_domain=in_domain, reason=reason, access=access
    )
    assert store.add_predictions([record]) == 1
    assert list(store.predictions(scope=EVERYTHING, material_id=name)) == [record]


NAIVE = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zones
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(*NAIVE, timezones=zones)


@quick
@given(created_at=instants, manifest=objects, top=st.lists(objects, max_size=3), access=accesses, target=texts)
def test_screens_come_back_as_they_went_in(store, *, created_at, manifest, top, access, target):
    record = Screen(
        screen_id=f"x{next(numbers)}",
        target=target,
        created_at=created_at,
        n_candidates=2**40,
        n_rejected=0,
        manifest=manifest,
        top=tuple(top),
        access=access,
    )
    store.add_screen(record)
    found = store.screen(record.screen_id, scope=EVERYTHING)
    assert found == record
    assert found.created_at.tzinfo is UTC
    store.add_screen(record)  # the same again changes nothing, in whatever time zone it is written
    assert store.screens(scope=EVERYTHING, target=target, limit=1000).count(record) == 1


@pytest.mark.parametrize("extreme", [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 1e22])
def test_extreme_floats_keep_their_last_bit(store, build, extreme):
    store.add_materials([build.material(descriptors={"x": extreme}, structure={"y": [extreme, -extreme]})])
    store.add_predictions([build.prediction(value=build.value(upper=extreme))])
    material = store.material("m1", scope=EVERYTHING)
    (prediction,) = store.predictions(scope=EVERYTHING)
    assert material.descriptors["x"].hex() == extreme.hex()
    assert [number.hex() for number in material.structure["y"]] == [extreme.hex(), (-extreme).hex()]
    assert prediction.value.upper.hex() == extreme.hex()


def test_structure_keeps_the_order_of_its_keys(store, build):
    structure = {"lattice": {"b": 1.0, "a": 2.0}, "@module": "x", "@class": "y"}
    store.add_materials([build.material(structure=structure)])
    found = store.material("m1", scope=EVERYTHING).structure
    assert list(found) == list(structure)
    assert list(found["lattice"]) == ["b", "a"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}, date(2025, 1, 1)], ids=str)
def test_what_is_not_plain_json_is_refused(store, build, bad):
    with pytest.raises(StoreError, match="plain JSON"):
        store.add_materials([build.material(structure={"x": bad})])
    assert store.count_materials(scope=EVERYTHING) == 0


@pytest.mark.parametrize(
    ("row", "record", "elsewhere"),
    [
        (MaterialRow, Material, {"access"}),
        (MeasurementRow, Measurement, {"value", "access"}),
        (PredictionRow, Prediction, {"value", "access"}),
        (ScreenRow, Screen, {"access"}),
    ],
)
def test_every_field_of_a_record_has_its_column(row, record, elsewhere):
    expected = set(record.model_fields) - elsewhere | set(Access.model_fields)
    if "value" in elsewhere:
        expected |= set(PropertyValue.model_fields) - {"conditions", "basis"}
        expected |= set(Conditions.model_fields) | set(Basis.model_fields)
    derived = {"composition", "chemical_system", "unit", "prediction_id", "recorded_at", "retracted_at"}
    assert {column.name for column in row.__table__.columns} - derived == expected - derived


def test_columns_for_other_programs_agree_with_the_records(store, build):
    formula = "Ti0.95Zr0.05Mn1.55V0.45"
    store.add_materials([build.material("m1", formula)])
    store.add_measurements([build.measurement("a")])
    with store.database.engine.connect() as connection:
        row = connection.execute(MaterialRow.__table__.select()).one()
        unit = connection.scalar(MeasurementRow.__table__.select().with_only_columns(MeasurementRow.unit))
    assert row.composition == build.material("m1", formula).composition
    assert row.chemical_system == "-".join(sorted(parse_formula(formula).amounts)) == "Mn-Ti-V-Zr"
    assert unit == "wt%"


def test_a_row_spoilt_by_hand_is_named_not_returned(store, build):
    store.add_materials([build.material()])
    with store.database.engine.begin() as connection:
        connection.execute(MaterialRow.__table__.update().values(formula="Xx2"))
    with pytest.raises(StoreError, match=r"row of materials was changed outside hstore.*unknown element 'Xx'"):
        store.material("m1", scope=EVERYTHING)
