"""Structure features of many crystals: in worker processes, each within its time, and never twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hstore.errors import HstoreError
from hstore.workers import Crew, Limits, TooSlowError, processor_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal
    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.structure.featurizer import StructureFeaturizer

_CAUSE_CHARACTERS = 300
_PIECE = {1: 32, 2: 2, 3: 1}
"""Crystals handed to a worker at once, by the costliest tier asked for."""
_ITEMS_PER_WORKER = {1: 20_000, 2: 2000, 3: 200}
"""Crystals after which a worker is replaced: seldom where its kernels take longer to load than a crystal."""
_HARD_LIMIT_FACTOR = 2.0
"""Wall time a crystal may take over the processor time of its featurizers; a busy machine needs some slack."""

Task = tuple["Crystal", tuple[str, ...]]
Answer = dict[str, tuple["FloatArray | None", str]]
_Wanted = tuple[int, tuple[str, ...]]
"""Row of a crystal and the featurizers it lacks."""


@dataclass(frozen=True)
class Failure:
    """A featurizer that gave no values for a crystal."""

    row: int
    """Place of the crystal among those given, from 0."""
    featurizer: str
    """Name of the featurizer."""
    cause: str
    """Why, in words."""


@dataclass(frozen=True)
class Described:
    """Features of some crystals."""

    columns: tuple[str, ...]
    """Names, ``featurizer.column`` in the order of the featurizers."""
    values: FloatArray
    """Shape (crystals, columns); NaN where a value does not apply or the featurizer failed."""
    failures: tuple[Failure, ...]
    """What could not be computed, by crystal."""
    computed: int
    """Featurizer results computed now."""
    cached: int
    """Featurizer results found in the cache."""


@dataclass
class _Rows:
    """Results of one featurizer while a batch is worked on."""

    featurizer: StructureFeaturizer
    keys: list[bytes]
    values: FloatArray
    causes: list[str]
    missing: list[int]
    """Rows to compute, one for each distinct key."""
    twins: dict[int, list[int]] = field(default_factory=dict)
    """Rows with the same key as a missing one, which get its result."""
    uncertain: set[int] = field(default_factory=set)
    """Rows whose failure depends on the machine (time, memory, crash) and is not kept."""


class Describer:
    """Computes featurizers for batches of crystals; use as a context manager, its workers live that long."""

    def __init__(
        self,
        featurizers: Sequence[StructureFeaturizer],
        *,
        cache: FeatureCache | None = None,
        workers: int | None = None,
        memory_mib: int = 4096,
    ) -> None:
        """Take what to compute.

        Args:
            featurizers: from :mod:`hstore_models.features.structure.menu`.
            cache: results are looked up and kept there; None computes everything.
            workers: processes; None takes one for each core.
            memory_mib: memory one worker may take, MiB.
        """
        self.featurizers = tuple(featurizers)
        self.columns = tuple(f"{f.name}.{column}" for f in self.featurizers for column in f.columns)
        self._cache = cache
        seconds = sum(f.seconds for f in self.featurizers)
        tier = max((f.tier for f in self.featurizers), default=1)
        self._crew: Crew[Task, Answer] = Crew(
            partial(_compute, {f.name: f for f in self.featurizers}),
            workers=workers,
            limits=Limits(
                seconds=_HARD_LIMIT_FACTOR * max(seconds, 1.0),
                memory_mib=memory_mib,
                items_per_worker=_ITEMS_PER_WORKER[tier],
            ),
            piece=_PIECE[tier],
            preload=_modules(self.featurizers),
        )

    def __enter__(self) -> Self:
        """Return the describer, whose workers end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self._crew.close()

    def describe(self, crystals: Sequence[Crystal], *, progress: Callable[[int], None] | None = None) -> Described:
        """Compute all featurizers for a batch; some thousand crystals at a time keep memory and cache small.

        Args:
            crystals: what to describe.
            progress: called with the number of crystals done since the last call.
        """
        results = [self._looked_up(f, crystals) for f in self.featurizers]
        tasks = _tasks(crystals, results)
        if progress:
            progress(len(crystals) - len(tasks))
        lost = self._work(tasks, crystals, results, progress)
        if lost:  # one featurizer took the others of its crystal with it: find out which
            alone: list[_Wanted] = [(row, (name,)) for row, names in lost for name in names]
            self._work(alone, crystals, results, None)
        kept = [rows for rows in results if rows.featurizer.compute_amounts is None]
        computed = sum(len(rows.missing) for rows in kept)
        twins = sum(len(others) for rows in kept for others in rows.twins.values())
        for rows in results:
            self._keep(rows)
        return Described(
            columns=self.columns,
            values=np.hstack([rows.values for rows in results]) if results else np.empty((len(crystals), 0)),
            failures=tuple(_failures(results)),
            computed=computed,
            cached=len(crystals) * len(kept) - computed - twins,
        )

    def _looked_up(self, featurizer: StructureFeaturizer, crystals: Sequence[Crystal]) -> _Rows:
        keys = [bytes.fromhex(crystal.key) for crystal in crystals]
        n, width = len(crystals), len(featurizer.columns)
        if featurizer.compute_amounts is not None:
            return _Rows(featurizer, keys, featurizer.compute_amounts([c.amounts for c in crystals]), [""] * n, [])
        if self._cache is None:
            rows = _Rows(featurizer, keys, np.full((n, width), np.nan), [""] * n, [])
            present = np.zeros(n, dtype=bool)
        else:
            found = self._cache.shelf(featurizer).take(keys)
            rows = _Rows(featurizer, keys, found.values, list(found.causes), [])
            present = found.present
        first: dict[bytes, int] = {}
        for row in np.flatnonzero(~present).tolist():
            leader = first.setdefault(keys[row], row)
            if leader == row:
                rows.missing.append(row)
            else:
                rows.twins.setdefault(leader, []).append(row)
        return rows

    def _work(
        self,
        tasks: list[_Wanted],
        crystals: Sequence[Crystal],
        results: list[_Rows],
        progress: Callable[[int], None] | None,
    ) -> list[_Wanted]:
        """Compute tasks into the results; return those that were lost with their worker and named several."""
        by_name = {rows.featurizer.name: rows for rows in results}
        lost: list[_Wanted] = []
        outcomes = self._crew.map((crystals[row], names) for row, names in tasks)
        for (row, names), outcome in zip(tasks, outcomes, strict=True):
            if outcome.value is None and len(names) > 1:
                lost.append((row, names))
            for name in names:
                values, cause = outcome.value[name] if outcome.value else (None, outcome.cause)
                _settle(by_name[name], row, values, cause, machine=outcome.value is None)
            if progress:
                progress(1)
        return lost

    def _keep(self, rows: _Rows) -> None:
        if self._cache is None or not rows.missing:
            return
        certain = [row for row in rows.missing if row not in rows.uncertain]
        self._cache.shelf(rows.featurizer).add(
            [rows.keys[row] for row in certain], rows.values[certain], [rows.causes[row] for row in certain]
        )


