"""Models over REST: cards, held-out values, comparison, release, and nothing of another lab's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hstore.keys import permissions_of
from hstore.records import PUBLIC_SCOPE
from hstore.settings import Settings
from hstore_api.loaded_models import LoadedModels
from hstore_api.predictor import Predictor
from hstore_models.gate import compare
from hstore_models.registry import Registry
from hstore_models.spec import Spec
from hstore_models.training import train

GAP = "gap_ev"
METALS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Al", "Sc", "Y", "La")
ANIONS = ("O", "S", "Se", "Te")


def gaps(shift=0.0, noise=0.0, seed=0):
    """Gaps of binary compounds; with noise, what is learned from them is worse."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{metal}{1 + j % 2}{anion}", 2.0 + 0.3 * i + 0.5 * j + shift + noise * rng.normal())
        for i, metal in enumerate(METALS)
        for j, anion in enumerate(ANIONS)
    ]
    return pd.DataFrame(rows, columns=["formula", GAP]).assign(**{GAP: lambda t: t[GAP].clip(0.05)})


def spec(name="gap", trees=20):
    learner = {"kind": "extra_trees", "parameters": {"n_estimators": trees}}
    told = {"features": ["hydride"], "learners": [learner], "low": 0.0}
    return Spec.model_validate(
        {"name": name, "kind": "property", "summary": "Band gaps of salts.", "unit": "eV",
         "split": {"n_folds": 3}, "targets": {GAP: told}}
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    """A home of its own, without any model."""
    return Settings(home=tmp_path / "home", database_url=None, data_mirror=None)


@pytest.fixture
def predictor(settings):
    """A predictor that has loaded nothing."""
    return Predictor(settings)


@pytest.fixture
def public(settings):
    """A public version in use."""
    return train(spec(), settings, tables={"gaps": gaps()}).loaded


@pytest.fixture
def private(settings, public):
    """A version of the lab north, trained on rows of its own as well."""
    rows = gaps(shift=0.4).assign(lab_id="north", formula=lambda t: t["formula"] + "F")
    return train(spec(), settings, tables={"gaps": gaps(), "north-rows": rows}).loaded


def predicted(client, formula="Li2S", status=200, headers=None, **fields):
    response = client.post(
        "/v1/predictions", json={"property": GAP, "formulas": [formula]} | fields, headers=headers or {}
    )
    assert response.status_code == status, response.text
    return response.json()


def told(response):
    """Return a problem without what differs from request to request."""
    return {k: v for k, v in response.json().items() if k not in {"correlation_id", "instance"}}


def test_a_model_has_versions_history_and_cards(client, public):
    found = client.get("/v1/models/gap").json()
    assert (found["current"], found["properties"]) == (public.card.model_id, [GAP])
    (version,) = found["versions"]
    assert (version["model_id"], version["current"], version["private"]) == (public.card.model_id, True, False)
    assert version["n_rows"] == len(gaps())
    assert version["mae"][GAP] == public.card.scores[GAP].mae
    assert [(e["model_id"], e["action"], e["for_lab"]) for e in found["history"]] == [
        (public.card.model_id, "promote", False)
    ]
    card = client.get(f"/v1/models/gap/versions/{public.card.model_id}").json()
    assert card["checksums"] == public.card.checksums
    assert card["licence"] == public.card.licence
    assert card["scores"][GAP]["by_family"]
    assert card["spec"]["name"] == "gap"
    assert card["importances"]


def test_held_out_values_come_by_pages_or_sampled(client, public):
    address = f"/v1/models/gap/versions/{public.card.model_id}/held-out"
    table = public.held_out
    whole = client.get(address).json()
    assert (whole["total"], whole["next"], len(whole["items"])) == (len(table), None, len(table))
    assert [row["label"] for row in whole["items"]] == table["label"].tolist()
    np.testing.assert_allclose([row["predicted"] for row in whole["items"]], table["predicted"])
    rows, after = [], None
    while True:
        page = client.get(address, params={"limit": 20} | ({} if after is None else {"after": after})).json()
        rows, after = rows + page["items"], page["next"]
        if after is None:
            break
    assert rows == whole["items"]
    few = client.get(address, params={"sample": 5, "property": GAP}).json()
    assert (len(few["items"]), few["total"]) == (5, len(table))
    measured = [row["measured"] for row in few["items"]]
    assert (min(measured), max(measured)) == (table["measured"].min(), table["measured"].max()), "ends are kept"
    assert client.get(address, params={"property": "other"}).json()["items"] == []
    assert client.get(address, params={"sample": 5, "after": 1}).status_code == 422


def test_two_versions_are_compared_as_the_gate_does(client, settings, public, problem):
    other = train(spec(), settings, tables={"gaps": gaps(noise=2.0)}).loaded
    address = f"/v1/models/gap/versions/{other.card.model_id}/compare"
    found = client.get(address).json()
    expected = compare(public, other, metric="mae")
    assert (found["champion_id"], found["challenger_id"]) == (public.card.model_id, other.card.model_id)
    assert found["better"] == expected.better
    assert tuple(found["reasons"]) == expected.reasons
    assert client.get(address, params={"with": public.card.model_id}).json() == found
    problem(client.get(address, params={"with": other.card.model_id}), 409, "conflict")
    problem(client.get(address, params={"with": "gap-000000000000"}), 404, "not_found")


def test_a_worse_version_is_refused_unless_forced(client, settings, public, key, records, problem):
    worse = train(spec(), settings, tables={"gaps": gaps(noise=3.0)}).loaded.card
    admin, wish = key("operators", "admin"), {"model_id": worse.model_id, "for_everybody": True}
    refused = problem(client.post("/v1/models/gap/promote", json=wish, headers=admin), 409, "conflict")
    assert f"{worse.model_id} is not better than {public.card.model_id}" in refused["detail"]
    assert GAP in refused["detail"], "the reasons of the gate"
    assert "hstore models" not in refused["detail"]
    assert predicted(client)["model_id"] == public.card.model_id
    forced = client.post("/v1/models/gap/promote", json=wish | {"force": "to see it"}, headers=admin).json()
    assert (forced["entry"]["forced"], forced["entry"]["reason"]) == (True, "to see it")
    assert forced["verdict"]["better"] is False
    assert predicted(client)["model_id"] == worse.model_id, "noticed without a restart"
    problem(client.post("/v1/models/gap/promote", json=wish, headers=admin), 409, "conflict")
    back = client.post("/v1/models/gap/rollback", json={"reason": "seen", "for_everybody": True}, headers=admin)
    assert back.json()["entry"]["model_id"] == public.card.model_id
    assert predicted(client)["model_id"] == public.card.model_id
    again = client.post("/v1/models/gap/rollback", json={"reason": "x", "for_everybody": True}, headers=admin)
    assert problem(again, 409, "conflict")["detail"] == "gap has no earlier champion to roll back to"
    noted = [(e.action, e.subjects, e.detail["forced"]) for e in records.audit.entries()]
    assert noted == [
        ("models.rollback", (public.card.model_id,), False),
        ("models.promote", (worse.model_id,), True),
    ]


def test_a_promotion_by_another_process_counts_at_once(client, settings, public):
    before = predicted(client)
    other = train(spec(), settings, tables={"gaps": gaps(shift=1.0)}).loaded.card
    assert predicted(client) == before
    Registry(settings.models_dir).promote("gap", other.model_id, "by the command line")
    after = predicted(client)
    assert after["model_id"] == other.model_id
    assert after["rows"][0]["mean"] > before["rows"][0]["mean"]


def test_who_may_release(client, public, key, problem, records):
    wish = {"model_id": public.card.model_id}
    _, secret = records.keys.create("no lab", permissions_of("train"), lab_id=None)
    for verb, body in (("promote", wish), ("rollback", {"reason": "x"})):
        address = f"/v1/models/gap/{verb}"
        problem(client.post(address, json=body), 401, "unauthenticated")
        problem(client.post(address, json=body, headers=key("north", "read,run")), 403, "forbidden")
        everybody = body | {"for_everybody": True}
        problem(client.post(address, json=everybody, headers=key("north", "train")), 403, "forbidden")
        problem(client.post(address, json=body, headers=key("north", "admin")), 403, "forbidden")
        problem(client.post(address, json=body, headers={"X-API-Key": secret}), 403, "forbidden")
        problem(client.post(f"/v1/models/none/{verb}", json=body, headers=key("north", "train")), 404, "not_found")


def test_a_lab_uses_its_own_version_and_nobody_else_learns_of_it(client, settings, public, private, key, problem):
    north, south, train_key = key("north"), key("south"), key("north", "read,train")
    named = private.card.model_id
    before = {who: predicted(client, headers=h) for who, h in (("south", south), ("nobody", {}))}
    lists = {a: client.get(a, headers=south).json() for a in ("/v1/models", "/v1/models/gap", "/v1/properties")}
    forced = client.post(
        "/v1/models/gap/promote", json={"model_id": named, "force": "ours"}, headers=train_key
    ).json()
    assert forced["entry"]["for_lab"] is True
    ours = predicted(client, headers=north)
    assert ours["model_id"] == named
    assert ours["rows"] != before["south"]["rows"]
    assert predicted(client, headers=north, model_id=public.card.model_id)["rows"] == before["south"]["rows"]
    assert client.get("/v1/models/gap", headers=north).json()["current"] == named
    assert named in client.get(f"/v1/models/gap/versions/{named}", headers=north).text
    for who, headers in (("south", south), ("nobody", {})):
        assert predicted(client, headers=headers) == before[who]
        assert named not in client.get("/v1/models", headers=headers).text
    for address, known in lists.items():
        assert client.get(address, headers=south).json() == known, address
    absent = "gap-000000000000"
    for tail in ("", "/held-out", "/compare"):
        hidden, missing = (
            client.get(f"/v1/models/gap/versions/{i}{tail}", headers=south) for i in (named, absent)
        )
        assert told(hidden) == {k: v.replace(absent, named) if isinstance(v, str) else v
                                for k, v in told(missing).items()}  # fmt: skip
        problem(hidden, 404, "not_found")
    beside = f"/v1/models/gap/versions/{public.card.model_id}/compare"
    problem(client.get(beside, params={"with": named}, headers=south), 404, "not_found")
    hidden, missing = (predicted(client, headers=south, model_id=i, status=422) for i in (named, absent))
    assert hidden["detail"] == missing["detail"].replace(absent, named)
    promote = client.post("/v1/models/gap/promote", json={"model_id": named}, headers=key("south", "train"))
    problem(promote, 404, "not_found")
    everybody = {"model_id": named, "for_everybody": True, "force": "all"}
    problem(client.post("/v1/models/gap/promote", json=everybody, headers=key("north", "admin")), 409, "conflict")
    problem(client.post("/v1/models/gap/promote", json=everybody, headers=key("south", "admin")), 404, "not_found")


def test_a_model_that_only_a_lab_has_is_unknown_to_others(client, settings, key, problem):
    rows = gaps().assign(lab_id="north")
    card = train(spec("quiet"), settings, tables={"rows": rows}).loaded.card
    north, south = key("north"), key("south")
    assert client.get("/v1/models/quiet", headers=north).json()["current"] == card.model_id
    assert predicted(client, headers=north)["model_id"] == card.model_id
    assert client.get(f"/v1/properties/{GAP}", headers=north).json()["model_id"] == card.model_id
    hidden, missing = (client.get(f"/v1/models/{name}", headers=south) for name in ("quiet", "never"))
    problem(hidden, 404, "not_found")
    assert told(hidden)["detail"] == told(missing)["detail"].replace("never", "quiet")
    problem(client.get(f"/v1/properties/{GAP}", headers=south), 404, "not_found")
    assert "unknown predicted property" in predicted(client, headers=south, status=422)["detail"]
    roll = {"reason": "x"}
    problem(client.post("/v1/models/quiet/rollback", json=roll, headers=key("south", "train")), 404, "not_found")


def test_a_property_says_what_answers_for_it(client, settings, public):
    found = client.get(f"/v1/properties/{GAP}").json()
    assert (found["model"], found["model_id"], found["unit"]) == ("gap", public.card.model_id, "eV")
    assert found["families"] == list(public.card.scores[GAP].by_family)
    assert found["score"]["mae"] == public.card.scores[GAP].mae
    shipped = client.get("/v1/properties/plateau_pressure_bar").json()
    assert (shipped["model"], shipped["model_id"], shipped["score"]) == ("hydride_thermodynamics", None, None)


def test_memory_of_loaded_models_is_bounded(settings, public):
    second = train(spec(trees=25), settings, tables={"gaps": gaps()}).loaded.card
    models = LoadedModels(settings, memory_bytes=1)
    for card in (public.card, second, public.card):
        assert models.version(card, PUBLIC_SCOPE).card.model_id == card.model_id
    one = LoadedModels(settings)
    one.version(public.card, PUBLIC_SCOPE)
    assert models.bytes_in_memory() == one.bytes_in_memory() > 0, "one at a time"


def test_answers_of_other_code_are_checked_before_they_serve(client, settings, public, monkeypatch, app):
    monkeypatch.setattr("hstore_models.training.code_version", lambda: "other")
    assert predicted(client)["model_id"] == public.card.model_id, "it answers as it did"
    monkeypatch.setattr("hstore_models.golden.TOLERANCE", -1.0)  # every answer counts as moved
    again = []
    training = type("Training", (), {"wait_for": lambda _, name: again.append(name)})()
    app.state.service = replace(app.state.service, predictor=Predictor(settings, training=training))
    assert predicted(client, status=503)["code"] == "model_unavailable"
    assert again == ["gap"]
