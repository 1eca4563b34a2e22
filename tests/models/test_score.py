"""Scores of a card survive JSON, and old ones without families stay readable."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from hstore_models.coverage import by_family
from hstore_models.score import Score, family_scores

REQUIRED = {
    "n": 3, "unit": "wt%", "mae": 0.1, "median_error": 0.1, "rmse": 0.2, "r2": None, "spearman": 0.5,
    "mae_mean_predictor": 0.9, "coverage": 0.9, "mean_width": 0.5,
}  # fmt: skip


def test_a_score_without_the_newer_fields_is_complete():
    score = Score(**REQUIRED)
    assert (score.subset, score.split_hash, score.by_family, score.noise_floor_mae) == ("", "", {}, None)


def test_scores_by_family_round_trip():
    ones = np.array([0.12345678, 1.0, 2.0])
    found = family_scores(by_family(["AB5", "AB5", "Mg"], ones, ones > 0, ones, ["x", "y", "z"]))
    assert list(found) == ["AB5", "Mg"]
    assert (found["AB5"].n, found["AB5"].n_groups, found["AB5"].mae) == (2, 2, 0.5617)
    score = Score(**REQUIRED, by_family=found, split_hash="abc", noise_floor_mae=0.05, mae_plain_forest=0.2)
    assert Score.model_validate_json(score.model_dump_json()) == score


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="mea"):
        Score(**REQUIRED, mea=0.1)
