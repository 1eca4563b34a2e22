"""``hstore predict``: numbers beside a user's own columns, physics kept, and bad rows in their places."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.training import MODELS, predicted_from_formulas
from hstore_workflows.predict import ADDED_COLUMNS, predict_formulas, predict_table

R = 8.31446261815324
ENTHALPY, ENTROPY = "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k"
PRESSURE, CONDUCTIVITY = "plateau_pressure_bar", "log10_conductivity_s_per_cm"
NUMBERS = ["mean", "std", "lower", "upper"]


@pytest.fixture
def predict(trained, loaded, monkeypatch):
    """Predict with the shared models."""
    monkeypatch.setattr("hstore_workflows.predict.ensure", lambda name, *_, **__: loaded(name))
    return lambda name, frame: predict_table(name, pd.DataFrame(frame), trained)


@pytest.fixture
def strict_json():
    """Read JSON that every program can read: without NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return lambda text: json.loads(text, parse_constant=refuse)


def test_columns_are_added_at_the_end_and_own_columns_stay(predict):
    own = {
        "sample": ["007", "8"],
        "formula": ["LaNi5", "TiFe"],
        "note": ["a,b", None],
        "temperature_k": ["300", ""],
    }
    own = pd.DataFrame(own)
    frame = predict(ENTHALPY, own.replace("", None)).frame
    assert list(frame) == [*own, *ADDED_COLUMNS]
    pd.testing.assert_frame_equal(frame[list(own)], own.replace("", None))
    assert frame[NUMBERS].notna().all(axis=None)
    assert (frame["lower"] < frame["mean"]).all()
    assert (frame["mean"] < frame["upper"]).all()


def test_predictions_of_an_earlier_run_are_replaced(predict):
    stale = pd.DataFrame({"mean": ["old"], "formula": ["LaNi5"], "reason": ["old"], "x": ["kept"]})
    frame = predict(ENTHALPY, stale).frame
    assert list(frame) == ["formula", "x", *ADDED_COLUMNS]
    assert frame["mean"][0] == predict(ENTHALPY, {"formula": ["LaNi5"]}).frame["mean"][0]


def test_bad_rows_keep_their_place_with_the_cause(predict):
    frame = {"formula": ["TiFe", "Xx", "LaNi5", "LaNi5", ""], "temperature_k": ["300", "300", "-1", "300", "300"]}
    table = predict(ENTHALPY, frame)
    assert [reject.row for reject in table.rejects] == [2, 3, 5]
    assert table.frame["mean"].notna().tolist() == [True, False, False, True, False]
    assert table.frame["in_domain"].tolist() == [True, False, False, True, False]
    reasons = table.frame["reason"]
    assert reasons[0] == ""
    assert reasons[1].startswith("rejected: unknown element 'Xx'")
    assert reasons[2].startswith("rejected: temperature_k must be")
    assert reasons[4].startswith("rejected: formula is empty")


def test_answers_follow_their_rows(predict):
    alone = {f: predict(ENTHALPY, {"formula": [f]}).frame["mean"][0] for f in ("TiFe", "LaNi5", "Mg2Ni")}
    mixed = predict(ENTHALPY, {"formula": ["Mg2Ni", "?", "TiFe", "LaNi5", "TiFe"]}).frame["mean"]
    expected = [alone["Mg2Ni"], np.nan, alone["TiFe"], alone["LaNi5"], alone["TiFe"]]
    np.testing.assert_allclose(mixed, expected, rtol=1e-12)


def test_scale_and_order_of_a_formula_do_not_matter(predict):
    mean = predict(ENTHALPY, {"formula": ["TiFe", "Fe2Ti2", "Ti0.5Fe0.5", "TiFeH2"]}).frame["mean"]
    np.testing.assert_allclose(mean, mean[0], rtol=1e-9)


def test_known_hydrides_come_out_near_their_measured_enthalpies(predict):
    """LaNi5 30.8, TiFe 28.1, Mg2Ni 64.5, MgH2 74.5 kJ/mol H2: in the training data, so a smoke test."""
    frame = predict(ENTHALPY, {"formula": ["LaNi5", "TiFe", "Mg2Ni", "MgH2"]}).frame
    measured = np.array([30.8, 28.1, 64.5, 74.5])
    np.testing.assert_allclose(frame["mean"], measured, rtol=0.15)
    assert ((frame["lower"] < measured) & (measured < frame["upper"])).all()


