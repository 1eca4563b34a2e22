"""The regressor keeps scikit-learn's conventions, answers like the model of its spec, and is judged honestly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

import hstore_models
from hstore.errors import InputError, LeakError, UnknownNameError
from hstore.formula import parse_amounts
from hstore_models import Learner, PropertyRegressor, cross_validate, learning_curve_of
from hstore_models.prediction import Query
from hstore_models.spec import Spec, shipped_spec
from hstore_models.table_property import fit_table_property

TREES = (Learner("extra_trees", {"n_estimators": 20}),)


@pytest.fixture(scope="module")
def table():
    """Alloys of two metals with a property that follows from the composition and a temperature."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{a}{b}{n}", n, rng.uniform(280, 320))
        for a in ("Ti", "Zr", "Mg", "La")
        for b in ("Ni", "Fe", "Cu", "Mn")
        for n in (1, 2, 3)
    ]
    frame = pd.DataFrame(rows, columns=["formula", "n", "temperature_k"])
    heavy = frame["formula"].str.contains("La").astype(float)
    return frame.assign(
        hardness_gpa=10.0 + 4.0 * heavy - 2.0 * frame["n"] + 0.05 * (frame["temperature_k"] - 300.0)
    )


@pytest.fixture(scope="module")
def regressor():
    return PropertyRegressor(
        features=("magpie",), columns=("temperature_k",), learners=TREES, n_folds=3, unit="GPa", seed=1
    )


@pytest.fixture(scope="module")
def fitted(table, regressor):
    return clone(regressor).fit(table, table["hardness_gpa"])


@pytest.fixture(scope="module")
def judged(table, regressor):
    return cross_validate(regressor, table, table["hardness_gpa"], n_folds=3)


def test_parameters_are_got_set_and_cloned(regressor):
    assert isinstance(regressor, BaseEstimator)
    assert is_regressor(regressor)
    assert get_tags(regressor).input_tags.string
    copy = clone(regressor).set_params(n_folds=4, transform="sqrt")
    assert (copy.n_folds, copy.transform) == (4, "sqrt")
    assert {**regressor.get_params(), "n_folds": 4, "transform": "sqrt"} == copy.get_params()
    assert set(regressor.get_params()) == set(vars(PropertyRegressor()))
    with pytest.raises(ValueError, match="Invalid parameter"):
        copy.set_params(folds=3)


def test_it_answers_like_the_model_of_its_spec(table, fitted):
    rows = table.assign(
        amounts=[parse_amounts(text) for text in table["formula"]],
        group=["-".join(sorted(parse_amounts(text))) for text in table["formula"]],
    )
    model = fit_table_property(rows, fitted.spec_, seed=1)
    answers = model.predict("hardness_gpa", Query.of(rows["amounts"], rows[["temperature_k"]]))
    mean, std = fitted.predict(table, return_std=True)
    assert np.array_equal(mean, answers.mean)
    assert np.array_equal(std, answers.std)
    assert np.array_equal(fitted.predict_interval(table), np.column_stack([answers.lower, answers.upper]))


def test_what_a_fit_leaves_behind(table, fitted):
    assert fitted.n_features_in_ == 4
    assert list(fitted.feature_names_in_) == list(table.columns)
    assert fitted.descriptor_names_[-1] == "temperature_k"
    assert len(fitted.descriptor_names_) == 133
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert len(fitted.ensemble_.oof_mean) == len(table)
    assert fitted.domain_.element_rows["La"] == 12
    assert fitted.score(table, table["hardness_gpa"]) > 0.8
    assert fitted.model_.target == "hardness_gpa", "the name of the Series is that of the property"


def test_fitting_twice_gives_the_same(table, regressor, fitted):
    again = clone(regressor).fit(table, table["hardness_gpa"])
    assert np.array_equal(again.predict(table), fitted.predict(table))


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        pd.Series,
        lambda x: np.array(x, dtype=object)[:, None],
        lambda x: pd.DataFrame({"formula": x}),
    ],
    ids=["list", "array", "series", "column", "frame"],
)
def test_formulas_come_in_any_form(table, make):
    regressor = PropertyRegressor(("magpie",), learners=TREES, n_folds=2)
    values = table["hardness_gpa"].to_numpy()
    known = regressor.fit(list(table["formula"]), values).predict(["TiNi2", "LaFe"])
    assert np.array_equal(
        regressor.fit(make(list(table["formula"])), values).predict(make(["TiNi2", "LaFe"])), known
    )
    assert regressor.n_features_in_ == 1
    assert regressor.model_.target == "value"


