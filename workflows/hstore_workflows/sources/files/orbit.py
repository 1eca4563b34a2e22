"""From the positions a file lists to all positions of the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.partial import PartialCrystal, close_pairs

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_workflows.sources.files.symmetry import Operations

SAME_PLACE_ANGSTROM = 0.05
"""Elements listed closer than this share one position."""
WHOLE_TOLERANCE_ANGSTROM = 0.1
"""A position occupied more than half the time and closer than this to its own image is on a symmetry element."""
SPLIT_TOLERANCE_ANGSTROM = 0.02
"""So is one occupied less, at this distance: coordinates of three digits are off by up to 0.01 angstrom, and what
is farther apart is a position split in two."""

_MOST_SITE_SYMMETRY = 48
_HALF = 0.52
_PAIRS_AT_ONCE = 300_000
"""Pairs of images compared in one go, to bound memory."""


def expanded(listed: PartialCrystal, operations: Operations, *, most_sites: int) -> PartialCrystal:
    """Apply symmetry operations to the listed positions and unite what falls in one place.

    A position next to its own image (:data:`WHOLE_TOLERANCE_ANGSTROM`, :data:`SPLIT_TOLERANCE_ANGSTROM`) is moved
    onto the symmetry element, so that 0.333 becomes one third. Elements listed in one place share it.

    Args:
        listed: positions as listed, each with its elements.
        operations: of the space group.
        most_sites: largest number of positions in the cell.

    Raises:
        InputError: the cell would hold more positions.
    """
    # no position has more than 48 operations that leave it in place
    _check_size(max(len(listed), len(listed) * len(operations) // _MOST_SITE_SYMMETRY), most_sites)
    fractional, origin = _images(listed, operations, most_sites)
    shares = [listed.occupancies[place] for place in origin]
    return _united(listed.lattice_angstrom, fractional, shares)


def _check_size(sites: int, most_sites: int) -> None:
    if sites > most_sites:
        raise InputError(f"the cell holds at least {sites} positions; at most {most_sites} are read (--max-sites)")


def _images(listed: PartialCrystal, operations: Operations, most_sites: int) -> tuple[FloatArray, IntArray]:
    """Return the distinct images of every listed position and which position each comes from."""
    fractional = np.mod(listed.fractional, 1.0)
    count = len(operations)
    if count == 1:
        return fractional, np.arange(len(listed))
    step = max(1, _PAIRS_AT_ONCE // count**2)
    whole = np.array([sum(shares.values()) > _HALF for shares in listed.occupancies])
    squared = np.where(whole, WHOLE_TOLERANCE_ANGSTROM, SPLIT_TOLERANCE_ANGSTROM) ** 2
    found: list[FloatArray] = []
    origin: list[IntArray] = []
    total = 0
    for start in range(0, len(fractional), step):
        part = slice(start, start + step)
        exact = _on_elements(fractional[part], operations, listed.lattice_angstrom, squared[part])
        images = _applied(exact, operations)
        apart = _squared_distances(images[:, :, None] - images[:, None], listed.lattice_angstrom)
        # the first image of each place stands for those that fall on it
        first = ~np.any(np.tril(apart < squared[part, None, None], k=-1), axis=2)
        total += int(first.sum())
        _check_size(total, most_sites)
        found.append(images[first])
        origin.append(start + np.nonzero(first)[0])
    return np.concatenate(found), np.concatenate(origin)


def _applied(fractional: FloatArray, operations: Operations) -> FloatArray:
    """Images, shape (n, k, 3), in the cell at the origin."""
    turned = np.einsum("kij,nj->nki", operations.rotations, fractional)
    return np.asarray(np.mod(turned + operations.translations, 1.0))


def _squared_distances(difference: FloatArray, lattice: FloatArray) -> FloatArray:
    """Squared lengths of fractional differences, each to its nearest lattice point component by component."""
    cartesian = (difference - np.rint(difference)) @ lattice
    return np.asarray(np.square(cartesian).sum(axis=-1))


def _on_elements(
    fractional: FloatArray, operations: Operations, lattice: FloatArray, squared: FloatArray
) -> FloatArray:
    """Move positions next to symmetry elements onto them: to the mean of the images that nearly coincide."""
    shift = _applied(fractional, operations) - fractional[:, None]
    shift -= np.rint(shift)
    near = np.square(shift @ lattice).sum(axis=2) < squared[:, None]
    mean = (shift * near[:, :, None]).sum(axis=1) / near.sum(axis=1)[:, None]
    return np.asarray(fractional + mean)


def _united(lattice: FloatArray, fractional: FloatArray, shares: list[dict[str, float]]) -> PartialCrystal:
    if all(share == 1.0 for held in shares for share in held.values()):
        return PartialCrystal(lattice, fractional, tuple(shares))  # full positions in one place are an error
    pairs, _ = close_pairs(lattice, fractional, SAME_PLACE_ANGSTROM)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        return PartialCrystal(lattice, fractional, tuple(shares))
    leader = list(range(len(shares)))
    for first, second in np.sort(pairs, axis=1)[np.lexsort(np.sort(pairs, axis=1).T[::-1])].tolist():
        leader[second] = min(leader[second], leader[first])
    merged: dict[int, dict[str, float]] = {}
    for place, head in enumerate(leader):
        while leader[head] != head:
            head = leader[head]  # noqa: PLW2901 - follows the chain to its end
        held = merged.setdefault(head, {})
        for symbol, share in shares[place].items():
            held[symbol] = held.get(symbol, 0.0) + share
    kept = sorted(merged)
    return PartialCrystal(lattice, fractional[kept], tuple(merged[place] for place in kept))
