"""Energy of one site on a grid in the cell of a framework: helium void, Henry constant, pockets without access.

What the grid gives needs no sampling, so it checks the Monte Carlo at low pressure, and it says which cavities a
molecule cannot come to: the Monte Carlo would insert there what never gets in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal

SPACING_ANGSTROM = 0.5
"""Distance of grid points, at most, angstrom."""
CUTOFF_ANGSTROM = 12.8
_CLOSEST_ANGSTROM = 0.8
"""Nearer than this the energy is as at this distance: far beyond what counts."""
_HIGHEST_K = 1e6
"""Energies are cut here."""
_TABLE_STEP_ANGSTROM2 = 0.005
"""Step of tabulated energies: linear between them, within 0.05 % where molecules are."""
_MOST_POINTS = 4_000_000
ACCESSIBLE_K_PER_T = 15.0
"""A point counts as open where the energy is below this times the temperature: a barrier of 15 kT is passed once
in 3e6 attempts, some microseconds for hydrogen in a cage."""


class Pair(Protocol):
    """A pair potential."""

    def energy_k(self, distance_angstrom: ArrayLike) -> FloatArray:
        """Return the energy over Boltzmann's constant, K."""


@dataclass(frozen=True)
class EnergyGrid:
    """Energies of a site on points that share the cell evenly."""

    energy_k: FloatArray
    """Energy over Boltzmann's constant, K, shape (n_a, n_b, n_c), points in fractional order."""
    volume_angstrom3: float
    """Volume of the cell, cubic angstrom."""
    lattice_angstrom: FloatArray
    """Cell vectors in rows, shape (3, 3), angstrom."""

    def boltzmann_mean(self, temperature_k: float, open_points: NDArray[np.bool_] | None = None) -> float:
        """Return the mean of exp(-U/kT) over the cell; points that are not open count as 0."""
        factors = np.exp(-self.energy_k / temperature_k)
        return float((factors if open_points is None else np.where(open_points, factors, 0.0)).mean())

    def henry_mol_per_m3_pa(self, temperature_k: float, open_points: NDArray[np.bool_] | None = None) -> float:
        """Return the Henry constant, mol in a cubic metre of framework for each Pa."""
        return self.boltzmann_mean(temperature_k, open_points) / (GAS_CONSTANT_J_PER_MOL_K * temperature_k)

    def heat_at_zero_kj_per_mol(self, temperature_k: float, open_points: NDArray[np.bool_] | None = None) -> float:
        """Return the isosteric heat of the first molecules, kJ/mol: RT - <U exp(-U/kT)>/<exp(-U/kT)>."""
        factors = np.exp(-self.energy_k / temperature_k)
        if open_points is not None:
            factors = np.where(open_points, factors, 0.0)
        total = float(factors.sum())
        if total == 0.0:
            return math.nan
        mean = float((self.energy_k * factors).sum()) / total
        return 1e-3 * GAS_CONSTANT_J_PER_MOL_K * (temperature_k - mean)


def energy_grids(
    crystal: Crystal, sets: Sequence[Mapping[str, Pair]], *, spacing_angstrom: float = SPACING_ANGSTROM
) -> list[EnergyGrid]:
    """Return the energy of a site on a grid, for several sets of pair potentials at once.

    Args:
        crystal: the framework.
        sets: each with a potential for each element of the framework.
        spacing_angstrom: distance of the points, at most.

    Raises:
        InputError: the cell is too large for a grid.
    """
    lengths = np.linalg.norm(crystal.lattice_angstrom, axis=1)
    shape = np.maximum(np.ceil(lengths / spacing_angstrom).astype(int), 4)
    if int(np.prod(shape)) > _MOST_POINTS:
        raise InputError(
            f"a grid of {' x '.join(map(str, shape))} points is too large for one framework; reduce the cell to "
            "its primitive one"
        )
    offsets, places = _window(crystal.lattice_angstrom, shape)
    steps = offsets / shape @ crystal.lattice_angstrom
    symbols = sorted(set(crystal.symbols))
    tables = np.array([[_table(pairs[symbol]) for pairs in sets] for symbol in symbols])
    points, rests = np.divmod((crystal.fractional % 1.0) * shape, 1.0)
    grids = compiled(_summed)(
        points.astype(np.int64),
        rests / shape @ crystal.lattice_angstrom,
        np.array([symbols.index(symbol) for symbol in crystal.symbols]),
        steps,
        places,
        shape.astype(np.int64),
        tables,
    )
    return [
        EnergyGrid(np.minimum(grid, _HIGHEST_K).reshape(shape), crystal.volume_angstrom3, crystal.lattice_angstrom)
        for grid in grids
    ]


