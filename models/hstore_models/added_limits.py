"""What no value of a training row can be: outside its range, beyond a spec's limits, more than metals hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.capacity import MOST_H_PER_METAL, hydride_amounts_from, hydrogen_to_metal
from hstore.properties import PROPERTIES
from hstore_models.added_checks import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from hstore_models.spec import Spec, TargetSpec

_CAPACITY = "h2_capacity_wt_pct"
_RANGES: Mapping[str, tuple[float, float]] = {
    **{name: (entry.low, entry.high) for name, entry in PROPERTIES.items()},
    "temperature_k": (1.0, 5000.0),
    "pressure_bar": (0.0, 1e6),
    "weight": (1e-6, 1.0),
    "ln_plateau_pressure_25c": (-300.0, 20.0),
    "bet_area_m2_g": (1.0, 1e4),
    "gsa_m2_g": (0.0, 1e4),
    "pore_volume_cm3_g": (0.001, 20.0),
    "density_g_cm3": (0.01, 25.0),
}
_NOT_METALS = frozenset({"H", "B", "C", "N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"})
"""With one of these a host may hold more hydrogen than metals do: borohydrides, amides, sorbents."""


def check_ranges(rows: pd.DataFrame, causes: dict[int, str]) -> None:
    """Add the cause of every row with a value that cannot be believed, whatever the column.

    Args:
        rows: canonical columns.
        causes: place of a row -> why it cannot be used; a cause that is there stays.
    """
    for column, (low, high) in _RANGES.items():
        if column not in rows:
            continue
        values = rows[column].astype(float)
        unit = f" {PROPERTIES[column].unit}" if column in PROPERTIES else ""
        for place in np.flatnonzero(((values < low) | (values > high)).to_numpy()):
            causes.setdefault(
                int(place),
                f"{column} must lie in [{low:g}, {high:g}]{unit}, got {values.iloc[place]:g}; "
                "check the value and its unit",
            )


def check_spec_limits(rows: pd.DataFrame, spec: Spec, causes: dict[int, str]) -> None:
    """Add the cause of every row whose target is beyond the limits of a user's spec, or has no logarithm.

    Args:
        rows: with the targets of the spec as columns.
        spec: the spec.
        causes: as for :func:`check_ranges`.
    """
    for column, target in spec.targets.items():
        values, unit = rows[column].astype(float), f" {spec.unit}" if spec.unit else ""
        for place in np.flatnonzero(values.notna().to_numpy()):
            if said := _beyond(float(values.iloc[place]), target):
                causes.setdefault(
                    int(place),
                    f"{column} must {said} by the spec, got {values.iloc[place]:g}{unit}; correct one of them",
                )


def _beyond(value: float, target: TargetSpec) -> str:
    if target.low is not None and value < target.low:
        return f"be {target.low:g} or more"
    if target.high is not None and value > target.high:
        return f"be {target.high:g} or less"
    if target.transform == "log" and value <= 0:
        return "be above 0, for its logarithm is learned,"
    return "be 0 or more, for its root is learned," if target.transform == "sqrt" and value < 0 else ""


def beyond_metals(rows: pd.DataFrame) -> dict[int, Finding]:
    """Find capacities with more hydrogen than any hydride has, of hosts made of metals alone.

    Args:
        rows: ``amounts`` and ``h2_capacity_wt_pct`` of the hydrogenated material, indexed 0..n-1.

    Returns:
        Index of a row -> what was found.
    """
    found = {}
    for place, (amounts, value) in enumerate(zip(rows["amounts"], rows[_CAPACITY].astype(float), strict=True)):
        if not value > 0 or not amounts or _NOT_METALS & set(amounts):
            continue
        ratio = hydrogen_to_metal(hydride_amounts_from(amounts, value))
        if ratio > MOST_H_PER_METAL:
            cause = (
                f"{_CAPACITY} {value:g} would be {ratio:.3g} H per metal atom; no hydride has more than "
                f"{MOST_H_PER_METAL:g}"
            )
            found[place] = Finding(cause, trained=False)
    return found
