"""Hold back values that can hardly be true, and say which slip of unit or decimal point would explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.capacity import (
    MASS_BASES,
    MOST_H_PER_METAL,
    convert_mass_basis,
    gravimetric_capacity_wt_pct,
    hydride_amounts_from,
    hydrogen_to_metal,
)
from hstore.properties import PROPERTIES
from hstore.units import KJ_PER_KCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray
    from hstore.records import Basis

USUAL: Mapping[str, tuple[float, float, str]] = {
    "h2_capacity_wt_pct": (0.0, 20.0, "LiBH4 and NH3BH3, the richest, hold 18.5 and 19.6 wt%"),
    "h2_density_g_per_l": (0.0, 180.0, "Mg2FeH6 and Al(BH4)3 hold about 150 g/L"),
    "h2_uptake_wt_pct": (0.0, 25.0, "the lightest frameworks hold less at 77 K and 100 bar"),
    "usable_capacity_wt_pct": (0.0, 20.0, "no store delivers more"),
    "usable_capacity_g_per_l": (0.0, 90.0, "liquid hydrogen has 71 g/L"),
    "desorption_enthalpy_kj_per_mol_h2": (0.0, 250.0, "positive means that release takes up heat"),
    "desorption_entropy_j_per_mol_h2_k": (40.0, 200.0, "gas alone has 131 J/(mol K) at 298 K"),
    "plateau_pressure_bar": (1e-15, 2e4, "no autoclave goes so far"),
    "log10_conductivity_s_per_cm": (-18.0, 0.3, "the value is the decimal logarithm of S/cm"),
    "activation_energy_ev": (0.02, 3.0, "ions that move need 0.1 to 1.5 eV"),
    "energy_above_hull_ev_per_atom": (0.0, 2.0, "solids decompose long before"),
    "formation_energy_ev_per_atom": (-5.0, 2.0, "fluorides and oxides, the most stable, have about -4 eV/atom"),
}
"""Property -> range of what has been measured, and a word on its ends; the rest is to be confirmed."""
_SLACK_WT_PCT = 0.3
_ALL = 100.0
_SLIPS = (KJ_PER_KCAL, 1000.0, 100.0, 10.0)
_DEVIATIONS = 6.0
_SPANS = 3.0
_LIKELY_DEVIATIONS = 3.0
_SMALLEST_PRESSURE_BAR = 1e-30


@dataclass(frozen=True)
class Expectation:
    """What a value of one material should be about."""

    mean: float
    """Expected value; of a pressure, of its natural logarithm."""
    std: float
    """Standard deviation of the expectation."""
    span: float
    """Highest minus lowest value of the pool, as far as it is known."""
    source: str
    """Where this comes from, in words."""
    logarithm: bool = False
    """True where values are compared by their logarithms."""

    def distance(self, value: float) -> float:
        """Return how far a value lies from the expectation."""
        return abs(_scaled(value, logarithm=self.logarithm) - self.mean)

    def unlikely(self, value: float) -> bool:
        """Tell whether a value is both far beyond the prediction and far beyond the pool."""
        return self.distance(value) > max(_DEVIATIONS * self.std, _SPANS * self.span)


def in_range(column: str, value: float) -> bool:
    """Tell whether a value lies in the believable range of its property."""
    bounds = PROPERTIES.get(column)
    return bounds is None or bounds.low <= value <= bounds.high


def doubt(column: str, value: float, expected: Expectation | None) -> str:
    """Return why a value is held back, with the slip that would explain it; empty where nothing is wrong."""
    bounds = PROPERTIES.get(column)
    outside = not in_range(column, value)
    if not outside and (expected is None or not expected.unlikely(value)):
        return ""
    if bounds is not None and outside:
        cause = f"{column} must lie in [{bounds.low:g}, {bounds.high:g}] {bounds.unit}, got {value:g}"
    else:
        assert expected is not None
        of = "ln " if expected.logarithm else ""
        cause = (
            f"{column} {value:g} is {expected.distance(value) / expected.std:.0f} standard deviations from what "
            f"was {expected.source} ({of}{expected.mean:.3g})"
        )
    return f"{cause}{_slip(column, value, expected)}"


def unusual(column: str, value: float) -> str:
    """Return why a value inside the range of its property is held back all the same; empty where it is usual."""
    low, high, word = USUAL.get(column, (-np.inf, np.inf, ""))
    if low <= value <= high:
        return ""
    slip = "; a change of sign would explain it" if value < low <= -value <= high else ""
    unit = PROPERTIES[column].unit
    return f"{column} {value:g} lies outside what has been measured, {low:g} to {high:g} {unit} ({word}){slip}"


def beyond_composition(value: float, basis: Basis, amounts: Mapping[str, float], *, metallic: bool) -> str:
    """Return why a composition cannot hold a capacity; empty where it can.

    Args:
        value: capacity, wt% on the mass basis.
        basis: definitions it follows; without a mass basis it is per hydrogenated mass.
        amounts: amounts of the elements as the lab writes them, hydrogen included where it is a hydride.
        metallic: True where the host is made of metals, B, Si, Ge or Sb only.
    """
    given = basis.mass_basis or "hydrogenated_material"
    whole = value if MASS_BASES[given] else float(convert_mass_basis(value, given=given, wanted="sorbent_plus_h2"))
    if "H" in amounts:
        most = gravimetric_capacity_wt_pct(amounts)
        if whole > most + _SLACK_WT_PCT:
            return f"h2_capacity_wt_pct {value:g} is more than all hydrogen of the formula, {most:.3g} wt%"
        return ""
    if metallic and 0 < whole < _ALL:
        ratio = hydrogen_to_metal(hydride_amounts_from(amounts, whole))
        if ratio > MOST_H_PER_METAL:
            return (
                f"h2_capacity_wt_pct {value:g} would be {ratio:.3g} H per metal atom; no hydride has more than "
                f"{MOST_H_PER_METAL:g}"
            )
    return ""


def _slip(column: str, value: float, expected: Expectation | None) -> str:
    """Name the factors that would make the value a likely one."""
    found = []
    for factor in _SLIPS:
        for made, sign in ((value / factor, "/"), (value * factor, "x")):
            inside = in_range(column, made)
            if inside and expected is not None:
                inside = expected.distance(made) <= max(_LIKELY_DEVIATIONS * expected.std, expected.span)
            if inside and (expected is not None or sign == "/"):
                found.append(f"{made:.3g} ({sign} {factor:g})")
    return f"; a slip of unit would make it {' or '.join(found[:2])}" if found else ""


def _scaled(value: float, *, logarithm: bool) -> float:
    return float(np.log(max(value, _SMALLEST_PRESSURE_BAR))) if logarithm else value


def logarithms(values: FloatArray) -> FloatArray:
    """Return natural logarithms of pressures; those of nothing are those of almost nothing."""
    return np.asarray(np.log(np.maximum(values, _SMALLEST_PRESSURE_BAR)))
