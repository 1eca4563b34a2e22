"""Values of one composition beside each other: what a new one should be about, and where labs disagree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.calibration import NORMAL_QUANTILE
from hstore_workflows.evaluate.target import PRESSURE
from hstore_workflows.measure.plausible import Expectation, logarithms
from hstore_workflows.measure.readings import Noise, Reading, agree, mean_of, pooled_noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hstore.records import Basis, Conditions, Scope
    from hstore.store import Store
    from hstore.store.measured import KnownValue

TEMPERATURE_SLACK_K = 2.0
"""Largest difference of temperatures at which values are compared."""
MOST_COMPARED = 100
"""Values of one composition and property that a new one is compared with."""
PRESSURE_SLACK = 0.02
"""Largest relative difference of pressures at which values are compared."""

_REPEATED_SHARE = 0.15
_REPEATED_LOGARITHM = 1.0
_REPEATED_DECADES = 0.5
_DECADES = "log10_conductivity_s_per_cm"
_SHOWN = 3


@dataclass(frozen=True)
class Disagreement:
    """Values of one composition, property and state that repeated measurement does not explain."""

    composition: str
    """Canonical formula."""
    property: str
    """Canonical property name."""
    values: tuple[KnownValue, ...]
    """All values that can be compared, those that agree among them too."""
    mean: float
    """Mean, weighted by 1/std^2 where every value states its standard deviation."""
    noise: Noise | None
    """How far repeated measurements of the property scatter; None where none agree."""


def comparable(known: KnownValue, conditions: Conditions, basis: Basis) -> bool:
    """Tell whether a value holds at a state and by definitions; a condition only one of them states is no bar.

    But an uptake that does not say which it is can be compared with none.
    """
    if known.basis != basis or (known.property == "h2_uptake_wt_pct" and basis.uptake_kind is None):
        return False
    for name, stated in conditions:
        other = getattr(known.conditions, name)
        if stated is None or other is None:
            continue
        slack = TEMPERATURE_SLACK_K if name.endswith("temperature_k") else PRESSURE_SLACK * stated
        if abs(other - stated) > slack:
            return False
    return True


def expected(measured: Sequence[KnownValue], predicted: Sequence[KnownValue]) -> Expectation | None:
    """Return what a value should be about: as measured before, or as predicted; None where neither is known.

    Args:
        measured: comparable measured values.
        predicted: comparable predicted values.
    """
    if measured:
        return _as_measured(measured)
    found = [expectation for known in predicted if (expectation := _as_predicted(known)) is not None]
    return max(found, key=lambda expectation: expectation.std, default=None)


def differing(value: Reading, others: Sequence[KnownValue]) -> list[KnownValue]:
    """Return the comparable values which a new one does not agree with."""
    return [known for known in others if not agree([value, _reading(known)], 0.0)]


def difference_note(unit: str, others: Sequence[KnownValue]) -> str:
    """Say which values a new one differs from; empty where it differs from none."""
    if not others:
        return ""
    shown = ", ".join(f"{known.value:g} {unit} ({known.record_id}{_of(known)})" for known in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"differs from {shown}{more} by more than repeating explains; both are kept"


def disagreements(
    store: Store, *, scope: Scope, composition: str | None = None, property_name: str | None = None
) -> list[Disagreement]:
    """Return where visible values of one composition disagree, by composition and property."""
    groups = list(
        _alike(store.measured.repeated(scope=scope, composition=composition, property_name=property_name))
    )
    noise = _noise(groups)
    return [
        Disagreement(
            group[0].composition,
            group[0].property,
            tuple(group),
            mean_of([_reading(known) for known in group]),
            noise.get(group[0].property),
        )
        for group in groups
        if not agree(map(_reading, group), 0.0)
    ]


def _alike(values: Iterable[KnownValue]) -> Iterator[list[KnownValue]]:
    """Yield the groups of two and more values that can be compared."""
    for _, held in groupby(values, key=lambda known: (known.composition, known.property)):
        left = list(held)
        while left:
            first = left[0]
            group = [one for one in left if one is first or comparable(one, first.conditions, first.basis)]
            left = [one for one in left if one not in group]
            if len(group) > 1:
                yield group


def _noise(groups: Iterable[Sequence[KnownValue]]) -> dict[str, Noise]:
    """Return the scatter of each property over the groups that agree: those that do not are no repetition."""
    repeated: dict[str, list[list[float]]] = {}
    for group in groups:
        if agree(map(_reading, group), 0.0):
            repeated.setdefault(group[0].property, []).append([known.value for known in group])
    return {name: pooled_noise(values) for name, values in repeated.items()}


def _reading(known: KnownValue) -> Reading:
    return Reading(known.value, known.standard_deviation, known.lab_id or "", 0)


def _of(known: KnownValue) -> str:
    return f", lab {known.lab_id}" if known.lab_id else ""


def _as_measured(measured: Sequence[KnownValue]) -> Expectation:
    values = np.array([known.value for known in measured])
    logarithm = measured[0].property == PRESSURE
    values = logarithms(values) if logarithm else values
    middle, span = float(np.median(values)), float(np.ptp(values))
    usual = {PRESSURE: _REPEATED_LOGARITHM, _DECADES: _REPEATED_DECADES}
    std = usual.get(measured[0].property, _REPEATED_SHARE * abs(middle))
    return Expectation(middle, max(std, float(values.std()), 1e-9), span, "measured so far", logarithm)


def _as_predicted(known: KnownValue) -> Expectation | None:
    logarithm = known.property == PRESSURE
    if known.lower is None or known.upper is None or (logarithm and known.lower <= 0):
        return None
    low, high = (math.log(end) if logarithm else end for end in (known.lower, known.upper))
    middle = math.log(max(known.value, 1e-30)) if logarithm else known.value
    return Expectation(middle, max((high - low) / (2 * NORMAL_QUANTILE), 1e-9), 0.0, "predicted", logarithm)
