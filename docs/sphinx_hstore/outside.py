"""Pages that live beside the code: they are shown in the site too, and links to other files become their names."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
SHOWN = {
    "README.md": "generated/overview",
    "CHANGELOG.md": "generated/changelog",
    "CONTRIBUTING.md": "generated/contributing",
    "api/README.md": "generated/packages/api",
    "data/README.md": "generated/packages/data",
    "examples/README.md": "generated/packages/examples",
    "hstore/README.md": "generated/packages/hstore",
    "models/README.md": "generated/packages/models",
    "workflows/README.md": "generated/packages/workflows",
}
"""File -> page of the site that shows it."""
_LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def pages() -> dict[str, str]:
    """Return the files as pages below ``generated``."""
    return {
        f"{page.removeprefix('generated/')}.md": (ROOT / path).read_text(encoding="utf-8")
        for path, page in SHOWN.items()
    }


def redirect_links(_app: Sphinx, name: str, source: list[str]) -> None:
    """Point links at the pages of the site; what the site does not hold keeps its name and loses the link."""
    written = {page: path for path, page in SHOWN.items()}.get(name, f"docs/{name}.md")
    source[0] = redirected(source[0], written, name)


def redirected(text: str, written: str, page: str) -> str:
    """Return a Markdown text whose links between files of the project lead to pages.

    Args:
        text: the Markdown.
        written: file that holds it, from the top of the project; links are relative to its folder.
        page: page that shows it, without ending, from ``docs``.
    """
    here = posixpath.dirname(page)

    def point(match: re.Match[str]) -> str:
        words, target, part = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(written), target))
        shown = f"docs/{SHOWN[path]}.md" if path in SHOWN else path
        if not shown.startswith("docs/"):
            return words
        return f"[{words}]({posixpath.relpath(shown.removeprefix('docs/'), here or '.')}{part})"

    return _LINK.sub(point, text)
