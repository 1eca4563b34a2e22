"""One try of a search: a start, its relaxation, and the record of both on disk.

A record is named after its number and a checksum over all that decides it, so that it is found again exactly when
the same would be computed again, and searches with other settings may share a folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hstore.errors import HstoreError
from hstore.workers import Crew, Limits
from hstore_models.physics.potential import load_potential
from hstore_models.physics.random_crystals import random_crystals
from hstore_models.physics.relaxing import OUT_OF_TIME, Relaxed, RelaxSettings, nearest_hydrogen_angstrom, relax
from hstore_workflows.physics.relaxation import MEMORY_MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from hstore.crystal import Crystal
    from hstore_models.physics.potential import Potential

FORMAT = 1
"""Raised when what a try means changes."""
RANDOM, SUBSTITUTED, REFINED, STEPPED = "random", "substituted", "refined", "stepped"
"""Kinds of tries."""
_GRACE_SECONDS = 120.0
"""Beyond its own time limit, a try may take this long to load its potential, to draw and to end a step."""
CALM_EV_PER_ANGSTROM = 1.0
"""A try that ran out of steps under larger forces is no structure, and its energy says nothing."""
HYDROGEN_APART_ANGSTROM = 1.45
"""Least distance of two hydrogen atoms in a structure: they keep 1.5 angstrom in H2O, 1.6 in NH3 and more in
metals and salts, and potentials invent low energies below, where they were not trained."""


@dataclass(frozen=True)
class Draw:
    """How a random start is drawn."""

    counts: Mapping[str, int]
    """Element -> atoms in the primitive cell."""
    weights: tuple[float, ...]
    """Weight of each space group, shape (230,)."""
    draws: int
    """Crystals drawn in one space group, of which the one with the lowest energy is relaxed."""
    seed: tuple[int, ...]
    """Seed of this try."""


@dataclass(frozen=True)
class Task:
    """What a try is to do."""

    kind: str
    """One of the kinds above."""
    number: int
    """Number among its kind, from 0."""
    origin: str
    """Where it begins, in words."""
    start: Crystal | Draw
    """The crystal it begins at, or how that is drawn."""
    settings: RelaxSettings
    """How it is relaxed."""

    def name(self, potential: str) -> str:
        """Return the name of its record under a potential, by its key."""
        if isinstance(self.start, Draw):
            start: Any = [dict(self.start.counts), self.start.weights, self.start.draws, self.start.seed]
        else:
            start = self.start.key
        content = json.dumps([FORMAT, self.kind, start, potential, self.settings.as_json()])
        return f"{self.kind}-{self.number:05d}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Try:
    """What became of a task."""

    kind: str
    """Its kind."""
    number: int
    """Its number among its kind, from 0."""
    origin: str
    """Where it began, in words."""
    relaxed: Relaxed | None
    """Its relaxation; None where there was no start, or its worker ended."""
    seconds: float
    """Processor time it took, drawing and relaxing, s."""
    cause: str = ""
    """Why there is no structure, or why its energy is not the last word; empty when it converged."""

    @property
    def usable(self) -> bool:
        """Whether there is a structure with an energy: it converged, or only ran out of steps or time."""
        return self.relaxed is not None and (not self.cause or self.unfinished)

    @property
    def unfinished(self) -> bool:
        """Whether it only ran out of steps or time."""
        return self.cause.startswith(OUT_OF_TIME)

    @property
    def structure(self) -> Relaxed:
        """The relaxed structure of a usable try."""
        assert self.relaxed is not None
        return self.relaxed

    @property
    def steps(self) -> int:
        """Optimizer steps taken."""
        return 0 if self.relaxed is None else self.relaxed.steps

    @property
    def label(self) -> str:
        """Kind and number, as others refer to it."""
        return f"{self.kind} {self.number}"

    def as_json(self) -> dict[str, Any]:
        """Return the record."""
        return {
            "kind": self.kind,
            "number": self.number,
            "origin": self.origin,
            "seconds": round(self.seconds, 2),
            "cause": self.cause,
            "relaxed": None if self.relaxed is None else self.relaxed.as_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Try:
        """Read back what :meth:`as_json` returned."""
        relaxed = record["relaxed"]
        return cls(
            kind=record["kind"],
            number=record["number"],
            origin=record["origin"],
            relaxed=None if relaxed is None else Relaxed.from_json(relaxed),
            seconds=record["seconds"],
            cause=record["cause"],
        )


class Bench:
    """Where tries are done, by one potential; a context manager, for its workers stay."""

    def __init__(
        self,
        potential: str,
        key: str,
        *,
        folder: Path | None = None,
        workers: int = 0,
        seconds: float = 900.0,
        weights: Path | None = None,
        sha256: str | None = None,
    ) -> None:
        """Take what tries need.

        Args:
            potential: name of the potential.
            key: its key.
            folder: where the records are; None keeps none.
            workers: processes; 0 works in this one.
            seconds: longest time of a relaxation, s.
            weights: weights of a ``module:factory``.
            sha256: checksum that the weights must have.
        """
        self._key = key
        self._folder = folder
        work = partial(do, name=potential, key=key, folder=folder, weights=weights, sha256=sha256)
        self._work = work
        limits = Limits(seconds + _GRACE_SECONDS, MEMORY_MIB, items_per_worker=200)
        self._crew = Crew(work, workers=workers, limits=limits, piece=1) if workers else None

    def __enter__(self) -> Self:
        """Return the bench."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        if self._crew is not None:
            self._crew.close()

    def perform(self, tasks: Sequence[Task]) -> Iterator[Try]:
        """Do tasks, in their order; those with a record are read. Stop reading to do no more of them."""
        known = {task.number: found for task in tasks if (found := self._read(task)) is not None}
        missing = [task for task in tasks if task.number not in known]
        new = self._compute(missing)
        ended = False
        try:
            for task in tasks:
                yield known.get(task.number) or next(new)
            ended = True
        finally:
            if not ended and self._crew is not None:
                self._crew.close()  # what they hold is not wanted; new ones start with the next tasks

    def _compute(self, tasks: Sequence[Task]) -> Iterator[Try]:
        if self._crew is None:
            yield from map(self._work, tasks)
            return
        for task, outcome in zip(tasks, self._crew.map(tasks), strict=True):
            yield outcome.value or Try(task.kind, task.number, task.origin, None, 0.0, outcome.cause)

    def _read(self, task: Task) -> Try | None:
        if self._folder is None:
            return None
        try:
            record = json.loads((self._folder / f"{task.name(self._key)}.json").read_text(encoding="utf-8"))
            return Try.from_json(record)
        except (OSError, ValueError, KeyError, TypeError):  # absent, or cut off by a full disk: done anew
            return None


