"""Fetching from a Materials Project on loopback, through the real client."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from hstore.errors import FetchError, InputError, SettingsError
from hstore.formula import parse_amounts
from hstore.records import PUBLIC_SCOPE, Family
from hstore.settings import Settings
from hstore.store import open_store
from hstore_workflows.cli import main
from hstore_workflows.sources.materials_project import MPQuery, api_key, fetch_materials
from hstore_workflows.sources.mp_client import ClientPolicy
from hstore_workflows.sources.mp_records import family_of
from tests.workflows.mp_server import KEY, VERSION, MPServer, summary

QUICK = ClientPolicy(timeout_s=2.0, retries=3, backoff_s=0.01, page_rows=40)
LA_NI = MPQuery(elements=("La", "Ni"))


@pytest.fixture
def server():
    formulas = ["LaNi5", "LaNi5H6", "MgH2", "NaAlH4", "Li3PS4", "LaNiO3", "TiFe"]
    with MPServer([summary(n, formulas[n % len(formulas)]) for n in range(1, 92)]) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    monkeypatch.setenv("HSTORE_MP_API_KEY", KEY)
    return tmp_path


def fetch(server, query=LA_NI, **policy):
    return fetch_materials(query, KEY, endpoint=server.url, policy=ClientPolicy(**(vars(QUICK) | policy)))


def stored(home):
    with open_store(f"sqlite:///{home / 'hstore.sqlite'}") as store:
        return list(store.materials(scope=PUBLIC_SCOPE))


def test_the_command_stores_everything_the_server_announced(server, home):
    result = CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, "--elements", "La,Ni", "--json"])
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    assert counts == {"total": 39, "received": 39, "stored": 39, "rejected": 0, "database_version": VERSION}
    found = stored(home)
    assert len(found) == 39
    hydride = next(m for m in found if m.formula == "LaNi5H6")
    assert hydride.family is Family.INTERSTITIAL
    assert hydride.known
    assert hydride.provenance.licence == "CC-BY-4.0"
    assert hydride.material_id == f"mp:{hydride.provenance.reference}"
    assert VERSION in hydride.provenance.note
    assert hydride.descriptors["formation_energy_ev_per_atom"] == -0.3
    assert len(hydride.structure["sites"]) == 12


def test_the_key_is_sent_to_the_search_alone_and_leaves_no_trace(server, home):
    server.faults = [(401, {})]
    result = CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, "--elements", "La"])
    assert result.exit_code == 1
    assert "<key>" in result.output
    assert KEY not in result.output
    CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, "--elements", "La"])
    assert KEY.encode() not in b"".join(path.read_bytes() for path in home.iterdir() if path.is_file())
    keyed = {path for path, _, headers in server.requests if KEY in headers.values()}
    assert keyed == {"/materials/summary/"}


@pytest.mark.parametrize("cap", [1, 7, 13, 38])
def test_shorter_pages_than_asked_for_lose_nothing(server, cap):
    server.page_cap = cap
    fetched = fetch(server)
    assert (fetched.total, fetched.received) == (39, 39)
    assert len({m.material_id for m in fetched.materials}) == 39


def test_the_client_alone_would_have_lost_rows(server):
    from mp_api.client import MPRester

    server.page_cap = 7
    with MPRester(KEY, endpoint=server.url, use_document_model=False, mute_progress_bars=True) as rester:
        rows = rester.materials.summary.search(elements=["La", "Ni"], chunk_size=30, fields=["material_id"])
    assert len(rows) < 39


def test_a_total_that_is_never_reached_fails_with_both_numbers_and_stores_nothing(server, home):
    server.extra_total = 3
    result = CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, "--elements", "La,Ni", "--json"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "announced 42" in result.stderr
    assert "delivered 39" in result.stderr
    assert stored(home) == []


def test_repeated_rows_do_not_count_twice(server):
    server.documents[6:6] = [server.documents[0]] * 5
    server.documents = [doc for doc in server.documents if {"La", "Ni"} <= set(doc["elements"])]
    with pytest.raises(FetchError, match=r"announced 44 materials but delivered 39 distinct ones in 44 rows"):
        fetch(server)


def test_a_limit_is_kept_and_counted(server):
    server.page_cap = 4
    fetched = fetch(server, MPQuery(elements=("La", "Ni"), limit=10))
    assert fetched.total == fetched.received == len(fetched.materials) == 10
    beyond = fetch(server, MPQuery(elements=("La", "Ni"), limit=1000))
    assert beyond.total == beyond.received == 39


def test_nothing_found_is_an_answer(server):
    fetched = fetch(server, MPQuery(elements=("Pu",)))
    assert (fetched.total, fetched.received, fetched.materials) == (0, 0, ())


def test_too_many_requests_waits_as_long_as_told(server):
    server.faults = [(429, {"Retry-After": "1"}), (503, {})]
    start = time.monotonic()
    assert fetch(server).received == 39
    assert 1.0 <= time.monotonic() - start < 10
    assert len(server.searches) == 3


@pytest.mark.parametrize("status", [429, 500, 502])
def test_repeats_are_bounded(server, status):
    server.faults = [(status, {})] * 50
    with pytest.raises(FetchError, match=str(status)):
        fetch(server)
    assert len(server.searches) == QUICK.retries + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusals_are_not_repeated(server, status):
    server.faults = [(status, {})]
    with pytest.raises(FetchError, match="nothing was stored"):
        fetch(server)
    assert len(server.searches) == 1


@pytest.mark.parametrize(
    ("path", "answered"), [("heartbeat", 0), ("heartbeat", 1), ("summary", 0)], ids=["first", "client's", "search"]
)
def test_a_silent_server_is_given_up(server, path, answered):
    server.stall, server.stall_after = {path}, answered
    start = time.monotonic()
    with pytest.raises(FetchError):
        fetch(server, timeout_s=0.3)
    assert time.monotonic() - start < 5


def test_another_kind_of_server_is_recognised(server):
    server.heartbeat = ["not", "it"]
    with pytest.raises(FetchError, match="Materials Project API"):
        fetch(server)


def test_a_redirect_is_refused_and_carries_no_key(server):
    with MPServer([]) as other:
        server.faults = [(302, {"Location": other.url})] * 5
        with pytest.raises(FetchError):
            fetch(server)
        assert other.requests == []


def test_bad_rows_are_rejected_with_cause_and_the_rest_goes_on(server):
    la_ni = [doc for doc in server.documents if doc["formula_pretty"] == "LaNi5"]
    la_ni[0]["deprecated"] = True
    la_ni[1]["structure"] = {"lattice": "gone"}
    la_ni[2]["structure"] = summary(1, "LaNi4")["structure"]
    la_ni[3]["energy_above_hull"] = -2.0
    la_ni[4]["formula_pretty"] = "LaNix"
    la_ni[5]["material_id"] = None
    fetched = fetch(server)
    assert (fetched.received, len(fetched.materials), len(fetched.rejected)) == (39, 33, 6)
    causes = " | ".join(reject.cause for reject in fetched.rejected)
    for word in ("deprecated", "cannot be read", "LaNi4", "energy_above_hull_ev_per_atom", "LaNix", "material_id"):
        assert word in causes


def test_fields_missing_in_the_first_document_survive_in_the_others(server):
    for name in ("energy_above_hull", "symmetry", "structure"):
        del server.documents[0][name]
    server.documents[0] |= {"elements": ["La", "Ni"], "formula_pretty": "LaNi5"}
    materials = fetch(server).materials
    assert materials[0].structure is None
    assert all(m.structure and "energy_above_hull_ev_per_atom" in m.descriptors for m in materials[1:])


def test_criteria_reach_the_server_and_fields_are_named(server):
    query = MPQuery(chemical_systems=("La-Ni-H",), energy_above_hull_max=0.05, family="hydride")
    fetched = fetch(server, query)
    assert {m.formula for m in fetched.materials} == {"LaNi5H6"}
    assert max(m.descriptors["energy_above_hull_ev_per_atom"] for m in fetched.materials) <= 0.05
    sent = server.searches[0]
    assert sent["chemsys"] == "La-Ni-H"
    assert sent["exclude_elements"] == "C,O"
    assert "_all_fields" not in sent
    assert set(sent["_fields"].split(",")) >= {"material_id", "structure", "deprecated"}


@pytest.mark.parametrize(
    ("family", "formulas", "record_family"),
    [
        ("hydride", {"LaNi5H6", "MgH2", "NaAlH4"}, None),
        ("alloy_host", {"LaNi5", "TiFe"}, Family.INTERSTITIAL),
        ("electrolyte", {"Li3PS4"}, Family.ELECTROLYTE),
    ],
)
def test_family_presets(server, family, formulas, record_family):
    materials = fetch(server, MPQuery(family=family)).materials
    assert {m.formula for m in materials} == formulas
    assert record_family is None or {m.family for m in materials} == {record_family}


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("LaNi5H6", Family.INTERSTITIAL), ("TiFeH2", Family.INTERSTITIAL), ("PdH", Family.INTERSTITIAL),
        ("LaNi4AlH6", Family.INTERSTITIAL), ("TiH2", Family.INTERSTITIAL), ("ZrV2", Family.INTERSTITIAL),
        ("MgH2", Family.IONIC), ("CaH2", Family.IONIC), ("KMgH3", Family.IONIC),
        ("NaAlH4", Family.COMPLEX), ("LiBH4", Family.COMPLEX), ("LiNH2", Family.COMPLEX),
        ("Y(BH4)3", Family.COMPLEX), ("Mg2FeH6", Family.COMPLEX), ("Mg2NiH4", Family.COMPLEX),
        ("Li4B3H12Cl", Family.COMPLEX),
        ("Li3PS4", Family.ELECTROLYTE), ("LiOH", Family.ELECTROLYTE), ("Li7La3Zr2O12", Family.ELECTROLYTE),
    ],
)  # fmt: skip
def test_families_of_well_known_materials(formula, family):
    assert family_of(parse_amounts(formula)) is family


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "whole database"),
        ({"energy_above_hull_max": 0.1}, "whole database"),
        ({"elements": ("Xx",)}, "'Xx' is not an element"),
        ({"elements": ("La", "O"), "exclude_elements": ("O",)}, "O is asked for and excluded"),
        ({"chemical_systems": ("La-Ni-H",), "family": "alloy_host"}, "H is asked for and excluded"),
        ({"elements": ("La",), "energy_above_hull_max": float("nan")}, "finite"),
    ],
)
def test_queries_that_cannot_be_meant_are_refused(query, message):
    with pytest.raises(InputError, match=message):
        MPQuery(**query)


def test_the_command_refuses_a_query_without_criteria(server, home):
    result = CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url])
    assert result.exit_code == 2
    assert server.requests == []


def test_a_url_is_asked_for():
    with pytest.raises(InputError, match="http"):
        fetch_materials(LA_NI, KEY, endpoint="ftp://somewhere")


def test_the_key_comes_from_either_variable_and_its_length_is_checked(home, monkeypatch):
    assert api_key(Settings()) == KEY
    monkeypatch.delenv("HSTORE_MP_API_KEY")
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="no Materials Project key"):
        api_key(Settings())
    monkeypatch.setenv("MP_API_KEY", KEY[:-1])
    with pytest.raises(SettingsError, match="got 31") as caught:
        api_key(Settings())
    assert KEY[:-1] not in str(caught.value)
