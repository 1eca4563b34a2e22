"""Model cards: what a model was trained on, how wrong it is, and where it may be believed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Score(_Card):
    """Out-of-fold scores of one property; whole groups were held out."""

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


class ModelCard(_Card):
    """Everything a reader of a prediction may ask about the model behind it."""

    model: str
    """Name of the model."""
    model_id: str
    """Content address: data, parameters, features and library versions."""
    properties: tuple[str, ...]
    """Properties it predicts."""
    summary: str
    """One sentence: what it is."""
    rows_by_source: dict[str, int]
    """Data set -> training rows."""
    checksums: dict[str, str]
    """Data set / file -> SHA-256 of what was read."""
    duplicates_removed: int
    """Rows left out because another set holds the same value."""
    grouping: str
    """What is never on both sides of a split."""
    split_hash: str
    """Hash of the out-of-fold split the scores were computed on."""
    scores: dict[str, Score]
    """Property -> out-of-fold scores."""
    importances: dict[str, float] = Field(default_factory=dict)
    """Feature -> share of the variance reduction in the main forest, the twenty largest."""
    n_features: int
    """Number of features."""
    code_version: str
    """Hash of the code that made the model from its data."""
    parameters: dict[str, float | int]
    """Size, randomness and seed of the main forest."""
    domain: str
    """Where the model may be believed, in words."""
    limits: tuple[str, ...]
    """What it cannot do."""
    licence: str = "CC-BY-4.0 for the curated rows; public sets keep their own licences (hstore data show NAME)"
    """Licence of the trained model's data."""
    versions: dict[str, str]
    """Library -> version."""
    wall_time_s: float
    """Time of the training, s."""
    model_sha256: str = ""
    """SHA-256 of the saved model file."""
