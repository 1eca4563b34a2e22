"""Van 't Hoff thermodynamics of metal-hydride plateaux.

One sign convention throughout: ``ln(P / 1 bar) = dS/R - dH/(R T)`` with the enthalpy (kJ/mol H2) and entropy
(J/(mol H2 K)) of *desorption*, both positive for an ordinary hydride. A predicted pressure's mean is
``exp(E[ln P])``, the median of the log-normal distribution.

Valid where dH and dS do not depend on temperature (some 100 K around the measurements) and below the critical
temperature of the two-phase region, above which there is no plateau. Above about 100 bar the equation yields
the fugacity rather than the pressure (:func:`hstore.gas.h2_fugacity_bar`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, as_floats, checked
from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

J_PER_KJ = 1000.0
"""Joules per kilojoule, exact."""

Z_90 = 1.6448536269514722
"""Half width of the central 90 % interval of the normal distribution, in standard deviations."""


@dataclass(frozen=True)
class State:
    """A gas state that storage is brought to; scalars, or arrays of one shape for many rows."""

    pressure_bar: float | FloatArray
    """Hydrogen pressure, bar, above 0."""
    temperature_k: float | FloatArray
    """Temperature, K, above 0."""

    def __post_init__(self) -> None:
        """Refuse pressures and temperatures that are not positive."""
        checked("pressure_bar of a state", self.pressure_bar, above=0)
        checked("temperature_k of a state", self.temperature_k, above=0)


@dataclass(frozen=True)
class Swing:
    """A pressure or temperature swing: storage is filled in one state and emptied in the other."""

    charged: State
    """State in which hydrogen is taken up."""
    discharged: State
    """State in which hydrogen is released."""


@dataclass(frozen=True)
class Hysteresis:
    """Ratio of absorption to desorption plateau pressure at one temperature, as a natural logarithm.

    A cycle loses the free energy (RT/2) ln(P_abs/P_des) per mole of H atoms (thermodynamics: "Isobaric and
    isothermal hysteresis in metal hydrides and oxides", 1986, DOI 10.1039/f19868202589). Its size is *not*
    predicted: it differs between alloy families and with annealing and cycling, so the default is a stated
    assumption, to be replaced by a measured value where there is one.
    """

    ln_ratio: float = 0.4
    """Mean of ln(P_abs/P_des), dimensionless, at least 0."""
    lower: float = 0.0
    """Lower end of the 90 % interval of ln(P_abs/P_des)."""
    upper: float = 0.8
    """Upper end of the 90 % interval of ln(P_abs/P_des)."""
    basis: str = (
        "stated assumption, adjustable: annealed AB5 alloys show about 0.1 to 0.3, "
        "TiFe and many AB2 alloys 0.5 to 1"
    )
    """Where the numbers come from."""

    def __post_init__(self) -> None:
        """Refuse a mean outside its own interval."""
        if not 0 <= self.lower <= self.ln_ratio <= self.upper < np.inf:
            raise InputError(
                "hysteresis needs 0 <= lower <= ln_ratio <= upper, "
                f"got lower={self.lower}, ln_ratio={self.ln_ratio}, upper={self.upper}"
            )

    @property
    def std(self) -> float:
        """Standard deviation of the normal distribution with this 90 % width."""
        return (self.upper - self.lower) / (2 * Z_90)


DEFAULT_HYSTERESIS = Hysteresis()
"""Used wherever none is given; results that depend on it carry its ``basis``."""

NO_HYSTERESIS = Hysteresis(0.0, 0.0, 0.0, "absorption and desorption taken as equal")
"""For calculations at equilibrium."""


def ln_plateau_pressure(
    enthalpy_kj_per_mol_h2: ArrayLike, entropy_j_per_mol_h2_k: ArrayLike, temperature_k: ArrayLike
) -> FloatArray:
    """Return the natural logarithm of the desorption plateau pressure over 1 bar (van 't Hoff).

    Args:
        enthalpy_kj_per_mol_h2: desorption enthalpy, kJ/mol H2.
        entropy_j_per_mol_h2_k: desorption entropy, J/(mol H2 K), standard pressure 1 bar.
        temperature_k: temperature, K, above 0.

    Returns:
        ln(P / 1 bar), shape of the broadcast arguments.

    Raises:
        InputError: a temperature is not positive.
    """
    temperature = checked("temperature_k", temperature_k, above=0)
    enthalpy = as_floats("enthalpy_kj_per_mol_h2", enthalpy_kj_per_mol_h2)
    entropy = as_floats("entropy_j_per_mol_h2_k", entropy_j_per_mol_h2_k)
    return np.asarray(entropy / R - J_PER_KJ * enthalpy / (R * temperature))[()]


def plateau_pressure_bar(
    enthalpy_kj_per_mol_h2: ArrayLike, entropy_j_per_mol_h2_k: ArrayLike, temperature_k: ArrayLike
) -> FloatArray:
    """Return the desorption plateau pressure, bar; arguments as in :func:`ln_plateau_pressure`.

    Values beyond the range of a double come out as 0 or infinity.
    """
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(ln_plateau_pressure(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, temperature_k))


def plateau_temperature_k(
    enthalpy_kj_per_mol_h2: ArrayLike, entropy_j_per_mol_h2_k: ArrayLike, pressure_bar: ArrayLike = 1.0
) -> FloatArray:
    """Return the temperature at which the desorption plateau lies at a pressure: T = dH / (dS - R ln p).

    Args:
        enthalpy_kj_per_mol_h2: desorption enthalpy, kJ/mol H2.
        entropy_j_per_mol_h2_k: desorption entropy, J/(mol H2 K).
        pressure_bar: plateau pressure sought, bar, above 0.

    Returns:
        Temperature, K; NaN where no positive finite temperature has this plateau pressure.

    Raises:
        InputError: a pressure is not positive.
    """
    pressure = checked("pressure_bar", pressure_bar, above=0)
    enthalpy = as_floats("enthalpy_kj_per_mol_h2", enthalpy_kj_per_mol_h2)
    entropy = as_floats("entropy_j_per_mol_h2_k", entropy_j_per_mol_h2_k)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        temperature = J_PER_KJ * enthalpy / (entropy - R * np.log(pressure))
    return np.where((temperature > 0) & np.isfinite(temperature), temperature, np.nan)[()]


def ln_plateau_pressure_std(
    temperature_k: ArrayLike,
    *,
    enthalpy_std_kj_per_mol_h2: ArrayLike,
    entropy_std_j_per_mol_h2_k: ArrayLike,
    correlation: ArrayLike = 0.0,
) -> FloatArray:
    """Return the standard deviation of ln P from those of dH and dS; exact, as ln P is linear in both.

    Args:
        temperature_k: temperature, K, above 0.
        enthalpy_std_kj_per_mol_h2: standard deviation of the desorption enthalpy, kJ/mol H2, at least 0.
        entropy_std_j_per_mol_h2_k: standard deviation of the desorption entropy, J/(mol H2 K), at least 0.
        correlation: correlation of dH and dS, -1 to 1; van 't Hoff fits have values near 1, which cancel
            most of the spread inside the measured temperatures.

    Returns:
        Standard deviation of ln(P / 1 bar), shape of the broadcast arguments.

    Raises:
        InputError: a temperature, standard deviation or correlation is outside its range.
    """
    temperature = checked("temperature_k", temperature_k, above=0)
    from_enthalpy = (
        J_PER_KJ * checked("enthalpy_std_kj_per_mol_h2", enthalpy_std_kj_per_mol_h2, low=0) / (R * temperature)
    )
    from_entropy = checked("entropy_std_j_per_mol_h2_k", entropy_std_j_per_mol_h2_k, low=0) / R
    rho = checked("correlation", correlation, low=-1, high=1)
    # (a - b)^2 + 2 (1 - rho) a b: no cancellation below zero when rho is near 1.
    variance = (from_enthalpy - from_entropy) ** 2 + 2 * (1 - rho) * from_enthalpy * from_entropy
    return np.sqrt(variance)


def plateau_temperature_std_k(
    enthalpy_kj_per_mol_h2: ArrayLike,
    entropy_j_per_mol_h2_k: ArrayLike,
    pressure_bar: ArrayLike = 1.0,
    *,
    enthalpy_std_kj_per_mol_h2: ArrayLike,
    entropy_std_j_per_mol_h2_k: ArrayLike,
    correlation: ArrayLike = 0.0,
) -> FloatArray:
    """Return the standard deviation of the plateau temperature, K, to first order (delta method).

    It is that of ln P at the plateau temperature over the slope d(ln P)/dT = dH/(R T^2). Good while it stays
    well below the temperature itself; arguments as in :func:`plateau_temperature_k` and
    :func:`ln_plateau_pressure_std`. NaN where there is no plateau temperature.
    """
    temperature = plateau_temperature_k(enthalpy_kj_per_mol_h2, entropy_j_per_mol_h2_k, pressure_bar)
    enthalpy = as_floats("enthalpy_kj_per_mol_h2", enthalpy_kj_per_mol_h2)
    spread = ln_plateau_pressure_std(
        temperature,
        enthalpy_std_kj_per_mol_h2=enthalpy_std_kj_per_mol_h2,
        entropy_std_j_per_mol_h2_k=entropy_std_j_per_mol_h2_k,
        correlation=correlation,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(spread * R * temperature**2 / (J_PER_KJ * np.abs(enthalpy)))[()]


def absorption_pressure_bar(
    desorption_pressure_bar: ArrayLike, hysteresis: Hysteresis = DEFAULT_HYSTERESIS
) -> FloatArray:
    """Return the absorption plateau pressure, bar, that belongs to a desorption plateau pressure.

    Args:
        desorption_pressure_bar: desorption plateau pressure, bar, at least 0.
        hysteresis: ratio of the two pressures.

    Raises:
        InputError: a pressure is negative.
    """
    desorption = checked("desorption_pressure_bar", desorption_pressure_bar, low=0)
    return np.asarray(desorption * np.exp(hysteresis.ln_ratio))[()]
