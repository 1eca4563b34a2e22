"""What a reading process does: one document, or a piece of one with many entries, into entries or causes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import HstoreError, InputError
from hstore_workflows.sources.files.ase_database import read_ase_sqlite
from hstore_workflows.sources.files.cif import read_cif
from hstore_workflows.sources.files.found import Found, Unusable
from hstore_workflows.sources.files.json_records import read_json, read_json_lines
from hstore_workflows.sources.files.kinds import Kind, kind_of
from hstore_workflows.sources.files.place import START, Place, Step
from hstore_workflows.sources.files.poscar import read_poscar
from hstore_workflows.sources.files.table import read_table_rows
from hstore_workflows.sources.files.xyz import read_xyz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore_workflows.sources.files.place import Document

PRELOAD = ("numpy", "vesin", "moyopy", "ase.data", __name__)
"""Modules that reading processes share."""

_READERS: dict[Kind, Callable[..., Iterator[Step]]] = {
    Kind.CIF: read_cif,
    Kind.POSCAR: read_poscar,
    Kind.XYZ: read_xyz,
    Kind.ASE_DATABASE: read_ase_sqlite,
    Kind.JSON: read_json,
    Kind.JSON_LINES: read_json_lines,
    Kind.TABLE: read_table_rows,
}
_PIECE_ENTRIES = 1000
_PIECE_SITES = 100_000
_PIECE_SECONDS = 1.5
_CAUSE_CHARACTERS = 300


@dataclass(frozen=True)
class Piece:
    """What one call reads."""

    document: Document
    """The document."""
    most_sites: int
    """Largest number of positions in a cell."""
    start: Place = START
    """Where to begin."""
    most_entries: int = _PIECE_ENTRIES
    """Entries after which to stop."""
    skip: bool = False
    """Only pass over the first entry: it ended the process that tried it."""


@dataclass(frozen=True)
class Answer:
    """What was read, and where to go on."""

    entries: tuple[tuple[str, Found | Unusable], ...]
    """Name of each entry and what was found."""
    rest: Place | None
    """Where the next piece begins; None at the end of the document."""


def steps_of(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Return the entries of a document, each to be loaded by itself.

    Raises:
        InputError: its kind is not read.
    """
    kind = kind_of(document.name)
    if kind is Kind.MAGNETIC_CIF:
        raise InputError("magnetic CIF files (mCIF) are not read; give the nuclear structure as an ordinary CIF")
    if kind not in _READERS:
        raise InputError(f"{document.name} is of no kind that is read here")
    return _READERS[kind](document, start, most_sites=most_sites)


def read_piece(piece: Piece) -> Answer:
    """Read a document, or as much of it as is handed over at once."""
    with np.errstate(all="ignore"):  # overflow gives inf and nan, which are refused
        return _read(piece)


def _read(piece: Piece) -> Answer:
    began = time.monotonic()
    entries: list[tuple[str, Found | Unusable]] = []
    sites = 0
    try:
        for step in steps_of(piece.document, piece.start, most_sites=piece.most_sites):
            if piece.skip:
                return Answer((), step.following)
            found = _loaded(step)
            entries.append((step.entry, found))
            sites += len(found.crystal) if isinstance(found, Found) and found.crystal is not None else 1
            enough = len(entries) >= piece.most_entries or sites > _PIECE_SITES
            if enough or (entries and time.monotonic() - began > _PIECE_SECONDS):
                return Answer(tuple(entries), step.following)
    except (HstoreError, RecursionError, OSError) as error:
        entries.append(("", Unusable("", _cause(error))))
    if not entries and piece.start == START and not piece.skip:
        entries.append(("", Unusable("", "it holds no structure; a CIF needs a data block with atom sites")))
    return Answer(tuple(entries), None)


def _loaded(step: Step) -> Found | Unusable:
    try:
        return step.load()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - one bad entry, whatever it makes a reader raise, spares the others
        return Unusable(step.entry, _cause(error))


def _cause(error: Exception) -> str:
    text = " ".join(str(error).split())[:_CAUSE_CHARACTERS]
    if isinstance(error, HstoreError):
        return text
    return f"it cannot be read ({type(error).__name__}{': ' if text else ''}{text})"
