"""Sorbent model: limits of the isotherm, swings, missing texture."""

import numpy as np
import pandas as pd
import pytest

from hstore_models.prediction import Query
from hstore_models.sorbent import complete_texture, fit_sorbent, pore_features
from hstore_models.training import ensure

MOF_5 = {"gsa_m2_g": 3500.0, "pore_volume_cm3_g": 1.4, "density_g_cm3": 0.6}


@pytest.fixture(scope="module")
def model(trained):
    return ensure("sorbent_uptake", trained).model


def ask(**columns):
    frame = pd.DataFrame(columns)
    return Query.of([{}] * len(frame), frame)


def uptake(model, pressures_bar, temperature_k=77.0, **texture):
    columns = {name: [value] * len(pressures_bar) for name, value in (MOF_5 | texture).items()}
    columns |= {"pressure_bar": pressures_bar, "temperature_k": [temperature_k] * len(pressures_bar)}
    return model.predict("h2_uptake_wt_pct", ask(**columns)).mean


def test_nothing_is_adsorbed_at_zero_pressure(model):
    assert uptake(model, [0.0])[0] == pytest.approx(0.0, abs=1e-9)


def test_uptake_rises_with_pressure_and_falls_with_temperature(model):
    assert np.all(np.diff(uptake(model, [0.1, 1.0, 10.0, 50.0, 100.0])) > 0)
    assert uptake(model, [50.0])[0] > 3 * uptake(model, [50.0], temperature_k=298.0)[0]


def test_mof_5_at_77_k_is_near_the_measured(model):
    """Total uptake of MOF-5 at 77 K and 100 bar is about 10 wt% of sorbent, Kaye et al., 10.1021/ja076877g."""
    assert uptake(model, [100.0])[0] == pytest.approx(10.0, rel=0.35)


def test_usable_capacity_is_the_difference_of_two_states(model):
    columns = {name: [value] for name, value in MOF_5.items()}
    usable = model.predict("usable_capacity_wt_pct", ask(**columns)).mean[0]
    charged, discharged = (100 / (100 / w - 1) for w in uptake(model, [100.0, 5.0]))
    assert usable == pytest.approx(100 * (charged - discharged) / (100 + charged), rel=1e-6)


def test_volumetric_capacity_scales_with_density(model):
    columns = {"gsa_m2_g": [3000.0] * 2, "pore_volume_cm3_g": [1.2] * 2, "density_g_cm3": [0.5, 0.6]}
    light, dense = model.predict("usable_capacity_g_per_l", ask(**columns)).mean
    assert dense / light == pytest.approx(1.2)


def test_missing_texture_answers_nothing_with_the_reason(model):
    answer = model.predict("usable_capacity_g_per_l", ask(gsa_m2_g=[3000.0], pore_volume_cm3_g=[1.2]))
    assert np.isnan(answer.mean[0])
    assert "density_g_cm3 is missing" in answer.reason[0]


def test_texture_follows_from_its_definitions():
    texture = complete_texture(ask(bet_area_m2_g=[2000.0], density_g_cm3=[0.5], void_fraction=[0.8]))
    assert texture["gsa_m2_g"][0] == 2000.0
    assert texture["vsa_m2_cm3"][0] == pytest.approx(1000.0)
    assert texture["pore_volume_cm3_g"][0] == pytest.approx(1.6)


def test_pore_features_are_finite_for_a_nonporous_framework():
    texture = complete_texture(
        ask(
            density_g_cm3=[2.0],
            gsa_m2_g=[0.0],
            vsa_m2_cm3=[0.0],
            void_fraction=[0.0],
            pore_volume_cm3_g=[0.0],
            lcd_A=[2.0],
            pld_A=[1.0],
        )
    )
    assert np.isfinite(pore_features(texture)[0]).all()


def test_simulated_set_takes_over_at_its_swing(trained):
    from hstore_models.training_data import load_training_data

    rng = np.random.default_rng(0)
    n = 120
    density, area = rng.uniform(0.3, 1.5, n), rng.uniform(500, 6000, n)
    simulated = pd.DataFrame(
        {
            "density_g_cm3": density,
            "gsa_m2_g": area,
            "vsa_m2_cm3": density * area,
            "void_fraction": 0.7,
            "pore_volume_cm3_g": 0.7 / density,
            "lcd_A": 12.0,
            "pld_A": 8.0,
            "group": np.arange(n).astype(str),
            "charge_pressure_bar": 100.0,
            "charge_temperature_k": 77.0,
            "discharge_pressure_bar": 5.0,
            "discharge_temperature_k": 77.0,
            "usable_capacity_wt_pct": area / 1000,
            "usable_capacity_g_per_l": 30.0,
            "source": "simulated",
        }
    )
    measured = load_training_data("sorbent_uptake", trained).rows
    model = fit_sorbent(measured, simulated)
    at_swing = model.predict("usable_capacity_wt_pct", ask(**simulated.iloc[:5].to_dict(orient="list")))
    assert at_swing.mean == pytest.approx(area[:5] / 1000, rel=0.25)
    elsewhere = simulated.iloc[:5].assign(discharge_pressure_bar=1.0)
    other = model.predict("usable_capacity_wt_pct", ask(**elsewhere.to_dict(orient="list")))
    assert not np.allclose(other.mean, at_swing.mean, rtol=0.02)
