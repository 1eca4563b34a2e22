"""The pages as they are sent: what they show, to whom, and what they do with texts of others."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from hstore.errors import StoreError
from hstore.jobs import event_sequence
from hstore.keys import permissions_of
from hstore.records import Access, Family, Kind, MeasuredIsotherm, Provenance, Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from hstore_api.errors import BusyError
from hstore_api.limits import PREDICTIONS
from hstore_api.pages import assets
from hstore_api.pages.materials import values_of
from tests.conftest import Build

HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>'\""
HTML = {"accept": "text/html,application/xhtml+xml"}
_TOLD = ("number", "material_id")
PLAIN_PAGES = (
    *("/", "/materials", "/materials/a/LaNi5", "/compare", "/compare?ids=a/LaNi5&ids=d/MgH2", "/map", "/try"),
    *(
        "/families",
        "/screens",
        "/campaigns",
        "/models",
        "/models/hydride_capacity",
        "/jobs",
        "/measure",
        "/sign-in",
    ),
)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The open store of all tests here: what a test adds belongs to a lab of its own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('pages') / 'store.sqlite'}"
    with open_store(url) as store:
        store.add_materials([
            Build.material("a/LaNi5", "LaNi5", known=True),
            Build.material("b/La2Ni10", "La2Ni10"),
            Build.material("c/LaNi4Al", "LaNi4Al", reason="Al lowers the plateau"),
            Build.material("d/MgH2", "MgH2", family=Family.IONIC, known=True),
            Build.material("e/MOF-5", "Zn4O13C24H12", name="MOF-5", family=Family.SORBENT,
                           descriptors={"lcd_A": 15.0}),
            Build.material("f/Fe", "FeTi", structure={"lattice": {"a": 2.98}, "sites": []}),
        ])  # fmt: skip
        store.url = url
        yield store


@pytest.fixture(scope="module")
def client(records, trained, predictor, tmp_path_factory):
    """A client of the running app, which like a browser says where its forms come from."""
    home = tmp_path_factory.mktemp("home")
    trained.models_dir.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(trained.models_dir)
    app = create_app(Settings(home=home, database_url=records.url, data_mirror=None))
    with TestClient(app, raise_server_exceptions=False, headers={"Origin": "http://testserver"}) as running:
        app.state.service = replace(app.state.service, predictor=predictor)
        yield running


@pytest.fixture
def page(client):
    """Ask for a page as a browser does."""

    def ask(path, *, status=200, **headers):
        response = client.get(path, headers={**HTML, **headers})
        assert response.status_code == status, response.text[:2000]
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.text

    return ask


@pytest.fixture
def signed_in(client, records, key):
    """Sign in with a key of a lab."""

    def begin(lab, scopes="read,measure,run,train"):
        secret = key(lab, scopes)["X-API-Key"]
        answer = client.post("/session", data={"key": secret, "next": "/measure"}, follow_redirects=False)
        assert answer.headers["location"] == "/measure"

    yield begin
    client.cookies.clear()


@pytest.mark.parametrize("path", PLAIN_PAGES)
def test_every_page_is_whole_and_loads_from_this_service_only(page, loaded, path):
    loaded("hydride_capacity")
    text = page(path)
    assert text.rstrip().endswith("</html>")
    assert text.count("<h1>") == 1
    loads = re.findall(r"""(?:src|href)="([^"#]+)\"""", "".join(re.findall(r"<(?:script|link|img)[^>]*>", text)))
    assert loads
    assert [address for address in loads if not address.startswith("/static/")] == []
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", text) == []  # no script within the page
    assert re.findall(r"\son\w+=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)) == []


def test_pages_are_no_part_of_the_contract(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path.startswith(("/materials", "/map", "/static", "/jobs", "/try"))]


def test_policy_forbids_scripts_of_others(client):
    policy = client.get("/materials", headers=HTML).headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy


def test_assets_are_kept_for_ever_under_the_hash_of_their_content(client):
    for name in ("pages.css", "site.js", "vendor/htmx.min.js", "vendor/3Dmol-min.js", assets.PLOTLY):
        answer = client.get(assets.address(name))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.content == assets.asset(name).content
        assert client.get(f"/static/0123456789abcdef/{name}").status_code == 404


@pytest.mark.parametrize("name", ["../rendering.py", "..%2frendering.py", "vendor/VENDOR.md", "nothing.js"])
def test_nothing_else_on_disk_can_be_had(client, name):
    assert client.get(f"/static/x/{name}").status_code == 404


def test_vendored_scripts_are_what_the_list_says():
    import hashlib
    from importlib import resources

    folder = resources.files("hstore_api.pages") / "static" / "vendor"
    listed = dict(re.findall(r"`(\S+\.js)`.*`([0-9a-f]{64})`", (folder / "VENDOR.md").read_text()))
    scripts = [entry for entry in folder.iterdir() if entry.name.endswith(".js")]
    assert {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in scripts} == listed


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 6),
        ("elements=La,Ni", 3),
        ("elements=La+Ni&exclude=Al", 2),
        ("q=LaNi5", 2),
        ("q=mof", 1),
        ("family=ionic", 1),
        ("known=yes&family=interstitial", 1),
        ("number=lcd_A&low=10", 1),
        ("number=lcd_A&low=10&high=12", 0),
        ("sort=-lcd_A", 1),
        ("structure=yes", 1),
        ("family=", 6),
        ("made-up=1", 6),
    ],
)
def test_search_finds_by_each_filter(page, query, found):
    text = page(f"/materials?{query}")
    assert f">{found} material{'' if found == 1 else 's'}</h2>" in text
    if not found:
        assert "No material fits." in text


