"""What an added value should be near: known values of its state, the model in use, or the nearest compositions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from hstore.errors import HstoreError
from hstore.pairing import host_amounts
from hstore.units import STANDARD_TEMPERATURE_K

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore_models.prediction import Predictions, Query

NOISE: Mapping[str, float] = {
    "desorption_enthalpy_kj_per_mol_h2": 2.5,
    "ln_plateau_pressure_25c": 0.66,
    "h2_capacity_wt_pct": 0.1,
    "h2_uptake_wt_pct": 0.15,
    "log10_conductivity_s_per_cm": 0.5,
}
"""Standard deviation of repeated measurements of one composition at one state, in the unit of the column.

Robust spreads (1.4826 x median absolute deviation) about the medians of repeated compositions in the public sets,
rounded up; of ln P the floor of the label noise, of uptakes a value in use between laboratories.
"""

RELATIVE_NOISE = 0.05
"""Part of the noise that grows with the value; not for logarithms."""

LOGARITHMS = frozenset({"ln_plateau_pressure_25c", "log10_conductivity_s_per_cm"})
"""Columns that hold logarithms: their unit factors are differences."""

CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "h2_capacity_wt_pct": ("temperature_k", "reversible"),
    "log10_conductivity_s_per_cm": ("temperature_k",),
    "h2_uptake_wt_pct": ("temperature_k", "pressure_bar"),
}
"""Column -> conditions that must agree before two values are of one state; a blank agrees with everything."""

_SAME_CONDITION = 0.03
_NEIGHBOURS = 5
_LEAST_SPREAD = 0.2
_LEAST_SPREAD_OF_LOGARITHMS = 1.0
_SPREAD_PER_DISTANCE = 0.6
_OUTSIDE_DOMAIN = 2.0
_NORMAL_90 = 1.6449


class Champion(Protocol):
    """The model in use: whatever answers a property with an interval."""

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict a property for materials and conditions."""


@dataclass(frozen=True)
class Expectation:
    """What a value should be near."""

    centre: float
    """Expected value, in the unit of the column."""
    spread: float
    """Standard deviation: of the natural logarithm, or of the column itself where it is a logarithm."""
    basis: str
    """What it rests on, in words."""


@dataclass(frozen=True)
class States:
    """Values of one column with the states they belong to."""

    column: str
    """Canonical column."""
    values: NDArray[np.float64]
    """The values, shape ``(n,)``."""
    identity: NDArray[np.object_]
    """Composition of each row; of sorbents the name."""
    conditions: NDArray[np.float64]
    """Conditions of the column, NaN where not stated, shape ``(n, n_conditions)``."""
    amounts: Sequence[dict[str, float]]
    """Parsed formula of each row."""
    labels: Sequence[str]
    """Where each row stands, in words."""
    frame: pd.DataFrame
    """The rows themselves."""

    def same_as(self, other: States, row: int) -> NDArray[np.intp]:
        """Return the places of the rows that are of the state of a row of others."""
        given = other.conditions[row]
        tolerance = np.maximum(_SAME_CONDITION * np.abs(given), 1e-9)
        agree = ~(np.abs(self.conditions - given) > tolerance)  # NaN agrees
        return np.flatnonzero((self.identity == other.identity[row]) & agree.all(axis=1))


def states(rows: pd.DataFrame, column: str, where: str = "") -> States:
    """Return the values of a column with their states; rows without a value are left out.

    Args:
        rows: ``composition`` (sorbents: ``name``), ``amounts``, ``row``, ``source``, the column, its conditions.
        column: canonical column; none of the rows has a value where it is absent.
        where: what the rows are called; by default each by its source.
    """
    frame = rows[rows[column].notna()] if column in rows else rows.iloc[:0]
    names = CONDITIONS.get(column, ())
    conditions = frame.reindex(columns=list(names)).to_numpy(dtype=float).reshape(len(frame), len(names))
    identity = "name" if column == "h2_uptake_wt_pct" else "composition"
    sources = [where] * len(frame) if where else frame.get("source", pd.Series("known rows", frame.index))
    return States(
        column,
        frame[column].to_numpy(dtype=float) if column in frame else np.zeros(0),
        frame[identity].to_numpy(dtype=object) if len(frame) else np.zeros(0, dtype=object),
        conditions,
        list(frame["amounts"]) if "amounts" in frame else [{}] * len(frame),
        [f"row {row} of {source}" for row, source in zip(frame.get("row", ()), sources, strict=True)],
        frame,
    )


