"""The test of coverage rejects what it should at the level it states, and groups count once each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from hstore_models.coverage import (
    below_nominal,
    by_family,
    by_range,
    calibration_curve,
    flag_scores,
    parts,
)


def test_rows_are_tested_with_the_binomial_distribution():
    inside = np.array([True] * 80 + [False] * 20)
    of_groups, of_rows = below_nominal(inside, [str(i) for i in range(100)])
    assert of_groups == of_rows == pytest.approx(binom.cdf(80, 100, 0.9))
    assert of_rows < 0.01


def test_one_bad_system_with_many_rows_does_not_reject_alone():
    inside = np.array([True] * 60 + [False] * 20)
    groups = [str(i) for i in range(60)] + ["bad"] * 20
    of_groups, of_rows = below_nominal(inside, groups)
    assert of_rows < 0.01 < of_groups
    assert of_groups == pytest.approx(binom.cdf(60, 61, 0.9))


def test_a_group_counts_by_the_mean_of_its_rows():
    inside = np.array([1.0, 0.0, 1.0, 1.0, 0.5, 0.5])
    of_groups, _ = below_nominal(inside, ["a", "a", "b", "b", "c", "c"])
    assert of_groups == pytest.approx(binom.cdf(2.0, 3, 0.9))  # 0.5 + 1 + 0.5
    assert np.isnan(below_nominal(np.empty(0), [])).all()


def test_calibrated_intervals_are_rejected_no_more_often_than_stated():
    rng = np.random.default_rng(0)
    groups = [str(i) for i in range(50)]
    rejected = [below_nominal(rng.random(50) < 0.9, groups)[0] < 0.01 for _ in range(400)]
    assert np.mean(rejected) <= 0.02


def test_families_are_scored_apart_and_missed_ones_are_named():
    labels = ["AB5"] * 40 + ["MIC"] * 30 + ["Mg"] * 5 + [""] * 3
    inside = np.array([True] * 39 + [False] + [False] * 12 + [True] * 18 + [False] * 5 + [True] * 3)
    error, width = np.arange(78.0), np.full(78, 2.0)
    found = {part.label: part for part in by_family(labels, error, inside, width, [str(i) for i in range(78)])}
    assert list(found) == ["AB5", "MIC", "Mg"]
    assert (found["AB5"].n, found["AB5"].n_groups, found["AB5"].missed) == (40, 40, False)
    assert found["MIC"].missed
    assert found["MIC"].coverage == pytest.approx(0.6)
    assert not found["Mg"].missed, "five rows are too few to judge"
    assert found["AB5"].mae == pytest.approx(19.5)
    assert found["AB5"].as_dict().keys() >= {"n", "mae", "coverage", "p_below_90", "missed"}
    assert "label" not in found["AB5"].as_dict()


def test_fifths_have_equally_many_rows_and_cover_all_values():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    ones = np.ones(200)
    found = by_range(truth, ones, ones, ones, np.arange(200).astype(str))
    assert [part.n for part in found] == [40] * 5
    assert found[0].label.startswith(f"{truth.min():.4g} to")
    repeated = by_range(np.array([0.0] * 90 + [1.0] * 10), ones[:100], ones[:100], ones[:100], ["a"] * 100)
    assert sum(part.n for part in repeated) == 100


def test_calibration_curve_of_normal_errors_is_the_diagonal():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 3.0, 40_000)
    curve = calibration_curve(rng.normal(0, std), np.zeros(40_000), std)
    for level, observed in curve.items():
        assert observed == pytest.approx(float(level), abs=0.01)
    half = calibration_curve(rng.normal(0, std), np.zeros(40_000), std / 2)
    assert half["0.9"] == pytest.approx(2 * norm.cdf(norm.ppf(0.95) / 2) - 1, abs=0.01)


def test_flag_scores_compare_the_errors():
    scores = flag_scores(np.array([1.0, 1.0, 1.0, 4.0]), np.array([True, True, True, False]))
    assert (scores["n_flagged"], scores["share_flagged"], scores["error_ratio"]) == (1, 0.25, 4.0)
    none = flag_scores(np.ones(3), np.ones(3, dtype=bool))
    assert none["n_flagged"] == 0
    assert np.isnan(none["error_ratio"])


def test_shares_of_repeats_count_as_such():
    (part,) = parts(["a"] * 2, np.ones(2), np.array([0.5, 1.0]), np.ones(2), ["x", "y"])
    assert part.coverage == 0.75
