"""What the service does with requests that mean harm: refused or inert, and never an unexpected error."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing, suppress
from datetime import UTC, datetime
from urllib.parse import quote

import httpx2
import pytest

from hstore.records import Family, Material, Provenance, Scope, Screen
from hstore_api.pages import assets
from tests.api.guarded import MATERIALS, Guarded

ALL_SCOPES = "read,measure,run,train,admin"

INJECTIONS = (
    *("' OR '1'='1", "1; DROP TABLE materials; --", "') UNION SELECT key_hash FROM api_keys --", "%_\\"),
    *("\x00", "../../etc/passwd", "1e999", "nan", "9" * 400, "\ud7ff\uffff\u202e{{7*7}}", ""),
)
FILTERS = (
    *("nelements=1 OR 1=1; DROP TABLE materials", "chemical_formula_reduced='x' OR ''=''", 'id="\' OR 1=1 --"'),
    *(
        'id="a" UNION SELECT * FROM api_keys',
        'elements HAS "' + "x" * 3000 + '"',
        "(" * 500 + "nelements=1" + ")" * 500,
    ),
    *(
        "NOT " * 900 + "nelements=1",
        'lab_id="north"',
        '_hstore_lab_id="north"',
        'key_hash="x"',
        "nelements=" + "9" * 999,
    ),
    *(
        'id="\x00"',
        'id CONTAINS "%"',
        'id CONTAINS "_"',
        'id STARTS WITH "\\\\"',
        " AND ".join(["nelements>0"] * 400),
    ),
)
PLACES = (
    *("..%2f..%2f..%2f..%2fetc%2fpasswd", "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "%2fetc%2fpasswd"),
    *("%00", "%c0%ae%c0%ae/etc/passwd", "a%0d%0aX-Evil:1", "file:%2f%2f%2fetc%2fpasswd", "%ff%fe", "a" * 600),
)
PAGES = {
    "/": (),
    "/materials": ("q", "elements", "exclude", "family", "known", "number", "low", "high", "sort", "after"),
    "/compare": ("ids",),
    "/map": ("target",),
    "/map/data": ("target",),
    "/try": ("formula", "celsius"),
    "/screens": ("target",),
    "/jobs": ("target",),
    "/models": (),
    "/sign-in": ("next", "refused"),
    "/materials/{name}": (),
    "/fragments/values/{name}": (),
    "/screens/{name}": (),
    "/campaigns/{name}": (),
    "/campaigns/{name}/progress": (),
    "/models/{name}": ("version",),
    "/jobs/{name}": (),
    "/static/{name}/site.js": (),
    "/static/0123456789abcdef/{name}": (),
}
"""Address of a page -> its parameters."""
FORMULA = "=1+1"
"""What a spreadsheet would run."""
BODIES = (
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ),
    *(
        b"[" * 65 + b"]" * 65,
        b"[" * 900 + b"]" * 900,
        b'{"a":' * 9000,
        b'{"\\ud800": "\\udfff"}',
        b'{"__proto__": {}}',
    ),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The service, in this process."""
    with Guarded(tmp_path_factory.mktemp("attacks")) as service:
        service.client()
        yield service


@pytest.fixture
def client(guarded):
    """A client with a key that may do everything; afterwards nothing has gone."""
    found = guarded.client()
    found.headers.update(guarded.key("north", ALL_SCOPES))
    yield found
    stored = {material.material_id for material in guarded.store.materials(scope=Scope(everything=True))}
    assert {name for name, *_ in MATERIALS} <= stored


def routes(client, method):
    """Return the addresses of the contract that take a method, with what they say of their parameters."""
    paths = client.app.openapi()["paths"]
    return {path: found[method] for path, found in paths.items() if method in found}


def check(response, *what):
    """Check that an answer is no unexpected error and gives nothing of the inside away."""
    assert response.status_code < 500 or response.status_code == 501, (*what, response.text[:300])
    for inside in ("root:", "Traceback", "sqlalchemy", "sqlite", "psycopg", "site-packages"):
        assert inside not in response.text, (*what, response.text[:300])


def test_queries_of_all_routes_are_values_and_nothing_else(client):
    for path, operation in routes(client, "get").items():
        names = [found["name"] for found in operation.get("parameters", ()) if found["in"] == "query"]
        if path.endswith("/events"):  # follows a job until it ends
            continue
        for name in names:
            for injected in INJECTIONS[1::2]:
                response = client.get(re.sub(r"{\w+}", "a", path), params={name: injected})
                check(response, path, name, injected)


def test_filters_of_materials_find_what_fits_and_no_more(client):
    parameters = routes(client, "get")["/v1/materials"]["parameters"]
    names = {found["name"] for found in parameters if found["in"] == "query"}
    assert {"elements", "formula", "family"} <= names
    for name in names - {"after", "limit"}:
        for injected in INJECTIONS[:4]:
            response = client.get("/v1/materials", params={name: injected})
            assert response.status_code == 422 or response.json()["items"] == [], (name, injected)


