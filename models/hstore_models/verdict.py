"""What the gate says of a challenger: numbers, an answer, and the reasons, for a terminal and for a program."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LEVEL = 0.90
"""Level of the interval of a difference."""

LEAST_GROUPS = 10
"""Groups a property must have; the bootstrap over fewer says too little."""

Outcome = Literal["better", "worse", "no difference", "not judged"]
"""What the interval of the difference says."""


@dataclass(frozen=True)
class Difference:
    """Errors of two models on the same rows, in the unit of the property (ln for pressures)."""

    n: int
    """Rows."""
    groups: int
    """Groups they are in."""
    champion: float
    """Error of the champion."""
    challenger: float
    """Error of the challenger."""
    low: float
    """Lower end of the 90 % interval of challenger minus champion."""
    high: float
    """Upper end."""
    p_no_worse: float
    """Probability of so large a difference when the challenger is no worse."""

    @property
    def difference(self) -> float:
        """Challenger minus champion; below 0 the challenger errs less."""
        return self.challenger - self.champion

    def words(self, unit: str) -> str:
        """Say both errors, their difference and its interval."""
        return (
            f"{self.challenger:.3g} instead of {self.champion:.3g} {unit}, difference {self.difference:+.2g} "
            f"(90 % interval {self.low:+.2g} to {self.high:+.2g}; {self.n} rows, {self.groups} groups)"
        )

    def record(self) -> dict[str, float]:
        """Return the numbers for a program."""
        return {**asdict(self), "difference": self.difference}


@dataclass(frozen=True)
class PropertyComparison:
    """Both models on one property."""

    property: str
    """Property."""
    unit: str
    """Unit of its errors."""
    errors: Difference | None
    """Errors on the shared rows; None where they share none."""
    outcome: Outcome
    """What the interval says."""
    coverage: float
    """Share of all held-out values of the challenger inside their 90 % interval."""
    coverage_p: float
    """Probability of so small a coverage when intervals are right, groups as units."""
    worse_families: dict[str, Difference]
    """Families made worse by more than the tolerance and beyond the noise."""
    new: int
    """Rows among those compared that are new to the champion: it answered without having seen their group."""
    unshared: int
    """Held-out rows that only one of the two has, and that are not compared."""

    def line(self) -> str:
        """Say the outcome with its numbers."""
        if self.errors is None:
            return f"{self.property}: no held-out row is shared, nothing to compare by"
        if self.outcome == "not judged":
            groups = f"the shared rows are of {self.errors.groups} groups"
            return f"{self.property}: not judged, {groups}, {LEAST_GROUPS} are needed"
        new = f"; {self.new} of the rows are new to the one in use" if self.new else ""
        return f"{self.property}: {self.outcome}, {self.errors.words(self.unit)}{new}"

    def record(self) -> dict[str, Any]:
        """Return the comparison for a program; a coverage that is not known is None."""
        return {
            "property": self.property,
            "unit": self.unit,
            "outcome": self.outcome,
            "errors": None if self.errors is None else self.errors.record(),
            "coverage": None if math.isnan(self.coverage) else self.coverage,
            "coverage_p": self.coverage_p,
            "worse_families": {name: errors.record() for name, errors in self.worse_families.items()},
            "new": self.new,
            "unshared": self.unshared,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may take the place of the champion, and why."""

    champion_id: str
    """Version in use."""
    challenger_id: str
    """Version that would replace it."""
    metric: str
    """What errors are measured by."""
    better: bool
    """True when it may."""
    reasons: tuple[str, ...]
    """What spoke for it, or all that spoke against it."""
    properties: tuple[PropertyComparison, ...]
    """Property by property."""

    def __str__(self) -> str:
        """Write the verdict for a terminal."""
        head = (
            f"{self.challenger_id} against {self.champion_id}, the one to replace; {self.metric} on held-out rows"
        )
        answer = "better" if self.better else "not better"
        return "\n".join([head, "", *_table(self.properties), "", f"{answer}:", *(f"  {r}" for r in self.reasons)])

    def record(self) -> dict[str, Any]:
        """Return the verdict for a program."""
        words = {name: getattr(self, name) for name in ("champion_id", "challenger_id", "metric", "better")}
        results = [result.record() for result in self.properties]
        return {**words, "reasons": list(self.reasons), "properties": results}


def aligned(lines: Sequence[Sequence[str]], *, text: Collection[int]) -> list[str]:
    """Return lines of cells with aligned columns.

    Args:
        lines: cells of each line, equally many.
        text: columns aligned to the left; the others are numbers and are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i in text else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


_HEADINGS = (
    "property", "unit", "rows", "new", "groups", "in use", "challenger", "difference", "90 % interval", "coverage",
    "outcome",
)  # fmt: skip


def _table(results: tuple[PropertyComparison, ...]) -> list[str]:
    return aligned([_HEADINGS, *map(_cells, results)], text={0, 1, len(_HEADINGS) - 1})


def _cells(result: PropertyComparison) -> tuple[str, ...]:
    errors = result.errors
    numbers = ["0", "0", "0", "-", "-", "-", "-"]
    if errors is not None:
        interval = f"{errors.low:+.2g} to {errors.high:+.2g}"
        counts = [
            str(errors.n),
            str(result.new),
            str(errors.groups),
            f"{errors.champion:.3g}",
            f"{errors.challenger:.3g}",
        ]
        numbers = [*counts, f"{errors.difference:+.2g}", interval]
    coverage = "-" if math.isnan(result.coverage) else f"{result.coverage:.0%}"
    return (result.property, result.unit, *numbers, coverage, result.outcome)
