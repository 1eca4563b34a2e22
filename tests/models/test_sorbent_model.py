"""Sorbent model: which knowledge answers which row, swings, missing texture."""

import numpy as np
import pandas as pd
import pytest

from hstore_data.curated import curated_table
from hstore_models.prediction import Query
from hstore_models.sorbent import UPTAKE, adsorbent_keys, fit_sorbent
from hstore_models.spec import shipped_spec
from hstore_models.swing import GRAVIMETRIC, VOLUMETRIC
from hstore_models.training_data import TrainingData

MOF_5 = {"gsa_m2_g": 3500.0, "pore_volume_cm3_g": 1.4, "density_g_cm3": 0.6}
FRAMEWORKS = 120


@pytest.fixture(scope="module")
def measured():
    return curated_table("sorbents").frame.assign(source="sorbents")


@pytest.fixture(scope="module")
def model(measured):
    return fit_sorbent(measured)


@pytest.fixture(scope="module")
def spec():
    """Return the shipped spec with few trees."""
    shipped = shipped_spec("sorbent_uptake")
    few = {
        name: target.model_copy(
            update={
                "learners": tuple(
                    part.model_copy(update={"parameters": {"n_estimators": 20}})
                    for part in target.learners
                    if part.kind == "extra_trees"
                )
            }
        )
        for name, target in shipped.targets.items()
    }
    return shipped.model_copy(update={"targets": few})


@pytest.fixture(scope="module")
def simulated():
    """Frameworks whose volumetric capacity is set by their surface alone."""
    rng = np.random.default_rng(0)
    density, area = rng.uniform(0.3, 1.5, FRAMEWORKS), rng.uniform(500, 6000, FRAMEWORKS)
    delivered = 0.01 + area / 1e5
    factor = (1.02 + delivered) * 1.02
    return pd.DataFrame(
        {
            "density_g_cm3": density,
            "gsa_m2_g": area,
            "vsa_m2_cm3": density * area,
            "void_fraction": 0.7,
            "pore_volume_cm3_g": 0.7 / density,
            "lcd_A": 12.0,
            "pld_A": 8.0,
            "core_mof_2019_asr": [f"MOF{i}" for i in range(FRAMEWORKS)],
            "group": np.arange(FRAMEWORKS).astype(str),
            "charge_pressure_bar": 100.0,
            "charge_temperature_k": 77.0,
            "discharge_pressure_bar": 5.0,
            "discharge_temperature_k": 77.0,
            GRAVIMETRIC: 100 * delivered / factor,
            VOLUMETRIC: 1000 * density * delivered,
            "source": "simulated",
        }
    )


@pytest.fixture(scope="module")
def at_swing(measured, simulated, spec):
    return fit_sorbent(measured, simulated, spec=spec)


@pytest.fixture(scope="module")
def points():
    """Isotherms of one adsorbent at 77 K and of another at 298 K, Langmuir."""
    pressures = np.geomspace(0.1, 80.0, 8)
    tables = [
        {
            "name": name,
            "isotherm_id": f"{name} {number}",
            "temperature_k": kelvin,
            "pressure_bar": pressures,
            UPTAKE: top * pressures / (pressures + half) * (1 + 0.02 * number),
            "suspect": False,
        }
        for name, kelvin, top, half in (("MOF-X", 77.0, 6.0, 2.0), ("Carbon-Y", 298.0, 2.0, 200.0))
        for number in range(3)
    ]
    return pd.concat([pd.DataFrame(table) for table in tables], ignore_index=True)


def ask(**columns):
    frame = pd.DataFrame(columns)
    return Query.of([{}] * len(frame), frame)


def uptake(model, pressures_bar, temperature_k=77.0, **texture):
    columns = {name: [value] * len(pressures_bar) for name, value in (MOF_5 | texture).items()}
    columns |= {"pressure_bar": pressures_bar, "temperature_k": [temperature_k] * len(pressures_bar)}
    return model.predict(UPTAKE, ask(**columns)).mean


def test_nothing_is_adsorbed_at_zero_pressure(model):
    assert uptake(model, [0.0])[0] == pytest.approx(0.0, abs=1e-9)


def test_uptake_rises_with_pressure_and_falls_with_temperature(model):
    assert np.all(np.diff(uptake(model, [0.1, 1.0, 10.0, 50.0, 100.0])) > 0)
    assert uptake(model, [50.0])[0] > 3 * uptake(model, [50.0], temperature_k=298.0)[0]


def test_mof_5_at_77_k_is_near_the_measured(model):
    """Total uptake of MOF-5 at 77 K and 100 bar is about 10 wt% of sorbent, Kaye et al., 10.1021/ja076877g."""
    assert uptake(model, [100.0])[0] == pytest.approx(10.0, rel=0.35)


