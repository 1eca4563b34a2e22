"""Figures say what they show: axes with units, rows that are drawn, and the numbers beside them."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from hstore_models.cross_validation import CrossValidation, LearningCurve
from hstore_models.splits import grouped_split

TARGET, UNIT = "desorption_enthalpy_kj_per_mol_h2", "kJ/mol H2"


@pytest.fixture
def judged():
    """Sixty answers with a known error, of two large families and eight small ones."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(20.0, 80.0, 60)
    error = np.tile([1.0, -3.0], 30)
    groups = [f"g{i // 2}" for i in range(60)]
    table = pd.DataFrame(
        {
            "formula": "LaNi5", "group": groups,
            "family": ["AB5"] * 25 + ["AB2"] * 25 + [f"f{i % 8}" for i in range(10)],
            "measured": truth, "predicted": truth + error, "std": 1.5, "lower": truth + error - 2.5,
            "upper": truth + error + 2.5, "in_domain": [True] * 50 + [False] * 10, "mean_predictor": 50.0,
            "nearest_neighbour": truth + 5.0, "plain_forest": truth + 4.0,
        }
    )  # fmt: skip
    split = grouped_split("chemical_system", "60 rows", list(map(str, range(60))), groups)
    return CrossValidation(table.assign(fold=split.folds), TARGET, UNIT, split, pd.DataFrame())


def words(figure):
    """All that is written on a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))


def test_parity_shows_intervals_families_and_scores(judged):
    figure = judged.plot_parity()
    (axes,) = figure.axes
    assert axes.get_xlabel() == f"Desorption enthalpy, measured ({UNIT})"
    assert axes.get_ylabel() == f"Desorption enthalpy, predicted ({UNIT})"
    assert axes.get_xlim() == axes.get_ylim()
    assert sum(len(dots.get_offsets()) for dots in axes.collections if hasattr(dots, "get_sizes")) == 60
    text = words(figure)
    for said in (
        "n 60 in 30 groups",
        "MAE 2 kJ/mol H2",
        "intervals hold 50.0%",
        "AB5 (25)",
        "other (3)",
        "hollow",
    ):
        assert said in text


def test_residuals_show_every_family_with_its_error(judged):
    (axes,) = judged.plot_residuals_by_family().axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == 10
    assert set(labels) >= {"AB5 (25)", "AB2 (25)"}
    assert axes.get_xlabel() == f"predicted - measured ({UNIT})"
    low, high = axes.get_xlim()
    assert -low == pytest.approx(high)
    assert "MAE 2.04, 48% inside" in "\n".join(text.get_text() for text in axes.texts)


def test_calibration_shows_the_curve_and_the_families(judged):
    figure = judged.plot_calibration()
    left, right = figure.axes
    curve = next(line for line in left.lines if line.get_label() == "all rows")
    assert np.allclose(curve.get_ydata(), judged.calibration()["observed"])
    assert "mean width 5 kJ/mol H2" in words(figure)
    assert len(right.get_yticklabels()) == 10
    hollow = [line for line in right.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "white"]
    assert len(hollow) == 8, "too few rows to be judged"


@pytest.mark.parametrize("spread", [0.0, 0.4], ids=["one seed", "three seeds"])
def test_the_learning_curve_stands_beside_the_mean(spread):
    table = pd.DataFrame(
        {
            "share": [0.5, 1.0],
            "n_groups": [10.0, 20.0],
            "n_rows": [30.0, 60.0],
            "mae": [4.0, 3.0],
            "mae_std": spread,
        }
    )
    figure = LearningCurve(table, "hardness_gpa", "", 9.0).plot()
    (axes,) = figure.axes
    assert axes.get_ylabel() == "MAE on unseen groups"
    assert "3\n60 rows" in words(figure)
    assert any(np.allclose(line.get_ydata(), 9.0) for line in axes.lines)
    assert axes.get_ylim()[0] == 0


def test_a_notebook_can_show_and_a_script_can_save(judged, tmp_path):
    figure = judged.plot_parity()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert judged.plot_parity()._repr_png_() == judged.plot_parity()._repr_png_(), "same rows, same bytes"
    figure.savefig(tmp_path / "parity.svg")
    assert (tmp_path / "parity.svg").stat().st_size > 1000
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
