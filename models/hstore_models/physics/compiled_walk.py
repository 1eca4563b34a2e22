"""Grand-canonical Monte Carlo of one Lennard-Jones site in a rigid framework, compiled; it checks RASPA.

One trial place for each insertion, drawn where a grid of energies says that there is room, with the ratio of the
draws in the acceptance (biased insertion: Snurr, Bell and Theodorou 1993, doi 10.1021/j100153a051). Energies are
sums over pairs; none is interpolated.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hstore.gas import h2_fugacity_bar
from hstore.units import AVOGADRO_PER_MOL, GAS_CONSTANT_J_PER_MOL_K
from hstore_models.compiled import compiled
from hstore_models.physics.monte_carlo import cells_needed
from hstore_models.physics.raspa_system import SAMPLE_EVERY
from hstore_models.physics.void_grid import energy_grids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.physics.force_field import LennardJones
    from hstore_models.physics.raspa_system import FilledFramework, Position

_SPACING_ANGSTROM = 0.4
"""Edge of the boxes that insertions are drawn in, at most."""
_BOX_ANGSTROM, _MOST_BOXES = 2.5, 4096
"""Edge of the boxes that know which atoms are near, at most, and how many of them; more make them larger."""
_CLOSED_PER_KT = 25.0
"""Energy over kT at all corners of a box above which nothing is put into it."""
_DEEPEST_PER_KT = 32.0
"""Energies below this count as this when boxes are drawn."""
_FLATTER = 4.0
"""Boxes are drawn by exp(-U/kT) to the power of one over this: the deepest places are mostly taken."""
_STEP_ANGSTROM = 0.6
"""Largest displacement along each axis."""
_CLOSEST_ANGSTROM2 = 2.0
"""Square of the distance at which two molecules overlap: 1.4 angstrom, thousands of kT."""
_IN_ATOM_ANGSTROM2 = 0.25
"""Square of the distance at which a molecule is in an atom."""
_LEAST_MOVES = 20
"""Moves of a cycle, at least."""
_LEAST_ROOM_ANGSTROM3 = 12.0
"""Volume for each molecule that no framework undercuts; liquid hydrogen takes 47."""


class _World(NamedTuple):
    """What moves need, in a form that numba takes; coordinates are fractions of the repeated cell."""

    molecules: FloatArray
    """Three coordinates and the energy with the framework, K; rows beyond their number mean nothing."""
    near: FloatArray
    """Atoms near each box of one cell: Cartesian coordinates in angstrom, 4 e in K, s^2 in square angstrom."""
    near_from: NDArray[np.int64]
    """Where the atoms near a box begin, shape (n_boxes + 1,)."""
    near_shape: NDArray[np.int64]
    """Boxes along each axis."""
    cell: FloatArray
    """Vectors of one cell in rows, angstrom."""
    spheres: FloatArray
    """Fractional coordinates in one cell, and radius in angstrom."""
    lattice: FloatArray
    """Vectors of the repeated cell in rows, angstrom."""
    inverse: FloatArray
    """Its inverse."""
    repeats: NDArray[np.int64]
    """Cells along each axis."""
    weights: FloatArray
    """How likely boxes of one cell are drawn, shape (n_a, n_b, n_c)."""
    summed: FloatArray
    """Running sum of the weights, shape (n_a n_b n_c,)."""
    temperature_k: float
    """Temperature, K."""
    activity: float
    """Molecules of an ideal gas of this fugacity in the volume."""
    depth4_k: float
    """4 e of two molecules, K."""
    sigma2: float
    """Square of s of two molecules, square angstrom."""
    range2: float
    """Square of the cut-off, square angstrom."""
    framework_tail_k: float
    """Energy of a molecule with the framework beyond the cut-off, K."""
    gas_tail_k: float
    """The same with one other molecule."""


class CompiledWalk:
    """One Monte Carlo run under way: what it counted so far."""

    def __init__(
        self,
        filled: FilledFramework,
        seed: int,
        *,
        grow_cycles: int = 0,
        start: Sequence[Position] = (),
        fugacity_times: float = 1.0,
    ) -> None:
        """Take molecules in and grow what there is to grow; arguments as of :meth:`FilledFramework.walk`."""
        self._random = np.random.default_rng(seed)
        self._world = _world(filled, len(start), fugacity_times)
        self._world.molecules[: len(start), :3] = (
            np.asarray(start, float).reshape(-1, 3) @ self._world.inverse % 1.0
        )
        self._count = len(start)
        self.cycles = 0
        """Cycles after the growth."""
        self._samples: list[FloatArray] = []
        if grow_cycles:
            self._move(grow_cycles)

    def go_on(self, cycles: int) -> None:
        """Do so many more cycles, a multiple of five, and sample each fifth."""
        self._samples.append(self._move(cycles))
        self.cycles += cycles

    def _move(self, cycles: int) -> FloatArray:
        self._count, samples = _compiled_moves()(self._random, cycles, self._count, self._world)
        return np.asarray(samples, float)

    @property
    def molecules(self) -> int:
        """Molecules in all cells now."""
        return int(self._count)

    @property
    def places(self) -> list[Position]:
        """Where they are, Cartesian, angstrom, in the axes of the crystal."""
        return [(x, y, z) for x, y, z in (self._world.molecules[: self._count, :3] @ self._world.lattice).tolist()]

    @property
    def numbers(self) -> FloatArray:
        """Molecules in all cells, shape (samples,)."""
        return np.concatenate(self._samples)[:, 0] if self._samples else np.zeros(0)

    @property
    def energies_k(self) -> FloatArray:
        """Energies over Boltzmann's constant, K, shape (samples,)."""
        return np.concatenate(self._samples)[:, 1] if self._samples else np.zeros(0)