def test_usable_capacity_is_the_difference_of_two_states(model):
    """As in hstore.sorption: each state per its own mass of sorbent and hydrogen."""
    usable = model.predict(GRAVIMETRIC, ask(**{name: [value] for name, value in MOF_5.items()})).mean[0]
    charged, discharged = uptake(model, [100.0, 5.0])
    assert usable == pytest.approx(charged - discharged, rel=1e-6)


def test_a_swing_is_less_certain_than_correlated_errors_of_its_states_add_up_to(model):
    columns = {name: [value] for name, value in MOF_5.items()}
    state = {"temperature_k": [77.0], "pressure_bar": [100.0]}
    single = model.predict(UPTAKE, ask(**columns, **state)).std[0]
    other = model.predict(UPTAKE, ask(**columns, **(state | {"pressure_bar": [5.0]}))).std[0]
    swing = model.predict(GRAVIMETRIC, ask(**columns)).std[0]
    assert abs(single - other) <= swing < np.hypot(single, other)


def test_volumetric_capacity_scales_with_density(model):
    columns = {"gsa_m2_g": [3000.0] * 2, "pore_volume_cm3_g": [1.2] * 2, "density_g_cm3": [0.5, 0.6]}
    light, dense = model.predict(VOLUMETRIC, ask(**columns)).mean
    assert dense / light == pytest.approx(1.2)


def test_missing_texture_answers_nothing_with_the_reason(model):
    answer = model.predict(VOLUMETRIC, ask(gsa_m2_g=[3000.0], pore_volume_cm3_g=[1.2]))
    assert np.isnan(answer.mean[0])
    assert "density_g_cm3 is missing" in answer.reason[0]


@pytest.mark.parametrize("name", [GRAVIMETRIC, VOLUMETRIC])
def test_simulated_set_takes_over_at_its_swing(at_swing, simulated, name):
    rows = simulated.iloc[:5]
    answer = at_swing.predict(name, ask(**rows.to_dict(orient="list")))
    assert answer.mean == pytest.approx(rows[name].to_numpy(), rel=0.25)
    elsewhere = rows.assign(discharge_pressure_bar=1.0)
    other = at_swing.predict(name, ask(**elsewhere.to_dict(orient="list")))
    assert not np.allclose(other.mean, answer.mean, rtol=0.02)


def test_both_capacities_of_a_swing_agree(at_swing, simulated):
    """Their ratio is the mass factor over 10 and the density, which is at least 1."""
    query = ask(**simulated.to_dict(orient="list"))
    light, wide = (at_swing.predict(name, query).mean for name in (GRAVIMETRIC, VOLUMETRIC))
    factor = wide / (10 * simulated["density_g_cm3"].to_numpy() * light)
    assert np.all((factor >= 1.0) & (factor < 1.25))


def test_held_out_scores_cover_every_property(at_swing, measured, simulated):
    found = at_swing.held_out(TrainingData("sorbent_uptake", measured, simulated, {}, 0), group="group")
    assert set(found) == set(at_swing.properties)
    assert len(found[VOLUMETRIC].truth) == FRAMEWORKS
    of_volume = found[VOLUMETRIC]
    assert np.mean((of_volume.truth > of_volume.lower) & (of_volume.truth < of_volume.upper)) > 0.85


def test_held_out_without_a_simulated_set_is_of_uptakes_alone(model, measured):
    found = model.held_out(TrainingData("sorbent_uptake", measured, None, {}, 0), group="group")
    assert list(found) == [UPTAKE]
    assert found[UPTAKE].score().mae < 0.85


def test_an_adsorbent_with_isotherms_is_answered_from_them(measured, points):
    named = fit_sorbent(measured, isotherms=points)
    state = {"temperature_k": [77.0] * 2, "pressure_bar": [2.0] * 2}
    answer = named.predict(UPTAKE, ask(name=[" mof-x ", "unheard of"], **state))
    assert answer.mean[0] == pytest.approx(100 * 0.0306 / 1.0306, rel=0.1)
    assert answer.lower[0] < answer.mean[0] < answer.upper[0]
    assert answer.in_domain[0]
    assert np.isnan(answer.mean[1])


def test_suspect_points_are_left_out(measured, points):
    absurd = points.assign(**{UPTAKE: 500.0, "suspect": True, "isotherm_id": "absurd"})
    query = ask(name=["MOF-X"], temperature_k=[77.0], pressure_bar=[2.0])
    clean, marked = (
        fit_sorbent(measured, isotherms=table).predict(UPTAKE, query).mean[0]
        for table in (points, pd.concat([points, absurd], ignore_index=True))
    )
    assert marked == pytest.approx(clean)


def test_names_are_compared_without_case_and_outer_spaces():
    assert list(adsorbent_keys(pd.Series([" MOF-5", None]))) == ["mof-5", ""]
