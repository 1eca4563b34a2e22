"""What the service says of properties and of the models that predict them.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from hstore.records import Visibility
from hstore_api.prediction_schemas import PREDICTED_UNIT
from hstore_api.schemas import AnyText, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.properties import Property
    from hstore_api.served import ServedProperty
    from hstore_models.card import ModelCard
    from hstore_models.ledger import Promotion
    from hstore_models.score import Score


MAX_HELD_OUT = 2000
"""Most held-out rows in one answer."""


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


class PropertyDetail(PropertySchema):
    """A property, and what the model in use says of itself."""

    model_id: str | None = Field(examples=["hydride_thermodynamics-0f3a5b7c9d1e"])
    """Version in use for the caller; null when no model predicts the property, or none is trained yet."""
    families: tuple[str, ...] = Field(examples=[["AB5", "AB2"]])
    """Families of materials that its scores tell apart."""
    domain: str = Field(examples=["elements Al Fe La Ni Ti"])
    """Where the version in use may be believed; empty where there is none."""
    score: ModelScore | None
    """Its scores on held-out groups; null where there is none."""

    @classmethod
    def told(cls, found: PropertySchema, card: ModelCard | None) -> Self:
        """Build from a property and the card of what is in use."""
        score = card.scores.get(found.name) if card else None
        return cls(
            **found.model_dump(),
            model_id=card.model_id if card else None,
            families=tuple(score.by_family) if score else (),
            domain=card.domain if card else "",
            score=ModelScore.of(score) if score else None,
        )


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

    private: bool = Field(examples=[False])
    """True where it has learned from unpublished rows of the caller's lab and is the lab's alone."""

    @classmethod
    def fields_of(cls, card: ModelCard, *, current: bool) -> dict[str, Any]:
        """Return the fields which a card fills."""
        names = set(ModelSchema.model_fields) - {"current", "scores", "n_added_rows", "private"}
        return {
            **{name: getattr(card, name) for name in names},
            "current": current,
            "n_added_rows": card.added_rows.count,
            "private": card.access.visibility is Visibility.LAB,
            "scores": {name: ModelScore.of(score) for name, score in card.scores.items()},
        }

    @classmethod
    def of(cls, card: ModelCard, *, current: bool) -> Self:
        """Build from a model card."""
        return cls(**cls.fields_of(card, current=current))


class ModelVersion(ModelSchema):
    """A trained model with the whole of its card."""

    duplicates_removed: Annotated[int, quantity("rows", 12, ge=0)]
    """Rows left out because another set holds the same value."""
    suspects: tuple[str, ...] = Field(examples=[["row 3 (LaNi5): 140 wt% is outside [0, 25]; rejected"]])
    """One line for each added row that was doubted: which, why, and what was done."""
    importances: dict[str, float] = Field(
        examples=[{"magpie MagpieData mean Column": 0.12}], json_schema_extra={"unit": "fraction"}
    )
    """Feature and its share of the variance reduction in the main forest, the twenty largest."""
    n_features: Annotated[int, quantity("features", 180, ge=0)]
    """Number of features."""
    parameters: dict[str, float] = Field(examples=[{"seed": 0}], json_schema_extra={"unit": "1"})
    """Weights of its learners, and the seed."""
    spec: dict[str, Any] = Field(examples=[{"name": "hydride_capacity", "kind": "hydride_capacity"}])
    """Spec it was made from; empty where there was none."""
    code_version: str = Field(examples=["0f3a5b7c9d1e"])
    """Hash of the code that made it from its data."""
    python: str = Field(examples=["3.11.9"])
    """Version of Python."""
    wall_time_s: Annotated[float, quantity("s", 42.0, ge=0)]
    """Time of its training."""
    peak_memory_mib: Annotated[float | None, quantity("MiB", 900.0, ge=0)]
    """Peak memory of its training; null where it was not measured."""

    @classmethod
    def of(cls, card: ModelCard, *, current: bool) -> Self:
        """Build from a model card."""
        names = set(cls.model_fields) - set(ModelSchema.model_fields) - {"suspects"}
        own = {name: getattr(card, name) for name in names}
        return cls(**cls.fields_of(card, current=current), **own, suspects=card.added_rows.suspects)


class VersionSummary(Schema):
    """One version of a model, in a line."""

    model_id: str = Field(examples=["conductivity-0f3a5b7c9d1e"])
    """Content address."""
    current: bool = Field(examples=[True])
    """True for the version in use."""
    private: bool = Field(examples=[False])
    """True for a version of the caller's lab alone."""
    created: AwareDatetime | None = Field(examples=["2025-01-31T12:00:00Z"])
    """When it was saved, UTC."""
    parent: str | None = Field(examples=[None])
    """Version in use it was compared with when it was trained."""
    n_rows: Annotated[int, quantity("rows", 280, ge=0)]
    """Rows it was trained on."""
    mae: dict[str, float] = Field(examples=[{"log10_conductivity_s_per_cm": 0.9}], json_schema_extra={"unit": "1"})
    """Property and its mean absolute error on held-out groups, in the unit of its score."""

    @classmethod
    def of(cls, card: ModelCard, *, current: bool) -> Self:
        """Build from a model card."""
        return cls(
            **{name: getattr(card, name) for name in ("model_id", "created", "parent")},
            current=current,
            private=card.access.visibility is Visibility.LAB,
            n_rows=sum(card.rows_by_source.values()),
            mae={name: score.mae for name, score in card.scores.items()},
        )