def _world(filled: FilledFramework, molecules: int, fugacity_times: float) -> _World:
    field, temperature = filled.field, filled.temperature_k
    lattice = filled.crystal.lattice_angstrom * np.array(filled.repeats)[:, None]
    volume = abs(float(np.linalg.det(lattice)))
    gas = field.gas_pair(temperature)
    fugacity_pa = 1e5 * fugacity_times * float(h2_fugacity_bar(filled.pressure_bar, temperature))
    per_m3 = AVOGADRO_PER_MOL * fugacity_pa / (GAS_CONSTANT_J_PER_MOL_K * temperature)
    weights = _weights(filled)
    near, near_from, near_shape = _near(filled)
    return _World(
        molecules=np.zeros((int(volume / _LEAST_ROOM_ANGSTROM3) + molecules + 1, 4)),
        near=near,
        near_from=near_from,
        near_shape=near_shape,
        cell=np.ascontiguousarray(filled.crystal.lattice_angstrom, float),
        spheres=np.array(filled.blocked, float).reshape(-1, 4),
        lattice=lattice,
        inverse=np.linalg.inv(lattice),
        repeats=np.array(filled.repeats, np.int64),
        weights=weights,
        summed=np.cumsum(weights.ravel()),
        temperature_k=float(temperature),
        activity=1e-30 * per_m3 * volume,
        depth4_k=4 * gas.depth_k,
        sigma2=gas.sigma_angstrom**2,
        range2=float(field.cutoff_angstrom) ** 2,
        framework_tail_k=_framework_tail(filled) / volume,
        gas_tail_k=_tail(gas, field.cutoff_angstrom) / volume if field.tail else 0.0,
    )