def test_search_says_what_is_wrong_with_a_filter(page):
    assert "did you mean" in page("/materials?elements=Lb")
    for bound in ("ten", "nan", "inf"):
        assert f"are numbers such as 2.5, got &#39;{bound}&#39;" in page(f"/materials?number=lcd_A&low={bound}")
    assert "did you mean &#39;lcd_A&#39;" in page("/materials?sort=lcd_a")
    assert "where=lcd_A%3E%3D2.5" in page("/materials?number=lcd_A&low=2,5"), "the download reads a comma too"


def test_search_gives_htmx_the_results_alone_and_whole_pages_to_the_history(page):
    part = page("/materials?elements=La", **{"HX-Request": "true"})
    assert part.lstrip().startswith('<section id="results"')
    assert "<html" in page(
        "/materials?elements=La", **{"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )


def test_search_pages_hold_everything_once(page, records, build, key):
    own = build.of("pager")
    records.add_materials(build.material(f"p/{n:03}", f"LaNi{n}", access=own) for n in range(1, 61))
    address, found, headers = "/materials?elements=La,Ni", [], key("pager")
    while address:
        text = page(address, **headers)
        found += re.findall(r'<th scope="row"><a href="/materials/([^"]+)"', text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address = following.group(1).replace("&amp;", "&") if following else ""
    assert len(found) == len(set(found)) == 63


def test_material_shows_values_with_conditions_sources_and_predictions(page, loaded):
    loaded("hydride_thermodynamics")
    loaded("hydride_capacity")
    page("/fragments/values/a/LaNi5")  # the models are in memory from here on
    text = page("/materials/a/LaNi5")
    assert "Luo, 1998" in text
    assert "CC-BY-4.0" in text
    assert "at 25.0\u00a0°C (298\u00a0K)" in text
    assert "hydride_capacity-" in text
    assert 'id="vant-hoff"' in text
    assert "LaNi<sub>5</sub>" in text


def test_material_without_models_in_memory_asks_for_the_predictions_later(client, page):
    client.app.state.answers = None  # as after the start of the service
    text = page("/materials/a/LaNi5")
    assert 'hx-get="/fragments/values/a/LaNi5"' in text
    assert "Luo, 1998" in text


def test_sorbent_is_predicted_from_its_texture_or_not_at_all(page, records, build, key, loaded):
    loaded("sorbent_uptake")
    texture = {"density_g_cm3": 0.6, "void_fraction": 0.79, "gsa_m2_g": 3600.0, "vsa_m2_cm3": 2200.0}
    pores = {"pore_volume_cm3_g": 1.3, "lcd_A": 15.0, "pld_A": 7.9}
    described = build.material("g/MOF", "C", family=Family.SORBENT, descriptors=texture | pores)
    records.add_materials([described.model_copy(update={"access": build.of("porous")})])
    text = page("/fragments/values/g/MOF", **key("porous"))
    assert "sorbent_uptake-" in text
    assert "77\u00a0K), 100\u00a0bar → " in text
    assert "sorbent_uptake-" not in page("/fragments/values/e/MOF-5").replace("e/MOF-5", "")


def test_structure_is_described_in_words_and_given_to_the_viewer(page, records, build, key):
    cell = {"lattice": {"matrix": [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 5.0]]}}
    shared = [{"element": "Ni", "occu": 0.5}, {"element": "Fe", "occu": 0.4}]
    sites = [
        {"species": [{"element": "La", "occu": 1}], "abc": [0, 0, 0]},
        {"species": shared, "abc": [0.5, 0.5, 0.5]},
    ]
    structure = {**cell, "sites": sites}
    records.add_materials([build.material("s/cell", "LaNi", structure=structure, access=build.of("cells"))])
    text = page("/materials/s/cell", **key("cells"))
    assert "Unit cell of 2 sites (1 La, 1 Ni): a = 4.000 Å, b = 4.000 Å, c = 5.000 Å" in text
    assert "1 site shared by several elements or partly empty" in text
    assert '"sites":[["La",0.0,0.0,0.0],["Ni",0.5,0.5,0.5]]' in text


def test_voids_are_told_with_the_atoms_that_bound_them(page, records, build, key):
    matrix = [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    sites = [{"species": [{"element": "Pd", "occu": 1}], "abc": place} for place in places]
    structure = {"lattice": {"matrix": matrix}, "sites": sites}
    twins = {**structure, "sites": [*sites, {**sites[0], "abc": [0, 0, 1e-6]}]}
    access = build.of("voids")
    records.add_materials([
        build.material("v/pd", "Pd", structure=structure, access=access),
        build.material("v/twins", "Pd", structure=twins, access=access),
    ])  # fmt: skip
    text = page("/materials/v/pd", **key("voids"))
    octahedral, tetrahedral = text.partition('id="voids-heading"')[2].partition("</table>")[0].split("<tr>")[2:]
    for row, cells in (
        (octahedral, ("2.00", "1.63", "6 Pd", ">4<")),
        (tetrahedral, ("1.73", "1.63", "4 Pd", ">8<")),
    ):
        assert all(cell in row for cell in cells)
    assert '"radius":2.0,' in text
    without = page("/materials/v/twins", **key("voids"))
    assert "Unit cell of 5 sites" in without
    assert "voids-heading" not in without


def test_isotherms_are_drawn(page, records, build):
    isotherm = MeasuredIsotherm(
        isotherm_id="i1", material_id="e/MOF-5", temperature_k=77, branch="adsorption", uptake_kind="excess",
        mass_basis="sorbent", points=((1, 1.2), (10, 3.4), (50, 4.8)), provenance=Provenance(source="north"),
    )  # fmt: skip
    with records.database.transaction("isotherms") as connection:
        records.isotherms.put(connection, [isotherm])
    text = page("/materials/e/MOF-5")
    assert "77 K, adsorption, excess" in text


def test_compare_marks_what_differs_clearly_and_names_what_is_missing(page, loaded):
    loaded("hydride_capacity")
    loaded("hydride_thermodynamics")
    text = page("/compare?ids=a/LaNi5&ids=d/MgH2&ids=none")
    assert "There is no material <code>none</code> that you may see." in text
    assert "clearly the highest" in text
    capacities = text.partition("H₂ capacity")[2].partition("</tr>")[0]
    assert capacities.count("<u ") == 2, "a prediction is marked with what was measured of its own material alone"
    assert "Choose two to four materials" not in text
    assert "Choose two to four materials" in page("/compare?ids=a/LaNi5")


def test_try_predicts_and_says_what_it_cannot_read(page, loaded):
    for name in ("hydride_capacity", "hydride_thermodynamics", "conductivity"):
        loaded(name)
    text = page("/try?formula=LaNi5&celsius=60")
    assert "at 60.0\u00a0°C (333\u00a0K)" in text
    assert "a/LaNi5" in text
    assert "outside the domain" in text  # as an ion conductor
    part = page("/try?formula=Xx5", **{"HX-Request": "true"})
    assert part.lstrip().startswith('<section id="answer"')
    assert 'role="alert"' in part


def test_try_takes_each_prediction_from_the_quota(client, records, loaded):
    for name in ("hydride_capacity", "hydride_thermodynamics", "conductivity"):
        loaded(name)
    kept, secret = records.keys.create("frugal", permissions_of("read"), lab_id="frugal", predictions_per_day=9)
    headers = HTML | {"X-API-Key": secret}
    assert client.get("/try?formula=Xx5", headers=headers).status_code == 200
    assert records.keys.used(kept.key_id, PREDICTIONS) == 0, "what cannot be read costs nothing"
    assert client.get("/try?formula=LaNi5", headers=headers).status_code == 200
    assert records.keys.used(kept.key_id, PREDICTIONS) == 6
    assert client.get("/try?formula=TiFe", headers=headers).status_code == 429


def test_map_ranks_the_materials_of_the_store(client, page, loaded):
    loaded("hydride_capacity")
    loaded("hydride_thermodynamics")
    data = client.get("/map/data?target=onboard").json()
    assert sorted(data["ids"]) == ["a/LaNi5", "b/La2Ni10", "c/LaNi4Al", "d/MgH2", "f/Fe"]
    assert set(data["values"]) >= {"h2_capacity_wt_pct", "plateau_pressure_bar", "p_window", "score"}
    assert {guide["column"] for guide in data["guides"]} >= {"h2_capacity_wt_pct", "plateau_pressure_bar"}
    assert "5 of 5 materials" in page("/map?target=onboard")
    assert client.get("/map/data?target=../../etc/passwd").status_code == 404


def test_model_shows_baselines_and_plots(page, loaded):
    loaded("hydride_capacity")
    text = page("/models/hydride_capacity")
    assert "Guessing the mean" in text
    for plot in ("parity-h2-capacity-wt-pct", "residual-h2-capacity-wt-pct", "calibration-h2-capacity-wt-pct"):
        assert f'data-plot="{plot}"' in text
    page("/models/none", status=404)


def test_screen_shows_its_rows_with_intervals(page, records, build):
    row = {"rank": 1, "material_id": "a/LaNi5", "formula": "LaNi5", "score": 0.61, "known": True, "pareto": True,
           "h2_capacity_wt_pct_mean": 1.43, "h2_capacity_wt_pct_lower": 1.13, "h2_capacity_wt_pct_upper": 1.73,
           "domain_reason": "", "safety": None}  # fmt: skip
    records.add_screen(build.screen("s1", top=(row,), manifest={"command": "hstore screen", "seed": 0}))
    assert "/screens/s1" in page("/screens")
    text = page("/screens/s1")
    assert "1.13 to 1.73" in text
    assert "hstore screen" in text


def test_errors_are_pages_for_browsers_and_problems_for_programs(client, page, problem):
    text = page("/materials/none", status=404)
    assert "There is nothing here" in text
    problem(client.get("/materials/none"), 404, "not_found")
    problem(client.get("/v1/materials/none", headers=HTML), 404, "not_found")
    problem(client.get("/materials/none", headers={**HTML, "HX-Request": "true"}), 404, "not_found")
    response = client.get("/nowhere", headers=HTML)
    assert response.headers["x-request-id"] in response.text


def test_what_is_hidden_looks_like_what_is_not_there(client, records, build, key):
    records.add_materials([build.material("x/secret", "LaNi4.9Sn0.1", access=build.of("north"))])
    records.add_screen(build.screen("secret", access=build.of("north")))
    job = records.jobs.create("screen", {"target": "onboard"}, access=build.of("north"))
    south = key("south")
    for hidden, absent in (
        ("/materials/x/secret", "/materials/x/absent"),
        ("/fragments/values/x/secret", "/fragments/values/x/absent"),
        ("/screens/secret", "/screens/absent"),
        (f"/jobs/{job.job_id}", f"/jobs/job-{'0' * len(job.job_id[4:])}"),
        ("/compare?ids=x/secret", "/compare?ids=x/absent"),
    ):
        answers = [client.get(path, headers=HTML | south) for path in (hidden, absent)]
        assert len({answer.status_code for answer in answers}) == 1
        told = [_without_names(answer.text, path) for answer, path in zip(answers, (hidden, absent), strict=True)]
        assert told[0] == told[1]
    for path in ("/materials?elements=Sn", "/screens", "/jobs", "/compare?ids=a/LaNi5&ids=x/secret"):
        assert "secret" not in client.get(path, headers=HTML | south).text.replace("ids=x/secret", "").replace(
            "<code>x/secret</code>", ""
        )
    assert client.get("/materials/x/secret", headers=HTML | key("north")).status_code == 200


def test_similar_materials_and_maps_keep_to_the_scope(client, records, build, key, loaded):
    loaded("hydride_capacity")
    loaded("hydride_thermodynamics")
    records.add_materials([build.material("y/secret", "LaNi4.9Sn0.1", access=build.of("east"))])
    south, north = key("south"), key("east")
    assert "y/secret" not in client.get("/materials/a/LaNi5", headers=HTML | south).text
    assert "y/secret" in client.get("/materials/a/LaNi5", headers=HTML | north).text
    assert "y/secret" not in client.get("/map/data", headers=south).json()["ids"]
    assert "y/secret" in client.get("/map/data", headers=north).json()["ids"]
    assert "y/secret" not in client.get("/map/data").json()["ids"]


def test_measurements_of_other_labs_are_not_among_the_values(client, records, build, key):
    own = build.measurement("m1", 1.1, material_id="a/LaNi5", access=build.of("west"))
    until = Access(lab_id="west", visibility="lab", embargo_until=datetime.now(UTC).date() + timedelta(days=2))
    later = build.measurement("m2", 1.2345, material_id="a/LaNi5", access=until)
    records.add_measurements([own, later])
    north = client.get("/materials/a/LaNi5", headers=HTML | key("west")).text
    south = client.get("/materials/a/LaNi5", headers=HTML | key("south")).text
    assert north.count("your lab only") == 2
    assert "your lab only" not in south
    assert "<b>1.23</b>" not in south
    assert "<b>1.23</b>" in north


def test_hostile_texts_are_inert_everywhere(client, records, build, key):
    provenance = Provenance(source=HOSTILE, reference=HOSTILE, licence=HOSTILE, note=HOSTILE)
    name, own, headers = f"h/{HOSTILE}", build.of("hostile"), key("hostile", "read,measure,run")
    told = {"name": HOSTILE, "reason": HOSTILE, "provenance": provenance, "descriptors": {HOSTILE: 1.0}}
    records.add_materials([build.material(name, "LaNi5", access=own, family=Family.SORBENT, **told)])
    value = build.value(1.4, provenance=provenance)
    records.add_measurements(
        [build.measurement("h1", material_id=name, access=own).model_copy(update={"value": value})]
    )
    row = dict.fromkeys(("formula", "material_id", "domain_reason", "safety"), HOSTILE)
    records.add_screen(
        build.screen("hostile", access=own, target=HOSTILE, manifest={"command": HOSTILE}, top=(row,))
    )
    job = records.jobs.create("screen", {"target": HOSTILE}, access=own)
    records.jobs.claim("w")
    records.jobs.add_event(job.job_id, event_sequence(1, 0, 0), HOSTILE, progress=0.5)
    campaign = {"name": "hostile", "maximize": ["h2_capacity_wt_pct"], "candidates": [
        {"formula": "LaNi5", "material_id": HOSTILE}, {"formula": "TiFe", "material_id": "b"},
    ]}  # fmt: skip
    assert client.post("/v1/campaigns", json=campaign, headers=headers).status_code == 201
    told = {"rows": [{"material_id": HOSTILE, "failed": HOSTILE}]}
    assert client.post("/v1/campaigns/hostile:hostile/results", json=told, headers=headers).status_code == 200
    row = {"formula": "MgH2", "h2_capacity_wt_pct": 24.9, "note": HOSTILE, "sample": HOSTILE, "row_id": HOSTILE}
    assert client.post("/v1/measurements", json={"rows": [row]}, headers=headers).status_code == 200
    for path in (
        "/materials",
        f"/materials/{quote(name)}",
        f"/fragments/values/{quote(name)}",
        "/screens",
        "/screens/hostile",
        "/jobs",
        f"/jobs/{job.job_id}",
        "/campaigns",
        "/campaigns/hostile:hostile",
        "/campaigns/hostile:hostile/progress",
        "/v1/campaigns/hostile:hostile/report",
        "/measure",
        f"/compare?ids=a/LaNi5&ids={quote(name)}",
        f"/materials?q={HOSTILE}&elements={HOSTILE}",
        f"/try?formula={HOSTILE}",
        f"/compare?ids={HOSTILE}",
        f"/sign-in?next={HOSTILE}",
    ):
        answer = client.get(path, headers=HTML | headers)
        assert answer.status_code == 200, path
        assert "<script>window" not in answer.text, path
        assert "<img src=x" not in answer.text, path
    seen = [f"/materials/{quote(name)}", "/screens/hostile", f"/jobs/{job.job_id}", "/campaigns/hostile:hostile"]
    for path in seen:
        assert "window.hacked" in client.get(path, headers=HTML | headers).text, "shown, as a text"


def test_sign_in_leads_back_to_pages_of_this_service_only(page):
    for elsewhere in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"):
        assert "elsewhere" not in page(f"/sign-in?next={elsewhere}")


def test_session_shows_the_lab_and_what_the_key_may_not_do(client, page, signed_in):
    signed_in("reader", "read")
    text = page("/measure")
    assert ">reader</span>" in text
    assert "This key cannot send measurements." in text
    assert "does not permit starting jobs" in page("/jobs")
    assert client.post("/measure", data={"table": "formula\nLaNi5"}, headers=HTML).status_code == 403
    client.post("/session/end")
    assert "Sign in first." in page("/measure")


def test_rows_of_a_table_get_verdicts_with_reasons(client, page, records, signed_in):
    signed_in("bench")
    table = "formula;h2_capacity_wt_pct;note\nLaNi5;1.41;\nLaXx5;1.2;\nMgH2;900;\nLaNi5;1.41;\n=1+1;2;<b>\n"
    answer = client.post("/measure", files={"file": ("rows.csv", table.encode(), "text/csv")}, headers=HTML)
    assert answer.status_code == 200
    verdicts = re.findall(r'<span class="badge[^"]*">(stored|duplicate|held|rejected)</span>', answer.text)
    assert verdicts == ["stored", "rejected", "rejected", "duplicate", "rejected"]
    assert "Xx" in answer.text
    assert "must lie in [0, 25] wt%, got 900" in answer.text.replace("&#39;", "'")
    (stored,) = records.measurements(scope=records_scope("bench"))
    assert stored.access.lab_id == "bench"
    assert "your lab only" in page(f"/materials/{stored.material_id}")
    published = client.post("/measure/publish", data={"measurement_id": stored.measurement_id}, headers=HTML)
    assert published.status_code == 200
    (stored,) = records.measurements(scope=records_scope(None))
    assert stored.value.value == 1.41


def test_held_values_are_kept_or_dropped_on_the_page(client, page, records, signed_in):
    signed_in("keeper")
    table = "formula,h2_capacity_wt_pct\nMgH2,24.9\nMgH2,24.8\n"
    client.post("/measure", data={"table": table}, headers=HTML)
    text = page("/measure")
    held = re.findall(
        r'action="/measure/confirm"><input type="hidden" name="measurement_id" value="([^"]+)"', text
    )
    assert len(held) == 2
    assert "H₂ capacity (wt%) 24.9 lies outside" in text
    assert client.post("/measure/confirm", data={"measurement_id": held[0]}, headers=HTML).status_code == 200
    assert client.post("/measure/discard", data={"measurement_id": held[1]}, headers=HTML).status_code == 200
    assert "Held until you confirm them" not in page("/measure")
    own = [
        m.measurement_id
        for m in records.measurements(scope=records_scope("keeper"))
        if m.access.lab_id == "keeper"
    ]
    assert own == [held[0]]
    assert client.post("/measure/confirm", data={"measurement_id": held[1]}, headers=HTML).status_code == 404
    signed_in("stranger")
    assert client.post("/measure/confirm", data={"measurement_id": held[0]}, headers=HTML).status_code == 404


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"table": ""}, "holds no column names"),
        ({"table": "formula,h2_capacity_wt_pct"}, "no data rows"),
        ({"table": "formula,formula\nLaNi5,1"}, "stands twice"),
        ({"table": "formula,h2_capacity_wt_pct\nLaNi5,1", "embargo_until": "soon"}, "n embargo ends on a day"),
    ],
)
def test_tables_that_cannot_be_read_are_told_so(client, signed_in, data, said):
    signed_in("bench")
    answer = client.post("/measure", data=data, headers=HTML)
    assert answer.status_code == 422
    assert said in answer.text