class ReleaseEntry(Schema):
    """One change of the version in use."""

    model_id: str = Field(examples=["conductivity-0f3a5b7c9d1e"])
    """Version in use from then on."""
    previous: str | None = Field(examples=["conductivity-9b8a7c6d5e4f"])
    """Version in use before; null where there was none."""
    action: Literal["promote", "rollback"] = Field(examples=["promote"])
    """Forwards to a new version, or back to one in use before."""
    reason: str = Field(examples=["fewer errors on sulfides"])
    """Why."""
    forced: bool = Field(examples=[False])
    """True where the gate was against it."""
    for_lab: bool = Field(examples=[False])
    """True where it is in use for the caller's lab alone."""
    time: AwareDatetime = Field(examples=["2025-01-31T12:00:00Z"])
    """When, UTC."""

    @classmethod
    def of(cls, entry: Promotion) -> Self:
        """Build from an entry of the history."""
        names = set(cls.model_fields) - {"for_lab"}
        return cls(**{name: getattr(entry, name) for name in names}, for_lab=entry.lab_id is not None)


class ModelOverview(Schema):
    """A model with its versions, newest first."""

    model: str = Field(examples=["conductivity"])
    """Name."""
    properties: tuple[str, ...] = Field(examples=[["log10_conductivity_s_per_cm"]])
    """Properties it predicts."""
    current: str | None = Field(examples=["conductivity-0f3a5b7c9d1e"])
    """Version that answers the caller; null where none is in use."""
    versions: tuple[VersionSummary, ...]
    """Its versions."""
    history: tuple[ReleaseEntry, ...]
    """Changes of the version in use, oldest first."""


