"""Baselines do what they say, on what the model is told and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from hstore.formula import parse_amounts
from hstore_models.baselines import baselines, nearest_neighbour, plain_forest
from hstore_models.prediction import Query


def query(*formulas, **columns):
    amounts = [parse_amounts(name) for name in formulas]
    return Query.of(amounts, pd.DataFrame(columns, index=range(len(amounts))))


ALLOYS = ["LaNi5", "TiFe", "Mg2Ni", "ZrMn2", "CaNi5", "TiCr1.8", "LaNi4.5Al0.5", "TiMn1.5"]


def test_the_neighbour_is_the_nearest_in_standardised_features():
    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=(80, 4)) * [1, 100, 0.01, 1], rng.normal(size=(20, 4)) * [1, 100, 0.01, 1]
    target = rng.normal(size=80)
    scale = rows.std(axis=0)
    expected = target[cdist(asked / scale, rows / scale).argmin(axis=1)]
    np.testing.assert_allclose(nearest_neighbour(rows, target, asked), expected)


def test_equally_near_rows_are_averaged_and_missing_features_are_means():
    rows = np.array([[0.0, 1.0, 7.0], [0.0, 1.0, 7.0], [5.0, np.nan, 7.0], [9.0, 3.0, 7.0]])
    answer = nearest_neighbour(
        rows, np.array([1.0, 3.0, 10.0, 20.0]), np.array([[0.1, 1.0, np.nan], [5.0, 5 / 3, 7.0]])
    )
    np.testing.assert_allclose(answer, [2.0, 10.0])


def test_one_training_row_answers_everything():
    assert nearest_neighbour(np.ones((1, 2)), np.array([4.0]), np.zeros((3, 2))).tolist() == [4.0] * 3


def test_the_forest_learns_and_repeats_itself():
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(200, 3))
    target = rows[:, 0] * 10
    answer = plain_forest(rows, target, rows[:20], seed=1)
    assert np.abs(answer - target[:20]).mean() < 0.1
    np.testing.assert_array_equal(answer, plain_forest(rows, target, rows[:20], seed=1))
    gaps = np.where(rng.uniform(size=rows.shape) < 0.1, np.nan, rows)
    assert np.isfinite(plain_forest(gaps, target, gaps[:5])).all()


@pytest.mark.parametrize("model", ["hydride_capacity", "hydride_thermodynamics"])
def test_a_hydride_is_answered_as_its_host(model):
    target = np.arange(8.0)
    answers = baselines(model, query(*ALLOYS), target, query("LaNi5H6", "Mg2NiH4"))
    np.testing.assert_allclose(answers.nearest_neighbour, [0.0, 2.0])
    np.testing.assert_allclose(answers.plain_forest, [0.0, 2.0], atol=1e-9)
    np.testing.assert_allclose(answers.mean_predictor, 3.5)
    assert list(answers.answers()) == ["mean_predictor", "nearest_neighbour", "plain_forest"]


def test_conductivities_are_asked_at_their_temperature():
    formulas = ["Li7La3Zr2O12", "Li6PS5Cl", "Li10GeP2S12"] * 6
    temperature = np.repeat([300.0, 350.0, 400.0, 450.0, 500.0, 550.0], 3)
    target = -1000.0 / temperature
    trained = query(*formulas, temperature_k=temperature)
    asked = query("Li6PS5Cl", "Li6PS5Cl", temperature_k=[301.0, 549.0])
    answers = baselines("conductivity", trained, target, asked)
    np.testing.assert_allclose(answers.nearest_neighbour, [-1000 / 300, -1000 / 550])
    assert answers.plain_forest[0] < answers.plain_forest[1]
    unstated = baselines("conductivity", query(*formulas), target, query("Li6PS5Cl"))
    assert np.isfinite(unstated.plain_forest).all()


def test_sorbents_are_compared_by_their_pores():
    frame = pd.DataFrame(
        {"gsa_m2_g": [1000.0, 4000.0], "pore_volume_cm3_g": [0.4, 1.9], "density_g_cm3": [1.0, 0.4]}
    )
    trained = Query.of([{}, {}], frame)
    asked = Query.of([{}], frame.iloc[1:] * 0.98)
    answers = baselines("sorbent_uptake", trained, np.array([2.0, 8.0]), asked)
    assert answers.nearest_neighbour.tolist() == [8.0]


def test_without_training_rows_there_is_no_answer():
    answers = baselines("hydride_capacity", query(), np.empty(0), query("LaNi5"))
    assert all(np.isnan(values).all() for values in answers.answers().values())
