"""Oxidation states from the composition alone: the likeliest charges that balance.

Each element may take the oxidation states it has in the Inorganic Crystal Structure Database, and each atom of
it counts with the number of times that state occurs there; the balanced assignment with the largest count wins,
and an element in several states gets their mean. These are the rule and the numbers of pymatgen's
``Composition.oxi_state_guesses`` (Ong et al., doi 10.1016/j.commatsci.2012.10.028; MIT licence), found by
dynamic programming in time that grows with the charge instead of with the number of combinations.

Two things differ on purpose. The formula is reduced, so that any cell of a crystal has the same charges. And
hydrogen is H- unless a nonmetal more electronegative than it is present: by occurrence alone LiBH4 would become
Li+ B3- with half a positive charge on each H.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import IntArray

PROTIC_PARTNERS = frozenset({"C", "N", "O", "F", "S", "Cl", "Se", "Br", "I", "At"})
"""Nonmetals above hydrogen on Pauling's scale (2.20); with one of them H may be positive."""
MULTIPLES = 4
"""Formula units tried together when one alone does not balance, such as two of Pb2O3.

Beyond this the mixture of states is no guess but a fit."""


def oxidation_states(amounts: Mapping[str, float]) -> dict[str, float] | None:
    """Guess the mean oxidation state of each element.

    Args:
        amounts: atoms of each element, whole numbers.

    Returns:
        State of each element, in the order given; an element alone has 0. None where no combination of known
        states balances, as in most intermetallics, or an amount is not whole.
    """
    if len(amounts) == 1:
        return dict.fromkeys(amounts, 0.0)
    whole = {element: round(n) for element, n in amounts.items()}
    if any(whole[element] != n or n < 1 for element, n in amounts.items()):
        return None
    divisor = gcd(*whole.values())
    formula = tuple((element, n // divisor) for element, n in sorted(whole.items()))
    found = _balanced(formula)
    return None if found is None else {element: found[element] for element in amounts}


@lru_cache(maxsize=4096)
def _balanced(formula: tuple[tuple[str, int], ...]) -> dict[str, float] | None:
    states = {element: allowed_states(element, formula) for element, _ in formula}
    for units in range(1, MULTIPLES + 1):
        counts = {element: n * units for element, n in formula}
        charges = likeliest_charges(counts, states)
        if charges is not None:
            return {element: charges[element] / n for element, n in counts.items()}
    return None


def allowed_states(element: str, formula: tuple[tuple[str, int], ...]) -> dict[int, int]:
    """Return the oxidation states an element may take in a compound, and how often each occurs."""
    if element == "H" and not any(other in PROTIC_PARTNERS for other, _ in formula):
        return {-1: 1}
    return occurrences().get(element, {})


def likeliest_charges(counts: Mapping[str, int], states: Mapping[str, Mapping[int, int]]) -> dict[str, int] | None:
    """Find the neutral assignment of states to atoms with the largest sum of occurrences.

    Args:
        counts: atoms of each element.
        states: for each element, occurrence of each state it may take.

    Returns:
        Total charge of each element; None where nothing balances.
    """
    if not all(states[element] for element in counts):
        return None
    own = {element: _element_sums(n, tuple(states[element].items())) for element, n in counts.items()}
    order = sorted(own, key=lambda element: len(own[element].best))  # the widest last: of it, one charge is asked
    reached = [_Sums(0, np.zeros(1, dtype=np.int64))]
    for element in order[:-1]:
        reached.append(_added(reached[-1], own[element]))
    charge, charges = 0, {}
    for element, before in zip(reversed(order), reversed(reached), strict=True):
        taken = _taken(before, own[element], charge)
        if taken is None:
            return None
        charges[element] = taken
        charge -= taken
    return charges


@dataclass(frozen=True, eq=False)
class _Sums:
    """Largest count for each total charge that some atoms can have."""

    low: int
    """Charge of the first entry."""
    best: IntArray
    """Counts for the charges from ``low`` up; below 0 where a charge cannot be had."""


_IMPOSSIBLE = -(2**60)


@lru_cache(maxsize=4096)
def _element_sums(n: int, states: tuple[tuple[int, int], ...]) -> _Sums:
    """Work out the charges n atoms of one element can have together."""
    low, high = (extreme(charge for charge, _ in states) for extreme in (min, max))
    best = np.zeros(1, dtype=np.int64)
    if len(states) == 1:
        return _Sums(n * low, best + n * states[0][1])
    for _ in range(n):
        grown = np.full(len(best) + high - low, _IMPOSSIBLE)
        for charge, count in states:
            part = grown[charge - low : charge - low + len(best)]
            np.maximum(part, best + count, out=part)
        best = grown
    return _Sums(n * low, best)


def _added(first: _Sums, second: _Sums) -> _Sums:
    short, long = sorted((first, second), key=lambda sums: len(sums.best))
    best = np.full(len(short.best) + len(long.best) - 1, _IMPOSSIBLE)
    for place in np.flatnonzero(short.best >= 0).tolist():
        part = best[place : place + len(long.best)]
        np.maximum(part, long.best + short.best[place], out=part)
    return _Sums(first.low + second.low, best)


def _taken(before: _Sums, own: _Sums, charge: int) -> int | None:
    """Return the charge of one element in the best way to a total charge; None where there is no way."""
    first = max(own.low, charge - before.low - len(before.best) + 1)
    stop = min(own.low + len(own.best), charge - before.low + 1)
    if first >= stop:
        return None
    rest = before.best[charge - stop + 1 - before.low : charge - first + 1 - before.low][::-1]
    total = own.best[first - own.low : stop - own.low] + rest
    place = int(np.argmax(total))
    return first + place if total[place] >= 0 else None


@cache
def occurrences() -> dict[str, dict[int, int]]:
    """Return for each element how often each of its oxidation states occurs (``element_oxidation.csv``)."""
    text = files("hstore_models.features.structure").joinpath("element_oxidation.csv").read_text(encoding="utf-8")
    table: dict[str, dict[int, int]] = {}
    for row in csv.DictReader(text.splitlines()):
        table.setdefault(row["element"], {})[int(row["oxidation_state"])] = int(row["occurrence"])
    return table
