"""Whole atoms on positions that are empty at times: how many, in which supercell, and where.

The rules and their limits are stated in :mod:`hstore_workflows.sources.occupancy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.partial import PartialCrystal, atomic_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from hstore.arrays import FloatArray, IntArray

    Wanted: TypeAlias = dict[tuple[str, float | None], int]
    """Element and occupancy of a group of positions (None: any occupancy) -> atoms wanted on them."""

MOST_CELLS = 8
"""Largest supercell, in cells."""
MOST_ATOMS = 400
"""Largest number of atoms in an arrangement."""
MOST_POSITIONS = 800
"""Largest number of partly occupied positions in an arrangement."""
CLOSEST_SHARE = 0.7
"""Atoms on partial positions keep this share of the sum of their covalent radii."""
CLOSEST_HYDROGEN_ANGSTROM = 1.45
"""Hydrogen atoms on partial positions keep this distance: water has 1.5 angstrom, hydrides 2.1."""

_GOOD_CHANGE = 0.005
"""A supercell is not made larger for less than this."""
_CONFLICT = 1e3
"""Weight of two atoms too close to each other against the repulsion of the others."""
_ADDS_UP = 0.05
_STARTS = 6
_FEW_POSITIONS = 128
"""Up to so many the best of several starts is taken, above it the first without a conflict."""
_MOST_SWAPS = 400
_LEAST_GAIN = 1e-9
_SHIFTS = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)], dtype=float)


@dataclass(frozen=True)
class Arrangement:
    """Whole atoms on partly occupied positions."""

    crystal: Crystal
    """The ordered crystal, in a supercell of the given one."""
    cells: int
    """Cells of the given crystal in it."""
    alternatives: bool
    """Whether every atom placed is one of several positions that are together always occupied."""


def arranged(
    structure: PartialCrystal, change_of: Callable[[dict[str, float]], float], *, most_change: float
) -> Arrangement | str:
    """Place whole atoms on the positions of a crystal.

    Args:
        structure: crystal with one element on each position, some less than fully occupied.
        change_of: tells how far amounts of elements are from the stated composition.
        most_change: largest such change.

    Returns:
        The arrangement in the smallest cell, or why there is none.
    """
    tried = list(_counted(structure, change_of))
    fitting = [place for place in tried if place[0] <= most_change]
    if not fitting:
        least = min((change for change, *_ in tried), default=None)
        return (
            f"no cell of at most {MOST_CELLS} times the volume, {MOST_ATOMS} atoms and {MOST_POSITIONS} partial "
            "positions holds whole atoms in these numbers"
            + (f" (the nearest differs in {100 * least:.1f} % of the atoms)" if least is not None else "")
        )
    good = [place for place in fitting if place[0] <= _GOOD_CHANGE]
    for _, multiples, wanted in (good or sorted(fitting, key=lambda place: place[0]))[:2]:
        found = _filled(structure, multiples, wanted) or _filled(structure, multiples, _by_element(wanted))
        if found is not None:
            return found
    return "the atoms that belong on the partial positions do not fit there without touching each other"


def _by_element(wanted: Wanted) -> Wanted:
    """Leave open which group of positions an element takes: occupancies of neighbours need not fit together."""
    total: Wanted = {}
    for (symbol, _), count in wanted.items():
        total[symbol, None] = total.get((symbol, None), 0) + count
    return total


def _groups(structure: PartialCrystal) -> dict[tuple[str, float], list[int]]:
    """Partial positions by element and occupancy: those the file treats alike."""
    groups: dict[tuple[str, float], list[int]] = {}
    for place, shares in enumerate(structure.occupancies):
        ((symbol, share),) = shares.items()
        if share < 1.0:
            groups.setdefault((symbol, round(share, 4)), []).append(place)
    return groups


def _counted(
    structure: PartialCrystal, change_of: Callable[[dict[str, float]], float]
) -> Iterator[tuple[float, tuple[int, int, int], Wanted]]:
    """Yield supercells from small to large: change of composition, multiples of the axes, atoms of each group."""
    groups = _groups(structure)
    whole: dict[str, float] = {}
    for shares in structure.occupancies:
        ((symbol, share),) = shares.items()
        if share == 1.0:
            whole[symbol] = whole.get(symbol, 0.0) + 1.0
    positions = sum(map(len, groups.values()))
    for cells in range(1, MOST_CELLS + 1):
        wanted = _whole_numbers(groups, cells)
        amounts = {symbol: count * cells for symbol, count in whole.items()}
        for (symbol, _), count in wanted.items():
            amounts[symbol] = amounts.get(symbol, 0.0) + count
        if sum(amounts.values()) > MOST_ATOMS or positions * cells > MOST_POSITIONS:
            return
        if sum(amounts.values()) > 0:
            yield change_of(amounts), _multiples(structure.lattice_angstrom, cells), wanted


def _whole_numbers(groups: dict[tuple[str, float], list[int]], cells: int) -> Wanted:
    """Atoms of each group such that those of each element add up as well as they can (largest remainders)."""
    wanted: Wanted = {}
    for symbol in sorted({symbol for symbol, _ in groups}):
        exact = {key: cells * len(places) * key[1] for key, places in groups.items() if key[0] == symbol}
        counts: Wanted = {key: int(amount + 1e-6) for key, amount in exact.items()}
        missing = round(sum(exact.values())) - sum(counts.values())
        for key in sorted(exact, key=lambda key: (counts[key] - exact[key], key))[: max(missing, 0)]:
            counts[key] += 1
        wanted.update(counts)
    return wanted


def _multiples(lattice: FloatArray, cells: int) -> tuple[int, int, int]:
    """Multiples of the axes that make the most even cell of this size."""
    lengths = np.linalg.norm(lattice, axis=1)
    choices = [
        (i, j, cells // (i * j)) for i in range(1, cells + 1) for j in range(1, cells + 1) if cells % (i * j) == 0
    ]
    return min(choices, key=lambda m: (round(float(np.ptp(np.log(lengths * m))), 6), m))


def _filled(structure: PartialCrystal, multiples: tuple[int, int, int], wanted: Wanted) -> Arrangement | None:
    """Place the atoms in a supercell; None when they do not fit."""
    cells = int(np.prod(multiples))
    steps = np.stack(np.meshgrid(*map(np.arange, multiples), indexing="ij"), axis=-1).reshape(-1, 3)
    lattice = structure.lattice_angstrom * np.array(multiples)[:, None]
    fractional = ((structure.fractional[:, None] + steps) / np.array(multiples)).reshape(-1, 3)
    symbols, shares = zip(*(next(iter(held.items())) for held in structure.occupancies), strict=True)
    numbers = np.repeat([atomic_number(symbol) for symbol in symbols], cells)
    occupancy = np.repeat(shares, cells)
    order = {key: place for place, key in enumerate(wanted)}
    group = np.repeat(
        [
            -1 if share == 1.0 else order.get((symbol, round(share, 4)), order.get((symbol, None), -1))
            for symbol, share in zip(symbols, shares, strict=True)
        ],
        cells,
    )
    partial = np.flatnonzero(group >= 0)
    distances = _distances(lattice, fractional[partial], fractional)
    conflicts = distances < _closest(numbers[partial], numbers)
    conflicts[np.arange(len(partial)), partial] = False
    between, near = conflicts[:, partial], distances[:, partial]
    np.fill_diagonal(near, np.inf)
    like = numbers[partial][:, None] == numbers[partial]
    weights = np.where(like, 1.0 / np.maximum(near, 0.1) ** 2, 0.0) + _CONFLICT * between
    blocked = conflicts[:, group < 0].any(axis=1)
    chosen = _search(weights, _CONFLICT * blocked - occupancy[partial], group[partial], list(wanted.values()))
    if chosen is None:
        return None
    kept = np.sort(np.concatenate([np.flatnonzero(group < 0), partial[chosen]]))
    together = occupancy[partial] + between @ occupancy[partial]
    crystal = Crystal(lattice, fractional[kept], numbers[kept])
    return Arrangement(crystal, cells, bool(np.all(np.abs(together - 1.0) < _ADDS_UP) and between.any()))


def _closest(one: IntArray, other: IntArray) -> FloatArray:
    """Shortest allowed distances between atoms, shape (len(one), len(other)), angstrom."""
    from ase.data import covalent_radii

    closest = CLOSEST_SHARE * (covalent_radii[one][:, None] + covalent_radii[other])
    closest[(one == 1)[:, None] & (other == 1)] = CLOSEST_HYDROGEN_ANGSTROM
    return np.asarray(closest)


def _distances(lattice: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """Distances to the nearest image, shape (len(one), len(other)), angstrom."""
    difference = one[:, None] - other
    difference -= np.rint(difference)
    base = difference @ lattice
    nearest = np.full(base.shape[:2], np.inf)
    for shift in _SHIFTS @ lattice:
        moved = base + shift
        np.minimum(nearest, np.einsum("ijk,ijk->ij", moved, moved), out=nearest)
    return np.asarray(np.sqrt(nearest))


def _search(weights: FloatArray, field: FloatArray, group: IntArray, wanted: list[int]) -> IntArray | None:
    """Choose so many positions of each group that none are in conflict and like atoms are spread.

    Args:
        weights: repulsion of two chosen positions, shape (n, n), symmetric with empty diagonal.
        field: what choosing a position costs by itself, shape (n,).
        group: group of each position, shape (n,).
        wanted: number to choose of each group.

    Returns:
        indices of the chosen positions, or None when every attempt leaves a conflict.
    """
    random = np.random.default_rng(0)
    best, lowest = None, 0.5 * _CONFLICT
    for attempt in range(_STARTS):
        noise = 1e-6 * np.arange(len(field)) if attempt == 0 else random.random(len(field))
        chosen = _first_choice(weights, field + noise, group, wanted)
        _improve(weights, field, group, chosen)
        cost = float((field + 0.5 * weights @ chosen) @ chosen)
        if cost < lowest - _LEAST_GAIN:
            best, lowest = np.flatnonzero(chosen), cost
        if best is not None and len(field) > _FEW_POSITIONS:
            break
    return best


def _first_choice(weights: FloatArray, field: FloatArray, group: IntArray, wanted: list[int]) -> FloatArray:
    """Choose position by position the one that costs least."""
    chosen = np.zeros(len(field))
    cost = field.copy()
    left = np.array(wanted)
    for _ in range(sum(wanted)):
        free = np.where((chosen == 0) & (left[group] > 0), cost, np.inf)
        best = int(free.argmin())
        chosen[best] = 1.0
        left[group[best]] -= 1
        cost += weights[best]
    return chosen


def _improve(weights: FloatArray, field: FloatArray, group: IntArray, chosen: FloatArray) -> None:
    """Swap atoms and vacancies of a group, the best swap first, until none lowers the cost."""
    cost = field + weights @ chosen
    for _ in range(_MOST_SWAPS):
        taken, free = np.flatnonzero(chosen), np.flatnonzero(chosen == 0)
        if not (len(taken) and len(free)):
            return
        gain = cost[taken][:, None] - cost[free] + weights[np.ix_(taken, free)]
        gain[group[taken][:, None] != group[free]] = -np.inf
        best = int(gain.argmax())
        out, into = taken[best // len(free)], free[best % len(free)]
        if gain.flat[best] < _LEAST_GAIN:
            return
        chosen[out], chosen[into] = 0.0, 1.0
        cost += weights[into] - weights[out]
