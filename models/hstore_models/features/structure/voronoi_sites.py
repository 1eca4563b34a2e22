"""Voronoi polyhedra of the sites: edges, volumes, areas and distances, summarised over the crystal.

Voronoi indices count the facets with 3, 4, ... 10 edges (an fcc site has twelve with 4, a bcc site six with 4 and
eight with 6); i-fold symmetry indices are their fractions. Facets with more edges are left out throughout.

Matminer's values are the same wherever its polyhedra are whole. They are not where a polyhedron has corners more
than 3.25 angstrom from its site, as in most frameworks with pores: it looks no farther than 6.5 angstrom around
the cell, and gives polyhedra that are too large, or an error. Nor are they where coordinates lie outside the cell,
for then pymatgen may tessellate coincident points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.site_statistics import site_statistics, statistic_columns

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.features.structure.voronoi import Voronoi

_EDGES = range(3, 11)
_FACET_STATISTICS = ("mean", "std_dev", "minimum", "maximum")
SITE_STATISTICS = ("mean", "std_dev")
COORDINATION_STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev")
SITE_PROPERTIES = (
    *(f"voronoi_index_{edges}" for edges in _EDGES),
    *(f"symmetry_index_{edges}" for edges in _EDGES),
    "polyhedron_volume_angstrom3",
    "polyhedron_area_angstrom2",
    *(f"pyramid_volume_angstrom3_{statistic}" for statistic in _FACET_STATISTICS),
    *(f"facet_area_angstrom2_{statistic}" for statistic in _FACET_STATISTICS),
    *(f"neighbour_distance_angstrom_{statistic}" for statistic in _FACET_STATISTICS),
)
"""What :func:`voronoi_site_properties` gives for each site.

Matminer calls them, in this order, ``Voro_index_3`` to ``Voro_index_10``, ``Symmetry_index_3`` to
``Symmetry_index_10``, ``Voro_vol_sum``, ``Voro_area_sum``, ``Voro_vol_mean`` (``std_dev``, ``minimum``,
``maximum``), ``Voro_area_mean`` ... and ``Voro_dist_mean`` ...; a column of the featurizer ends with the statistic
over the sites, with which matminer's label begins."""


def voronoi_site_properties(voronoi: Voronoi) -> FloatArray:
    """Describe the Voronoi polyhedron of each site (Peng, Li and Wang, 10.1103/PhysRevLett.106.135503).

    Args:
        voronoi: tessellation of a crystal.

    Returns:
        The properties of :data:`SITE_PROPERTIES`, shape (sites, 30). Distances are those of the two sites of a
        facet; standard deviations are those of a population.
    """
    counted = voronoi.edges <= _EDGES[-1]
    centre, edges = voronoi.centre[counted], voronoi.edges[counted]
    sites = len(voronoi.reach_angstrom)
    indices = np.zeros((sites, len(_EDGES)))
    np.add.at(indices, (centre, edges - _EDGES[0]), 1.0)
    facets = indices.sum(axis=1, keepdims=True)
    volume, area = voronoi.volume_angstrom3[counted], voronoi.area_angstrom2[counted]
    sums = [np.bincount(centre, values, minlength=sites) for values in (volume, area)]
    distance = 2.0 * voronoi.face_distance_angstrom[counted]
    parts = [_facet_statistics(centre, values, facets[:, 0]) for values in (volume, area, distance)]
    return np.hstack([indices, indices / facets, np.stack(sums, axis=1), *parts])


def effective_coordination(voronoi: Voronoi) -> FloatArray:
    """Compute the coordination number with facets weighed by area: (sum of areas)^2 / sum of squared areas.

    Twelve for fcc, where all facets are alike; less where a few dominate. Reference: Ward et al.,
    10.1103/PhysRevB.96.024104.

    Args:
        voronoi: tessellation of a crystal.

    Returns:
        Shape (sites,), 1 or more.
    """
    area = voronoi.area_angstrom2
    return np.asarray(voronoi.sum_over_facets(area) ** 2 / voronoi.sum_over_facets(area**2))


def _facet_statistics(centre: IntArray, values: FloatArray, facets: FloatArray) -> FloatArray:
    """Return mean, standard deviation, minimum and maximum over the facets of each site, shape (sites, 4)."""
    starts = np.searchsorted(centre, np.arange(len(facets)))
    mean = np.add.reduceat(values, starts) / facets
    variance = np.add.reduceat((values - mean[centre]) ** 2, starts) / facets
    least, most = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.stack([mean, np.sqrt(variance), least, most], axis=1)


def _sites(geometry: Geometry) -> FloatArray:
    return site_statistics(voronoi_site_properties(geometry.voronoi), SITE_STATISTICS)


def _coordination(geometry: Geometry) -> FloatArray:
    return site_statistics(effective_coordination(geometry.voronoi)[:, None], COORDINATION_STATISTICS)


VORONOI_SITES = StructureFeaturizer(
    name="voronoi_sites",
    tier=2,
    columns=statistic_columns(SITE_PROPERTIES, SITE_STATISTICS),
    compute=_sites,
    summary="Edges, volumes, areas and distances of the Voronoi polyhedra of the sites: mean and spread",
    source="Peng, Li and Wang, doi 10.1103/PhysRevLett.106.135503; Wang and Jain, doi 10.1038/s41467-019-13511-9",
    matminer=(
        "matminer.featurizers.structure.sites:SiteStatsFingerprint"
        "(matminer.featurizers.site.fingerprint:VoronoiFingerprint())"
    ),
    packages=("scipy",),
)

VORONOI_COORDINATION = StructureFeaturizer(
    name="voronoi_coordination",
    tier=2,
    columns=statistic_columns(("effective_coordination",), COORDINATION_STATISTICS),
    compute=_coordination,
    summary="Coordination number with Voronoi neighbours weighed by the area of their facet",
    source="Ward et al., doi 10.1103/PhysRevB.96.024104",
    matminer=(
        "matminer.featurizers.structure.sites:SiteStatsFingerprint.from_preset('CoordinationNumber_ward-prb-2017')"
    ),
    packages=("scipy",),
)
