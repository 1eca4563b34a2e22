"""Variance of bond lengths and of the space each site has, from the Voronoi polyhedra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.site_statistics import site_statistics, statistic_columns

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.features.structure.voronoi import Voronoi

_VARIATION_STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev")
COLUMNS = (
    "relative_bond_length_avg_dev",
    "relative_bond_length_maximum",
    "relative_bond_length_minimum",
    *statistic_columns(("neighbour_distance_variation",), _VARIATION_STATISTICS),
    "relative_cell_size_avg_dev",
)
"""Matminer calls them, in this order, ``mean absolute deviation in relative bond length``, ``max relative bond
length``, ``min relative bond length``, ``minimum neighbor distance variation`` (``maximum``, ``range``, ``mean``,
``avg_dev``) and ``mean absolute deviation in relative cell size``."""


def heterogeneity(voronoi: Voronoi) -> FloatArray:
    """Compute how much bond lengths differ between sites and around them (Ward, 10.1103/PhysRevB.96.024104).

    The bond length of a site is the mean distance of its Voronoi neighbours, weighed by the area of the facets;
    its variation is the mean absolute deviation from it, with the same weights, over the bond length.

    Args:
        voronoi: tessellation of a crystal.

    Returns:
        The numbers of :data:`COLUMNS`, dimensionless, shape (9,).
    """
    weight = voronoi.area_angstrom2
    whole = voronoi.sum_over_facets(weight)
    distance = 2.0 * voronoi.face_distance_angstrom
    bond = voronoi.sum_over_facets(weight * distance) / whole
    away = voronoi.sum_over_facets(weight * np.abs(distance - bond[voronoi.centre])) / whole
    relative = bond / bond.mean()
    volume = voronoi.site_volume_angstrom3
    return np.concatenate(
        [
            [np.abs(relative - relative.mean()).mean(), relative.max(), relative.min()],
            site_statistics((away / bond)[:, None], _VARIATION_STATISTICS),
            [np.abs(volume - volume.mean()).mean() / volume.mean()],
        ]
    )


def _compute(geometry: Geometry) -> FloatArray:
    return heterogeneity(geometry.voronoi)


STRUCTURAL_HETEROGENEITY = StructureFeaturizer(
    name="structural_heterogeneity",
    tier=2,
    columns=COLUMNS,
    compute=_compute,
    summary="Variance of bond lengths and of Voronoi volumes between sites and around them",
    source="Ward et al., doi 10.1103/PhysRevB.96.024104",
    matminer="matminer.featurizers.structure.bonding:StructuralHeterogeneity()",
    packages=("scipy",),
)
