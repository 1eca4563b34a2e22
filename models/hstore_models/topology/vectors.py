"""Intervals as vectors of fixed length: images and landscapes, for each atom, so that supercells have the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.topology.persistence import Intervals


def persistence_image(
    intervals: Intervals, atoms: int, *, birth_edges: FloatArray, lifetime_edges: FloatArray, width: float
) -> FloatArray:
    """Spread each interval over pixels of birth and lifetime, weighted by its lifetime.

    Persistence images of Adams et al., J. Mach. Learn. Res. 18, 8 (2017), with the weight growing linearly and
    the Gaussian integrated over each pixel.

    Args:
        intervals: m of them, none endless.
        atoms: in the cell; the image is divided by it.
        birth_edges: edges of the pixels, shape (b + 1,), angstrom.
        lifetime_edges: edges of the pixels, shape (l + 1,), angstrom.
        width: standard deviation of the Gaussian, angstrom.

    Returns:
        Angstrom of lifetime for each atom, shape (b, l). What lies beyond the edges is not there.
    """
    from scipy.special import ndtr

    lifetime = intervals.lifetime_angstrom
    births = np.diff(ndtr((birth_edges[None] - intervals.birth_angstrom[:, None]) / width), axis=1)
    lifetimes = np.diff(ndtr((lifetime_edges[None] - lifetime[:, None]) / width), axis=1)
    return np.asarray((births * lifetime[:, None]).T @ lifetimes / atoms)


def death_density(intervals: Intervals, atoms: int, *, edges: FloatArray, width: float) -> FloatArray:
    """Spread the deaths over bins with a Gaussian.

    Args:
        intervals: m of them, none endless.
        atoms: in the cell; the counts are divided by it.
        edges: of the bins, shape (b + 1,), angstrom.
        width: standard deviation of the Gaussian, angstrom.

    Returns:
        Intervals for each atom, shape (b,).
    """
    from scipy.special import ndtr

    shares = np.diff(ndtr((edges[None] - intervals.death_angstrom[:, None]) / width), axis=1)
    return np.asarray(shares.sum(axis=0) / atoms)


def landscape(intervals: Intervals, atoms: int, *, levels: tuple[float, ...], radii: FloatArray) -> FloatArray:
    """Return how far from the ends of its intervals a radius lies, for the most persistent ones and deeper ones.

    Persistence landscapes (Bubenik, J. Mach. Learn. Res. 16, 77 (2015)). The first, second, ... landscape of a
    cell are not those of a supercell, which has each interval several times; a level is therefore a number of
    intervals for each atom: at level q it is the landscape of number floor(q * atoms) + 1.

    Args:
        intervals: m of them, none endless.
        atoms: in the cell.
        levels: intervals for each atom, 0 or more; 0 is the first landscape.
        radii: at which, shape (r,), angstrom.

    Returns:
        Shape (len(levels), r), angstrom; 0 where there are not so many intervals.

    Raises:
        InputError: a level is negative.
    """
    if min(levels, default=0.0) < 0:
        raise InputError(f"levels are intervals for each atom, 0 or more, got {min(levels)}")
    inside = np.minimum(radii[None] - intervals.birth_angstrom[:, None], intervals.death_angstrom[:, None] - radii)
    sorted_inside = -np.sort(-np.maximum(inside, 0.0), axis=0)
    found = np.zeros((len(levels), len(radii)))
    for row, level in enumerate(levels):
        place = int(np.floor(level * atoms + 1e-9))
        if place < len(sorted_inside):
            found[row] = sorted_inside[place]
    return found
