"""What the service says of properties and of the models that predict them.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field

from hstore_api.prediction_schemas import PREDICTED_UNIT
from hstore_api.schemas import Schema, quantity

if TYPE_CHECKING:
    from hstore.properties import Property
    from hstore_api.served import ServedProperty
    from hstore_models.card import ModelCard
    from hstore_models.score import Score


class PropertySchema(Schema):
    """A property with its one canonical unit."""

    name: str = Field(examples=["plateau_pressure_bar"])
    """Canonical name."""
    unit: str = Field(examples=["bar"])
    """Canonical unit."""
    label: str = Field(examples=["Plateau pressure"])
    """Short label."""
    description: str = Field(examples=["Equilibrium desorption pressure at the stated temperature."])
    """What is measured, on which basis and with which sign."""
    low: Annotated[float | None, quantity(PREDICTED_UNIT, 0.0)]
    """Smallest believable value; null where a spec of the operator's own states none."""
    high: Annotated[float | None, quantity(PREDICTED_UNIT, 1e6)]
    """Largest believable value; null where a spec of the operator's own states none."""
    conditions: tuple[str, ...] = Field(examples=[["temperature_k"]])
    """Conditions without which a value means nothing; of a model of the operator's own, columns it is learned
    from."""
    predicted_from: Literal["formula", "descriptors"] | None = Field(examples=["formula"])
    """What a model predicts it from; null when none does. The service answers for formulas."""
    model: str | None = Field(examples=["hydride_thermodynamics"])
    """Name of the model that predicts it (see ``/v1/models``); null when none does."""

    @classmethod
    def of(cls, property: Property, served: ServedProperty | None) -> Self:
        """Build from a property and what predicts it."""
        stated = {name: getattr(property, name) for name in set(cls.model_fields) - {"predicted_from", "model"}}
        if served is None:
            return cls(**stated, predicted_from=None, model=None)
        return cls(**stated, predicted_from=served.predicted_from, model=served.model)

    @classmethod
    def of_own(cls, served: ServedProperty) -> Self:
        """Build from what a spec of the operator's own predicts."""
        names = set(cls.model_fields) - {"label", "description"}
        stated = {name: getattr(served, name) for name in names}
        return cls(**stated, label=served.name, description=served.summary)


class PropertyList(Schema):
    """All properties hstore speaks of."""

    items: tuple[PropertySchema, ...]
    """The properties."""


def _error(example: float) -> Any:
    return quantity(PREDICTED_UNIT, example)


class FamilyScoreSchema(Schema):
    """Scores of the rows of one family, in the unit of the score they belong to."""

    n: Annotated[int, quantity("rows", 40, ge=0)]
    """Rows of the family."""
    n_groups: Annotated[int, quantity("groups", 25, ge=0)]
    """Groups that were held out together, such as chemical systems."""
    mae: Annotated[float, _error(0.25)]
    """Mean absolute error."""
    median_error: Annotated[float, _error(0.15)]
    """Median absolute error."""
    coverage: Annotated[float, quantity("fraction", 0.92)]
    """Share of values inside their 90 % interval."""
    mean_width: Annotated[float, _error(1.1)]
    """Mean width of the 90 % interval."""
    p_below_90: Annotated[float, quantity("probability", 0.6)]
    """Probability of such coverage, or worse, if the intervals did cover 90 %; groups are the units."""


