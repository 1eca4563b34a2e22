"""Gaussian and mean curvature of carbon sheets, atom by atom.

Discrete surface theory of graphs with three neighbours (Kotani, Naito and Omori 2017, doi
10.1016/j.cagd.2017.09.002). The normal n of an atom is perpendicular to the plane of its three neighbours. Bonds
e_i and the changes of the normal along them are projected to the plane perpendicular to n; each two bonds i, j
give the fundamental forms

    I = [e_i . e_j],   II = -[e_i . (n_j - n)],

and of the shape operator I^-1 II the determinant K and half the trace H. The curvature of the atom is their mean
over the three pairs, weighted by the areas of the triangles. Areas that curvature is summed with are the shares of
the atoms in the rings around them, which add up to the sheet; triangles cut off the middle of wide rings.

H is positive on average for every sheet: the sign of one side is free. An atom has no curvature where it, or a
neighbour of it, has other than three bonds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.carbon_network import CarbonNetwork
from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

RING_SIZES = (4, 5, 6, 7, 8)
"""Sizes of rings that are counted one by one."""

_FLAT_PER_A2 = 1e-9
"""Gaussian curvatures nearer to zero are rounding."""
_PAIRS = ((0, 1), (1, 2), (2, 0))


class Curvature(NamedTuple):
    """Curvature of the atoms of a network, NaN where an atom has none; each of shape (atoms,)."""

    gaussian_per_a2: FloatArray
    """Gaussian curvature, 1/angstrom^2; negative on saddles."""
    mean_per_a: FloatArray
    """Mean curvature, 1/angstrom; positive on average for every sheet."""
    area_a2: FloatArray
    """Share of the atom in the rings around it, angstrom^2; where one is no ring, the area of its triangles."""


def curvature_along_normals(network: CarbonNetwork) -> Curvature:
    """Return the curvature of every atom, the mean curvature with the sign of its normal.

    It is positive where the sheet bends to the side that :attr:`CarbonNetwork.normals` point to, as inside a cage.

    Raises:
        InputError: sides of a sheet cannot be told apart.
    """
    normals, triples = network.normals, network.triples
    inner = network.in_sheet[network.end[triples]].all(axis=1)
    atoms, triples = np.flatnonzero(network.in_sheet)[inner], triples[inner]
    own = normals[atoms]
    bonds, others = network.vector_angstrom[triples], normals[network.end[triples]]
    along = _in_plane(bonds, own)
    turned = _in_plane(others - own[:, None], own)
    gaussian, mean, area = (np.zeros(len(own)) for _ in range(3))
    for pair in _PAIRS:
        edges, change = along[:, pair], turned[:, pair]
        first = np.einsum("nia,nja->nij", edges, edges)
        second = -np.einsum("nia,nja->nij", edges, change)
        part = 0.5 * np.sqrt(np.maximum(np.linalg.det(first), 0.0))
        shape = np.linalg.solve(first, second)
        gaussian += part * np.linalg.det(shape)
        mean += part * 0.5 * np.trace(shape, axis1=1, axis2=2)
        area += part
    found = Curvature(*(np.full(len(network), np.nan) for _ in range(3)))
    for values, of_sheet in zip(found, (gaussian / area, mean / area, area), strict=True):
        values[atoms] = of_sheet
    shares = network.areas_a2
    known = np.isfinite(shares) & np.isfinite(found.area_a2)
    found.area_a2[known] = shares[known]
    return found


def curvature_of(network: CarbonNetwork) -> Curvature:
    """Return the curvature of every atom, the mean curvature positive on average for every sheet.

    Raises:
        InputError: sides of a sheet cannot be told apart.
    """
    gaussian, mean, area = curvature_along_normals(network)
    bent = np.bincount(network.sheets, np.nan_to_num(mean * area))
    return Curvature(gaussian, np.where(bent[network.sheets] < 0, -mean, mean), area)


def _in_plane(vectors: FloatArray, normals: FloatArray) -> FloatArray:
    """Project vectors, shape (n, 3, 3), to the planes perpendicular to unit normals, shape (n, 3)."""
    up = np.einsum("nia,na->ni", vectors, normals)
    return np.asarray(vectors - up[:, :, None] * normals[:, None])


def _sites(geometry: Geometry) -> dict[str, FloatArray]:
    network = CarbonNetwork.of(geometry)
    found = curvature_of(network)
    values = {}
    for name, of_atoms in zip(SITE_COLUMNS, found, strict=True):
        values[name] = np.full(len(geometry.crystal), np.nan)
        values[name][network.sites] = of_atoms
    return values


def _compute(geometry: Geometry) -> FloatArray:
    network = CarbonNetwork.of(geometry)
    gaussian, mean, area = curvature_of(network)
    known = ~np.isnan(gaussian)
    if not known.any():
        raise InputError("no carbon atom has three neighbours with three bonds each: there is no sheet")
    gaussian, mean, area = gaussian[known], mean[known], area[known]
    share = area / area.sum()
    low, high = np.quantile(gaussian, [0.1, 0.9])
    return np.array([
        known.mean(),
        share @ gaussian, _spread(gaussian, share), gaussian.min(), low, high, gaussian.max(),
        share @ np.abs(mean), _spread(mean, share),
        share[gaussian < -_FLAT_PER_A2].sum(),
        float(area @ gaussian) / (2.0 * np.pi),
        float(area @ mean**2),
        area.sum() / len(area),
        *_ring_values(network),
    ])  # fmt: skip


def _spread(values: FloatArray, share: FloatArray) -> float:
    return float(np.sqrt(share @ (values - share @ values) ** 2))


def _ring_values(network: CarbonNetwork) -> FloatArray:
    """Return what rings say; NaN where atoms have more than three bonds."""
    try:
        rings = network.rings
    except InputError:
        return np.full(len(RING_SIZES) + 3, np.nan)
    counts = [float(np.mean(rings == size)) if len(rings) else np.nan for size in RING_SIZES]
    euler = network.euler_characteristic
    genus = 1.0 - euler / (2.0 * (network.sheets.max() + 1)) if network.closed else np.nan
    return np.array([*counts, len(rings) / len(network), float(euler), genus])


SITE_COLUMNS = ("gaussian_curvature_per_a2", "mean_curvature_per_a", "area_a2")
"""What every site has, NaN where it has none."""

CURVATURE = StructureFeaturizer(
    name="curvature",
    tier=2,
    columns=(
        "atoms_with_curvature_share",
        "gaussian_mean_per_a2", "gaussian_std_per_a2", "gaussian_min_per_a2", "gaussian_p10_per_a2",
        "gaussian_p90_per_a2", "gaussian_max_per_a2",
        "mean_abs_per_a", "mean_std_per_a",
        "saddle_share",
        "gaussian_integral_over_2pi",
        "bending_integral",
        "area_a2_per_atom",
        *(f"ring_{size}_share" for size in RING_SIZES),
        "rings_per_atom",
        "euler_characteristic",
        "genus",
    ),
    compute=_compute,
    sites=_sites,
    summary="Gaussian and mean curvature of carbon sheets, their rings and genus",
    source="doi 10.1016/j.cagd.2017.09.002",
    preload=("scipy.sparse.csgraph",),
    version=2,
)  # fmt: skip
