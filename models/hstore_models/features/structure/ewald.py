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
from hstore_models.compiled import PRELOAD, compiled
from hstore_models.features.structure.close_pairs import close_pairs
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.oxidation import oxidation_states

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry

COULOMB_EV_ANGSTROM = 14.3996454784255
"""e^2 / (4 pi eps0), eV angstrom (CODATA 2018)."""
DIGITS = 5.0
"""Decimal digits to which both sums are converged; matminer's default of 4 leaves errors up to 2e-4."""
_REACH = float(np.sqrt(DIGITS * np.log(10.0)))
"""Argument at which the error function and the Gaussian have fallen to the digits asked for."""
_REAL_COST = 6.0
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
    if not charges.any():
        return 0.0
    count = int(np.count_nonzero(charges))
    screening = float(np.sqrt(np.pi) * (_REAL_COST * count / crystal.volume_angstrom3**2) ** (1 / 6))
    real = _real_space(crystal, charges, screening)
    reciprocal = _reciprocal_space(crystal, charges, screening)
    itself = screening / np.sqrt(np.pi) * float(np.vdot(charges, charges))
    return float(COULOMB_EV_ANGSTROM * (real + reciprocal - itself))


def _real_space(crystal: Crystal, charges: FloatArray, screening: float) -> float:
    from scipy.special import erfc

    cutoff_angstrom = _REACH / screening
    pairs = float(np.count_nonzero(charges)) ** 2 * 4.2 * cutoff_angstrom**3 / crystal.volume_angstrom3
    if pairs > _MAX_TERMS:
        raise InputError(f"an Ewald sum of {pairs:.2g} pairs is too long (limit {_MAX_TERMS:g}); reduce the cell")
    first, second, distance = close_pairs(crystal, cutoff_angstrom, charges != 0)
    if len(distance) and distance.min() < _LEAST_DISTANCE_ANGSTROM:
        raise InputError(f"two charged sites are {distance.min():.2g} A apart; correct the structure")
    return float(np.sum(charges[first] * charges[second] * erfc(screening * distance) / distance))


def _reciprocal_space(crystal: Crystal, charges: FloatArray, screening: float) -> float:
    cutoff_per_angstrom = 2 * screening * _REACH
    lattice = crystal.lattice_angstrom
    most = np.floor(cutoff_per_angstrom * np.sqrt((lattice * lattice).sum(axis=1)) / (2 * np.pi)).astype(np.int64)
    charged = charges != 0
    terms = float(np.prod(2.0 * most + 1)) * float(charged.sum())
    if terms > _MAX_TERMS:
        raise InputError(f"an Ewald sum of {terms:.2g} terms is too long (limit {_MAX_TERMS:g}); reduce the cell")
    reciprocal = 2 * np.pi * np.linalg.inv(lattice).T
    total = compiled(_sum_waves)(
        reciprocal, crystal.fractional[charged], charges[charged], most, (cutoff_per_angstrom, screening)
    )
    return float(4 * np.pi / crystal.volume_angstrom3 * total)


def _sum_waves(  # noqa: C901 - compiled: one nest of loops
    reciprocal: FloatArray,
    fractional: FloatArray,
    charges: FloatArray,
    most: IntArray,
    limits: tuple[float, float],
) -> float:  # pragma: no cover - runs compiled
    """Sum exp(-G^2 / 4 a^2) |S(G)|^2 / G^2 over half of the waves G within the cutoff, of each pair G, -G one.

    The waves (h, k, m) and (h, k, -m) share their four sums of products.
    """
    cutoff, screening = limits
    n, total = len(charges), 0.0
    cosine, sine = np.empty((most[2] + 1, n)), np.empty((most[2] + 1, n))
    for m in range(most[2] + 1):
        for i in range(n):
            angle = 2 * np.pi * m * fractional[i, 2]
            cosine[m, i], sine[m, i] = np.cos(angle), np.sin(angle)
    real, imaginary = np.empty(n), np.empty(n)
    for h in range(most[0] + 1):
        for k in range(-most[1] if h else 0, most[1] + 1):
            for i in range(n):
                angle = 2 * np.pi * (h * fractional[i, 0] + k * fractional[i, 1])
                real[i], imaginary[i] = charges[i] * np.cos(angle), charges[i] * np.sin(angle)
            for m in range(most[2] + 1):
                upward, downward = 0.0, 0.0
                for axis in range(3):
                    part = h * reciprocal[0, axis] + k * reciprocal[1, axis]
                    upward += (part + m * reciprocal[2, axis]) ** 2
                    downward += (part - m * reciprocal[2, axis]) ** 2
                up = upward <= cutoff * cutoff and (h > 0 or k > 0 or m > 0)
                down = downward <= cutoff * cutoff and m > 0 and (h > 0 or k > 0)
                if not (up or down):
                    continue
                rc, rs, ic, im = 0.0, 0.0, 0.0, 0.0
                for i in range(n):
                    rc += real[i] * cosine[m, i]
                    rs += real[i] * sine[m, i]
                    ic += imaginary[i] * cosine[m, i]
                    im += imaginary[i] * sine[m, i]
                if up:
                    power = (rc - im) ** 2 + (rs + ic) ** 2
                    total += np.exp(-upward / (4 * screening * screening)) / upward * power
                if down:
                    power = (rc + im) ** 2 + (ic - rs) ** 2
                    total += np.exp(-downward / (4 * screening * screening)) / downward * power
    return total


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
    matminer="matminer.featurizers.structure.misc:EwaldEnergy()",
    tolerance=3e-4,  # matminer's own error; a converged sum (accuracy=12) agrees within 2e-5
    parameters=(("digits", DIGITS),),
    packages=("scipy",),
    preload=(*PRELOAD, "scipy.special"),
)
