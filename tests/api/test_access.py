"""Who is asking, what they may do, and what is told of it."""

from __future__ import annotations

import json
import re
import stat
from datetime import timedelta

import pytest

from hstore.errors import SettingsError
from hstore.keys import permissions_of
from hstore.settings import Settings
from hstore_api.app import create_app
from hstore_api.sessions import session_secret
from tests.api.guarded import Guarded

OURS = {"Origin": "http://testserver"}
PRODUCTION = {"environment": "production"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The service, with whatever settings."""
    with Guarded(tmp_path_factory.mktemp("access")) as service:
        yield service


@pytest.fixture
def client(guarded):
    """A client of the service as it is by default."""
    return guarded.client()


@pytest.fixture
def records(guarded):
    """The store of the service."""
    return guarded.store


@pytest.fixture
def key(guarded):
    """Make a key and return the headers it is sent with."""
    return guarded.key


@pytest.fixture
def sign_in(records):
    """Begin a session of a lab's key in a client; returns the key."""

    def begin(client, lab="north", scopes="read,admin", **form):
        kept, secret = records.keys.create(lab, permissions_of(scopes), lab_id=lab)
        response = client.post("/session", data={"key": secret, **form}, headers=OURS, follow_redirects=False)
        assert response.status_code == 303
        return kept, response

    return begin


def test_a_caller_is_told_who_it_is_and_what_is_left(client, records, key):
    assert client.get("/v1/me").json() | {"requests_left": None} == {
        "name": "anonymous", "key_id": None, "lab": None, "scopes": ["read"], "expires_at": None,
        "requests_per_minute": None, "requests_left": None, "predictions_per_day": None, "predictions_left": None,
        "concurrent_jobs": 0, "jobs_open": 0,
    }  # fmt: skip
    made = {"valid_for": timedelta(days=2), "predictions_per_day": 10, "requests_per_minute": 50}
    kept, secret = records.keys.create("box 2", permissions_of("read,measure"), lab_id="north", **made)
    records.keys.use(kept.key_id, "predictions", 3, most=10)
    response = client.get("/v1/me", headers={"X-API-Key": secret})
    found = response.json()
    assert (found["name"], found["lab"], found["scopes"]) == ("box 2", "north", ["measure", "read"])
    assert (found["predictions_per_day"], found["predictions_left"]) == (10, 7)
    assert (found["requests_per_minute"], found["requests_left"]) == (50, 49)
    assert found["expires_at"] is not None
    assert secret not in response.text


def test_a_key_that_cannot_be_used_is_refused_whatever_the_reason(client, records, problem):
    _, ended = records.keys.create("a", permissions_of("read"), lab_id="a", valid_for=timedelta(microseconds=1))
    kept, revoked = records.keys.create("b", permissions_of("read"), lab_id="b")
    assert client.get("/v1/materials", headers={"X-API-Key": revoked}).status_code == 200
    records.keys.revoke(kept.key_id)
    told = set()
    for wrong in (ended, revoked, revoked[:-1], "hsk_0_0", "x" * 5000, "\xff\xfe"):
        response = client.get("/v1/materials", headers={"X-API-Key": wrong.encode("latin-1")})
        told.add(problem(response, 401, "unauthenticated")["detail"])
        assert response.headers["www-authenticate"]
        assert wrong not in response.text
    assert len(told) == 1
    assert client.get("/healthz", headers={"X-API-Key": "wrong"}).status_code == 200


def test_without_anonymous_reading_a_key_is_needed_for_everything(guarded, key, problem):
    client = guarded.client(anonymous_read=False)
    for address in (
        "/v1/materials",
        "/v1/materials/none",
        "/v1/me",
        "/v1/screens",
        "/v1/properties",
        "/v1/models",
    ):
        problem(client.get(address), 401, "unauthenticated")
    assert client.get("/v1/materials", headers=key("north")).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_key_does_what_its_scopes_say_and_no_more(client, key, problem):
    body = {"name": "x", "scopes": ["read"]}
    problem(client.post("/v1/keys", json=body), 401, "unauthenticated")
    found = problem(
        client.post("/v1/keys", json=body, headers=key("north", "read,measure,run,train")), 403, "forbidden"
    )
    assert "'admin'" in found["detail"]
    problem(client.get("/v1/materials", headers=key("north", "measure")), 403, "forbidden")
    assert client.get("/v1/me", headers=key("north", "measure")).json()["scopes"] == ["measure"]
    assert client.get("/v1/keys", headers=key("op", "admin")).status_code == 200


def test_a_key_is_made_shown_once_listed_and_revoked(client, records, guarded, key, problem):
    admin = key("op", "admin")
    asked = {"name": "box 2", "lab": "North Lab", "scopes": ["measure", "read"], "days": 30, "concurrent_jobs": 1}
    made = client.post("/v1/keys", json=asked, headers=admin)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    new = made.json()
    assert (new["lab"], new["scopes"], new["concurrent_jobs"]) == ("north-lab", ["measure", "read"], 1)
    assert client.get("/v1/me", headers={"X-API-Key": new["key"]}).json()["key_id"] == new["key_id"]
    listed = client.get("/v1/keys", headers=admin)
    assert new["key_id"] in [item["key_id"] for item in listed.json()["items"]]
    audit = client.get("/v1/audit", headers=admin)
    newest = audit.json()["items"][0]
    assert (newest["action"], newest["subjects"], newest["lab"]) == ("keys.create", [new["key_id"]], "north-lab")
    records.database.engine.dispose()
    kept = b"".join(path.read_bytes() for path in guarded.settings.home.rglob("*") if path.is_file())
    for place in (listed.content, audit.content, kept):
        assert new["key"].encode() not in place
        assert new["key"].split("_", 2)[2].encode() not in place
    for _ in range(2):
        ended = client.delete(f"/v1/keys/{new['key_id']}", headers=admin)
        assert ended.json()["revoked_at"] is not None
    problem(client.get("/v1/me", headers={"X-API-Key": new["key"]}), 401, "unauthenticated")
    problem(client.delete("/v1/keys/none", headers=admin), 404, "not_found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "}, {"name": "x" * 201}, {"name": "a\x00b"}, {"name": "\ud800"}, {"lab": "!"}, {"lab": ""},
        {"scopes": []}, {"scopes": ["fly"]}, {"days": 0}, {"days": 10**9}, {"requests_per_minute": 0},
        {"predictions_per_day": -1}, {"concurrent_jobs": 2**40}, {"key": "mine"},
    ],
    ids="-".join,
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(client, records, key, wrong):
    admin = key("op", "admin")
    before = len(records.keys.list())
    body = json.dumps({"name": "x", "scopes": ["read"], **wrong})  # which can name a lone surrogate
    assert client.post("/v1/keys", content=body, headers=admin).status_code == 422
    assert len(records.keys.list()) == before


