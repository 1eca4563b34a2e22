"""OPTIMADE over HTTP: answers, pages, orders, fields, errors, and who sees what."""

from __future__ import annotations

import math
import warnings

import pytest
from fastapi.testclient import TestClient
from optimade.models import EntryInfoResponse, ErrorResponse, InfoResponse, LinksResponse
from optimade.validator.utils import (
    ValidatorReferenceResponseMany,
    ValidatorReferenceResponseOne,
    ValidatorStructureResponseMany,
    ValidatorStructureResponseOne,
)

from hstore.keys import permissions_of
from hstore.properties import PROPERTIES
from hstore.records import Provenance
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from tests.api.optimade_pool import fill

BASE = "/optimade/v1"

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince211"),  # models of the library's validator
]


@pytest.fixture
def records(settings):
    """The open store of the service, holding the pool."""
    with open_store(settings.store_url) as store:
        fill(store, 60)
        yield store


@pytest.fixture
def get(client):
    """Ask for an address below the version; checks the status and returns the body."""

    def ask(address, status=200, headers=None, **parameters):
        response = client.get(f"{BASE}{address}", params=parameters, headers=headers)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/vnd.api+json"
        assert response.headers["x-request-id"]
        return response.json()

    return ask


@pytest.fixture
def refused(get):
    """Check that a question is refused in the shape of OPTIMADE, and return what is said."""

    def check(address, status, headers=None, **parameters):
        body = ErrorResponse.model_validate(get(address, status, headers, **parameters))
        assert all(int(error.status) == status and error.title and error.detail for error in body.errors)
        return " ".join(error.detail for error in body.errors)

    return check


def names(body):
    return [entry["id"] for entry in body["data"]]


def test_every_answer_follows_the_models_of_the_library(get):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # fields that belong together are there together, or it warns
        warnings.filterwarnings("ignore", message=".*model_fields.*")
        structures = ValidatorStructureResponseMany(**get("/structures", page_limit=500))
        assert len(structures.data) == 54
        first = structures.data[0].id
        assert ValidatorStructureResponseOne(**get(f"/structures/{first}")).data.id == first
        works = ValidatorReferenceResponseMany(**get("/references", page_limit=500))
        assert ValidatorReferenceResponseOne(**get(f"/references/{works.data[0].id}")).data.id == works.data[0].id
    InfoResponse(**get("/info"))
    LinksResponse(**get("/links"))
    for entry_type in ("structures", "references"):
        EntryInfoResponse(**get(f"/info/{entry_type}"))


def test_a_composition_without_structure_says_so(get):
    entry = get("/structures", filter='structure_features HAS ONLY "implicit_atoms" AND nsites IS UNKNOWN')[
        "data"
    ][0]
    attributes = entry["attributes"]
    assert attributes["structure_features"] == ["implicit_atoms"]
    for field in ("nsites", "lattice_vectors", "species", "species_at_sites", "cartesian_site_positions"):
        assert attributes[field] is None
    assert math.isclose(sum(attributes["elements_ratios"]), 1.0)


def test_a_shared_site_and_a_missing_atom_are_described(get):
    shared = get("/structures/t:002:K0.9Sc0.1H2")["data"]["attributes"]
    assert shared["structure_features"] == ["disorder"]
    assert shared["species"][0] == {
        "name": "K0.9Sc0.1",
        "chemical_symbols": ["K", "Sc"],
        "concentration": [0.9, 0.1],
    }
    assert shared["species_at_sites"] == ["K0.9Sc0.1", "H", "H"]
    lacking = get("/structures/t:005:Sr2FeH6")["data"]["attributes"]
    assert lacking["structure_features"] == ["implicit_atoms"]
    assert [species["name"] for species in lacking["species"]] == ["Sr", "Fe", "H"]
    assert "H" not in lacking["species_at_sites"]
    assert lacking["chemical_formula_reduced"] == "FeH6Sr2"


def test_own_fields_are_described_with_unit_and_served(get):
    described = get("/info/structures")["data"]["properties"]
    served = get("/structures", page_limit=1)["data"][0]["attributes"]
    assert served.keys() | {"id", "type"} == described.keys()
    for name, known in PROPERTIES.items():
        field = described[f"_hstore_{name}"]
        assert field["unit"]
        assert known.unit in field["description"]
        assert field["sortable"]


