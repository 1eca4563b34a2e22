"""Model cards: what a model was trained on, how wrong it is, where it may be believed, and who may see it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hstore.licences import NOT_STATED, Mix
from hstore.records import Access
from hstore_data.catalog import datasets
from hstore_models.score import Score

if TYPE_CHECKING:
    from collections.abc import Mapping

CARD_FORMAT = 2
"""Format of saved models that this version of hstore writes and reads."""


def data_licences(rows_by_source: Mapping[str, int]) -> Mix:
    """Count the licences of training rows; rows that a user added state none.

    Args:
        rows_by_source: data set -> training rows.
    """
    counts = Counter[str]()
    for name, rows in rows_by_source.items():
        counts[datasets()[name].row_licence if name in datasets() else NOT_STATED] += rows
    return Mix.of(dict(counts))


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FileStamp(_Card):
    """What a saved file must be."""

    sha256: str
    """SHA-256 of its content."""
    n_bytes: int = Field(ge=0)
    """Its length, bytes."""


class AddedRowsNote(_Card):
    """What became of rows that a user added to the training data."""

    count: int = Field(default=0, ge=0)
    """Added rows the model was trained on."""
    suspects: tuple[str, ...] = ()
    """One line for each row that was doubted: which, why, and what was done."""


class ModelCard(_Card):
    """Everything a reader of a prediction may ask about the model behind it."""

    format: int = CARD_FORMAT
    """Format of the saved model."""
    model: str
    """Name of the model."""
    model_id: str
    """Content address: data, parameters, features and library versions."""
    properties: tuple[str, ...]
    """Properties it predicts."""
    summary: str
    """One sentence: what it is."""
    spec: dict[str, Any] = Field(default_factory=dict)
    """Spec it was made from; empty where there was none."""
    rows_by_source: dict[str, int]
    """Data set -> training rows."""
    checksums: dict[str, str]
    """Data set / file -> SHA-256 of what was read."""
    duplicates_removed: int
    """Rows left out because another set holds the same value."""
    formulas_unread: dict[str, int] = Field(default_factory=dict)
    """Data set -> rows left out because their formula could not be read."""
    added_rows: AddedRowsNote = AddedRowsNote()
    """Rows a user added, and those among them that were doubted."""
    grouping: str
    """What is never on both sides of a split."""
    split_hash: str
    """Hash of the out-of-fold split the scores were computed on."""
    n_folds: int = Field(default=0, ge=0)
    """Folds of that split; 0 where it was not noted."""
    scores: dict[str, Score]
    """Property -> out-of-fold scores, baselines beside them."""
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
    licence: str = NOT_STATED
    """Licences of the rows it was trained on, SPDX identifiers joined by ``AND`` (:func:`data_licences`)."""
    versions: dict[str, str]
    """Library -> version."""
    python: str = ""
    """Version of Python."""
    wall_time_s: float
    """Time of the training, s."""
    peak_memory_mib: float | None = None
    """Peak memory of the training, MiB; None where it was not measured."""
    own_spec: bool = False
    """True where the spec is not the one that hstore ships under this name."""
    parent: str | None = None
    """Champion it was compared with when it was trained."""
    access: Access = Access()
    """Who may see it."""
    labs: tuple[str, ...] = ()
    """Labs whose unpublished rows it was trained on."""
    created: AwareDatetime | None = None
    """When it was saved, UTC; no part of the content address."""
    files: dict[str, FileStamp] = Field(default_factory=dict)
    """Saved file -> what it must be; filled in when the model is saved."""
    signature: str = ""
    """HMAC-SHA256 of the card without this field, with the key of the registry."""