def noise(column: str, value: float) -> float:
    """Return the standard deviation of repeated measurements at a value."""
    floor = NOISE.get(column, 0.0)
    return floor if column in LOGARITHMS else float(np.hypot(floor, RELATIVE_NOISE * value))


def distance(column: str, value: float, centre: float) -> float:
    """Return the distance on the scale on which unit factors are differences; infinite across zero."""
    if column in LOGARITHMS:
        return abs(value - centre)
    return abs(float(np.log(value / centre))) if value * centre > 0 else float("inf")


def expectations(added: States, known: States, champion: Champion | None) -> list[Expectation | None]:
    """Return what to expect of each row, from the model in use or else from the nearest known compositions."""
    if champion is not None:
        try:
            return _predicted(added, champion)
        except HstoreError:  # a model that cannot answer such rows is no reason to stop; the neighbours are asked
            pass
    return _from_neighbours(added, known)


def _predicted(added: States, champion: Champion) -> list[Expectation | None]:
    from hstore_models.prediction import Query

    pressure = added.column == "ln_plateau_pressure_25c"
    conditions = added.frame.drop(columns=["amounts"], errors="ignore")
    if pressure:
        conditions = conditions.assign(temperature_k=STANDARD_TEMPERATURE_K)
    wanted = "plateau_pressure_bar" if pressure else added.column
    answer = champion.predict(wanted, Query.of(added.amounts, conditions))
    mean, low, high = (np.log(v) if pressure else v for v in (answer.mean, answer.lower, answer.upper))
    spread = (high - low) / (2.0 * _NORMAL_90) * np.where(answer.in_domain, 1.0, _OUTSIDE_DOMAIN)
    if added.column not in LOGARITHMS:
        spread = np.maximum(spread / np.maximum(np.abs(mean), 1e-9), _LEAST_SPREAD / 2)
    return [
        Expectation(float(m), float(s), "the model in use") if np.isfinite(m) and np.isfinite(s) else None
        for m, s in zip(mean, spread, strict=True)
    ]


def _from_neighbours(added: States, known: States) -> list[Expectation | None]:
    """Median of the nearest known compositions; the spread grows with how far they are."""
    if len(known.values) < 2 * _NEIGHBOURS or added.column == "h2_uptake_wt_pct":
        return [None] * len(added.values)
    elements = {el: i for i, el in enumerate(sorted({el for a in [*known.amounts, *added.amounts] for el in a}))}
    there, here = _fractions(known.amounts, elements), _fractions(added.amounts, elements)
    expected: list[Expectation | None] = []
    for row in here:
        distances = np.abs(there - row).sum(axis=1) / 2.0
        nearest = np.argsort(distances, kind="stable")[:_NEIGHBOURS]
        centre = float(np.median(known.values[nearest]))
        scatter = 1.4826 * float(np.median([distance(added.column, v, centre) for v in known.values[nearest]]))
        least = _LEAST_SPREAD_OF_LOGARITHMS if added.column in LOGARITHMS else _LEAST_SPREAD
        spread = float(np.hypot(scatter, least + _SPREAD_PER_DISTANCE * distances[nearest].mean()))
        words = f"the {_NEIGHBOURS} nearest known compositions"
        expected.append(Expectation(centre, spread, words) if np.isfinite(spread) else None)
    return expected


def _fractions(amounts: Sequence[dict[str, float]], elements: dict[str, int]) -> NDArray[np.float64]:
    """Atomic fractions of the hosts, shape ``(n, n_elements)``."""
    table = np.zeros((len(amounts), len(elements)))
    for row, parts in enumerate(amounts):
        host = host_amounts(parts)
        total = sum(host.values()) or 1.0
        for el, n in host.items():
            table[row, elements[el]] = n / total
    return table
