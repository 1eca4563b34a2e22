"""What a lab keeps to itself does not exist for another lab, a reader without a key, or the operator's key.

The lab north owns one record of every kind, each full of marks. Whatever the others ask, over the service, its
pages, OPTIMADE and its exports, no mark comes back, and asking for a record of north is answered as asking for one
that is not there: same status, same words, same headers, same statements to the database.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from hstore.jobs import event_sequence
from hstore.records import Access, Family, Provenance
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from hstore_models.registry import Registry
from hstore_models.training import MODELS
from hstore_workflows.campaign import story
from hstore_workflows.campaign.objective import Goal, Objective
from hstore_workflows.jobs.kind import FILES

MARK = "MARKNORTH"
"""In every text of north's records."""
NUMBER = 7.7310731
"""In every number of them that can be chosen; six digits are looked for."""
NORTH = Access(lab_id="north", visibility="lab")
ABSENT = "ABSENT"
OTHERS = ("south", "nobody", "operator")


@pytest.fixture
def settings(tmp_path, database_url, trained, loaded):
    """Settings of a home of the test's own, with copies of the public models."""
    for name in MODELS:
        loaded(name)
    home = tmp_path / "home"
    shutil.copytree(trained.models_dir, home / "models")
    return Settings(home=home, database_url=database_url, data_mirror=None, seed=0)


@pytest.fixture
def store(settings, build):
    with open_store(settings.store_url) as opened:
        opened.add_materials(
            [
                build.material(
                    "a/LaNi5", "LaNi5", known=True, descriptors={"energy_above_hull_ev_per_atom": 0.01}
                ),
                build.material("b/TiFe", "TiFe"),
                build.material("c/Li7La3Zr2O12", "Li7La3Zr2O12", family=Family.ELECTROLYTE),
            ]
        )
        yield opened


@pytest.fixture
def app(settings, store):
    return create_app(settings)


@pytest.fixture
def client(app):
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running


@pytest.fixture
def keys(store):
    """Headers of each who asks: the lab itself, another lab, the operator, nobody."""

    def make(lab, scopes):
        _, secret = store.keys.create(lab or "operator", scopes, lab_id=lab)
        return {"X-API-Key": secret}

    every = ["read", "measure", "run", "train"]
    return {
        "north": make("north", every),
        "south": make("south", every),
        "operator": make(None, ["read", "admin"]),
        "nobody": {},
    }