def test_plateau_pressures_obey_vant_hoff_at_the_temperature_of_each_row(predict):
    frame = pd.DataFrame(
        {"formula": ["LaNi5", "LaNi5", "TiFe", "Mg2Ni"], "temperature_k": [298.15, 350, 320, 600]}
    )
    pressure = predict(PRESSURE, frame).frame["mean"]
    enthalpy, entropy = (predict(name, frame).frame["mean"] for name in (ENTHALPY, ENTROPY))
    expected = np.exp(entropy / R - 1000 * enthalpy / (R * frame["temperature_k"]))
    np.testing.assert_allclose(pressure, expected, rtol=1e-9)
    assert pressure[1] > pressure[0]


def test_rows_without_a_temperature_are_at_25_degc(predict):
    formulas = {"formula": ["LaNi5", "LaNi5"]}
    for name, host in ((PRESSURE, formulas), (CONDUCTIVITY, {"formula": ["Li7La3Zr2O12"] * 2})):
        mean = predict(name, {**host, "temperature_k": ["298.15", None]}).frame["mean"]
        assert mean[0] == pytest.approx(mean[1], rel=1e-12)


def test_conductivity_obeys_arrhenius(predict):
    temperatures = np.array([298.15, 350.0, 400.0])
    frame = pd.DataFrame({"formula": ["Li7La3Zr2O12"] * 3, "temperature_k": temperatures})
    log10 = predict(CONDUCTIVITY, frame).frame["mean"].to_numpy()
    energy = predict("activation_energy_ev", frame).frame["mean"].to_numpy()
    slope = np.diff(np.log(10) * log10 + np.log(temperatures)) / np.diff(1 / (8.617333262e-5 * temperatures))
    np.testing.assert_allclose(-slope, energy[1:], rtol=1e-9)


def test_what_lies_outside_is_flagged_with_a_reason_and_still_answered(predict):
    frame = predict(ENTHALPY, {"formula": ["PuNi5", "LaNi5"]}).frame
    assert frame["in_domain"].tolist() == [False, True]
    assert "Pu" in frame["reason"][0]
    assert np.isfinite(frame["mean"][0])


def test_sorbents_need_descriptors_and_no_formula(predict):
    texture = {
        "name": ["A", "B", "C"],
        "bet_area_m2_g": ["3000", "", "1000"],
        "pore_volume_cm3_g": ["1.4", "", "-1"],
    }
    state = {"temperature_k": "77", "pressure_bar": "30"}
    table = predict("h2_uptake_wt_pct", pd.DataFrame(texture).replace("", None).assign(**state))
    assert table.frame["mean"].notna().tolist() == [True, False, False]
    assert 3 < table.frame["mean"][0] < 9  # a MOF of this area holds some 5 to 6 wt%
    assert "gsa_m2_g is missing" in table.frame["reason"][1]
    assert [reject.row for reject in table.rejects] == [3]
    with pytest.raises(InputError, match="no descriptor"):
        predict("h2_uptake_wt_pct", {"formula": ["TiFe"]})


def test_uptake_rises_with_pressure_and_falls_with_temperature(predict):
    texture = {"gsa_m2_g": 3000, "pore_volume_cm3_g": 1.4}
    states = pd.DataFrame({"pressure_bar": [0, 1, 10, 100, 100], "temperature_k": [77, 77, 77, 77, 298]})
    mean = predict("h2_uptake_wt_pct", states.assign(**texture)).frame["mean"]
    assert mean[0] == pytest.approx(0, abs=1e-12)
    assert mean[:4].is_monotonic_increasing
    assert mean[4] < 0.5 * mean[3]


def test_a_table_of_bad_rows_needs_no_model(trained, monkeypatch):
    monkeypatch.delattr("hstore_workflows.predict.ensure")
    table = predict_table(ENTHALPY, pd.DataFrame({"formula": ["Xx", ""]}), trained)
    assert table.model_id == ""
    assert table.frame["reason"].str.startswith("rejected: ").all()


def test_formulas_can_be_given_as_a_list(trained, predict):
    frame = predict_formulas(ENTHALPY, ["LaNi5", "not a formula"], trained).frame
    assert list(frame) == ["formula", *ADDED_COLUMNS]
    assert frame["mean"].notna().tolist() == [True, False]


