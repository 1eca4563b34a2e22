"""Real-gas hydrogen, from the reference equation of state in CoolProp.

Normal hydrogen (75 % ortho, 25 % para), fundamental equation of Leachman et al., J. Phys. Chem. Ref. Data 38,
721 (2009), DOI 10.1063/1.3160306: density good to 0.1 % up to 1000 K and 20 000 bar. Hydrogen equilibrated at
77 K is half para, which changes its density there by less than 0.6 %. Below the critical temperature (33.1 K)
the stable phase is returned, liquid above the vapour pressure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, checked
from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MIN_TEMPERATURE_K = 14.0
"""Lowest temperature, K: just above the triple point (13.957 K)."""

MAX_TEMPERATURE_K = 1000.0
"""Highest temperature, K: end of the equation of state."""

MAX_PRESSURE_BAR = 20_000.0
"""Highest pressure, bar: end of the equation of state."""

_PA_PER_BAR = 1e5
_IDEAL_BELOW_BAR = 1e-9
_IDEAL_G_K_PER_L_BAR = 100 * H2_MOLAR_MASS_G_PER_MOL / GAS_CONSTANT_J_PER_MOL_K
_OUTPUTS = ("D", "Z", "alphar")


def h2_density_g_per_l(pressure_bar: ArrayLike, temperature_k: ArrayLike) -> FloatArray:
    """Return the density of hydrogen gas, g/L.

    Args:
        pressure_bar: pressure, bar, 0 to 20 000.
        temperature_k: temperature, K, 14 to 1000.

    Returns:
        Density, shape of the broadcast arguments; 0 at zero pressure, NaN where an argument is NaN.

    Raises:
        InputError: a state is outside the range of the equation of state.
    """
    return _properties(pressure_bar, temperature_k)[0]


def compressibility(pressure_bar: ArrayLike, temperature_k: ArrayLike) -> FloatArray:
    """Return the compressibility factor Z = p V/(n R T); arguments as in :func:`h2_density_g_per_l`."""
    return _properties(pressure_bar, temperature_k)[1]


def h2_fugacity_bar(pressure_bar: ArrayLike, temperature_k: ArrayLike) -> FloatArray:
    """Return the fugacity of hydrogen, bar; arguments and errors as in :func:`h2_density_g_per_l`.

    From the residual Helmholtz energy a_r of the equation of state, ln(f/p) = a_r/(RT) + Z - 1 - ln Z. It
    takes the place of the pressure in equilibria above about 100 bar (f/p = 1.06 at 100 bar and 300 K).
    """
    _, z, residual = _properties(pressure_bar, temperature_k)
    pressure = np.asarray(pressure_bar, dtype=np.float64)
    return np.asarray(pressure * np.exp(residual + z - 1 - np.log(z)))[()]


def _properties(pressure_bar: ArrayLike, temperature_k: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Density (g/L), compressibility and a_r/(RT) for broadcast states."""
    pressure = checked("pressure_bar", pressure_bar, low=0, high=MAX_PRESSURE_BAR)
    temperature = checked("temperature_k", temperature_k, low=MIN_TEMPERATURE_K, high=MAX_TEMPERATURE_K)
    if pressure.ndim == temperature.ndim == 0:
        density, z, residual = _at_one_state(float(pressure), float(temperature))
        return np.float64(density), np.float64(z), np.float64(residual)  # type: ignore[return-value]
    pressures, temperatures = np.broadcast_arrays(pressure, temperature)
    return _at_states(pressures, temperatures)


@lru_cache(maxsize=4096)
def _at_one_state(pressure_bar: float, temperature_k: float) -> tuple[float, float, float]:
    density, z, residual = _at_states(np.array([pressure_bar]), np.array([temperature_k]))
    return float(density[0]), float(z[0]), float(residual[0])


def _at_states(pressure_bar: FloatArray, temperature_k: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ask CoolProp for all states at once; the lowest pressures are ideal, NaN stays NaN."""
    density = _IDEAL_G_K_PER_L_BAR * pressure_bar / temperature_k
    z, residual = np.ones(density.shape), np.zeros(density.shape)
    z[np.isnan(density)] = residual[np.isnan(density)] = np.nan
    asked = ~np.isnan(density) & (pressure_bar > _IDEAL_BELOW_BAR)
    if np.any(asked):
        density[asked], z[asked], residual[asked] = _coolprop(pressure_bar[asked], temperature_k[asked])
    return density, z, residual


def _coolprop(pressure_bar: FloatArray, temperature_k: FloatArray) -> FloatArray:
    """Density, Z and a_r/(RT) as rows, shape (3, n_states)."""
    from CoolProp.CoolProp import PropsSI

    try:
        rows = [
            np.atleast_1d(PropsSI(name, "T", temperature_k, "P", pressure_bar * _PA_PER_BAR, "Hydrogen"))
            for name in _OUTPUTS
        ]
    except ValueError as error:
        raise InputError(_no_state(pressure_bar[0], temperature_k[0])) from error
    values = np.stack(rows)
    failed = ~np.isfinite(values).all(axis=0)
    if failed.any():
        first = int(np.argmax(failed))
        raise InputError(_no_state(pressure_bar[first], temperature_k[first]))
    return values


def _no_state(pressure_bar: float, temperature_k: float) -> str:
    return (
        f"the equation of state of hydrogen has no solution at pressure_bar={pressure_bar:g}, "
        f"temperature_k={temperature_k:g}; keep away from the melting line and the vapour-pressure curve"
    )