@pytest.fixture
def planted(client, store, settings, build, keys):
    """One record of every kind of north; kind -> its identifier."""
    origin = Provenance(source=f"{MARK} lab", note=f"{MARK} note", reference=f"10.1000/{MARK}")
    structure = {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "charge": 0,
        "lattice": {"matrix": [[NUMBER, 0, 0], [0, NUMBER, 0], [0, 0, NUMBER]]},
        "sites": [{"species": [{"element": "Pu", "occu": 1}], "abc": [0, 0, 0], "label": "Pu", "properties": {}}],
    }
    material = build.material(
        f"lab:north:{MARK}",
        "PuH7",
        name=f"{MARK} name",
        reason=f"{MARK} reason",
        descriptors={"void_fraction": NUMBER},
        structure=structure,
        provenance=origin,
        access=NORTH,
    )
    store.add_materials([material])
    value = build.value(NUMBER, kind="predicted", provenance=origin)
    store.add_predictions(
        [build.prediction(material_id=name, value=value, model_id=f"{MARK}-1", access=NORTH)
         for name in (material.material_id, "a/LaNi5")]
    )  # fmt: skip
    store.add_screen(
        build.screen(f"{MARK}-screen", manifest={"note": MARK}, top=({"formula": MARK},), access=NORTH)
    )

    def sent(address, body):
        answer = client.post(address, json=body, headers=keys["north"])
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.json()

    rows = [
        {"material_id": material.material_id, "h2_capacity_wt_pct": NUMBER, "note": MARK, "row_id": f"{MARK}1"},
        {"material_id": "a/LaNi5", "h2_capacity_wt_pct": NUMBER / 7, "note": MARK, "sample": MARK},
        {"formula": "TiFe", "h2_capacity_wt_pct": 1.7310731, "note": MARK},
        {"material_id": "a/LaNi5", "h2_capacity_wt_pct": 24.7310731, "note": MARK},
    ]
    told = sent("/v1/measurements", {"rows": rows})["verdicts"]
    verdicts = [verdict for row in told for verdict in row.get("values", [row])]
    stored = [v["record_id"] for v in verdicts if v["verdict"] == "stored"]
    held = [v["record_id"] for v in verdicts if v["verdict"] == "held"]
    isotherm = {
        "material_id": "a/LaNi5",
        "temperature_k": 77.0,
        "uptake_kind": "excess",
        "mass_basis": "sorbent",
        "branch": "adsorption",
        "pressure_unit": "bar",
        "uptake_unit": "wt%",
        "points": [[0.5, 0.4], [1.0, 0.7310731], [5.0, 1.2]],
        "note": MARK,
    }
    taken = sent("/v1/isotherms", {"isotherms": [isotherm]})
    registry = Registry(settings.models_dir)
    shown = registry.serving("conductivity")
    card = shown.card.model_copy(
        update={"model_id": f"conductivity-{MARK}", "access": NORTH, "labs": ("north",), "summary": MARK}
    )
    registry.save(shown.model, card, shown.held_out)
    registry.promote("conductivity", card.model_id, MARK, lab_id="north")
    pool = pd.DataFrame({"formula": ["LaNi4Al", "LaNi3Al2"], "material_id": [f"{MARK}1", f"{MARK}2"]})
    story.begin(settings, MARK, pool, Objective((Goal("h2_capacity_wt_pct"),)), access=NORTH)
    job = store.jobs.create("screen", {"target": MARK}, access=NORTH, job_id=f"job-{MARK}")
    assert store.jobs.claim("w").job_id == job.job_id
    store.jobs.add_event(job.job_id, event_sequence(1, 0, 0), MARK, progress=0.5)
    (settings.jobs_dir / job.job_id / FILES).mkdir(parents=True)
    (settings.jobs_dir / job.job_id / FILES / "report.html").write_text(MARK)
    return {
        "material": material.material_id,
        "screen": f"{MARK}-screen",
        "campaign": f"north:{MARK}",
        "job": job.job_id,
        "measurement": stored[0],
        "held": held[0],
        "isotherm": next(v["record_id"] for v in taken["verdicts"]),
        "model": card.model_id,
    }


