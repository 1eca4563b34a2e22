"""Tables of materials, measurements and screens name the licences of their rows, and say where these are mixed."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from hstore.licences import NOT_STATED, OWN_DATA
from hstore.records import Provenance
from hstore_api.app import create_app
from hstore_workflows.licensing import SHIPPED_SOURCE


@pytest.fixture
def licensed(records, build):
    """Three more materials, one each under CC-BY-4.0, CC-BY-NC-4.0 and both; those of ``records`` state none."""
    said = {"g": "CC-BY-4.0", "h": "CC BY-NC 4.0", "i": "CC-BY-4.0 AND CC-BY-NC-4.0"}
    records.add_materials(
        build.material(name, "TiFe", provenance=Provenance(source="licensed", licence=licence))
        for name, licence in said.items()
    )
    return records


def rows_of(response):
    return list(csv.DictReader(io.StringIO(response.text)))


def metadata_of(response):
    return json.loads(pq.read_schema(io.BytesIO(response.content)).metadata[b"hstore.licences"])


COUNTS = {"CC-BY-4.0": 2, "CC-BY-NC-4.0": 2, NOT_STATED: 6}
HEADER = "not stated=6; CC-BY-4.0=2; CC-BY-NC-4.0=2"


@pytest.mark.parametrize("extra", ["", "&all=true", "&fields=formula", "&all=true&fields=formula"])
def test_tables_of_materials_name_a_mixture(client, licensed, extra):
    for form in ("csv", "parquet"):
        found = client.get(f"/v1/materials?format={form}&limit=200{extra}")
        assert found.status_code == 200, found.text
        assert found.headers["x-licences"] == HEADER
        assert found.headers["x-licences-mixed"] == "true"
    said = metadata_of(found)
    assert (said["rows"], said["licences"], said["mixed"]) == (9, COUNTS, True)
    assert "The rows under CC-BY-NC-4.0 are not for commercial use." in said["words"]
    assert "No licence is stated for 6 rows" in said["words"]


def test_every_row_of_a_table_has_a_licence_or_says_that_none_is_stated(client, licensed):
    given = {row["material_id"]: row["licence"] for row in rows_of(client.get("/v1/materials?format=csv"))}
    assert given == dict.fromkeys([*(r for r in given if "/" in r)], NOT_STATED) | {
        "g": "CC-BY-4.0", "h": "CC BY-NC 4.0", "i": "CC-BY-4.0 AND CC-BY-NC-4.0",
    }  # fmt: skip


@pytest.mark.parametrize("extra", ["", "&all=true"])
def test_what_a_table_leaves_out_is_not_counted(client, licensed, extra):
    one = client.get(f"/v1/materials?format=csv&source=licensed&limit=1{extra}")
    assert one.headers["x-licences"] == ("CC-BY-4.0=2; CC-BY-NC-4.0=2" if extra else "CC-BY-4.0=1")
    assert one.headers["x-licences-mixed"] == ("true" if extra else "false")
    after = client.get("/v1/materials?format=json&source=licensed&limit=1").json()["next"]
    rest = client.get(f"/v1/materials?format=csv&source=licensed&after={after}{extra}")
    assert rest.headers["x-licences"] == "CC-BY-NC-4.0=2; CC-BY-4.0=1"


@pytest.mark.parametrize("sort", ["composition", "-material_id", "a_number", "-a_number"])
def test_the_licences_of_all_results_are_those_of_the_rows_in_any_order(client, licensed, build, sort):
    source = Provenance(source="numbered", licence="MIT")
    licensed.add_materials(
        build.material(f"n{i}", "TiFe", descriptors={"a_number": float(i)}, provenance=source) for i in range(3)
    )
    found = client.get(f"/v1/materials?format=csv&all=true&sort={sort}&elements=Ti&fields=provenance")
    counted = [row["licence"] for row in rows_of(found)]
    assert found.headers["x-licences"].count("=") == (1 if "number" in sort else 4)
    assert f"MIT={counted.count('MIT')}" in found.headers["x-licences"]


def test_a_reader_is_told_of_the_licences_of_its_own_rows_alone(client, licensed, build, key):
    hidden = build.material(
        "p", "TiFe", access=build.of("north"), provenance=Provenance(source="x", licence="MIT")
    )
    licensed.add_materials([hidden])
    url = "/v1/materials?format=csv&all=true"
    assert "MIT" not in client.get(url).headers["x-licences"]
    assert "MIT=1" in client.get(url, headers=key("north")).headers["x-licences"]


def test_a_page_of_another_origin_may_read_the_headers(settings, licensed):
    there = settings.model_copy(update={"cors_origins": ("https://lab.example.org",)})
    with TestClient(create_app(there)) as other:
        found = other.get("/v1/materials?format=csv", headers={"Origin": "https://lab.example.org"})
    exposed = found.headers["access-control-expose-headers"].lower()
    assert {"x-licences", "x-licences-mixed"} <= {name.strip() for name in exposed.split(",")}


def test_tables_of_measurements_name_a_mixture(client, key):
    north = key("north", "read,measure")
    table = "formula,h2_capacity_wt_pct,licence,row_id\nLaNi5,1.4,CC-BY-4.0,a\nTiFe,1.5,,b\nMg2Ni,3.4,CC0-1.0,c\n"
    sent = client.post("/v1/measurements", content=table, headers=north | {"Content-Type": "text/csv"})
    assert sent.status_code == 200, sent.text
    found = client.get("/v1/measurements?format=csv", headers=north)
    assert {row["row_id"]: row["licence"] for row in rows_of(found)} == {
        "a": "CC-BY-4.0", "b": NOT_STATED, "c": "CC0-1.0",
    }  # fmt: skip
    assert found.headers["x-licences"] == "CC-BY-4.0=1; CC0-1.0=1; not stated=1"
    assert found.headers["x-licences-mixed"] == "true"
    parquet = client.get("/v1/measurements?format=parquet", headers=north)
    assert metadata_of(parquet)["licences"] == {"CC-BY-4.0": 1, "CC0-1.0": 1, NOT_STATED: 1}


def test_an_isotherm_as_a_table_states_its_licence(client, key):
    north = key("north", "read,measure")
    table = (
        "# formula: Zn4O13C24H12\n# temperature_k: 77\n# uptake_kind: excess\n# mass_basis: host\n"
        "pressure_bar,uptake_mmol_g\n0.1,4.5\n1.0,8.9\n10.0,19.8\n"
    )
    sent = client.post("/v1/isotherms", content=table, headers=north | {"Content-Type": "text/csv"})
    assert sent.status_code == 200, sent.text
    (item,) = client.get("/v1/isotherms", headers=north).json()["items"]
    found = client.get(f"/v1/isotherms/{item['isotherm_id']}?format=csv", headers=north)
    assert found.headers["x-licences"] == "not stated=3"
    assert {row["licence"] for row in rows_of(found)} == {NOT_STATED}


def test_a_screen_as_a_table_states_the_licences_behind_its_predictions(client, records, build):
    manifest = {"pool": SHIPPED_SOURCE, "rows_by_source": {"m": {"hydrides": 9, "hystor": 5, "ml_hydpark": 1}}}
    records.add_screen(build.screen(manifest=manifest, top=({"formula": "TiFe"}, {"formula": "LaNi5"})))
    own = manifest | {"pool": "mine.csv"}
    rows = ({"formula": "TiFe", "licence": "CC0-1.0"}, {"formula": "LaNi5", "licence": None})
    records.add_screen(build.screen("s2", manifest=own, top=rows))
    shipped = client.get("/v1/screens/s1/results?format=parquet")
    assert shipped.headers["x-licences"] == f"{OWN_DATA}=2; MIT=2; not stated=2"
    assert metadata_of(shipped)["rows"] == 2
    assert client.get("/v1/screens/s2/results?format=csv").headers["x-licences"] == (
        "CC-BY-4.0=2; MIT=2; not stated=2; CC0-1.0=1"
    )