def _near(filled: FilledFramework) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Return for boxes of one cell the atoms, of any cell, that are within the cut-off of a place in them."""
    from scipy.spatial import cKDTree

    crystal, lattice = filled.crystal, filled.crystal.lattice_angstrom
    edge = max(_BOX_ANGSTROM, (crystal.volume_angstrom3 / _MOST_BOXES) ** (1 / 3))
    shape = np.maximum(np.ceil(np.linalg.norm(lattice, axis=1) / edge), 1).astype(np.int64)
    corners = np.stack(np.meshgrid(*([[-0.5, 0.5]] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    reach = filled.field.cutoff_angstrom + float(np.linalg.norm(corners / shape @ lattice, axis=1).max())
    cells = cells_needed(lattice, reach / 2)  # as many as a height of the reach needs, to either side
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in cells), indexing="ij"), axis=-1).reshape(-1, 3)
    places = ((crystal.fractional % 1.0)[:, None] + shifts).reshape(-1, 3) @ lattice
    pairs = filled.field.framework_pairs(set(crystal.symbols), filled.temperature_k)
    own = np.array([(4 * pairs[s].depth_k, pairs[s].sigma_angstrom ** 2) for s in crystal.symbols])
    atoms = np.hstack([places, np.repeat(own, len(shifts), axis=0)])
    middles = (np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3) + 0.5) / shape
    found = cKDTree(places).query_ball_point(middles @ lattice, reach)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    return atoms[np.concatenate([np.asarray(one, np.int64) for one in found])], starts, shape


def _weights(filled: FilledFramework) -> FloatArray:
    """Return how likely boxes of the cell are drawn; 0 where there is no room."""
    pairs = filled.field.framework_pairs(set(filled.crystal.symbols), filled.temperature_k)
    (grid,) = energy_grids(filled.crystal, [pairs], spacing_angstrom=_SPACING_ANGSTROM)
    lowest = grid.energy_k
    for axis in range(3):
        lowest = np.minimum(lowest, np.roll(lowest, -1, axis))
    per_kt = np.maximum(lowest / filled.temperature_k, -_DEEPEST_PER_KT)
    return np.where(per_kt < _CLOSED_PER_KT, np.exp(-np.minimum(per_kt, _CLOSED_PER_KT) / _FLATTER), 0.0)


def _framework_tail(filled: FilledFramework) -> float:
    """Return the integral of all atoms beyond the cut-off over space, K cubic angstrom; 0 without tails."""
    if not filled.field.tail:
        return 0.0
    pairs = filled.field.framework_pairs(set(filled.crystal.symbols), filled.temperature_k)
    each = {symbol: _tail(pair, filled.field.cutoff_angstrom) for symbol, pair in pairs.items()}
    return filled.cells * sum(each[symbol] for symbol in filled.crystal.symbols)


def _tail(pair: LennardJones, cutoff_angstrom: float) -> float:
    """Return the integral of a pair beyond the cut-off over space, K cubic angstrom."""
    sixth = (pair.sigma_angstrom / cutoff_angstrom) ** 6
    return 16 * math.pi * pair.depth_k * cutoff_angstrom**3 * (sixth**2 / 9 - sixth / 3)


# What follows is compiled by numba: plain loops, and scalars instead of small arrays.


def _square(x: float, y: float, z: float, lattice: FloatArray) -> float:
    """Square of a distance over the nearest image, square angstrom."""
    x -= np.floor(x + 0.5)
    y -= np.floor(y + 0.5)
    z -= np.floor(z + 0.5)
    a = x * lattice[0, 0] + y * lattice[1, 0] + z * lattice[2, 0]
    b = x * lattice[0, 1] + y * lattice[1, 1] + z * lattice[2, 1]
    c = x * lattice[0, 2] + y * lattice[1, 2] + z * lattice[2, 2]
    return float(a * a + b * b + c * c)


def _with_gas(x: float, y: float, z: float, without: int, count: int, world: _World) -> float:
    """Energy of a place with all molecules but one, K; infinite where it overlaps with one."""
    energy, molecules = 0.0, world.molecules
    for other in range(count):
        if other != without:
            d2 = _square(x - molecules[other, 0], y - molecules[other, 1], z - molecules[other, 2], world.lattice)
            if d2 < _CLOSEST_ANGSTROM2:
                return np.inf
            if d2 < world.range2:
                sixth = (world.sigma2 / d2) ** 3
                energy += world.depth4_k * (sixth * sixth - sixth)
    return energy


def _with_framework(x: float, y: float, z: float, world: _World) -> float:
    """Energy of a place with the framework, K; infinite where it is in an atom or in a blocked sphere."""
    energy, repeats, spheres = world.framework_tail_k, world.repeats, world.spheres
    near, shape, cell = world.near, world.near_shape, world.cell
    for number in range(len(spheres)):
        p = x * repeats[0] - spheres[number, 0]
        q = y * repeats[1] - spheres[number, 1]
        r = z * repeats[2] - spheres[number, 2]
        p = (p - np.floor(p + 0.5)) / repeats[0]
        q = (q - np.floor(q + 0.5)) / repeats[1]
        r = (r - np.floor(r + 0.5)) / repeats[2]
        if _square(p, q, r, world.lattice) < spheres[number, 3] ** 2:
            return np.inf
    u, v, w = x * repeats[0] % 1.0, y * repeats[1] % 1.0, z * repeats[2] % 1.0
    i, j = min(int(u * shape[0]), shape[0] - 1), min(int(v * shape[1]), shape[1] - 1)
    box = (i * shape[1] + j) * shape[2] + min(int(w * shape[2]), shape[2] - 1)
    a = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
    b = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
    c = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
    for atom in range(world.near_from[box], world.near_from[box + 1]):
        d2 = (a - near[atom, 0]) ** 2 + (b - near[atom, 1]) ** 2 + (c - near[atom, 2]) ** 2
        if d2 < _IN_ATOM_ANGSTROM2:
            return np.inf
        if d2 < world.range2:
            sixth = (near[atom, 4] / d2) ** 3
            energy += near[atom, 3] * (sixth * sixth - sixth)
    return energy


def _inserted(random: np.random.Generator, count: int, world: _World) -> tuple[int, float]:
    """Try to put a molecule in; return how many there are and the change of energy, K."""
    shape, repeats, molecules = world.weights.shape, world.repeats, world.molecules
    box = np.searchsorted(world.summed, random.random() * world.summed[-1], side="right")
    i, j, k = box // (shape[1] * shape[2]), box // shape[2] % shape[1], box % shape[2]
    x = ((i + random.random()) / shape[0] + int(random.random() * repeats[0])) / repeats[0]
    y = ((j + random.random()) / shape[1] + int(random.random() * repeats[1])) / repeats[1]
    z = ((k + random.random()) / shape[2] + int(random.random() * repeats[2])) / repeats[2]
    change = _with_gas(x, y, z, -1, count, world)
    if change == np.inf or count == len(molecules):
        return count, 0.0
    own = _with_framework(x, y, z, world)
    change += own + world.gas_tail_k * (count + 0.5)
    bias = world.summed[-1] / len(world.summed) / world.weights[i, j, k]
    chance = world.activity / (count + 1) * bias * np.exp(-change / world.temperature_k)
    if random.random() >= chance:
        return count, 0.0
    molecules[count, 0], molecules[count, 1], molecules[count, 2], molecules[count, 3] = x, y, z, own
    return count + 1, change


def _removed(random: np.random.Generator, count: int, world: _World) -> tuple[int, float]:
    """Try to take a molecule out; return how many there are and the change of energy, K."""
    shape, repeats, molecules = world.weights.shape, world.repeats, world.molecules
    one = int(random.random() * count)
    x, y, z = molecules[one, 0], molecules[one, 1], molecules[one, 2]
    i = min(int(x * repeats[0] % 1.0 * shape[0]), shape[0] - 1)
    j = min(int(y * repeats[1] % 1.0 * shape[1]), shape[1] - 1)
    k = min(int(z * repeats[2] % 1.0 * shape[2]), shape[2] - 1)
    bias = world.weights[i, j, k] * len(world.summed) / world.summed[-1]  # 0: never put in, so never taken out
    change = -_with_gas(x, y, z, one, count, world) - molecules[one, 3] - world.gas_tail_k * (count - 0.5)
    if random.random() >= count / world.activity * bias * np.exp(-change / world.temperature_k):
        return count, 0.0
    for column in range(4):
        molecules[one, column] = molecules[count - 1, column]
    return count - 1, change


def _displaced(random: np.random.Generator, count: int, world: _World) -> float:
    """Try to move a molecule; return the change of energy, K."""
    inverse, molecules = world.inverse, world.molecules
    one = int(random.random() * count)
    a = _STEP_ANGSTROM * (2 * random.random() - 1)
    b = _STEP_ANGSTROM * (2 * random.random() - 1)
    c = _STEP_ANGSTROM * (2 * random.random() - 1)
    x = molecules[one, 0] + a * inverse[0, 0] + b * inverse[1, 0] + c * inverse[2, 0]
    y = molecules[one, 1] + a * inverse[0, 1] + b * inverse[1, 1] + c * inverse[2, 1]
    z = molecules[one, 2] + a * inverse[0, 2] + b * inverse[1, 2] + c * inverse[2, 2]
    x, y, z = x - np.floor(x), y - np.floor(y), z - np.floor(z)
    change = _with_gas(x, y, z, one, count, world)
    if change == np.inf:
        return 0.0
    own = _with_framework(x, y, z, world)
    before = _with_gas(molecules[one, 0], molecules[one, 1], molecules[one, 2], one, count, world)
    change = change + own - before - molecules[one, 3]
    if random.random() >= np.exp(-change / world.temperature_k):
        return 0.0
    molecules[one, 0], molecules[one, 1], molecules[one, 2], molecules[one, 3] = x, y, z, own
    return float(change)


def _moves(random: np.random.Generator, cycles: int, count: int, world: _World) -> tuple[int, FloatArray]:
    """Do cycles of moves; return how many molecules there are, and number and energy, K, of each sample."""
    samples = np.empty((cycles // SAMPLE_EVERY, 2))
    total, molecules = world.gas_tail_k * count * count / 2, world.molecules
    for one in range(count):
        x, y, z = molecules[one, 0], molecules[one, 1], molecules[one, 2]
        molecules[one, 3] = _with_framework(x, y, z, world)
        total += molecules[one, 3] + _with_gas(x, y, z, one, count, world) / 2
    for cycle in range(cycles):
        for _ in range(max(_LEAST_MOVES, count)):
            kind = random.random()
            change = 0.0
            if kind < 1 / 3:
                count, change = _inserted(random, count, world)
            elif count > 0 and kind < 2 / 3:
                count, change = _removed(random, count, world)
            elif count > 0:
                change = _displaced(random, count, world)
            total += change
        if (cycle + 1) % SAMPLE_EVERY == 0:
            samples[cycle // SAMPLE_EVERY, 0] = count
            samples[cycle // SAMPLE_EVERY, 1] = total
    return count, samples


@cache
def _compiled_moves() -> Callable[..., Any]:
    from numba.extending import register_jitable

    for function in (_square, _with_gas, _with_framework, _inserted, _removed, _displaced):
        register_jitable(function)
    return compiled(_moves)