def test_unknown_property_lists_the_close_matches(trained):
    with pytest.raises(UnknownNameError, match="did you mean 'desorption_enthalpy_kj_per_mol_h2'"):
        predict_formulas("desorption_enthalpy", ["LaNi5"], trained)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_command_writes_the_table_and_tells_what_was_left_out(hstore, strict_json, tmp_path, ending):
    (tmp_path / "mine.csv").write_text('id,formula,temperature_k,note\n007,LaNi5,300,"a,b"\n008,Xx,300,\n')
    result = hstore("predict", PRESSURE, "--in", "mine.csv", "--out", f"out.{ending}", "--json")
    assert result.exit_code == 0, result.output
    summary = strict_json(result.stdout)
    assert (summary["rows"], summary["rejected"]) == (2, 1)
    assert summary["model_id"].startswith("hydride_thermodynamics-")
    assert "warning: 1 row got no prediction" in result.stderr
    path = tmp_path / f"out.{ending}"
    frame = pd.read_csv(path, dtype=str) if ending == "csv" else pd.read_parquet(path)
    assert list(frame) == ["id", "formula", "temperature_k", "note", *ADDED_COLUMNS]
    assert frame["id"].tolist() == ["007", "008"]
    assert frame["temperature_k"].tolist() == ["300", "300"]
    assert frame["note"][0] == "a,b"
    assert float(frame["mean"][0]) == pytest.approx(1.9, abs=1.0)  # LaNi5 near room temperature


def test_command_prints_formulas_with_interval_and_cause(hstore):
    result = hstore("predict", PRESSURE, "LaNi5", "Xx", "Mg[2]Ni")
    assert result.exit_code == 0, result.output
    assert "Plateau pressure, bar, at 298.15 K" in result.stdout
    assert re.search(r"LaNi5 +│ +1\.\d+ │ +0\.\d+ to \d", result.stdout)
    assert "rejected: unknown element" in result.stdout
    assert "Mg[2]Ni" in result.stdout  # brackets are no markup
    assert "hydride_thermodynamics-" in result.stdout
    hot = hstore("predict", PRESSURE, "LaNi5", "--temperature-k", "353").stdout
    assert "at 353 K" in hot


def test_command_gives_formulas_as_json_and_as_a_table(hstore, strict_json, tmp_path):
    asked = hstore("predict", PRESSURE, "LaNi5", "Xx", "--temperature-k", "353", "--json", "--out", "o.csv")
    found = strict_json(asked.stdout)
    written = pd.read_csv(tmp_path / "o.csv")
    assert (found["rows"], found["rejected"]) == (2, 1)
    first, second = found["predictions"]
    assert list(first) == ["formula", "temperature_k", *ADDED_COLUMNS] == list(written)
    assert first["mean"] == pytest.approx(written["mean"][0])
    assert second["mean"] is None
    assert second["reason"].startswith("rejected: unknown element")
    (tmp_path / "in.csv").write_text("formula,temperature_k\nLaNi5,353\n")
    assert hstore("predict", PRESSURE, "--in", "in.csv", "--out", "same.csv").exit_code == 0
    assert pd.read_csv(tmp_path / "same.csv")["mean"][0] == pytest.approx(first["mean"])
    (heat,) = strict_json(hstore("predict", ENTHALPY, "LaNi5", "--json").stdout)["predictions"]
    assert "temperature_k" not in heat


def test_command_predicts_everything_that_a_formula_suffices_for(hstore, strict_json, tmp_path):
    asked = hstore("predict", "all", "LaNi5", "Xx", "--temperature-k", "353", "--json", "--out", "o.csv")
    found = strict_json(asked.stdout)
    written = pd.read_csv(tmp_path / "o.csv")
    assert len(written) == found["rows"] == len(found["predictions"]) == 12
    assert found["rejected"] == 6
    of_lani5 = {row["property"]: row for row in found["predictions"] if row["formula"] == "LaNi5"}
    assert list(written["property"][:6]) == list(of_lani5)
    for name, conditions in ((PRESSURE, ["--temperature-k", "353"]), (ENTHALPY, [])):
        (alone,) = strict_json(hstore("predict", name, "LaNi5", *conditions, "--json").stdout)["predictions"]
        assert of_lani5[name]["mean"] == pytest.approx(alone["mean"])
        assert of_lani5[name]["temperature_k"] == alone.get("temperature_k")
    assert of_lani5[CONDUCTIVITY]["reason"].startswith("holds no anion")
    assert found["model_id"].split(", ") == list(dict.fromkeys(written["model_id"].dropna()))


