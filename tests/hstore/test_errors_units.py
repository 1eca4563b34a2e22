"""The error tree, constants and conversions, array checks and the property registry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from hstore import errors, units
from hstore.arrays import as_floats, checked
from hstore.errors import HstoreError, InputError, UnknownNameError, unknown_name
from hstore.properties import PROPERTIES, get_property

ERRORS = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, HstoreError)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda c: c.__name__)
def test_every_error_is_in_the_tree_and_explains_itself(error):
    assert issubclass(error, HstoreError)
    assert error.__doc__
    with pytest.raises(HstoreError, match="given, allowed, what to do"):
        raise error("given, allowed, what to do")


def test_errors_can_be_caught_as_the_builtin_they_are():
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.FormulaError, InputError)
    assert issubclass(errors.UnknownNameError, LookupError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.SettingsError, ValueError)
    assert not issubclass(errors.DataError, InputError)


def test_unknown_name_puts_close_matches_first():
    error = unknown_name("target", "onbord", ["onboard", "stationary", "electrolyte"])
    assert str(error).startswith("unknown target 'onbord'; did you mean 'onboard'? known: ")
    assert str(error).endswith("electrolyte, onboard, stationary")


def test_unknown_name_without_a_close_match_lists_all():
    assert str(unknown_name("target", "zzz", {"b", "a"})) == "unknown target 'zzz'; known: a, b"


@pytest.mark.parametrize(
    ("ours", "reference"),
    [
        (units.GAS_CONSTANT_J_PER_MOL_K, constants.R),
        (units.BOLTZMANN_EV_PER_K, constants.k / constants.e),
        (units.AVOGADRO_PER_MOL, constants.N_A),
        (units.BAR_PER_ATM, constants.atm / constants.bar),
        (units.KJ_PER_KCAL, constants.calorie),
        (units.ZERO_CELSIUS_K, constants.zero_Celsius),
        (units.STANDARD_TEMPERATURE_K, constants.zero_Celsius + 25),
    ],
)
def test_constants_are_codata(ours, reference):
    assert ours == pytest.approx(reference, rel=1e-9)


def test_constants_agree_with_each_other():
    joule_per_ev = constants.e
    assert units.BOLTZMANN_EV_PER_K * joule_per_ev * units.AVOGADRO_PER_MOL == pytest.approx(
        units.GAS_CONSTANT_J_PER_MOL_K, rel=1e-9
    )
    assert pytest.approx(2.016, abs=1e-3) == units.H2_MOLAR_MASS_G_PER_MOL


@given(st.floats(-273.15, 5000))
def test_temperatures_round_trip(celsius):
    kelvin = units.kelvin_from_celsius(celsius)
    assert kelvin >= 0
    assert units.celsius_from_kelvin(kelvin) == pytest.approx(celsius, abs=1e-9)


def test_temperature_and_pressure_by_hand():
    assert units.kelvin_from_celsius(25) == units.STANDARD_TEMPERATURE_K
    assert units.celsius_from_kelvin(0) == -273.15
    assert units.bar_from_atm(2) == pytest.approx(2.0265)


def test_checked_returns_doubles_of_the_same_shape():
    assert checked("x", 3).shape == ()
    result = checked("x", [[1, 2], [3, np.nan]], low=0, high=3)
    assert result.dtype == np.float64
    assert result.shape == (2, 2)


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        (-3.0, {"above": 0}, r"pressure_bar must be above 0, got -3; check the value and its unit"),
        (0, {"above": 0}, r"must be above 0, got 0"),
        ([1, 2, -7], {"low": 0}, r"must be at least 0, got -7 \(index 2\)"),
        ([[1, 2], [9, 99]], {"low": 0, "high": 5}, r"at least 0 and at most 5, got 9 \(index 2\)"),
    ],
)
def test_checked_names_the_first_value_out_of_range(values, bounds, message):
    with pytest.raises(InputError, match=message):
        checked("pressure_bar", values, **bounds)


@pytest.mark.parametrize("values", ["a", [1, "b"], [[1], [2, 3]], object()])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(InputError, match="x must be a number or an array of numbers"):
        as_floats("x", values)


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_is_complete(name):
    prop = get_property(name)
    assert prop.name == name
    assert prop.unit
    assert prop.label
    assert prop.description.endswith(".")
    assert prop.low < prop.high


def test_an_unknown_property_lists_the_close_ones():
    with pytest.raises(UnknownNameError, match="did you mean 'h2_capacity_wt_pct'"):
        get_property("h2_capacity_wtpct")


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_accepts_its_range_and_nothing_else(name):
    prop = get_property(name)
    for value in (prop.low, prop.high, (prop.low + prop.high) / 2):
        assert prop.check(value) == value
    for value in (math.nextafter(prop.low, -math.inf), math.nextafter(prop.high, math.inf), math.nan, math.inf):
        with pytest.raises(InputError, match=f"{name} must lie in "):
            prop.check(value)


def test_the_place_of_a_wrong_value_is_named():
    with pytest.raises(InputError, match=r"got -3.0 \(row 17 of a.csv\); check the value and its unit"):
        get_property("h2_capacity_wt_pct").check(-3.0, where="row 17 of a.csv")


def test_units_stand_in_the_names():
    # A column header alone must tell what its numbers mean.
    endings = {
        "wt%": "_wt_pct",
        "g/L": "_g_per_l",
        "bar": "_bar",
        "kJ/mol H2": "_kj_per_mol_h2",
        "J/(mol H2 K)": "_j_per_mol_h2_k",
        "log10(S/cm)": "_s_per_cm",
        "eV": "_ev",
        "eV/atom": "_ev_per_atom",
    }
    for prop in PROPERTIES.values():
        assert prop.name.endswith(endings[prop.unit])