def test_the_best_value_is_served_with_its_kind(get, key):
    public, own = get("/structures", page_limit=500), get("/structures", page_limit=500, headers=key("north"))
    field, kinds = "_hstore_h2_capacity_wt_pct", "_hstore_value_kinds"
    by_name = {entry["id"]: entry["attributes"] for entry in public["data"]}
    measured = [a for a in by_name.values() if a[kinds].get("h2_capacity_wt_pct") == "measured"]
    assert [a[field] for a in measured] == [pytest.approx(1.5 + 0.01 * place) for place in range(6)]
    seen = [
        e["attributes"][field]
        for e in own["data"]
        if e["attributes"][field] not in (None, *(a[field] for a in by_name.values()))
    ]
    assert seen == [9.0, 10.0, 11.0]


@pytest.mark.parametrize(
    "sort", ["", "nsites", "-_hstore_h2_capacity_wt_pct,nelements", "-chemical_formula_hill,-id", "last_modified"]
)
@pytest.mark.parametrize("size", [6])
def test_pages_follow_one_another_and_end(get, client, sort, size):
    whole = names(get("/structures", page_limit=500, sort=sort, filter="nelements<4"))
    found, page = (
        [],
        get("/structures", page_limit=size, sort=sort, filter="nelements<4", response_fields="nsites"),
    )
    while True:
        found += names(page)
        assert page["meta"]["data_returned"] == len(whole)
        assert page["meta"]["more_data_available"] == (page["links"]["next"] is not None)
        if page["links"]["next"] is None:
            break
        assert set(page["data"][0]["attributes"]) == {"nsites"}
        page = client.get(page["links"]["next"]).json()
    assert found == whole


def test_pages_are_stable_while_materials_are_written(get, client, records, build):
    before = names(get("/structures", page_limit=500))
    page = get("/structures", page_limit=10)
    found = names(page)
    records.add_materials(
        [build.material("a/new", "TiFe"), build.material("t:00", "TiFe"), build.material("z/new", "TiFe")]
    )
    while page["links"]["next"]:
        page = client.get(page["links"]["next"]).json()
        found += names(page)
    assert found == [*before, "z/new"]


def test_an_order_puts_missing_values_last(get):
    for sort in ("nsites", "-nsites"):
        values = [e["attributes"]["nsites"] for e in get("/structures", page_limit=500, sort=sort)["data"]]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=sort.startswith("-"))
        assert values == known + [None] * (len(values) - len(known))


def test_offsets_and_numbers_of_pages(get, refused):
    whole = names(get("/structures", page_limit=500))
    assert names(get("/structures", page_limit=5, page_offset=7)) == whole[7:12]
    assert names(get("/structures", page_limit=5, page_number=3)) == whole[10:15]
    assert names(get("/structures", page_limit=5, page_above=whole[7])) == whole[8:13]
    assert names(get("/structures", page_offset=500)) == []
    assert "10000" in refused("/structures", 400, page_offset=10_001)
    assert "10000" in refused("/structures", 400, page_number=10**9)
    low = get("/structures", page_number=-4, page_limit=3)
    assert names(low) == whole[:3]
    both = get("/structures", page_offset=1, page_above=whole[7], page_limit=1)
    assert names(both) == whole[1:2]
    for answer in (low, both, get("/structures", page_cursor="x")):
        assert [warning["type"] for warning in answer["meta"]["warnings"]] == ["warning"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"response_format": "xml"},
        {"page_limit": -1},
        {"page_limit": "many"},
        {"page_offset": -1},
        {"email_address": "nobody"},
        {"sort": "energy"},
        {"sort": "elements"},
        {"sort": "_hstore_energy"},
        {"sort": "nsites,"},
        {"response_fields": "energy"},
        {"response_fields": "nelements,"},
        {"response_fields": "_hstore_energy"},
        {"include": "calculations"},
        {"colour": "blue"},
        {"_hstore_colour": "blue"},
        {"filter": "energy = 1"},
        {"filter": "nelements ="},
        {"filter": 'last_modified > "now"'},
        {"filter": "nelements=2\x00"},
        {"page_above": "\x00"},
        {"sort": "nsites", "page_above": "not a position"},
        {"sort": "nsites", "page_above": "W10="},
        {"sort": "nsites", "page_above": "WyJhIiwiYiJd"},
        {"sort": "nsites", "page_above": "WzEsbnVsbF0="},
        {"sort": "nsites", "page_above": "WzFlOTksImEiXQ=="},
        {"sort": "chemical_formula_hill", "page_above": "WyJcdTAwMDAiLCJhIl0="},
        {"sort": "chemical_formula_hill", "page_above": "WyJcdWQ4MDAiLCJhIl0="},  # a lone surrogate
        {"sort": "last_modified", "page_above": "WyI5OTk5LTEyLTMxVDIzOjU5OjU5LTIzOjAwIiwiYSJd"},  # in year 10000
    ],
    ids=str,
)
def test_what_is_wrong_is_a_bad_request(refused, parameters):
    assert refused("/structures", 400, **parameters)


