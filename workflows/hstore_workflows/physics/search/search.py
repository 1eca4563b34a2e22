"""A search from a composition: many loose relaxations, tight ones of the best, and steps out of their basins.

1. Tries begin at random crystals (:mod:`hstore_models.physics.random_crystals`) or at known structure types, and
   are relaxed loosely, the random ones within their symmetry.
2. The lowest distinct ones are rattled and relaxed tightly without symmetry.
3. Steps (:mod:`hstore_models.physics.basin_steps`) lead from these to neighbouring minima, some at once, each
   round from what is lowest by then.

All that is drawn has its own seed and each relaxation its own record, so a search that was killed goes on where
it was and ends with the same result, and one with more tries begins with those that are done.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.formula import parse_amounts, written_formula
from hstore_models.physics.basin_steps import next_strength, step
from hstore_models.physics.potential import load_potential
from hstore_models.physics.random_crystals import require_pyxtal
from hstore_workflows.physics.search.distinct import note_early_finds, print_of, told_apart
from hstore_workflows.physics.search.known_types import group_weights, known_types
from hstore_workflows.physics.search.tries import (
    RANDOM,
    REFINED,
    STEPPED,
    SUBSTITUTED,
    Bench,
    Draw,
    Task,
    Try,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hstore_models.physics.potential import Potential
    from hstore_workflows.physics.search.distinct import Structure
    from hstore_workflows.physics.search.settings import SearchSettings

ATOMS_MOST = 60
"""Atoms of a cell that a search takes on: random tries find nothing in larger ones."""
_ROUND = 4
"""Steps of a round, whatever the number of workers, so that this does not change the result."""
_WARMTH_EV_PER_ATOM = 0.03
"""A step begins at a structure with the weight exp(-(energy above the lowest) / this)."""
_STREAM = {RANDOM: 0, SUBSTITUTED: 1, STEPPED: 2}
"""Kind -> the stream of random numbers it draws from."""


@dataclass(frozen=True)
class Found:
    """What a search found."""

    formula: str
    """Formula unit, as chemists write it."""
    potential: Potential
    """What energies are of."""
    structures: tuple[Structure, ...]
    """Distinct structures relaxed tightly, lowest energy first."""
    tries: tuple[Try, ...]
    """Every try, in the order of their beginning."""
    ended_early: str
    """Which limit ended it before all tries and steps were done; empty when none did."""

    @property
    def core_hours(self) -> float:
        """Processor time of all tries, those of earlier runs too, h."""
        return sum(one.seconds for one in self.tries) / 3600

    @property
    def optimizer_steps(self) -> int:
        """Steps of all relaxations."""
        return sum(one.steps for one in self.tries)

    @property
    def failures(self) -> dict[str, int]:
        """Cause, its numbers left out -> tries that ended without a structure."""
        causes = Counter(_kind_of_cause(one.cause) for one in self.tries if not one.usable)
        return dict(causes.most_common())


def search(
    formula: str,
    settings: SearchSettings,
    *,
    folder: Path | None = None,
    workers: int = 0,
    say: Callable[[int], None] = lambda _: None,
) -> Found:
    """Search for the structures of a composition.

    Args:
        formula: whole numbers of atoms, such as ``MgH2``.
        settings: how, and at what cost.
        folder: where the record of each try is kept, and found again; None keeps none.
        workers: processes; 0 works in this one.
        say: told after each try that one more is done.

    Raises:
        InputError: the formula has no whole numbers, or its cells are too large.
        MissingExtraError, ModelError: PyXtal is not installed, or the potential cannot be loaded.
    """
    counts = counts_within(formula, settings)
    if settings.tries:
        require_pyxtal()
    potential = load_potential(settings.potential, weights=settings.weights, sha256=settings.sha256)
    with Bench(
        settings.potential,
        potential.key,
        folder=folder,
        workers=workers,
        seconds=max(settings.coarse.seconds, settings.fine.seconds),
        weights=settings.weights,
        sha256=settings.sha256,
    ) as bench:
        return _Search(counts, settings, bench, potential, say).run()


def counts_within(formula: str, settings: SearchSettings) -> dict[str, int]:
    """Return element -> atoms in one formula unit, with no common divisor.

    Raises:
        InputError: an amount is not whole, or so many units make too large a cell.
    """
    amounts = parse_amounts(formula)
    whole = {element: round(n) for element, n in amounts.items()}
    if any(abs(whole[element] - n) > _WHOLE for element, n in amounts.items()) or min(whole.values()) < 1:
        raise InputError(f"a cell holds whole atoms, got {formula}; multiply until all amounts are whole")
    divisor = gcd(*whole.values())
    counts = {element: n // divisor for element, n in whole.items()}
    largest = max(settings.units) * sum(counts.values())
    if largest > ATOMS_MOST:
        raise InputError(
            f"{max(settings.units)} units of {formula} are {largest} atoms, at most {ATOMS_MOST} are searched; "
            "ask for fewer formula units"
        )
    return counts


_WHOLE = 1e-6
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?")


def random_tasks(counts: Mapping[str, int], settings: SearchSettings) -> list[Task]:
    """Return the random tries of a search, whose numbers take the formula units in turn.

    Args:
        counts: element -> atoms in one formula unit.
        settings: how the search is done.
    """
    tasks = []
    for number in range(settings.tries):
        units = settings.units[number % len(settings.units)]
        cell = {element: units * n for element, n in counts.items()}
        draw = Draw(cell, group_weights(), settings.draws, _seed(settings, RANDOM, number))
        tasks.append(Task(RANDOM, number, "drawn", draw, settings.coarse))
    return tasks


def _seed(settings: SearchSettings, kind: str, number: int) -> tuple[int, ...]:
    return (settings.seed, _STREAM[kind], number)


class _Search:
    """One search under way."""

    def __init__(
        self,
        counts: dict[str, int],
        settings: SearchSettings,
        bench: Bench,
        potential: Potential,
        say: Callable[[int], None],
    ) -> None:
        self.counts = counts
        self.formula = written_formula({element: float(n) for element, n in self.counts.items()})
        self.settings = settings
        self.bench = bench
        self.potential = potential
        self.say = say
        self.done: list[Try] = []
        """All tries so far, in their order."""
        self.ended_early = ""

    def run(self) -> Found:
        coarse = [*self._perform(self._substituted()), *self._perform(random_tasks(self.counts, self.settings))]
        refined = [*self._perform(self._refined(coarse), limited=False)]
        stepped = self._stepped(refined)
        structures = told_apart([*refined, *stepped])
        note_early_finds(structures, coarse)
        return Found(self.formula, self.potential, tuple(structures), tuple(self.done), self.ended_early)

    def _perform(self, tasks: Sequence[Task], *, limited: bool = True) -> Iterator[Try]:
        """Do tasks until one of the limits is reached."""
        if not tasks or (limited and self._over()):
            return
        for found in self.bench.perform(tasks):
            self.done.append(found)
            self.say(1)
            yield found
            if limited and self._over():
                return

    def _over(self) -> bool:
        limits = self.settings
        hours = sum(one.seconds for one in self.done) / 3600
        steps = sum(one.steps for one in self.done)
        if limits.core_hours is not None and hours >= limits.core_hours:
            self.ended_early = f"{limits.core_hours:g} core-hours were spent"
        elif limits.optimizer_steps is not None and steps >= limits.optimizer_steps:
            self.ended_early = f"{limits.optimizer_steps} optimizer steps were taken"
        return bool(self.ended_early)

    def _substituted(self) -> list[Task]:
        """Begin at known types, in an order that is drawn; rattled, for most of them are symmetric."""
        if not self.settings.substitutions:
            return []
        known = [one for one in known_types(self.formula) if len(one.crystal) <= ATOMS_MOST]
        order = np.random.default_rng(_seed(self.settings, SUBSTITUTED, 0)).permutation(len(known))
        rattled = replace(
            self.settings.coarse, rattle_angstrom=self.settings.fine.rattle_angstrom, seed=self.settings.seed
        )
        chosen = [known[i] for i in order[: self.settings.substitutions]]
        return [Task(SUBSTITUTED, n, one.label, one.crystal, rattled) for n, one in enumerate(chosen)]

    def _refined(self, coarse: Sequence[Try]) -> list[Task]:
        fine = replace(self.settings.fine, seed=self.settings.seed)
        return [
            Task(REFINED, number, one.best.label, one.crystal, fine)
            for number, one in enumerate(told_apart(coarse, most=self.settings.best))
        ]

    def _stepped(self, refined: Sequence[Try]) -> list[Try]:
        """Take rounds of steps, each from the structures that are lowest by then."""
        found: list[Try] = []
        strength, number = 1.0, 0
        still = replace(self.settings.fine, rattle_angstrom=0.0, strain=0.0)  # the step itself broke the symmetry
        while number < self.settings.basin_steps and not self.ended_early:
            pool = told_apart([*refined, *found], most=self.settings.best)
            if not pool:
                break
            tasks, parents = [], []
            for _ in range(min(_ROUND, self.settings.basin_steps - number)):
                random = np.random.default_rng(_seed(self.settings, STEPPED, number))
                parent = pool[int(random.choice(len(pool), p=_chances(pool)))]
                taken = step(parent.crystal, random, strength=strength)
                tasks.append(Task(STEPPED, number, f"{parent.best.label}, {taken.kind}", taken.crystal, still))
                parents.append(parent)
                number += 1
            ended = list(self._perform(tasks))
            same = sum(
                parent.holds(one.structure.crystal, print_of(one.structure.crystal))
                for parent, one in zip(parents, ended, strict=False)
                if one.usable
            )
            strength = next_strength(strength, same=same, new=sum(one.usable for one in ended) - same)
            found += ended
        return found


def _chances(pool: Sequence[Structure]) -> list[float]:
    above = np.array([one.energy_ev_per_atom for one in pool])
    weights = np.exp(-(above - above.min()) / _WARMTH_EV_PER_ATOM)
    return list(weights / weights.sum())


def _kind_of_cause(cause: str) -> str:
    """Return a cause without what differs from one try to another: numbers, and what stands in brackets."""
    return _NUMBER.sub("..", cause.partition("(")[0].partition(":")[0]).strip() or "unknown"
