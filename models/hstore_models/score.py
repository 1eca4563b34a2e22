"""What is said of how wrong predictions are: scores of one property on one subset and split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore_models.coverage import Part

_DIGITS = 4


class FamilyScore(BaseModel):
    """Scores of the rows of one family."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n: int
    """Rows of the family."""
    n_groups: int
    """Groups of rows that err together, such as chemical systems."""
    mae: float
    """Mean absolute error."""
    median_error: float
    """Median absolute error."""
    coverage: float
    """Share of values inside their 90 % interval."""
    mean_width: float
    """Mean width of the 90 % interval."""
    p_below_90: float
    """Probability of such coverage, or worse, if the intervals did cover 90 %; groups are the units."""


class Score(BaseModel):
    """Out-of-fold scores of one property; whole groups were held out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n: int
    """Rows scored."""
    unit: str
    """Unit of the errors; pressures are scored in natural logarithm."""
    mae: float
    """Mean absolute error."""
    median_error: float
    """Median absolute error."""
    rmse: float
    """Root mean square error."""
    r2: float | None
    """Coefficient of determination; None when not defined."""
    spearman: float | None
    """Rank correlation; None when not defined."""
    mae_mean_predictor: float
    """Mean absolute error of always answering the training mean."""
    coverage: float
    """Share of values inside their 90 % interval."""
    mean_width: float
    """Mean width of the 90 % interval."""
    subset: str = ""
    """Which rows were scored, in words."""
    split_hash: str = ""
    """Hash of which row was in which fold."""
    mae_nearest_neighbour: float | None = None
    """Mean absolute error of answering with the most similar training row."""
    mae_plain_forest: float | None = None
    """Mean absolute error of a plain forest on the composition, or on the raw pore descriptors."""
    noise_floor_mae: float | None = None
    """Mean absolute error of a perfect model, from repeated measurements; None without repeats."""
    by_family: dict[str, FamilyScore] = Field(default_factory=dict)
    """Family or alloy class -> its scores."""


def family_scores(parts: Iterable[Part]) -> dict[str, FamilyScore]:
    """Return family -> its scores for a card, rounded.

    Args:
        parts: scores of each family (:func:`hstore_models.coverage.by_family`).
    """
    names = FamilyScore.model_fields
    return {part.label: FamilyScore(**{name: _rounded(getattr(part, name)) for name in names}) for part in parts}


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, _DIGITS)