def test_the_audit_log_is_read_in_pages_and_a_lab_sees_its_own(client, records, key, problem):
    for number in range(5):
        records.audit.add("x.create", [f"n{number}"], lab_id="north-1")
        records.audit.add("x.create", [f"s{number}"], lab_id="south-1")
    admin, north = key("op", "admin"), key("north-1")

    def all_of(headers, query=""):
        found, before = [], None
        while True:
            more = f"&before={before}" if before else ""
            page = client.get(f"/v1/audit?limit=2{query}{more}", headers=headers).json()
            found += [entry["subjects"][0] for entry in page["items"]]
            before = page["next"]
            if before is None:
                return found

    assert all_of(north) == all_of(admin, "&lab=north-1") == [f"n{number}" for number in range(4, -1, -1)]
    assert {"n0", "s0"} <= set(all_of(admin))
    told = [
        problem(client.get(f"/v1/audit?lab={lab}", headers=north), 403, "forbidden") for lab in ("south", "none")
    ]
    assert told[0]["detail"] == told[1]["detail"]
    problem(client.get("/v1/audit"), 401, "unauthenticated")
    of_no_lab = records.keys.create("x", permissions_of("read"), lab_id=None)[1]
    problem(client.get("/v1/audit", headers={"X-API-Key": of_no_lab}), 403, "forbidden")


def test_a_session_reads_and_writes_as_its_key_until_it_ends(client, records, sign_in):
    kept, response = sign_in(client, next="/materials?q=LaNi5")
    assert response.headers["location"] == "/materials?q=LaNi5"
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith("hstore=")
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(re.split(r";\s*", cookie))
    assert client.get("/v1/me").json()["key_id"] == kept.key_id
    made = client.post("/v1/keys", json={"name": "x", "scopes": ["read"]}, headers=OURS)
    assert made.status_code == 201
    other = {"X-API-Key": made.json()["key"]}
    assert client.get("/v1/me", headers=other).json()["name"] == "x"  # the header counts before the session
    ended = client.post("/session/end", headers=OURS, follow_redirects=False)
    assert (ended.status_code, ended.headers["location"]) == (303, "/")
    assert client.get("/v1/me").json()["name"] == "anonymous"


def test_a_session_ends_with_its_key(client, records, sign_in):
    kept, _ = sign_in(client)
    records.keys.revoke(kept.key_id)
    assert client.get("/v1/me").json()["name"] == "anonymous"


