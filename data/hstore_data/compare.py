"""Compare our curated values with what the public sets say about the same material."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from hstore_data.card import Card, Outlier
    from hstore_data.table import DataTable

SIGMA = "conductivity_s_per_cm"
LOG_SIGMA = "log10_conductivity_s_per_cm"

TOLERANCES = {
    "h2_capacity_wt_pct": 0.3,
    "desorption_enthalpy_kj_per_mol_h2": 5.0,
    "desorption_entropy_j_per_mol_h2_k": 10.0,
    SIGMA: 1.0,
    "h2_uptake_wt_pct": 0.1,
}
"""Column -> largest difference that counts as agreement, in the unit of the column (conductivity: decades).

They are the scatter between laboratories, except for the uptake: there we interpolate the very isotherm that
our row names, so only the interpolation may differ.
"""

_ROUNDING = 1e-6
"""Differences such as 1.6 - 1.3 are not exact, and cards round."""

TEMPERATURE_TOLERANCE_K = 5.0
"""Conductivities are compared at temperatures this close; uptakes at a fifth of it."""

PARTNERS = {
    "hydrides": ("doe_hydride", "hystor", "ml_hydpark"),
    "electrolytes": ("liverpool_liion", "nasicon_na", "obelix"),
    "sorbents": ("isodb_h2",),
}
"""Curated table -> public sets that hold values of the same kind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of ours beside the closest one of a public set."""

    row: int
    """Row of our table, from 1."""
    formula: str
    """Formula or name in our table."""
    column: str
    """Column compared."""
    ours: float
    """Our value."""
    theirs: float
    """Closest value of the public set."""
    deviation: float
    """Absolute difference; decades for conductivities."""
    source: str
    """Public set and row."""
    explanation: str | None = None
    """Why ours is kept, from the card; None when nobody has explained it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Agreement of one column of a curated table with one public set."""

    public_set: str
    """The public set."""
    column: str
    """Column compared."""
    tolerance: float
    """Largest difference that counts as agreement."""
    n_compared: int
    """Values of ours for which the set has a value of the same material (and state)."""
    n_within: int
    """Those within the tolerance of the closest one."""
    median_abs_deviation: float
    """Median distance to the closest value."""
    outliers: tuple[Difference, ...]
    """Those outside the tolerance."""

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """Outliers which the card does not explain."""
        return tuple(outlier for outlier in self.outliers if outlier.explanation is None)


def compare(card: Card, ours: DataTable, theirs: DataTable) -> list[Comparison]:
    """Compare a curated table with a public set, one result for each column that both have.

    A material may occur several times in a set; the closest value counts, because each of ours was read in
    one place. Agreement therefore says that a value exists in the literature, not that it is the mean.
    """
    return [
        _summarise(card, theirs.name, column, found)
        for column in TOLERANCES
        if column in ours.frame and (found := list(_differences(column, ours, theirs)))
    ]


def _differences(column: str, ours: DataTable, theirs: DataTable) -> Iterator[Difference]:
    if column == SIGMA:
        return _conductivities(ours.frame, theirs)
    if column == "h2_uptake_wt_pct":
        return _uptakes(ours.frame, theirs)
    return _hydride_values(column, ours.frame, theirs)


def _hydride_values(column: str, ours: pd.DataFrame, theirs: DataTable) -> Iterator[Difference]:
    """Match the alloy without hydrogen; sets list complex hydrides with it, so the hydride matches too."""
    if column not in theirs.frame:
        return
    usable = theirs.frame.dropna(subset=[column])
    groups = {str(key): group for key, group in usable.groupby("composition")}
    for record in ours.dropna(subset=[column]).to_dict("records"):
        keys = {str(record["composition"]), str(record["host_composition"])} & groups.keys()
        candidates = [
            (float(value), int(row))
            for key in sorted(keys)
            for value, row in zip(groups[key][column], groups[key]["row"], strict=True)
        ]
        if candidates:
            value = float(record[column])
            theirs_value, row = min(candidates, key=lambda pair: abs(pair[0] - value))
            yield Difference(
                int(record["row"]), str(record["formula"]), column, value, theirs_value,
                abs(theirs_value - value), f"{theirs.name}: row {row}",
            )  # fmt: skip


def _conductivities(ours: pd.DataFrame, theirs: DataTable) -> Iterator[Difference]:
    """Match composition and temperature; an upper bound is compared with upper bounds only."""
    frame = theirs.frame
    censored = frame["censored"] if "censored" in frame else frame[LOG_SIGMA].isna()
    for record in ours.to_dict("records"):
        same = (
            (frame["composition"] == record["composition"])
            & ((frame["temperature_k"] - record["temperature_k"]).abs() <= TEMPERATURE_TOLERANCE_K)
            & (censored == record["censored"])
        )
        if not same.any():
            continue
        value = float(record[LOG_SIGMA])
        index = (frame.loc[same, LOG_SIGMA] - value).abs().idxmin()
        found = float(frame.loc[[index], LOG_SIGMA].iloc[0])
        row = int(frame.loc[[index], "row"].iloc[0])
        yield Difference(
            int(record["row"]), str(record["formula"]), SIGMA, float(record[SIGMA]), float(10**found),
            abs(found - value), f"{theirs.name}: row {row}",
        )  # fmt: skip


def _uptakes(ours: pd.DataFrame, theirs: DataTable) -> Iterator[Difference]:
    """Interpolate the isotherm that our row names, at our pressure; nothing is extrapolated."""
    isotherms = {str(key): group for key, group in theirs.frame.groupby("isotherm_id")}
    for record in ours.dropna(subset=["h2_uptake_wt_pct"]).to_dict("records"):
        names = [part.partition(":")[2].strip() for part in str(record["seen_in"]).split(";")]
        for name in names:
            points = isotherms.get(name)
            if points is None or not _covers(points, record["temperature_k"], record["pressure_bar"]):
                continue
            value = float(record["h2_uptake_wt_pct"])
            found = _interpolate(points, record["pressure_bar"])
            yield Difference(
                int(record["row"]), str(record["name"]), "h2_uptake_wt_pct", value, found,
                abs(found - value), f"{theirs.name}: {name}",
            )  # fmt: skip


def _interpolate(points: pd.DataFrame, pressure_bar: float) -> float:
    """Return the uptake of an isotherm at a pressure between its points, linear in pressure."""
    ordered = points.sort_values("pressure_bar")
    return float(np.interp(pressure_bar, ordered["pressure_bar"], ordered["h2_uptake_wt_pct"]))


def _covers(points: pd.DataFrame, temperature_k: float, pressure_bar: float) -> bool:
    """Tell whether a pressure lies inside an isotherm of nearly this temperature."""
    near = abs(float(points["temperature_k"].iloc[0]) - temperature_k) <= TEMPERATURE_TOLERANCE_K / 5
    return near and bool(points["pressure_bar"].min() <= pressure_bar <= points["pressure_bar"].max())


def _summarise(card: Card, public_set: str, column: str, found: list[Difference]) -> Comparison:
    tolerance = TOLERANCES[column]
    outside = [item for item in found if item.deviation > tolerance + _ROUNDING]
    return Comparison(
        public_set=public_set,
        column=column,
        tolerance=tolerance,
        n_compared=len(found),
        n_within=len(found) - len(outside),
        median_abs_deviation=median(item.deviation for item in found),
        outliers=tuple(_explained(item, card.outliers) for item in outside),
    )


def _explained(item: Difference, known: Iterable[Outlier]) -> Difference:
    """Attach the card's explanation of this value, if it has one that reaches this far.

    An explanation names one public value; as the public sets repeat each other, it holds for every value that
    lies on the same side of ours and no farther away. It does not survive a change of our value.
    """
    for outlier in known:
        same_value = (
            outlier.formula == item.formula
            and outlier.column == item.column
            and math.isclose(outlier.ours, item.ours, rel_tol=1e-6)
        )
        same_side = (outlier.theirs > item.ours) == (item.theirs > item.ours)
        if same_value and same_side and item.deviation <= _reach(outlier) + _ROUNDING:
            return replace(item, explanation=outlier.explanation)
    return item


def _reach(outlier: Outlier) -> float:
    """Return how far the explained value lies from ours, in the unit of the deviation."""
    if outlier.column == SIGMA:
        return abs(math.log10(outlier.theirs / outlier.ours))
    return abs(outlier.theirs - outlier.ours)
