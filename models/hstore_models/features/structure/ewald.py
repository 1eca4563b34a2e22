"""Electrostatic energy of the crystal with formal charges, by the sum of Ewald.

Ewald, Ann. Phys. 369, 253 (1921), doi 10.1002/andp.19213690304; cutoffs as surveyed by Toukmaji and Board,
doi 10.1016/0010-4655(96)00016-1. The energy is that of a neutral cell in a conducting surrounding, the usual
convention of solids.

Charges are the mean oxidation states guessed from the composition
(:mod:`hstore_models.features.structure.oxidation`). Where none balances, as in intermetallics, the energy is not
defined and the value is NaN; matminer, whose user decorates such a structure with zeros, gives 0.0 there. An
element alone has no charges and the energy 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.oxidation import oxidation_states

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry

COULOMB_EV_ANGSTROM = 14.3996454784255
"""e^2 / (4 pi eps0), eV angstrom (CODATA 2018)."""
DIGITS = 6.0
"""Decimal digits to which both sums are converged; matminer's own default is 4."""
_REACH = float(np.sqrt(DIGITS * np.log(10.0)))
"""Argument at which the error function and the Gaussian have fallen to the digits asked for."""
_REAL_COST = 50.0
"""Cost of a term in real space over one in reciprocal space; moves work between the sums, not the result."""
_LEAST_DISTANCE_ANGSTROM = 1e-3
_MAX_TERMS = 5e7


def ewald_energy(crystal: Crystal, charges: FloatArray) -> float:
    """Compute the electrostatic energy of a cell.

    Args:
        crystal: the crystal.
        charges: charge of each site, shape (n,), elementary charges; they must add to 0.

    Returns:
        Energy of the cell, eV.

    Raises:
        InputError: the charges do not balance, two charged sites coincide, or the cell is too flat or large.
    """
    if abs(charges.sum()) > 1e-6 * max(1.0, float(np.abs(charges).max())):
        raise InputError(f"charges must add to 0 in the cell, got {charges.sum():g}; balance them")
    charged = charges != 0
    if not charged.any():
        return 0.0
    q = charges[charged]
    screening = np.sqrt(np.pi) * (_REAL_COST * len(q) / crystal.volume_angstrom3**2) ** (1 / 6)
    real = _real_space(crystal, crystal.cartesian_angstrom[charged], q, screening)
    reciprocal = _reciprocal_space(crystal, crystal.fractional[charged], q, screening)
    itself = screening / np.sqrt(np.pi) * float(q @ q)
    return COULOMB_EV_ANGSTROM * (real + reciprocal - itself)


def _real_space(crystal: Crystal, positions: FloatArray, q: FloatArray, screening: float) -> float:
    from scipy.special import erfc
    from vesin import NeighborList

    cutoff_angstrom = _REACH / screening
    pairs = len(q) ** 2 * 4.2 * cutoff_angstrom**3 / crystal.volume_angstrom3
    if pairs > _MAX_TERMS:
        raise InputError(f"{pairs:.2g} pairs of charges are more than {_MAX_TERMS:g}; the cell is too large")
    first, second, distance = NeighborList(cutoff=cutoff_angstrom, full_list=False).compute(
        points=positions, box=crystal.lattice_angstrom, periodic=True, quantities="ijd"
    )
    if len(distance) and distance.min() < _LEAST_DISTANCE_ANGSTROM:
        raise InputError(f"two charged sites are {distance.min():.2g} A apart; correct the structure")
    return float(np.sum(q[first] * q[second] * erfc(screening * distance) / distance))


def _reciprocal_space(crystal: Crystal, fractional: FloatArray, q: FloatArray, screening: float) -> float:
    """Sum over the waves of a box that holds the sphere of the cutoff; phases factor along the three axes."""
    cutoff_per_angstrom = 2 * screening * _REACH
    h, k, m = (np.arange(-most, most + 1) for most in _waves(crystal.lattice_angstrom, cutoff_per_angstrom, len(q)))
    h = h[len(h) // 2 :]  # the other half are the same waves backwards
    angles = 2j * np.pi * fractional.T
    first, second, third = (np.exp(np.outer(indices, angle)) for indices, angle in zip((h, k, m), angles, strict=True))
    planes = ((q * first)[:, None, :] * second[None, :, :]).reshape(-1, len(q))
    structure_factor = (planes @ third.T).reshape(len(h), len(k), len(m))
    b1, b2, b3 = 2 * np.pi * np.linalg.inv(crystal.lattice_angstrom).T
    vectors = np.multiply.outer(h, b1)[:, None, None] + np.add.outer(np.outer(k, b2), np.outer(m, b3)).diagonal(
        axis1=1, axis2=3
    )
    squared = np.einsum("hkmi,hkmi->hkm", vectors, vectors)
    squared[0, len(k) // 2, len(m) // 2] = np.inf  # no wave at all
    weights = np.exp(-squared / (4 * screening**2)) / squared
    weights[0] /= 2
    power = structure_factor.real**2 + structure_factor.imag**2
    return float(4 * np.pi / crystal.volume_angstrom3 * np.vdot(weights, power))


def _waves(lattice: FloatArray, cutoff_per_angstrom: float, charges: int) -> IntArray:
    most = np.floor(cutoff_per_angstrom * np.linalg.norm(lattice, axis=1) / (2 * np.pi)).astype(np.int64)
    terms = float(np.prod(2.0 * most + 1)) * charges
    if terms > _MAX_TERMS:
        raise InputError(f"an Ewald sum of {terms:.2g} terms is too long (limit {_MAX_TERMS:g}); reduce the cell")
    return np.asarray(most)


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    states = oxidation_states(crystal.amounts)
    if states is None:
        return np.full(1, np.nan)
    charges = np.asarray([states[symbol] for symbol in crystal.symbols])
    return np.asarray([ewald_energy(crystal, charges) / len(crystal)])


EWALD = StructureFeaturizer(
    name="ewald",
    tier=1,
    columns=("ewald_energy_ev_per_atom",),
    compute=_compute,
    summary="Electrostatic energy of the charges guessed from the composition; NaN where none balances",
    source="Ewald 1921, doi 10.1002/andp.19213690304",
    matminer="matminer.featurizers.structure.misc:EwaldEnergy(accuracy=12)",
    tolerance=1e-4,
    parameters=(("digits", DIGITS),),
    packages=("scipy", "vesin"),
)
