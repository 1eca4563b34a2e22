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
    """Return the weights of the paths of 1, 2 and 3 steps from each site by element at their end, (n, kinds)."""
    other, reverse = voronoi.other, voronoi.reverse
    weight = voronoi.area_angstrom2 / voronoi.largest_over_facets(voronoi.area_angstrom2)[voronoi.centre]
    back = weight[reverse][:, None]
    is_kind = np.eye(kinds)[kind]

    def step(values: FloatArray) -> FloatArray:
        """Weigh a quantity of the facets, shape (facets, kinds), and add it for each site."""
        return np.asarray(np.add.reduceat(weight[:, None] * values, voronoi.starts[:-1], axis=0))

    one = step(is_kind[other])
    # from the far side of each facet, one step to anywhere but straight back
    onward = one[other] - back * is_kind[voronoi.centre]
    two = step(onward)
    # from there another step, of which those that close a triangle with the first two come off at the end
    three = step(two[other] - back * onward[reverse]) - _triangles(voronoi, weight)[:, None] * is_kind
    return [one, two, three]


def _triangles(voronoi: Voronoi, weight: FloatArray) -> FloatArray:
    """Return the weight of the closed paths of three steps from each site, shape (n,)."""
    steps = np.diff(voronoi.starts)[voronoi.other]  # second steps after each first one
    ends = np.cumsum(steps)
    sums = np.zeros(len(voronoi.starts) - 1)
    low = 0
    while low < len(steps):
        done = ends[low] - steps[low]
        high = max(int(np.searchsorted(ends, done + _STEPS_AT_ONCE, "right")), low + 1)
        first = np.repeat(np.arange(low, high), steps[low:high])
        place = np.arange(len(first)) + done - (ends - steps)[first]
        second = voronoi.starts[voronoi.other[first]] + place
        centre = voronoi.centre[first]
        third = voronoi.find(centre, voronoi.other[second], voronoi.shift[first] + voronoi.shift[second])
        met = np.flatnonzero(third >= 0)
        closing = weight[voronoi.reverse[third[met]]]
        sums += np.bincount(centre[met], weight[first[met]] * weight[second[met]] * closing, minlength=len(sums))
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
