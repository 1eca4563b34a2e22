"""What the report shows of each kind of candidate: which predicted columns, under which heading, how rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.units import STANDARD_TEMPERATURE_K, celsius_from_kelvin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hstore_workflows.target import Target

MISSING = "–"
"""Stands where a model has no answer."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN_FROM, _PLAIN_BELOW = 0.001, 1e5


@dataclass(frozen=True)
class Quantity:
    """A predicted property as the report prints and draws it."""

    column: str
    """Property name; the columns are ``<column>_mean, _std, _lower, _upper``."""
    heading: str
    """Heading in tables and on axes."""
    unit: str
    """Unit, as printed."""
    decimals: int | None
    """Decimals printed; None for two significant digits."""
    log: bool = False
    """True where an axis is logarithmic."""

    @property
    def axis(self) -> str:
        """Title of an axis."""
        return f"{self.heading} ({self.unit})"

    def text(self, value: float) -> str:
        """Print a value without its unit."""
        if self.decimals is None or not math.isfinite(value):
            return significant(value)
        return f"{value:.{self.decimals}f}".replace("-", "−")

    def mean(self, row: Mapping[str, Any]) -> str:
        """Print the mean of a candidate."""
        return self.text(float(row[f"{self.column}_mean"]))

    def interval(self, row: Mapping[str, Any]) -> str:
        """Print the 90 % interval of a candidate."""
        lower, upper = (self.text(float(row[f"{self.column}_{end}"])) for end in ("lower", "upper"))
        return f"{lower} to {upper}"


def significant(value: float, digits: int = 2) -> str:
    """Print a number with some significant digits, in powers of ten where it is very small or large."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if not _PLAIN_FROM <= abs(float(f"{value:.{digits - 1}e}")) < _PLAIN_BELOW:
        return f"{mantissa} · 10{str(exponent).translate(_SUPERSCRIPTS)}".replace("-", "−")
    rounded = round(value, digits - 1 - exponent)
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}".replace("-", "−")


def celsius(temperature_k: float) -> str:
    """Print a temperature given in K in degrees Celsius."""
    return f"{celsius_from_kelvin(temperature_k):.0f} °C".replace("-", "−")


def quantities(target: Target) -> tuple[Quantity, ...]:
    """Return the quantities shown for a target; the first two are also drawn with their intervals."""
    if target.kind == "hydride":
        assert target.swing is not None
        discharged = celsius(target.swing.discharge_temperature_k)
        return (
            Quantity("h2_capacity_wt_pct", "Capacity", "wt%", 1),
            Quantity("plateau_pressure_bar", f"Plateau at {discharged}", "bar", None, log=True),
            Quantity("desorption_enthalpy_kj_per_mol_h2", "ΔH desorption", "kJ/mol H₂", 0),
        )
    if target.kind == "sorbent":
        return (
            Quantity("usable_capacity_wt_pct", "Usable", "wt%", 1),
            Quantity("usable_capacity_g_per_l", "Usable", "g/L", 1),
        )
    assert target.requirement is not None
    at = celsius(target.requirement.temperature_k or STANDARD_TEMPERATURE_K)
    return (
        Quantity("log10_conductivity_s_per_cm", f"log₁₀ σ at {at}", "S/cm", 1),
        Quantity("activation_energy_ev", "Activation energy", "eV", 2),
    )
