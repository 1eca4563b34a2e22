"""What the site adds to Sphinx: pages made from the code, equations without scripts, links out of ``docs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygments.lexers.special import TextLexer

from . import benchmarks, cards, commands, errors, mathml, models, outside, routes, settings

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_WRITERS = (benchmarks, cards, commands, errors, models, outside, routes, settings)


def generated_pages() -> dict[str, str]:
    """Return the pages that follow from the code: path below ``docs/generated`` -> Markdown."""
    return {path: text for writer in _WRITERS for path, text in writer.pages().items()}


def write_pages(folder: Path) -> None:
    """Write the generated pages into a folder; leave those alone that say the same, remove those that went."""
    wanted = {folder / path: text for path, text in generated_pages().items()}
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if path not in wanted:
            path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", lambda built: write_pages(Path(built.srcdir) / "generated"))
    app.connect("source-read", outside.redirect_links)
    mathml.register(app)
    app.add_lexer("csv", TextLexer)  # tables are shown as they are
    return {"parallel_read_safe": True, "parallel_write_safe": True}
