"""The page of a crate, for readers without hstore."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hstore_data.catalog import get_card
from hstore_workflows.crate.content import CHECKSUMS
from hstore_workflows.report.templating import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstore_workflows.crate.author import Author
    from hstore_workflows.crate.content import About, Content, Piece


def preview_page(content: Content, pieces: Iterable[Piece], about: About, authors: Sequence[Author]) -> str:
    """Return the page as HTML that loads nothing from elsewhere."""
    files = [
        {
            "path": piece.path,
            "name": piece.name,
            "licences": list(piece.licences.rows.items()),
            "n_bytes": len(piece.data),
            "sha256": hashlib.sha256(piece.data).hexdigest(),
        }
        for piece in pieces
    ]
    return (
        environment("hstore_workflows.crate")
        .get_template("preview.html.j2")
        .render(
            content=content,
            about=about,
            authors=authors,
            files=files,
            cards=[get_card(name) for name in content.datasets],
            checksums=CHECKSUMS,
        )
    )
