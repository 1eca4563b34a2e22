"""Model cards: what a model was trained on, how wrong it is, and where it may be believed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hstore_models.score import Score


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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
