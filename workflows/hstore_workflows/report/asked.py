"""What a target asks of the candidates, as lines and bands on the design map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.thermo import DEFAULT_HYSTERESIS, J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_workflows.report.plot import GREEN, VERMILLION, note, power_ticks, titled
from hstore_workflows.report.quantities import celsius, quantities, significant

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.target import Target

_SHOWN_LOG10_BAR = (-8.0, 5.0)
_LOWEST_LOG10_S_PER_CM = -12.0
_HEADROOM = 0.2
"""Free part of the map above the best candidates, where the ranks are written."""

_LN10 = float(np.log(10.0))
_OFF_SCALE = 2.5
"""A requirement above this multiple of the best candidate would squeeze the map; it is named instead."""


@dataclass
class Asked:
    """Axes of the map, with the requirements drawn on them."""

    x: dict[str, Any]
    """Plotly's x axis."""
    y: dict[str, Any]
    """Plotly's y axis."""
    words: str
    """What the lines and bands mean, for the caption."""
    shapes: list[dict[str, Any]] = field(default_factory=list)
    """Lines and bands."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    """Their labels."""

    def line(self, axis: str, at: float, label: str, *, main: bool) -> None:
        """Draw a requirement across the map, solid where candidates are ranked by it."""
        other = "y" if axis == "x" else "x"
        self.shapes.append(
            {
                "type": "line",
                f"{axis}0": at,
                f"{axis}1": at,
                f"{other}0": 0,
                f"{other}1": 1,
                f"{other}ref": "paper",
                "layer": "below",
                "line": {"color": VERMILLION, "width": 1.5, "dash": "solid" if main else "dot"},
            }
        )
        if axis == "y":
            place: dict[str, Any] = {"x": 1, "xref": "paper", "xanchor": "right", "y": at, "yanchor": "bottom"}
        else:
            place = {"x": at, "xanchor": "left", "y": 0, "yref": "paper", "yanchor": "bottom", "textangle": 90}
        self.notes.append(note(label, **place))


def coordinates(candidates: pd.DataFrame, target: Target) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the place of each candidate on the map, each of shape ``(n,)``; pressures as log10."""
    x, y = {
        "hydride": ("plateau_pressure_bar", "h2_capacity_wt_pct"),
        "sorbent": ("usable_capacity_g_per_l", "usable_capacity_wt_pct"),
        "electrolyte": ("activation_energy_ev", "log10_conductivity_s_per_cm"),
    }[target.kind]
    across = candidates[f"{x}_mean"].to_numpy(dtype=float)
    if target.kind == "hydride":
        with np.errstate(divide="ignore"):
            across = np.log10(across)
    return across, candidates[f"{y}_mean"].to_numpy(dtype=float)


def asked_of(candidates: pd.DataFrame, target: Target) -> Asked:
    """Return the axes and requirements of a target for these candidates."""
    return {"hydride": _hydride, "sorbent": _sorbent, "electrolyte": _electrolyte}[target.kind](candidates, target)


def charge_bound_log10_bar(enthalpy_kj_per_mol_h2: float, target: Target) -> float:
    """Return the highest desorption plateau in the discharged state with which a hydride can still be charged.

    The absorption plateau in the charged state must lie below the charging pressure; van 't Hoff carries it to
    the discharge temperature with the enthalpy.
    """
    assert target.swing is not None
    swing = target.swing
    shift = 1 / swing.charge_temperature_k - 1 / swing.discharge_temperature_k
    slope = J_PER_KJ * enthalpy_kj_per_mol_h2 / GAS_CONSTANT_J_PER_MOL_K
    ln_bar = np.log(swing.charge_pressure_bar) - DEFAULT_HYSTERESIS.ln_ratio + slope * shift
    return float(ln_bar / _LN10)


