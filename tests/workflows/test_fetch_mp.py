"""``hstore fetch mp`` and its counts, from a Materials Project on loopback, through the real client."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hstore.errors import FetchError, InputError, SettingsError
from hstore.records import PUBLIC_SCOPE, Family, Material
from hstore.settings import Settings
from hstore.store import open_store
from hstore_workflows.cli import main
from hstore_workflows.sources.materials_project import MPAccess, api_key, fetch_materials
from hstore_workflows.sources.mp_query import MPQuery
from hstore_workflows.sources.mp_transport import ClientPolicy
from tests.workflows.mp_server import KEY, VERSION, MPServer, many, summary, thermo

LA_NI = MPQuery(elements=("La", "Ni"))


@pytest.fixture
def server():
    with MPServer(many()) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    monkeypatch.setenv("HSTORE_MP_API_KEY", KEY)
    return tmp_path


@pytest.fixture
def fetch(server, home):
    """Fetch and read everything, as the command does."""

    def fetched(query=LA_NI, page_rows=40):
        policy = ClientPolicy(timeout_s=2.0, retries=3, backoff_s=0.01, page_rows=page_rows)
        answer = fetch_materials(query, MPAccess(KEY, home, endpoint=server.url, policy=policy))
        items = list(answer.items())
        assert len(items) == answer.total == answer.received
        answer.forget()
        return answer, items

    return fetched


def run(server, *arguments):
    return CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, *arguments])


def stored(home):
    with open_store(f"sqlite:///{home / 'hstore.sqlite'}") as store:
        return list(store.materials(scope=PUBLIC_SCOPE))


def test_the_command_stores_everything_the_server_announced(server, home):
    result = run(server, "--elements", "La,Ni", "--json")
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    assert counts == {
        "total": 39, "received": 39, "stored": 39, "merged": 0, "rejected": 0, "database_version": VERSION,
    }  # fmt: skip
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
    assert not [path for path in (home / "fetch").iterdir() if path.is_dir()], "no answers are left behind"


def test_the_key_is_sent_to_the_search_alone_and_leaves_no_trace(server, home):
    outputs = []
    for status in (401, 503):
        server.faults = [(status, {})] * 2
        outputs.append(run(server, "--elements", "La", "--page-rows", "9", "--retries", "1"))
        assert outputs[-1].exit_code == 1
    server.faults = []
    server.extra_total = lambda search: search % 2
    outputs.append(run(server, "--elements", "La", "--page-rows", "9"))
    server.extra_total = lambda _search: 0
    server.stall, server.stall_after = {"summary"}, len(server.searches) + 2
    outputs.append(run(server, "--elements", "La", "--page-rows", "9", "--timeout", "0.2"))
    assert any((home / "fetch").glob("*/*.answer")), "an interrupted fetch leaves what it has"
    server.stall = set()
    snapshot = home / "la.jsonl.gz"
    outputs.append(run(server, "--elements", "La", "--page-rows", "9", "--export", str(snapshot), "--json"))
    assert [result.exit_code for result in outputs] == [1, 1, 1, 1, 0]
    assert "<key>" in outputs[0].output
    assert all(KEY not in result.output for result in outputs)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert KEY not in str(MPAccess(KEY, home))
    keyed = {path for path, _, headers in server.requests if KEY in headers.values()}
    assert keyed == {"/materials/summary/"}


@pytest.mark.parametrize("cap", [1, 7, 13, 38])
def test_shorter_pages_than_asked_for_lose_nothing(server, fetch, cap):
    server.page_cap = lambda _skip: cap
    answer, items = fetch()
    assert answer.total == 39
    assert len({m.material_id for m in items}) == 39
    assert len(server.searches) <= 39 / cap + 2, "the page size is learnt from the first page"


def test_pages_that_get_shorter_on_the_way_lose_nothing(server, fetch):
    server.page_cap = lambda skip: 20 if skip < 20 else 9
    _, items = fetch()
    assert len({m.material_id for m in items}) == 39


def test_the_client_alone_would_have_lost_rows(server):
    from mp_api.client import MPRester

    server.page_cap = lambda _skip: 7
    with MPRester(KEY, endpoint=server.url, use_document_model=False, mute_progress_bars=True) as rester:
        rows = rester.materials.summary.search(elements=["La", "Ni"], chunk_size=30, fields=["material_id"])
    assert len(rows) < 39


def test_a_total_that_is_never_reached_fails_with_both_numbers_and_stores_nothing(server, home):
    server.extra_total = lambda _search: 3
    result = run(server, "--elements", "La,Ni", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "announced 42" in result.stderr
    assert "delivered 39" in result.stderr
    assert stored(home) == []


def test_repeated_rows_do_not_count_twice(server, fetch):
    server.documents[6:6] = [server.documents[0]] * 5
    server.documents = [doc for doc in server.documents if {"La", "Ni"} <= set(doc["elements"])]
    with pytest.raises(FetchError, match=r"announced 44 materials but delivered 39 distinct ones in 44 rows"):
        fetch()


@pytest.mark.parametrize("total", [None, "39", -1, True, 39.5])
def test_without_a_number_announced_nobody_can_tell(server, fetch, total):
    answer = server.answer

    def strange(path, query, headers):
        status, extra, body = answer(path, query, headers)
        return status, extra, body | ({"meta": {"total_doc": total}} if "data" in body else {})

    server.answer = strange
    with pytest.raises(FetchError, match="must announce the number of documents"):
        fetch()


@pytest.mark.parametrize("body", [[], {"data": {}}, {"data": [1], "meta": {"total_doc": 1}}, 7, None])
def test_answers_of_another_layout_are_refused(server, fetch, body):
    answer = server.answer
    server.answer = lambda path, *rest: (200, {}, body) if "summary" in path else answer(path, *rest)
    with pytest.raises(FetchError, match="nothing was stored"):
        fetch()
    assert len(server.searches) == 1


def test_a_total_that_moves_once_is_asked_for_again(server, fetch):
    server.extra_total = lambda search: 1 if search == 2 else 0
    _, items = fetch(page_rows=10)
    assert len(items) == 39


def test_a_total_that_keeps_moving_fails_and_leaves_nothing_behind(server, fetch, home):
    server.extra_total = lambda search: search
    with pytest.raises(FetchError, match="one total for all pages"):
        fetch(page_rows=10)
    assert not list((home / "fetch").glob("*"))
    server.extra_total = lambda _search: 0
    assert len(fetch(page_rows=10)[1]) == 39


def test_a_limit_is_kept_and_counted(server, fetch):
    server.page_cap = lambda _skip: 4
    assert fetch(MPQuery(elements=("La", "Ni"), limit=10))[0].total == 10
    assert fetch(MPQuery(elements=("La", "Ni"), limit=1000))[0].total == 39


def test_nothing_found_is_an_answer(server, fetch):
    answer, items = fetch(MPQuery(elements=("Pu",)))
    assert (answer.total, items) == (0, [])


def test_bad_rows_are_rejected_with_cause_and_the_rest_goes_on(server, fetch):
    la_ni = [doc for doc in server.documents if doc["formula_pretty"] == "LaNi5"]
    la_ni[0]["deprecated"] = True
    la_ni[1]["structure"] = {"lattice": "gone"}
    la_ni[2]["structure"] = summary(1, "LaNi4")["structure"]
    la_ni[3]["energy_above_hull"] = -2.0
    la_ni[4]["formula_pretty"] = "LaNix"
    la_ni[5]["material_id"] = None
    la_ni[6]["structure"] = "text"
    _, items = fetch()
    rejected = [item for item in items if not isinstance(item, Material)]
    assert (len(items), len(rejected)) == (39, 7)
    causes = " | ".join(reject.cause for reject in rejected)
    for word in (
        "deprecated",
        "lacks what",
        "LaNi4",
        "energy_above_hull_ev_per_atom",
        "LaNix",
        "material_id",
        "text",
    ):
        assert word in causes


def test_several_rows_without_identifier_are_told_apart(server, fetch):
    for doc in server.documents[:20]:
        doc["material_id"] = None
    _, items = fetch(page_rows=10)
    assert len(items) == 39


def test_fields_missing_in_the_first_document_survive_in_the_others(server, fetch):
    for name in ("energy_above_hull", "symmetry", "structure"):
        del server.documents[0][name]
    server.documents[0] |= {"elements": ["La", "Ni"], "formula_pretty": "LaNi5"}
    _, materials = fetch()
    assert materials[0].structure is None
    assert all(m.structure and "energy_above_hull_ev_per_atom" in m.descriptors for m in materials[1:])


def test_further_fields_become_descriptors_and_notes(fetch):
    _, materials = fetch(MPQuery(elements=("La",), fields=("band_gap", "bulk_modulus", "ordering", "theoretical")))
    assert materials[0].descriptors["band_gap"] == 0.5
    assert materials[0].descriptors["bulk_modulus.vrh"] == 100.0
    assert "ordering NM" in materials[0].provenance.note
    with pytest.raises(InputError, match=r"unknown field 'bandgap'; did you mean 'band_gap'"):
        fetch(MPQuery(elements=("La",), fields=("bandgap",)))


def test_identifiers_travel_as_they_are(server, fetch):
    names = ["mp-149", "mp-aaaft", "odd/name #7 & co", "Ünïcode", "mvc-1-x", "422"]
    server.documents = [summary(n) | {"material_id": name} for n, name in enumerate(names)]
    answer, items = fetch(MPQuery(ids=(*names, "mp-404", names[0])))
    assert [m.provenance.reference for m in items] == names
    assert answer.not_found == ("mp-404",)
    assert server.searches[0]["material_ids"] == ",".join([*names, "mp-404"])


def test_long_lists_of_identifiers_are_cut(server, fetch):
    server.documents = [{**summary(1), "material_id": f"mp-{n:07}"} for n in range(700)]
    names = tuple(doc["material_id"] for doc in server.documents)
    assert [m.provenance.reference for m in fetch(MPQuery(ids=names))[1]] == list(names)
    assert max(len(query["material_ids"]) for query in server.searches) < 3000


@pytest.mark.parametrize(("name", "most"), [("url_max", 500), ("ids_max", 9)])
def test_lists_the_server_finds_too_long_are_halved(server, fetch, name, most):
    setattr(server, name, most)
    wanted = tuple(doc["material_id"] for doc in server.documents[:40])
    answer, items = fetch(MPQuery(ids=wanted))
    assert {m.provenance.reference for m in items} == set(wanted)
    assert answer.not_found == ()


def test_a_request_that_is_too_long_however_short_fails(server, fetch):
    server.url_max = 30
    with pytest.raises(FetchError, match="414"):
        fetch(MPQuery(ids=("mp-1", "mp-2")))


def test_a_server_that_ignores_identifiers_is_noticed(server, fetch):
    answer = server.answer
    server.answer = lambda path, query, headers: answer(path, query | {"material_ids": "mp-1,mp-2,mp-3"}, headers)
    with pytest.raises(FetchError, match="ignores material_ids"):
        fetch(MPQuery(ids=("mp-1", "mp-2")))


def test_energies_come_from_one_stated_thermo_type(server, fetch):
    for doc in server.documents[::2]:
        name, formula = doc["material_id"], doc["formula_pretty"]
        server.thermo.append(thermo(name, formula, -5.0, energy_above_hull=0.5, formation_energy_per_atom=-0.7))
        server.thermo.append(thermo(name, formula, -5.0, kind="R2SCAN", energy_above_hull=0.9))
    _, materials = fetch(MPQuery(elements=("La", "Ni"), thermo_type="GGA_GGA+U"))
    with_energies = [m for m in materials if m.descriptors]
    assert len(with_energies) == sum({"La", "Ni"} <= set(doc["elements"]) for doc in server.documents[::2]) > 0
    assert {m.descriptors["energy_above_hull_ev_per_atom"] for m in with_energies} == {0.5}
    assert {m.descriptors["formation_energy_ev_per_atom"] for m in with_energies} == {-0.7}
    assert all("energies of thermo type GGA_GGA+U" in m.provenance.note for m in materials)
    assert sum("no energies of" in m.provenance.note for m in materials) == 39 - len(with_energies)
    assert {query.get("thermo_types", "GGA_GGA+U") for query in server.searches} == {"GGA_GGA+U"}


def test_a_hull_limit_means_the_hull_of_the_thermo_type(server, fetch):
    for place, doc in enumerate(server.documents):
        server.thermo.append(
            thermo(doc["material_id"], doc["formula_pretty"], -5.0, energy_above_hull=place / 100)
        )
    query = MPQuery(elements=("La", "Ni"), thermo_type="GGA_GGA+U", energy_above_hull_max=0.3)
    answer, materials = fetch(query)
    assert answer.beyond_hull == 39 - answer.total > 0
    assert max(m.descriptors["energy_above_hull_ev_per_atom"] for m in materials) <= 0.3
    assert "energy_above_hull_max" not in server.searches[0]
    limited = fetch(MPQuery(**vars(query) | {"limit": 5}))
    assert [m.material_id for m in limited[1]] == [m.material_id for m in materials[:5]]


def test_a_snapshot_is_read_back_offline_with_the_same_identifiers(server, home, tmp_path, monkeypatch):
    server.documents[6]["deprecated"] = True
    file = tmp_path / "made" / "la.jsonl.gz"
    first = run(server, "--elements", "La,Ni", "--export", str(file), "--json")
    assert first.exit_code == 0, first.output
    before = stored(home)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("HSTORE_MP_API_KEY")
    asked = len(server.requests)
    again = CliRunner().invoke(main, ["fetch", "mp", "--snapshot", str(file), "--json"])
    assert again.exit_code == 0, again.output
    counts = json.loads(again.stdout)
    assert (counts["total"], counts["stored"], counts["database_version"]) == (38, 38, VERSION)
    assert len(server.requests) == asked
    assert stored(tmp_path / "other") == before


def test_a_snapshot_takes_no_query(server, home, tmp_path):
    (tmp_path / "x").write_text("")
    result = CliRunner().invoke(main, ["fetch", "mp", "--snapshot", str(tmp_path / "x"), "--elements", "La"])
    assert result.exit_code == 2
    assert "leave out --elements" in result.output


def test_the_command_refuses_a_query_without_criteria(server, home):
    assert run(server).exit_code == 2
    assert server.requests == []


def test_identifiers_may_come_from_a_file(server, home, tmp_path):
    (tmp_path / "ids.txt").write_text("mp-1\nmp-2  mp-3\nmp-999\n")
    result = run(server, "--ids", str(tmp_path / "ids.txt"), "--json")
    counts = json.loads(result.stdout)
    assert (counts["total"], counts["received"], counts["not_found"]) == (3, 3, ["mp-999"])


@pytest.mark.parametrize("endpoint", ["ftp://somewhere", "file:///etc/passwd", "http://", "http://me:word@host/"])
def test_a_plain_web_address_is_asked_for(home, endpoint):
    with pytest.raises(InputError, match="http") as caught:
        fetch_materials(LA_NI, MPAccess(KEY, home, endpoint=endpoint))
    assert "word" not in str(caught.value)


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
