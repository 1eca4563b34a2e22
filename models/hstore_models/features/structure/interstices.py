"""Holes of the host lattice: where hydrogen would fit, and the size of the holes it fills.

The host, all atoms but hydrogen, is packed with spheres of the metallic radii, shrunk together until those of
metals do not overlap (in an expanded lattice they do not touch and keep their radii). A hole is the centre of a
sphere that touches four of them and cuts none: the corners of the additively weighted Voronoi tessellation, found
from those of the power tessellation (Aurenhammer, SIAM J. Comput. 16, 78 (1987), doi 10.1137/0216006). A hole
with four neighbours is tetrahedral; six that are as near as each other make it octahedral.

Hydrogen fills holes of at least 0.40 angstrom (Westlake, J. Less-Common Met. 91, 1 (1983),
doi 10.1016/0022-5088(83)90091-7). In LaNi5 these are the 6m and 12n sites it is found in (Gross, Zuettel and
Schlapbach, J. Alloys Compd. 274, 239 (1998)), and 12o, which is of 0.405 angstrom here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.compiled import PRELOAD
from hstore_models.features.structure.close_pairs import close_pairs
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.hydrogen import HYDROGEN_SIZE_ANGSTROM
from hstore_models.features.structure.radii import is_metal, metallic_radii_angstrom

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.composition import BoolArray
    from hstore_models.features.structure.geometry import Geometry

TOLERANCE_ANGSTROM = 0.02
"""Spheres this near to touching a hole touch it, and holes this near to each other are one."""
_SLIVER_ANGSTROM3 = 1e-3
"""Four centres that span less lie in a plane."""
_CUT_ANGSTROM = 1e-3
"""A sphere that reaches less than this into a hole does not cut it."""
_RIM = 1e-6
_APRON = 0.2
"""Share of the cell around it in which spheres may lie whose exchange leads to one inside."""
_EXCHANGES = 8
_MOST_NEIGHBOURS = 12
"""So many spheres of one size at most are counted around a hole."""
_Trees = list[tuple[float, "IntArray", Any]]
"""Size, indices and search tree of the spheres of one size each."""
_MOST_POINTS = 20_000
_TETRAHEDRAL, _OCTAHEDRAL = 4, 6


@dataclass(frozen=True, eq=False)
class Holes:
    """Holes of a host lattice, each once in the cell."""

    fractional: FloatArray
    """Centres, shape (holes, 3), in [0, 1)."""
    radius_angstrom: FloatArray
    """Radius of the largest sphere that fits, shape (holes,), angstrom; negative where spheres overlap it."""
    coordination: IntArray
    """Spheres that touch, shape (holes,), 4 or more."""


def find_holes(lattice: FloatArray, fractional: FloatArray, radii: FloatArray) -> Holes:
    """Find all holes between spheres.

    Args:
        lattice: cell vectors in rows, shape (3, 3), angstrom.
        fractional: centres of the spheres, shape (n, 3).
        radii: of the spheres, shape (n,), angstrom.

    Raises:
        InputError: sites coincide, or the cell is too large or too empty.
    """
    reduced, fractional = _reduced(lattice, fractional)
    margin = 1.5 * (abs(np.linalg.det(reduced)) / len(fractional)) ** (1 / 3) + float(np.ptp(radii))
    while True:
        points, sizes = _images(reduced, fractional, radii, margin)
        centres, radius, coordination = _empty_spheres(points, sizes, reduced)
        places = centres @ np.linalg.inv(reduced)
        found = ((places > -_RIM) & (places < 1 + _RIM)).all(axis=1)
        # every sphere that could reach into a hole is among the points if it is no farther than the margin
        if found.any() and np.max(radius[found]) + radii.max() <= margin:
            return _distinct(reduced, lattice, Holes(places[found], radius[found], coordination[found]))
        margin *= 1.4
        if len(points) > _MOST_POINTS:
            raise InputError(
                f"the holes need more than {_MOST_POINTS} atoms around the cell; it is too large or too empty"
            )


def sphere_radii(crystal: Crystal, host: BoolArray) -> FloatArray:
    """Return metallic radii of the host's atoms, shrunk together until no two spheres of metals overlap.

    Bonds between other atoms are shorter than the sum of any radii, and say nothing about the packing of metals.

    Args:
        crystal: the crystal.
        host: which sites are the host, shape (sites,).

    Returns:
        Shape (host sites,), angstrom.

    Raises:
        InputError: an element has no radius, or two sites coincide.
    """
    radii = metallic_radii_angstrom()[crystal.numbers]
    missing = {symbol for symbol, radius in zip(crystal.symbols, radii, strict=True) if np.isnan(radius)}
    if missing:
        raise InputError(f"no radius is known of {', '.join(sorted(missing))}; holes need the size of every atom")
    first, second, distance = close_pairs(crystal, 2 * float(radii[host].max()), host)
    if len(distance) and distance.min() < TOLERANCE_ANGSTROM:
        raise InputError(f"two sites are {distance.min():.2g} A apart; correct the structure")
    metal = is_metal()[crystal.numbers]
    packed = metal[first] & metal[second]
    scale = float(np.min(distance[packed] / (radii[first] + radii[second])[packed], initial=1.0))
    return np.asarray(scale * radii[host])


def _reduced(lattice: FloatArray, fractional: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the same crystal in a compact cell, which needs the fewest images around it."""
    import moyopy

    basis, transformation = moyopy.niggli_reduce(lattice.tolist())
    coordinates = fractional @ np.linalg.inv(np.asarray(transformation, dtype=float).T)
    return np.asarray(basis, dtype=float), coordinates % 1.0


