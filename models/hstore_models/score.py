"""What is said of how wrong predictions are: scores of one property on one subset and split."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
