"""The site builds without a warning, no link is broken, nothing comes from elsewhere, phones and paper show it."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

pytestmark = [pytest.mark.long, pytest.mark.browser]

DOCS = Path(__file__).parents[2] / "docs"
SEEN = (
    *(
        "index",
        "tutorials/index",
        "tutorials/first-screen",
        "generated/overview",
        "how-to/fit",
        "how-to/operations",
        "explanation/acquisition",
        "explanation/how-wrong",
    ),
    *("generated/benchmarks", "generated/errors", "reference/python"),
    *("generated/commands/batch", "generated/routes/measurements", "generated/data-sets/hydrides"),
    *("generated/models/hydride_thermodynamics", "generated/settings", "notebooks/campaign"),
)
"""Pages that are printed, one of each kind."""
INCLUDED = ("generated", "how-wrong.md")
"""Written into the page of the same name."""
PHONE, A4_PX = {"width": 360, "height": 740}, 794
BROAD = """[...document.querySelectorAll("main *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1
        && !part.closest(".pst-scrollable-table-container, pre, .equation, .cell_output")
        && !part.closest("table, .bd-sidebar-secondary"))
    .map((part) => part.outerHTML.slice(0, 200))"""
"""What is broader than the window and in no box that scrolls by itself."""


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.places = [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag in {"script", "img", "iframe", "source"} and given.get("src"):
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory, trained, loaded):
    """The site, built as ``make docs`` builds it, with the models that are trained already."""
    for name in ("hydride_capacity", "hydride_thermodynamics", "conductivity", "sorbent_uptake"):
        loaded(name)
    folder = tmp_path_factory.mktemp("site")
    html = folder / "html"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HSTORE_")}
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "trees", DOCS, html],
        env=environment | {"HSTORE_HOME": str(trained.home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return html


@pytest.fixture(scope="module")
def pages(site):
    """The pages by path."""
    return {path: Page(path) for path in site.rglob("*.html") if site / "_static" not in path.parents}


def test_every_document_is_a_page(site):
    written = [path for kind in ("*.md", "*.ipynb") for path in DOCS.rglob(kind)]
    documents = [
        path.relative_to(DOCS).with_suffix(".html")
        for path in written
        if (path.parent.name, path.name) != INCLUDED
    ]
    assert [str(path) for path in documents if not (site / path).is_file()] == []


def test_no_link_is_broken(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            target, place = urldefrag(link)
            if "://" in target or target.startswith(("mailto:", "data:")):
                continue
            file = (path.parent / unquote(target.split("?")[0])).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (file in pages and unquote(place) not in pages[file].places):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages):
    assert {load for page in pages.values() for load in page.loads if load.startswith(("http", "//"))} == set()


def test_a_phone_shows_every_page(pages, browser):
    window = browser.new_page(viewport=PHONE)
    asked, complaints, broad = [], [], {}
    window.on("request", lambda request: asked.append(request.url))
    window.on("pageerror", lambda error: complaints.append(str(error)))
    for path in pages:
        window.goto(path.as_uri())
        width = window.evaluate("document.scrollingElement.scrollWidth")
        if width > PHONE["width"] or window.evaluate(BROAD):
            broad[path.name] = width, window.evaluate(BROAD)[:2]
    assert broad == {}
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert window.evaluate("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)") >= 14
    window.close()


@pytest.mark.parametrize("name", SEEN)
def test_paper_shows_the_text_and_no_controls(site, browser, name):
    page = browser.new_page(viewport={"width": A4_PX, "height": 1123})
    page.emulate_media(media="print")
    page.goto((site / f"{name}.html").as_uri())
    controls = ".bd-header, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-footer, .copybtn"
    shown = f"[...document.querySelectorAll('{controls}')].filter((part) => part.offsetHeight > 0).length"
    assert page.evaluate(shown) == 0
    assert page.evaluate("document.querySelector('article').getBoundingClientRect().width") > 0.85 * A4_PX
    assert page.evaluate("document.scrollingElement.scrollWidth") <= A4_PX + 1
    page.close()


def test_equations_are_drawn_by_the_browser(site):
    """They are MathML, without scripts."""
    text = (site / "explanation/uncertainty.html").read_text(encoding="utf-8")
    assert "mathjax" not in text.replace("mathjax_ignore", "").lower()
    assert any("<math" in path.read_text(encoding="utf-8") for path in (site / "explanation").glob("*.html"))
