"""Barriers of single hops into a vacancy, by nudged elastic bands with an interatomic potential.

One ion of a supercell is taken out, and a neighbour hops into the gap; both ends are relaxed in the given cell,
and the path between them is a climbing-image nudged elastic band (Henkelman, Uberuaga and Jonsson 2000, doi
10.1063/1.1329672) that begins as the image-dependent pair potential has it (Smidstrup et al. 2014, doi
10.1063/1.4878664). The cell is neutral and the vacancy has no charge; interstitials and concerted jumps, by which
many fast conductors conduct, are left out, so a barrier is that of this hop and no more.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.physics.barriers import element_of_ion

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal
    from hstore_models.physics.potential import Potential

_SAME_ANGSTROM = 0.02
"""Hops between the same kinds of sites whose lengths differ by less are one."""


@dataclass(frozen=True)
class HopSettings:
    """How a band is set up and when it ends."""

    images: int = 5
    """Images between the ends."""
    force_most_ev_per_angstrom: float = 0.05
    """Largest force at which ends and band have converged, eV/angstrom."""
    steps: int = 300
    """Steps of each optimization at most."""
    seconds: float = 900.0
    """Wall time of one hop at most, looked at after each step, s."""
    least_edge_angstrom: float = 8.0
    """Distance of a site from its periodic images at least, angstrom: shorter cells are repeated."""
    longest_angstrom: float = 4.5
    """Longest hop, angstrom."""
    hops: int = 3
    """Hops at most, the shortest first."""
    atoms: int = 250
    """Atoms of the supercell at most."""

    def __post_init__(self) -> None:
        """Refuse settings under which there is no band."""
        positive = (self.images, self.force_most_ev_per_angstrom, self.steps, self.seconds, self.hops, self.atoms)
        if min(positive) <= 0 or self.least_edge_angstrom <= 0 or self.longest_angstrom <= 0:
            raise InputError(f"all settings of a hop must be above 0, got {self}")


@dataclass(frozen=True)
class Path:
    """A hop, before anything is computed."""

    start: int
    """Site that hops, in the given cell."""
    end: int
    """Site it hops to, in the given cell."""
    vector_angstrom: tuple[float, float, float]
    """From one to the other, angstrom."""

    @property
    def distance_angstrom(self) -> float:
        """Length, angstrom."""
        return float(np.linalg.norm(self.vector_angstrom))


@dataclass(frozen=True)
class Hop:
    """What became of one hop."""

    formula: str
    """Content of the given cell."""
    ion: str
    """Element that hops."""
    potential: str
    """Key of the potential."""
    distance_angstrom: float
    """Distance of the two sites, angstrom."""
    atoms: int
    """Atoms of the supercell with its vacancy."""
    barrier_ev: float | None
    """Highest energy of the band above its beginning, eV; None where the hop failed."""
    backward_ev: float | None
    """Highest energy above the end, eV."""
    energies_ev: tuple[float, ...]
    """Energies along the band from its beginning on, eV."""
    seconds: float
    """Wall time, s."""
    cause: str = ""
    """Why numbers are not to be used; empty when it converged."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {"energies_ev": list(self.energies_ev), "seconds": round(self.seconds, 1)}


def hop_paths(crystal: Crystal, ion: str, settings: HopSettings | None = None) -> tuple[Path, ...]:
    """Return the distinct hops of an ion between its own sites, the shortest first.

    Hops from equivalent sites to equivalent sites over the same distance are one; two different hops that agree in
    all three are not told apart.

    Raises:
        InputError: the crystal does not hold the ion, or no two of its sites are near enough.
    """
    how = settings or HopSettings()
    element = element_of_ion(ion)
    if element not in crystal.symbols:
        raise InputError(f"{crystal.formula} holds no {element}; ask for an ion that it holds")
    geometry = Geometry(crystal)
    representatives, kinds = geometry.distinct_sites()
    own = np.array([symbol == element for symbol in crystal.symbols])
    pairs = geometry.neighbours(how.longest_angstrom)
    found: dict[tuple[int, int, int], Path] = {}
    for place in np.argsort(pairs.distance_angstrom, kind="stable"):
        start, end = int(pairs.centre[place]), int(pairs.other[place])
        if not (own[start] and own[end] and start in representatives):
            continue
        x, y, z = pairs.vector_angstrom[place].tolist()
        kind = (int(kinds[start]), int(kinds[end]), round(float(pairs.distance_angstrom[place]) / _SAME_ANGSTROM))
        backward = (kind[1], kind[0], kind[2])
        if backward not in found:
            found.setdefault(kind, Path(start, end, (x, y, z)))
    if not found:
        raise InputError(
            f"no two sites of {element} in {crystal.formula} are within {how.longest_angstrom:g} angstrom; "
            "allow longer hops"
        )
    return tuple(found.values())[: how.hops]


def hop_barrier(crystal: Crystal, path: Path, potential: Potential, settings: HopSettings | None = None) -> Hop:
    """Compute the barrier of one hop.

    Args:
        crystal: relaxed crystal; strain of a cell that is not relaxed goes into the barrier.
        path: the hop, of :func:`hop_paths`.
        potential: what computes energies and forces.
        settings: the default when None.

    Returns:
        The hop; with a cause where it did not converge.

    Raises:
        InputError: the supercell would have more atoms than the settings allow.
    """
    return _Band(crystal, path, potential, settings or HopSettings()).run()