def test_job_is_started_from_the_form_and_cancelled(client, page, records, signed_in):
    signed_in("runner")
    answer = client.post(
        "/jobs", data={"kind": "screen", "target": "stationary", "formulas": "LaNi5, TiFe\nMg2Ni"}
    )
    assert answer.status_code == 200
    (job,) = records.jobs.list(scope=records_scope("runner"))
    assert job.parameters["formulas"] == ["LaNi5", "TiFe", "Mg2Ni"]
    assert job.access.lab_id == "runner"
    assert str(answer.url).endswith(f"/jobs/{job.job_id}")
    assert job.job_id in page("/jobs")
    assert "screen stationary" in page("/jobs")
    assert "queued" in page(f"/jobs/{job.job_id}", **{"HX-Request": "true"})
    cancelled = client.post(f"/jobs/{job.job_id}/cancel", headers=HTML)
    assert "Try again" in cancelled.text


def test_job_that_cannot_be_started_is_told_so_above_the_form(client, signed_in):
    signed_in("north")
    answer = client.post("/jobs", data={"kind": "screen", "target": "moon"}, headers=HTML)
    assert answer.status_code == 422
    assert "unknown target" in answer.text.lower()


def test_forms_of_other_sites_are_refused(client, signed_in):
    signed_in("north")
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}):
        answer = client.post("/jobs", data={"kind": "screen"}, headers=HTML | headers)
        assert answer.status_code == 403


