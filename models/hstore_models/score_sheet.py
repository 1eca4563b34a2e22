"""How wrong a model was on rows held out with their whole group: scores, parts that fare worst, misses by name.

Nothing is computed anew: scores are those of the card, the rest comes from the held-out table beside it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import unknown_name
from hstore_data.curated import COLUMNS, curated_table
from hstore_models.coverage import LEAST_ROWS, LEVEL, by_range

if TYPE_CHECKING:
    import pandas as pd

    from hstore_models.card import ModelCard
    from hstore_models.coverage import Part
    from hstore_models.score import FamilyScore, Score

LEAST_FAMILY_ROWS = 5
"""Rows from which on a family can be among the worst: the error of fewer is mostly chance."""
N_FAMILIES = 5
"""Families that are named as the worst."""
N_MISSES = 10
"""Misses that are named."""

_STATE = re.compile(r", [\d.]+ K, [\d.]+ bar$")
_NAMES = ("formula", "host_formula", "name")
_SAME = 1e-9


@dataclass(frozen=True)
class Miss:
    """A known value and what was predicted with its whole group held out, in the unit of the score."""

    label: str
    """Formula, or name and state."""
    data_set: str
    """Data set of the value."""
    citations: tuple[str, ...]
    """Where a curated table has the values of this material from; empty for other data sets."""
    group: str
    """What was held out together with it, such as its chemical system."""
    family: str
    """Family or alloy class, as the model sees it."""
    measured: float
    """Known value."""
    predicted: float
    """Answer."""
    lower: float
    """Lower end of the 90 % interval of the answer."""
    upper: float
    """Upper end."""

    @property
    def error(self) -> float:
        """Predicted minus measured."""
        return self.predicted - self.measured

    @property
    def inside(self) -> bool:
        """Tell whether the known value lies in the 90 % interval."""
        return self.lower <= self.measured <= self.upper

    def record(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self) | {"citations": list(self.citations), "error": self.error, "inside": self.inside}


@dataclass(frozen=True)
class ScoreSheet:
    """One property of one version of a model."""

    model: str
    """Name of the model."""
    model_id: str
    """Version."""
    property_name: str
    """Property."""
    rows_by_source: dict[str, int]
    """Data set -> rows the version was trained on."""
    grouping: str
    """What is never on both sides of the split."""
    n_groups: int
    """Groups of the rows that are scored."""
    score: Score
    """Scores of the card, baselines and noise floor beside them."""
    ranges: tuple[Part, ...]
    """Scores of each fifth of the known values, from low to high."""
    misses: tuple[Miss, ...]
    """Rows with the largest errors, the largest first."""

    @property
    def families(self) -> list[tuple[str, FamilyScore]]:
        """All families, those with the largest mean absolute error first."""
        return sorted(self.score.by_family.items(), key=lambda item: (-item[1].mae, item[0]))

    @property
    def worst_families(self) -> list[tuple[str, FamilyScore]]:
        """The worst of the families of :data:`LEAST_FAMILY_ROWS` rows and more."""
        return [item for item in self.families if item[1].n >= LEAST_FAMILY_ROWS][:N_FAMILIES]

    def record(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "model": self.model,
            "model_id": self.model_id,
            "property": self.property_name,
            "rows_by_source": self.rows_by_source,
            "grouping": self.grouping,
            "n_groups": self.n_groups,
            "score": self.score.model_dump(),
            "coverage_missed": [name for name, part in self.families if missed(part)],
            "worst_families": [{"family": name, **part.model_dump()} for name, part in self.worst_families],
            "ranges": [{"range": part.label, **part.as_dict()} for part in self.ranges],
            "misses": [miss.record() for miss in self.misses],
        }


def missed(part: FamilyScore) -> bool:
    """Tell whether a family has rows enough to be judged and 90 % coverage is rejected."""
    return part.n >= LEAST_ROWS and part.p_below_90 < LEVEL


def score_sheets(card: ModelCard, held_out: pd.DataFrame, *, misses: int = N_MISSES) -> list[ScoreSheet]:
    """Return a sheet for each property that a version was scored on.

    Args:
        card: its card.
        held_out: its held-out table (:meth:`hstore_models.registry.Registry.held_out`).
        misses: rows that are named.
    """
    return [_sheet(card, name, held_out[held_out["property"] == name], misses) for name in card.scores]


def citations(data_set: str, label: str, property_name: str, measured: float) -> tuple[str, ...]:
    """Return where a curated table has the values of a material from, as it says; several where it has several.

    Where the table has the very value in the column of the property, only its rows count.

    Args:
        data_set: name of the data set; others than curated tables have no citation for each row.
        label: formula or name, which may be followed by a state (``MOF-5, 77 K, 1 bar``).
        property_name: property of the value.
        measured: the value.
    """
    if data_set not in COLUMNS or "citation" not in COLUMNS[data_set]:
        return ()
    table = curated_table(data_set).frame
    name = _STATE.sub("", label)
    rows = table[np.logical_or.reduce([table[column] == name for column in _NAMES if column in table])]
    if property_name in table:
        exact = rows[np.isclose(rows[property_name].to_numpy(dtype=float), measured, rtol=_SAME, atol=0.0)]
        rows = exact if len(exact) else rows
    return tuple(dict.fromkeys(rows["citation"].dropna().astype(str)))


def _sheet(card: ModelCard, name: str, rows: pd.DataFrame, n_misses: int) -> ScoreSheet:
    if rows.empty:
        raise unknown_name("property with held-out rows", name, sorted(card.scores))
    truth, mean, lower, upper = (
        rows[column].to_numpy(dtype=float) for column in ("measured", "predicted", "lower", "upper")
    )
    error, groups = np.abs(truth - mean), rows["group"].to_numpy(dtype=str)
    inside = (truth >= lower) & (truth <= upper)
    worst = np.argsort(-error, kind="stable")[:n_misses]
    return ScoreSheet(
        model=card.model,
        model_id=card.model_id,
        property_name=name,
        rows_by_source=card.rows_by_source,
        grouping=card.grouping,
        n_groups=len(np.unique(groups)),
        score=card.scores[name],
        ranges=tuple(by_range(truth, error, inside, upper - lower, groups)),
        misses=tuple(_miss(rows.iloc[place], name) for place in worst.tolist()),
    )


def _miss(row: pd.Series[Any], property_name: str) -> Miss:
    label, data_set, measured = str(row["label"]), str(row["source"]), float(row["measured"])
    return Miss(
        label=label,
        data_set=data_set,
        citations=citations(data_set, label, property_name, measured),
        group=str(row["group"]),
        family=str(row["family"]),
        measured=measured,
        predicted=float(row["predicted"]),
        lower=float(row["lower"]),
        upper=float(row["upper"]),
    )
