"""Isotherm from texture: limits, monotonicity, kinds of uptake, errors on sorbents left out."""

import numpy as np
import pandas as pd
import pytest

from hstore.gas import h2_density_g_per_l
from hstore_data.curated import curated_table
from hstore_models.prediction import Query
from hstore_models.texture_isotherm import (
    REGIMES,
    UptakeErrors,
    complete_texture,
    fit_isotherm,
    gas_density_g_cm3,
    left_out_uptakes,
    regime,
    uptake_errors,
    with_texture,
)


@pytest.fixture(scope="module")
def measured():
    return curated_table("sorbents").frame


@pytest.fixture(scope="module")
def isotherm(measured):
    return fit_isotherm(with_texture(measured))


def uptake(isotherm, kind, area_m2_g=2000.0, pores_cm3_g=1.0, temperature_k=77.0, pressure_bar=1.0):
    columns = np.broadcast_arrays(area_m2_g, pores_cm3_g, temperature_k, pressure_bar)
    area, pores, kelvin, bar = (np.atleast_1d(c).astype(float) for c in columns)
    return isotherm.uptake_g_per_g({"gsa_m2_g": area, "pore_volume_cm3_g": pores}, kelvin, bar, kind)


@pytest.mark.parametrize("kind", ["absolute", "total"])
def test_uptake_rises_with_pressure_and_falls_with_temperature(isotherm, kind):
    assert np.all(np.diff(uptake(isotherm, kind, pressure_bar=np.geomspace(0.01, 300, 40))) > 0)
    assert np.all(np.diff(uptake(isotherm, kind, temperature_k=np.linspace(60, 400, 40), pressure_bar=50.0)) < 0)


def test_excess_is_below_absolute_is_below_total(isotherm):
    excess, absolute, total = (
        uptake(isotherm, kind, pressure_bar=80.0)[0] for kind in ("excess", "absolute", "total")
    )
    assert excess < absolute < total


def test_pores_never_hold_more_than_the_liquid(isotherm):
    assert (
        uptake(isotherm, "total", area_m2_g=6000.0, pores_cm3_g=0.2, pressure_bar=100.0)[0] <= 0.07 * 0.2 + 1e-12
    )


def test_without_pores_nothing_is_held(isotherm):
    assert uptake(isotherm, "total", area_m2_g=0.0, pores_cm3_g=0.0)[0] == 0.0


def test_large_areas_bind_weakly(isotherm):
    """At 77 K and 1 bar uptake per area falls with the area; near saturation it does not."""
    small, large = uptake(isotherm, "absolute", area_m2_g=np.array([1000.0, 4000.0]), pores_cm3_g=3.0)
    assert large < 2 * small
    small, large = uptake(isotherm, "absolute", np.array([1000.0, 4000.0]), 3.0, 77.0, 3000.0)
    assert large > 3 * small


def test_sorbents_left_out_are_predicted_better_than_by_area_alone(measured):
    """Scaling one isotherm by area alone leaves an error of 0.99 wt%."""
    observed, modelled, folds = left_out_uptakes(measured)
    assert np.mean(np.abs(observed - modelled)) < 0.75
    assert len(np.unique(folds)) == 5


def test_errors_are_known_for_every_regime(measured):
    errors = uptake_errors(measured)
    assert set(errors.relative_std) == set(REGIMES)
    assert all(value > 0 for value in errors.relative_std.values())
    assert 0 <= errors.correlation < 1


def test_errors_shared_by_both_states_cancel():
    charged, discharged = np.array([2.0]), np.array([2.0])
    assert UptakeErrors({}, 1.0).of_difference(charged, discharged)[0] == pytest.approx(0.0)
    assert UptakeErrors({}, 0.0).of_difference(charged, discharged)[0] == pytest.approx(np.hypot(2, 2))


def test_regimes():
    names = regime(np.array([77.0, 77.0, 298.0]), np.array([1.0, 50.0, 1.0]))
    assert names == ["cold, low pressure", "cold, high pressure", "warm"]


def test_gas_density_is_that_of_the_equation_of_state():
    found = gas_density_g_cm3(np.array([0.0, 100.0, 100.0]), np.array([77.0, 77.0, 298.0]))
    assert found == pytest.approx([0.0, *(np.asarray(h2_density_g_per_l(100.0, [77.0, 298.0])) / 1000)])


def test_texture_follows_from_its_definitions():
    frame = pd.DataFrame({"bet_area_m2_g": [2000.0], "density_g_cm3": [0.5], "void_fraction": [0.8]})
    texture = complete_texture(Query.of([{}], frame))
    assert texture["gsa_m2_g"][0] == 2000.0
    assert texture["vsa_m2_cm3"][0] == pytest.approx(1000.0)
    assert texture["pore_volume_cm3_g"][0] == pytest.approx(1.6)
