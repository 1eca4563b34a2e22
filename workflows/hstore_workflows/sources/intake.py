"""What every source delivers, and what becomes of it: deduplicated, stored, described, counted.

A source is an iterator of :class:`~hstore.records.Material` and :class:`Rejected`. Nothing it delivers is lost:
``received = stored + merged + rejected``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstore.records import PUBLIC_SCOPE, Material
from hstore_workflows.dedupe import Deduplicator, Fate, Verdict
from hstore_workflows.describe import BATCH_MATERIALS, describe, in_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hstore.records import Scope
    from hstore.store import Store
    from hstore_models.features.structure.compute import Describer
    from hstore_workflows.describe import DescriptorFile


@dataclass(frozen=True)
class Rejected:
    """Something a source delivered that cannot be used."""

    reference: str
    """What leads to it: identifier, file and entry; empty when the source gave none."""
    cause: str
    """Why, and what to do."""


@dataclass
class Intake:
    """What became of everything a source delivered."""

    received: int = 0
    """Items delivered."""
    stored: int = 0
    """Materials stored under their own identifier, new or anew."""
    merged: int = 0
    """Materials that joined the record of the same material."""
    described: int = 0
    """Materials whose features were computed or known."""
    rejected: list[Rejected] = field(default_factory=list)
    """What could not be used."""
    undescribed: list[Rejected] = field(default_factory=list)
    """Stored materials that lack the features of some group, with the cause."""
    notes: list[str] = field(default_factory=list)
    """What could not be decided on the way, and what was done then."""


def take_in(
    items: Iterable[Material | Rejected],
    store: Store,
    *,
    at_once: bool = False,
    describer: Describer | None = None,
    sink: DescriptorFile | None = None,
    workers: int | None = None,
    scope: Scope = PUBLIC_SCOPE,
    progress: Callable[[int], None] | None = None,
) -> Intake:
    """Take in everything a source delivers, batch by batch.

    Args:
        items: what the source delivers; memory holds one batch of it.
        store: where it goes.
        at_once: store all in one transaction or nothing, for sources that are complete or worthless; memory
            holds everything then.
        describer: computes features of what is stored; None computes none.
        sink: file that gets the features.
        workers: processes for deduplication; None takes one for each core.
        scope: in whose name.
        progress: called with the number of items done since the last call.

    Raises:
        StoreError: the store refused a record; batches before it stay.
    """
    taken = Intake()
    batches = [list(items)] if at_once else in_batches(items)
    with Deduplicator(store, scope, workers=workers) as deduplicator:
        for batch in batches:
            materials = [item for item in batch if isinstance(item, Material)]
            verdicts = deduplicator.add(materials) if materials else []
            _count(taken, batch, verdicts)
            if describer is not None:
                kept = [m for m, v in zip(materials, verdicts, strict=True) if v.fate is not Fate.MERGED]
                _describe(taken, kept, describer, sink)
            if progress:
                progress(len(batch))
    return taken


def _count(taken: Intake, batch: Sequence[Material | Rejected], verdicts: Sequence[Verdict]) -> None:
    taken.received += len(batch)
    taken.rejected += [item for item in batch if isinstance(item, Rejected)]
    merged = sum(verdict.fate is Fate.MERGED for verdict in verdicts)
    taken.merged += merged
    taken.stored += len(verdicts) - merged
    taken.notes += [f"{verdict.material_id}: {verdict.note}" for verdict in verdicts if verdict.note]


def _describe(
    taken: Intake, materials: Sequence[Material], describer: Describer, sink: DescriptorFile | None
) -> None:
    for batch in in_batches(materials, BATCH_MATERIALS):
        found = describe(batch, describer)
        taken.described += len(found.materials)
        for material, failures in zip(found.materials, found.failures, strict=True):
            taken.undescribed += [
                Rejected(material.material_id, f"{group}: {cause}") for group, cause in failures.items()
            ]
        if sink is not None:
            sink.add(found)
