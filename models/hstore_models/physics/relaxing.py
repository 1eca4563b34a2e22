"""Relaxing a crystal with a potential: from no symmetry, with limits, and with a cause where it fails.

Forces vanish by symmetry at many saddle points, and a relaxation that starts at one stays there. So positions and
cell are rattled first, by a seed. Cell and positions move together in the exponential cell filter of ASE
(``FrechetCellFilter``), by L-BFGS and, where that runs in circles, by FIRE. A cell that explodes, an energy that
is no number, atoms inside each other and hydrogen that leaves as a molecule each end the relaxation and become its
cause.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_models.physics.potential import Potential

H2_BOND_MOST_ANGSTROM = 0.95
"""Hydrogen atoms nearer than this are a molecule: the bond of H2 is 0.741 angstrom, and no hydride has H-H below
1.5 angstrom (Switendick's 2.1 less what is known of close pairs, doi 10.1524/zpch.1979.117.117.089)."""
OUT_OF_TIME = "not converged after"
"""How the cause begins where a limit ended the relaxation, so that another machine may do better."""
_FIRST_SHARE = 0.6
"""Share of the steps for L-BFGS, which is fast, before FIRE, which is slow and robust on rough surfaces."""
_LONGEST_STEP = 0.1
_OVERLAP = 0.45
"""Atoms nearer than this share of the sum of their covalent radii lie inside each other."""
_ENERGY_LEAST_EV_PER_ATOM = -30.0
"""No crystal is bound so strongly; potentials outside their training invent such energies."""


@dataclass(frozen=True)
class RelaxSettings:
    """How a relaxation starts and when it ends."""

    force_most_ev_per_angstrom: float = 0.03
    """Largest force, of the cell too, at which it has converged, eV/angstrom."""
    steps: int = 300
    """Steps of the optimizer at most."""
    seconds: float = 120.0
    """Wall time at most, looked at after each step, s."""
    rattle_angstrom: float = 0.03
    """Standard deviation of the random displacements at the start, angstrom; 0 starts from the symmetry given."""
    strain: float = 0.01
    """Standard deviation of the random strain of the cell at the start."""
    seed: int = 0
    """Seed of both."""
    atoms: int = 200
    """Atoms in the cell at most."""
    volume_ratio: tuple[float, float] = (0.45, 2.2)
    """Volumes over that at the start outside of which the cell has collapsed or exploded."""
    fixed_cell: bool = False
    """Whether only the positions move."""

    def __post_init__(self) -> None:
        """Refuse settings under which nothing could converge."""
        positive = (self.force_most_ev_per_angstrom, self.steps, self.seconds, self.atoms)
        if not all(value > 0 for value in positive):
            raise InputError(f"force, steps, seconds and atoms must be above 0, got {positive}; raise them")
        if min(self.rattle_angstrom, self.strain, self.seed) < 0:
            raise InputError(
                "rattle, strain and seed must not be negative, "
                f"got {self.rattle_angstrom}, {self.strain}, {self.seed}"
            )

    def as_json(self) -> dict[str, Any]:
        """Return all settings, as they go into keys and records."""
        return {
            "force_most_ev_per_angstrom": self.force_most_ev_per_angstrom,
            "steps": self.steps,
            "seconds": self.seconds,
            "rattle_angstrom": self.rattle_angstrom,
            "strain": self.strain,
            "seed": self.seed,
            "atoms": self.atoms,
            "volume_ratio": list(self.volume_ratio),
            "fixed_cell": self.fixed_cell,
        }


@dataclass(frozen=True)
class Relaxed:
    """What became of one crystal."""

    formula: str
    """Content of the cell."""
    potential: str
    """Key of the potential (:attr:`~hstore_models.physics.potential.Potential.key`)."""
    energy_ev: float
    """Energy of the cell, eV; NaN where there is none. Its zero is that of the potential."""
    crystal: Crystal
    """Cell and positions at the end, or at the start where it failed at once."""
    volume_ratio: float
    """Volume at the end over that at the start."""
    force_most_ev_per_angstrom: float
    """Largest force left, eV/angstrom."""
    steps: int
    """Steps taken."""
    seconds: float
    """Wall time, s."""
    cause: str = ""
    """Why the numbers are not to be used; empty when it converged."""

    @property
    def energy_ev_per_atom(self) -> float:
        """Energy of an atom, eV."""
        return self.energy_ev / len(self.crystal)

    @property
    def converged(self) -> bool:
        """Whether the numbers may be used."""
        return not self.cause

    def as_json(self, *, structure: bool = True) -> dict[str, Any]:
        """Return the record; numbers that are none become null.

        Args:
            structure: whether to include the crystal.
        """
        record = {
            "formula": self.formula,
            "potential": self.potential,
            "energy_ev": _finite(self.energy_ev),
            "energy_ev_per_atom": _finite(self.energy_ev_per_atom),
            "atoms": len(self.crystal),
            "volume_angstrom3": _finite(self.crystal.volume_angstrom3),
            "volume_ratio": _finite(self.volume_ratio),
            "force_most_ev_per_angstrom": _finite(self.force_most_ev_per_angstrom),
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "converged": self.converged,
            "cause": self.cause,
        }
        return {**record, "structure": self.crystal.to_dict()} if structure else record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Relaxed:
        """Read back what :meth:`as_json` returned with its structure."""
        return cls(
            formula=record["formula"],
            potential=record["potential"],
            energy_ev=_number(record["energy_ev"]),
            crystal=Crystal.from_dict(record["structure"]),
            volume_ratio=_number(record["volume_ratio"]),
            force_most_ev_per_angstrom=_number(record["force_most_ev_per_angstrom"]),
            steps=record["steps"],
            seconds=record["seconds"],
            cause=record["cause"],
        )


def relax(crystal: Crystal, potential: Potential, settings: RelaxSettings | None = None) -> Relaxed:
    """Relax positions and cell.

    Args:
        crystal: ordered crystal; its primitive cell is the cheapest.
        potential: what computes energies, forces and stresses.
        settings: the default when None.

    Returns:
        The relaxed crystal and its energy; with a cause where they are not to be used.

    Raises:
        InputError: the cell has more atoms than the settings allow.
    """
    limits = settings or RelaxSettings()
    if len(crystal) > limits.atoms:
        raise InputError(
            f"{crystal.formula} has {len(crystal)} atoms in its cell, at most {limits.atoms} are allowed; "
            "give the primitive cell, or raise the limit"
        )
    return _Relaxation(crystal, potential, limits).run()


class _Relaxation:
    """One relaxation under way."""

    def __init__(self, crystal: Crystal, potential: Potential, limits: RelaxSettings) -> None:
        from ase import Atoms

        self.start = crystal
        self.potential = potential
        self.limits = limits
        self.atoms = Atoms(
            numbers=crystal.numbers, positions=crystal.cartesian_angstrom, cell=crystal.lattice_angstrom, pbc=True
        )
        self.atoms.calc = potential.calculator
        self.radii = _covalent_radii(crystal.numbers)
        self.bonded = nearest_hydrogen_angstrom(crystal) < H2_BOND_MOST_ANGSTROM
        """Whether hydrogen molecules were there from the beginning."""

    def run(self) -> Relaxed:
        began = time.monotonic()
        self._rattle()
        steps, cause = 0, ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and of the calculators, once for each step
            try:
                steps, cause = self._descend(began)
                energy, force = self._standing()
            except (ValueError, RuntimeError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
                # potentials outside their training fail in many ways; all of them are this crystal's cause
                energy = force = math.nan
                words = " ".join(str(error).split())[:200]
                cause = cause or f"the potential failed: {type(error).__name__}: {words}"
        if not cause and not (math.isfinite(energy) and math.isfinite(force)):
            cause = "the energy or a force is no number"
        return Relaxed(
            formula=self.start.formula,
            potential=self.potential.key,
            energy_ev=energy,
            crystal=self._crystal(),
            volume_ratio=float(self.atoms.get_volume()) / self.start.volume_angstrom3,
            force_most_ev_per_angstrom=force,
            steps=steps,
            seconds=time.monotonic() - began,
            cause=cause,
        )

    def _rattle(self) -> None:
        generator = np.random.default_rng(self.limits.seed)
        strain = generator.normal(scale=self.limits.strain, size=(3, 3))
        if not self.limits.fixed_cell:
            self.atoms.set_cell(self.atoms.cell @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        self.atoms.positions += generator.normal(
            scale=self.limits.rattle_angstrom, size=self.atoms.positions.shape
        )

    def _descend(self, began: float) -> tuple[int, str]:
        """Take steps until it has converged or must end; return their number and the cause."""
        from ase.filters import FrechetCellFilter
        from ase.optimize import FIRE, LBFGS

        moving: Any = self.atoms if self.limits.fixed_cell else FrechetCellFilter(self.atoms)
        silent: Any = None
        first = max(1, round(self.limits.steps * _FIRST_SHARE))
        taken = 0
        for optimizer, most in ((LBFGS, first), (FIRE, self.limits.steps - first)):
            with optimizer(moving, logfile=silent, maxstep=_LONGEST_STEP) as path:
                for steps, done in enumerate(path.irun(fmax=self.limits.force_most_ev_per_angstrom, steps=most)):
                    cause = self._broken()
                    if cause or done:
                        return taken + steps, cause
                    if time.monotonic() - began > self.limits.seconds:
                        return taken + steps, f"{OUT_OF_TIME} {self.limits.seconds:g} s and {taken + steps} steps"
            taken += most
        return taken, f"{OUT_OF_TIME} {self.limits.steps} steps"

    def _broken(self) -> str:
        """Say what has gone wrong so far, or nothing."""
        energy = self.atoms.get_potential_energy() / len(self.atoms)
        if not math.isfinite(energy):
            return "the energy is no number"
        if energy < _ENERGY_LEAST_EV_PER_ATOM:
            return f"the energy fell to {energy:.1f} eV/atom, as of no crystal: the potential does not hold here"
        ratio = float(self.atoms.get_volume()) / self.start.volume_angstrom3
        low, high = self.limits.volume_ratio
        if not low <= ratio <= high:
            return f"the cell {'exploded' if ratio > high else 'collapsed'} to {ratio:.2f} of its volume"
        return self._too_close()

    def _too_close(self) -> str:
        from ase.neighborlist import neighbor_list

        first, second, apart = neighbor_list("ijd", self.atoms, 2.0)
        hydrogen = self.start.numbers == 1
        pairs = hydrogen[first] & hydrogen[second]
        overlap = apart < _OVERLAP * (self.radii[first] + self.radii[second])
        overlap &= ~pairs | (apart < _OVERLAP * H2_BOND_MOST_ANGSTROM)
        if overlap.any():
            one, other = first[overlap][0], second[overlap][0]
            named = f"{SYMBOLS[self.start.numbers[one] - 1]} and {SYMBOLS[self.start.numbers[other] - 1]}"
            return f"{named} came as near as {apart[overlap][0]:.2f} A"
        if not self.bonded and pairs.any() and apart[pairs].min() < H2_BOND_MOST_ANGSTROM:
            return f"hydrogen left as H2 (H-H {apart[pairs].min():.2f} A): the crystal does not hold it"
        return ""

    def _standing(self) -> tuple[float, float]:
        """Return the energy, eV, and the largest force, eV/angstrom."""
        force = float(np.linalg.norm(self.atoms.get_forces(), axis=1).max())
        return float(self.atoms.get_potential_energy()), force

    def _crystal(self) -> Crystal:
        try:
            return Crystal(self.atoms.cell.array, self.atoms.get_scaled_positions(wrap=False), self.start.numbers)
        except (InputError, np.linalg.LinAlgError):  # it flew apart; the start is all that can be shown
            return self.start


def nearest_hydrogen_angstrom(crystal: Crystal) -> float:
    """Return the shortest distance of two hydrogen atoms, angstrom; infinite beyond 2 angstrom."""
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    atoms = Atoms(
        numbers=crystal.numbers, positions=crystal.cartesian_angstrom, cell=crystal.lattice_angstrom, pbc=True
    )
    first, second, apart = neighbor_list("ijd", atoms, 2.0)
    hydrogen = crystal.numbers == 1
    return float(apart[hydrogen[first] & hydrogen[second]].min(initial=np.inf))


def _covalent_radii(numbers: Any) -> Any:
    """Covalent radii, angstrom, as ASE lists them (Cordero et al. 2008, doi 10.1039/b801115j)."""
    from ase.data import covalent_radii

    return covalent_radii[numbers]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
