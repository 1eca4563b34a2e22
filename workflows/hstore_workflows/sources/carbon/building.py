"""Carbon on a surface: the dual of a triangulation, with bonds of equal length.

Each triangle is an atom and each point a ring, as many-sided as triangles meet in it. Springs then draw bonds to
that of graphene, others keep each atom amid its three neighbours, as sp2 carbon is flat, and the cell is scaled
until bonds are right on average. Structures are starting points for a relaxation: no energies stand behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.carbon_network import CarbonNetwork
from hstore_models.features.structure.geometry import Geometry
from hstore_workflows.sources.carbon.surfaces import EDGE, Surface
from hstore_workflows.sources.carbon.tiling import tile

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_workflows.sources.carbon.tiling import Tiling

BOND_ANGSTROM = 1.421
"""Bond of graphene (Trucano and Chen 1975, doi 10.1038/258136a0)."""
AREA_OF_RING_A2 = 1.5 * np.sqrt(3.0) * BOND_ANGSTROM**2
"""Area of a hexagon of such bonds, angstrom^2."""
LEAST_RINGS = 12
"""Rings that close a cage."""
MOST_RINGS = 20_000

_CARBON = 6
_FLATNESS = 0.1
"""Stiffness that keeps an atom amid its neighbours, over that of bonds."""
_MOST_STEPS = 300


def build_on(surface: Surface, edge_angstrom: float, *, seed: int = 0, rings: int | None = None) -> Crystal:
    """Build carbon on a surface.

    Args:
        surface: the surface.
        edge_angstrom: edge of the cubic cell at the beginning, angstrom; it is then scaled until bonds are right.
        seed: seed of where rings begin.
        rings: rings in the cell; as many as hexagons of graphene cover the area when None.

    Raises:
        InputError: there are too few rings for the bends of the surface, or far too many to be built; or sheets
            come too near to each other.
    """
    if not edge_angstrom > 0:
        raise InputError(f"the edge of the cell must be above 0 angstrom, got {edge_angstrom:g}")
    if rings is None:
        rings = round(surface.area() * (edge_angstrom / EDGE) ** 2 / AREA_OF_RING_A2)
    if not LEAST_RINGS <= rings <= MOST_RINGS:
        raise InputError(
            f"a cell of {edge_angstrom:g} angstrom would have {rings} rings on the surface {surface.name}; "
            f"{LEAST_RINGS} to {MOST_RINGS} can be built"
        )
    crystal = _relaxed(tile(surface, rings, seed=seed), edge_angstrom)
    network = CarbonNetwork.of(Geometry(crystal))
    try:
        sound = network.closed
    except InputError:  # an atom with four bonds, or a fold whose sides cannot be told apart
        sound = False
    if not sound:
        raise InputError(
            f"{rings} rings on the surface {surface.name} touch or fold onto each other; ask for a larger edge, "
            "or another seed"
        )
    return crystal


def _relaxed(tiling: Tiling, edge_angstrom: float) -> Crystal:
    from scipy.optimize import minimize

    corners = tiling.points[tiling.corners] + EDGE * tiling.cells
    atoms = corners.mean(axis=1) * (edge_angstrom / EDGE)
    neighbours, away = tiling.neighbours, tiling.shifts * edge_angstrom

    def energy(unknown: FloatArray) -> tuple[float, FloatArray]:
        placed = unknown.reshape(-1, 3)
        bonds = placed[neighbours] + away - placed[:, None]
        length = np.maximum(np.linalg.norm(bonds, axis=2), 1e-9)
        stretch = length - BOND_ANGSTROM
        above = bonds.mean(axis=1)
        total = 0.25 * float((stretch**2).sum()) + 0.5 * _FLATNESS * float((above**2).sum())
        pull = (0.5 * stretch / length)[:, :, None] * bonds + (_FLATNESS / 3.0) * above[:, None]
        slope = -pull.sum(axis=1)
        np.add.at(slope, neighbours.ravel(), pull.reshape(-1, 3))
        return total, slope.ravel()

    found = minimize(energy, atoms.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
    placed = found.x.reshape(-1, 3)
    bonds = placed[neighbours] + away - placed[:, None]
    scale = BOND_ANGSTROM / float(np.linalg.norm(bonds, axis=2).mean())
    fractional = np.mod(placed / edge_angstrom, 1.0)
    return Crystal(np.eye(3) * edge_angstrom * scale, fractional, np.full(len(placed), _CARBON))