class HeldOutRow(Schema):
    """A known value and the prediction made with its group held out."""

    row: Annotated[int, quantity("1", 0, ge=0)]
    """Place in the table, from 0."""
    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property."""
    unit: str = Field(examples=["wt%"])
    """Unit of the numbers; pressures are compared in natural logarithm."""
    label: str = Field(examples=["LaNi5"])
    """Formula or name."""
    source: str = Field(examples=["hydrides"])
    """Data set."""
    family: str = Field(examples=["AB5"])
    """Family or alloy class."""
    measured: Annotated[float, _error(1.4)]
    """Known value."""
    predicted: Annotated[float, _error(1.3)]
    """Prediction."""
    lower: Annotated[float, _error(1.0)]
    """Lower end of its 90 % interval."""
    upper: Annotated[float, _error(1.7)]
    """Upper end of its 90 % interval."""
    fold: Annotated[int, quantity("1", 2, ge=0)]
    """Fold it was held out in."""


class HeldOutQuery(Schema):
    """Which held-out values are asked for."""

    property: Text | None = Field(None, examples=["h2_capacity_wt_pct"])
    """Only this property."""
    sample: Annotated[int, quantity("rows", 500, ge=1, le=MAX_HELD_OUT)] | None = None
    """At most so many rows, evenly over the range of known values of each property; for plots. Goes without
    ``after``."""
    limit: Annotated[int, quantity("rows", 500, ge=1, le=MAX_HELD_OUT)] = 500
    """Most rows on the page."""
    after: Annotated[int, quantity("1", 499, ge=0)] | None = None
    """``next`` of the page before."""

    @model_validator(mode="after")
    def _pages_or_samples(self) -> Self:
        if self.sample is not None and self.after is not None:
            raise ValueError("give sample or after, not both")
        return self


class HeldOutPage(Schema):
    """Held-out values of a version: what parity, residual and calibration plots are drawn from."""

    model_id: str = Field(examples=["hydride_capacity-0f3a5b7c9d1e"])
    """The version."""
    total: Annotated[int, quantity("rows", 186, ge=0)]
    """Rows there are."""
    items: tuple[HeldOutRow, ...]
    """The rows."""
    next: int | None = Field(examples=[499], json_schema_extra={"unit": "1"})
    """Value of ``after`` for the next page; null on the last and where rows are sampled."""


class DifferenceSchema(Schema):
    """Errors of two versions on the same rows, in the unit of the property (natural logarithm for pressures)."""

    n: Annotated[int, quantity("rows", 120, ge=0)]
    """Rows."""
    groups: Annotated[int, quantity("groups", 60, ge=0)]
    """Groups they are in."""
    champion: Annotated[float, _error(0.31)]
    """Error of the version it is compared with."""
    challenger: Annotated[float, _error(0.28)]
    """Error of this version."""
    difference: Annotated[float, _error(-0.03)]
    """This version minus the other; below 0 it errs less."""
    low: Annotated[float, _error(-0.05)]
    """Lower end of the 90 % interval of the difference."""
    high: Annotated[float, _error(-0.01)]
    """Upper end."""
    p_no_worse: Annotated[float, quantity("probability", 0.9)]
    """Probability of so large a difference when this version is no worse."""


class PropertyVerdict(Schema):
    """Two versions on one property."""

    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property."""
    unit: str = Field(examples=["wt%"])
    """Unit of its errors."""
    outcome: Literal["better", "worse", "no difference", "not judged"] = Field(examples=["better"])
    """What the interval of the difference says."""
    errors: DifferenceSchema | None
    """Errors on the shared rows; null where they share none."""
    coverage: Annotated[float | None, quantity("fraction", 0.91)]
    """Share of the held-out values of this version inside their 90 % interval; null without any."""
    coverage_p: Annotated[float, quantity("probability", 0.7)]
    """Probability of so small a coverage when intervals are right."""
    worse_families: dict[str, DifferenceSchema]
    """Families made worse by more than the tolerance and beyond the noise."""
    new: Annotated[int, quantity("rows", 4, ge=0)]
    """Rows among those compared that the other version had never seen."""
    unshared: Annotated[int, quantity("rows", 0, ge=0)]
    """Held-out rows that only one of the two has."""


class VerdictSchema(Schema):
    """Whether a version may take the place of another, and why."""

    champion_id: str = Field(examples=["hydride_capacity-9b8a7c6d5e4f"])
    """Version it would replace."""
    challenger_id: str = Field(examples=["hydride_capacity-0f3a5b7c9d1e"])
    """This version."""
    metric: str = Field(examples=["mae"])
    """What errors are measured by."""
    better: bool = Field(examples=[True])
    """True when it may."""
    reasons: tuple[str, ...] = Field(examples=[["h2_capacity_wt_pct: better, 0.28 instead of 0.31 wt%"]])
    """What spoke for it, or all that spoke against it."""
    properties: tuple[PropertyVerdict, ...]
    """Property by property."""


class CompareQuery(Schema):
    """What a version is compared with."""

    model_config = ConfigDict(populate_by_name=True)

    champion: Text | None = Field(None, alias="with", examples=["hydride_capacity-9b8a7c6d5e4f"])
    """The other version; the one in use when not given."""


class PromotionRequest(Schema):
    """A version to put into use."""

    model_id: Text = Field(examples=["hydride_capacity-0f3a5b7c9d1e"])
    """The version."""
    for_everybody: bool = Field(default=False, examples=[False])
    """True puts a public version into use for everybody, which needs the scope ``admin``; false puts it into use
    for the caller's lab."""
    reason: Annotated[AnyText, Field(max_length=1000)] | None = Field(None, examples=["fewer errors on sulfides"])
    """Reason for the history; the verdict of the gate when not given."""
    force: Annotated[AnyText, Field(min_length=1, max_length=1000)] | None = Field(None, examples=[None])
    """Reason to put it into use although the gate is against it."""


class RollbackRequest(Schema):
    """A wish to go back to the version in use before."""

    for_everybody: bool = Field(default=False, examples=[False])
    """True goes back for everybody, which needs the scope ``admin``; false for the caller's lab."""
    reason: Annotated[AnyText, Field(min_length=1, max_length=1000)] = Field(examples=["odd answers for borides"])
    """Reason for the history."""


class ReleaseResponse(Schema):
    """What became of a wish to change the version in use."""

    entry: ReleaseEntry
    """Entry of the history."""
    verdict: VerdictSchema | None
    """What the gate said; null where there was nothing to compare with, or it was not asked."""


class ModelList(Schema):
    """The trained models, by name."""

    items: tuple[ModelSchema, ...]
    """The models; one that no request has needed yet is not trained and not listed."""
