"""The pages in a real Chromium, over a real service with a worker, on embedded materials and trained models."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from hstore.keys import permissions_of
from hstore.records import Family, Provenance
from hstore.store import open_store
from tests.conftest import Build

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PAGES = (
    *(
        "/",
        "/materials?elements=Mg",
        "/materials/hstore:rutile:MgH2",
        "/materials/p/LaNi5",
        "/map",
        "/try?formula=LaNi5",
    ),
    *("/compare?ids=p/LaNi5&ids=hstore:rutile:MgH2", "/screens", "/campaigns", "/campaigns/walkers:alloys"),
    *("/families", "/models", "/models/hydride_capacity", "/jobs", "/measure", "/sign-in", "/nothing-here"),
)
HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
BROAD = """[...document.querySelectorAll("main *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth)
    .map((part) => part.outerHTML.slice(0, 200))"""
"""What is broader than the window."""
PATIENCE_MS = 90_000
QUIET = ("GL Driver Message", "GPU stall", "Automatic fallback to software WebGL")


@pytest.fixture(scope="module")
def home(tmp_path_factory, trained, loaded):
    """A home of its own with the trained models, and a store with embedded materials and their structures."""
    from hstore_workflows.sources.enumeration import enumerate_pool

    for name in ("hydride_capacity", "hydride_thermodynamics", "conductivity", "sorbent_uptake"):
        loaded(name)
    folder = tmp_path_factory.mktemp("home")
    (folder / "models").symlink_to(trained.models_dir)
    with open_store(f"sqlite:///{folder / 'hstore.sqlite'}") as store:
        store.add_materials(enumerate_pool((Family.IONIC, Family.SORBENT), seed=0))
        alloys = ("LaNi5", "LaNi4.7Al0.3", "LaNi4.5Sn0.5", "TiFe", "TiFe0.9Mn0.1", "ZrMn2", "Mg2Ni", "CaNi5")
        store.add_materials(Build.material(f"p/{formula}", formula, known=True) for formula in alloys)
        texts = {"name": HOSTILE, "reason": HOSTILE, "provenance": Provenance(source=HOSTILE, note=HOSTILE)}
        store.add_materials([Build.material("p/hostile", "LaNi4.4Ge0.6", **texts)])
        _, secret = store.keys.create("walk", permissions_of("read,measure,run,train"), lab_id="walkers")
    (folder / "key").write_text(secret)
    return folder


@pytest.fixture(scope="module")
def address(home):
    """Address of a running service, started as its users start it; ended afterwards with its worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HSTORE_")}
    log = (home / "serve.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "hstore_workflows.cli", "serve", "--port", str(port)],
        env=environment | {"HSTORE_HOME": str(home)}, cwd=home, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(900):
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).read()
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, (home / "serve.log").read_text()[-3000:]
            time.sleep(0.1)
    yield url
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    log.close()


@pytest.fixture(scope="module")
def window(browser, address, home):
    """A window that has signed in; its pages note their complaints and what they ask of other hosts."""
    context = browser.new_context(viewport=WIDE, base_url=address)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#key", (home / "key").read_text())
    page.click("text=Sign in >> nth=-1")
    page.wait_for_selector("text=walkers")
    page.close()
    yield context
    context.close()


@pytest.fixture
def open_page(window, address):
    """Open a page and wait until it is drawn; it must have no complaint and load from the service alone."""
    pages = []

    def opened(path, **viewport):
        page = window.new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path)
        if viewport:
            page.set_viewport_size(viewport)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        loud = [said for said in page.complaints if not any(word in said for word in QUIET) and "404" not in said]
        elsewhere = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
        page.close()
        assert loud == []
        assert elsewhere == []


def settle(page):
    """Wait for what the page fetches after it is there."""
    page.wait_for_load_state("networkidle", timeout=PATIENCE_MS)
    if "/map" in page.url:
        page.wait_for_selector("html[data-plots=drawn]", state="attached")


def test_search_by_the_periodic_table_with_the_keyboard(open_page):
    page = open_page("/materials")
    total = page.text_content("#results-heading")
    page.focus("[data-symbol=H]")
    page.keyboard.press("ArrowDown")  # Li
    page.keyboard.press("ArrowDown")  # Na
    page.keyboard.press("ArrowRight")  # Mg
    assert page.evaluate("document.activeElement.dataset.symbol") == "Mg"
    page.keyboard.press("Enter")
    page.wait_for_url("**elements=Mg**")
    page.wait_for_function("old => document.getElementById('results-heading').textContent !== old", arg=total)
    assert page.get_attribute("[data-symbol=Mg]", "aria-pressed") == "true"
    page.keyboard.press("Enter")  # once more: must be absent
    page.wait_for_url("**exclude=Mg**")
    page.wait_for_function("document.querySelector('#results tbody').textContent.includes('Mg') === false")
    assert page.input_value("#elements") == ""
    shared = open_page(page.url)  # the address says it all
    assert shared.input_value("#exclude") == "Mg"
    assert shared.text_content("#results-heading") == page.text_content("#results-heading")


def test_material_opens_from_the_search_and_its_structure_turns(open_page):
    page = open_page("/materials?q=MgH2&structure=yes")
    page.click("#results tbody a >> nth=0")
    page.wait_for_selector("#viewer[data-atoms]")
    alone = int(page.get_attribute("#viewer", "data-atoms"))
    before = page.get_attribute("#viewer", "data-view")
    page.focus("[aria-label='Turn left']")
    page.keyboard.press("Enter")
    page.wait_for_function("old => document.getElementById('viewer').dataset.view !== old", arg=before)
    page.click("#supercell")
    page.wait_for_function("old => Number(document.getElementById('viewer').dataset.atoms) > 4 * old", arg=alone)
    assert page.get_attribute("#supercell", "aria-pressed") == "true"
    assert "Unit cell of 6 sites" in page.get_attribute("#viewer", "aria-label")


def test_voids_are_shown_with_the_atoms_that_bound_them_from_the_keyboard(open_page):
    page = open_page("/materials/hstore:rutile:MgH2")
    page.wait_for_selector("#viewer[data-atoms]")
    assert page.get_attribute("#viewer", "data-shown-voids") == ""
    count = page.locator("[data-void]").count()
    assert 1 <= count <= 4
    page.focus("[data-void='0']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[data-shown-voids='0']")
    assert page.get_attribute("[data-void='0']", "aria-pressed") == "true"
    page.focus("#voids")
    page.keyboard.press("Space")
    page.wait_for_selector(f"#viewer[data-shown-voids='{','.join(map(str, range(count)))}']")
    page.keyboard.press("Space")
    page.wait_for_selector("#viewer[data-shown-voids='']", state="attached")
    assert page.get_attribute("[data-void='0']", "aria-pressed") == "false"
    settle(page)
    page.wait_for_selector("#vant-hoff .scatterlayer .js-line", state="attached")
    assert "7.66" in page.text_content("#values")  # wt%, measured
    assert "hydride_capacity-" in page.text_content("#values")


def test_texts_of_others_run_nothing(open_page, address, home):
    row = {
        "material_id": "p/LaNi5",
        "plateau_pressure_bar": 1.9,
        "temperature_k": 300,
        "note": HOSTILE,
        "sample": HOSTILE,
    }
    headers = {"X-API-Key": (home / "key").read_text(), "content-type": "application/json"}
    body = json.dumps({"rows": [row]}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{address}/v1/measurements", body, headers), timeout=120)
    for path in ("/materials?elements=Ge", "/materials/p/hostile", "/materials/p/LaNi5", "/measure", "/map",
                 "/compare?ids=p/hostile&ids=p/LaNi5", f"/materials?q={quote(HOSTILE)}"):  # fmt: skip
        page = open_page(path)
        settle(page)
        if path.endswith("LaNi5") and "compare" not in path:
            page.hover("#vant-hoff .scatterlayer .points path >> nth=0", force=True)
        assert page.evaluate("window.hacked") is None, path
        assert page.evaluate("document.images.length") == 1, "the sign of hstore and no other picture"


def test_two_materials_are_put_into_the_basket_and_compared(open_page):
    page = open_page("/materials?q=LaNi5")
    page.click("#results [data-compare='p/LaNi5']")
    page.goto("/materials/hstore:rutile:MgH2")
    page.click("[data-compare]")
    page.click("#basket")
    page.wait_for_selector("table.compare")
    heads = page.locator("table.compare thead th").all_text_contents()
    assert [head.split("\n")[0].strip()[:5] for head in heads] == ["LaNi5", "MgH2i"] or len(heads) == 2
    assert page.locator("td.hot").count() >= 1
    page.click("text=Take out >> nth=0")
    page.wait_for_selector("text=Choose two to four materials")


def test_prediction_follows_what_is_typed(open_page):
    page = open_page("/try")
    page.fill("#formula", "LaNi4.8Al0.2")
    page.wait_for_selector("#answer >> text=LaNi4.8Al0.2 as a hydride")
    cold = page.text_content("#answer .card >> nth=3")
    page.focus("#celsius")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("old => document.querySelectorAll('#answer .card')[3].textContent !== old", arg=cold)
    page.wait_for_selector("#answer >> text=65.0")
    page.fill("#formula", "LaNi4.8Zz")
    page.wait_for_selector("#answer [role=alert]")


def test_map_marks_in_one_plot_and_the_table_and_the_other_follow(open_page):
    page = open_page("/map")
    page.wait_for_selector("html[data-plots=drawn]", state="attached")
    everything = page.text_content("#marked")
    assert int(page.get_attribute("#plot-1", "data-drawn")) > 100
    box = page.locator("#plot-1").bounding_box()
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + box["height"] - 60, steps=4)
    page.mouse.up()
    page.wait_for_function("old => document.getElementById('marked').textContent !== old", arg=everything)
    assert page.input_value("[data-brush='1,x-low']") != ""
    page.click("#clear-marks")
    page.wait_for_function("old => document.getElementById('marked').textContent === old", arg=everything)
    page.fill("[data-brush='2,x-high']", "40")  # the same without a mouse
    page.keyboard.press("Tab")
    page.wait_for_function("old => document.getElementById('marked').textContent !== old", arg=everything)
    page.select_option("#colour", "h2_capacity_wt_pct")
    page.wait_for_selector("#legend >> text=dark is low")


def test_job_is_started_watched_to_its_end_and_leads_to_its_screen(open_page):
    page = open_page("/jobs")
    page.select_option("#target", "stationary")
    page.fill("#formulas", "LaNi5, TiFe, Mg2Ni\nnot a formula")
    page.click("text=Start the screen")
    page.wait_for_selector("#job-log li", timeout=PATIENCE_MS)
    page.wait_for_selector("text=Look at the screen", timeout=4 * PATIENCE_MS)
    assert float(page.get_attribute("#job-progress", "value")) == 1.0
    page.click("text=Look at the screen")
    page.wait_for_selector("h1 >> text=Screen for stationary")
    assert "3 candidates ranked, 1 row rejected" in page.text_content(".summary")
    page.goto("/jobs")
    assert "done" in page.text_content("#jobs")


def test_rows_of_a_file_get_their_verdicts(open_page, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("material_id,formula,h2_capacity_wt_pct\np/TiFe,,1.79\n,LaZz5,1.4\np/TiFe,,250\n")
    page = open_page("/measure")
    page.set_input_files("#file", path)
    page.click("button >> text=Send")
    page.wait_for_selector("#verdicts")
    rows = page.locator("#verdicts tbody tr").all_text_contents()
    assert [re.search("stored|held|rejected|duplicate", row).group() for row in rows] == [
        "stored",
        *["rejected"] * 2,
    ]
    assert "Zz" in rows[1]
    assert "[0, 25]" in rows[2]
    page.click("#verdicts a >> nth=0")
    page.wait_for_selector("text=your lab only")


def test_campaign_proposes_and_takes_a_result(open_page, campaign):
    page = open_page("/campaigns/walkers:alloys")
    page.wait_for_selector("#next-column .card")
    page.fill("#n", "1")
    press = "(button) => { button.click(); setTimeout(() => button.click(), 60); }"
    page.eval_on_selector("form[action$=proposals] button", press)
    page.wait_for_selector("#board .card >> text=Tell the result")
    settle(page)
    assert page.locator("#board .card >> text=Tell the result").count() == 1, "pressed twice, asked once"
    page.click("#board .card >> text=Tell the result")
    page.fill("[id^=told-]", "1.31")
    page.click("button >> text=Tell")
    page.wait_for_selector(".alert >> text=Taken")
    assert "1.31" in page.text_content("#board")
    settle(page)


@pytest.fixture(scope="module")
def campaign(address, home):
    """A campaign of the lab over five alloys."""
    body = {
        "name": "alloys",
        "maximize": ["h2_capacity_wt_pct"],
        "batch": 2,
        "candidates": [{"formula": formula} for formula in ("LaNi5", "TiFe", "Mg2Ni", "CaNi5", "ZrMn2")],
    }
    headers = {"X-API-Key": (home / "key").read_text(), "content-type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/campaigns", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=120))


def test_theme_is_chosen_and_kept(open_page):
    page = open_page("/materials")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.click("#theme")
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    page.click("#theme")
    assert page.evaluate(ground) == light


@pytest.mark.long
@pytest.mark.parametrize("path", PAGES)
def test_no_serious_fault_of_accessibility_and_no_overflow(open_page, campaign, path):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(path)
    settle(page)
    faults = []
    for viewport, scheme in ((WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (PHONE, "light")):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], page.evaluate(BROAD)
        found = Axe().run(page).response["violations"]
        faults += [
            (
                viewport["width"],
                scheme,
                fault["id"],
                fault["nodes"][0]["target"],
                fault["nodes"][0]["failureSummary"],
            )
            for fault in found
            if fault["impact"] in {"serious", "critical"}
        ]
    assert faults == []


def test_reading_needs_no_script(browser, address):
    context = browser.new_context(java_script_enabled=False, base_url=address)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/materials/p/LaNi5")
    assert "Luo, 1998" in page.text_content("#values")
    page.goto("/materials")
    page.fill("#elements", "La")
    page.click("#search button.main")
    page.wait_for_url("**elements=La**")
    assert "LaNi" in page.text_content("#results")
    context.close()
