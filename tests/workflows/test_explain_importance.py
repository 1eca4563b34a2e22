import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError

pytestmark = pytest.mark.skipif(find_spec("shap") is None, reason="needs pip install 'hstore[explain]'")


@pytest.fixture
def explained(hstore, loaded, monkeypatch):
    monkeypatch.setattr("hstore_workflows.explain.importance.ensure", lambda name, *_, **__: loaded(name))
    return lambda *arguments: hstore("explain", "importance", *arguments)


def test_predictions_are_divided_and_told_in_words(explained, tmp_path):
    options = ("--formula", "LaNi5,MgH2,Xx", "--background", "6", "--figure", "why.png", "--out", "why.csv")
    done = explained("desorption_enthalpy_kj_per_mol_h2", *options)
    assert done.exit_code == 0, done.output
    assert "heat of the binary hydrides of its elements" in done.stdout
    assert "row 3 is not explained: unknown element 'Xx'" in done.stdout
    table = pd.read_csv(tmp_path / "why.csv")
    parts = table.drop(columns=["material", "prediction", "base"])
    assert (table["base"] + parts.sum(axis=1)).tolist() == pytest.approx(table["prediction"].tolist(), abs=1e-9)
    assert (tmp_path / "why.png").stat().st_size > 10_000


def test_json_holds_every_part_and_the_gap(explained):
    done = explained("plateau_pressure_bar", "--formula", "TiFe", "--background", "4", "--json")
    told = json.loads(done.stdout)
    assert told["largest_additivity_gap"] < 1e-9
    assert told["unit"] == "decades"
    only = told["materials"][0]
    assert only["base"] + sum(part["value"] for part in only["parts"]) == pytest.approx(only["prediction"])
    sizes = [part["mean_magnitude"] for part in told["importance"]]
    assert sizes == sorted(sizes, reverse=True)


def test_training_materials_stand_in_where_none_is_given(explained):
    told = json.loads(
        explained("desorption_enthalpy_kj_per_mol_h2", "--sample", "3", "--background", "4", "--json").stdout
    )
    assert len(told["materials"]) == 3


def test_sorbents_are_explained_by_their_pores(explained, tmp_path):
    pd.DataFrame({
        "name": ["A", "B"], "gsa_m2_g": [3000, np.nan], "pore_volume_cm3_g": [1.2, 1.0],
        "temperature_k": [77, 77], "pressure_bar": [20, 20],
    }).to_csv(tmp_path / "pores.csv", index=False)  # fmt: skip
    told = json.loads(explained("h2_uptake_wt_pct", "--in", "pores.csv", "--background", "8", "--json").stdout)
    assert [only["material"] for only in told["materials"]] == ["A"]
    assert told["rejected"] == [{"row": 2, "cause": "the model has no answer for it"}]
    assert told["importance"][0]["part"] == "surface"


def test_what_cannot_be_explained_is_refused(explained, tmp_path):
    both = explained("plateau_pressure_bar", "--formula", "TiFe", "--in", "x.csv")
    assert both.exit_code == 2
    none = explained("plateau_pressure_bar", "--formula", "Xx")
    assert none.exit_code == 2
    assert "none of the materials can be explained" in none.stderr


def test_large_tables_are_refused(trained, loaded, monkeypatch):
    from hstore_workflows.explain import importance

    monkeypatch.setattr(importance, "ensure", lambda name, *_, **__: loaded(name))
    with pytest.raises(InputError, match="at most 500 materials"):
        importance.explain_importance("plateau_pressure_bar", pd.DataFrame({"formula": ["TiFe"] * 501}), trained)