def test_values_keep_their_kind(client, build):
    computed = build.material("k/LaNi5", "LaNi5", descriptors={"energy_above_hull_ev_per_atom": 0.01})
    request = type("Request", (), {"app": client.app})()
    found = values_of(client.app.state.service, request, computed, records_scope(None), predict=False).shown
    assert {(v.property, v.kind) for v in found} >= {
        ("energy_above_hull_ev_per_atom", Kind.COMPUTED),
        ("h2_capacity_wt_pct", Kind.MEASURED),
    }


def _without_names(text, path):
    """Leave out what an answer repeats of the question, and the identifier of the request."""
    for name in (path, path.split("/", 2)[-1], path.rpartition("=")[-1]):
        text = text.replace(name, "NAME")
    return re.sub(r"[0-9a-f]{32}", "ID", text)


def records_scope(lab):
    return Scope(lab_id=lab)


def test_pages_tell_nothing_of_the_machine(client, page, records, monkeypatch):
    def broken(*_, **__):
        raise StoreError("cannot read materials from sqlite:////secret/place/store.sqlite: disk I/O error")

    monkeypatch.setattr(client.app.state.service.store.search, "page", broken)
    text = page("/materials", status=503)
    assert "secret" not in text
    assert "the result store does not answer" in text.lower()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/jobs", {"kind": "nothing"}),
        ("/jobs", {"kind": "screen", "formulas": "=cmd()"}),
        ("/measure", {"table": "formula,h2_capacity_wt_pct\nLaNi5,1", "embargo_until": "2001-01-01"}),
    ],
)
def test_fields_that_do_not_fit_are_said_beside_the_form(client, signed_in, path, data):
    signed_in("clumsy")
    answer = client.post(path, data=data, headers=HTML)
    assert answer.status_code == 422
    assert 'class="alert" role="alert"' in answer.text


