"""What a hydride delivers between two gas states, and how probable that is.

A hydride works in a swing when it takes up hydrogen in the charged state (its absorption plateau there lies
below the charging pressure) and gives it back in the discharged state (its desorption plateau there lies
above the delivery pressure). Plateaux are taken as flat and kinetics as fast; both plateaux follow the
van 't Hoff equation of :mod:`hstore.thermo`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hstore.arrays import FloatArray, as_floats, checked
from hstore.thermo import (
    DEFAULT_HYSTERESIS,
    J_PER_KJ,
    Hysteresis,
    Swing,
    ln_plateau_pressure,
    ln_plateau_pressure_std,
)
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_TAIL = 40.0
"""Beyond 40 standard deviations a normal probability is 0 or 1 in double precision."""

_DEGENERATE = 1e-14
"""Below this 1 - correlation^2 the two variables are one; the error made is below 1e-7."""


class SwingMargins(NamedTuple):
    """How far a hydride satisfies the two conditions of a swing; both positive when it works."""

    absorption: FloatArray
    """ln(charging pressure / absorption plateau) in the charged state."""
    desorption: FloatArray
    """ln(desorption plateau / delivery pressure) in the discharged state."""


def swing_margins(
    enthalpy_kj_per_mol_h2: ArrayLike,
    entropy_j_per_mol_h2_k: ArrayLike,
    *,
    swing: Swing,
    hysteresis: Hysteresis = DEFAULT_HYSTERESIS,
) -> SwingMargins:
    """Return the two margins of a swing, in units of ln P.

    Args:
        enthalpy_kj_per_mol_h2: desorption enthalpies, kJ/mol H2, shape (n,) or scalar.
        entropy_j_per_mol_h2_k: desorption entropies, J/(mol H2 K), shape (n,) or scalar.
        swing: charged and discharged state, scalars or shape (n,).
        hysteresis: its mean ratio sets the absorption plateau.
    """
    charged, discharged = swing.charged, swing.discharged
    filling = ln_plateau_pressure(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, charged.temperature_k)
    emptying = ln_plateau_pressure(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, discharged.temperature_k)
    return SwingMargins(
        absorption=np.log(charged.pressure_bar) - (filling + hysteresis.ln_ratio),
        desorption=emptying - np.log(discharged.pressure_bar),
    )


def usable_capacity_wt_pct(
    reversible_capacity_wt_pct: ArrayLike,
    enthalpy_kj_per_mol_h2: ArrayLike,
    entropy_j_per_mol_h2_k: ArrayLike,
    *,
    swing: Swing,
    hysteresis: Hysteresis = DEFAULT_HYSTERESIS,
) -> FloatArray:
    """Return the capacity delivered in a swing: the reversible capacity where the swing works, else 0.

    Args:
        reversible_capacity_wt_pct: length of the plateau, wt% on any basis; the result is on the same one.
        enthalpy_kj_per_mol_h2: desorption enthalpies, kJ/mol H2.
        entropy_j_per_mol_h2_k: desorption entropies, J/(mol H2 K).
        swing: charged and discharged state.
        hysteresis: its mean ratio sets the absorption plateau.

    Returns:
        Usable capacity, wt%; NaN where an input is NaN.

    Raises:
        InputError: a capacity is negative.
    """
    capacity = checked("reversible_capacity_wt_pct", reversible_capacity_wt_pct, low=0)
    margins = swing_margins(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, swing=swing, hysteresis=hysteresis)
    smaller = np.minimum(margins.absorption, margins.desorption)
    return np.where(np.isnan(smaller), np.nan, np.where(smaller >= 0, capacity, 0.0))[()]


def swing_probability(
    enthalpy_kj_per_mol_h2: ArrayLike,
    entropy_j_per_mol_h2_k: ArrayLike,
    *,
    swing: Swing,
    enthalpy_std_kj_per_mol_h2: ArrayLike,
    entropy_std_j_per_mol_h2_k: ArrayLike,
    correlation: ArrayLike = 0.0,
    hysteresis: Hysteresis = DEFAULT_HYSTERESIS,
) -> FloatArray:
    """Return the probability that a hydride works in a swing.

    The desorption ln P when discharged and the absorption ln P when charged are linear in normal dH, dS and
    hysteresis, hence jointly normal; their joint probability is exact (see :func:`bivariate_normal_cdf`).

    Args:
        enthalpy_kj_per_mol_h2: means of the desorption enthalpy, kJ/mol H2, shape (n,) or scalar.
        entropy_j_per_mol_h2_k: means of the desorption entropy, J/(mol H2 K), shape (n,) or scalar.
        swing: charged and discharged state, scalars or shape (n,).
        enthalpy_std_kj_per_mol_h2: standard deviations of the enthalpy, kJ/mol H2, at least 0.
        entropy_std_j_per_mol_h2_k: standard deviations of the entropy, J/(mol H2 K), at least 0.
        correlation: correlations of enthalpy and entropy, -1 to 1.
        hysteresis: mean and spread of ln(P_abs/P_des), independent of dH and dS.

    Returns:
        Probabilities in [0, 1], shape of the broadcast arguments; NaN where an input is NaN.

    Raises:
        InputError: a standard deviation or correlation is outside its range.
    """
    margins = swing_margins(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, swing=swing, hysteresis=hysteresis)
    spread = {
        "enthalpy_std_kj_per_mol_h2": enthalpy_std_kj_per_mol_h2,
        "entropy_std_j_per_mol_h2_k": entropy_std_j_per_mol_h2_k,
        "correlation": correlation,
    }
    filling_std = np.hypot(ln_plateau_pressure_std(swing.charged.temperature_k, **spread), hysteresis.std)
    emptying_std = ln_plateau_pressure_std(swing.discharged.temperature_k, **spread)
    covariance = _ln_pressure_covariance(swing, **spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = filling_std * emptying_std
        together = np.where(product > 0, covariance / product, 0.0)
    return bivariate_normal_cdf(
        _standardized(margins.absorption, filling_std),
        _standardized(margins.desorption, emptying_std),
        -np.clip(together, -1, 1),
    )


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, correlation: ArrayLike) -> FloatArray:
    """Return P(X <= h, Y <= k) of two standard normal variables, for whole arrays at once.

    By Owen's T function (D. B. Owen, Ann. Math. Stat. 27, 1075 (1956), DOI 10.1214/aoms/1177728074), exact to
    rounding: 1e-14 absolute, so a probability below that is not resolved.

    Args:
        h: upper bounds of X, in standard deviations; may be infinite.
        k: upper bounds of Y, in standard deviations; may be infinite.
        correlation: correlation of X and Y, -1 to 1.

    Returns:
        Probabilities in [0, 1], shape of the broadcast arguments; NaN where an argument is NaN.

    Raises:
        InputError: a correlation is outside [-1, 1].
    """
    from scipy.special import ndtr, owens_t

    rho = checked("correlation", correlation, low=-1, high=1)
    # The formula divides by h and k; a bound of exactly 0 takes the limit from above.
    h, k = (np.clip(as_floats("bound", x), -_TAIL, _TAIL) for x in (h, k))
    h, k = (np.where(x == 0, np.finfo(np.float64).tiny, x) for x in (h, k))
    below_h, below_k = ndtr(h), ndtr(k)
    rest = (1 - rho) * (1 + rho)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        root = np.sqrt(rest)
        general = (
            (below_h + below_k) / 2
            - owens_t(h, (k / h - rho) / root)
            - owens_t(k, (h / k - rho) / root)
            - np.where((h > 0) == (k > 0), 0.0, 0.5)
        )
    same = np.minimum(below_h, below_k)
    opposite = np.maximum(below_h + below_k - 1, 0)
    degenerate = np.where(rho > 0, same, opposite)
    return np.asarray(np.clip(np.where(rest < _DEGENERATE, degenerate, general), 0, 1))[()]


def _standardized(margin: FloatArray, std: FloatArray) -> FloatArray:
    """Margin in standard deviations; infinite where there is no spread (a margin of 0 counts as met)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = np.where(np.isnan(margin), np.nan, np.where(margin >= 0, np.inf, -np.inf))
        return np.where(std == 0, certain, margin / std)


def _ln_pressure_covariance(
    swing: Swing,
    *,
    enthalpy_std_kj_per_mol_h2: ArrayLike,
    entropy_std_j_per_mol_h2_k: ArrayLike,
    correlation: ArrayLike,
) -> FloatArray:
    """Covariance of the desorption ln P in the two states, which share dH and dS."""
    enthalpy = J_PER_KJ * np.asarray(enthalpy_std_kj_per_mol_h2) / R
    entropy = np.asarray(entropy_std_j_per_mol_h2_k) / R
    charged, discharged = (1 / np.asarray(s.temperature_k) for s in (swing.charged, swing.discharged))
    shared = enthalpy**2 * charged * discharged + entropy**2
    return np.asarray(shared - np.asarray(correlation) * enthalpy * entropy * (charged + discharged))
