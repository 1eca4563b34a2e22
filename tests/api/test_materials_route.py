"""Reading materials: filters, pages, one material, and who sees what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hstore.records import Access


def ids(response):
    assert response.status_code == 200, response.text
    return [item["material_id"] for item in response.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcdef"),
        ("family=ionic", "d"),
        ("elements=La", "abc"),
        ("elements=Ni,La", "abc"),
        ("elements=La,Al", "c"),
        ("elements=Xe", ""),
        ("chemical_system=Ni-La", "ab"),
        ("chemical_system=Al-La-Ni", "c"),
        ("formula=La3Ni15", "ab"),
        ("known=true", "ad"),
        ("known=false&elements=La", "bc"),
    ],
)
def test_filters_find_exactly_what_they_say(client, query, expected):
    assert "".join(i[0] for i in ids(client.get(f"/v1/materials?{query}"))) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
def test_pages_give_every_material_once_and_in_order(client, limit):
    seen, after = [], None
    for _ in range(7):
        page = client.get("/v1/materials", params={"limit": limit} | ({"after": after} if after else {})).json()
        assert page["limit"] == limit
        seen += [item["material_id"][0] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert "".join(seen) == "abcdef"


def test_a_page_is_never_longer_than_200(client, records, build, problem):
    records.add_materials(build.material(f"x/{i:03}") for i in range(250))
    assert len(ids(client.get("/v1/materials?limit=200"))) == 200
    found = problem(client.get("/v1/materials?limit=201"), 422, "invalid_request")
    assert found["errors"][0]["location"] == "query.limit"


def test_a_merged_material_is_found_with_all_its_sources(client, records, build):
    twin = build.material("elsewhere/1", "La2Ni10", descriptors={"energy_above_hull_ev_per_atom": 0.0})
    records.add_materials([build.material("x/kept", "LaNi5")])
    records.merge_materials({"x/kept": [twin]})
    found = client.get("/v1/materials/elsewhere/1").json()
    assert found["material_id"] == "x/kept"
    assert found["descriptors"] == twin.descriptors
    (merged,) = found["merged"]
    assert (merged["material_id"], merged["formula"], merged["provenance"]["source"]) == (
        "elsewhere/1",
        "La2Ni10",
        "test",
    )
    assert merged["supplied"] == ["energy_above_hull_ev_per_atom"]
    assert "elsewhere/1" not in ids(client.get("/v1/materials?limit=200"))


def test_one_material_by_an_identifier_with_a_slash(client):
    alloy = client.get("/v1/materials/f/Fe").json()
    assert (alloy["composition"], alloy["chemical_system"]) == ("FeTi", "Fe-Ti")
    assert alloy["structure"] == {"lattice": {"a": 2.98}, "sites": []}
    sorbent = client.get("/v1/materials/e/MOF-5").json()
    assert (sorbent["name"], sorbent["descriptors"]) == ("MOF-5", {"lcd_A": 15.0})
    assert sorbent["provenance"]["source"] == "test"


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/v1/materials/none", 404, "not_found"),
        ("/v1/materials/a%00b", 422, "invalid_request"),
        ("/v1/materials/" + "x" * 501, 422, "invalid_request"),
        ("/v1/materials?after=%00", 422, "invalid_request"),
        ("/v1/materials?limit=0", 422, "invalid_request"),
        ("/v1/materials?limit=many", 422, "invalid_request"),
        ("/v1/materials?family=alloy", 422, "invalid_request"),
        ("/v1/materials?famly=ionic", 422, "invalid_request"),
        ("/v1/materials?elements=La,,Ni", 422, "unknown_name"),
        ("/v1/materials?elements=Lx", 422, "unknown_name"),
        ("/v1/materials?chemical_system=La-Nj", 422, "unknown_name"),
        ("/v1/materials?formula=LaNix", 422, "invalid_formula"),
    ],
)
def test_bad_questions_are_refused_with_their_cause(client, problem, address, status, code):
    problem(client.get(address), status, code)


def test_a_typing_error_gets_the_close_matches(client, problem):
    assert "did you mean" in problem(client.get("/v1/materials?elements=Nii"), 422, "unknown_name")["detail"]


def test_records_of_a_lab_are_as_if_they_were_not_there(client, records, build, problem):
    today = datetime.now(UTC).date()
    held = {"lab_id": "lab", "visibility": "lab"}
    records.add_materials(
        [
            build.material("g/private", "TiH2", access=Access(**held)),
            build.material("h/later", "TiH2", access=Access(**held, embargo_until=today + timedelta(days=2))),
            build.material("i/past", "TiH2", access=Access(**held, embargo_until=today - timedelta(days=1))),
        ]
    )
    assert ids(client.get("/v1/materials?formula=TiH2")) == ["i/past"]
    assert "".join(i[0] for i in ids(client.get("/v1/materials"))) == "abcdefi"
    hidden = problem(client.get("/v1/materials/g/private"), 404, "not_found")
    absent = problem(client.get("/v1/materials/g/absent"), 404, "not_found")
    assert hidden["detail"].replace("private", "absent") == absent["detail"]
    problem(client.get("/v1/materials/h/later"), 404, "not_found")
    assert client.get("/v1/materials/i/past").status_code == 200
    assert "access" not in client.get("/v1/materials/i/past").json()


def test_an_embargo_ends_while_the_service_runs(client, records, build, monkeypatch):
    from hstore_api import access

    end = datetime.now(UTC).date() + timedelta(days=30)
    held = Access(lab_id="lab", visibility="lab", embargo_until=end)
    records.add_materials([build.material("g/held", "TiH2", access=held)])
    assert ids(client.get("/v1/materials?formula=TiH2")) == []
    scope = access.Scope
    monkeypatch.setattr(access, "Scope", lambda: scope(today=end))
    assert ids(client.get("/v1/materials?formula=TiH2")) == ["g/held"]
