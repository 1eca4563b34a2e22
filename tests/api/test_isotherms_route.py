"""Isotherms over the service."""

from __future__ import annotations

import sys

import pytest

ISOTHERM = {
    "formula": "Zn4O13C24H12", "temperature_k": 77, "uptake_kind": "excess", "uptake_unit": "mmol/g",
    "points": [[0.1, 4.5], [1, 12.9], [10, 29.8]], "row_id": "77K",
}  # fmt: skip
TABLE = """# formula: Zn4O13C24H12
# temperature_k: 77
# uptake_kind: excess
pressure_bar,uptake_mmol_g
0.1,4.5
1.0,12.9
10.0,29.8
"""


@pytest.fixture
def north(key):
    return key("north", "read,measure")


@pytest.fixture
def south(key):
    return key("south", "read,measure")


def send(client, headers, *isotherms):
    done = client.post("/v1/isotherms", json={"isotherms": isotherms}, headers=headers)
    assert done.status_code == 200, done.json()
    return done.json()["verdicts"]


def test_isotherms_come_back_in_bar_and_wt_pct_to_their_lab(client, north, south):
    bad = ISOTHERM | {"points": [[1, 2]]}
    first, refused, again = send(client, north, ISOTHERM, bad, ISOTHERM)
    assert [v["verdict"] for v in (first, refused, again)] == ["stored", "rejected", "duplicate"]
    detail = client.get(f"/v1/isotherms/{first['record_id']}", headers=north).json()
    assert detail["pressures_bar"] == [0.1, 1.0, 10.0]
    assert detail["uptakes_wt_pct"] == pytest.approx([0.907146, 2.6004852, 6.0073224])
    assert (detail["mass_basis"], detail["n_points"], detail["branch"]) == ("sorbent", 3, "adsorption")
    (item,) = client.get("/v1/isotherms?formula=Zn4O13C24H12", headers=north).json()["items"]
    assert (item["isotherm_id"], item["highest_pressure_bar"]) == (first["record_id"], 10.0)
    assert client.get("/v1/isotherms", headers=south).json()["items"] == []


@pytest.mark.parametrize("form", ["body", "file"])
def test_a_table_of_points_is_an_isotherm(client, north, form):
    sent = (
        {"content": TABLE, "headers": north | {"Content-Type": "text/csv"}}
        if form == "body"
        else {"files": {"file": ("a.csv", TABLE.encode())}, "headers": north}
    )
    done = client.post("/v1/isotherms", **sent).json()
    assert done["counts"] == {"stored": 1, "duplicate": 0, "held": 0, "rejected": 0}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"json": {"isotherms": []}}, 422, "invalid_request"),
        ({"json": {"isotherms": [ISOTHERM | {"uptake_kind": "net"}]}}, 422, "invalid_request"),
        ({"json": {"isotherms": [ISOTHERM | {"points": [[1, 2, 3]]}]}}, 422, "invalid_request"),
        ({"files": {"file": b"data_x\n_adsorp_p 1\n"}}, 422, "invalid_input"),
    ],
    ids=["none", "kind", "point", "AIF"],
)
def test_what_is_no_isotherm_is_refused_as_a_whole(client, north, problem, body, status, code):
    problem(client.post("/v1/isotherms", **body, headers=north), status, code)


def test_an_aif_file_without_its_reader_names_what_the_operator_installs(client, north, problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "gemmi", None)
    answer = client.post("/v1/isotherms", files={"file": b"data_x\n_adsorp_p 1\n"}, headers=north)
    detail = problem(answer, 501, "not_installed")["detail"]
    assert "pip install 'hstore[isotherms]'" in detail
    assert "send a CSV" in detail
    assert "retry-after" not in answer.headers


def test_held_retracted_and_published(client, north, south, records):
    high = ISOTHERM | {"points": [[1, 100], [2, 120], [3, 200]], "row_id": None}
    held, told = (v["record_id"] for v in send(client, north, high, ISOTHERM))
    assert [h["record_id"] for h in client.get("/v1/isotherms/held", headers=north).json()["items"]] == [held]
    assert client.post(f"/v1/isotherms/{held}/confirmation", headers=north).json()["changed"]
    assert client.post(f"/v1/isotherms/{held}/retraction", json={"why": "unit"}, headers=north).json()["changed"]
    done = client.post("/v1/isotherms/publish", json={"ids": [told]}, headers=north).json()
    assert done["counts"] == {"published": 1}
    (item,) = client.get("/v1/isotherms", headers=south).json()["items"]
    assert (item["isotherm_id"], item["formula"]) == (told, "Zn4O13C24H12")
    actions = {entry.action for entry in records.audit.entries()}
    assert actions == {f"isotherms.{done}" for done in ("create", "confirm", "retract", "publish")}


def test_another_lab_gets_the_same_answers_for_a_private_isotherm_and_for_none(client, north, south):
    high = ISOTHERM | {"points": [[1, 100], [2, 120], [3, 200]], "row_id": None}
    names = [*(v["record_id"] for v in send(client, north, high, ISOTHERM)), "i-nothing"]
    asked = [("GET", "{}"), ("POST", "{}/retraction"), ("POST", "{}/confirmation"), ("DELETE", "held/{}")]
    for method, address in asked:
        answers = set()
        for name in names:
            body = {"why": "x"} if address.endswith("retraction") else None
            done = client.request(method, f"/v1/isotherms/{address.format(name)}", json=body, headers=south)
            answers.add((done.status_code, done.json()["detail"].replace(name, "?")))
        assert len(answers) == 1, answers
        assert answers.pop()[0] == 404


def test_an_isotherm_as_csv_can_be_sent_again(client, north, south):
    told = send(client, north, ISOTHERM | {"sample": "=1+1", "row_id": None})[0]["record_id"]
    table = client.get(f"/v1/isotherms/{told}?format=csv", headers=north)
    assert "'=1+1" in table.text
    client.post("/v1/isotherms/publish", json={"ids": [told]}, headers=north)
    done = client.post("/v1/isotherms", content=table.text, headers=south | {"Content-Type": "text/csv"}).json()
    (verdict,) = done["verdicts"]
    assert verdict["verdict"] == "stored"
    points = [
        client.get(f"/v1/isotherms/{name}", headers=south).json()["uptakes_wt_pct"]
        for name in (told, verdict["record_id"])
    ]
    assert points[0] == points[1]
