"""The records: round trips through JSON, immutability, validation and visibility."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hstore import records
from hstore.properties import PROPERTIES
from hstore.records import (
    PUBLIC_SCOPE,
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

words = st.text(min_size=1, max_size=20)
optional_words = st.none() | words
days = st.dates(date(1990, 1, 1), date(2090, 1, 1))
formulas = st.sampled_from(["LaNi5", "Ti0.95Zr0.05Mn1.55V0.45", "Ca(BH4)2", "Hf2Cu (M)", "MgH2"])

accesses = st.one_of(
    st.just(Access()),
    st.builds(Access, lab_id=words, visibility=st.just(Visibility.LAB), embargo_until=st.none() | days),
)
provenances = st.builds(
    Provenance,
    source=words,
    reference=optional_words,
    licence=optional_words,
    retrieved=st.none() | days,
    note=optional_words,
)
conditions = st.builds(
    Conditions,
    temperature_k=st.none() | st.floats(1, 5000),
    pressure_bar=st.none() | st.floats(0, 1e7),
    charge_pressure_bar=st.none() | st.floats(0, 1e7),
    discharge_temperature_k=st.none() | st.floats(1, 5000),
)
bases = st.builds(
    Basis,
    capacity_definition=st.sampled_from([None, "maximum", "reversible", "usable"]),
    mass_basis=st.sampled_from([None, "hydrogenated_material", "host", "sorbent", "sorbent_plus_h2"]),
    uptake_kind=st.sampled_from([None, "excess", "absolute", "total"]),
)


@st.composite
def property_values(draw):
    prop = PROPERTIES[draw(st.sampled_from(sorted(PROPERTIES)))]
    ends = draw(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2).map(sorted))
    return PropertyValue(
        property=prop.name,
        value=draw(st.floats(prop.low, prop.high)),
        kind=draw(st.sampled_from(Kind)),
        standard_deviation=draw(st.none() | st.floats(0, 1e6)),
        lower=draw(st.none() | st.just(ends[0])),
        upper=draw(st.none() | st.just(ends[1])),
        conditions=draw(conditions),
        basis=draw(bases),
        provenance=draw(provenances),
    )


materials = st.builds(
    Material,
    material_id=words,
    formula=formulas,
    family=st.sampled_from(Family),
    structure=st.none() | st.just({"lattice": {"a": 4.5}, "sites": []}),
    descriptors=st.dictionaries(words, st.floats(-1e9, 1e9), max_size=3),
    known=st.booleans(),
    reason=st.text(max_size=20),
    provenance=provenances,
    access=accesses,
)
measurements = st.builds(
    Measurement,
    measurement_id=words,
    material_id=words,
    value=property_values(),
    measured_on=st.none() | days,
    replaces=optional_words,
    access=accesses,
)
predictions = st.builds(
    Prediction,
    material_id=words,
    value=property_values(),
    model_id=words,
    in_domain=st.booleans(),
    reason=st.text(max_size=20),
    access=accesses,
)
screens = st.builds(
    Screen,
    screen_id=words,
    target=words,
    created_at=st.datetimes(timezones=st.just(UTC)),
    n_candidates=st.integers(0, 10**9),
    n_rejected=st.integers(0, 10**9),
    manifest=st.dictionaries(words, st.integers() | words, max_size=3),
    top=st.lists(st.dictionaries(words, st.floats(-1e6, 1e6), max_size=2), max_size=2).map(tuple),
    access=accesses,
)

SOURCE = Provenance(source="test")


def value(**changes):
    given_values = {
        "property": "h2_capacity_wt_pct",
        "value": 1.4,
        "kind": "measured",
        "provenance": SOURCE,
    }
    return PropertyValue(**(given_values | changes))


@given(
    st.one_of(
        materials, measurements, predictions, screens, accesses, provenances, conditions, bases, property_values()
    )
)
def test_every_record_survives_json(record):
    text = record.model_dump_json()
    again = type(record).model_validate_json(text)
    assert again == record
    assert again.model_dump_json() == text


@given(st.one_of(materials, measurements, predictions))
def test_every_record_survives_python_dictionaries(record):
    assert type(record).model_validate(record.model_dump()) == record


@pytest.mark.parametrize(
    "model",
    [m for m in vars(records).values() if isinstance(m, type) and issubclass(m, records._Record)],
    ids=lambda m: m.__name__,
)
def test_every_field_of_every_record_is_described(model):
    assert model.__doc__ or model is records._Record
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"


def test_records_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        value().value = 2.0


def test_a_misspelt_field_is_refused():
    with pytest.raises(ValidationError, match="temperature_K"):
        Conditions(temperature_K=300)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 92.1}, r"h2_capacity_wt_pct must lie in \[0, 25\] wt%, got 92.1"),
        ({"value": float("nan")}, "finite number"),
        ({"value": float("inf")}, "finite number"),
        ({"property": "h2_capacity"}, "unknown property 'h2_capacity'; did you mean"),
        ({"kind": "guessed"}, "'measured', 'computed' or 'predicted'"),
        ({"standard_deviation": -1}, "greater than or equal to 0"),
        ({"lower": 2, "upper": 1}, r"lower \(2.0\) must not exceed upper \(1.0\)"),
    ],
)
def test_unbelievable_values_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        value(**changes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature_k": 0},
        {"temperature_k": -5},
        {"temperature_k": 6000},
        {"pressure_bar": -1},
        {"charge_pressure_bar": 2e7},
        {"temperature_k": float("nan")},
    ],
)
def test_impossible_conditions_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Conditions(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"capacity_definition": "max"}, {"mass_basis": "alloy"}, {"uptake_kind": "Excess"}]
)
def test_unknown_definitions_are_refused(wrong):
    with pytest.raises(ValidationError, match="pattern"):
        Basis(**wrong)


def test_a_material_needs_a_readable_formula():
    with pytest.raises(ValidationError, match="unknown element 'Xx'"):
        Material(material_id="1", formula="Xx2", family="ionic", provenance=SOURCE)


def test_the_unit_of_a_value_is_that_of_its_property():
    assert value().unit == "wt%"
    assert value(property="plateau_pressure_bar", value=2).unit == "bar"


def test_equal_compositions_are_recognised_whatever_the_spelling():
    spellings = ("Ni5La", "LaNi5", "La2Ni10", "La0.2Ni", "LaNi5 (M)")
    made = {
        Material(material_id=s, formula=s, family="interstitial", provenance=SOURCE).composition for s in spellings
    }
    assert made == {"LaNi5"}


def test_a_screen_needs_a_time_zone():
    common = {"screen_id": "s", "target": "onboard", "n_candidates": 1, "n_rejected": 0, "manifest": {}}
    with pytest.raises(ValidationError, match="timezone"):
        Screen(created_at=datetime(2026, 1, 1), **common)  # noqa: DTZ001 - this is what is refused
    with pytest.raises(ValidationError, match="n_rejected"):
        Screen(created_at=datetime.now(UTC), **(common | {"n_rejected": -1}))


def test_a_lab_record_names_its_lab():
    with pytest.raises(ValidationError, match="must name its lab_id"):
        Access(visibility="lab")


TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("scope", "access", "seen"),
    [
        pytest.param(PUBLIC_SCOPE, Access(), True, id="public to all"),
        pytest.param(Scope(lab_id="a"), Access(lab_id="b"), True, id="public record of another lab"),
        pytest.param(PUBLIC_SCOPE, Access(lab_id="a", visibility="lab"), False, id="lab record to nobody else"),
        pytest.param(Scope(lab_id="a"), Access(lab_id="a", visibility="lab"), True, id="own record"),
        pytest.param(Scope(lab_id="b"), Access(lab_id="a", visibility="lab"), False, id="other lab"),
        pytest.param(Scope(everything=True), Access(lab_id="a", visibility="lab"), True, id="operator"),
        pytest.param(
            Scope(today=TODAY),
            Access(lab_id="a", visibility="lab", embargo_until=TODAY + timedelta(days=1)),
            False,
            id="the day before the embargo ends",
        ),
        pytest.param(
            Scope(today=TODAY),
            Access(lab_id="a", visibility="lab", embargo_until=TODAY),
            True,
            id="the day the embargo ends",
        ),
    ],
)
def test_who_may_see_what(scope, access, seen):
    assert scope.allows(access) is seen


@given(accesses, st.none() | words, days)
def test_the_operator_sees_whatever_anybody_sees_and_labs_see_whatever_the_public_sees(access, lab, today):
    public = Scope(today=today).allows(access)
    own = Scope(lab_id=lab, today=today).allows(access)
    assert public <= own <= Scope(everything=True, today=today).allows(access)
