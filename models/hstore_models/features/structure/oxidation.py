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
from functools import cache, lru_cache
from importlib.resources import files
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.compiled import compiled

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
    # The element with the most possible charges comes last: of it only the one that balances is asked.
    order = sorted(counts, key=lambda element: counts[element] * (max(states[element]) - min(states[element])))
    charges = [charge for element in order for charge in states[element]]
    occurring = [count for element in order for count in states[element].values()]
    ends = np.cumsum([len(states[element]) for element in order])
    totals = compiled(_balance)(
        np.array([counts[element] for element in order]), ends, np.array(charges), np.array(occurring)
    )
    return dict(zip(order, totals.tolist(), strict=True)) if len(totals) else None


def _balance(  # noqa: C901 - compiled: one nest of loops
    atoms: IntArray, ends: IntArray, charges: IntArray, occurring: IntArray
) -> IntArray:  # pragma: no cover - runs compiled
    """Return the total charge of each element in the best neutral assignment; empty where there is none.

    Args:
        atoms: atoms of each element.
        ends: where the states of each element end among all states.
        charges: charge of each state.
        occurring: occurrence of each state.
    """
    impossible = np.int64(-(2**60))
    elements = len(atoms)
    lows, origins = np.zeros(elements + 1, np.int64), []
    reached = np.zeros(1, np.int64)  # largest count for each charge from lows[element] up
    for element in range(elements):
        start = ends[element - 1] if element else 0
        low, high = charges[start : ends[element]].min(), charges[start : ends[element]].max()
        own = np.zeros(1, np.int64)  # the same for the atoms of this element alone
        for _ in range(atoms[element]):
            grown = np.full(len(own) + high - low, impossible)
            for state in range(start, ends[element]):
                shift = charges[state] - low
                for place in range(len(own)):
                    grown[place + shift] = max(grown[place + shift], own[place] + occurring[state])
            own = grown
        lows[element + 1] = lows[element] + atoms[element] * low
        best = np.full(len(reached) + len(own) - 1, impossible)
        origin = np.zeros(len(best), np.int64)
        neutral = -lows[element + 1]
        for place in range(len(own)):
            if own[place] < 0:
                continue
            first, stop = 0, len(reached)
            if element == elements - 1:
                first, stop = max(first, neutral - place), min(stop, neutral - place + 1)
            for before in range(first, stop):
                total = reached[before] + own[place]
                if total > best[before + place]:
                    best[before + place], origin[before + place] = total, place + atoms[element] * low
        reached = best
        origins.append(origin)
    neutral = -lows[elements]
    if neutral < 0 or neutral >= len(reached) or reached[neutral] < 0:
        return np.zeros(0, np.int64)
    totals, charge = np.zeros(elements, np.int64), 0
    for element in range(elements - 1, -1, -1):
        totals[element] = origins[element][charge - lows[element + 1]]
        charge -= totals[element]
    return totals


@cache
def occurrences() -> dict[str, dict[int, int]]:
    """Return for each element how often each of its oxidation states occurs (``element_oxidation.csv``)."""
    text = files("hstore_models.features.structure").joinpath("element_oxidation.csv").read_text(encoding="utf-8")
    table: dict[str, dict[int, int]] = {}
    for row in csv.DictReader(text.splitlines()):
        table.setdefault(row["element"], {})[int(row["oxidation_state"])] = int(row["occurrence"])
    return table
