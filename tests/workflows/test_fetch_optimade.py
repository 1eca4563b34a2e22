"""Fetching from OPTIMADE providers on loopback: every fault of a provider is an error or is made good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.records import PUBLIC_SCOPE, Family
from hstore.store import open_store
from hstore_workflows.cli import main
from hstore_workflows.sources.optimade.fetch import settle
from hstore_workflows.sources.optimade.query import OptimadeQuery
from hstore_workflows.sources.optimade.transport import Patience
from tests.workflows.optimade_server import (
    OptimadeServer,
    crystal,
    entry,
    fetch,
    fetch_one,
    formula,
)


@pytest.fixture
def server():
    with OptimadeServer([entry(n, formula(n)) for n in range(100)]) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["fetch", "optimade", *arguments])


def stored(home):
    with open_store(f"sqlite:///{home / 'hstore.sqlite'}") as store:
        return {m.material_id: m for m in store.materials(scope=PUBLIC_SCOPE)}


def expected_ids(server):
    return {e["id"] for e in server.entries if {"Mg", "H"} <= set(e["attributes"]["elements"])}


def ids_of(items):
    return {item.provenance.reference for item in items}


# what a user gets


def test_the_command_stores_what_matches_with_its_provenance(server, home):
    result = run("--provider", server.url, "--chemsys", "Mg-Ca-H,Mg-Sr-H", "--json", "--page-rows", "4")
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    assert (counts["total"], counts["received"], counts["rejected"]) == (6, 6, 0)
    assert (counts["stored"], counts["merged"]) == (6, 0)
    (provider,) = counts["providers"]
    assert provider["total"] == provider["received"] == provider["usable"] == 6
    assert provider["cause"] is None
    hydride = stored(home)[f"optimade:{server.url.removeprefix('http://')}:t/31"]
    assert (hydride.formula, hydride.family, hydride.known) == ("CaH6Mg2", Family.IONIC, False)
    assert hydride.provenance.source == "Testing House"
    assert hydride.provenance.reference == "t/31"
    assert hydride.provenance.licence == "CC-BY-4.0"
    assert hydride.provenance.retrieved is not None
    for part in (f"{server.url}/v1", "OPTIMADE 1.2.0", "2025-03-04T05:06:07Z"):
        assert part in hydride.provenance.note
    assert hydride.descriptors == {
        "energy_above_hull_ev_per_atom": pytest.approx(0.031),
        "formation_energy_ev_per_atom": -0.3,
    }
    assert Crystal.from_dict(hydride.structure).key == crystal(server.entries[31]).key
    assert not list((home / "fetch").glob("optimade*/*.answer"))


def test_only_needed_fields_are_asked_for(server, home):
    fetch_one(home, server)
    fields = server.searches[0]["response_fields"].split(",")
    assert {"lattice_vectors", "species", "assemblies", "_oqmd_stability"} <= set(fields)
    assert "elements" not in fields
    assert not any(name.startswith("_mp") for name in fields)


@pytest.mark.parametrize("page_rows", [1, 7, 60, 1000])
def test_every_page_size_gives_the_same_set(server, home, page_rows):
    fetched, items = fetch_one(home, server, page_rows=page_rows)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)
    assert fetched.harvest.total == fetched.received == len(items) == 60


def test_the_filter_arrives_as_written(server, home):
    text = 'elements HAS ALL "Mg","H" AND nelements=3 AND NOT (id STARTS WITH "a+b&c%d=1")'
    fetched, items = fetch_one(home, server, query=OptimadeQuery(text))
    assert fetched.cause == ""
    assert {query["filter"] for query in server.searches} == {text}
    assert len(items) == 60


def test_limit_takes_the_first_and_asks_no_further(server, home):
    fetched, items = fetch_one(home, server, query=OptimadeQuery(elements=("Mg", "H"), limit=10), page_rows=6)
    assert fetched.harvest.total == fetched.received == len(items) == 10
    assert len(server.searches) == 2
    assert [item.provenance.reference for item in items] == [f"t/{n}" for n in range(20) if n % 5 < 3][:10]


def test_nothing_that_matches_is_no_failure(server, home):
    result = run("--provider", server.url, "--elements", "Xe", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["total"] == 0


# pages that lead astray


def looping(server):
    """The third page links to the first."""
    first = []

    def mangle(number, answer):
        first.append(answer["links"]["next"])
        if number == 2:
            answer["links"]["next"] = first[0]
        return answer

    server.mangle = mangle


def same_for_ever(server):
    """Every page holds the first rows and links to a new address."""
    first = []

    def mangle(number, answer):
        first.append(answer)
        return first[0] | {
            "links": {"next": f"{server.url}/v1/structures?response_fields=id&page_cursor={number}"},
        }

    server.mangle = mangle


def endless_rows(server):
    """New rows for ever, whatever was announced."""

    first = []

    def mangle(number, answer):
        first.append(answer)
        rows = [entry(1000 + 7 * number + k) for k in range(7)]
        following = f"{server.url}/v1/structures?response_fields=id&page_cursor={number}"
        return first[0] | {"data": rows, "links": {"next": following}}

    server.mangle = mangle


def shrinking(server):
    """Each page lacks rows at its end, yet the next begins where it should."""
    server.mangle = lambda number, answer: answer | {"data": answer["data"][: 7 - number]}


def too_many_announced(server):
    server.mangle = lambda _, answer: answer | {"meta": answer["meta"] | {"data_returned": 73}}


def too_few_announced(server):
    server.mangle = lambda _, answer: answer | {"meta": answer["meta"] | {"data_returned": 11}}


def changing_total(server):
    server.mangle = lambda n, answer: answer | {"meta": answer["meta"] | {"data_returned": 60 + n}}


def ends_early(server):
    def mangle(number, answer):
        return answer | {"links": {"next": None}} if number == 1 else answer

    server.mangle = mangle


def ends_early_without_total(server):
    def mangle(number, answer):
        answer["meta"].pop("data_returned")
        return answer | {"links": {}} if number == 1 else answer

    server.mangle = mangle


def empty_with_next(server):
    server.mangle = lambda n, answer: answer | {"data": [] if n == 1 else answer["data"]}


def other_host(server):
    def mangle(_, answer):
        return answer | {"links": {"next": "http://127.0.0.1:9/v1/structures?page_offset=7"}}

    server.mangle = mangle


def next_is_a_file(server):
    server.mangle = lambda _, answer: answer | {"links": {"next": "file:///etc/hostname"}}


def next_is_a_number(server):
    server.mangle = lambda _, answer: answer | {"links": {"next": 3}}


def data_is_an_object(server):
    server.mangle = lambda _, answer: answer | {"data": {"id": "one"}}


def errors_with_status_200(server):
    server.mangle = lambda *_: {"errors": [{"title": "Sorry", "detail": "database gone"}], "meta": {}}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (looping, ["links to a page that was received already", "60 structures announced", "21 distinct"]),
        (same_for_ever, ["repeats structures", "60 structures announced", "7 distinct"]),
        (endless_rows, ["more than it announced", "60 structures announced", "63 distinct"]),
        (too_many_announced, ["announced 73", "60 distinct"]),
        (too_few_announced, ["more than it announced", "11 structures announced", "14 distinct"]),
        (changing_total, ["announced 60 structures, then 61"]),
        (ends_early, ["announced 60", "14 distinct"]),
        (ends_early_without_total, ["more follows page 2 but not where"]),
        (empty_with_next, ["page 2", "is empty and links to another"]),
        (other_host, ["http://127.0.0.1:9/", "not the provider's"]),
        (next_is_a_file, ["file:///etc/hostname", "not the provider's"]),
        (next_is_a_number, ["neither text nor an object with href", "3"]),
        (data_is_an_object, ["no list of data"]),
        (errors_with_status_200, ["Sorry: database gone"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_inconsistent_pages_end_the_fetch_and_leave_nothing(server, home, fault, words):
    fault(server)
    result = run("--provider", server.url, "--elements", "Mg,H", "--page-rows", "7", "--json")
    assert result.exit_code == 1, result.output
    counts = json.loads(result.stdout)
    assert counts["stored"] == counts["received"] == 0
    cause = counts["providers"][0]["cause"]
    for word in words:
        assert word in cause
        assert word in result.stderr
    assert stored(home) == {}
    assert len(server.searches) < 20
    server.mangle = lambda _, answer: answer  # and the pages that were wrong are forgotten
    assert ids_of(fetch_one(home, server)[1]) == expected_ids(server)


def test_shorter_pages_than_asked_for_that_skip_rows_are_asked_again_smaller(server, home):
    def mangle(_, answer):
        return answer | {"data": answer["data"][:5]}

    server.mangle = mangle
    fetched, items = fetch_one(home, server, page_rows=7)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)
    assert {query["page_limit"] for query in server.searches} == {"7", "5"}


def test_pages_that_shrink_name_both_numbers(server, home):
    shrinking(server)
    (fetched,) = fetch(home, server)
    assert "announced 60" in fetched.cause or "is empty" in fetched.cause
    assert list(fetched.items()) == []


def test_rows_that_come_twice_are_counted_once(server, home):
    server.entries.insert(30, server.entries[29])
    (fetched,) = fetch(home, server, query=OptimadeQuery('elements HAS "O"'))
    assert "announced 21" in fetched.cause
    assert "20 distinct ones in 21 rows" in fetched.cause


def test_without_a_total_it_says_so_and_takes_all(server, home):
    def mangle(_, answer):
        answer["meta"].pop("data_returned")
        return answer

    server.mangle = mangle
    result = run("--provider", server.url, "--elements", "Mg,H", "--page-rows", "7", "--json")
    assert result.exit_code == 0, result.output
    (provider,) = json.loads(result.stdout)["providers"]
    assert provider["total"] is None
    assert provider["received"] == 60
    assert any("does not announce" in warning for warning in provider["warnings"])
    text = run("--provider", server.url, "--elements", "Mg,H", "--page-rows", "7")
    assert "60 of an unannounced total received" in text.stdout
    assert "does not announce" in text.stdout


def test_without_a_total_repeated_rows_are_an_error(server, home):
    server.entries.insert(30, server.entries[29])
    server.mangle = lambda _, answer: answer | {"meta": {}}
    (fetched,) = fetch(home, server, query=OptimadeQuery('elements HAS "O"'))
    assert "repeated 1 of 21 rows" in fetched.cause


def test_an_endless_provider_without_total_is_stopped(server, home, monkeypatch):
    monkeypatch.setattr("hstore_workflows.sources.optimade.paging.MOST_PAGES", 12)
    endless_rows(server)
    endless = server.mangle
    server.mangle = lambda number, answer: endless(number, answer) | {"meta": {}}
    (fetched,) = fetch(home, server)
    assert "no end after 12 pages" in fetched.cause
    assert len(server.searches) == 12


@pytest.mark.parametrize("form", ["object", "relative", "relative object"])
def test_all_forms_of_the_next_link_are_followed(server, home, form):
    def mangle(_, answer):
        link = answer["links"]["next"]
        if link and "relative" in form:
            link = link.removeprefix(server.url) if "object" in form else link.split("/v1/")[1]
        return answer | {"links": {"next": {"href": link, "meta": {}} if link and "object" in form else link}}

    server.mangle = mangle
    fetched, items = fetch_one(home, server)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)


@pytest.mark.parametrize("more", [False, None])
def test_a_next_link_after_the_last_page_does_no_harm(server, home, more):
    def mangle(_, answer):
        link = answer["links"]["next"] or f"{server.url}/v1/structures?response_fields=id&filter=nsites%3C0"
        meta = answer["meta"] if answer["meta"]["more_data_available"] else {**answer["meta"]}
        meta["more_data_available"] = meta["more_data_available"] or more
        if not answer["data"]:
            meta.pop("data_returned")
        return answer | {"links": {"next": link}, "meta": meta}

    server.mangle = mangle
    fetched, items = fetch_one(home, server)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)


def test_a_provider_that_refuses_the_page_limit_is_asked_for_its_own(server, home):
    server.refuse_above = 25
    fetched, items = fetch_one(home, server, page_rows=100)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)
    assert "page_limit" in server.searches[0]
    assert not any("page_limit" in query for query in server.searches[1:])


# servers that fail


@pytest.mark.parametrize("fault", [429, 500, 503, "cut", "short", 0], ids=str)
def test_passing_faults_are_outlasted(server, home, fault):
    server.faults = [(200, {}), (fault, {}), (fault, {})]
    fetched, items = fetch_one(home, server)
    assert fetched.cause == ""
    assert ids_of(items) == expected_ids(server)
    assert len(server.searches) == 9 + 2


@pytest.mark.parametrize("fault", [429, 500, "cut", "short", 0], ids=str)
def test_lasting_faults_end_after_all_repeats(server, home, fault):
    server.faults = [(fault, {})] * 50
    (fetched,) = fetch(home, server)
    assert "asked 4 times" in fetched.cause
    assert "run the same command to go on" in fetched.cause
    assert len(server.searches) == 4


def test_a_provider_that_is_not_there_is_a_failure_in_plain_words(home):
    (fetched,) = fetch(home, "http://127.0.0.1:9")
    assert fetched.cause.startswith(
        "http://127.0.0.1:9/v1/info: the connection failed (Connection refused) (asked 4"
    )


def test_retry_after_is_honoured(server, home):
    server.faults = [(429, {"retry-after": "1"})]
    began = time.monotonic()
    fetched, _ = fetch_one(home, server)
    assert fetched.cause == ""
    assert time.monotonic() - began >= 1.0


def test_a_wait_beyond_patience_is_an_error_that_names_it(server, home):
    server.faults = [(200, {}), (429, {"retry-after": "7200"})]
    (fetched,) = fetch(home, server)
    assert "asks to wait 7200 s" in fetched.cause


@pytest.mark.parametrize(
    ("fault", "words"), [("stall", "no answer within 1 s"), ("drip", "not complete after 2 s")]
)
def test_a_silent_or_dripping_server_does_not_hang(server, home, monkeypatch, fault, words):
    monkeypatch.setattr("hstore_workflows.sources.optimade.transport._WHOLE_ANSWER_FACTOR", 2)
    server.faults = [(fault, {})] * 5
    (fetched,) = fetch(home, server, patience=Patience(timeout_s=1.0, retries=5, backoff_s=0.01))
    assert words in fetched.cause
    assert len(server.searches) == 2


def test_a_refusal_is_not_repeated_and_says_what_the_server_says(server, home):
    server.faults = [(400, {})] * 5
    (fetched,) = fetch(home, server)
    assert "Fault: ordered 400" in fetched.cause
    assert len(server.searches) == 2  # once more without a page limit


def test_redirects_stay_with_the_provider(server, home):
    away = "http://127.0.0.1:9/v1/structures"
    server.faults = [(302, {"location": away})]
    (fetched,) = fetch(home, server)
    assert f"redirects to {away}" in fetched.cause
    server.faults = [(307, {"location": "/v1/structures?response_fields=id&filter=nsites%3C0"})]
    assert fetch(home, server)[0].cause == ""


def test_a_provider_without_info_is_still_fetched(server, home):
    server.info = None
    _, items = fetch_one(home, server)
    assert ids_of(items) == expected_ids(server)
    assert items[0].provenance.licence is None
    assert items[0].descriptors == {}


def test_warnings_of_the_provider_are_passed_on(server, home):
    warning = {"type": "warning", "detail": "property _x_y is not known here"}
    server.mangle = lambda _, answer: answer | {"meta": answer["meta"] | {"warnings": [warning]}}
    (fetched,) = fetch(home, server)
    assert fetched.report()["warnings"] == ["property _x_y is not known here"]


# several providers


def test_one_failing_provider_does_not_stop_the_others(server, home):
    with OptimadeServer([entry(0, "CaH2")]) as second, OptimadeServer() as broken:
        broken.faults = [(500, {})] * 50
        arguments = [part for s in (server, broken, second) for part in ("--provider", s.url)]
        result = run(*arguments, "--filter", 'elements HAS "H"', "--json", "--retries", "1")
    assert result.exit_code == 1
    counts = json.loads(result.stdout)
    first, failed, last = counts["providers"]
    assert (first["usable"], failed["usable"], last["usable"]) == (60, 0, 1)
    assert "ordered 500" in failed["cause"]
    assert first["cause"] is last["cause"] is None
    assert "1 of 3 providers failed; what the others delivered is stored" in result.stderr
    assert counts["stored"] == counts["received"] == len(stored(home)) == 61


def test_providers_are_asked_side_by_side(home):
    meeting = threading.Barrier(3, timeout=20)
    servers = [OptimadeServer([entry(n)]) for n in range(3)]
    for each in servers:
        each.on_request = lambda _: meeting.wait()
        each.__enter__()
    fetches = fetch(home, *servers, patience=Patience(timeout_s=30, retries=0))
    for each in servers:
        each.__exit__()
    assert [f.cause for f in fetches] == ["", "", ""]


# going on


def test_what_was_received_is_not_asked_for_again(server, home):
    server.faults = [(200, {})] * 4 + [(404, {})]
    (fetched,) = fetch(home, server)
    assert "status 404" in fetched.cause
    asked = len(server.searches)
    fetched, items = fetch_one(home, server)
    assert ids_of(items) == expected_ids(server)
    assert len(server.searches) - asked == 9 - 4
    assert len([path for path, _ in server.requests if path == "/v1/info"]) == 1


def test_restart_forgets(server, home):
    server.faults = [(200, {})] * 4 + [(404, {})]
    fetch(home, server)
    asked = len(server.searches)
    fetched, _ = fetch_one(home, server, restart=True)
    assert len(server.searches) - asked == 9
    settle([fetched])
    assert not list((home / "fetch").glob("*/*.answer"))


@pytest.mark.long
def test_killed_again_and_again_it_ends_with_the_same_set(server, home):
    command = [sys.executable, "-m", "hstore_workflows.cli", "fetch", "optimade", "--provider", server.url]
    command += ["--elements", "Mg,H", "--page-rows", "3", "--json"]
    for pages in (1, 7, 4):
        goal = len(server.searches) + pages
        reached = threading.Event()
        server.on_request = lambda number, goal=goal, reached=reached: number + 1 >= goal and reached.set()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert reached.wait(60)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    server.on_request = lambda _number: None
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    counts = json.loads(finished.stdout)
    assert counts["total"] == counts["received"] == counts["stored"] == 60
    assert len(server.searches) <= 20 + 2 * 3  # at most the page in flight is asked for again
    prefix = f"optimade:{server.url.removeprefix('http://')}:"
    assert {key.removeprefix(prefix) for key in stored(home)} == expected_ids(server)


# the command


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("elements HAS ALL Mg", "at character 18"),
        ("nelements=", "at its end"),
        ("nelements==2", "at character 11"),
        ('elements HAS "Mg" AN nelements=3', "at character 19"),
        ("(nelements=2", "at its end"),
        ('elements HAS "Mg', "at character 14"),
        ("nelements=2 nsites=3", "without AND or OR"),
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_sent(server, home, text, place):
    result = run("--provider", server.url, "--filter", text)
    assert result.exit_code == 2
    assert place in result.stderr
    assert text in result.stderr
    assert server.requests == []


def test_help_is_quick():
    began = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", "hstore_workflows.cli", "fetch", "optimade", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert "--provider" in shown.stdout
    assert "hstore fetch optimade --provider oqmd" in shown.stdout
    assert time.monotonic() - began < 20
    for heavy in ("optimade.", "pymatgen", "requests", "numpy"):
        assert f"| {heavy}" not in shown.stderr.replace("  ", "")