def test_a_table_of_answers_goes_on_past_what_cannot_be_read(fitted):
    asked = pd.DataFrame(
        {"formula": ["TiNi2", "no formula", "UAu"], "temperature_k": [300.0, 300.0, 900.0]}, list("abc")
    )
    table = fitted.predict_table(asked)
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == ["mean", "std", "lower", "upper", "in_domain", "reason"]
    assert table["in_domain"].tolist() == [True, False, False]
    assert table.loc["b", "reason"].startswith("rejected: ")
    assert np.isnan(table.loc["b", "mean"])
    assert "no training material contains U, Au" in table.loc["c", "reason"]
    assert "temperature_k 900 outside" in table.loc["c", "reason"]
    assert table.loc["c", "std"] > 0
    with pytest.raises(InputError, match=r"1 of 3 formulas cannot be read \(row 2"):
        fitted.predict(asked)


def test_it_works_inside_a_pipeline_and_a_grid(table):
    tidy = FunctionTransformer(lambda frame: frame.assign(formula=frame["formula"].str.strip()))
    pipeline = Pipeline([("tidy", tidy), ("learn", PropertyRegressor(("magpie",), learners=TREES, n_folds=2))])
    search = GridSearchCV(
        pipeline,
        {"learn__transform": ["none", "log"], "learn__learners": [TREES]},
        cv=GroupKFold(2), scoring="neg_mean_absolute_error",
    )  # fmt: skip
    systems = table["formula"].str.replace(r"\d", "", regex=True)
    search.fit(table, table["hardness_gpa"], groups=systems)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(table).shape == (len(table),)
    scores = cross_val_score(pipeline, table, table["hardness_gpa"], cv=GroupKFold(2), groups=systems)
    assert scores.shape == (2,)


def test_groups_are_never_on_both_sides(table, regressor):
    groups = table["formula"].str[:2]
    folds = clone(regressor).fit(table, table["hardness_gpa"], groups=groups).ensemble_.folds
    assert all(len(set(folds[groups == name])) == 1 for name in set(groups))
    own = clone(regressor).fit(table, table["hardness_gpa"]).ensemble_.folds
    systems = table["formula"].str.replace(r"\d", "", regex=True)
    assert all(len(set(own[systems == name])) == 1 for name in set(systems)), "chemical systems by default"


def test_rows_without_weight_are_left_out(table, regressor):
    weights = np.where(table["formula"].str.contains("La"), 0.0, 2.0)
    without = clone(regressor).fit(table, table["hardness_gpa"], sample_weight=weights)
    assert "La" not in without.domain_.element_rows
    with pytest.raises(InputError, match="sample_weight must not be negative, got -1"):
        clone(regressor).fit(table, table["hardness_gpa"], sample_weight=weights - 1.0)


def test_limits_bound_answers_and_intervals(table):
    regressor = PropertyRegressor(("magpie",), learners=TREES, n_folds=2, low=6.0, high=9.0)
    answers = regressor.fit(table, table["hardness_gpa"]).predict_table(table)
    assert answers["lower"].min() >= 6.0
    assert answers["upper"].max() <= 9.0


def test_a_monotonic_column_is_kept_by_boosting(table):
    regressor = PropertyRegressor(
        ("magpie",), ("temperature_k",), ("boosting",), n_folds=2, monotonic={"temperature_k": 1}
    )  # fmt: skip
    regressor.fit(table, table["hardness_gpa"])
    asked = pd.DataFrame({"formula": "TiNi", "temperature_k": np.linspace(280, 320, 30)})
    assert (np.diff(regressor.predict(asked)) >= 0).all()


def test_features_of_the_host_take_alloy_and_hydride_for_one(table):
    regressor = PropertyRegressor(("magpie",), learners=TREES, n_folds=2, host=True)
    low, high = regressor.fit(table, table["hardness_gpa"]).predict(["LaNi2", "LaNi2H4"])
    assert low == high