def test_a_wrong_key_begins_no_session(client):
    response = client.post("/session", data={"key": "wrong"}, headers=OURS, follow_redirects=False)
    assert response.headers["location"] == "/sign-in?refused=true"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x", "/a\r\nb"],
)
def test_a_session_leads_to_no_other_site(client, sign_in, elsewhere):
    assert sign_in(client, next=elsewhere)[1].headers["location"] == "/"


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, True),
        ({"Origin": "http://testserver"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://testserver.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_session_writes_from_our_pages_only(client, sign_in, problem, headers, own):
    sign_in(client)
    assert client.get("/v1/me", headers=headers).json()["lab"] == "north"  # reading changes nothing
    for method, address in (("POST", "/v1/keys"), ("DELETE", "/v1/keys/none"), ("POST", "/session/end")):
        response = client.request(method, address, headers=headers)
        if own:
            assert response.status_code != 403
        else:
            problem(response, 403, "forbidden")


def test_a_forged_cookie_is_no_session(client, sign_in):
    sign_in(client)
    good = client.cookies["hstore"]
    # Not the last letter: two of its bits stand for nothing.
    other = good[:-2] + ("a" if good[-2] != "a" else "b") + good[-1]
    for forged in (other, "x" + good, "e30.x.y", "null", "\x80"):
        client.cookies.clear()
        response = client.get("/v1/me", headers={"Cookie": f"hstore={forged}".encode("latin-1")})
        assert response.json()["name"] == "anonymous"


def test_the_secret_of_development_is_kept_for_its_owner_alone(tmp_path):
    first = session_secret(Settings(home=tmp_path / "a"))
    assert session_secret(Settings(home=tmp_path / "a")) == first != session_secret(Settings(home=tmp_path / "b"))
    assert stat.S_IMODE((tmp_path / "a/secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["secret.key"]
    (tmp_path / "a/secret.key").write_text("short")
    with pytest.raises(SettingsError, match="delete it"):
        session_secret(Settings(home=tmp_path / "a"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="HSTORE_SECRET_KEY"):
        session_secret(Settings(home=tmp_path / "file"))


def test_production_marks_its_cookie_and_asks_for_tls(guarded, key):
    client = guarded.client(base_url="https://testserver", **PRODUCTION)
    form = {"key": key("north")["X-API-Key"]}
    begun = client.post("/session", data=form, headers={"Origin": "https://testserver"}, follow_redirects=False)
    assert begun.headers["set-cookie"].startswith("__Host-hstore=")
    assert "secure" in begun.headers["set-cookie"]
    assert "max-age=31536000" in client.get("/healthz").headers["strict-transport-security"]
    plain = guarded.client(**PRODUCTION)
    assert "strict-transport-security" not in plain.get("/healthz").headers


def test_every_answer_says_what_browsers_may_do_with_it(client):
    for address in ("/v1/materials", "/v1/materials/none", "/v1/none", "/healthz", "/openapi.json"):
        headers = client.get(address).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
        assert "server" not in headers
    page = client.get("/", headers={"Accept": "text/html"})
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == policy["default-src"] == "'self'"
    assert "http" not in page.headers["content-security-policy"]


def test_what_depends_on_a_key_is_kept_out_of_shared_caches(client, key, sign_in):
    headers = client.get("/v1/materials", headers=key("north")).headers
    assert re.search(r"no-store|private", headers["cache-control"])
    assert "public" not in headers["cache-control"]
    for response in (headers, client.get("/v1/materials").headers):
        assert {"X-API-Key", "Cookie"} <= set(re.split(r",\s*", response["vary"]))
    sign_in(client)
    assert re.search(r"no-store|private", client.get("/v1/materials").headers["cache-control"])


def test_other_sites_may_call_only_where_they_are_named_and_without_cookies(client, guarded):
    asked = {"Origin": "https://lab.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in client.get("/v1/materials", headers=asked).headers
    open_to = guarded.client(cors_origins=("https://lab.example",))
    answered = open_to.get("/v1/materials", headers=asked).headers
    assert answered["access-control-allow-origin"] == "https://lab.example"
    assert "access-control-allow-credentials" not in answered
    preflight = open_to.options("/v1/materials", headers=asked | {"Access-Control-Request-Headers": "X-API-Key"})
    assert preflight.status_code == 200
    assert "X-API-Key" in preflight.headers["access-control-allow-headers"]
    other = open_to.get("/v1/materials", headers=asked | {"Origin": "https://evil.example"}).headers
    assert other.get("access-control-allow-origin") != "https://evil.example"


def test_the_app_is_not_made_with_secrets_that_others_know(tmp_path):
    with pytest.raises(SettingsError, match="HSTORE_SECRET_KEY must be set"):
        create_app(Settings(home=tmp_path, **PRODUCTION))
