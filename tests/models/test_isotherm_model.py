"""Isotherms of named adsorbents: recovery, physics, the population as prior, intervals."""

import numpy as np
import pytest

from hstore.errors import InputError
from hstore_models.isotherm import PARAMETERS, fit_isotherms

KELVIN = (77.0, 120.0, 200.0, 298.0)
BAR = np.geomspace(0.1, 100.0, 7)


def points(n=12, noise=0.01, seed=0):
    """Langmuir isotherms of adsorbents whose saturation and heat differ a little: names, ids, T, p, uptake."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        top, heat = rng.uniform(3, 9), rng.uniform(4, 6)
        for kelvin in KELVIN:
            affinity = np.exp(-4.0 + heat / 0.008314 * (1 / kelvin - 1 / 120.0))
            uptake = top * affinity * BAR / (1 + affinity * BAR) * np.exp(noise * rng.normal(size=len(BAR)))
            rows += [
                (f"a{number:02}", f"a{number:02} {kelvin}", kelvin, p, q) for p, q in zip(BAR, uptake, strict=True)
            ]
    names, ids, kelvin, bar, uptake = zip(*rows, strict=True)
    return np.array(names), np.array(ids), np.array(kelvin), np.array(bar), np.array(uptake)


@pytest.fixture(scope="module")
def fitted():
    return fit_isotherms(*points())


def asked(fitted, name, kelvin, bar):
    kelvin, bar = np.broadcast_arrays(np.asarray(kelvin, dtype=float), np.asarray(bar, dtype=float))
    return fitted.predict([name] * kelvin.size, kelvin.ravel(), bar.ravel())[0]


def test_measured_points_are_met(fitted):
    names, _, kelvin, bar, uptake = points()
    mean, _ = fitted.predict(names, kelvin, bar)
    assert np.mean(np.abs(mean - uptake)) < 0.03 * uptake.mean()


@pytest.mark.parametrize("name", ["a03", "never measured"])
def test_uptake_rises_with_pressure_and_falls_with_temperature(fitted, name):
    assert np.all(np.diff(asked(fitted, name, 77.0, np.geomspace(1e-3, 500, 60))) >= 0)
    assert np.all(np.diff(asked(fitted, name, np.linspace(60, 400, 60), 30.0)) <= 0)
    assert asked(fitted, name, 77.0, 0.0)[0] < 0.02


def test_a_temperature_never_measured_is_predicted():
    names, ids, kelvin, bar, uptake = points()
    out = kelvin == 120.0
    kept = fit_isotherms(names[~out], ids[~out], kelvin[~out], bar[~out], uptake[~out], calibrated=False)
    mean, _ = kept.predict(names[out], kelvin[out], bar[out])
    assert np.mean(np.abs(mean - uptake[out])) < 0.06 * uptake[out].mean()


def test_one_warm_isotherm_is_completed_by_the_population():
    """Three points at 298 K fix neither saturation nor heat; those of the others stand in."""
    names, ids, kelvin, bar, uptake = points()
    poor = (names == "a05") & ~((kelvin == 298.0) & (bar > 5.0))
    model = fit_isotherms(names[~poor], ids[~poor], kelvin[~poor], bar[~poor], uptake[~poor], calibrated=False)
    cold = (names == "a05") & (kelvin == 77.0)
    mean, std = model.predict(names[cold], kelvin[cold], bar[cold])
    assert np.all(np.abs(np.log(mean / uptake[cold])) < np.log(2.5))
    _, well_known = model.predict(np.full(cold.sum(), "a04"), kelvin[cold], bar[cold])
    assert np.all(std > 2 * well_known)


def test_intervals_hold_what_they_promise():
    names, ids, kelvin, bar, uptake = points(n=20, noise=0.05)
    out = np.random.default_rng(1).random(len(names)) < 0.4
    model = fit_isotherms(names[~out], ids[~out], kelvin[~out], bar[~out], uptake[~out])
    lower, upper = model.interval(names[out], kelvin[out], bar[out])
    assert np.mean((uptake[out] >= lower) & (uptake[out] <= upper)) > 0.85
    assert np.all(lower >= 0)


def test_a_slip_of_unit_in_one_isotherm_is_outvoted():
    names, ids, kelvin, bar, uptake = points()
    again = (names == "a02") & (kelvin == 77.0)
    many = [np.concatenate([column, *[column[again]] * 3]) for column in (names, kelvin, bar)]
    repeats = np.concatenate([ids, *[np.array([f"again {i}"] * again.sum()) for i in range(3)]])
    values = np.concatenate([uptake, uptake[again], uptake[again], 10.0 * uptake[again]])
    mean = fit_isotherms(many[0], repeats, many[1], many[2], values, calibrated=False).predict(
        names[again], kelvin[again], bar[again]
    )[0]
    assert np.mean(np.abs(np.log(mean / uptake[again]))) < 0.35


def test_excess_may_fall_with_pressure():
    names, ids, kelvin, bar, uptake = points()
    excess = uptake * (1.0 - 0.004 * bar)
    model = fit_isotherms(names, ids, kelvin, bar, excess, uptake_kind="excess", calibrated=False)
    assert model.constants[:, PARAMETERS.index("gas_term")].min() < 0
    total = fit_isotherms(names, ids, kelvin, bar, excess, uptake_kind="total", calibrated=False)
    assert total.constants[:, PARAMETERS.index("gas_term")].min() >= 0


def test_same_input_same_constants():
    first, second = (fit_isotherms(*points(n=4), calibrated=False) for _ in range(2))
    assert np.array_equal(first.constants, second.constants)


def test_points_without_a_name_each_are_refused():
    names, ids, kelvin, bar, uptake = points(n=2)
    with pytest.raises(InputError, match="one of each for every point"):
        fit_isotherms(names[:-1], ids, kelvin, bar, uptake)


def test_a_negative_pressure_is_refused(fitted):
    with pytest.raises(InputError, match="pressure_bar"):
        asked(fitted, "a01", 77.0, -1.0)
