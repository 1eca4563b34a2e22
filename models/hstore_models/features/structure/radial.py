"""Radial distribution function of all pairs of sites, elements left out of account.

:data:`PAIR_CORRELATION` is g(r) as textbooks define it. :data:`RADIAL_DISTRIBUTION` is matminer's, which is g(r)
times the number of sites in the cell: the same crystal in a doubled cell has doubled values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry

CUTOFF_ANGSTROM = 20.0
BIN_ANGSTROM = 0.1
_BINS = round(CUTOFF_ANGSTROM / BIN_ANGSTROM)
_EDGE_ANGSTROM = 1e-7
"""A distance this close below the edge of a bin is on the edge, which belongs to the bin above. Distances that
are a whole number of bins by design (a cell of 4.0 A) would otherwise fall left or right by rounding errors, as
they do in matminer."""
_LEAST_DISTANCE_ANGSTROM = 1e-8
_MAX_PAIRS = 5e7
"""More pairs than this (2 GB) come from a cell far too dense to be one of atoms."""


def radial_distribution(crystal: Crystal) -> FloatArray:
    """Compute the number of neighbours at a distance over that in a gas of the same density.

    Args:
        crystal: any ordered crystal.

    Returns:
        g(r) in bins of :data:`BIN_ANGSTROM` from 0 to :data:`CUTOFF_ANGSTROM`, shape (200,), dimensionless; for
        large r it tends to 1.

    Raises:
        InputError: the cell is denser than any matter, so that the pairs would not fit into memory.
    """
    density = len(crystal) / crystal.volume_angstrom3
    pairs = 4.0 / 3.0 * np.pi * CUTOFF_ANGSTROM**3 * density * len(crystal) / 2
    if pairs > _MAX_PAIRS:
        raise InputError(
            f"{pairs:.2g} pairs of sites within {CUTOFF_ANGSTROM:g} A are more than the {_MAX_PAIRS:g} that fit "
            f"({density:.3g} sites per A^3); check the lattice"
        )
    places = np.floor((_distances(crystal) + _EDGE_ANGSTROM) / BIN_ANGSTROM).astype(np.int64)
    counts = 2 * np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS) / len(crystal)  # a pair is found once
    edges = np.arange(_BINS + 1) * BIN_ANGSTROM
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    return np.asarray(counts / (shells * density))


def _distances(crystal: Crystal) -> FloatArray:
    from vesin import NeighborList

    calculator = NeighborList(cutoff=CUTOFF_ANGSTROM + _EDGE_ANGSTROM, full_list=False)
    (distances,) = calculator.compute(
        points=crystal.cartesian_angstrom, box=crystal.lattice_angstrom, periodic=True, quantities="d"
    )
    return np.asarray(distances[distances > _LEAST_DISTANCE_ANGSTROM])


def _pair_correlation(geometry: Geometry) -> FloatArray:
    return radial_distribution(geometry.crystal)


def _times_sites(geometry: Geometry) -> FloatArray:
    return radial_distribution(geometry.crystal) * len(geometry.crystal)


def _columns(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{low / 10:.1f}_{(low + 1) / 10:.1f}_A" for low in range(_BINS))


PAIR_CORRELATION = StructureFeaturizer(
    name="pair_correlation",
    tier=2,
    columns=_columns("g"),
    compute=_pair_correlation,
    summary="Pair correlation function g(r) up to 20 A in bins of 0.1 A",
    source="Allen and Tildesley, Computer Simulation of Liquids, doi 10.1093/oso/9780198803195.001.0001",
    packages=("vesin",),
    preload=("vesin",),
)
RADIAL_DISTRIBUTION = StructureFeaturizer(
    name="radial_distribution",
    tier=2,
    columns=_columns("rdf"),
    compute=_times_sites,
    summary="g(r) times the number of sites in the cell, as matminer defines its radial distribution function",
    source=PAIR_CORRELATION.source,
    matminer="matminer.featurizers.structure.rdf:RadialDistributionFunction()",
    packages=("vesin",),
    preload=("vesin",),
)