RECORDS = {
    "/v1/materials/{material_id}": ("material", "/v1/materials/{}"),
    "/v1/materials/{material_id}/structure": ("material", "/v1/materials/{}/structure"),
    "/v1/screens/{screen_id}": ("screen", "/v1/screens/{}"),
    "/v1/screens/{screen_id}/results": ("screen", "/v1/screens/{}/results"),
    "/v1/campaigns/{name}": ("campaign", "/v1/campaigns/{}"),
    "/v1/campaigns/{name}/members": ("campaign", "/v1/campaigns/{}/members"),
    "/v1/campaigns/{name}/stop": ("campaign", "/v1/campaigns/{}/stop"),
    "/v1/campaigns/{name}/progress": ("campaign", "/v1/campaigns/{}/progress"),
    "/v1/campaigns/{name}/report": ("campaign", "/v1/campaigns/{}/report"),
    "/v1/jobs/{job_id}": ("job", "/v1/jobs/{}"),
    "/v1/jobs/{job_id}/events": ("job", "/v1/jobs/{}/events"),
    "/v1/jobs/{job_id}/files/{name}": ("job", "/v1/jobs/{}/files/report.html"),
    "/v1/measurements/{measurement_id}": ("measurement", "/v1/measurements/{}"),
    "/v1/isotherms/{isotherm_id}": ("isotherm", "/v1/isotherms/{}"),
    "/v1/models/{model}/versions/{model_id}": ("model", "/v1/models/conductivity/versions/{}"),
    "/v1/models/{model}/versions/{model_id}/held-out": ("model", "/v1/models/conductivity/versions/{}/held-out"),
    "/v1/models/{model}/versions/{model_id}/compare": ("model", "/v1/models/conductivity/versions/{}/compare"),
}
"""Route that names one record -> its kind, and its address."""
COLLECTIONS = {
    "/v1/materials": ["", "?elements=Pu", "?format=csv", "?sort=-h2_capacity_wt_pct", "?sort=void_fraction"],
    "/v1/predictions": ["?property=log10_conductivity_s_per_cm&formula=Li7La3Zr2O12"],
    "/v1/screens": [""],
    "/v1/properties": [""],
    "/v1/properties/{name}": [],
    "/v1/models": [""],
    "/v1/models/{model}": [],
    "/v1/campaigns": [""],
    "/v1/jobs": [""],
    "/v1/jobs/kinds": [""],
    "/v1/measurements": ["", "?formula=LaNi5", "?format=csv"],
    "/v1/measurements/conflicts": [""],
    "/v1/measurements/held": [""],
    "/v1/isotherms": ["", "?formula=LaNi5"],
    "/v1/isotherms/held": [""],
    "/v1/datasets": [""],
    "/v1/datasets/{name}": [],
    "/v1/audit": [""],
    "/v1/me": [""],
    "/v1/keys": [],
    "/healthz": [""],
    "/readyz": [""],
    "/metrics": [""],
}
"""Route that gives many records, or none of a lab -> queries to look through; what only admins read has none."""
FORMS = ["application/json", "text/csv", "application/vnd.apache.parquet", "text/html"]
PAGES = [
    "/", "/materials", "/materials?elements=Pu", "/materials/a/LaNi5", "/fragments/values/a/LaNi5", "/map",
    "/map/data", "/families", "/screens", "/campaigns", "/models", "/models/conductivity", "/jobs", "/measure",
    "/try", "/try?formula=Li7La3Zr2O12", "/compare?ids=a/LaNi5", "/sign-in",
]  # fmt: skip
RECORD_PAGES = [
    ("material", "/materials/{}"),
    ("material", "/fragments/values/{}"),
    ("material", "/compare?ids={}"),
    ("screen", "/screens/{}"),
    ("campaign", "/campaigns/{}"),
    ("campaign", "/campaigns/{}/progress"),
    ("job", "/jobs/{}"),
]
OPTIMADE = [
    "/optimade/v1/structures",
    '/optimade/v1/structures?filter=elements HAS "Pu"',
    "/optimade/v1/structures?filter=_hstore_h2_capacity_wt_pct > 1",
    "/optimade/v1/references",
    "/optimade/v1/info",
    "/optimade/v1/info/structures",
    "/optimade/v1/structures/a/LaNi5",
]


def test_every_route_is_looked_through(app):
    routes = {path for path, operations in app.openapi()["paths"].items() if "get" in operations}
    assert routes - set(RECORDS) - set(COLLECTIONS) == set()


def served(app):
    return {path for path, operations in app.openapi()["paths"].items() if "get" in operations}


def traces(text):
    """Return the marks of north's records in an answer."""
    numbers = ("7.73107", "1.73107", "24.7310", "0.731073", "1.10443")
    return [mark for mark in (MARK, "PuH7", "Pu1", *numbers) if mark in text]


def text_of(answer):
    """Return an answer, header and all, as text in which marks can be looked for."""
    if answer.headers.get("content-type", "").startswith("application/vnd.apache.parquet"):
        return pd.read_parquet(io.BytesIO(answer.content)).to_string()
    return answer.text + json.dumps(dict(answer.headers))


def everywhere(app):
    """Every address that gives many records, or public ones."""
    for path, queries in COLLECTIONS.items():
        if path in served(app):
            yield from (path + query for query in queries)
    yield from ("/v1/materials/a/LaNi5", "/v1/models/conductivity")
    yield from PAGES
    yield from OPTIMADE