class ModelScore(Schema):
    """How wrong a model is on materials it has not seen; whole groups were held out."""

    n: Annotated[int, quantity("rows", 300, ge=0)]
    """Rows scored."""
    unit: str = Field(examples=["wt%"])
    """Unit of the errors; pressures are scored in natural logarithm."""
    subset: str = Field(examples=["all rows of hydrides"])
    """Which rows were scored, in words."""
    split_hash: str = Field(examples=["0f3a5b7c9d1e"])
    """Hash of which row was in which fold: equal hashes, equal split."""
    mae: Annotated[float, _error(0.3)]
    """Mean absolute error."""
    median_error: Annotated[float, _error(0.2)]
    """Median absolute error."""
    rmse: Annotated[float, _error(0.5)]
    """Root mean square error."""
    r2: Annotated[float | None, quantity("1", 0.8)]
    """Coefficient of determination; null when not defined."""
    spearman: Annotated[float | None, quantity("1", 0.9)]
    """Rank correlation; null when not defined."""
    mae_mean_predictor: Annotated[float, _error(0.6)]
    """Mean absolute error of always answering the training mean."""
    mae_nearest_neighbour: Annotated[float | None, _error(0.4)]
    """Mean absolute error of answering with the most similar training row; null where not computed."""
    mae_plain_forest: Annotated[float | None, _error(0.35)]
    """Mean absolute error of a plain forest on the composition; null where not computed."""
    noise_floor_mae: Annotated[float | None, _error(0.15)]
    """Mean absolute error of a perfect model, from repeated measurements; null without repeats."""
    coverage: Annotated[float, quantity("fraction", 0.9)]
    """Share of values inside their 90 % interval."""
    mean_width: Annotated[float, _error(1.3)]
    """Mean width of the 90 % interval."""
    by_family: dict[str, FamilyScoreSchema]
    """Family or alloy class and its scores."""

    @classmethod
    def of(cls, score: Score) -> Self:
        """Build from a score of a card."""
        return cls.model_validate(score.model_dump(include=set(cls.model_fields)))


class ModelSchema(Schema):
    """A trained model: what it is, what it saw, how wrong it is, where it may be believed."""

    model_id: str = Field(examples=["conductivity-0f3a5b7c9d1e"])
    """Content address."""
    model: str = Field(examples=["conductivity"])
    """Name."""
    current: bool = Field(examples=[True])
    """True for the version in use."""
    own_spec: bool = Field(examples=[False])
    """True where the spec is the operator's own."""
    parent: str | None = Field(examples=["conductivity-9b8a7c6d5e4f"])
    """Version in use it was compared with when it was trained; null where nothing was."""
    created: AwareDatetime | None = Field(examples=["2025-01-31T12:00:00Z"])
    """When it was saved, UTC."""
    properties: tuple[str, ...] = Field(examples=[["log10_conductivity_s_per_cm"]])
    """Properties it predicts."""
    summary: str = Field(examples=["Extremely randomized trees on composition."])
    """What it is, in one sentence."""
    rows_by_source: dict[str, int] = Field(examples=[{"electrolytes": 280}], json_schema_extra={"unit": "rows"})
    """Data set and its training rows."""
    checksums: dict[str, str] = Field(examples=[{"electrolytes/electrolytes.csv": "9f86d081884c7d65"}])
    """Data set and file, and the SHA-256 of what was read."""
    formulas_unread: dict[str, int] = Field(examples=[{"doe_hydride": 304}], json_schema_extra={"unit": "rows"})
    """Data set and its rows left out because their formula could not be read."""
    n_added_rows: Annotated[int, quantity("rows", 0, ge=0)]
    """Rows of the operator's own it was trained on."""
    grouping: str = Field(examples=["chemical system without H"])
    """What was never on both sides of a split."""
    split_hash: str = Field(examples=["0f3a5b7c9d1e"])
    """Hash of the split the scores were computed on."""
    n_folds: Annotated[int, quantity("folds", 5, ge=0)]
    """Folds of that split."""
    scores: dict[str, ModelScore]
    """Property and its scores on held-out groups."""
    domain: str = Field(examples=["elements Li O P S"])
    """Where it may be believed."""
    limits: tuple[str, ...] = Field(examples=[["Composition only: polymorphs share one answer."]])
    """What it cannot do."""
    licence: str = Field(examples=["CC-BY-4.0"])
    """Licence of its data."""
    versions: dict[str, str] = Field(examples=[{"numpy": "2.4.6"}])
    """Library and its version when the model was trained."""

    @classmethod
    def of(cls, card: ModelCard, *, current: bool) -> Self:
        """Build from a model card."""
        names = set(cls.model_fields) - {"current", "scores", "n_added_rows"}
        return cls(
            **{name: getattr(card, name) for name in names},
            current=current,
            n_added_rows=card.added_rows.count,
            scores={name: ModelScore.of(score) for name, score in card.scores.items()},
        )


class ModelList(Schema):
    """The trained models, by name."""

    items: tuple[ModelSchema, ...]
    """The models; one that no request has needed yet is not trained and not listed."""