def _images(
    lattice: FloatArray, fractional: FloatArray, radii: FloatArray, margin: float
) -> tuple[FloatArray, FloatArray]:
    """Return the spheres in and around the cell, up to a distance from its faces."""
    reach = margin * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    most = np.ceil(reach).astype(int)
    if np.prod(2.0 * most + 1) * len(fractional) > 100 * _MOST_POINTS:
        raise InputError("the cell is too flat to look for holes; reduce it")
    shifts = np.indices(2 * most + 1).reshape(3, -1).T - most
    images = (fractional[None] + shifts[:, None]).reshape(-1, 3)
    inside = ((images > -reach) & (images < 1 + reach)).all(axis=1)
    return images[inside] @ lattice, np.tile(radii, len(shifts))[inside]


def _empty_spheres(
    points: FloatArray, sizes: FloatArray, lattice: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return the spheres in and near the cell that touch four others and cut none: centres, radii, neighbours.

    A corner of the power tessellation whose tangent sphere is cut by another sphere is tried again with that one
    in place of each of its four; spheres of similar size need no such step, oxide ions beside large cations do.
    """
    from scipy.spatial import cKDTree

    trees = [(size, np.flatnonzero(sizes == size), cKDTree(points[sizes == size])) for size in np.unique(sizes)]
    fours, seen = _power_corners(points, sizes), set[tuple[int, ...]]()
    kept: list[tuple[FloatArray, FloatArray, IntArray]] = []
    for _ in range(_EXCHANGES):
        centres, radius, fours = _tangent_spheres(points, sizes, fours)
        places = centres @ np.linalg.inv(lattice)
        near = ((places > -_APRON) & (places < 1 + _APRON)).all(axis=1)
        centres, radius, fours = centres[near], radius[near], fours[near]
        counts, intruders = _touching(trees, centres, radius)
        empty = counts > 0
        kept.append((centres[empty], radius[empty], counts[empty]))
        fours = _exchanged(fours[~empty], intruders[~empty], seen)
        fours = _spanning(points, fours)
        if not len(fours):
            break
    centres, radius, counts = (np.concatenate(part) for part in zip(*kept, strict=True))
    return centres, radius, counts


def _exchanged(fours: IntArray, intruders: IntArray, seen: set[tuple[int, ...]]) -> IntArray:
    """Put each intruder in place of each of its four spheres; quadruples seen before are left out."""
    tried = np.repeat(fours[:, None], 4, axis=1)
    tried[:, range(4), range(4)] = intruders[:, None]
    fresh = []
    for four in np.sort(tried.reshape(-1, 4), axis=1).tolist():
        if tuple(four) not in seen:
            seen.add(tuple(four))
            fresh.append(four)
    return np.array(fresh, dtype=np.int64).reshape(-1, 4)


def _spanning(points: FloatArray, fours: IntArray) -> IntArray:
    """Leave out the quadruples that lie in a plane."""
    edges = points[fours[:, 1:]] - points[fours[:, :1]]
    return np.asarray(fours[np.abs(np.linalg.det(edges)) > 6 * _SLIVER_ANGSTROM3])


def _power_corners(points: FloatArray, sizes: FloatArray) -> IntArray:
    """Return the four spheres around each corner of the power tessellation, shape (corners, 4)."""
    from scipy.spatial import ConvexHull, QhullError

    lifted = np.column_stack([points, np.einsum("ij,ij->i", points, points) - sizes**2])
    try:
        hull = ConvexHull(lifted, qhull_options="Qt")
    except QhullError:  # so few points that they lie in a plane
        return np.empty((0, 4), dtype=np.int64)
    return _spanning(points, hull.simplices[hull.equations[:, 3] < -1e-9].astype(np.int64))


def _tangent_spheres(
    all_points: FloatArray, all_sizes: FloatArray, fours: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Solve the problem of Apollonius for four spheres: the sphere that touches all from outside.

    Args:
        all_points: centres, shape (points, 3).
        all_sizes: radii, shape (points,).
        fours: indices of four spheres, shape (m, 4).

    Returns:
        Centres, shape (k, 3), radii, shape (k,), and the four spheres of the k cases that have a solution.
    """
    points, sizes = all_points[fours], all_sizes[fours]
    first, size = points[:, 0], sizes[:, 0]
    matrix = 2 * (points[:, 1:] - first[:, None])
    squares = np.einsum("mij,mij->mi", points, points) - sizes**2
    growth = 2 * (sizes[:, 1:] - size[:, None])
    # centre = fixed - slope * radius, from the differences of the four equations; the first gives the radius
    solution = np.linalg.solve(matrix, np.stack([squares[:, 1:] - squares[:, :1], growth], axis=2))
    fixed, slope = solution[:, :, 0], -solution[:, :, 1]
    away = fixed - first
    a = np.einsum("mi,mi->m", slope, slope) - 1
    b = np.einsum("mi,mi->m", away, slope) - size
    c = np.einsum("mi,mi->m", away, away) - size**2
    with np.errstate(all="ignore"):
        q = -(b + np.copysign(np.sqrt(b * b - a * c), b))
        roots = np.stack([q / a, c / q])
    roots[~(roots > -sizes.min(axis=1))] = np.inf
    radius = roots.min(axis=0)
    known = np.isfinite(radius)
    return (fixed + slope * np.where(known, radius, 0.0)[:, None])[known], radius[known], fours[known]


def _touching(trees: _Trees, centres: FloatArray, radius: FloatArray) -> tuple[IntArray, IntArray]:
    """Count the spheres that touch each hole, 0 where one reaches into it, and name the one that is nearest."""
    counts, nearest = np.zeros((2, len(centres)), dtype=np.int64)
    least = np.full(len(centres), np.inf)
    for size, indices, tree in trees:  # spheres of one size: the nearest by centre is the nearest by surface
        distance, place = tree.query(centres, k=np.arange(1, min(_MOST_NEIGHBOURS, len(indices)) + 1))
        gaps = distance - size - radius[:, None]
        counts += np.sum(gaps < TOLERANCE_ANGSTROM, axis=1)
        nearer = gaps[:, 0] < least
        least[nearer], nearest[nearer] = gaps[nearer, 0], indices[place[nearer, 0]]
    counts[least < -_CUT_ANGSTROM] = 0
    return counts, nearest


def _distinct(lattice: FloatArray, original: FloatArray, found: Holes) -> Holes:
    """Return the holes once each, the best coordinated of those that nearly coincide, in the original cell."""
    from scipy.spatial import cKDTree

    order = np.lexsort((found.radius_angstrom, found.coordination))[::-1]
    places = found.fractional[order]
    # a hole on a face of the cell stands on the opposite one as well: look among the images too
    shifts = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    images = (places[None] + shifts[:, None]).reshape(-1, 3) @ lattice
    near = cKDTree(places @ lattice).query_ball_tree(cKDTree(images), TOLERANCE_ANGSTROM)
    keep = np.ones(len(order), dtype=bool)
    for hole, others in enumerate(near):
        if keep[hole]:
            keep[[other % len(order) for other in others if other % len(order) > hole]] = False
    kept = order[keep]
    fractional = places[keep] @ lattice @ np.linalg.inv(original)
    return Holes(fractional % 1.0, found.radius_angstrom[kept], found.coordination[kept])


_SUMMARY = ("count_per_host_atom", "mean_radius_angstrom", "largest_radius_angstrom")
_COLUMNS = (
    *(f"{kind}_{what}" for kind in ("hole", "tetrahedral", "octahedral") for what in _SUMMARY),
    "hole_of_0_40_count_per_host_atom",
    "hole_of_0_40_fraction",
    "occupied_mean_radius_angstrom",
    "occupied_smallest_radius_angstrom",
    "occupied_of_0_40_fraction",
)


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    host = crystal.numbers != 1
    if not host.any():
        raise InputError("there is no host: hydrogen is the only element")
    radii = sphere_radii(crystal, host)
    holes = find_holes(crystal.lattice_angstrom, crystal.fractional[host], radii)
    atoms, radius = int(host.sum()), holes.radius_angstrom
    kinds = [
        np.ones(len(radius), dtype=bool),
        holes.coordination == _TETRAHEDRAL,
        holes.coordination == _OCTAHEDRAL,
    ]
    large = radius >= HYDROGEN_SIZE_ANGSTROM
    return np.array(
        [
            *(value for kind in kinds for value in (kind.sum() / atoms, *_mean_and_extreme(radius[kind], np.max))),
            large.sum() / atoms,
            large.mean() if len(radius) else np.nan,
            *_occupied(crystal, host, radii),
        ]
    )


def _occupied(crystal: Crystal, host: BoolArray, radii: FloatArray) -> tuple[float, float, float]:
    """Return mean and least free radius around hydrogen, and the share of hydrogen with 0.40 angstrom or more."""
    if host.all():
        return np.nan, np.nan, np.nan
    sizes = np.zeros(len(crystal))
    sizes[host] = radii
    free = np.full(len(crystal), np.inf)
    cutoff = 2.0 * float(radii.max())
    while np.isinf(free[~host]).any():
        cutoff *= 1.5
        first, second, distance = close_pairs(crystal, cutoff)
        for hydrogen, other in ((first, second), (second, first)):
            wanted = ~host[hydrogen] & host[other]
            np.minimum.at(free, hydrogen[wanted], distance[wanted] - sizes[other[wanted]])
    found = free[~host]
    mean, least = _mean_and_extreme(found, np.min)
    return mean, least, float(np.mean(found >= HYDROGEN_SIZE_ANGSTROM))


def _mean_and_extreme(values: FloatArray, extreme: Callable[[FloatArray], float]) -> tuple[float, float]:
    return (float(values.mean()), float(extreme(values))) if len(values) else (np.nan, np.nan)


INTERSTICES = StructureFeaturizer(
    name="interstices",
    tier=2,
    columns=_COLUMNS,
    compute=_compute,
    summary="Holes of the host lattice by size and kind, those of 0.40 A, and the free radius around hydrogen",
    source="Westlake 1983, doi 10.1016/0022-5088(83)90091-7",
    packages=("scipy", "moyopy"),
    preload=(*PRELOAD, "scipy.spatial", "moyopy"),
)