def test_nothing_of_a_lab_is_in_what_others_read(app, client, keys, planted):
    seen, leaks = 0, []
    for who in OTHERS:
        for address, form in itertools.product(everywhere(app), FORMS):
            answer = client.get(address, headers={**keys[who], "Accept": form})
            found = set(traces(text_of(answer)))
            if who == "operator" and address.startswith("/v1/audit"):
                found -= {MARK}  # the operator reads the log of writes, which names records and holds no value
            leaks += [(who, address, form, found)] if found else []
            seen += answer.status_code == 200
    assert leaks == []
    assert seen > 200


def test_the_lab_itself_finds_what_it_owns(client, keys, planted):
    """The marks are where they would be found: a test that could not fail would prove nothing."""
    for address in (
        "/v1/materials?elements=Pu", "/v1/screens", "/v1/models", "/v1/campaigns", "/v1/jobs", "/v1/measurements",
        "/v1/isotherms", "/v1/measurements/held", "/materials?elements=Pu", "/campaigns", "/jobs", "/screens",
        "/optimade/v1/structures",
    ):  # fmt: skip
        assert traces(client.get(address, headers=keys["north"]).text), address
    answer = client.get(
        "/v1/predictions?property=log10_conductivity_s_per_cm&formula=Li7La3Zr2O12", headers=keys["north"]
    )
    assert MARK in answer.text


def like(answer, name):
    """Return an answer without what differs between any two requests, the name asked for among it."""
    body = answer.text.replace(name, "NAME")
    for pattern in (r'"correlation_id": ?"[^"]*"', r"[0-9a-f]{32}", r"nonce-[\w-]+"):
        body = re.sub(pattern, "", body)
    volatile = {"x-request-id", "date", "content-length", "etag"} | {h for h in answer.headers if "ratelimit" in h}
    headers = {k: v.replace(name, "NAME") for k, v in answer.headers.items() if k not in volatile}
    return answer.status_code, body, headers


def absent_of(name):
    """Return an identifier of the same form that nothing has."""
    return name.replace(MARK, ABSENT) if MARK in name else name[:-6] + "000000"


def test_a_record_of_a_lab_answers_as_one_that_is_not_there(app, client, keys, planted):
    asked = [(kind, pattern) for path, (kind, pattern) in RECORDS.items() if path in served(app)]
    forms = ("application/json", "text/html", "text/event-stream", "chemical/x-cif")
    different = []
    for who, (kind, pattern), form in itertools.product(OTHERS, [*asked, *RECORD_PAGES], forms):
        hidden, absent = planted[kind], absent_of(planted[kind])
        headers = {**keys[who], "Accept": form}
        first = client.get(pattern.format(hidden), headers=headers)
        second = client.get(pattern.format(absent), headers=headers)
        if like(first, hidden) != like(second, absent) or traces(first.text.replace(hidden, "")):
            different.append((who, pattern, form, like(first, hidden), like(second, absent)))
    assert different == []


def test_the_lab_itself_is_answered(app, client, keys, planted):
    for path, (kind, pattern) in RECORDS.items():
        if path in served(app) and not path.endswith(("/compare", "/events")):
            answer = client.get(pattern.format(planted[kind]), headers=keys["north"])
            assert answer.status_code == 200, (path, answer.text)


WRITES = [
    ("post", "/v1/measurements", {"rows": [{"material_id": "{material}", "h2_capacity_wt_pct": 1.0}]}),
    ("post", "/v1/measurements/{measurement}/correction", {"changes": {"value": 1.0}, "why": "x"}),
    ("post", "/v1/measurements/{measurement}/retraction", {"why": "x"}),
    ("post", "/v1/measurements/{held}/confirmation", {}),
    ("delete", "/v1/measurements/held/{held}", None),
    ("post", "/v1/measurements/publish", {"ids": ["{measurement}"]}),
    ("post", "/v1/isotherms/{isotherm}/retraction", {"why": "x"}),
    ("post", "/v1/isotherms/publish", {"ids": ["{isotherm}"]}),
    ("post", "/v1/jobs/{job}/cancel", None),
    ("post", "/v1/jobs/{job}/retry", None),
    ("post", "/v1/campaigns/{campaign}/proposals", {}),
    ("post", "/v1/campaigns/{campaign}/results", {"rows": [{"formula": "LaNi4Al", "value": 1}]}),
    ("put", "/v1/campaigns/{campaign}/members", {"members": ["south"]}),
    ("post", "/v1/campaigns", {"name": "x", "maximize": ["h2_capacity_wt_pct"], "job_id": "{job}"}),
    ("post", "/v1/predictions", {
        "property": "log10_conductivity_s_per_cm", "formulas": ["Li3N"], "model_id": "{model}",
    }),
    ("post", "/v1/models/conductivity/promote", {"model_id": "{model}", "why": "x"}),
]  # fmt: skip