def test_queries_of_all_pages_are_values_and_nothing_else(client):
    positions = ('[null,"\\ud800"]', '["x","a"]', '[1e999,"a"]', '[null,"\\u0000"]', "[[],[]]")
    for path, names in PAGES.items():
        for name in names:
            sorts = {"sort": "h2_capacity_wt_pct"} if name == "after" else {}
            bound = {"number": "h2_capacity_wt_pct"} if name in {"low", "high"} else {}
            for injected in (*INJECTIONS, *positions):
                asked = {name: injected, **sorts, **bound}
                response = client.get(re.sub(r"{\w+}", "a", path), params=asked, headers={"Accept": "text/html"})
                check(response, path, name, injected)
                assert not re.search(r"\b49\b", response.text), (path, name, "a template was run")


def test_filters_of_optimade_are_parsed_and_nothing_else(client):
    for injected in FILTERS:
        check(client.get("/optimade/v1/structures", params={"filter": injected}), injected)


def test_exports_hold_no_cell_that_a_spreadsheet_runs(client, guarded):
    hostile = {"name": FORMULA, "reason": "@SUM(A1)", "descriptors": {FORMULA: 1.0}}
    origin = Provenance(source="＝1+1", reference="-1+1", licence="\t=1+1")
    material = Material(material_id="=x/Mg", formula="MgH2", family=Family.IONIC, provenance=origin, **hostile)
    guarded.store.add_materials([material])
    top = ({"formula": "MgH2", "remark": "+1+1", FORMULA: 1.0},)
    screen = Screen(screen_id="export", target="onboard", created_at=datetime.now(UTC), n_candidates=1,
                    n_rejected=0, manifest={}, top=top)  # fmt: skip
    guarded.store.add_screen(screen)
    one = {"formula": "LaNi5", "temperature_k": 300.0, "pressure_bar": 1.0, "h2_uptake_wt_pct": 1.0}
    sent = client.post("/v1/measurements", json={"rows": [one | {"note": FORMULA, "sample": "@x"}]})
    assert sent.status_code == 200, sent.text
    exports = {
        "/v1/materials?format=csv": ("'=x/Mg", "'@SUM(A1)", "'＝1+1", "'-1+1"),
        f"/v1/materials?format=csv&all=true&properties={quote(FORMULA)}": ("'=x/Mg", f"'{FORMULA}"),
        "/v1/screens/export/results?format=csv": ("'+1+1", f"'{FORMULA}"),
        "/v1/measurements?format=csv": (f"'{FORMULA}", "'@x"),
    }
    for address, inert in exports.items():
        answer = client.get(address)
        assert answer.headers["content-type"].startswith("text/csv"), (address, answer.text)
        cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
        assert set(inert) <= set(cells), address
        running = [cell for cell in cells if cell[:1] in set("=+-@\t\r＝＋－＠") and not _is_number(cell)]
        assert running == [], address


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_bodies_that_are_no_request_are_refused_by_every_route(client):
    for method in ("post", "put", "patch"):
        for path in routes(client, method):
            for body in BODIES:
                address = re.sub(r"{\w+}", "a", path)
                response = client.request(
                    method, address, content=body, headers={"Content-Type": "application/json"}
                )
                assert response.status_code < 500, (path, body[:40], response.text[:300])


def test_a_body_that_nests_too_deep_is_told_so(client, problem):
    for depth in (65, 900, 100_000):
        response = client.post("/v1/predictions", content=b"[" * depth + b"]" * depth)
        assert "64 deep" in problem(response, 422, "invalid_input")["detail"]


_SERVER = """
import sys
import hstore_api.bodies as bodies, hstore_api.protocol as protocol
protocol.HEAD_WITHIN_S = protocol.READ_WITHIN_S = 1.0
bodies.SMALL = bodies.BodyRule(bodies.SMALL.most_bytes, 1.0)
from hstore_workflows.cli import main
main(["serve", "--no-worker", "--port", sys.argv[1]])
"""