def test_other_refusals(refused, client):
    assert "500" in refused("/structures", 403, page_limit=501)
    assert "not converted" in refused("/structures", 501, filter='nelements = "two"')
    assert "side by side" in refused("/structures", 501, filter='elements:elements_ratios HAS "H":0.5')
    assert "no such address" in refused("/nothing", 404)
    assert "calculations" in refused("/info/calculations", 404)
    assert refused("/versions", 404)
    assert refused("/links", 501, filter='id="x"')
    wrong = client.post(f"{BASE}/structures")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    ErrorResponse.model_validate(wrong.json())


def test_versions_and_addresses_without_one(client):
    versions = client.get("/optimade/versions")
    assert (versions.text, versions.headers["content-type"]) == (
        "version\n1\n",
        "text/csv; header=present; charset=utf-8",
    )
    for address in ("", "/", "/info", "/structures?filter=nelements=2"):
        assert client.get(f"/optimade{address}").status_code == 200
    for version in ("v1.2", "v1.2.0"):
        assert client.get(f"/optimade/{version}/info").status_code == 200
    for address in ("v2/info", "v0/info", "v123123/info", "info?api_hint=v2"):
        newer = client.get(f"/optimade/{address}")
        assert newer.status_code == 553
        ErrorResponse.model_validate(newer.json())
    assert client.get("/optimade/info?api_hint=v1.2").status_code == 200
    assert client.get("/optimade/openapi.json").status_code == 404
    contract = client.get(f"{BASE}/openapi.json").json()
    assert {"/versions", "/v1/structures", "/v1/structures/{entry_id}", "/v1/info/{entry_type}"} <= contract[
        "paths"
    ].keys()


def test_fields_of_other_providers_are_null_and_warned_of(get):
    answer = get(
        "/structures",
        response_fields="nelements,_mp_gap",
        sort="_mp_gap",
        filter="nelements=2 OR _mp_gap>1",
        _mp_x=1,
    )
    assert answer["data"]
    assert all(
        set(e["attributes"]) == {"nelements", "_mp_gap"} and e["attributes"]["_mp_gap"] is None
        for e in answer["data"]
    )
    titles = {warning["title"] for warning in answer["meta"]["warnings"]}
    assert titles == {"UnknownProviderProperty", "UnknownProviderQueryParameter"}
    assert "warnings" not in get("/structures")["meta"]


def test_fields_that_optimade_defines_and_nobody_has_are_null(get):
    answer = get("/structures", response_fields="space_group_it_number", page_limit=1)
    assert answer["data"][0]["attributes"] == {"space_group_it_number": None}
    assert names(get("/structures", filter="space_group_it_number = 225")) == []
    assert get("/structures", filter="assemblies IS UNKNOWN")["meta"]["data_returned"] == 54