def _hydride(candidates: pd.DataFrame, target: Target) -> Asked:
    assert target.swing is not None
    swing = target.swing
    enthalpy = _typical_enthalpy(candidates)
    low, high = float(np.log10(swing.discharge_pressure_bar)), charge_bound_log10_bar(enthalpy, target)
    capacity = quantities(target)[0]
    x, y = coordinates(candidates, target)
    left, right = _SHOWN_LOG10_BAR
    outside = int(((x < left) | (x > right)).sum())
    extent = (max(left, _lowest(x) - 0.4), min(right, max(_highest(x), high) + 0.4))
    asked = Asked(
        x=titled(
            f"desorption plateau at {celsius(swing.discharge_temperature_k)} (bar)",
            range=list(extent),
            **power_ticks(*extent),
        ),
        y=titled(f"{capacity.heading} ({capacity.unit})"),
        words=(
            f"The band is the window of the swing: above {swing.discharge_pressure_bar:g} bar a hydride delivers "
            f"when discharged, below {significant(10**high)} bar it can still be charged; the second bound "
            f"depends on the enthalpy and is drawn for {enthalpy:.0f} kJ/mol H₂. "
            + (f"{outside:,} candidates lie outside 10⁻⁸ to 10⁵ bar. " if outside else "")
        ),
    )
    if high > low:
        asked.shapes.append(_band(low, high))
        asked.notes.append(note("works in the swing", x=(low + high) / 2, y=1, yref="paper", yanchor="bottom"))
    _capacity_lines(asked, "y", "wt%", y, target)
    return asked


def _sorbent(candidates: pd.DataFrame, target: Target) -> Asked:
    gravimetric, volumetric = quantities(target)[:2]
    x, y = coordinates(candidates, target)
    asked = Asked(
        x=titled("usable capacity (g/L of crystal)"),
        y=titled("usable capacity (wt%, with hydrogen)"),
        words="Lines are what the targets ask of the material. ",
    )
    assert gravimetric.unit != volumetric.unit
    _capacity_lines(asked, "y", gravimetric.unit, y, target)
    _capacity_lines(asked, "x", volumetric.unit, x, target)
    return asked


def _electrolyte(candidates: pd.DataFrame, target: Target) -> Asked:
    assert target.requirement is not None
    assert target.requirement.log10_conductivity_s_per_cm is not None
    conductivity, energy = quantities(target)[:2]
    x, y = coordinates(candidates, target)
    lowest = max(_LOWEST_LOG10_S_PER_CM, _lowest(y) - 0.5)
    asked = Asked(
        x=titled(energy.axis, range=[0.0, 1.05 * _highest(x)]),
        y=titled(conductivity.axis, range=[lowest, _highest(y) + _HEADROOM * (_highest(y) - lowest)]),
        words="The line is the conductivity asked for. ",
    )
    minimum = target.requirement.log10_conductivity_s_per_cm
    asked.line("y", minimum, f"asked: {10**minimum:.2g} S/cm", main=True)
    return asked


def _band(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": low,
        "x1": high,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "layer": "below",
        "fillcolor": GREEN,
        "opacity": 0.13,
        "line": {"width": 0},
    }


def _capacity_lines(asked: Asked, axis: str, unit: str, values: NDArray[np.float64], target: Target) -> None:
    """Draw what each target year (or the requirement) asks, or say that it is off the scale."""
    best = _highest(values)
    far = []
    for label, needed, main in requirement_lines(target, unit):
        words = f"{label}: {needed:.3g} {unit}"
        if needed > _OFF_SCALE * best:
            far.append(words)
        else:
            asked.line(axis, needed, words, main=main)
    if far:
        asked.words += f"Off the scale: {', '.join(far)}. "


def requirement_lines(target: Target, unit: str) -> list[tuple[str, float, bool]]:
    """Return label, value and whether candidates are ranked by it, for requirements in ``wt%`` or ``g/L``."""
    if target.system_target is not None:
        return [
            (year, needed.usable_capacity_wt_pct if unit == "wt%" else needed.usable_capacity_g_per_l,
             year == target.system_target.year)
            for year, needed in target.material_requirements().items()
        ]  # fmt: skip
    assert target.requirement is not None
    value = target.requirement.h2_capacity_wt_pct if unit == "wt%" else target.requirement.h2_density_g_per_l
    return [] if value is None else [("asked", value, True)]


def _typical_enthalpy(candidates: pd.DataFrame) -> float:
    """Return the mean enthalpy of the candidates, weighted by their probability to work in the swing."""
    enthalpy = candidates["desorption_enthalpy_kj_per_mol_h2_mean"].to_numpy(dtype=float)
    weight = np.nan_to_num(candidates["p_window"].to_numpy(dtype=float)) + 1e-12
    return float(np.average(enthalpy, weights=weight))


def _lowest(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if len(finite) else 0.0


def _highest(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else 1.0
