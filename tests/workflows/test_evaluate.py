"""Scores agree with independent libraries, units are converted, and nothing is on both sides of a split."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from hstore.errors import InputError, UnknownNameError
from hstore_data.curated import curated_table
from hstore_models.prediction import Predictions
from hstore_models.training_data import load_training_data
from hstore_workflows import evaluate
from hstore_workflows.evaluate import cross_validate, evaluate_table, read_target
from hstore_workflows.predict import predict_table

ENTHALPY, CAPACITY = "desorption_enthalpy_kj_per_mol_h2", "h2_capacity_wt_pct"
PRESSURE, CONDUCTIVITY = "plateau_pressure_bar", "log10_conductivity_s_per_cm"
ALLOYS = [
    "LaNi4.1Al0.9",
    "TiFe0.93Mn0.07",
    "Mg2Ni0.8Cu0.2",
    "ZrV1.3Fe0.7",
    "Ti0.61Zr0.39Mn1.7V0.3",
    "CaNi4.7Cu0.3",
]
IONS = ["Li6.5La3Zr1.5Ta0.5O12", "Li5.7PS4.7Cl1.3", "Na3.1Zr2Si2.1P0.9O12", "Li3YBr6"]
PROMISED = {
    "n", "mae", "rmse", "r2", "spearman", "mae_mean_predictor", "coverage", "mean_width", "rejected",
}  # fmt: skip


@pytest.fixture
def home(trained, loaded, monkeypatch):
    """Settings whose models are the shared ones."""
    monkeypatch.setattr("hstore_workflows.predict.ensure", lambda name, *_, **__: loaded(name))
    return trained


@pytest.fixture
def predicted(home):
    """What the model says of formulas: means, as an array."""
    return lambda name, formulas: predict_table(name, pd.DataFrame({"formula": formulas}), home).frame


def test_scores_agree_with_scikit_learn_and_scipy(home, predicted):
    answer = predicted(ENTHALPY, ALLOYS)
    truth = answer["mean"] + np.array([3.0, -8.0, 0.5, 25.0, -60.0, 1.0])
    report = evaluate_table(ENTHALPY, pd.DataFrame({"formula": ALLOYS, "measured": truth}), "measured", home)
    assert report.keys() >= PROMISED
    assert report["n"] == 6
    assert report["mae"] == pytest.approx(metrics.mean_absolute_error(truth, answer["mean"]))
    assert report["rmse"] == pytest.approx(np.sqrt(metrics.mean_squared_error(truth, answer["mean"])))
    assert report["r2"] == pytest.approx(metrics.r2_score(truth, answer["mean"]))
    assert report["spearman"] == pytest.approx(spearmanr(truth, answer["mean"]).statistic)
    inside = (truth >= answer["lower"]) & (truth <= answer["upper"])
    assert 0 < inside.mean() < 1
    assert report["coverage"] == pytest.approx(inside.mean())
    assert report["mean_width"] == pytest.approx((answer["upper"] - answer["lower"]).mean())
    assert report["unit"] == "kJ/mol H2"


def test_the_mean_predictor_knows_the_training_values_only(home):
    """The embedded capacities that train are the maximum ones of the curated table."""
    hydrides = curated_table("hydrides").frame
    maximum = hydrides.loc[hydrides["capacity_definition"] == "maximum", CAPACITY].dropna()
    report = evaluate_table(CAPACITY, pd.DataFrame({"formula": ["LaNi5", "TiFe"], "c": [1.0, 2.0]}), "c", home)
    expected = np.abs(maximum.mean() - np.array([1.0, 2.0])).mean()
    assert report["mae_mean_predictor"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("column", "scale", "words"),
    [
        ("p_bar", lambda bar: bar, "none"),
        ("p_atm", lambda bar: bar / 1.01325, "from atm"),
        ("ln_p", np.log, "from natural logarithm"),
        ("lnP_bar", np.log, "from natural logarithm"),
        ("ln_p_atm", lambda bar: np.log(bar / 1.01325), "from natural logarithm, from atm"),
    ],
)
def test_pressures_are_read_in_the_unit_of_their_name(home, predicted, column, scale, words):
    truth = predicted(PRESSURE, ALLOYS)["mean"] * 2.0
    report = evaluate_table(PRESSURE, pd.DataFrame({"formula": ALLOYS, column: scale(truth)}), column, home)
    assert report["conversion"] == words
    assert report["mae_ln"] == pytest.approx(np.log(2.0))
    assert report["mae"] == pytest.approx(np.mean(truth) / 2)
    assert report["mae_ln_mean_predictor"] > 0
    assert report["unit"] == "bar"


@pytest.mark.parametrize("column", ["sigma", "log10_sigma"])
def test_conductivities_are_read_as_s_per_cm_or_its_logarithm(home, predicted, column):
    truth = predicted(CONDUCTIVITY, IONS)["mean"] + 1.0
    values = 10**truth if column == "sigma" else truth
    report = evaluate_table(CONDUCTIVITY, pd.DataFrame({"formula": IONS, column: values}), column, home)
    assert report["mae"] == pytest.approx(1.0)
    assert report["conversion"] == ("from S/cm to its decimal logarithm" if column == "sigma" else "none")


def test_temperature_of_each_row_counts(home):
    frame = pd.DataFrame({"formula": IONS, "temperature_k": "400"})
    truth = predict_table(CONDUCTIVITY, frame, home).frame["mean"]
    assert evaluate_table(CONDUCTIVITY, frame.assign(t=truth), "t", home)["mae"] == pytest.approx(0, abs=1e-12)


def test_bounds_count_as_values_and_are_told():
    given = pd.Series(["<1E-10", " < 1e-9 ", "1e-4", "n/a", None, "1,5e-3"])
    values, words, n_bounds = read_target(CONDUCTIVITY, "sigma", given)
    np.testing.assert_allclose(values[:3], [-10, -9, -4])
    assert np.isnan(values[3:]).all()
    assert n_bounds == 2
    assert "S/cm" in words


def test_a_conductivity_of_zero_is_no_value_and_leaves_the_unit_alone():
    values, words, _ = read_target(CONDUCTIVITY, "sigma", pd.Series(["0", "1e-4"]))
    np.testing.assert_array_equal(values, [np.nan, -4.0])
    assert "S/cm" in words
    assert read_target(CONDUCTIVITY, "log", pd.Series(["0", "-4"]))[0].tolist() == [0.0, -4.0]
    assert read_target(ENTHALPY, "sigma", pd.Series(["30", "40"]))[1] == "none"


def test_rows_that_cannot_be_scored_are_counted_with_their_numbers(home):
    frame = pd.DataFrame({"formula": ["LaNi5", "Xx", "TiFe", "", "Mg2Ni"], "dh": ["31", "30", "n/a", "1", None]})
    report = evaluate_table(ENTHALPY, frame, "dh", home)
    assert (report["n"], report["rejected"]) == (1, 4)
    rows = {reject.split(":")[0] for reject in report["rejects"]}
    assert rows == {"row 2", "row 3", "row 4", "row 5"}
    assert "dh is 'n/a', not a usable number" in " ".join(report["rejects"])


def test_each_answer_meets_the_truth_of_its_own_row(home, predicted):
    mean = predicted(ENTHALPY, ALLOYS)["mean"]
    frame = pd.DataFrame({"formula": ALLOYS, "dh": mean.astype(str)})
    bad = pd.DataFrame({"formula": ["Xx"], "dh": ["1"]})
    mixed = pd.concat([bad, frame.iloc[:2], bad, frame.iloc[2:]], ignore_index=True)
    report = evaluate_table(ENTHALPY, mixed, "dh", home)
    assert report["mae"] == pytest.approx(0, abs=1e-9)
    assert report["r2"] == pytest.approx(1)


def test_rows_seen_in_training_are_counted_and_the_others_scored_apart(home, predicted):
    """LaNi5 and its hydride are one material to the models; LiB is not LiBH4."""
    formulas = ["LaNi5", "LaNi5H6", "La2Ni10", "LiBH4", "LiB", ALLOYS[4]]
    offset = np.array([10.0, 10.0, 10.0, 10.0, 2.0, 4.0])
    truth = predicted(ENTHALPY, formulas)["mean"] + offset
    report = evaluate_table(ENTHALPY, pd.DataFrame({"formula": formulas, "dh": truth}), "dh", home)
    assert report["n_seen_in_training"] == 4
    assert report["mae_unseen"] == pytest.approx(3.0)


def test_one_row_has_no_rank_correlation_and_the_json_says_null(hstore, tmp_path):
    (tmp_path / "mine.csv").write_text("formula,dh\nLaNi5,31\n")
    result = hstore("evaluate", ENTHALPY, "--on", "mine.csv", "--target", "dh", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout, parse_constant=pytest.fail)
    assert report.keys() >= PROMISED
    assert (report["n"], report["r2"], report["spearman"]) == (1, None, None)
    words = hstore("evaluate", ENTHALPY, "--on", "mine.csv", "--target", "dh").stdout
    assert "mae_mean_predictor" in words
    assert " nan" not in words


def test_sorbents_without_simulations_have_no_mean_predictor_of_usable_capacity(home):
    frame = pd.DataFrame({"gsa_m2_g": ["3000", "1000"], "pore_volume_cm3_g": ["1.4", "0.4"], "u": ["5", "2"]})
    report = evaluate_table("usable_capacity_wt_pct", frame, "u", home)
    assert report["n"] == 2
    assert report["mae_mean_predictor"] is None
    with pytest.raises(InputError, match="density_g_cm3 is missing"):
        evaluate_table("usable_capacity_g_per_l", frame, "u", home)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ([ENTHALPY, "--on", "mine.csv", "--target", "none"], "no column 'none' among formula, dh"),
        ([ENTHALPY, "--on", "mine.csv", "--target", "formula"], "no row of the table can be scored"),
        ([ENTHALPY, "--on", "missing.csv", "--target", "dh"], "is not a file"),
        ([ENTHALPY, "--on", "mine.csv"], "--target COLUMN"),
        ([ENTHALPY], "--cross-validate DATA_SET"),
        (
            [ENTHALPY, "--on", "mine.csv", "--target", "dh", "--cross-validate", "ml_hydpark"],
            "or --cross-validate",
        ),
        (["desorption_enthalpy", "--on", "mine.csv", "--target", "dh"], "did you mean"),
        ([ENTHALPY, "--cross-validate", "obelix"], "unknown public set of hydride_thermodynamics"),
        ([ENTHALPY, "--cross-validate", "ml_hydpark", "--seeds", "0"], "'--seeds'"),
    ],
)
def test_bad_usage_exits_2(hstore, tmp_path, arguments, cause):
    (tmp_path / "mine.csv").write_text("formula,dh\nLaNi5,31\n")
    result = hstore("evaluate", *arguments)
    assert result.exit_code == 2, result.output
    assert cause in result.stderr
    assert result.stdout == ""


def test_cross_validation_needs_the_set_to_be_present(hstore):
    result = hstore("evaluate", CAPACITY, "--cross-validate", "hystor")
    assert result.exit_code == 1
    assert "hstore data pull hystor" in result.stderr or "HSTORE_DATA_MIRROR" in result.stderr


class Recorder:
    """A model that answers one number and remembers what it was trained on and asked."""

    def __init__(self):
        self.fits, self.asked = [], []

    def fit(self, data, settings):
        self.fits.append((data, settings))
        return self

    def predict(self, name, query):
        self.asked.append(query.frame)
        n = len(query)
        inside = np.ones(n, dtype=bool)
        arrays = [np.full(n, value) for value in (2.0, 1.0, 1.0, 3.0)]
        return Predictions(name, *arrays, inside, np.full(n, "", dtype=object))

    def sides(self, column="chemical_system"):
        """What was trained on and what was asked, fold by fold."""
        rows = [data.rows if data.simulated is None else data.simulated for data, _ in self.fits]
        return [(set(r[column]), set(a[column])) for r, a in zip(rows, self.asked, strict=True)]


@pytest.fixture
def recorder(monkeypatch):
    """Put the recorder in the place of training."""
    made = Recorder()
    monkeypatch.setattr(evaluate, "fit", made.fit)
    return made


def test_no_chemical_system_is_on_both_sides_whichever_set_it_is_from(recorder, trained, monkeypatch):
    """The scored set shares its systems with the curated rows, which must go too."""
    rows = load_training_data("hydride_capacity", trained).rows
    scored = rows.assign(source="hystor", h2_capacity_wt_pct=np.linspace(0.5, 7.0, len(rows)))
    monkeypatch.setattr(evaluate, "load_scored_rows", lambda *_: scored)
    report = cross_validate(CAPACITY, "hystor", trained, n_folds=4, seeds=(0, 1))
    sides = recorder.sides()
    assert len(sides) == 8
    for training, asked in sides:
        assert training.isdisjoint(asked)
        assert training | asked == set(rows["chemical_system"])
    for seed in (0, 1):
        asked = [system for _, held in sides[4 * seed : 4 * seed + 4] for system in held]
        assert len(asked) == len(set(asked)), "each system is asked once"
    assert [settings.seed for _, settings in recorder.fits] == [0] * 4 + [1] * 4
    truth = np.linspace(0.5, 7.0, len(rows))
    assert report["n"] == len(rows)
    assert report["mae"] == pytest.approx(np.abs(truth - 2.0).mean())
    assert report["coverage"] == pytest.approx(((truth >= 1) & (truth <= 3)).mean())
    assert (report["mean_width"], report["spearman"], report["unit"]) == (2.0, None, "wt%")
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_property_the_set_does_not_hold_is_refused(recorder, trained, monkeypatch):
    rows = load_training_data("hydride_capacity", trained).rows
    monkeypatch.setattr(evaluate, "load_scored_rows", lambda *_: rows.drop(columns=CAPACITY))
    with pytest.raises(InputError, match="has no h2_capacity_wt_pct"):
        cross_validate(CAPACITY, "hystor", trained)
    with pytest.raises(UnknownNameError):
        cross_validate("energy_above_hull_ev_per_atom", "hystor", trained)
    assert recorder.fits == []


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "data_set"), [(CAPACITY, "hystor"), (ENTHALPY, "ml_hydpark"), (PRESSURE, "ml_hydpark")]
)
def test_public_sets_are_held_out_by_chemical_system(recorder, mirror, name, data_set):
    report = cross_validate(name, data_set, mirror)
    assert len(recorder.sides()) == 5
    assert all(training.isdisjoint(asked) for training, asked in recorder.sides())
    assert report["protocol"] == "5-fold, grouped"
    assert report["n"] == sum(map(len, recorder.asked)) > 300
    assert report["unit"] == {CAPACITY: "wt%", ENTHALPY: "kJ/mol H2", PRESSURE: "ln(bar)"}[name]


@pytest.mark.mirror
def test_simulated_sorbents_are_held_out_by_framework(recorder, mirror):
    cross_validate("usable_capacity_wt_pct", "mof_h2_usable", mirror)
    assert all(training.isdisjoint(asked) for training, asked in recorder.sides("group"))


@pytest.mark.mirror
def test_obelix_is_scored_on_its_own_split_which_no_training_row_shares(recorder, mirror):
    report = cross_validate(CONDUCTIVITY, "obelix", mirror)
    ((data, _),) = recorder.fits
    (asked,) = recorder.asked
    assert report["protocol"] == "official test split"
    assert report["n"] == len(asked) == 121  # the size its authors published
    from_obelix = data.rows["source"] == "obelix"
    assert set(data.rows.loc[from_obelix, "row"]).isdisjoint(asked["row"])
    assert set(data.rows.loc[~from_obelix, "composition"]).isdisjoint(asked["composition"])
