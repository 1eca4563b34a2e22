"""Constants and conversions, in one place.

CODATA 2018 values (exact since the 2019 redefinition of the SI).
Canonical units inside hstore: K, bar, kJ/mol H2, J/(mol H2 K), wt%, g/L, S/cm, eV.
"""

from __future__ import annotations

from hstore.elements import ATOMIC_MASS_G_PER_MOL

GAS_CONSTANT_J_PER_MOL_K = 8.31446261815324
"""Molar gas constant, exact in CODATA 2018, J/(mol K)."""

BOLTZMANN_EV_PER_K = 8.617333262e-5
"""Boltzmann constant, CODATA 2018, eV/K."""

AVOGADRO_PER_MOL = 6.02214076e23
"""Avogadro constant, exact in CODATA 2018, 1/mol."""

H2_MOLAR_MASS_G_PER_MOL = 2 * ATOMIC_MASS_G_PER_MOL["H"]
"""Molar mass of H2, g/mol."""

BAR_PER_ATM = 1.01325
"""Standard atmosphere in bar, exact."""

KJ_PER_KCAL = 4.184
"""Thermochemical kilocalorie in kJ, exact."""

ZERO_CELSIUS_K = 273.15
"""0 degrees Celsius in kelvin, exact."""

STANDARD_TEMPERATURE_K = 298.15
"""25 degrees Celsius in kelvin."""


def kelvin_from_celsius(temperature_c: float) -> float:
    """Convert a temperature from degrees Celsius to kelvin."""
    return temperature_c + ZERO_CELSIUS_K


def celsius_from_kelvin(temperature_k: float) -> float:
    """Convert a temperature from kelvin to degrees Celsius."""
    return temperature_k - ZERO_CELSIUS_K


def bar_from_atm(pressure_atm: float) -> float:
    """Convert a pressure from standard atmospheres to bar."""
    return pressure_atm * BAR_PER_ATM