def test_estimators_by_import_path_learn_too(table):
    regressor = PropertyRegressor(("magpie",), learners=("sklearn.neighbors.KNeighborsRegressor",), n_folds=2)
    assert np.isfinite(regressor.fit(table, table["hardness_gpa"]).predict(table)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": ("magpy",)}, "magpie"),
        ({"learners": ("extra_tree",)}, "extra_tree.*use one of"),
        ({"learners": ()}, "learners"),
        ({"learners": (BaseEstimator(),)}, r"a learner is named.*Learner\("),
        ({"transform": "cube"}, "cube"),
        ({"low": 3.0, "high": 1.0}, "low must be below high"),
        ({"n_folds": 1}, "n_folds"),
        ({"monotonic": {"temperature_k": 1}}, "boosting"),
        ({"columns": ("pressure",)}, "no column pressure"),
        ({"target": "weight"}, "weight cannot be the name"),
        ({"target": "temperature_k"}, "temperature_k cannot be the name"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_parameters_that_are_not_allowed_are_named_at_the_fit(table, regressor, change, words):
    with pytest.raises(InputError, match=words):
        clone(regressor).set_params(**change).fit(table, table["hardness_gpa"])


@pytest.mark.parametrize(
    ("materials", "values", "words"),
    [
        ("TiNi", [1.0], "got the text 'TiNi'"),
        (["TiNi", "?"], [1.0, 2.0], "1 of 2 formulas cannot be read"),
        (["TiNi", None], [1.0, 2.0], "1 of 2 formulas cannot be read"),
        (["TiNi", "TiFe"], [1.0], "one number for each of 2 rows"),
        (["TiNi", "TiFe"], [1.0, np.nan], "must be finite, got nan in row 2"),
        (["TiNi", "TiFe"], [1.0, "many"], "must be numbers"),
        (["TiNi", "TiFe"], [1.0, 2.0], "2 rows have value; at least 10"),
        (np.zeros((3, 2)), [1.0], r"got \(3, 2\)"),
        (pd.DataFrame({"name": ["TiNi"]}), [1.0], "no column 'formula' among name"),
    ],
)
def test_input_that_cannot_be_used_is_named(materials, values, words):
    with pytest.raises(InputError, match=words):
        PropertyRegressor(("magpie",), learners=TREES).fit(materials, values)


def test_words_in_a_column_of_numbers_are_named(table, regressor):
    wrong = table.assign(temperature_k=table["temperature_k"].astype(object).where(table["n"] < 3, "warm"))
    with pytest.raises(InputError, match="column temperature_k must hold numbers, got 'warm' in row 3"):
        clone(regressor).fit(wrong, table["hardness_gpa"])


def test_asking_before_fitting_is_refused(regressor):
    with pytest.raises(NotFittedError):
        clone(regressor).predict(["TiNi"])
    assert not hasattr(clone(regressor), "feature_names_in_")


def test_a_spec_becomes_a_regressor(tmp_path):
    path = tmp_path / "hardness.toml"
    path.write_text(
        """
name = "hardness"
kind = "property"
summary = "Hardness of alloys."
unit = "GPa"
split = { n_folds = 3 }

[targets.hardness_gpa]
features = ["magpie"]
columns = ["temperature_k"]
host = true
low = 0.0
learners = [{ kind = "extra_trees", parameters = { n_estimators = 20 } }, { kind = "boosting" }]
monotonic = { temperature_k = 1 }
""",
        encoding="utf-8",
    )
    regressor = PropertyRegressor.from_spec(path, seed=5)
    assert regressor.get_params() == {
        "features": ("magpie",), "columns": ("temperature_k",), "transform": "none", "low": 0.0, "high": None,
        "learners": (Learner("extra_trees", {"n_estimators": 20}), Learner("boosting")), "host": True,
        "n_folds": 3, "monotonic": {"temperature_k": 1}, "target": "hardness_gpa", "unit": "GPa", "seed": 5,
    }  # fmt: skip
    assert PropertyRegressor.from_spec(Spec.model_validate(regressor.spec_for())).get_params() | {"seed": 5} == (
        regressor.get_params()
    ), "and back"


def test_specs_that_ship_become_regressors_where_formulas_suffice():
    regressor = PropertyRegressor.from_spec("hydride_thermodynamics", target="desorption_enthalpy_kj_per_mol_h2")
    assert regressor.host
    assert regressor.low == shipped_spec("hydride_thermodynamics").targets[regressor.target].low
    with pytest.raises(UnknownNameError, match="enthalpy"):
        PropertyRegressor.from_spec("hydride_thermodynamics", target="enthalpy")
    with pytest.raises(InputError, match=r"learns .* from lattice, which formulas do not tell"):
        PropertyRegressor.from_spec("conductivity", target="log10_conductivity_s_per_cm")
    with pytest.raises(InputError, match="is not a file"):
        PropertyRegressor.from_spec("nothing.toml")


def test_a_cross_validation_holds_out_whole_groups(table, judged):
    rows = judged.table
    assert list(rows["formula"]) == list(table["formula"])
    assert np.array_equal(rows["measured"], table["hardness_gpa"])
    assert rows.groupby("group")["fold"].nunique().max() == 1
    assert rows["fold"].nunique() == 3
    assert not rows.isna().any(axis=None)
    assert ((rows["lower"] <= rows["predicted"]) & (rows["predicted"] <= rows["upper"])).all()
    for _, part in rows.groupby("fold"):
        others = rows.loc[rows["fold"] != part["fold"].iloc[0], "measured"]
        assert part["mean_predictor"].to_numpy() == pytest.approx(others.mean())


def test_a_fold_is_answered_by_a_fit_on_the_others(table, regressor, judged):
    asked = judged.table["fold"] == 0
    alone = clone(regressor).fit(table[~asked], table["hardness_gpa"][~asked])
    assert alone.predict(table[asked]) == pytest.approx(judged.table["predicted"][asked].to_numpy())


def test_scores_stand_beside_baselines_and_name_their_split(judged):
    scores = judged.scores()
    error = np.abs(judged.table["measured"] - judged.table["predicted"])
    assert scores["mae"] == pytest.approx(error.mean())
    assert scores["n"] == 48
    assert set(scores.index) >= {"rmse", "r2", "spearman", "median_error", "coverage", "mean_width"}
    assert scores["mae"] < scores["mae_mean_predictor"]
    for name in ("nearest_neighbour", "plain_forest"):
        assert scores[f"mae_{name}"] == pytest.approx(np.abs(judged.table["measured"] - judged.table[name]).mean())
    assert judged.split.hash in str(scores.name)
    assert "hardness_gpa (GPa): 48 rows; split by chemical_system, 3 folds" in str(scores.name)
    assert judged.by_family()["n"].sum() == judged.by_range()["n"].sum() == 48
    curve = judged.calibration(levels=(0.5, 0.9))
    assert list(curve["nominal"]) == [0.5, 0.9]
    assert curve["observed"].is_monotonic_increasing


def test_the_regressor_that_is_judged_is_not_changed(regressor, judged):
    assert not hasattr(regressor, "model_")
    assert judged.target == "hardness_gpa"


def test_leaks_are_dropped_reported_or_refused(table, regressor):
    rows = pd.concat([table, table.iloc[:4]], ignore_index=True)
    groups = [str(place) for place in range(len(rows))]
    task = (regressor, rows, rows["hardness_gpa"], groups, 3)
    dropped, told = cross_validate(*task), cross_validate(*task, leaks="report")
    assert dropped.leaks["dropped"].all()
    assert not told.leaks["dropped"].any()
    assert set(told.leaks["scored"]) <= set(table["formula"].iloc[:4])
    assert set(told.leaks["kind"]) == {"same composition"}
    assert str(told).endswith(f"{len(told.leaks)} near-duplicates across it")
    again = rows.index[rows["formula"].isin(told.leaks["scored"])]
    error = {name: np.abs(cv.table["predicted"] - cv.table["measured"])[again].mean() for name, cv in
             {"dropped": dropped, "told": told}.items()}  # fmt: skip
    assert error["told"] < error["dropped"], "a leak makes rows look easy"
    with pytest.raises(LeakError, match="nearly repeated in training"):
        cross_validate(*task, leaks="refuse")
    with pytest.raises(UnknownNameError, match="policy"):
        cross_validate(*task, leaks="ignore")


def test_families_are_inferred_or_given(table, regressor, judged):
    assert len(set(judged.table["family"])) > 1
    given = cross_validate(regressor, table, table["hardness_gpa"], n_folds=2, families=table["formula"].str[:2])
    assert set(given.table["family"]) == {"Ti", "Zr", "Mg", "La"}


def test_more_groups_show_in_the_learning_curve(table, regressor):
    curve = learning_curve_of(regressor, table, table["hardness_gpa"], n_folds=3, shares=(0.05, 0.5, 1.0))
    assert list(curve.table["share"]) == [0.5, 1.0], "a share that cannot train is left out"
    assert curve.table["n_rows"].is_monotonic_increasing
    assert curve.mae_mean_predictor > 0
    assert (curve.target, curve.unit) == ("hardness_gpa", "GPa")
    with pytest.raises(InputError, match="too few for shares"):
        learning_curve_of(regressor, table, table["hardness_gpa"], n_folds=3, shares=(0.05,))


def test_what_the_package_offers_can_be_imported_from_it():
    assert set(hstore_models.__all__) <= set(dir(hstore_models))
    assert all(getattr(hstore_models, name) for name in hstore_models.__all__)
    with pytest.raises(AttributeError, match="offers CrossValidation"):
        hstore_models.nothing  # noqa: B018 - asking is what fails


def test_the_package_itself_loads_nothing():
    code = (
        "import sys, hstore_models; print(sorted({'sklearn', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