def _summed(
    points: NDArray[np.int64],
    rests: FloatArray,
    kinds: NDArray[np.int64],
    steps: FloatArray,
    places: NDArray[np.int64],
    shape: NDArray[np.int64],
    tables: FloatArray,
) -> FloatArray:
    """Sum the energies of all atoms on the grid, K, shape (sets, points); ``tables`` are by kind and set."""
    grids = np.zeros((tables.shape[1], shape[0] * shape[1] * shape[2]))
    for atom in range(len(points)):
        for place in range(len(steps)):
            square = 0.0
            for axis in range(3):
                square += (steps[place, axis] - rests[atom, axis]) ** 2
            if square >= CUTOFF_ANGSTROM**2:
                continue
            first = (points[atom, 0] + places[place, 0]) % shape[0]
            second = (points[atom, 1] + places[place, 1]) % shape[1]
            third = (points[atom, 2] + places[place, 2]) % shape[2]
            point = (first * shape[1] + second) * shape[2] + third
            entry = square / _TABLE_STEP_ANGSTROM2
            low = int(entry)
            beyond = entry - low
            for number in range(tables.shape[1]):
                energy = tables[kinds[atom], number, low]
                grids[number, point] += energy + beyond * (tables[kinds[atom], number, low + 1] - energy)
    return grids


def _table(pair: Pair) -> FloatArray:
    """Return energies at squares of distances in even steps, K."""
    squares = np.arange(0.0, CUTOFF_ANGSTROM**2 + 2 * _TABLE_STEP_ANGSTROM2, _TABLE_STEP_ANGSTROM2)
    distances = np.maximum(np.sqrt(squares), _CLOSEST_ANGSTROM)
    return np.minimum(pair.energy_k(distances), _HIGHEST_K)