def do(task: Task, *, name: str, key: str, folder: Path | None, weights: Path | None, sha256: str | None) -> Try:
    """Do one task and keep its record; what fails becomes its cause."""
    potential = load_potential(name, weights=weights, sha256=sha256)
    began = time.process_time()
    origin, relaxed, cause = task.origin, None, ""
    try:
        crystal = task.start
        if isinstance(crystal, Draw):
            crystal, origin = _lowest_drawn(crystal, potential)
        relaxed = relax(crystal, potential, task.settings)
        cause = _unlike_a_crystal(relaxed) or relaxed.cause
    except HstoreError as error:
        cause = str(error)
    found = Try(task.kind, task.number, origin, relaxed, time.process_time() - began, cause)
    if folder is not None:
        _keep(found, folder / f"{task.name(key)}.json")
    return found


def _unlike_a_crystal(relaxed: Relaxed) -> str:
    """Say why a relaxed structure with an energy is none to believe in; empty where nothing speaks against it."""
    if relaxed.cause and not relaxed.cause.startswith(OUT_OF_TIME):
        return ""
    force = relaxed.force_most_ev_per_angstrom
    if relaxed.cause and not (math.isfinite(relaxed.energy_ev) and force <= CALM_EV_PER_ANGSTROM):
        return f"forces of {force:.1f} eV/A are left ({relaxed.cause})"
    apart = nearest_hydrogen_angstrom(relaxed.crystal)
    if apart < HYDROGEN_APART_ANGSTROM:
        return f"hydrogen atoms came as near as {apart:.2f} A, as in no hydride: the potential does not hold here"
    return ""


def _lowest_drawn(draw: Draw, potential: Potential) -> tuple[Crystal, str]:
    """Draw crystals and return the one with the lowest energy before any relaxation, with its origin in words."""
    random = np.random.default_rng(draw.seed)
    drawn = random_crystals(draw.counts, random, number=draw.draws, weights=draw.weights)
    energies = [_energy_ev_per_atom(crystal, potential) for crystal in drawn.crystals]
    return drawn.crystals[int(np.argmin(energies))], f"drawn in space group {drawn.space_group}"


def _energy_ev_per_atom(crystal: Crystal, potential: Potential) -> float:
    """Return the energy of a crystal as it is; infinite where the potential has none."""
    still = RelaxSettings(force_most_ev_per_angstrom=_ANY_FORCE, steps=1, rattle_angstrom=0.0, strain=0.0)
    found = relax(crystal, potential, still)
    return found.energy_ev_per_atom if found.converged and math.isfinite(found.energy_ev) else math.inf


_ANY_FORCE = 1e9


def _keep(found: Try, path: Path) -> None:
    """Write a record; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(found.as_json()), encoding="utf-8")
    draft.replace(path)
