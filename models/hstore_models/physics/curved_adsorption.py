"""How well a carbon sheet holds hydrogen, atom by atom and side by side, beside its curvature.

From every carbon atom that has a curvature a molecule is moved outwards along the normal, on one side and on the
other, in the force field of ``hstore physics uptake``; the depth of the first well is what the sheet offers there.
Where the sheet bends towards the molecule more carbon is near and the well is deeper; opposite walls count too, as
far as the force field reaches. On graphene the well is 5.0 kJ/mol deep, 3.17 angstrom above the sheet (ab initio,
in line with scattering; de Lara-Castells and Mitrushchenkov 2015, doi 10.1021/acs.jpca.5b09208).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.compiled import compiled
from hstore_models.features.structure.carbon_network import CarbonNetwork
from hstore_models.features.structure.curvature import curvature_along_normals
from hstore_models.physics.force_field import ForceField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.features.structure.geometry import Geometry

NEAREST_ANGSTROM, FURTHEST_ANGSTROM, STEP_ANGSTROM = 2.4, 4.4, 0.05
"""Distances from the atom at which the molecule is put."""
REACH_ANGSTROM = 12.0
"""Atoms further than this from the carbon atom do not count."""


@dataclass(frozen=True)
class SideWells:
    """Wells above the atoms of carbon sheets, one row for each side of each atom that has one."""

    site: IntArray
    """Site of the carbon atom, shape (n,)."""
    bend_per_a: FloatArray
    """Mean curvature seen from the side of the molecule, 1/angstrom: positive where the sheet bends towards it."""
    gaussian_per_a2: FloatArray
    """Gaussian curvature of the atom, 1/angstrom^2."""
    area_a2: FloatArray
    """Area of the atom, angstrom^2."""
    depth_kj_per_mol: FloatArray
    """Depth of the well, kJ/mol, above 0."""
    distance_angstrom: FloatArray
    """Distance of the well from the atom, angstrom."""
    sides: int
    """Sides that were looked at, those without a well included."""

    def __len__(self) -> int:
        """Return the number of wells."""
        return len(self.site)


def wells_of(geometry: Geometry, temperature_k: float = 77.0, force_field: ForceField | None = None) -> SideWells:
    """Find the wells on both sides of every carbon atom with a curvature.

    A side has none where the energy still falls at the furthest distance, or is nowhere negative: another wall is
    too near, or nearer.

    Args:
        geometry: crystal with carbon sheets.
        temperature_k: temperature of the quantum correction, K, above 0.
        force_field: potentials; the default when None.

    Raises:
        InputError: there is no carbon sheet, or an element has no parameters.
    """
    crystal = geometry.crystal
    network = CarbonNetwork.of(geometry)
    gaussian, mean, area = curvature_along_normals(network)
    known = np.flatnonzero(~np.isnan(gaussian))
    symbols = sorted(set(crystal.symbols))
    pairs = (force_field or ForceField()).framework_pairs(symbols, temperature_k)
    kinds = np.array([symbols.index(symbol) for symbol in crystal.symbols])
    parameters = np.array([[pairs[symbol].depth_k, pairs[symbol].sigma_angstrom] for symbol in symbols])
    near = geometry.neighbours(REACH_ANGSTROM)
    starts = np.searchsorted(near.centre, network.sites[known], side="left")
    stops = np.searchsorted(near.centre, network.sites[known], side="right")
    distances = np.arange(NEAREST_ANGSTROM, FURTHEST_ANGSTROM + STEP_ANGSTROM / 2, STEP_ANGSTROM)
    normals = network.normals[known]
    found = [
        compiled(_energies)(
            starts, stops, near.vector_angstrom, parameters[kinds[near.other]], side * normals,
            parameters[kinds[network.sites[known]]], distances,
        )
        for side in (1.0, -1.0)
    ]  # fmt: skip
    energies = np.concatenate(found)
    least, lowest = energies.argmin(axis=1), energies.min(axis=1)
    well = (lowest < 0) & (least > 0) & (least < len(distances) - 1)
    twice = np.concatenate([known, known])
    rows = twice[well]
    return SideWells(
        site=np.asarray(network.sites[rows], dtype=np.int64),
        bend_per_a=(np.repeat([1.0, -1.0], len(known)) * mean[twice])[well],
        gaussian_per_a2=gaussian[rows],
        area_a2=area[rows],
        depth_kj_per_mol=-1e-3 * GAS_CONSTANT_J_PER_MOL_K * lowest[well],
        distance_angstrom=distances[least[well]],
        sides=len(twice),
    )


def _energies(
    starts: IntArray,
    stops: IntArray,
    vectors: FloatArray,
    parameters: FloatArray,
    normals: FloatArray,
    own: FloatArray,
    distances: FloatArray,
) -> FloatArray:
    """Energy over Boltzmann's constant at each distance along each normal, K, shape (atoms, distances)."""
    energies = np.empty((len(starts), len(distances)))
    for atom in range(len(starts)):
        for place in range(len(distances)):
            x, y, z = normals[atom] * distances[place]
            sixth = (own[atom, 1] / distances[place]) ** 6
            total = 4.0 * own[atom, 0] * (sixth * sixth - sixth)
            for pair in range(starts[atom], stops[atom]):
                square = (vectors[pair, 0] - x) ** 2 + (vectors[pair, 1] - y) ** 2 + (vectors[pair, 2] - z) ** 2
                sixth = (parameters[pair, 1] ** 2 / max(square, 0.25)) ** 3
                total += 4.0 * parameters[pair, 0] * (sixth * sixth - sixth)
            energies[atom, place] = total
    return energies


@dataclass(frozen=True)
class BendingLaw:
    """Depth of a well as a linear function of both curvatures, over wells of one or more carbons."""

    flat_kj_per_mol: float
    """Depth on a flat sheet."""
    per_bend_kj_angstrom_per_mol: float
    """Change with the mean curvature seen from the molecule."""
    per_gaussian_kj_angstrom2_per_mol: float
    """Change with the Gaussian curvature."""
    r2: float
    """Share of the variance of the depth that it explains."""
    spearman: float
    """Rank correlation of depth and mean curvature."""
    wells: int
    """Wells it stands on."""


def bending_law(wells: Sequence[SideWells]) -> BendingLaw | None:
    """Fit the depth of wells by both curvatures, weighted by area; None where no curvature varies."""
    from scipy.stats import spearmanr

    bend, gaussian, area, depth = (
        np.concatenate([getattr(one, name) for one in wells])
        for name in ("bend_per_a", "gaussian_per_a2", "area_a2", "depth_kj_per_mol")
    )
    if len(depth) < 4 or np.ptp(bend) < 1e-6:
        return None
    columns = np.column_stack([np.ones(len(depth)), bend, gaussian])
    root = np.sqrt(area)
    found = np.linalg.lstsq(columns * root[:, None], depth * root, rcond=None)[0]
    middle = float(area @ depth / area.sum())
    left = float(area @ (depth - columns @ found) ** 2)
    spread = float(area @ (depth - middle) ** 2)
    flat, per_bend, per_gaussian = (float(value) for value in found)
    return BendingLaw(
        flat,
        per_bend,
        per_gaussian,
        r2=1.0 - left / spread if spread > 0 else float("nan"),
        spearman=float(spearmanr(bend, depth).statistic),
        wells=len(depth),
    )
