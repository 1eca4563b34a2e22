"""How much of the cell spheres can fill, each as large as its site's nearest neighbour allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

_FIRST_CUTOFF = 1.25
"""First cutoff over the cube root of the volume of a site; nearest neighbours in fcc are at 1.12."""
_GROWTH = 1.5


def nearest_distances(geometry: Geometry) -> FloatArray:
    """Return the distance of each site to its nearest neighbour, own images included, shape (n,), angstrom.

    Raises:
        InputError: two sites are in the same place.
    """
    crystal = geometry.crystal
    sites = len(crystal)
    cutoff = _FIRST_CUTOFF * (crystal.volume_angstrom3 / sites) ** (1.0 / 3.0)
    while True:  # ends: every site has its own image within the shortest cell vector
        pairs = geometry.neighbours(cutoff)
        nearest = np.full(sites, np.inf)
        np.minimum.at(nearest, pairs.centre, pairs.distance_angstrom)
        if np.isfinite(nearest).all():
            break
        cutoff *= _GROWTH
    if not nearest.min() > 0:
        raise InputError(f"site {int(nearest.argmin())} is in the place of another; remove one of the two")
    return nearest


def packing_efficiency(geometry: Geometry) -> float:
    """Compute the fraction of the cell filled by spheres that reach halfway to the nearest neighbour.

    The largest sphere inside a Voronoi polyhedron touches the facet to the nearest neighbour, so that no
    tessellation is needed. 0.7405 for fcc, 0.6802 for bcc; never above 0.7405 when all spheres are alike.
    Reference: Ward et al., 10.1103/PhysRevB.96.024104.

    Raises:
        InputError: two sites are in the same place.
    """
    radii = 0.5 * nearest_distances(geometry)
    return float(4.0 / 3.0 * np.pi * (radii**3).sum() / geometry.crystal.volume_angstrom3)


def _compute(geometry: Geometry) -> FloatArray:
    return np.array([packing_efficiency(geometry)])


PACKING_EFFICIENCY = StructureFeaturizer(
    name="packing_efficiency",
    tier=2,
    columns=("max_packing_efficiency",),
    compute=_compute,
    summary="Fraction of the cell filled by spheres that reach halfway to the nearest neighbour",
    source="Ward et al., doi 10.1103/PhysRevB.96.024104",
    matminer="matminer.featurizers.structure.order:MaximumPackingEfficiency()",
    packages=("vesin",),
)
