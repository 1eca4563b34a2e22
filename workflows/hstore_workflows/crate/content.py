"""What goes into a crate, whatever it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hstore.licences import Mix
from hstore.records import Access

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["screen", "model", "campaign"]
"""What a crate is about."""

ABOUT = "hstore-crate.json"
"""File of a crate with what hstore needs to take it in."""
METADATA = "ro-crate-metadata.json"
"""File of a crate with what RO-Crate asks for."""
PREVIEW = "ro-crate-preview.html"
"""Page of a crate for readers."""
CHECKSUMS = "checksums.sha256"
"""File with the SHA-256 of all others, as ``sha256sum --check`` reads it."""


@dataclass(frozen=True)
class Piece:
    """One file of a crate."""

    path: str
    """Place in the crate."""
    source: bytes | Path
    """Content, or the file that holds it."""
    name: str
    """What it is, in a few words."""
    media_type: str
    """Media type."""
    licences: Mix
    """Licences of its rows; a file that is no table counts as one row."""
    role: Literal["result", "object", "about"] = "result"
    """Whether it was made, went into what was made, or tells of it."""

    @cached_property
    def data(self) -> bytes:
        """Its content; read once, so that what is described is what is written."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True)
class Made:
    """How the content came to be."""

    name: str
    """What was done."""
    command: str
    """Command line, or words where none is known."""
    ended: str
    """When it ended, ISO 8601."""


@dataclass(frozen=True)
class Content:
    """Everything that goes into a crate."""

    kind: Kind
    """What it is about."""
    name: str
    """Identifier of the screen or version, or name of the campaign."""
    title: str
    """Title to cite it by."""
    description: str
    """What it is, in sentences."""
    pieces: tuple[Piece, ...]
    """Its files."""
    rows: Mix
    """Licences of the rows that the crate is about."""
    datasets: tuple[str, ...] = ()
    """Data sets behind it that hstore has cards of."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Library -> version that it was made with."""
    made: Made | None = None
    """How it came to be; None where many did it over time."""
    access: Access = field(default_factory=Access)
    """Who may see it where it is imported."""
    models: tuple[str, ...] = ()
    """Versions whose files are in it, as ``NAME/ID``."""
    notes: tuple[str, ...] = ()
    """What a reader must know besides: what is not in it, and why."""

    @property
    def licences(self) -> Mix:
        """Licences of the rows of all files."""
        return reduce(add, (piece.licences for piece in self.pieces), Mix({}, 0))


class About(BaseModel):
    """What hstore needs to take a crate in; content of :data:`ABOUT`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Literal[1] = 1
    """Layout of the crate."""
    kind: Kind
    """What it is about."""
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Identifier of the screen or version, or name of the campaign."""
    hstore: str
    """Version of hstore that wrote it."""
    written_at: AwareDatetime
    """When, UTC."""
    access: Access
    """Who may see it where it is imported."""
    models: tuple[str, ...] = ()
    """Versions whose files are in it, as ``NAME/ID``."""
    licence: str | None = None
    """Licence of the whole, where one was chosen."""
    licences: dict[str, int]
    """Licence -> rows of the main table it holds for."""
    notes: tuple[str, ...] = ()
    """What a reader must know besides."""

    @property
    def private_to(self) -> str | None:
        """Lab that alone may see it; None for everybody."""
        return self.access.lab_id if self.access.visibility == "lab" else None


def json_bytes(content: Any) -> bytes:
    """Write plain data as JSON: keys in their order, which reasons of proposals follow, and text as it is."""
    import json

    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
