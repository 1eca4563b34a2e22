"""Conductivity model: Arrhenius at every temperature, series count once, known conductors."""

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore.units import BOLTZMANN_EV_PER_K
from hstore_models.conductivity import arrhenius_shift
from hstore_models.prediction import Query
from hstore_models.training import ensure

SIGMA, ENERGY = "log10_conductivity_s_per_cm", "activation_energy_ev"


@pytest.fixture(scope="module")
def model(trained):
    return ensure("conductivity", trained).model


def ask(formula, temperatures_k):
    rows = [parse_amounts(formula)] * len(temperatures_k)
    return Query.of(rows, pd.DataFrame({"temperature_k": temperatures_k}))


def test_predictions_lie_on_one_arrhenius_line(model):
    temperatures_k = np.array([260.0, 298.15, 350.0, 420.0])
    query = ask("Li6.5La3Zr1.5Ta0.5O12", temperatures_k)
    sigma, energy = model.predict(SIGMA, query).mean, model.predict(ENERGY, query).mean
    ln_sigma_t = sigma * np.log(10) + np.log(temperatures_k)
    slopes = np.diff(ln_sigma_t) / np.diff(1 / temperatures_k) * -BOLTZMANN_EV_PER_K
    assert slopes == pytest.approx(energy[:3], rel=1e-9)


def test_shift_vanishes_at_25_degc_and_grows_with_temperature():
    shift, _ = arrhenius_shift(np.full(3, 0.3), np.array([298.15, 350.0, 250.0]))
    assert shift[0] == pytest.approx(0.0)
    assert shift[1] > 0 > shift[2]


def test_interval_is_narrowest_at_25_degc(model):
    answer = model.predict(SIGMA, ask("Li3PS4", [298.15, 500.0]))
    assert answer.std[0] < answer.std[1]


def test_superionic_conductor_beats_insulator(model):
    good, poor = (model.predict(SIGMA, ask(f, [298.15])).mean[0] for f in ("Li6PS5Cl", "LiAlSiO4"))
    assert good > poor + 2


def test_temperature_outside_the_training_range_is_named(model):
    answer = model.predict(SIGMA, ask("Li6PS5Cl", [2500.0]))
    assert not answer.in_domain[0]
    assert "temperature_k 2500 outside" in answer.reason[0]
