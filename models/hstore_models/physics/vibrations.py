"""Zero-point and thermal energy of a relaxed crystal, on request.

Two ways, by finite differences of the potential's forces:

- ``einstein``: each hydrogen atom alone in the field of all others at rest, three frequencies each. Cheap (six
  forces for each kind of hydrogen). Hydrogen moves far faster than metal, and the modes of metal are about the
  same in hydride and host, so they are left out.
- ``phonons``: the harmonic crystal of phonopy (Togo 2023, doi 10.7566/JPSJ.92.012001) in a supercell.

From the frequencies follow the zero-point energy and H(T) - H(0) of harmonic oscillators; the volume stays that of
the static crystal. Imaginary frequencies are left out and counted: the crystal is no minimum there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.physics.potential import Potential

PLANCK_EV_PER_THZ = 4.135667696e-3
"""Planck constant times 1 THz, eV; CODATA 2018, exact."""
DISPLACEMENT_ANGSTROM = 0.02
"""How far an atom is moved for a force constant."""
SUPERCELL_ANGSTROM = 9.0
"""Shortest edge of the supercell for phonons: potentials see 5 to 6 angstrom."""
MESH_PER_ANGSTROM = 30.0
"""Points of the mesh in reciprocal space along an edge, times the edge in angstrom."""
_SUPERCELL_ATOMS = 400
_SYMMETRY_ANGSTROM = 0.1
"""Sites equal within this share their frequencies: relaxations end as near as that to the symmetry they
approach."""
_REAL_THZ = 0.05
"""Frequencies below this are translations, or imaginary (written as negative)."""


class Vibrations(StrEnum):
    """How vibrations enter an enthalpy."""

    NONE = "none"
    """Not at all: the difference of static energies."""
    EINSTEIN = "einstein"
    """Each hydrogen atom alone."""
    PHONONS = "phonons"
    """The harmonic crystal."""


@dataclass(frozen=True)
class VibrationalEnergy:
    """What vibrations add to the static energy of a cell."""

    zero_point_ev: float
    """Zero-point energy of the cell, eV."""
    warming_ev: float
    """H(T) - H(0) of its vibrations, eV."""
    temperature_k: float
    """T, K."""
    imaginary_share: float
    """Share of the frequencies that are imaginary and left out, 0 to 1."""

    @property
    def enthalpy_ev(self) -> float:
        """Both together, eV for the cell."""
        return self.zero_point_ev + self.warming_ev


def vibrational_energy(
    crystal: Crystal,
    potential: Potential,
    kind: Vibrations,
    *,
    temperature_k: float = STANDARD_TEMPERATURE_K,
) -> VibrationalEnergy:
    """Return zero-point and thermal energy of a relaxed crystal.

    Args:
        crystal: relaxed by the same potential; frequencies of anything else mean nothing.
        potential: what computes the forces.
        kind: Einstein or phonons; NONE gives zeros.
        temperature_k: temperature, K, at least 0.

    Raises:
        InputError: the temperature is negative, or the supercell would be too large.
        MissingExtraError: phonopy is not installed.
    """
    if temperature_k < 0:
        raise InputError(f"temperature_k must be at least 0, got {temperature_k}")
    if kind is Vibrations.NONE:
        return VibrationalEnergy(0.0, 0.0, temperature_k, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and the calculators, once for each force
        make = einstein_thz if kind is Vibrations.EINSTEIN else phonons_thz
        frequencies, weights = make(crystal, potential)
    return energy_of(frequencies, weights, temperature_k)


def energy_of(frequencies_thz: FloatArray, weights: FloatArray, temperature_k: float) -> VibrationalEnergy:
    """Return the energy of harmonic oscillators.

    Args:
        frequencies_thz: THz, negative where imaginary, any shape.
        weights: how often each counts in the cell, same shape.
        temperature_k: temperature, K.
    """
    real = frequencies_thz > _REAL_THZ
    quantum = PLANCK_EV_PER_THZ * frequencies_thz[real]
    zero_point = float((weights[real] * quantum / 2).sum())
    warming = 0.0
    if temperature_k > 0:
        occupied = 1 / np.expm1(quantum / (BOLTZMANN_EV_PER_K * temperature_k))
        warming = float((weights[real] * quantum * occupied).sum())
    lost = float(weights[frequencies_thz < -_REAL_THZ].sum())
    share = lost / float(weights.sum()) if lost else 0.0
    return VibrationalEnergy(zero_point, warming, temperature_k, share)


def einstein_thz(crystal: Crystal, potential: Potential) -> tuple[FloatArray, FloatArray]:
    """Return the frequencies of hydrogen in the field of the others, THz, shape (classes, 3), and weights.

    The force constants of an atom are its own 3 by 3 block of the Hessian, by central differences; one atom stands
    for all that symmetry makes its equals. A crystal without hydrogen has none: shapes (0, 3).
    """
    atoms = _atoms(crystal, potential)
    rest = atoms.get_positions()
    masses = atoms.get_masses()
    sites, counts = _distinct_hydrogen(crystal)
    found = np.empty((len(sites), 3))
    for row, site in enumerate(sites):
        block = np.empty((3, 3))
        for axis in range(3):
            sides = []
            for sign in (1.0, -1.0):
                moved = rest.copy()
                moved[site, axis] += sign * DISPLACEMENT_ANGSTROM
                atoms.set_positions(moved)
                sides.append(atoms.get_forces()[site])
            block[axis] = -(sides[0] - sides[1]) / (2 * DISPLACEMENT_ANGSTROM)
        found[row] = np.linalg.eigvalsh((block + block.T) / 2) / masses[site]
    return _thz(found), np.broadcast_to(counts[:, None].astype(float), found.shape)


def molecule_thz(crystal: Crystal, potential: Potential) -> FloatArray:
    """Return all frequencies of a molecule alone in a cell, THz, shape (3 n,); imaginary ones negative.

    Translations and rotations are among them, about 0.
    """
    atoms = _atoms(crystal, potential)
    rest = atoms.get_positions()
    hessian = np.empty((rest.size, rest.size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and the calculators, once for each force
        for place in range(rest.size):
            sides = []
            for sign in (1.0, -1.0):
                moved = rest.copy()
                moved.flat[place] += sign * DISPLACEMENT_ANGSTROM
                atoms.set_positions(moved)
                sides.append(atoms.get_forces().ravel())
            hessian[place] = -(sides[0] - sides[1]) / (2 * DISPLACEMENT_ANGSTROM)
    heavy = np.sqrt(np.repeat(atoms.get_masses(), 3))
    stiffness = np.linalg.eigvalsh((hessian + hessian.T) / 2 / np.outer(heavy, heavy))
    return _thz(np.asarray(stiffness, dtype=np.float64))


def _distinct_hydrogen(crystal: Crystal) -> tuple[IntArray, IntArray]:
    """Return one hydrogen site of each class, and how many sites are in the class."""
    import moyopy

    cell = moyopy.Cell(
        basis=crystal.lattice_angstrom.tolist(),
        positions=crystal.fractional.tolist(),
        numbers=crystal.numbers.tolist(),
    )
    try:
        orbits = np.asarray(moyopy.MoyoDataset(cell, symprec=_SYMMETRY_ANGSTROM).orbits)
    except ValueError:  # no symmetry within the tolerance: each atom stands for itself
        orbits = np.arange(len(crystal))
    sites, counts = np.unique(orbits[crystal.numbers == 1], return_counts=True)
    return sites, counts


def phonons_thz(crystal: Crystal, potential: Potential) -> tuple[FloatArray, FloatArray]:
    """Return the frequencies over a mesh in reciprocal space, THz, shape (points, 3 n), and their weights.

    Raises:
        InputError: the supercell would have more than 400 atoms.
        MissingExtraError: phonopy is not installed.
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError as error:
        raise MissingExtraError("phonons need phonopy, not installed; run: pip install 'hstore[mlip]'") from error

    edges = np.linalg.norm(crystal.lattice_angstrom, axis=1)
    times = np.ceil(SUPERCELL_ANGSTROM / edges).astype(int)
    atoms = int(times.prod()) * len(crystal)
    if atoms > _SUPERCELL_ATOMS:
        raise InputError(
            f"phonons of {crystal.formula} need a supercell of {atoms} atoms, at most {_SUPERCELL_ATOMS} are "
            "allowed; ask for einstein"
        )
    cell = PhonopyAtoms(
        numbers=crystal.numbers, scaled_positions=crystal.fractional, cell=crystal.lattice_angstrom
    )
    phonon = Phonopy(cell, supercell_matrix=np.diag(times), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=DISPLACEMENT_ANGSTROM)
    phonon.forces = [_forces(displaced, potential) for displaced in phonon.supercells_with_displacements]
    phonon.produce_force_constants()
    phonon.run_mesh(np.maximum(1, np.round(MESH_PER_ANGSTROM / edges).astype(int)).tolist())
    mesh = phonon.get_mesh_dict()
    frequencies = np.asarray(mesh["frequencies"])
    weights = np.asarray(mesh["weights"], dtype=float)
    return frequencies, np.broadcast_to((weights / weights.sum())[:, None], frequencies.shape)


def _forces(displaced: Any, potential: Potential) -> FloatArray:
    from ase import Atoms

    atoms = Atoms(
        numbers=displaced.numbers, scaled_positions=displaced.scaled_positions, cell=displaced.cell, pbc=True
    )
    atoms.calc = potential.calculator
    return np.asarray(atoms.get_forces())


def _atoms(crystal: Crystal, potential: Potential) -> Any:
    from ase import Atoms

    atoms = Atoms(
        numbers=crystal.numbers, positions=crystal.cartesian_angstrom, cell=crystal.lattice_angstrom, pbc=True
    )
    atoms.calc = potential.calculator
    return atoms


def _thz(stiffness_over_mass: FloatArray) -> FloatArray:
    """Return frequencies, THz, from eigenvalues in eV/(angstrom^2 u); imaginary ones negative."""
    from ase import units

    hertz = np.sqrt(np.abs(stiffness_over_mass)) * units.s / (2 * np.pi)
    return np.asarray(np.sign(stiffness_over_mass) * hertz / 1e12)