def _modules(featurizers: Sequence[StructureFeaturizer]) -> tuple[str, ...]:
    """Modules worth loading before the workers start."""
    needed = [f for f in featurizers if f.compute_amounts is None]
    return tuple(sorted({module for f in needed for module in (f.compute.__module__, *f.preload)}))


def _tasks(crystals: Sequence[Crystal], results: list[_Rows]) -> list[_Wanted]:
    wanted: dict[int, list[str]] = {}
    for rows in results:
        for row in rows.missing:
            wanted.setdefault(row, []).append(rows.featurizer.name)
    return [(row, tuple(wanted[row])) for row in range(len(crystals)) if row in wanted]


def _settle(rows: _Rows, row: int, values: FloatArray | None, cause: str, *, machine: bool) -> None:
    for place in (row, *rows.twins.get(row, ())):
        rows.causes[place] = cause
        if values is not None:
            rows.values[place] = values
    if machine or cause.startswith(_TOO_SLOW):
        rows.uncertain.add(row)
    else:
        rows.uncertain.discard(row)


def _failures(results: list[_Rows]) -> Iterator[Failure]:
    for row in range(len(results[0].keys) if results else 0):
        for rows in results:
            if rows.causes[row]:
                yield Failure(row, rows.featurizer.name, rows.causes[row])


_TOO_SLOW = "took longer than"


def _compute(featurizers: Mapping[str, StructureFeaturizer], task: Task) -> Answer:
    """Worker side: the wanted featurizers of one crystal, each within its own time."""
    from hstore_models.features.structure.geometry import Geometry

    crystal, names = task
    geometry = Geometry(crystal)
    return {name: _one(featurizers[name], geometry) for name in names}


def _one(featurizer: StructureFeaturizer, geometry: Any) -> tuple[FloatArray | None, str]:
    try:
        with processor_time(featurizer.seconds), np.errstate(all="ignore"):
            values = np.asarray(featurizer.compute(geometry), dtype=float)
    except TooSlowError:
        return None, f"{_TOO_SLOW} its limit of {featurizer.seconds:g} s"
    except HstoreError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - a library may raise anything; it is the cause for this one
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"[:_CAUSE_CHARACTERS]
    expected = (len(featurizer.columns),)
    if values.shape != expected:
        return None, f"gave {values.shape} values where {expected} were announced"
    return values, ""
