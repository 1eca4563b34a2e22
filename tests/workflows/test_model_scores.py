"""``hstore models scores``: how wrong the models in use are, as text, JSON and Markdown."""

import json
import re

import pytest

from hstore.errors import ModelError
from hstore.records import Access
from hstore.settings import Settings
from hstore_models.registry import Registry
from hstore_models.score_sheet import score_sheets
from hstore_models.training import MODELS
from hstore_workflows.score_report import how_wrong_markdown, sheets_in_use, sheets_markdown


@pytest.fixture
def all_models(loaded):
    return {name: loaded(name).card for name in MODELS}


def done(result, code=0):
    assert result.exit_code == code, result.output
    return result.stdout


def test_all_models_in_use_are_said_with_baselines_families_and_misses(hstore, all_models):
    told = done(hstore("models", "scores"))
    for card in all_models.values():
        for name, score in card.scores.items():
            block = told[told.index(f"{name}, {score.unit} ({card.model_id})") :]
            assert f"MAE {score.mae:.3g}, median {score.median_error:.3g}, RMSE {score.rmse:.3g}" in block
            assert f"mean predictor {score.mae_mean_predictor:.3g}" in block
            assert score.split_hash in block
    assert told.count("the 10 worst misses") == sum(len(card.scores) for card in all_models.values())


def test_one_model_by_name_and_by_id(hstore, all_models):
    card = all_models["hydride_capacity"]
    by_name = json.loads(done(hstore("models", "scores", "hydride_capacity", "--json")))
    by_id = json.loads(done(hstore("models", "scores", card.model_id, "--json")))
    assert by_name == by_id
    (sheet,) = by_name
    assert sheet["score"]["mae"] == card.scores["h2_capacity_wt_pct"].mae
    assert len(sheet["misses"]) == 10
    assert {"label", "citations", "measured", "predicted", "lower", "upper", "error", "inside"} <= set(
        sheet["misses"][0]
    )
    assert [part["mae"] for part in sheet["worst_families"]] == sorted(
        (part["mae"] for part in sheet["worst_families"]), reverse=True
    )


def test_markdown_is_tables_of_equal_rows_and_links_of_dois(hstore, all_models):
    text = done(hstore("models", "scores", "--markdown"))
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    n_properties = sum(len(card.scores) for card in all_models.values())
    assert len(tables) == 1 + 3 * n_properties
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert re.search(r"\[10\.\d{4,}/[^\]]+\]\(<https://doi\.org/10\.", text)


def test_the_page_of_the_documentation_is_the_same_as_the_command(hstore, trained, all_models):
    assert how_wrong_markdown(trained) == done(hstore("models", "scores", "--markdown"))


def test_what_others_wrote_means_nothing_in_markdown(loaded):
    model = loaded("sorbent_uptake")
    rows = model.held_out.copy()
    worst = (rows["predicted"] - rows["measured"]).abs().idxmax()
    rows.loc[worst, "label"] = "a|b*c_d$e<script>"
    text = sheets_markdown(score_sheets(model.card, rows))
    assert r"a\|b\*c\_d\$e\<script\>" in text


def test_a_model_of_a_lab_is_not_on_the_page(loaded, tmp_path):
    model = loaded("sorbent_uptake")
    settings = Settings(home=tmp_path)
    registry = Registry(settings.models_dir)
    card = model.card.model_copy(
        update={"model_id": "sorbent_uptake-own", "access": Access(lab_id="north", visibility="lab")}
    )
    registry.save(model.model, card, model.held_out)
    with pytest.raises(ModelError, match="no model is in use"):
        sheets_in_use(settings)
    assert {sheet.model_id for sheet in sheets_in_use(settings, lab_id="north")} == {"sorbent_uptake-own"}


def test_nothing_trained_is_said_with_what_to_do(hstore, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "empty"))
    result = hstore("models", "scores")
    assert result.exit_code == 1
    assert "hstore train --all" in result.stderr


def test_an_unknown_model_and_two_forms_are_bad_usage(hstore, all_models):
    unknown = hstore("models", "scores", "hydride_capcity")
    assert unknown.exit_code == 2
    assert "hydride_capacity" in unknown.stderr
    both = hstore("models", "scores", "--json", "--markdown")
    assert both.exit_code == 2
    assert "give one of them" in both.stderr


def test_what_the_page_says_of_the_embedded_data_is_so(trained, all_models):
    """The sentences above the tables of docs/explanation/how-wrong.md, which no build writes."""
    sheets = {sheet.property_name: sheet for sheet in sheets_in_use(trained)}
    enthalpy = sheets["desorption_enthalpy_kj_per_mol_h2"]
    *others, strong = enthalpy.ranges
    assert strong.label.startswith(("56", "57"))
    assert 2 * max(part.mae for part in others) < strong.mae
    assert strong.mae / 3.6 < sum(part.mae for part in others) / 4 < strong.mae / 2.6
    worst = [miss for miss in enthalpy.misses if miss.measured > 56]
    assert len(worst) > len(enthalpy.misses) / 2
    assert sum(miss.error < 0 for miss in worst) > len(worst) / 2
    entropy = sheets["desorption_entropy_j_per_mol_h2_k"].score
    assert 0.7 * entropy.mae_mean_predictor < entropy.mae < entropy.mae_mean_predictor
    capacity = {miss.label: miss for miss in sheets["h2_capacity_wt_pct"].misses}
    assert all(0.62 < capacity[metal].predicted / capacity[metal].measured < 0.72 for metal in ("Ti", "V"))
    conductivity = sheets["log10_conductivity_s_per_cm"]
    assert conductivity.ranges[0].mae > 2
    assert all(6.5 < part.mean_width < 10.5 for part in conductivity.ranges)
    sorbents = sheets["h2_uptake_wt_pct"].score.by_family
    assert sorbents["carbon"].coverage < 0.8 < sorbents["MOF"].coverage
    assert sorbents["carbon"].n < 20
    floors = [sheet.score.noise_floor_mae for sheet in sheets.values()]
    assert sum(floor is None for floor in floors) > len(floors) / 2
    assert {m.family for m in sheets["plateau_pressure_bar"].misses if m.label == "NaAlH4"} == {"AB"}