def test_command_prints_a_table_for_each_formula(hstore):
    printed = hstore("predict", "all", "LaNi5", "LiBH4").stdout
    first, second = printed.split("LiBH4, at 298.15 K")
    assert first.startswith("LaNi5, at 298.15 K")
    for text in (first, second):
        assert re.search(r"H2 capacity, wt% +│ +\d", text)
        assert "Plateau pressure, bar" in text
    assert "as above" in first  # the cause of one model is said once


def test_a_property_of_the_users_own_is_among_all(trained, loaded, monkeypatch):
    own = SimpleNamespace(
        model="hardness",
        model_id="hardness-1",
        properties=("hardness_gpa", "hot_hardness_gpa", "wear"),
        spec={
            "kind": "property",
            "targets": {
                "hardness_gpa": {"columns": []},
                "hot_hardness_gpa": {"columns": ["temperature_k"]},
                "wear": {"columns": ["load_n"]},
            },
        },
    )
    monkeypatch.setattr("hstore_models.training.Registry.cards", lambda _: [own])
    monkeypatch.setattr("hstore_models.training.Registry.current_id", lambda *_: "hardness-1")
    found = predicted_from_formulas(trained)
    assert found[-2:] == ("hardness_gpa", "hot_hardness_gpa")
    assert not set(found) & set(MODELS["sorbent_uptake"])


def test_a_temperature_that_makes_no_difference_is_said(hstore):
    result = hstore("predict", ENTHALPY, "LaNi5", "--temperature-k", "353")
    assert "does not depend on the temperature" in result.stderr
    assert "353" not in result.stdout


def test_command_twice_gives_the_same_bytes_also_onto_its_own_input(hstore, tmp_path):
    (tmp_path / "mine.csv").write_text("formula,x\nLaNi5,1\nTiFe,2\n")
    for source, out in (("mine.csv", "a.csv"), ("a.csv", "b.csv"), ("mine.csv", "mine.csv")):
        assert hstore("predict", ENTHALPY, "--in", source, "--out", out).exit_code == 0
    first = (tmp_path / "a.csv").read_bytes()
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "mine.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["desorption_entalpy", "--in", "mine.csv", "--out", "o.csv"], "did you mean 'desorption_enthalpy_kj_per"),
        ([ENTHALPY, "--in", "missing.csv", "--out", "o.csv"], "missing.csv is not a file"),
        ([ENTHALPY, "--in", "mine.csv", "--out", "o.xlsx"], "end the name in .csv or .parquet"),
        ([ENTHALPY, "--in", "mine.csv", "--out", "none/o.csv"], "folder none does not exist"),
        ([ENTHALPY, "--in", "other.csv", "--out", "o.csv"], "no formula column"),
        ([ENTHALPY, "--in", "mine.csv"], "--in needs --out"),
        ([ENTHALPY, "--out", "o.csv"], "give formulas, or a table with --in and --out"),
        ([ENTHALPY, "LaNi5", "--in", "mine.csv", "--out", "o.csv"], "give formulas, or a table"),
        ([PRESSURE, "--in", "mine.csv", "--out", "o.csv", "--temperature-k", "353"], "is for formulas"),
        (["all", "--in", "mine.csv", "--out", "o.csv"], '"all" is for formulas'),
        ([PRESSURE, "LaNi5", "--temperature-k", "-3"], "-3.0 is not in the range x>0"),
        (["usable_capacity_wt_pct", "LaNi5"], "predicted from descriptors of pores; give a table with --in"),
        (["--in", "mine.csv", "--out", "o.csv"], "Missing argument 'PROPERTY'"),
    ],
)
def test_bad_usage_exits_2_without_a_model(hstore, tmp_path, monkeypatch, arguments, cause):
    monkeypatch.delattr("hstore_workflows.predict.ensure")
    (tmp_path / "mine.csv").write_text("formula\nLaNi5\n")
    (tmp_path / "other.csv").write_text("alloy\nLaNi5\n")
    result = hstore("predict", *arguments)
    assert result.exit_code == 2, result.output
    assert cause in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"mine.csv", "other.csv"}