def test_campaign_board_proposes_and_takes_results(client, page, signed_in):
    signed_in("alloyers")
    candidates = [{"formula": formula} for formula in ("LaNi5", "TiFe", "Mg2Ni", "CaNi5", "ZrMn2")]
    body = {"name": "walk", "maximize": ["h2_capacity_wt_pct"], "batch": 2, "candidates": candidates}
    assert client.post("/v1/campaigns", json=body).status_code == 201
    name = "alloyers:walk"
    assert "walk" in page("/campaigns")
    client.post(f"/campaigns/{name}/proposals", data={"n": 1}, headers=HTML)
    text = page(f"/campaigns/{name}")
    assert "Tell the result" in text
    number, material = (re.search(rf'name="{field}" value="([^"]*)"', text).group(1) for field in _TOLD)
    told = {"number": number, "material_id": material, "h2_capacity_wt_pct": "1.31"}
    answer = client.post(f"/campaigns/{name}/results", data=told, headers=HTML)
    assert "<strong>Taken.</strong>" in answer.text
    assert "<b>1.31" in answer.text
    assert "Why this one" in page(f"/campaigns/{name}/progress")
    assert "h2_capacity_wt_pct" not in re.sub(r'(name|for|id)="[^"]*"', "", answer.text)


def test_material_can_be_read_while_a_model_cannot_be_used(client, page, monkeypatch):
    def busy(*_, **__):
        raise BusyError("hydride_capacity is being trained", retry_after_s=10)

    monkeypatch.setattr(client.app.state.service.predictor, "model", busy)
    for path in ("/fragments/values/a/LaNi5", "/compare?ids=a/LaNi5&ids=d/MgH2"):
        text = page(path)
        assert "Predictions are missing" in text
        assert "Luo, 1998" in text


def test_families_stand_side_by_side_with_their_sources(page):
    text = page("/families")
    for family in ("interstitial", "ionic", "complex", "sorbent"):
        assert f'<th scope="row">{family}</th>' in text
    plots = re.findall(r'data-plot="(families-[a-z-]+)"', text)
    assert len(plots) == len(set(plots)) == 5
    assert "US DOE HydPARK listing" in text
    assert 'aria-current="page">Families</a>' in text
