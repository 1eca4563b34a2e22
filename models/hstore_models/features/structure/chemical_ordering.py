"""Chemical order: whether elements prefer each other's company more than in a random arrangement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.features.structure.voronoi import Voronoi

_SHELLS = (1, 2, 3)
_STEPS_AT_ONCE = 200_000
"""Pairs of steps looked at together, which keeps memory low in large cells."""


def chemical_ordering(crystal: Crystal, voronoi: Voronoi) -> FloatArray:
    """Compute the mean size of the Warren-Cowley-like parameters of Ward et al., 10.1103/PhysRevB.96.024104.

    The neighbours in shell n of a site are the ends of all paths of n steps over facets that meet no site twice.
    A path weighs the product of the areas of its facets, each over the largest of the polyhedron it leaves. With
    W(t) the weight of the paths that end at element t and x(t) its fraction among the sites, the parameter is
    1 - W(t) / (x(t) sum of W), which is 0 in a random arrangement.

    Args:
        crystal: the crystal.
        voronoi: its tessellation.

    Returns:
        Mean absolute parameter over sites and elements for shells 1, 2 and 3, shape (3,); 0 with one element.
    """
    elements, kind, counts = np.unique(crystal.numbers, return_inverse=True, return_counts=True)
    if len(elements) == 1:
        return np.zeros(len(_SHELLS))
    found = _shell_weights(voronoi, kind, len(elements))
    expected = counts / len(crystal)
    parameters = [1.0 - w / w.sum(axis=1, keepdims=True) / expected for w in found]
    return np.array([np.abs(p).mean() for p in parameters])


def _shell_weights(voronoi: Voronoi, kind: IntArray, kinds: int) -> list[FloatArray]:
    """Return the weight of the paths of 1, 2 and 3 steps from each site by the element of their end, (n, kinds)."""
    centre, other = voronoi.centre, voronoi.other
    weight = voronoi.area_angstrom2 / voronoi.largest_over_facets(voronoi.area_angstrom2)[centre]
    is_kind = np.eye(kinds)[kind]
    back = weight[voronoi.reverse]

    def spread(values: FloatArray) -> FloatArray:
        """Add a quantity of the facets, shape (facets, kinds), for each site."""
        return np.asarray(np.add.reduceat(values, voronoi.starts[:-1], axis=0))

    one = spread(weight[:, None] * is_kind[other])
    # second steps over a facet to `other`, all but the one straight back, by the element where they end
    onward = one[other] - back[:, None] * is_kind[centre]
    two = spread(weight[:, None] * onward)
    # third steps: as the second ones from where the second step ends, without those that lead to the start
    three = spread(weight[:, None] * (spread(weight[:, None] * onward)[other] - back[:, None] * onward[voronoi.reverse]))
    three -= _triangles(voronoi, weight)[:, None] * is_kind
    return [one, two, three]


def _triangles(voronoi: Voronoi, weight: FloatArray) -> FloatArray:
    """Return the weight of the closed paths of three steps from each site, shape (n,)."""
    starts = voronoi.starts
    steps = np.diff(starts)[voronoi.other]
    back = weight[voronoi.reverse]
    ends = np.cumsum(steps)
    sums = np.zeros(len(starts) - 1)
    low = 0
    while low < len(steps):
        high = max(int(np.searchsorted(ends, ends[low] - steps[low] + _STEPS_AT_ONCE, "right")), low + 1)
        first = np.repeat(np.arange(low, high), steps[low:high])
        within = np.arange(len(first)) - np.repeat(ends[low:high] - steps[low:high] - (ends[low] - steps[low]), steps[low:high])
        second = starts[voronoi.other[first]] + within
        centre = voronoi.centre[first]
        closing = voronoi.find(centre, voronoi.other[second], voronoi.shift[first] + voronoi.shift[second])
        met = closing >= 0
        product = weight[first[met]] * weight[second[met]] * back[closing[met]]
        sums += np.bincount(centre[met], product, minlength=len(sums))
        low = high
    return sums


def _compute(geometry: Geometry) -> FloatArray:
    return chemical_ordering(geometry.crystal, geometry.voronoi)


CHEMICAL_ORDERING = StructureFeaturizer(
    name="chemical_ordering",
    tier=2,
    columns=tuple(f"ordering_parameter_shell_{shell}" for shell in _SHELLS),
    compute=_compute,
    summary="Order of the elements over the first three shells of Voronoi neighbours, 0 when random",
    source="Ward et al., doi 10.1103/PhysRevB.96.024104",
    matminer="matminer.featurizers.structure.order:ChemicalOrdering()",
    packages=("scipy",),
)
