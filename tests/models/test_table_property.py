"""A property of a user's own: what it is learned from, what it answers, and where it says no."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.formula import parse_amounts
from hstore_models.prediction import Query
from hstore_models.spec import Spec
from hstore_models.table_property import fit_table_property
from hstore_models.training_data import TrainingData

PAIRS = [(a, b) for a in ("Ti", "Zr", "La", "Ce", "Mg", "Ca") for b in ("Ni", "Co", "Fe", "Mn", "Cu")]


def spec(**changes):
    target = {
        "features": ["hydride"],
        "columns": ["temperature_k"],
        "learners": [{"kind": "extra_trees", "parameters": {"n_estimators": 30}}, *changes.pop("learners", [])],
        **changes,
    }
    return Spec.model_validate(
        {
            "name": "hardness",
            "kind": "property",
            "summary": "s",
            "unit": "GPa",
            "targets": {"hardness_gpa": target},
        }
    )


@pytest.fixture(scope="module")
def rows():
    """Binary alloys whose hardness falls with the share of the first metal and with temperature."""
    rng = np.random.default_rng(0)
    table = [(a, b, x, t) for a, b in PAIRS for x in (0.2, 0.4, 0.6) for t in (300.0, 600.0)]
    amounts = [parse_amounts(f"{a}{x}{b}{1 - x:g}") for a, b, x, _ in table]
    return pd.DataFrame(
        {
            "formula": [f"{a}{x}{b}{1 - x:g}" for a, b, x, _ in table],
            "amounts": pd.Series(amounts, dtype=object),
            "chemical_system": ["-".join(sorted(row)) for row in amounts],
            "source": "own",
            "temperature_k": [t for *_, t in table],
            "hardness_gpa": [8 - 6 * x - 0.002 * t + rng.normal(0, 0.1) for _, _, x, t in table],
        }
    )


def test_it_learns_from_formula_and_column(rows):
    model = fit_table_property(rows, spec())
    asked = Query.of([parse_amounts("Ti0.4Ni0.6")] * 2, pd.DataFrame({"temperature_k": [300.0, 600.0]}))
    answer = model.predict("hardness_gpa", asked)
    assert answer.mean[0] > answer.mean[1]
    assert answer.mean == pytest.approx([5.0, 4.4], abs=0.3)
    assert np.all(answer.lower < answer.mean)
    assert answer.in_domain.all()


def test_what_it_has_not_seen_is_outside_and_wider(rows):
    model = fit_table_property(rows, spec())
    asked = Query.of(
        [parse_amounts(f) for f in ("Ti0.4Ni0.6", "U0.4Ni0.6", "Ti0.4Ni0.6")],
        pd.DataFrame({"temperature_k": [300.0, 300.0, 3000.0]}),
    )
    answer = model.predict("hardness_gpa", asked)
    assert answer.in_domain.tolist() == [True, False, False]
    assert "U" in answer.reason[1]
    assert "temperature_k 3000 outside 300 to 600" in answer.reason[2]
    assert answer.std[2] > answer.std[0]


def test_held_out_predictions_keep_groups_together_and_name_the_unit(rows):
    model = fit_table_property(rows, spec())
    held_out = model.held_out(TrainingData("hardness", rows, None, {}, 0), group="chemical_system")["hardness_gpa"]
    assert held_out.unit == "GPa"
    assert pd.Series(held_out.folds).groupby(held_out.group).nunique().max() == 1
    score = held_out.score()
    assert score.mae < 0.7 * score.mae_mean_predictor
    assert score.coverage >= 0.85


def test_limits_hold_for_answers_and_intervals(rows):
    model = fit_table_property(rows, spec(low=2.0, high=6.0))
    answer = model.predict("hardness_gpa", Query.of(list(rows["amounts"]), rows))
    assert answer.lower.min() >= 2.0
    assert answer.upper.max() <= 6.0


def test_a_monotonic_column_is_kept_by_boosting(rows):
    boosting = [{"kind": "boosting", "parameters": {"max_iter": 30}}]
    model = fit_table_property(rows, spec(learners=boosting, monotonic={"temperature_k": -1}))
    amounts = [parse_amounts("Zr0.4Fe0.6")] * 20
    features = Query.of(amounts, pd.DataFrame({"temperature_k": np.linspace(250.0, 700.0, 20)}))
    from hstore_models.inputs import assemble

    values = assemble(features, ("hydride",), ("temperature_k",), host=False).values
    name = next(name for name in model.ensemble.learners if name.startswith("boosting"))
    falling = model.ensemble.learners[name].predict(values[:, model.ensemble.columns[name]])[0]
    assert np.all(np.diff(falling) <= 1e-12)


def test_too_few_rows_and_unknown_groups_are_refused_with_the_cause(rows):
    with pytest.raises(InputError, match="9 rows have hardness_gpa; at least 10"):
        fit_table_property(rows.iloc[:9], spec())
    with pytest.raises(InputError, match=r"no column 'chemical_system' to split by.*split\.group"):
        fit_table_property(rows.drop(columns="chemical_system"), spec())
    with pytest.raises(UnknownNameError, match="temperatur"):
        fit_table_property(
            rows, spec(learners=[{"kind": "boosting", "parameters": {"max_iter": 5}}], monotonic={"temperatur": 1})
        )
