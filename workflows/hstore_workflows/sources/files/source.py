"""Files, folders and archives as a source of materials.

Every document is read in a worker process with limits on time and memory, so that a hostile file costs only
itself. Identifiers are ``file:<file>:<entry>-<hash>`` or ``file:<archive>:<member>:<entry>-<hash>``: stems of the
names, the entry as its document numbers or names it, and eight digits of a hash of the content. So they are the
same in every run and order, and two files of one name do not replace each other.
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
from hstore_workflows.sources.files.found import Found, Unusable
from hstore_workflows.sources.files.kinds import COLLECTIONS, Kind
from hstore_workflows.sources.files.limits import ReadLimits
from hstore_workflows.sources.files.place import START
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
_MOST_UNUSABLE = 1000
"""Unusable entries, with no usable one among them, after which a document is given up."""
_CAUSE_CHARACTERS = 300
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
                reading = _Reading(item, family, limits.sites)
                yield from reading.take(held.popleft() if held else next(outcomes))
                while reading.piece is not None:
                    held.extend(outcomes)  # the crew makes one pass at a time
                    (outcome,) = crew.map([reading.piece])
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


class _Reading:
    """One document on its way: what to read next, and what its answers mean."""

    def __init__(self, source: Source, family: Family | None, most_sites: int) -> None:
        self.piece: Piece | None = Piece(source.document, most_sites)
        """What to read next; None when the document is done."""
        self._source = source
        self._family = family
        self._losses = 0
        self._singly = 0
        """Entries yet to be read one at a time, to find the one that ended a reading process."""
        self._usable = self._unusable = 0

    def take(self, outcome: Outcome[Answer]) -> Iterator[Material | Rejected]:
        """Yield what an answer holds and decide what comes next."""
        piece = self.piece
        assert piece is not None
        if outcome.value is None:
            yield from self._failed(piece, outcome.cause)
            return
        rest = outcome.value.rest
        self.piece = None if rest is None else Piece(piece.document, piece.most_sites, rest)
        if self._singly and self.piece is not None:
            self._singly -= 1
            self.piece = replace(self.piece, most_entries=1)
        alone = piece.start == START and rest is None and len(outcome.value.entries) == 1
        for entry, found in outcome.value.entries:
            item = self._item(entry, found, alone=alone)
            self._usable += isinstance(item, Material)
            self._unusable += isinstance(item, Rejected)
            yield item
        if self.piece is not None and not self._usable and self._unusable >= _MOST_UNUSABLE:
            self.piece = None
            yield Rejected(
                piece.document.name, f"its first {self._unusable} entries cannot be used; the rest is not read"
            )

    def _failed(self, piece: Piece, cause: str) -> Iterator[Rejected]:
        """Find the entry that ended the process, and go on behind it."""
        name = piece.document.name
        self.piece = None
        if self._source.kind not in COLLECTIONS or piece.skip:
            yield Rejected(name, cause)
        elif piece.most_entries > 1:
            self._singly = piece.most_entries
            self.piece = replace(piece, most_entries=1)
        else:
            self._losses += 1
            yield Rejected(f"{name}#{piece.start.entries + 1}", cause)
            if self._losses < _MOST_LOSSES:
                self.piece = replace(piece, skip=True)
            else:
                yield Rejected(name, f"{self._losses} of its entries had to be stopped; the rest is not read")

    def _item(self, entry: str, found: Found | Unusable, *, alone: bool) -> Material | Rejected:
        name = self._source.document.name
        reference = f"{name}#{shown(entry)}" if entry else name
        if isinstance(found, Unusable):
            return Rejected(reference, found.cause)
        try:
            return found.record or self._material(entry, found, reference, alone=alone)
        except (ValidationError, HstoreError) as error:
            return Rejected(reference, " ".join(str(error).split())[:_CAUSE_CHARACTERS])

    def _material(self, entry: str, found: Found, reference: str, *, alone: bool) -> Material:
        stem = shown(self._source.label.rpartition(":")[2])
        by_file = stem if alone else f"{stem} {shown(entry)}"
        amounts = found.crystal.amounts if found.crystal is not None else parse_amounts(found.formula)
        return Material(
            material_id=f"file:{_label(self._source.label)}:{_label(entry)}-{_digest(found)}",
            formula=found.formula,
            name=found.name or (by_file if self._source.kind in _NAMED_BY_FILE else ""),
            family=self._family or family_of(amounts),
            structure=None if found.crystal is None else found.crystal.to_dict(),
            descriptors=found.descriptors,
            known=found.known,
            reason="structure from a file" if found.crystal is not None else "formula from a table",
            provenance=Provenance(
                source=SOURCE,
                reference=reference,
                licence=found.licence,
                retrieved=datetime.now(UTC).date(),
                note="; ".join(found.notes) or None,
            ),
        )


def _label(text: str) -> str:
    return re.sub(r"\s+", "_", shown(text))[:_LABEL_CHARACTERS]


def _digest(found: Found) -> str:
    """Eight digits that tell contents apart."""
    content = found.crystal.key if found.crystal is not None else found.formula
    described = json.dumps(found.descriptors, sort_keys=True) if found.descriptors else ""
    return hashlib.sha256(f"{content}{described}".encode()).hexdigest()[:8]