def test_writing_to_a_record_of_a_lab_is_as_writing_to_none(client, keys, planted):
    def ask(method, pattern, body, names):
        def fill(text):
            return re.sub(r"{(\w+)}", lambda found: names[found[1]], text)

        sent = None if body is None else json.loads(fill(json.dumps(body)))
        answer = client.request(method, fill(pattern), json=sent, headers=keys["south"])
        status, text, headers = like(answer, "nothing of this name")
        for name in names.values():
            text = text.replace(name, "NAME")
            headers = {k: v.replace(name, "NAME") for k, v in headers.items()}
        return status, text, headers

    def held():
        kinds = ("measurements", "isotherms", "jobs", "campaigns", "models")
        return [client.get(f"/v1/{kind}", headers=keys["north"]).json() for kind in kinds]

    before, absent = held(), {kind: absent_of(name) for kind, name in planted.items()}
    for method, pattern, body in WRITES:
        assert ask(method, pattern, body, planted) == ask(method, pattern, body, absent), pattern
    assert held() == before


def test_the_database_is_asked_the_same(app, client, keys, store, planted):
    """Equal work is the sharper form of equal time."""
    asked = []
    engine = app.state.service.store.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    def statements(address):
        asked.clear()
        client.get(address, headers=keys["south"])
        return list(asked)

    for path, (kind, pattern) in RECORDS.items():
        if path in served(app):
            hidden = statements(pattern.format(planted[kind]))
            assert hidden == statements(pattern.format(absent_of(planted[kind]))), path
            assert hidden, path


@pytest.fixture(scope="module")
def files():
    """What requests open and list, while `files.kept` is a list: an audit hook cannot be taken away again.

    Models are loaded by a timer beside the requests, whose files are not counted.
    """
    seen = SimpleNamespace(kept=None)
    events = {"open", "os.listdir", "os.scandir", "sqlite3.connect"}

    def look(event, given):
        by_request = not isinstance(threading.current_thread(), threading.Timer)
        if seen.kept is not None and event in events and by_request:
            seen.kept.append((event, str(given[0])))

    sys.addaudithook(look)
    yield seen
    seen.kept = None


def test_the_same_files_are_read(client, keys, settings, files, planted):
    """Campaigns, models and artifacts are in files: equal work there too, where a clock would only be loose."""

    def touched(address):
        files.kept = []
        client.get(address, headers=keys["south"])
        found, files.kept = files.kept, None
        return sorted((event, name) for event, name in found if str(settings.home) in name)

    looked = set()
    for kind, address in [*RECORDS.values(), *RECORD_PAGES]:
        hidden, absent = planted[kind], absent_of(planted[kind])
        client.get(address.format(hidden), headers=keys["south"])  # what is read once and kept
        read = touched(address.format(hidden))
        assert read == touched(address.format(absent)), address
        looked.update(Path(name).relative_to(settings.home).parts[0] for _, name in read)
    assert "models" in looked


def test_when_an_embargo_ends_the_others_see_it(client, keys, store, build):
    today = datetime.now(UTC).date()
    for name, end in (("over", today), ("not-yet", today + timedelta(days=1))):
        held = Access(lab_id="north", visibility="lab", embargo_until=end)
        store.add_materials([build.material(f"lab:north:{name}", "TiH2", access=held)])
    listed = client.get("/v1/materials?elements=Ti,H", headers=keys["south"]).json()["items"]
    assert [item["material_id"] for item in listed] == ["lab:north:over"]
    structures = client.get('/optimade/v1/structures?filter=elements HAS "H"').json()
    assert structures["meta"]["data_returned"] == 1
