"""Gases other than H2 that hydrides give off: their energies by a potential, and how far off it is.

A molecule stands alone in a box, as H2 does, is relaxed, and has its harmonic frequencies by finite differences;
to the static energy come the zero point and, for an ideal gas of rotors, H(T) - H(0). Entropies are measured ones.
Potentials trained on crystals know molecules badly. What they make of the formation enthalpy is therefore held
against the measured one, and the difference is the error to reckon with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError, unknown_name
from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K
from hstore_models.physics.h2_reference import BOX_ANGSTROM
from hstore_models.physics.relaxing import RelaxSettings, relax
from hstore_models.physics.vibrations import energy_of, molecule_thz

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_models.physics.potential import Potential
    from hstore_models.physics.relaxing import Relaxed

H2_ENTROPY_J_PER_MOL_K = 130.68
"""Entropy of H2 at 298.15 K and 1 bar, J/(mol K); NIST-JANAF Thermochemical Tables (Chase 1998)."""


@dataclass(frozen=True)
class _Molecule:
    """A molecule as it starts, and what is measured of it."""

    symbols: tuple[str, ...]
    places_angstrom: tuple[tuple[float, float, float], ...]
    """Start of the relaxation, angstrom."""
    elements: Mapping[str, float]
    """Elements in their standard state -> units, of which one molecule is made."""
    formation_kj_per_mol: float
    """Enthalpy of formation at 298.15 K, kJ/mol; NIST-JANAF (Chase 1998)."""
    entropy_j_per_mol_k: float
    """Entropy at 298.15 K and 1 bar, J/(mol K); NIST-JANAF (Chase 1998)."""
    linear: bool = False

    @property
    def rigid_modes(self) -> int:
        """Translations and rotations."""
        return 5 if self.linear else 6


MOLECULES: dict[str, _Molecule] = {
    "NH3": _Molecule(
        ("N", "H", "H", "H"),
        ((0.0, 0.0, 0.1), (0.0, 0.94, -0.27), (0.81, -0.47, -0.27), (-0.81, -0.47, -0.27)),
        {"N2": 0.5, "H2": 1.5},
        -45.898,
        192.774,
    ),
    "B2H6": _Molecule(
        ("B", "B", "H", "H", "H", "H", "H", "H"),
        (
            (0.88, 0.0, 0.0), (-0.88, 0.0, 0.0), (0.0, 0.0, 0.98), (0.0, 0.0, -0.98),
            (1.46, 1.04, 0.0), (1.46, -1.04, 0.0), (-1.46, 1.04, 0.0), (-1.46, -1.04, 0.0),
        ),
        {"B": 2.0, "H2": 3.0},
        41.003,
        233.17,
    ),
    "N2": _Molecule(("N", "N"), ((0.0, 0.0, 0.55), (0.0, 0.0, -0.55)), {"N2": 1.0}, 0.0, 191.609, linear=True),
}  # fmt: skip
"""Formula -> molecule: the by-products, and nitrogen, from which NH3 is formed."""


@dataclass(frozen=True)
class Gas:
    """A molecule by one potential."""

    formula: str
    """Formula."""
    relaxed: Relaxed
    """The molecule in its box, with its energy at rest."""
    thermal_ev: float
    """Zero point and H(T) - H(0) of the ideal gas, eV."""

    @property
    def entropy_j_per_mol_k(self) -> float:
        """Measured entropy at 298.15 K and 1 bar, J/(mol K)."""
        return MOLECULES[self.formula].entropy_j_per_mol_k


def gas(potential: Potential, formula: str, *, temperature_k: float = STANDARD_TEMPERATURE_K) -> Gas:
    """Return a molecule as a potential has it.

    Args:
        potential: what computes energies and forces.
        formula: a key of :data:`MOLECULES`.
        temperature_k: temperature of the thermal part, K, at least 0.

    Raises:
        UnknownNameError: there is no such molecule here.
        InputError: the potential does not hold it together, or its shape is no minimum.
    """
    if formula not in MOLECULES:
        raise unknown_name("gas", formula, MOLECULES)
    molecule = MOLECULES[formula]
    start = Crystal(
        np.eye(3) * BOX_ANGSTROM,
        np.asarray(molecule.places_angstrom) / BOX_ANGSTROM + 0.5,
        np.array([SYMBOLS.index(symbol) + 1 for symbol in molecule.symbols]),
    )
    settings = RelaxSettings(force_most_ev_per_angstrom=0.01, rattle_angstrom=0.0, fixed_cell=True)
    found = relax(start, potential, settings)
    if not found.converged:
        raise InputError(f"{potential.key} gives no {formula} molecule ({found.cause}); take another potential")
    frequencies = molecule_thz(found.crystal, potential)
    inner = frequencies[np.argsort(np.abs(frequencies))][molecule.rigid_modes :]
    if (inner < 0).any():
        raise InputError(
            f"{potential.key} has no minimum of the shape of {formula}: {int((inner < 0).sum())} imaginary "
            "vibrations; take another potential"
        )
    moving = energy_of(inner, np.ones_like(inner), temperature_k).enthalpy_ev
    # Half kT for each translation and rotation, and kT for pressure times volume.
    moving += (molecule.rigid_modes / 2 + 1) * BOLTZMANN_EV_PER_K * temperature_k
    return Gas(formula, found, moving)
