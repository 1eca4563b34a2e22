"""Deduplication across sources: what was seen before joins the record that is kept, everything else is new.

:class:`Deduplicator` writes to the store as it decides, a batch at a time. The first record of a material to
arrive is kept; later ones are merged into it (:meth:`~hstore.store.Store.merge_materials`). Once kept, a record
stays kept. Only records of the same owner and visibility are compared, so nobody learns of a record they may
not see. When two records are of one material is written in :mod:`hstore_workflows.sameness`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Self

from hstore.errors import InputError
from hstore.workers import Crew, Limits
from hstore_workflows.comparison import Comparison, Place
from hstore_workflows.sameness import MATCH_SECONDS, Block, work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from types import TracebackType

    from hstore.records import Material, Scope
    from hstore.store import Store
    from hstore_workflows.sameness import Answer, Task

_MEMORY_MIB = 2048
_LOADING_SECONDS = 60.0
"""A worker loads pymatgen within its first comparison of two structures; most need none."""
_SHARE_OF_A_CORE = 5.0
"""A worker on a crowded machine may need so many times its processor time."""


class Fate(StrEnum):
    """What became of a material."""

    NEW = "new"
    """Stored under its own identifier."""
    REPLACED = "replaced"
    """Stored under its own identifier, which the store had already."""
    MERGED = "merged"
    """The same material as another one, whose record gained its provenance."""


@dataclass(frozen=True)
class Verdict:
    """What became of one material."""

    material_id: str
    """Identifier of the material that was added."""
    fate: Fate
    """What became of it."""
    kept_id: str
    """Identifier of the record in the store; another one only where it was merged."""
    note: str = ""
    """What could not be compared, and what was done then; empty otherwise."""


class Deduplicator:
    """Adds materials to a store, each once; use as a context manager, its workers live that long.

    It remembers some hundred bytes of each material that shares its composition with another one.
    """

    def __init__(
        self, store: Store, scope: Scope, *, workers: int | None = None, match_seconds: float = MATCH_SECONDS
    ) -> None:
        """Take where to write; processes start when there is something to compare.

        Args:
            store: written to at every :meth:`add`.
            scope: in whose name; only records it may see are compared with.
            workers: processes; None takes one for each core.
            match_seconds: time limit for one comparison of two structures, seconds of processor time.
        """
        self._store = store
        self._scope = scope
        self._blocks: dict[Place, Block] = {}
        self._crew: Crew[Task, Answer] = Crew(
            partial(work, match_seconds=match_seconds),
            workers=workers,
            limits=Limits(seconds=_SHARE_OF_A_CORE * match_seconds + _LOADING_SECONDS, memory_mib=_MEMORY_MIB),
            preload=("moyopy", work.__module__),  # and pymatgen only where fingerprints collide
        )

    def __enter__(self) -> Self:
        """Return the deduplicator, whose workers end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self._crew.close()

    def add(self, materials: Sequence[Material]) -> list[Verdict]:
        """Store or merge a batch; some hundred materials at a time keep the workers busy and memory small.

        Args:
            materials: in the order in which they arrived; the verdicts do not depend on where batches end.

        Returns:
            One verdict for each material, in order. All are in the store when it returns.

        Raises:
            InputError: a material may not be seen in the scope.
            StoreError: an identifier belongs to another owner, or the database refuses a value.
        """
        for material in materials:
            if not self._scope.allows(material.access):
                raise InputError(
                    f"material {material.material_id!r} belongs to lab {material.access.lab_id!r} and cannot be "
                    "added in a scope that may not see it; use a scope of that lab"
                )
        return [verdict for batch in _without_repeats(materials) for verdict in self._decide(batch)]

    def _decide(self, batch: Sequence[Material]) -> list[Verdict]:
        """Decide on materials of distinct identifiers and write the outcome."""
        ids = [material.material_id for material in batch]
        stored = {found.material_id for found in self._store.identities(scope=self._scope, material_ids=ids)}
        comparison = Comparison(self._store, self._scope, self._crew, self._blocks)
        comparison.run(batch, stored)
        merges: dict[str, list[Material]] = defaultdict(list)
        alone: list[Material] = []
        for material in batch:
            kept_id = comparison.merged.get(material.material_id)
            (merges[kept_id] if kept_id else alone).append(material)
        if alone:
            self._store.add_materials(alone, chunk_size=len(alone))
        self._store.merge_materials(merges)
        return [self._verdict(name, stored, comparison) for name in ids]

    @staticmethod
    def _verdict(name: str, stored: Collection[str], comparison: Comparison) -> Verdict:
        kept_id = comparison.merged.get(name, name)
        fate = Fate.MERGED if kept_id != name else Fate.REPLACED if name in stored else Fate.NEW
        return Verdict(name, fate, kept_id, "; ".join(comparison.notes[name]))


def _without_repeats(materials: Iterable[Material]) -> Iterator[list[Material]]:
    """Yield runs of materials in which no identifier occurs twice."""
    run: dict[str, Material] = {}
    for material in materials:
        if material.material_id in run:
            yield list(run.values())
            run = {}
        run[material.material_id] = material
    if run:
        yield list(run.values())
