"""Checks of added training values against each other and against what is known.

A value that is far off by just the factor of a unit is taken for a mix-up of units; one that differs from a value
of the same composition and conditions beyond the noise of repeated measurements is a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.added_expectation import (
    LOGARITHMS,
    Expectation,
    distance,
    expectations,
    noise,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from hstore_models.added_expectation import Champion, States

CONFLICT, GROSS = 3.0, 5.0
"""Noise standard deviations beyond which two values conflict, and beyond which one is kept out of training."""

_CALORIES = ((4.184, "a value scaled by kJ per kcal"), (1 / 4.184, "a value scaled by kcal per kJ"))
_THOUSANDS = ((1e3, "a value in a unit 1000 times smaller"), (1e-3, "a value in a unit 1000 times larger"))
_FACTORS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "desorption_enthalpy_kj_per_mol_h2": (
        (1 / 4.184, "kcal/mol instead of kJ/mol"),
        (4.184, "kJ/mol converted from kcal/mol once too often"),
        (1e3, "J/mol instead of kJ/mol"),
        (1e-3, "MJ/mol instead of kJ/mol"),
        (-1.0, "the enthalpy of absorption, which has the other sign"),
    ),
    "h2_capacity_wt_pct": ((1e-2, "a mass fraction instead of wt%"), *_THOUSANDS, *_CALORIES),
    "h2_uptake_wt_pct": ((1e-2, "a mass fraction instead of wt%"), *_THOUSANDS, *_CALORIES),
    "log10_conductivity_s_per_cm": ((1e3, "mS/cm instead of S/cm"), (1e-3, "kS/cm instead of S/cm")),
    "ln_plateau_pressure_25c": ((1e3, "mbar instead of bar"), (1e-3, "kbar instead of bar")),
}
"""Column -> factor of a wrong value to the right one, and what it comes from."""

_TOLERANCE = float(np.log(1.1))
_TOLERANCE_SPREADS = 1.5
_LOGARITHM_TOLERANCE = 0.3
_WIDEST = 0.5
_LARGE, _ROUGH = 4.0, 1.1  # beyond a factor of 50 nothing but a unit is left to think of, within a factor of 3
_FAR, _FAR_OF_LOGARITHMS = 2.5, 3.0


@dataclass(frozen=True)
class Finding:
    """What a check says of a value."""

    cause: str
    """What is wrong, with the value and what was expected."""
    trained: bool
    """False keeps the row out of training."""
    repeat: bool = False
    """True where the value merely stands elsewhere too."""


def check_values(
    rows: pd.DataFrame, column: str, known: pd.DataFrame, champion: Champion | None = None
) -> dict[int, Finding]:
    """Check the values of a column.

    Each is compared with the known values of its composition and conditions; else with the prediction of the model
    in use, or with the nearest known compositions where there is none; and with the other added rows of its state.

    Args:
        rows: added rows with ``composition``, ``amounts``, ``row``, the column and its conditions, indexed 0..n-1.
        column: canonical column; rows without a value are not judged.
        known: training rows with the same columns.
        champion: the model in use, asked for compositions that are not known.

    Returns:
        Index of a row -> what was found; rows without a finding are fine.
    """
    if "as_alloy" in known:  # what its hydride holds says nothing against a measurement of the alloy
        known = known[~known["as_alloy"]]
    added, others = states(rows, column, "the table"), states(known, column)
    if not len(added.values):
        return {}
    expected = expectations(added, others, champion)
    findings: dict[int, Finding] = {}
    for place, expectation in enumerate(expected):
        found = _against_known(added, place, others, expectation)
        if found is not None:
            findings[place] = found
    findings |= _against_each_other(added, findings, expected)
    index = [int(i) for i in added.frame.index]
    return {index[place]: found for place, found in findings.items()}


def _against_known(added: States, place: int, known: States, expected: Expectation | None) -> Finding | None:
    """Judge a value by the known values of its state, or else by what is expected of it."""
    column, value = added.column, float(added.values[place])
    same = known.same_as(added, place)
    if not len(same):
        return _against_expectation(column, value, expected)
    nearest = same[np.argmin(np.abs(known.values[same] - value))]
    close = float(known.values[nearest])
    if abs(close - value) <= _same(value):
        cause = f"{column} {value:g} repeats {known.labels[nearest]}"
        return Finding(cause, trained=False, repeat=True)
    if abs(close - value) <= CONFLICT * noise(column, close):
        return None
    basis = f"{len(same)} known value{'s' if len(same) > 1 else ''} of this composition"
    words = _unit_words(column, value, Expectation(float(np.median(known.values[same])), 0.0, basis))
    return Finding(words, trained=False) if words else _conflict(column, value, close, known.labels[nearest])


def _against_expectation(column: str, value: float, expected: Expectation | None) -> Finding | None:
    """Find values far from what is expected that a mix-up of units explains; new chemistry may be far as well."""
    far = _FAR_OF_LOGARITHMS if column in LOGARITHMS else _FAR
    if expected is None or distance(column, value, expected.centre) <= far * expected.spread:
        return None
    words = _unit_words(column, value, expected)
    return Finding(words, trained=False) if words else None


def _conflict(column: str, value: float, other: float, where: str) -> Finding:
    sigmas = abs(value - other) / noise(column, other) if noise(column, other) else float("inf")
    return Finding(
        f"{column} {value:g} conflicts with {other:g} of the same composition and conditions ({where}): they are "
        f"{sigmas:.1f} standard deviations of repeated measurements apart, {CONFLICT:g} are usual at most",
        trained=sigmas <= GROSS,
    )


def _against_each_other(
    added: States, before: Mapping[int, Finding], expected: Sequence[Expectation | None]
) -> dict[int, Finding]:
    """Find added rows of one state whose values differ; the one further from what is expected is named."""
    findings: dict[int, Finding] = {}
    left_out = {place for place, found in before.items() if not found.trained}
    for later in range(len(added.values)):
        for earlier in added.same_as(added, later):
            if earlier >= later or left_out & {later, int(earlier)} or findings.keys() & {later, int(earlier)}:
                continue
            findings |= _between(added, later, int(earlier), expected)
    return {place: found for place, found in findings.items() if place not in before}


def _between(
    added: States, later: int, earlier: int, expected: Sequence[Expectation | None]
) -> dict[int, Finding]:
    """Judge two added rows of one state."""
    column, value, there = added.column, float(added.values[later]), float(added.values[earlier])
    if abs(value - there) <= _same(value):
        cause = f"{column} {value:g} repeats {added.labels[earlier]}"
        return {later: Finding(cause, trained=False, repeat=True)}
    if abs(value - there) <= CONFLICT * noise(column, min(value, there, key=abs)):
        return {}
    wrong, right = later, earlier
    centre = expected[later] or expected[earlier]
    if centre and distance(column, value, centre.centre) < distance(column, there, centre.centre):
        wrong, right = earlier, later
    bad, good = float(added.values[wrong]), float(added.values[right])
    words = _unit_words(column, bad, Expectation(good, 0.0, added.labels[right]))
    found = Finding(words, trained=False) if words else _conflict(column, bad, good, added.labels[right])
    return {wrong: found}


def _same(value: float) -> float:
    """Difference below which two values are one, printed in another way."""
    return 1e-6 + 1e-4 * abs(value)


def _unit_words(column: str, value: float, expected: Expectation) -> str:
    """Say which mix-up of units explains a value, empty where none does."""
    factors = _FACTORS.get(column, (*_THOUSANDS, *_CALORIES))
    misses = [(_miss(column, value, expected.centre, factor), factor, words) for factor, words in factors]
    least = _LOGARITHM_TOLERANCE if column in LOGARITHMS else _TOLERANCE
    miss, factor, words = min(misses)
    rough = _ROUGH if abs(np.log(abs(factor))) > _LARGE and expected.spread else 0.0
    if miss > max(least, rough, min(_TOLERANCE_SPREADS * expected.spread, _WIDEST)):
        return ""
    if column in LOGARITHMS:
        times = f"{value - expected.centre:+.2f} from"
    else:
        times = f"{value / expected.centre:.4g} times"
    shown = f"{factor:g}" if abs(factor) >= 1 else f"1/{1 / factor:g}"
    return (
        f"{column} {value:g} looks like {words}: {times} the {expected.centre:.4g} expected from {expected.basis} "
        f"(such a mix-up gives a factor of {shown})"
    )


def _miss(column: str, value: float, centre: float, factor: float) -> float:
    """Distance of a value from what the factor makes of the expected one."""
    if column not in LOGARITHMS:
        return distance(column, value, centre * factor)
    steps = np.log10(factor) if column.startswith("log10") else np.log(factor)
    return abs(value - centre - float(steps))
