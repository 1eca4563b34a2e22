"""Which models answer over REST: the operator's own, the fallback of a damaged one, and never those of a lab."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore.settings import Settings
from hstore_api.predictor import Predictor
from hstore_api.training import Training
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_models.spec import Spec
from hstore_models.training import ensure, train

GAP = "gap_ev"
ROWS = pd.DataFrame(
    [(f"{cation}2{anion}", 1.0 + i + 0.5 * j, 300.0 + 40 * (j % 2))
     for i, cation in enumerate(("Li", "Na", "K")) for j, anion in enumerate(("O", "S", "Se", "Te"))],
    columns=["formula", GAP, "temperature_k"],
)  # fmt: skip


def spec_of(name="gap", target=GAP, columns=(), **fields):
    learner = {"kind": "extra_trees", "parameters": {"n_estimators": 10}}
    told = {"features": ["hydride"], "columns": list(columns), "learners": [learner], "low": 0.0}
    return Spec.model_validate(
        {"name": name, "kind": "property", "summary": "Band gaps of salts.", "unit": "eV",
         "split": {"n_folds": 2}, "targets": {target: told}} | fields
    )  # fmt: skip


def predictor_of(settings):
    """A predictor that trains in this process, which takes a second less."""
    return Predictor(settings, training=Training(settings, ensure))


@pytest.fixture
def settings(tmp_path):
    """A home of its own, without any model."""
    return Settings(home=tmp_path / "home", database_url=None, data_mirror=None)


@pytest.fixture
def predictor(settings):
    """A predictor that has loaded nothing."""
    return predictor_of(settings)


@pytest.fixture
def restart(app, settings, client):
    """Let the running app forget the models it has loaded."""

    def forget():
        app.state.service = replace(app.state.service, predictor=predictor_of(settings))

    return forget


def trained_on(settings, rows, **fields):
    return train(spec_of(**fields), settings, tables={"gaps": rows}).loaded


def ask(client, formulas, status=200, **fields):
    response = client.post("/v1/predictions", json={"property": GAP, "formulas": formulas} | fields)
    assert response.status_code == status, response.text
    return response.json()


def test_a_model_of_ones_own_answers_once_it_is_in_use(client, settings):
    assert "unknown predicted property" in ask(client, ["Li2S"], status=422)["detail"]
    loaded = trained_on(settings, ROWS)
    answer = ask(client, ["Li2S", "K2O", "?"])
    assert (answer["unit"], answer["model_id"], answer["note"]) == ("eV", loaded.card.model_id, "")
    expected = loaded.model.predict(GAP, Query.of([parse_amounts("Li2S"), parse_amounts("K2O")]))
    assert [row["mean"] for row in answer["rows"]] == [*expected.mean.tolist(), None]
    assert answer["n_errors"] == 1
    listed = client.get("/v1/properties").json()["items"][-1]
    assert (listed["name"], listed["unit"], listed["predicted_from"], listed["model"]) == (
        GAP,
        "eV",
        "formula",
        "gap",
    )
    assert (listed["low"], listed["high"], listed["description"]) == (0.0, None, "Band gaps of salts.")
    card = client.get("/v1/models").json()["items"][0]
    assert (card["model_id"], card["own_spec"], card["n_added_rows"]) == (loaded.card.model_id, True, len(ROWS))


def test_its_domain_can_be_refused(client, settings):
    trained_on(settings, ROWS)
    row = ask(client, ["Li2Xe"], out_of_domain="refuse")["rows"][0]
    assert row["mean"] is None
    assert "Xe" in row["reason"]


def test_conditions_that_it_is_learned_from_are_asked_for(client, settings):
    trained_on(settings, ROWS, columns=["temperature_k"])
    assert "is learned from temperature_k" in ask(client, ["Li2S"], status=422)["detail"]
    assert "does not depend on pressure_bar" in ask(client, ["Li2S"], status=422, pressure_bar=1)["detail"]
    answer = ask(client, ["Li2S"], temperature_k=320)
    assert answer["rows"][0]["mean"] > 0
    assert answer["conditions"]["temperature_k"] == 320


def test_descriptors_that_a_request_cannot_state_are_refused_with_the_way_out(client, settings):
    trained_on(settings, ROWS.assign(density_g_cm3=2.0), columns=["density_g_cm3"])
    told = ask(client, ["Li2S"], status=422)
    assert "density_g_cm3" in told["detail"]
    assert f"hstore predict {GAP}" in told["detail"]
    assert client.get("/v1/properties").json()["items"][-1]["predicted_from"] == "descriptors"


def test_models_of_a_lab_are_as_if_absent(client, settings):
    absent = ask(client, ["Li2S"], status=422)
    loaded = trained_on(settings, ROWS.assign(lab_id="north"))
    assert loaded.card.labs == ("north",)
    hidden = ask(client, ["Li2S"], status=422)
    assert {k: v for k, v in hidden.items() if k != "correlation_id"} == {
        k: v for k, v in absent.items() if k != "correlation_id"
    }
    assert client.get("/v1/models").json()["items"] == []
    assert GAP not in {item["name"] for item in client.get("/v1/properties").json()["items"]}
    for address in ("/v1/models", "/v1/properties"):
        assert "north" not in client.get(address).text
    public = trained_on(settings, ROWS)
    assert ask(client, ["Li2S"])["model_id"] == public.card.model_id, "beside it, the public one is served"
    assert [item["model_id"] for item in client.get("/v1/models").json()["items"]] == [public.card.model_id]


def test_the_version_before_a_damaged_one_serves_and_the_answer_says_so(client, settings, restart):
    registry = Registry(settings.models_dir)
    first = trained_on(settings, ROWS).card
    second = trained_on(settings, ROWS.assign(**{GAP: ROWS[GAP] + 0.1})).card
    registry.promote("gap", second.model_id, "newer")
    restart()
    sound = ask(client, ["Li2S"])
    assert (sound["model_id"], sound["note"]) == (second.model_id, "")
    (registry.folder / "gap" / second.model_id / "model.zip").write_bytes(b"damaged")
    assert ask(client, ["Li2S"]) == sound, "what is loaded serves on"
    restart()
    answer = ask(client, ["Li2S"])
    assert answer["model_id"] == first.model_id
    assert f"{first.model_id} serves in place of the version in use" in answer["note"]
    assert str(settings.models_dir) not in answer["note"], "no folder of the server is told"


def test_a_model_none_of_whose_versions_can_be_used_is_made_anew(client, settings):
    card = trained_on(settings, ROWS).card
    file = settings.models_dir / "gap" / card.model_id / "model.zip"
    file.write_bytes(b"damaged")
    answer = ask(client, ["Li2S"])
    assert (answer["model_id"], answer["note"]) == (card.model_id, "")
    assert file.read_bytes() != b"damaged"


def test_cards_show_families_and_baselines(client, settings):
    score = trained_on(settings, ROWS).card.scores[GAP]
    listed = client.get("/v1/models").json()["items"][0]["scores"][GAP]
    assert listed["mae_nearest_neighbour"] == score.mae_nearest_neighbour
    assert listed["mae_plain_forest"] == score.mae_plain_forest
    assert listed["by_family"] == {name: part.model_dump() for name, part in score.by_family.items()}
    assert listed["by_family"], "the rows have families"
    assert listed["split_hash"]
