"""Files, folders and archives as a source of materials.

Every document is read in a worker process with limits on time and memory, so that a hostile file costs only itself.
Identifiers are ``file:<file>:<entry>-<hash>`` or ``file:<archive>:<member>:<entry>-<hash>``: stems of the names, the
entry as its document numbers or names it, and eight digits of a hash of the content. So they are the same in every
run and order, and two files of one name do not replace each other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hstore.errors import HstoreError
from hstore.formula import parse_amounts
from hstore.records import Family, Material, Provenance
from hstore.workers import Crew, Limits
from hstore_workflows.sources.files.archives import shown
from hstore_workflows.sources.files.found import Found
from hstore_workflows.sources.files.kinds import COLLECTIONS, Kind
from hstore_workflows.sources.files.limits import ReadLimits
from hstore_workflows.sources.files.reading import PRELOAD, Piece, read_piece
from hstore_workflows.sources.files.walk import Source, check_paths, sources
from hstore_workflows.sources.intake import Rejected
from hstore_workflows.sources.mp_records import family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hstore.workers import Outcome
    from hstore_workflows.sources.files.reading import Answer

SOURCE = "file"
"""Source in the provenance of what is read."""

_BATCH_FILES = 256
_BATCH_COLLECTIONS = 8
_BATCH_BYTES = 32 * 1024 * 1024
_PIECE_FILES = 4
_MOST_LOSSES = 3
"""Entries of one document that may cost a reading process before the rest is given up."""
_NAMED_BY_FILE = frozenset({Kind.CIF, Kind.POSCAR})
_LABEL_CHARACTERS = 80


def read_files(
    paths: Sequence[Path | str],
    *,
    family: Family | None = None,
    limits: ReadLimits | None = None,
    workers: int | None = None,
    skipped: Counter[str] | None = None,
) -> Iterator[Material | Rejected]:
    """Read structures and formulas from files, folders and archives, streamed in a fixed order.

    Args:
        paths: files, folders (with all below them), archives.
        family: family of all materials; None infers it from the elements.
        limits: how much a file may ask for.
        workers: reading processes; None takes one for each core.
        skipped: counts files of other kinds in folders and archives by their ending.

    Raises:
        InputError: a path is neither file nor folder.
    """
    given = [Path(path) for path in paths]
    check_paths(given)
    return _read(given, family, limits or ReadLimits(), workers, Counter() if skipped is None else skipped)


def _read(
    paths: list[Path], family: Family | None, limits: ReadLimits, workers: int | None, skipped: Counter[str]
) -> Iterator[Material | Rejected]:
    allowed = Limits(seconds=limits.seconds, memory_mib=limits.memory_mib, items_per_worker=2000)
    with Crew(read_piece, workers=workers, limits=allowed, piece=_PIECE_FILES, preload=PRELOAD) as crew:
        for batch in _batches(sources(paths, limits, skipped)):
            pieces = [Piece(item.document, limits.sites) for item in batch if isinstance(item, Source)]
            outcomes = crew.map(pieces)
            held: deque[Outcome[Answer]] = deque()
            for item in batch:
                if isinstance(item, Rejected):
                    yield item
                    continue
                reading = _Reading(item, family)
                yield from reading.take(held.popleft() if held else next(outcomes))
                while reading.piece is not None:
                    held.extend(outcomes)  # the crew makes one pass at a time
                    (outcome,) = crew.map([reading.piece(limits.sites)])
                    yield from reading.take(outcome)
            held.extend(outcomes)


def _batches(items: Iterable[Source | Rejected]) -> Iterator[list[Source | Rejected]]:
    """Cut a stream into parts that bound what is held in memory."""
    batch: list[Source | Rejected] = []
    size = collections = 0
    for item in items:
        batch.append(item)
        if isinstance(item, Source):
            size += item.size if item.document.path is None else 0
            collections += item.kind in COLLECTIONS
        if len(batch) >= _BATCH_FILES or size > _BATCH_BYTES or collections >= _BATCH_COLLECTIONS:
            yield batch
            batch, size, collections = [], 0, 0
    if batch:
        yield batch
