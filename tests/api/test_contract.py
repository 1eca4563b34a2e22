"""The contract: committed, current, complete, and kept by the service."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from hstore.properties import PROPERTIES
from hstore_api import contract
from hstore_models.training import MODELS


@pytest.fixture(scope="module")
def document():
    """The committed contract."""
    return json.loads(contract.CONTRACT.read_text(encoding="utf-8"))


def operations(document):
    return [(f"{m} {p}", o) for p, methods in document["paths"].items() for m, o in methods.items()]


def numbers_below(name, schema):
    """Yield every numeric field, with its schema; one that may be null says its unit and example inside."""
    parts = [part for part in (schema, *schema.get("anyOf", ())) if part.get("type") in {"number", "integer"}]
    if parts:
        yield name, parts[0] | {k: v for k, v in schema.items() if k != "anyOf"}
    for field, inner in schema.get("properties", {}).items():
        yield from numbers_below(f"{name}.{field}", inner)


def test_the_committed_contract_is_that_of_the_code():
    result = CliRunner().invoke(contract.main, ["--check"])
    assert result.exit_code == 0, result.output


def test_the_check_fails_on_any_difference_and_writing_mends_it(tmp_path, monkeypatch):
    copy = tmp_path / "openapi.json"
    monkeypatch.setattr(contract, "CONTRACT", copy)
    assert CliRunner().invoke(contract.main, ["--check"]).exit_code == 1
    assert CliRunner().invoke(contract.main, []).exit_code == 0
    assert CliRunner().invoke(contract.main, ["--check"]).exit_code == 0
    copy.write_text(copy.read_text().replace("LaNi5", "LaNi4", 1))
    result = CliRunner().invoke(contract.main, ["--check"])
    assert result.exit_code == 1
    assert "python -m hstore_api.contract" in result.output


def test_every_number_has_description_unit_and_example(document):
    fields = [f for name, s in document["components"]["schemas"].items() for f in numbers_below(name, s)]
    assert len(fields) > 20
    for name, schema in fields:
        assert schema.get("description"), name
        assert schema.get("unit"), name
        assert schema.get("examples"), name
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
            for _, schema in numbers_below(name, parameter["schema"]):
                assert schema["unit"], (name, parameter["name"])


def test_every_field_has_a_description(document):
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, inner in schema.get("properties", {}).items():
            assert inner.get("description"), f"{name}.{field}"


def test_every_operation_declares_its_errors_as_problems(document):
    for name, operation in operations(document):
        assert operation["summary"], name
        assert {"500", "503"} < operation["responses"].keys(), name
        assert {"200", "201", "202", "204", "303"} & operation["responses"].keys(), name
        if operation.get("parameters") or operation.get("requestBody"):
            assert "422" in operation["responses"], name
        if operation.get("requestBody"):
            assert {"400", "413"} <= operation["responses"].keys(), name
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], (name, status)
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)


def test_every_address_is_in_the_readme(document):
    """In full, or as what is added to an address before it in the same row."""
    readme = (contract.CONTRACT.parents[1] / "README.md").read_text(encoding="utf-8")
    listed = set()
    for row in re.findall(r"^\| (`/.*?) \|", readme, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        listed |= {
            first,
            *others,
            *(first.rpartition("/")[0] + other for other in others),
            *(first + o for o in others),
        }
    assert set(document["paths"]) - listed == set()


def test_operations_have_short_and_unique_names(document):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/healthz", "/healthz"),
        ("/v1/materials", "/v1/materials?limit=2"),
        ("/v1/materials/{material_id}", "/v1/materials/f/Fe"),
        ("/v1/screens", "/v1/screens"),
        ("/v1/properties", "/v1/properties"),
        ("/v1/models", "/v1/models"),
    ],
)
def test_responses_are_as_the_contract_says(client, document, path, address):
    response = client.get(address)
    assert response.status_code == 200
    declared = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**declared, "components": document["components"]}).validate(response.json())


def test_health_tells_the_version(client):
    import hstore

    assert client.get("/healthz").json() == {"status": "ok", "version": hstore.__version__, "materials": "ready"}


def test_every_property_is_listed_with_what_predicts_it(client):
    listed = {item["name"]: item for item in client.get("/v1/properties").json()["items"]}
    assert listed.keys() == PROPERTIES.keys()
    assert {name: item["unit"] for name, item in listed.items()} == {n: p.unit for n, p in PROPERTIES.items()}
    predicted = {name for group in MODELS.values() for name in group}
    assert {name for name, item in listed.items() if item["predicted_from"]} == predicted
    assert listed["usable_capacity_wt_pct"]["predicted_from"] == "descriptors"
    assert listed["plateau_pressure_bar"]["predicted_from"] == "formula"


def test_a_model_that_answered_is_listed_with_its_scores(client):
    question = {"property": "h2_capacity_wt_pct", "formulas": ["LaNi5"]}
    model_id = client.post("/v1/predictions", json=question).json()["model_id"]
    listed = {item["model_id"]: item for item in client.get("/v1/models").json()["items"]}
    assert listed[model_id]["current"]
    score = listed[model_id]["scores"]["h2_capacity_wt_pct"]
    assert score["mae"] < score["mae_mean_predictor"]
    assert score["n"] > 50


def test_no_page_loads_anything_from_elsewhere(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
    assert client.get("/openapi.json").status_code == 200