def _window(lattice: FloatArray, shape: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the steps from an atom's grid point to all that may be within the cut-off, as floats and integers."""
    volume = abs(float(np.linalg.det(lattice)))
    heights = [
        volume / float(np.linalg.norm(np.cross(lattice[(i + 1) % 3], lattice[(i + 2) % 3]))) for i in range(3)
    ]
    reach = [math.ceil(CUTOFF_ANGSTROM / h * n) + 1 for h, n in zip(heights, shape, strict=True)]
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    longest = float(np.linalg.norm(lattice / np.asarray(shape)[:, None], axis=1).sum())
    distance = np.linalg.norm(steps / shape @ lattice, axis=1)
    steps = steps[distance < CUTOFF_ANGSTROM + longest]
    return steps.astype(float), steps.astype(np.int64)


@dataclass(frozen=True)
class Access:
    """Which part of a framework a molecule can come to."""

    open_points: NDArray[np.bool_]
    """Shape of the grid: points of channels, which go through the crystal."""
    pocket_points: NDArray[np.bool_]
    """Shape of the grid: open points that no channel leads to."""
    pockets: int
    """Cavities that no channel leads to."""
    pocket_fraction: float
    """Their share of the volume that would be open."""
    spheres: tuple[tuple[float, float, float, float], ...]
    """Spheres over them: fractional coordinates of the centre and radius, angstrom."""

    @property
    def has_channels(self) -> bool:
        """Whether anything gets in at all."""
        return bool(self.open_points.any())


def find_access(grid: EnergyGrid, temperature_k: float) -> Access:
    """Return channels and pockets of a framework for a site at a temperature.

    Open points are joined to their neighbours; a group that joins one of its own periodic images is a channel,
    and any other a pocket. Spheres over pockets reach from each pocket's points, but not into channels.
    """
    from scipy.ndimage import label

    passable = grid.energy_k < ACCESSIBLE_K_PER_T * temperature_k
    labels, count = label(passable)
    groups = _joined(labels, count)
    channels = {group for group, shifts in groups.shifts.items() if len(shifts) > 0}
    roots = np.array([groups.root(number)[0] for number in range(count + 1)])
    rooted = roots[labels]
    is_channel = np.zeros(count + 1, bool)
    is_channel[list(channels)] = True
    open_points = passable & is_channel[rooted]
    pocket_points = passable & ~open_points
    names = sorted(set(roots[1:].tolist()) - channels)
    share = float(pocket_points.sum()) / max(1, int(passable.sum()))
    return Access(open_points, pocket_points, len(names), share, _spheres(grid, pocket_points, open_points))


class _Groups:
    """Union of labelled groups across the faces of the cell, with the shift between their images."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count + 1))
        self._shift = [np.zeros(3, int) for _ in range(count + 1)]
        self.shifts: dict[int, list[NDArray[np.int64]]] = {}
        """Root -> shifts by which the group joins itself; none for a pocket."""

    def root(self, number: int) -> tuple[int, NDArray[np.int64]]:
        shift = np.zeros(3, int)
        while self._parent[number] != number:
            shift = shift + self._shift[number]
            number = self._parent[number]
        return number, shift

    def join(self, one: int, other: int, step: NDArray[np.int64]) -> None:
        """Note that ``one`` touches the image of ``other`` that is ``step`` cells away."""
        first, first_shift = self.root(one)
        second, second_shift = self.root(other)
        apart = first_shift - second_shift - step
        if first != second:
            self._parent[second] = first
            self._shift[second] = apart
            joined = self.shifts.pop(second, []) + self.shifts.pop(first, [])
            if joined:
                self.shifts[first] = joined
        elif apart.any():
            self.shifts.setdefault(first, []).append(apart)


def _joined(labels: NDArray[np.int64], count: int) -> _Groups:
    groups = _Groups(count)
    for axis in range(3):
        last = np.take(labels, -1, axis=axis).ravel()
        first = np.take(labels, 0, axis=axis).ravel()
        both = (last > 0) & (first > 0)
        step = np.zeros(3, int)
        step[axis] = 1
        for one, other in sorted(set(zip(last[both].tolist(), first[both].tolist(), strict=True))):
            groups.join(one, other, step)
    return groups


def _spheres(
    grid: EnergyGrid, pocket_points: NDArray[np.bool_], open_points: NDArray[np.bool_]
) -> tuple[tuple[float, float, float, float], ...]:
    """Cover pockets: each time the point with most uncovered ones around it that stays clear of channels."""
    from scipy.spatial import cKDTree

    if not pocket_points.any():
        return ()
    shape = np.array(grid.energy_k.shape)
    step = float(np.linalg.norm(grid.lattice_angstrom / shape[:, None], axis=1).max())
    left = np.argwhere(pocket_points) / shape
    clear = _clearance(grid, left, np.argwhere(open_points) / shape)
    spheres: list[tuple[float, float, float, float]] = []
    shifts = np.stack(np.meshgrid(*([[-1, 0, 1]] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    while len(left):
        centre = int(np.argmax(clear))
        radius = max(min(float(clear[centre]), 4.0), step)
        images = cKDTree((left[centre] + shifts) @ grid.lattice_angstrom)
        distance, _ = images.query(left @ grid.lattice_angstrom)
        x, y, z = (float(part) for part in left[centre])
        spheres.append((x, y, z, radius))
        keep = distance > max(radius - step, 1e-9)
        keep[centre] = False
        left, clear = left[keep], clear[keep]
    return tuple(spheres)


def _clearance(grid: EnergyGrid, points: FloatArray, others: FloatArray) -> FloatArray:
    """Distance from points to the nearest of others over periodic images, angstrom; large where there are none."""
    from scipy.spatial import cKDTree

    if not len(others):
        return np.full(len(points), 1e3)
    shifts = np.stack(np.meshgrid(*([[-1, 0, 1]] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    tree = cKDTree(others @ grid.lattice_angstrom)
    nearest = np.full(len(points), np.inf)
    for shift in shifts:
        distance, _ = tree.query((points + shift) @ grid.lattice_angstrom)
        nearest = np.minimum(nearest, distance)
    return nearest