class Served:
    """A real service, with less patience than usual, and all it writes."""

    def __init__(self, folder, settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
        environment |= {"HSTORE_HOME": str(settings.home), "HSTORE_DATABASE_URL": settings.store_url}
        self._log = folder / "log"
        with self._log.open("wb") as log:
            command = [sys.executable, "-c", _SERVER, str(self.port)]
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )
        for _ in range(1200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10):
                    return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, self.log()
                time.sleep(0.1)
        raise AssertionError(self.log())

    def log(self):
        return self._log.read_text(errors="replace")

    def raw(self, *parts, wait_s=0.0):
        """Send bytes as they are, with a pause between the parts, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            for number, part in enumerate(parts):
                time.sleep(wait_s if number else 0)
                connection.sendall(part)
            answer = b""
            while more := connection.recv(65536):
                answer += more
        return answer

    def get(self, target, *headers):
        lines = [f"GET {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
        return self.raw("\r\n".join(lines).encode("latin-1"))


@pytest.fixture(scope="module")
def served(guarded, tmp_path_factory):
    """A real service on the same store."""
    running = Served(tmp_path_factory.mktemp("served"), guarded.settings)
    yield running
    running.process.terminate()
    running.process.wait(60)


def test_addresses_lead_to_records_and_never_to_files(client, served):
    for path in (*routes(client, "get"), *PAGES):
        if "{" not in path or path.endswith("/events"):
            continue
        for place in PLACES:
            answer = served.get(re.sub(r"{\w+}", place.replace("\\", "\\\\"), path))
            head, _, body = answer.partition(b"\r\n\r\n")
            assert re.match(rb"HTTP/1.1 [2-4]\d\d ", head), (path, place, answer[:300])
            assert b"root:" not in body
            assert b"x-evil" not in head.lower()
            assert not head.startswith(b"HTTP/1.1 2"), (path, place, answer[:300])


def test_who_sends_a_head_slowly_is_not_waited_for(served):
    started = time.monotonic()
    for parts in ((b"GET / HT",), (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", b"b")):
        answer = served.raw(*parts)
        assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 40
    kept = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = served.raw(kept, kept, kept, b"GET /he", wait_s=0.5)  # a connection that is used lasts longer
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"HTTP/1.1 408 ") == 1


def test_a_connection_is_kept_longer_than_clients_keep_theirs(served):
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        connection.connect()
        connection.auto_open = 0  # one connection for both
        for pause_s in (httpx2.Limits().keepalive_expiry + 1, 0):
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            assert (response.status, response.read()[:1]) == (200, b"{")
            time.sleep(pause_s)


def test_who_sends_a_body_slowly_is_not_waited_for(served):
    head = b"POST /v1/predictions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    answer = served.raw(head, b"{", wait_s=0.1)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too_slow" in answer
    chunked = head.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")
    assert served.raw(chunked, b"1\r\n{\r\n", wait_s=0.1).startswith(b"HTTP/1.1 408 ")


def test_who_does_not_read_an_answer_is_not_waited_for(served):
    large = f"GET {assets.address(assets.PLOTLY)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall(large * 4)
        time.sleep(4.0)
        received = 0
        with suppress(ConnectionError):
            while more := connection.recv(65536):
                received += len(more)
    assert 0 < received < 2 * len(assets.asset(assets.PLOTLY).content)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 160,
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
    ],
    ids=["header", "address", "headers", "tls", "two lengths", "negative length", "unknown coding"],
)
def test_heads_that_are_no_head_are_refused(served, request_bytes):
    try:
        answer = served.raw(request_bytes)
    except ConnectionError:  # it was refused before all of it was sent
        answer = b"HTTP/1.1 400 "
    assert re.match(rb"HTTP/1.1 (400|408|414|431|501) ", answer), answer[:200]


def test_keys_are_in_no_log_and_no_answer(guarded, served):
    right, gone = guarded.key("north", "read,admin")["X-API-Key"], guarded.key("south")["X-API-Key"]
    guarded.store.keys.revoke(gone.split("_")[1])
    form = urllib.parse.urlencode({"key": right})
    posted = [
        f"Content-Length: {len(form)}",
        "Content-Type: application/x-www-form-urlencoded",
        "Origin: http://x",
    ]
    begin = "\r\n".join(["POST /session HTTP/1.1", "Host: x", "Connection: close", *posted, "", form])
    body = json.dumps({"name": right, "scopes": [gone]})
    made = "\r\n".join(["POST /v1/keys HTTP/1.1", "Host: x", "Connection: close", f"X-API-Key: {right}",
                        "Content-Type: application/json", f"Content-Length: {len(body)}", "", body])  # fmt: skip
    answers = [
        served.get("/v1/me", f"X-API-Key: {right}"),
        served.get("/v1/me", f"X-API-Key: {gone}"),
        served.get("/v1/me", f"X-API-Key: {right}", f"X-Request-ID: {right}"),
        served.get(
            "/v1/me", f"Authorization: Bearer {right}", f"X-Forwarded-For: {right}", f"User-Agent: {right}"
        ),
        served.get("/healthz", f"X-API-Key: {right}"),
        served.raw(begin.encode()),
        served.raw(begin.replace(right, gone).encode()),
    ]
    assert b"200 OK" in answers[0]
    assert b"set-cookie" in answers[5].lower()
    for answer in answers[:2] + answers[3:]:
        assert right.encode() not in answer
        assert gone.encode() not in answer
    for target in (f"/v1/materials?api_key={right}", f"/v1/materials/{right}", f"/{right}", f"/v1/none?{gone}"):
        served.get(target, f"X-API-Key: {right}")
    served.raw(made.encode())
    log = served.log()
    assert log.count("request") > 10
    for key in (right, gone):
        secret = key.split("_", 2)[2]
        assert secret not in log
        assert secret[:20] not in log
