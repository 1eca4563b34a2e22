"""Scores agree with independent libraries, units are converted, and nothing is on both sides of a split."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console
from scipy.stats import spearmanr
from sklearn import metrics

from hstore.errors import InputError, LeakError, UnknownNameError
from hstore_data.curated import curated_table
from hstore_models.leaks import audit
from hstore_models.prediction import Predictions, Query
from hstore_models.training_data import load_scored_rows, load_training_data
from hstore_workflows.cli import main
from hstore_workflows.evaluate import Scoring, cross_validate, evaluate_table, read_target, row_answers
from hstore_workflows.evaluate import cross_validation as cv
from hstore_workflows.evaluate import table as on_table
from hstore_workflows.evaluate import task as cv_task
from hstore_workflows.evaluate.report import ask_baselines
from hstore_workflows.evaluate.words import in_words
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
    target = read_target(CONDUCTIVITY, "sigma", given)
    np.testing.assert_allclose(target.values[:3], [-10, -9, -4])
    assert np.isnan(target.values[3:]).all()
    assert target.bounds.tolist() == [True, True, False, False, False, False]
    assert "S/cm" in target.conversion
    lower = read_target(CONDUCTIVITY, "sigma", given, bounds_as=1e-15)
    np.testing.assert_allclose(lower.values[:3], [-15, -15, -4])


def test_a_conductivity_of_zero_is_no_value_and_leaves_the_unit_alone():
    target = read_target(CONDUCTIVITY, "sigma", pd.Series(["0", "1e-4"]))
    np.testing.assert_array_equal(target.values, [np.nan, -4.0])
    assert "S/cm" in target.conversion
    assert read_target(CONDUCTIVITY, "log", pd.Series(["0", "-4"])).values.tolist() == [0.0, -4.0]
    assert read_target(ENTHALPY, "sigma", pd.Series(["30", "40"])).conversion == "none"


@pytest.mark.parametrize(
    ("name", "column", "given", "value", "words"),
    [
        (PRESSURE, "ln_peq_25C_atm", "0", 1.01325, "from natural logarithm, from atm"),
        (PRESSURE, "peq_25C_atm", "2", 2.0265, "from atm"),
        (PRESSURE, "log10_p_bar", "1", 10.0, "from decimal logarithm"),
        (PRESSURE, "p_MPa", "0.3", 3.0, "from MPa"),
        (PRESSURE, "p_kPa", "100", 1.0, "from kPa"),
        (ENTHALPY, "enthalpy_kJ_molH2", "31", 31.0, "none"),
        (CAPACITY, "h2_wt_pct", "1.4", 1.4, "none"),
        ("usable_capacity_wt_pct", "usable_grav_wt_pct", "7", 7.0, "none"),
        ("usable_capacity_g_per_l", "usable_vol_g_L", "33", 33.0, "none"),
        (CONDUCTIVITY, "Ionic conductivity (S cm-1)", "1e-3", -3.0, "from S/cm to its decimal logarithm"),
        (CONDUCTIVITY, "sigma_S_cm", "1e-3", -3.0, "from S/cm to its decimal logarithm"),
        (CONDUCTIVITY, "sigma_mS_cm", "1", -3.0, "from mS/cm to its decimal logarithm"),
        (CONDUCTIVITY, "log10_sigma", "-3", -3.0, "none"),
    ],
)
def test_columns_of_public_sets_are_read_as_they_are_named(name, column, given, value, words):
    target = read_target(name, column, pd.Series([given]))
    assert target.values[0] == pytest.approx(value)
    assert target.conversion == words


@pytest.mark.parametrize(
    ("column", "kelvin"),
    [("ln_peq_25C_atm", 298.15), ("p_350K_bar", 350.0), ("ln_plateau_pressure_25c", 298.15), ("p_bar", None),
     ("h2_wt_pct", None)],
)  # fmt: skip
def test_names_of_targets_may_state_the_temperature(column, kelvin):
    assert read_target(PRESSURE, column, pd.Series(["1"])).temperature_k == kelvin


@pytest.mark.parametrize(
    ("columns", "target", "kelvin", "words"),
    [
        ({}, "p_bar", 298.15, "not stated"),
        ({"temp_C": "50"}, "p_bar", 323.15, "from temp_C"),
        ({"temp_K": "350"}, "p_bar", 350.0, "from temp_K"),
        ({"temp_C": "400"}, "p_25C_bar", 298.15, "298.15 K, as the target column says"),
        ({"temperature_k": "350", "temp_C": "1"}, "p_bar", 350.0, "from temperature_k"),
        ({"temperature_k": "350"}, "p_25C_bar", 350.0, "from temperature_k"),
    ],
)
def test_pressures_are_asked_at_the_temperature_of_the_table(home, columns, target, kelvin, words):
    asked = pd.DataFrame({"formula": ALLOYS, "temperature_k": kelvin})
    truth = predict_table(PRESSURE, asked, home).frame["mean"]
    frame = pd.DataFrame({"formula": ALLOYS, **columns, target: truth})
    report = evaluate_table(PRESSURE, frame, target, home, Scoring(baselines=False))
    assert report["mae_ln"] == pytest.approx(0, abs=1e-9)
    assert report["temperature"] == words


def test_every_row_of_a_table_can_be_kept_with_the_cause_of_those_not_scored(home):
    frame = pd.DataFrame(
        {"formula": ["LaNi5", "Xx", "TiFe", "Mg2Ni", "TiMn2"], "p_bar": ["2", "3", "5", "n/a", "0"]}
    )
    kept = []
    report = evaluate_table(PRESSURE, frame, "p_bar", home, Scoring(baselines=False), keep=kept.append)
    rows = kept[0].set_index("row")
    assert rows.index.tolist() == [1, 3, 5, 2, 4]
    assert rows["unit"].tolist()[:2] == ["ln(bar)"] * 2
    assert rows["known"].tolist()[:2] == pytest.approx(np.log([2.0, 5.0]))
    assert rows["error"][[1, 3]].mean() == pytest.approx(report["mae_ln"])
    assert rows["near_duplicate"][[1, 3]].all()
    assert rows["material"][[1, 3]].tolist() == ["LaNi5", "TiFe"]
    assert "Xx" in rows["reason"][2]
    assert "p_bar is 'n/a'" in rows["reason"][4]
    assert "no logarithm" in rows["reason"][5]
    assert rows["known"][[2, 4, 5]].isna().all()


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
    assert "mean predictor" in words
    assert " nan" not in words
    assert max(map(len, words.splitlines())) <= 80


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


def test_rows_are_written_by_the_command(home, tmp_path, monkeypatch):
    monkeypatch.setattr("hstore_workflows.cli.evaluate.load_settings", lambda: home)
    table, rows = tmp_path / "mine.csv", tmp_path / "rows.csv"
    pd.DataFrame({"formula": [*ALLOYS, "Xx"], "dh": 30.0}).to_csv(table, index=False)
    asked = ["evaluate", ENTHALPY, "--on", str(table), "--target", "dh", "--no-baselines", "--json", "--rows"]
    done = CliRunner().invoke(main, [*asked, str(rows)])
    assert done.exit_code == 0, done.output
    written = pd.read_csv(rows)
    assert written["error"].mean() == pytest.approx(json.loads(done.stdout)["mae"])
    assert len(written) == len(ALLOYS) + 1
    assert "7 rows are in" in done.stderr
    refused = CliRunner().invoke(main, [*asked, str(tmp_path / "rows.txt")])
    assert refused.exit_code != 0
    assert "end the name in .csv or .parquet" in refused.stderr


class Recorder:
    """A model that answers one number and remembers what it was trained on and asked."""

    def __init__(self):
        self.fits, self.asked = [], []

    def fit(self, data, seed, spec=None):
        assert spec is None or spec.name == data.model
        self.fits.append((data, seed))
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
    monkeypatch.setattr(cv, "fit_recipe", made.fit)
    monkeypatch.setattr(on_table, "fit_recipe", made.fit)
    return made


@pytest.fixture
def scored(trained, monkeypatch):
    """The curated capacities once more, as if they were a public set."""
    rows = load_training_data("hydride_capacity", trained).rows
    rows = rows[rows["capacity_definition"] == "maximum"] if "capacity_definition" in rows else rows
    rows = rows.reset_index(drop=True)
    rows = rows.assign(source="hystor", h2_capacity_wt_pct=np.linspace(0.5, 7.0, len(rows)))
    monkeypatch.setattr(cv_task, "load_scored_rows", lambda *_: rows)
    return rows


def test_no_chemical_system_is_on_both_sides_whichever_set_it_is_from(recorder, trained, scored):
    """The scored set shares its systems with the curated rows, which must go too."""
    rows = load_training_data("hydride_capacity", trained).rows
    how = Scoring(n_folds=4, seeds=(0, 1), baselines=False)
    report = cross_validate(CAPACITY, "hystor", trained, how)
    sides = recorder.sides()
    assert len(sides) == 8
    for training, asked in sides:
        assert training.isdisjoint(asked)
        assert training | asked == set(rows["chemical_system"])
    for seed in (0, 1):
        asked = [system for _, held in sides[4 * seed : 4 * seed + 4] for system in held]
        assert len(asked) == len(set(asked)), "each system is asked once"
    assert [seed for _, seed in recorder.fits] == [0] * 4 + [1] * 4
    truth = np.linspace(0.5, 7.0, len(scored))
    assert report["n"] == len(scored)
    assert report["mae"] == pytest.approx(np.abs(truth - 2.0).mean())
    assert report["coverage"] == pytest.approx(((truth >= 1) & (truth <= 3)).mean())
    assert (report["mean_width"], report["spearman"], report["unit"]) == (2.0, None, "wt%")
    assert report["mae_plain_forest"] is None
    assert report["subset"] == f"hystor, {len(scored)} rows with {CAPACITY}"
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_every_row_of_a_cross_validation_can_be_kept(recorder, trained, scored):
    kept = []
    how = Scoring(n_folds=4, seeds=(0, 3), baselines=False)
    report = cross_validate(CAPACITY, "hystor", trained, how, keep=kept.append)
    [rows] = kept
    assert tuple(rows.columns) == row_answers.COLUMNS
    assert rows.groupby("seed").size().to_dict() == {0: len(scored), 3: len(scored)}
    assert rows.groupby(["seed", "group"])["fold"].nunique().max() == 1
    assert rows["row"].tolist() == scored["row"].tolist() * 2
    assert set(rows["material"]) == set(scored["formula"])
    assert rows["error"].mean() == pytest.approx(report["mae"])
    assert rows["inside"].mean() == pytest.approx(report["coverage"])
    assert set(rows["unit"]) == {report["unit"]}
    assert (rows["lower"] == 1.0).all()
    assert (rows["upper"] == 3.0).all()


@pytest.mark.parametrize("split", ["composition", "family", "doi", "structure", "chemical_system"])
def test_near_duplicates_are_left_out_of_training_by_every_grouped_split(recorder, trained, scored, split):
    how = Scoring(split=split, baselines=False)
    report = cross_validate(CAPACITY, "hystor", trained, how)
    for (data, _), asked in zip(recorder.fits, recorder.asked, strict=True):
        there = [cv_task.side("hydride_capacity", rows) for rows in (asked, data.rows)]
        assert not audit(*there)
    assert sum(map(len, recorder.asked)) == len(scored)
    assert (report["split"], report["leaks"]["policy"]) == (split, "drop")
    hashes = {cross_validate(CAPACITY, "hystor", trained, how)["split_hash"], report["split_hash"]}
    assert len(hashes) == 1, "the same split has the same hash"


def test_a_random_split_is_refused_until_something_is_done_about_leaks(recorder, trained, scored):
    with pytest.raises(LeakError, match=r"nearly repeated in training: .* ~ .* --leaks drop"):
        cross_validate(CAPACITY, "hystor", trained, Scoring(split="random"))
    assert recorder.fits == []
    report = cross_validate(CAPACITY, "hystor", trained, Scoring(split="random", leaks="report", baselines=False))
    assert report["leaks"]["scored_rows"] == len(scored), "every row stands in the curated table as well"
    assert report["leaks"]["training_rows_dropped"] == 0
    assert report["unseen"] is None
    dropped = cross_validate(CAPACITY, "hystor", trained, Scoring(split="random", leaks="drop", baselines=False))
    assert dropped["leaks"]["training_rows_dropped"] > 0
    assert dropped["n"] == len(scored), "the scored rows are never cleaned"


def test_baselines_and_blocks_stand_beside_the_score(recorder, trained, scored):
    report = cross_validate(CAPACITY, "hystor", trained)
    beside = [report[f"mae_{name}"] for name in ("mean_predictor", "nearest_neighbour", "plain_forest")]
    assert all(0 < value < 10 for value in beside)
    assert len(set(beside)) == 3
    assert sum(part["n"] for part in report["by_range"].values()) == len(scored)
    assert sum(part["n"] for part in report["by_family"].values()) == len(scored)
    assert report["by_family"].keys() >= {"AB5", "AB2"}
    assert report["coverage_missed"], "the recorder's intervals miss most rows"
    assert report["p_below_90"] < 0.01
    assert report["domain"]["share_flagged"] == 0
    assert set(report["calibration"]) >= {"0.5", "0.9", "0.99"}


def test_formulas_that_need_reading_are_scored_apart(recorder, trained, scored, monkeypatch):
    texts = [f"{text} (M)" if row < 5 else text for row, text in enumerate(scored["formula"])]
    noted = scored.assign(formula=texts)
    monkeypatch.setattr(cv_task, "load_scored_rows", lambda *_: noted)
    report = cross_validate(CAPACITY, "hystor", trained, Scoring(n_folds=2))
    plain, read = report["by_formula"]["as written"], report["by_formula"]["needs reading"]
    off = np.abs(np.linspace(0.5, 7.0, len(scored)) - 2.0)
    assert (read["n"], plain["n"]) == (5, len(scored) - 5)
    assert (read["mae"], plain["mae"]) == (pytest.approx(off[:5].mean()), pytest.approx(off[5:].mean()))
    for name in ("mae_mean_predictor", "mae_nearest_neighbour", "mae_plain_forest", "mae"):
        whole = (5 * read[name] + plain["n"] * plain[name]) / len(scored)
        assert whole == pytest.approx(report[name]), "the parts make up the whole"
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(in_words(report))
    assert re.search(r"needs reading +5 ", console.export_text())
    monkeypatch.setattr(cv_task, "load_scored_rows", lambda *_: scored)
    assert "by_formula" not in cross_validate(CAPACITY, "hystor", trained, Scoring(baselines=False))


def test_a_family_column_of_ones_own_is_used_and_must_exist(recorder, trained, scored):
    how = Scoring(baselines=False, family="chemical_system")
    report = cross_validate(CAPACITY, "hystor", trained, how)
    assert set(report["by_family"]) == set(scored["chemical_system"])
    with pytest.raises(InputError, match="no column 'mood'"):
        cross_validate(CAPACITY, "hystor", trained, Scoring(baselines=False, family="mood"))


def test_the_learning_curve_trains_on_growing_nested_subsets(recorder, trained, scored):
    how = Scoring(baselines=False, learning_curve=True, n_folds=3)
    report = cross_validate(CAPACITY, "hystor", trained, how)
    points = report["learning_curve"]
    assert [point["share"] for point in points] == [0.1, 0.2, 0.4, 0.7, 1.0]
    assert all(a["n_rows"] < b["n_rows"] for a, b in pairwise(points))
    assert len(recorder.fits) == 3 * 6
    assert all(training.isdisjoint(asked) for training, asked in recorder.sides())
    assert points[-1]["mae"] == pytest.approx(report["mae"])


def test_a_property_the_set_does_not_hold_is_refused(recorder, trained, scored, monkeypatch):
    monkeypatch.setattr(cv_task, "load_scored_rows", lambda *_: scored.drop(columns=CAPACITY))
    with pytest.raises(InputError, match="has no h2_capacity_wt_pct"):
        cross_validate(CAPACITY, "hystor", trained)
    with pytest.raises(InputError, match="published no split"):
        cross_validate(CAPACITY, "hystor", trained, Scoring(split="official"))
    with pytest.raises(UnknownNameError):
        cross_validate("energy_above_hull_ev_per_atom", "hystor", trained)
    assert recorder.fits == []


@pytest.mark.parametrize(
    ("choice", "cause"),
    [
        ({"split": "chemical"}, "unknown split 'chemical'; did you mean 'chemical_system'"),
        ({"leaks": "ignore"}, "unknown policy on leaks"),
        ({"n_folds": 1}, "n_folds must be at least 2"),
        ({"seeds": ()}, "at least one seed"),
    ],
)
def test_choices_are_checked_first(choice, cause):
    with pytest.raises(InputError, match=cause):
        Scoring(**choice)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "data_set"), [(CAPACITY, "hystor"), (ENTHALPY, "ml_hydpark"), (PRESSURE, "ml_hydpark")]
)
def test_public_sets_are_held_out_by_chemical_system(recorder, mirror, name, data_set):
    report = cross_validate(name, data_set, mirror, Scoring(baselines=False))
    assert len(recorder.sides()) == 5
    assert all(training.isdisjoint(asked) for training, asked in recorder.sides())
    assert report["protocol"] == "5-fold, grouped"
    assert report["n"] == sum(map(len, recorder.asked)) > 300
    assert report["unit"] == {CAPACITY: "wt%", ENTHALPY: "kJ/mol H2", PRESSURE: "ln(bar)"}[name]


@pytest.mark.mirror
def test_simulated_sorbents_are_held_out_by_framework(recorder, mirror):
    cross_validate("usable_capacity_wt_pct", "mof_h2_usable", mirror, Scoring(baselines=False))
    assert all(training.isdisjoint(asked) for training, asked in recorder.sides("group"))


@pytest.mark.mirror
def test_obelix_is_scored_on_its_own_split_which_no_training_row_shares(recorder, mirror):
    report = cross_validate(CONDUCTIVITY, "obelix", mirror, Scoring(baselines=False))
    ((data, _),) = recorder.fits
    (asked,) = recorder.asked
    assert report["protocol"] == "official test split"
    assert report["n"] == len(asked) == 121  # the size its authors published
    from_obelix = data.rows["source"] == "obelix"
    assert set(data.rows.loc[from_obelix, "row"]).isdisjoint(asked["row"])
    assert set(data.rows.loc[~from_obelix, "composition"]).isdisjoint(asked["composition"])
    assert "8 upper bounds counted as the bound" in report["subset"]
    assert report["leaks"]["policy"] == "report"
    assert 0 < report["leaks"]["scored_rows"] < 10
    assert report["unseen"]["n"] == 121 - report["leaks"]["scored_rows"]
    lower = cross_validate(CONDUCTIVITY, "obelix", mirror, Scoring(baselines=False, bounds_as=1e-15))
    assert "8 upper bounds counted as 1e-15 S/cm" in lower["subset"]
    assert lower["mae"] - report["mae"] == pytest.approx(5 * 8 / 121)


@pytest.mark.mirror
def test_other_splits_of_obelix_leave_its_test_part_alone(recorder, mirror):
    report = cross_validate(CONDUCTIVITY, "obelix", mirror, Scoring(split="doi", baselines=False))
    assert report["subset"].startswith("obelix official training part")
    test = load_scored_rows("conductivity", "obelix", mirror)
    assert all(set(asked["row"]).isdisjoint(test["row"]) for asked in recorder.asked)
    papers = [{(name.lower()) for name in asked["reference"]} for asked in recorder.asked]
    assert all(one.isdisjoint(other) for i, one in enumerate(papers) for other in papers[:i])


def test_a_tables_leaks_are_reported_refused_or_left_out_of_training(home, recorder, predicted):
    formulas = ["LaNi5", "TiFe", ALLOYS[4]]
    truth = predicted(ENTHALPY, formulas)["mean"] + np.array([5.0, 5.0, 1.0])
    frame = pd.DataFrame({"formula": formulas, "dh": truth})
    report = evaluate_table(ENTHALPY, frame, "dh", home)
    assert report["leaks"]["policy"] == "report"
    assert report["leaks"]["scored_rows"] == 2
    assert report["leaks"]["named"][0].startswith("LaNi5 (row 1) ~ ")
    assert report["unseen"]["n"] == 1
    assert report["unseen"]["mae"] == pytest.approx(1.0)
    assert report["mae"] == pytest.approx(11 / 3)
    with pytest.raises(LeakError, match="2 of 3 rows"):
        evaluate_table(ENTHALPY, frame, "dh", home, Scoring(leaks="refuse"))
    assert recorder.fits == []
    dropped = evaluate_table(ENTHALPY, frame, "dh", home, Scoring(leaks="drop", baselines=False))
    ((data, _),) = recorder.fits
    assert not {"LaNi5", "FeTi"} & set(data.rows["composition"])
    assert (dropped["n"], dropped["leaks"]["training_rows_dropped"]) == (3, report["leaks"]["training_rows"])
    assert dropped["mae"] == pytest.approx(np.abs(truth - 2.0).mean())


def test_a_table_without_leaks_is_all_unseen(home, predicted):
    truth = predicted(ENTHALPY, ALLOYS)["mean"] + 2.0
    report = evaluate_table(ENTHALPY, pd.DataFrame({"formula": ALLOYS, "dh": truth}), "dh", home)
    assert report["leaks"]["scored_rows"] == report["n_seen_in_training"] == 0
    assert report["unseen"]["mae"] == report["mae"] == pytest.approx(2.0)
    assert report["subset"] == "table, 6 rows with dh"
    assert len(report["split_hash"]) == 12
    assert sum(part["n"] for part in report["by_family"].values()) == 6
    for name in ("nearest_neighbour", "plain_forest"):
        assert report[f"mae_{name}"] > 0
    assert report["noise_floor_from"] in ("training rows", "no repeated measurement")


def test_repeats_in_a_table_give_its_noise_floor(home):
    frame = pd.DataFrame({"formula": ["TiFe", "TiFe", "LaNi5"], "dh": ["28", "30", "31"]})
    report = evaluate_table(ENTHALPY, frame, "dh", home, Scoring(baselines=False))
    assert report["noise_floor_mae"] == pytest.approx(2.0 / np.sqrt(2))
    assert (report["noise_floor_rows"], report["noise_floor_from"]) == (2, "the table")


def test_the_command_reads_every_choice(hstore, tmp_path):
    (tmp_path / "mine.csv").write_text("formula,dh,kind\nLaNi5,31,a\nTi0.61Zr0.39Mn1.7V0.3,24,b\n")
    mine = ("evaluate", ENTHALPY, "--on", "mine.csv", "--target", "dh")
    result = hstore(*mine, "--family", "kind", "--no-baselines", "--json")
    report = json.loads(result.stdout)
    assert set(report["by_family"]) == {"a", "b"}
    assert report["mae_plain_forest"] is None
    assert report["subset"].startswith("mine.csv")
    refused = hstore(*mine, "--leaks", "refuse")
    assert refused.exit_code == 2
    assert "LaNi5 (row 1) ~ LaNi5" in refused.stderr
    assert "belongs to --cross-validate" in hstore(*mine, "--split", "doi").stderr
    words = hstore(*mine).stdout
    for word in ("mine.csv, 2 rows", "hash", "plain forest", "near-duplicates in training: 1", "family", "hold"):
        assert word in words


def test_baselines_of_pressures_follow_van_t_hoff(trained):
    """Every alloy is its own nearest neighbour, so the baseline must answer its own plateau at any temperature."""
    rows = load_training_data("hydride_thermodynamics", trained).rows
    rows = rows[rows["source"] == "hydrides"].drop_duplicates("composition").reset_index(drop=True).iloc[:25]
    asked = Query.of(list(rows["amounts"]), pd.DataFrame({"temperature_k": np.full(len(rows), 350.0)}))
    beside = ask_baselines(PRESSURE, "hydride_thermodynamics", rows, asked, full=True, seed=0)
    heat = rows[ENTHALPY].to_numpy(dtype=float)
    shift = -1000.0 * heat / 8.314462618 * (1 / 350.0 - 1 / 298.15)
    expected = rows["ln_plateau_pressure_25c"].to_numpy(dtype=float) + shift
    np.testing.assert_allclose(beside.nearest_neighbour, expected, atol=1e-6)
    np.testing.assert_allclose(beside.plain_forest, expected, atol=1e-2)  # trees may not tell two alloys apart
    at_25c = ask_baselines(
        PRESSURE, "hydride_thermodynamics", rows, Query.of(list(rows["amounts"])), full=True, seed=0
    )
    np.testing.assert_allclose(at_25c.nearest_neighbour, rows["ln_plateau_pressure_25c"], atol=1e-6)


def test_capacities_of_alloys_are_answered_by_alloys(trained):
    rows = load_training_data("hydride_capacity", trained).rows
    alloys = rows[["H" not in a for a in rows["amounts"]]]
    asked = Query.of([{"Li": 1.0, "Al": 1.0}, {"Li": 1.0, "B": 1.0, "H": 4.0}])
    beside = ask_baselines(CAPACITY, "hydride_capacity", rows, asked, full=True, seed=0)
    assert beside.plain_forest[0] <= alloys[CAPACITY].max() < beside.plain_forest[1]
