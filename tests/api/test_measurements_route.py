"""Measurements over the service: sent, mended, published, read, and never seen by others before."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from hstore.keys import permissions_of

CAPACITY = "h2_capacity_wt_pct"
ROW = {"formula": "TiFe", CAPACITY: 1.5, "row_id": "A"}
TABLE = f"formula,{CAPACITY}\nTiFe,1.5\nXx,2\nMgH2,7.0\n"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def north(key):
    return key("north", "read,measure")


@pytest.fixture
def south(key):
    return key("south", "read,measure")


@pytest.fixture
def send(client, north):
    """Send rows and return the verdicts."""

    def send(*rows, headers=None, **sharing):
        done = client.post("/v1/measurements", json={"rows": rows, **sharing}, headers=headers or north)
        assert done.status_code == 200, done.json()
        return done.json()["verdicts"]

    return send


def listed(client, headers, **query):
    return client.get("/v1/measurements", params=query, headers=headers).json()["items"]


def test_every_row_gets_a_verdict_and_stays_with_its_lab(client, send, north, south):
    verdicts = send(ROW, {"formula": "LaNi5", CAPACITY: 14}, {"formula": "Xx", CAPACITY: 1}, ROW)
    assert [v["verdict"] for v in verdicts] == ["stored", "held", "rejected", "duplicate"]
    assert "unknown element 'Xx'" in verdicts[2]["cause"]
    (item,) = listed(client, north)
    assert (item["value"], item["unit"], item["lab_id"], item["visibility"]) == (1.5, "wt%", "north", "lab")
    assert item["material_id"] == verdicts[0]["material_id"] == "lab:north:FeTi"
    assert listed(client, south) == listed(client, {}) == []
    assert client.get("/v1/materials/lab:north:FeTi", headers=south).status_code == 404
    assert client.get("/v1/materials/lab:north:FeTi", headers=north).status_code == 200


@pytest.mark.parametrize("form", ["body", "file"])
def test_a_table_is_taken_as_body_and_as_file(client, north, form):
    if form == "body":
        done = client.post("/v1/measurements", content=TABLE, headers=north | CSV)
    else:
        done = client.post("/v1/measurements", files={"file": ("a.csv", TABLE.encode())}, headers=north)
    assert done.json()["counts"] == {"stored": 2, "duplicate": 0, "held": 0, "rejected": 1}
    assert [v["row"] for v in done.json()["verdicts"]] == [1, 2, 3]


def test_a_table_has_its_sharing_in_the_address(client, north, south):
    query = {"visibility": "public"}
    client.post("/v1/measurements", params=query, content=TABLE, headers=north | CSV)
    assert len(listed(client, south)) == 2
    refused = client.post("/v1/measurements?embargo_until=2020-01-01", content=TABLE, headers=north | CSV)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    "body", [{"json": {"rows": [ROW]}}, {"content": TABLE, "headers": CSV}], ids=["json", "csv"]
)
def test_a_repeated_request_is_answered_again_and_writes_nothing(client, records, north, body):
    headers = north | body.pop("headers", {}) | {"Idempotency-Key": "k-1"}
    first, again = (client.post("/v1/measurements", **body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(records.audit.entries()) == 1
    named = north | {"Idempotency-Key": "k-1"}
    other = client.post("/v1/measurements", json={"rows": [{"formula": "C", CAPACITY: 1}]}, headers=named)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


BAD = {
    "no JSON": ({"content": "[", "headers": {"Content-Type": "application/json"}}, 400, "bad_request"),
    "no rows": ({"json": {"rows": []}}, 422, "invalid_request"),
    "too many": ({"json": {"rows": [{}] * 1001}}, 422, "invalid_request"),
    "nested": ({"json": {"rows": [{"formula": ["TiFe"]}]}}, 422, "invalid_request"),
    "unknown part": ({"json": {"rows": [ROW], "owner": "south"}}, 422, "invalid_request"),
    "no table": ({"content": "x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
    "no file": ({"files": {"other": b"x"}}, 422, "invalid_request"),
    "no rows in table": ({"content": "formula\n", "headers": CSV}, 422, "invalid_input"),
    "no text": ({"content": b"\xff\xff\n", "headers": CSV}, 422, "invalid_input"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_keeps_not_to_the_contract_is_refused_as_a_whole(client, records, north, problem, name):
    body, status, code = BAD[name]
    headers = north | body.get("headers", {})
    problem(client.post("/v1/measurements", **{**body, "headers": headers}), status, code)
    assert records.audit.entries() == []


def test_only_keys_of_labs_that_may_measure_write(client, key, records, problem):
    problem(client.post("/v1/measurements", json={"rows": [ROW]}), 401, "unauthenticated")
    problem(client.post("/v1/measurements", json={"rows": [ROW]}, headers=key("north")), 403, "forbidden")
    _, secret = records.keys.create("nobody", permissions_of("measure"), lab_id=None)
    body = problem(
        client.post("/v1/measurements", json={"rows": [ROW]}, headers={"X-API-Key": secret}), 403, "forbidden"
    )
    assert "belong to a lab" in body["detail"]


def test_a_page_follows_a_page_and_filters_hold(client, send, north):
    send(*({"formula": "TiFe", CAPACITY: 1.5, "row_id": str(place)} for place in range(5)))
    send({"formula": "MgH2", CAPACITY: 7.0, "measured_on": "2026-01-02"})
    page = client.get("/v1/measurements?limit=4", headers=north).json()
    rest = client.get(f"/v1/measurements?limit=4&after={page['next']}", headers=north).json()
    ids = [item["measurement_id"] for item in (*page["items"], *rest["items"])]
    assert (len(ids), ids == sorted(ids), rest["next"]) == (6, True, None)
    assert len(listed(client, north, formula="Fe2Ti2")) == 5
    for query in ({"material_id": "lab:north:H2Mg"}, {"measured_from": "2026-01-02"}, {"formula": "MgH2"}):
        assert [item["value"] for item in listed(client, north, **query)] == [7.0]
    assert listed(client, north, measured_to="2026-01-01") == []
    assert len(listed(client, north, property=CAPACITY, lab="own")) == 6
    assert client.get("/v1/measurements?property=mass", headers=north).json()["code"] == "unknown_name"
    assert client.get("/v1/measurements?formula=Q9", headers=north).json()["code"] == "invalid_formula"


def test_a_correction_and_a_retraction_keep_the_history(client, send, north):
    told = send(ROW)[0]["record_id"]
    address = f"/v1/measurements/{told}"
    fixed = client.post(
        f"{address}/correction", json={"changes": {"value": 1.4}, "why": "mass"}, headers=north
    ).json()
    assert [item["value"] for item in listed(client, north)] == [1.4]
    detail = client.get(address, headers=north).json()
    assert [(i["value"], i["corrected_by"]) for i in detail["history"]] == [(1.5, fixed["record_id"]), (1.4, None)]
    assert [(e["action"], e["detail"]) for e in detail["events"]] == [("corrected", {"why": "mass"})]
    again = client.post(f"{address}/correction", json={"changes": {"value": 1.3}, "why": "mass"}, headers=north)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    tip = f"/v1/measurements/{fixed['record_id']}"
    assert client.post(f"{tip}/retraction", json={"why": "leak"}, headers=north).json()["changed"]
    assert not client.post(f"{tip}/retraction", json={"why": "leak"}, headers=north).json()["changed"]
    assert listed(client, north) == []
    assert len(listed(client, north, include_replaced="true")) == 2


def test_held_values_are_listed_confirmed_and_dropped(client, send, north):
    rows = [{"formula": "LaNi5", CAPACITY: 14}, {"formula": "LaNi5", CAPACITY: 15}]
    one, two = (v["record_id"] for v in send(*rows))
    held = client.get("/v1/measurements/held", headers=north).json()["items"]
    assert {item["record_id"] for item in held} == {one, two}
    assert client.post(f"/v1/measurements/{one}/confirmation", headers=north).json()["changed"]
    assert client.delete(f"/v1/measurements/held/{two}", headers=north).json()["changed"]
    assert client.delete(f"/v1/measurements/held/{two}", headers=north).status_code == 404
    assert client.get("/v1/measurements/held", headers=north).json()["items"] == []
    assert [item["value"] for item in listed(client, north)] == [14.0]


def test_publishing_now_later_and_for_good(client, send, north, south):
    ids = [
        v["record_id"] for v in send(ROW, {"formula": "MgH2", CAPACITY: 7.0}, {"formula": "LaNi5", CAPACITY: 1.4})
    ]
    day = str(datetime.now(UTC).date() + timedelta(days=9))

    def publish(headers=north, **request):
        return client.post("/v1/measurements/publish", json=request, headers=headers).json()

    assert publish(ids=[ids[0], "m-0"])["counts"] == {"published": 1, "not_found": 1}
    assert publish(ids=[ids[1]], on=day)["items"] == [{"record_id": ids[1], "outcome": "scheduled"}]
    assert [item["value"] for item in listed(client, south)] == [1.5]
    assert listed(client, south)[0]["formula"] == "TiFe"
    assert publish(ids=[ids[0]], on=day)["counts"] == {"public": 1}, "what is public stays so"
    assert publish(all=True)["counts"] == {"published": 2}
    assert len(listed(client, south)) == 3
    assert listed(client, south, lab="own") == []
    assert publish()["code"] == "invalid_input"


def test_another_lab_gets_the_same_answers_for_a_private_record_and_for_none(client, send, south):
    told, held = (v["record_id"] for v in send(ROW, {"formula": "LaNi5", CAPACITY: 14}))
    why, change = {"why": "x"}, {"changes": {"value": 1}, "why": "x"}
    asked = [
        ("GET", "{}", None), ("POST", "{}/correction", change), ("POST", "{}/retraction", why),
        ("POST", "{}/confirmation", None), ("DELETE", "held/{}", None),
    ]  # fmt: skip
    for method, address, body in asked:
        answers = []
        for name in (told, held, "m-nothing"):
            done = client.request(method, f"/v1/measurements/{address.format(name)}", json=body, headers=south)
            answers.append((done.status_code, done.json()["code"], done.json()["detail"].replace(name, "?")))
        assert len(set(answers)) == 1, answers
        assert answers[0][:2] == (404, "not_found")
    published = client.post("/v1/measurements/publish", json={"ids": [told]}, headers=south).json()
    assert published["counts"] == {"not_found": 1}
    rows = [{"material_id": name, CAPACITY: 1.5} for name in ("lab:north:FeTi", "lab:north:Nothing")]
    private, absent = (v["cause"] for v in send(*rows, headers=south))
    assert private.replace("FeTi", "Nothing") == absent
    same = send(ROW, headers=south)[0]
    assert (same["verdict"], same["material_id"]) == ("stored", "lab:south:FeTi")
    assert not any("north" in note for note in same["notes"])


def test_conflicts_hold_what_the_reader_may_see_alone(client, send, north, south):
    send({"formula": "TiFe", CAPACITY: 1.2}, headers=south)
    told = send({"formula": "TiFe", CAPACITY: 1.7})[0]["record_id"]
    for headers in (north, south, {}):
        assert client.get("/v1/measurements/conflicts", headers=headers).json()["items"] == []
    client.post("/v1/measurements/publish", json={"ids": [told]}, headers=north)
    (found,) = client.get("/v1/measurements/conflicts?formula=TiFe", headers=south).json()["items"]
    assert (found["composition"], found["unit"], found["repeatability"]) == ("FeTi", "wt%", None)
    assert {(v["lab_id"], v["value"]) for v in found["values"]} == {("north", 1.7), ("south", 1.2)}
    assert client.get("/v1/measurements/conflicts", headers=north).json()["items"] == []


def test_what_people_write_comes_back_as_text(client, send, north):
    note = '=HYPERLINK("x")<script>alert(1)</script>\' OR 1=1 --'
    send(ROW | {"note": note, "sample": "../../etc"})
    (item,) = listed(client, north)
    assert (item["note"], item["sample"]) == (note, "../../etc")


@pytest.mark.parametrize("how", ["format", "accept"])
def test_measurements_can_be_had_as_tables_in_which_no_cell_is_run(client, send, north, how):
    send(ROW | {"note": "=1+1", "measured_on": "2026-01-02"}, {"formula": "MgH2", CAPACITY: 7.0, "row_id": "B"})
    asked = {
        "format": {"params": {"format": "csv", "limit": 1}, "headers": north},
        "accept": {"params": {"limit": 1}, "headers": north | {"Accept": "text/csv"}},
    }
    page = client.get("/v1/measurements", **asked[how])
    assert page.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(page.text)))
    address = page.headers["Link"].partition(">")[0].removeprefix("<")
    rest = client.get(address, headers=asked[how]["headers"])
    rows += csv.DictReader(io.StringIO(rest.text))
    assert "Link" not in rest.headers
    (told,) = (row for row in rows if row["formula"] == "TiFe")
    shown = [told[name] for name in ("value", "note", "measured_on", "temperature_k")]
    assert shown == ["1.5", "'=1+1", "2026-01-02", ""]
    table = pd.read_parquet(io.BytesIO(client.get("/v1/measurements?format=parquet", headers=north).content))
    assert sorted(table["value"]) == [1.5, 7.0]
    assert list(table.columns) == list(rows[0])
    assert client.get("/v1/measurements", headers=north | {"Accept": "image/png"}).status_code == 406
