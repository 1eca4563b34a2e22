"""Data sets over REST: cards with licence and checksum, whether they are here, and no path of the server."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from hstore.settings import Settings
from hstore_api.app import create_app
from hstore_data.catalog import datasets


def test_every_data_set_is_listed_with_licence_and_citation(client):
    found = {item["name"]: item for item in client.get("/v1/datasets").json()["items"]}
    assert list(found) == list(datasets())
    for name, card in datasets().items():
        item = found[name]
        assert (item["licence"], item["citation"], item["rows"]) == (card.licence, card.citation, card.rows)
        assert item["present"] is (card.tier.value == "curated"), "the tests have no public set"


@pytest.mark.parametrize("name", ["hydrides", "obelix"])
def test_a_card_has_columns_defects_and_checksums(client, name):
    card, found = datasets()[name], client.get(f"/v1/datasets/{name}").json()
    assert found["columns"] == card.columns
    assert found["known_defects"] == list(card.known_defects)
    assert found["sha256"] == card.sha256
    assert [file["sha256"] for file in found["files"]] == [file.sha256 for file in card.files]
    assert [step["step"] for step in found["cleaning"]] == [step.step for step in card.cleaning]


def test_a_set_that_is_in_use_names_the_versions_that_learned_from_it(client, loaded):
    card = loaded("hydride_capacity").card
    assert "hydrides" in {file.partition("/")[0] for file in card.checksums}
    assert card.model_id in client.get("/v1/datasets/hydrides").json()["used_by"]


def test_a_public_set_in_the_mirror_is_here_and_its_place_is_not_told(tmp_path, settings, records):
    card = datasets()["obelix"]
    for file in card.required_files:
        (tmp_path / "obelix").mkdir(exist_ok=True)
        (tmp_path / "obelix" / file.path).write_text("")
    app = create_app(Settings(**settings.model_dump(exclude={"data_mirror"}), data_mirror=tmp_path))
    with TestClient(app) as client:
        listed, shown = client.get("/v1/datasets"), client.get("/v1/datasets/obelix")
    assert [i["name"] for i in listed.json()["items"] if i["present"] and i["tier"] == "public"] == ["obelix"]
    assert shown.json()["present"]
    for answer in (listed, shown):
        assert str(tmp_path) not in answer.text
        assert str(settings.home) not in answer.text


def test_an_unknown_set_is_not_found(client, problem):
    problem(client.get("/v1/datasets/nothing"), 404, "not_found")
