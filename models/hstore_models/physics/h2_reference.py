"""The energy of hydrogen gas, to which every reaction enthalpy refers.

The default reference is the potential's own molecule, alone in a box, so that the errors of molecule and
crystal can cancel and nothing is borrowed from another code. What is left over is a constant, about the same
for all hydrides of a potential; the calibration (:mod:`hstore_models.physics.calibrated`) carries it. From the
bottom of the well to the gas at 298.15 K stand the zero point of H2 and the enthalpy it takes up on warming:

- zero-point energy 26.07 kJ/mol: 2179.3 cm-1, Irikura 2007, doi 10.1063/1.2436891;
- H(298.15 K) - H(0) = 8.467 kJ/mol, CODATA key values (Cox, Wagman and Medvedev 1989).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.physics.reaction import PhaseEnergy
from hstore_models.physics.relaxing import RelaxSettings, relax

if TYPE_CHECKING:
    from hstore_models.physics.potential import Potential

BOX_ANGSTROM = 10.0
"""Edge of the box; potentials see no further than about 6 angstrom."""
BOND_ANGSTROM = 0.7414
"""Equilibrium bond of H2, angstrom (Huber and Herzberg 1979); the start of the relaxation."""
ZERO_POINT_KJ_PER_MOL = 26.07
"""Zero-point energy of H2, kJ/mol; doi 10.1063/1.2436891."""
WARMING_KJ_PER_MOL = 8.467
"""H(298.15 K) - H(0) of H2 gas, kJ/mol; CODATA key values."""
_WARM_LEAST_K = 200.0
_WARM_MOST_K = 1000.0
_HEAT_CAPACITY_R = 3.5
"""Heat capacity of a linear rotor at constant pressure over R; good to 2 % for H2 from 250 to 700 K."""


def h2_energy(potential: Potential) -> PhaseEnergy:
    """Return the energy of the potential's own H2 molecule, eV, at its own bond length.

    Raises:
        InputError: the potential does not hold the molecule together.
    """
    box = np.eye(3) * BOX_ANGSTROM
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, BOND_ANGSTROM / BOX_ANGSTROM]])
    settings = RelaxSettings(force_most_ev_per_angstrom=0.01, rattle_angstrom=0.0, fixed_cell=True)
    found = relax(Crystal(box, places, np.array([1, 1])), potential, settings)
    if not found.converged:
        raise InputError(
            f"{potential.key} gives no H2 molecule ({found.cause}); choose a potential trained on hydrogen"
        )
    return PhaseEnergy(found.energy_ev, potential.key)


def h2_thermal_kj_per_mol(temperature_k: float = STANDARD_TEMPERATURE_K) -> float:
    """Return what H2 gas has above the bottom of its well: zero point and H(T) - H(0), kJ/mol.

    Args:
        temperature_k: 200 to 1000 K, or 0; away from 298.15 K by the heat capacity of a linear rotor, 7/2 R.

    Raises:
        InputError: the temperature is outside the range.
    """
    if temperature_k == 0:
        return ZERO_POINT_KJ_PER_MOL
    if not _WARM_LEAST_K <= temperature_k <= _WARM_MOST_K:
        raise InputError(
            f"the enthalpy of H2 gas is known here from {_WARM_LEAST_K:g} to {_WARM_MOST_K:g} K, "
            f"got {temperature_k:g}"
        )
    heating = _HEAT_CAPACITY_R * GAS_CONSTANT_J_PER_MOL_K * (temperature_k - STANDARD_TEMPERATURE_K) / 1000
    return ZERO_POINT_KJ_PER_MOL + WARMING_KJ_PER_MOL + heating
