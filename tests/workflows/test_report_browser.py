"""The report in a real Chromium: it draws, it stays on the page, it fits a phone."""

from __future__ import annotations

import pytest

from hstore_workflows.report import render_report
from tests.workflows.report_result import BUILDERS, hostile_result

pytestmark = pytest.mark.browser

KINDS = tuple(BUILDERS)
A4_WIDTH_PX = 688  # 210 mm less margins of 14 mm, at 96 px per inch
MARKS = """[...document.querySelectorAll('.plot')].map(plot =>
    [plot.id, plot.querySelectorAll('.scatterlayer .point, .scatterlayer .js-line, .barlayer .point').length])"""


@pytest.fixture(scope="module")
def open_report(browser, tmp_path_factory):
    """Open a report from disk; the page notes its complaints and the addresses it asks for."""

    def opened(text, *, width=1280, scheme="light"):
        path = tmp_path_factory.mktemp("report") / "report.html"
        path.write_text(text, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        return page

    return opened


@pytest.fixture(scope="module")
def reports():
    """The report of one screen of each kind."""
    return {kind: render_report(build()) for kind, build in BUILDERS.items()}


@pytest.fixture(scope="module")
def wide(open_report, reports):
    """The report of each kind on a wide light screen."""
    return {kind: open_report(text) for kind, text in reports.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_draws_marks_without_a_complaint(wide, kind):
    page = wide[kind]
    marks = dict(page.evaluate(MARKS))
    assert len(marks) >= 5
    assert [name for name, count in marks.items() if count == 0] == []
    assert page.complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched(wide, kind):
    page = wide[kind]
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(200)
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in page.asked if url.startswith("file:")]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_page_fits_a_phone(open_report, reports, kind):
    page = open_report(reports[kind], width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("Math.max(...[...document.querySelectorAll('.plot')].map(p => p.offsetWidth))") <= 390
    assert page.complaints == []


def test_map_draws_one_mark_for_each_candidate(wide):
    page = wide["hydride"]
    drawn = page.evaluate(
        """document.getElementById('design-map').data
            .map((trace, i) => trace.customdata ? document.getElementById('design-map').calcdata[i].length : 0)
            .reduce((a, b) => a + b)"""
    )
    assert drawn == 9
    points = page.evaluate("document.querySelectorAll('#design-map .scatterlayer .point').length")
    assert points >= 9


def test_hover_tells_formula_and_interval(wide):
    page = wide["hydride"]
    page.evaluate(
        """(() => { const map = document.getElementById('design-map');
            const curve = map.data.findIndex(t => t.customdata && t.customdata.some(c => c[0].startsWith('LaNi')));
            const point = map.data[curve].customdata.findIndex(c => c[0].startsWith('LaNi'));
            Plotly.Fx.hover(map, [{curveNumber: curve, pointNumber: point}]); })()"""
    )
    text = page.text_content("#design-map .hoverlayer")
    assert "LaNi5" in text.replace("\u200b", "")
    assert "1.5 (1.0 to 2.0) wt%" in text


def test_band_follows_the_line_under_the_pointer(wide):
    page = wide["hydride"]
    shown = """document.getElementById('temperature-curves').data
        .filter(t => t.meta && 'band' in t.meta && t.visible === true).map(t => t.meta.band)"""
    assert page.evaluate(shown) == [0]
    page.evaluate(
        """(() => { const plot = document.getElementById('temperature-curves');
            const curve = plot.data.findIndex(t => t.meta && t.meta.line === 3);
            plot.emit('plotly_hover', {points: [{data: plot.data[curve]}]}); })()"""
    )
    assert page.evaluate(shown) == [3]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_in_light_and_dark(open_report, reports, wide, scheme):
    page = wide["hydride"] if scheme == "light" else open_report(reports["hydride"], scheme=scheme)
    text = page.evaluate("getComputedStyle(document.querySelector('#design-map .xtick text')).fill")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (_lightness(background) > 127) == (scheme == "light")
    assert abs(_lightness(text) - _lightness(background)) > 150


def test_hostile_texts_do_not_run(open_report):
    page = open_report(render_report(hostile_result()))
    page.evaluate(
        """(() => { const map = document.getElementById('design-map');
            const curve = map.data.findIndex(t => t.customdata);
            Plotly.Fx.hover(map, [{curveNumber: curve, pointNumber: 0}]); })()"""
    )
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('img, .plot script').length") == 0
    assert "<script>window.hacked=1" in page.text_content("#design-map .hoverlayer")
    assert page.complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_print_fits_a_page_and_unfolds_the_manifest(wide, kind):
    page = wide[kind]
    assert not page.is_visible("#manifest details pre")
    page.set_viewport_size({"width": A4_WIDTH_PX, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.is_visible("#manifest details pre")
    assert not page.is_visible("nav")
    page.wait_for_timeout(500)  # plots follow the width of the page
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_WIDTH_PX


def _lightness(colour):
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) / 3