def test_works_are_related_and_included(get):
    citing = get("/structures", filter="references.id LENGTH 1", page_limit=500)
    works = {r["id"] for e in citing["data"] for r in e["relationships"]["references"]["data"]}
    assert {work["id"] for work in citing["included"]} == works
    assert get("/structures", include="")["included"] == []
    work = get("/references", filter='doi = "10.1000/j.test.1"')["data"][0]
    assert work["attributes"]["url"] == "https://doi.org/10.1000/j.test.1"
    found = get("/structures", filter=f'references.id HAS "{work["id"]}"', page_limit=500)
    assert {work["id"]} == {r["id"] for e in found["data"] for r in e["relationships"]["references"]["data"]}
    assert get("/references")["meta"]["data_available"] == len(works)


def test_what_belongs_to_a_lab_is_not_there_for_others(get, key, records, build):
    """Neither listed nor counted nor told apart from what does not exist, whatever is asked."""
    secret = "t:secret"
    provenance = Provenance(source="north", reference="10.9999/secret")
    records.add_materials([build.material(secret, "PuH2", access=build.of("north"), provenance=provenance)])
    north, south = key("north"), key("south")
    assert names(get("/structures", filter='elements HAS "Pu"', headers=north)) == [secret]
    work = get("/references", filter='doi CONTAINS "secret"', headers=north)["data"][0]["id"]
    for headers in (None, south):
        for question in (
            f'id="{secret}"',
            'elements HAS "Pu"',
            f'references.id HAS "{work}"',
            '_hstore_composition="H2Pu"',
        ):
            meta = get("/structures", filter=question, headers=headers)["meta"]
            assert (meta["data_returned"], meta["data_available"]) == (0, 54)
        one, none = (get(f"/structures/{name}", headers=headers) for name in (secret, "t:nobody"))
        assert (one["data"], one["meta"]["data_available"]) == (none["data"], none["meta"]["data_available"])
        assert get(f"/references/{work}", headers=headers)["data"] is None
        assert get("/references", filter='doi CONTAINS "secret"', headers=headers)["meta"]["data_returned"] == 0
    assert get("/structures", headers=north)["meta"]["data_available"] == 61


def test_who_has_no_key_is_told_in_the_same_shape(settings, records, key):
    closed = settings.model_copy(update={"anonymous_read": False})
    with TestClient(create_app(closed), raise_server_exceptions=False) as client:
        for address in ("/structures", "/info", "/info/structures", "/references", "/links"):
            answer = client.get(f"{BASE}{address}")
            assert answer.status_code == 401
            assert "X-API-Key" in ErrorResponse.model_validate(answer.json()).errors[0].detail
        assert client.get(f"{BASE}/structures", headers=key("north")).status_code == 200
        assert client.get(f"{BASE}/structures", headers={"X-API-Key": "hst_wrong"}).status_code == 401


def test_a_store_that_is_gone_tells_nothing_of_itself(client, app, refused):
    app.state.service.store.close()
    engine = app.state.service.store.database.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE material_numbers")
    told = refused("/structures", 503)
    assert "material_numbers" not in told
    assert "sqlite" not in told


def test_an_unexpected_error_tells_nothing_of_its_cause(client, refused, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a secret")

    monkeypatch.setattr("hstore_api.optimade.routes.structure_resource", broken)
    assert "secret" not in refused("/structures", 500)


def test_both_databases_answer_alike(database_url, trained, settings, records):
    with open_store(database_url) as store:
        fill(store, 60)
        _, secret = store.keys.create("north", permissions_of("read"), lab_id="north")
    addresses = [
        f"{BASE}/structures?page_limit=500&sort={sort}&response_fields=nsites,_hstore_h2_capacity_wt_pct"
        for sort in (
            "",
            "-nsites",
            "chemical_formula_descriptive",
            "_hstore_composition,-nelements",
            "-_hstore_h2_capacity_wt_pct",
        )
    ]
    other = Settings(home=trained.home, database_url=database_url, data_mirror=None)
    _, own = records.keys.create("north", permissions_of("read"), lab_id="north")
    answers = []
    for chosen, sent in ((settings, own), (other, secret)):
        with TestClient(create_app(chosen)) as client:
            answers.append([client.get(a, headers={"X-API-Key": sent}).json()["data"] for a in addresses])
    assert answers[0] == answers[1]