class _Band:
    """One band under way."""

    def __init__(self, crystal: Crystal, path: Path, potential: Potential, how: HopSettings) -> None:
        self.crystal, self.path, self.potential, self.how = crystal, path, potential, how
        self.began = time.monotonic()
        self.ends = self._ends()
        self.images: list[Any] = []

    def run(self) -> Hop:
        """Relax the ends, then the band; what fails is the cause."""
        cause = ""
        energies: list[float] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and of the calculators, once for each step
            try:
                cause = self._relax_ends() or self._climb()
                energies = [float(image.get_potential_energy()) for image in self.images]
            except (ValueError, RuntimeError, ArithmeticError, IndexError) as error:
                # potentials outside their training fail in many ways; all of them are this hop's cause
                words = " ".join(str(error).split())[:200]
                cause = cause or f"the potential failed: {type(error).__name__}: {words}"
        if energies and not all(map(math.isfinite, energies)):
            cause, energies = cause or "an energy is no number", []
        relative = tuple(energy - energies[0] for energy in energies)
        sound = bool(relative) and not cause
        return Hop(
            formula=self.crystal.formula,
            ion=self.crystal.symbols[self.path.start],
            potential=self.potential.key,
            distance_angstrom=self.path.distance_angstrom,
            atoms=len(self.ends[0]),
            barrier_ev=max(relative) if sound else None,
            backward_ev=max(relative) - relative[-1] if sound else None,
            energies_ev=relative,
            seconds=time.monotonic() - self.began,
            cause=cause,
        )

    def _ends(self) -> tuple[Any, Any]:
        """Return the supercells before and after the hop."""
        from ase import Atoms

        lattice = np.asarray(self.crystal.lattice_angstrom)
        counts = repeats(lattice, self.how.least_edge_angstrom)
        atoms = len(self.crystal) * int(np.prod(counts)) - 1
        if atoms > self.how.atoms:
            raise InputError(
                f"the supercell of {self.crystal.formula} would have {atoms} atoms, at most {self.how.atoms} are "
                "allowed; allow shorter edges or more atoms"
            )
        cell = Atoms(
            numbers=self.crystal.numbers, positions=self.crystal.cartesian_angstrom, cell=lattice, pbc=True
        )
        whole = cell.repeat(counts)
        hopper = self.path.start
        goal = whole.positions[hopper] + np.array(self.path.vector_angstrom)
        distances = np.linalg.norm(_shortest(whole.positions - goal, whole.cell.array), axis=1)
        taken = int(np.argmin(distances))
        first = whole.copy()
        last = whole.copy()
        last.positions[hopper] = goal
        for end in (first, last):
            del end[taken]
        return first, last

    def _relax_ends(self) -> str:
        from ase.optimize import FIRE

        for end in self.ends:
            end.calc = self.potential.calculator
            with FIRE(end, logfile=None) as path:
                if cause := self._follow(path, "an end"):
                    return cause
            # The calculator is shared, so that what it found must be kept beside the image.
            _freeze(end)
        return ""

    def _climb(self) -> str:
        from ase.mep import NEB
        from ase.optimize import FIRE

        first, last = self.ends
        middle = [first.copy() for _ in range(self.how.images)]
        for image in middle:
            image.calc = self.potential.calculator
        self.images = [first, *middle, last]
        for climb in (False, True):
            band = NEB(self.images, climb=climb, allow_shared_calculator=True, method="improvedtangent")
            if not climb:
                band.interpolate(method="idpp", mic=True)
            # The last climb alone must reach the force asked for; before it, near is near enough.
            force = self.how.force_most_ev_per_angstrom * (1.0 if climb else 4.0)
            with FIRE(band, logfile=None) as path:
                cause = self._follow(path, "the band", force)
                if cause and climb:
                    return cause
        return ""

    def _follow(self, path: Any, what: str, force: float | None = None) -> str:
        wanted = self.how.force_most_ev_per_angstrom if force is None else force
        for done in path.irun(fmax=wanted, steps=self.how.steps):
            if done:
                return ""
            if time.monotonic() - self.began > self.how.seconds:
                return f"{what} has not converged after {self.how.seconds:g} s"
        return f"{what} has not converged after {self.how.steps} steps"


def _freeze(atoms: Any) -> None:
    """Keep energy and forces beside the atoms, without the calculator."""
    from ase.calculators.singlepoint import SinglePointCalculator

    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)


def repeats(lattice: FloatArray, least_edge_angstrom: float) -> tuple[int, int, int]:
    """Return how often the cell is repeated so that its faces are far enough apart."""
    volume = abs(float(np.linalg.det(lattice)))
    areas = [np.linalg.norm(np.cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3])) for k in range(3)]
    a, b, c = (max(1, math.ceil(least_edge_angstrom / (volume / float(area)) - 1e-6)) for area in areas)
    return a, b, c


def _shortest(vectors: FloatArray, cell: FloatArray) -> FloatArray:
    """Return the vectors to the nearest images, shape ``(n, 3)``."""
    from ase.geometry import find_mic

    return np.asarray(find_mic(vectors, cell)[0])
