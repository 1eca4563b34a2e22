"""The head of the report: what is asked of the system and, with the stated factor, of the material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore_workflows.report.markup import percent
from hstore_workflows.report.quantities import celsius
from hstore_workflows.report.summary import reaching

if TYPE_CHECKING:
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target


@dataclass(frozen=True)
class RequirementRow:
    """One target year: what it asks of the system and of the material."""

    year: str
    """Target year, or ``ultimate``."""
    ranked_by: bool
    """True for the year that sets the score."""
    system: tuple[str, str, str]
    """wt%, g/L and delivery temperatures of the system."""
    material: tuple[str, str]
    """wt% and g/L of the material."""
    reaching: int
    """Candidates in the domain predicted to reach it."""


def requirement_rows(result: ScreenResult) -> list[RequirementRow]:
    """Return one row per published target year; none where the target has no system target."""
    target = result.target
    believed = result.candidates[result.candidates["in_domain"].astype(bool)]
    needed = target.material_requirements()
    rows = []
    for year, system in sorted(target.system_targets().items()):
        material = needed[year]
        wt_pct, g_per_l = material.usable_capacity_wt_pct, material.usable_capacity_g_per_l
        low, high = system.delivery_temperature_k
        rows.append(
            RequirementRow(
                year=year,
                ranked_by=target.system_target is not None and year == target.system_target.year,
                system=(
                    f"{system.gravimetric_wt_pct:g}",
                    f"{system.volumetric_g_per_l:g}",
                    f"{celsius(low)} to {celsius(high)}",
                ),
                material=(
                    f"{wt_pct:.3g}" if material.possible else "not possible",
                    f"{g_per_l:.3g}",
                ),
                reaching=reaching(believed, target, wt_pct, g_per_l),
            )
        )
    return rows


def factor_words(target: Target) -> str:
    """Say which share of the system is taken to be material; empty without a system target."""
    factor = target.system_factor
    if factor is None:
        return ""
    return (
        "Assumed system factor, adjustable in the target file: the material with its hydrogen is "
        f"{percent(factor.mass_fraction)} of the mass of the system, its bed {percent(factor.volume_fraction)} of "
        f"its volume, and solid fills {percent(factor.packing_fraction)} of the bed."
    )


def asked_words(target: Target) -> str:
    """Say what is asked where there is no system target."""
    asked = target.requirement
    if asked is None:
        return ""
    parts = []
    if asked.h2_capacity_wt_pct is not None:
        parts.append(f"at least {asked.h2_capacity_wt_pct:g} wt% of the hydrogenated material")
    if asked.h2_density_g_per_l is not None:
        parts.append(f"at least {asked.h2_density_g_per_l:g} g H₂ per litre of solid")
    if asked.log10_conductivity_s_per_cm is not None:
        at = celsius(asked.temperature_k) if asked.temperature_k is not None else "25 °C"
        parts.append(f"at least {10**asked.log10_conductivity_s_per_cm:.2g} S/cm at {at}")
    return f"{' and '.join(parts)} ({asked.reason})"


def state_rows(target: Target) -> list[tuple[str, str, str]]:
    """Return name, pressure and temperature of the two states of the swing."""
    if target.swing is None:
        return []
    swing = target.swing
    return [
        ("charged", f"{swing.charge_pressure_bar:g} bar", _temperature(swing.charge_temperature_k)),
        ("discharged", f"{swing.discharge_pressure_bar:g} bar", _temperature(swing.discharge_temperature_k)),
    ]


def _temperature(temperature_k: float) -> str:
    return f"{temperature_k:g} K ({celsius(temperature_k)})"
