"""What the service takes and gives of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field

from hstore.records import Family  # noqa: TC001 - pydantic reads annotations
from hstore_api.schemas import AnyText, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore_workflows.campaign.proposing import Proposal
    from hstore_workflows.campaign.results import Verdict

MAX_RESULTS = 1000
"""Most rows of results in one request."""
MAX_PROPOSALS = 100
"""Most proposals in one request."""
MAX_POOL_ROWS = 10_000
"""Most candidates in one request; larger pools come from a screening job or from stored materials."""

OF_COLUMN = "as in the name of the column"
Number = Annotated[float, quantity(OF_COLUMN, 1.4)]
Probability = Annotated[float, quantity("probability", 0.8)]
MaybeProbability = Annotated[float | None, quantity("probability", 0.8)]
Count = Annotated[int, quantity("experiments", 4, ge=0)]
ExperimentNumber = Annotated[int, quantity("number of an experiment", 12, ge=0)]
MaybeExperiment = Annotated[int | None, quantity("number of an experiment", 12, ge=0)]
Cell: TypeAlias = "AnyText | float | bool | None"
LabName = Annotated[str, Field(max_length=64, examples=["north"])]
VerdictWord = Literal[
    "taken",
    "partial",
    "failed",
    "replicate",
    "conflict",
    "duplicate",
    "correction",
    "retraction",
    "held",
    "rejected",
]


class BestResult(Schema):
    """The best result so far that misses no window."""

    material_id: str = Field(examples=["hstore:ab5:LaNi5"])
    """Material of the pool."""
    value: Number
    """Value of the main goal."""
    number: ExperimentNumber
    """Experiment that measured it."""


class CampaignSummary(Schema):
    """Where a campaign stands."""

    campaign: str = Field(examples=["alloys"])
    """Name."""
    maximize: str = Field(examples=["h2_capacity_wt_pct"])
    """Column of the main goal."""
    goals: tuple[str, ...] = Field(examples=[["max:h2_capacity_wt_pct"]])
    """What is made large (``max:``) or small (``min:``), the main goal first."""
    windows: tuple[str, ...] = Field(examples=[["desorption_enthalpy_kj_per_mol_h2:25:45"]])
    """Ranges that columns must meet, ``COLUMN:LOW:HIGH``."""
    conditions: dict[str, float] = Field(examples=[{"temperature_k": 298.0}])
    """Conditions of all measurements; the unit is in the name."""
    strategy: str = Field(examples=["hstore"])
    """How candidates are chosen."""
    batch: Count
    """Experiments proposed at a time."""
    lease_days: Annotated[float, quantity("days", 30.0)]
    """Days until an experiment without any result is free again."""
    pool: Annotated[int, quantity("candidates", 2000)]
    """Candidates of the pool."""
    pending: Count
    """Experiments under way."""
    partial: Count
    """Experiments measured in part."""
    measured: Count
    """Experiments with all goals."""
    failed: Count
    """Failed syntheses."""
    released: Count
    """Experiments whose lease passed."""
    retracted: Count
    """Experiments that were taken back."""
    rejected_results: Annotated[int, quantity("rows", 1)]
    """Rows of results that were rejected."""
    held_results: Annotated[int, quantity("rows", 1)]
    """Rows of results that wait for a confirmation."""
    best: BestResult | None
    """Best result; null before there is one."""


class CampaignList(Schema):
    """All campaigns, by name."""

    items: tuple[CampaignSummary, ...]
    """The campaigns."""


class CampaignDetail(CampaignSummary):
    """Where a campaign stands, with its experiments."""

    front: tuple[str, ...] = Field(examples=[["hstore:ab5:LaNi5"]])
    """Materials that no other result beats in every goal."""
    noise: dict[str, dict[str, float]] = Field(
        examples=[{"h2_capacity_wt_pct": {"std": 0.05, "materials": 3, "values": 7}}]
    )
    """Column -> pooled standard deviation of repeated measurements, in its unit, and what it is from."""
    conflicts: tuple[dict[str, Any], ...] = Field(examples=[[]])
    """Materials whose values differ by more than repeating explains, with all values and who measured them."""
    labs: dict[str, dict[str, Any]] = Field(examples=[{"north": {"per_week": 4, "in_flight": 2}}])
    """Labs that were described, with what they have and how many experiments they have under way."""
    held: tuple[dict[str, Any], ...] = Field(examples=[[]])
    """Rows that wait for a confirmation, with the cause."""
    rejected: tuple[dict[str, Any], ...] = Field(examples=[[]])
    """Rows that could not be used, with the cause."""
    experiments: tuple[dict[str, Any], ...] = Field(
        examples=[[{"number": 0, "state": "pending", "material_id": "hstore:ab5:LaNi5", "value": None}]]
    )
    """All experiments: number, state, material, values, lab, reason and what was predicted."""


class ProposalRequest(Schema):
    """How many experiments a lab wants."""

    n: Annotated[int | None, quantity("experiments", 5, ge=1, le=MAX_PROPOSALS)] = None
    """Number of experiments; the campaign's batch when null."""
    lab: LabName | None = None
    """Who will do them; a lab that was described gets what it can make."""
    strategy: Text | None = Field(None, examples=["hstore"])
    """How to choose; the campaign's own way when null."""


class ProposedExperiment(Schema):
    """One experiment to do next."""

    number: ExperimentNumber
    """Number in the campaign."""
    material_id: str = Field(examples=["hstore:ab5:LaNi5"])
    """Material of the pool."""
    formula: str = Field(examples=["LaNi5"])
    """Its formula."""
    reason: str = Field(examples=["expected to improve on the results (best h2_capacity_wt_pct so far 1.4)"])
    """Why it is proposed, in words."""
    aim: str = Field(examples=["improve"])
    """Kind of choice."""
    predictions: dict[str, dict[str, float]] = Field(
        examples=[{"h2_capacity_wt_pct": {"mean": 1.4, "std": 0.1, "lower": 1.24, "upper": 1.56}}]
    )
    """Column -> mean, standard deviation and 90 % interval, in the unit of the column."""
    p_window: dict[str, float] = Field(examples=[{"desorption_enthalpy_kj_per_mol_h2:25:45": 0.8}])
    """Window -> probability of meeting it."""
    p_windows: MaybeProbability
    """Probability of meeting all windows; null without windows."""
    p_success: Probability
    """Probability of a successful synthesis."""
    teaches: Annotated[float, quantity("share", 0.02)]
    """Expected relative reduction of the uncertainty of hopeful candidates."""
    effort: Annotated[float, quantity("relative to the mean of the pool", 1.2)]
    """Effort of making and measuring it."""
    nearest_result: dict[str, Any] | None = Field(examples=[None])
    """Nearest candidate with a result; null before there is one."""
    nearest_known: tuple[dict[str, Any], ...] = Field(examples=[[]])
    """Nearest materials of the literature, with values."""
    strategy: str = Field(examples=["hstore"])
    """How it was chosen."""
    lab: str = Field(examples=["north"])
    """Lab it is kept for; empty for any."""
    lease_until: str = Field(examples=["2026-12-29T12:00:00+00:00"])
    """Until when it is kept if nothing is told."""
    model_ids: tuple[str, ...] = Field(examples=[["hydride_capacity-3f2a"]])
    """Models behind what was predicted before the campaign."""
    n_results: Annotated[int, quantity("materials", 12)]
    """Materials with a result of this campaign behind the prediction."""

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Build from a proposal."""
        held = proposal.as_json()
        return cls.model_validate({name: held[name] for name in cls.model_fields})


class ProposalsResponse(Schema):
    """The next experiments, noted as under way."""

    campaign: str = Field(examples=["alloys"])
    """Name of the campaign."""
    items: tuple[ProposedExperiment, ...]
    """The experiments, in the order of choice."""
    note: str = Field(examples=[""])
    """Why they are fewer than asked for; empty where they are not."""


class ResultsRequest(Schema):
    """Results of a lab."""

    lab: LabName = ""
    """Who measured, where a row has no ``lab``."""
    rows: tuple[dict[AnyText, Cell], ...] = Field(
        min_length=1,
        max_length=MAX_RESULTS,
        examples=[[{"material_id": "hstore:ab5:LaNi5", "value": 1.4, "value_std": 0.05}]],
    )
    """Rows as in a table of results: ``material_id`` or ``formula``; ``value`` (of the main goal) or the names of
    goals and windows, in the unit that the name or ``unit`` states; ``failed`` with the cause of a failed
    synthesis; ``value_std``; conditions; ``corrects`` or ``retracts`` with the number of an experiment, and
    ``why``."""


class RowVerdict(Schema):
    """What became of one row."""

    row: Annotated[int, quantity("row", 1, ge=1)]
    """Number of the row, from 1."""
    material: str = Field(examples=["hstore:ab5:LaNi5"])
    """Material or formula as written."""
    verdict: VerdictWord = Field(examples=["taken"])
    """What became of it."""
    material_id: str = Field(examples=["hstore:ab5:LaNi5"])
    """Material of the pool; empty where none was found."""
    experiment: MaybeExperiment
    """Experiment it became or belongs to."""
    values: dict[str, float] = Field(examples=[{"h2_capacity_wt_pct": 1.4}])
    """What was told, in canonical units."""
    cause: str = Field(examples=[""])
    """Why, and what to do; empty where there is nothing to say."""
    notes: tuple[str, ...] = Field(examples=[["desorption_enthalpy_kj_per_mol_h2 31.38 from value 7.5 kcal/mol"]])
    """What was converted, and remarks."""
    kept_row: Annotated[int | None, quantity("number of a kept row", 3)]
    """Number under which a held or rejected row is kept."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Build from a verdict."""
        return cls.model_validate(verdict.as_json())


class ResultsResponse(Schema):
    """What became of the rows, in their order."""

    campaign: str = Field(examples=["alloys"])
    """Name of the campaign."""
    counts: dict[str, int] = Field(examples=[{"taken": 3, "held": 1}])
    """Verdict -> number of rows."""
    verdicts: tuple[RowVerdict, ...]
    """One verdict for each row."""
    ignored: tuple[str, ...] = Field(examples=[[]])
    """Columns that were not read."""


class StoredCandidates(Schema):
    """Candidates chosen from the stored materials that the caller sees."""

    family: Family | None = None
    """Only this family."""
    elements: tuple[Text, ...] = Field((), max_length=10, examples=[["La", "Ni"]])
    """Symbols that must all be present."""
    chemical_system: Text | None = Field(None, examples=["La-Ni"])
    """Exactly these elements, joined by hyphens, in any order."""
    known: bool | None = None
    """Only materials from the literature (true) or only enumerated ones (false)."""
    limit: Annotated[int, quantity("candidates", 5000, ge=1, le=100_000)] = 20_000
    """Most candidates that are taken, in the order of their identifiers."""


class CampaignRequest(Schema):
    """A campaign to begin: what is looked for, among which candidates."""

    name: Text = Field(examples=["alloys"])
    """Letters, digits, ``.``, ``-`` and ``_``; the campaign is named so, after the lab of the key."""
    maximize: tuple[Text, ...] = Field((), max_length=4, examples=[["h2_capacity_wt_pct"]])
    """Properties to make large; the first is the main goal."""
    minimize: tuple[Text, ...] = Field((), max_length=4, examples=[[]])
    """Properties to make small."""
    windows: tuple[Text, ...] = Field((), max_length=8, examples=[["desorption_enthalpy_kj_per_mol_h2:25:45"]])
    """Ranges that must be met, ``COLUMN:LOW:HIGH``."""
    candidates: tuple[dict[AnyText, Cell], ...] | None = Field(
        None, min_length=1, max_length=MAX_POOL_ROWS, examples=[[{"formula": "LaNi5"}, {"formula": "TiFe"}]]
    )
    """Rows with ``formula`` or descriptors; where at hand ``material_id``, ``COLUMN_mean`` and ``COLUMN_std``."""
    stored: StoredCandidates | None = None
    """Candidates from the stored materials. Exactly one of ``candidates``, ``stored`` and ``job_id`` is given."""
    job_id: Text | None = Field(None, examples=[None])
    """Finished screening job whose ranked candidates, with their predictions, are the pool."""
    keep_outside: bool = False
    """Also take candidates outside the domain of the models behind the predictions."""
    batch: Annotated[int, quantity("experiments", 5, ge=1, le=MAX_PROPOSALS)] = 5
    """Experiments proposed at a time."""
    strategy: Text | None = Field(None, examples=["hstore"])
    """How candidates are chosen; hstore's own portfolio when null."""
    lease_days: Annotated[float, quantity("days", 30.0, gt=0, le=3650)] = 30.0
    """Days until an experiment without any result is free again."""
    conditions: dict[Text, float] = Field(default_factory=dict, examples=[{"temperature_k": 298.0}])
    """Conditions of all measurements; results at others are rejected."""
    budget: Annotated[float | None, quantity("experiments", 100.0, gt=0)] = None
    """Experiments the campaign may spend; counts for the advice when to stop."""
    members: tuple[Text, ...] = Field((), max_length=100, examples=[["south"]])
    """Other labs that see it and work on it."""


class RejectedCandidate(Schema):
    """A row of the pool that could not be used."""

    row: Annotated[int, quantity("row", 3, ge=1)]
    """Number of the row, from 1."""
    formula: str = Field(examples=["LaNj5"])
    """Formula as written."""
    cause: str = Field(examples=["unknown element 'Nj'"])
    """Why it could not be used."""


class CampaignBegun(Schema):
    """A campaign that has begun."""

    campaign: str = Field(examples=["north:alloys"])
    """Its name in addresses."""
    pool: Annotated[int, quantity("candidates", 2000, ge=1)]
    """Candidates of its pool."""
    predicted: tuple[str, ...] = Field(examples=[["h2_capacity_wt_pct"]])
    """Goals for which the pool brings predictions."""
    outside: Annotated[int, quantity("candidates", 0, ge=0)]
    """Candidates left out because they lie outside the domain of the models."""
    rejected: tuple[RejectedCandidate, ...] = Field(examples=[[]])
    """Rows that could not be used, with the cause; the first hundred."""


class MembersRequest(Schema):
    """Labs that work on a lab's campaign."""

    members: tuple[Text, ...] = Field(max_length=100, examples=[["south"]])
    """All of them but the owner; labs that are not named any more lose sight of it."""


class Members(Schema):
    """Whose a campaign is."""

    campaign: str = Field(examples=["north:alloys"])
    """Its name."""
    owner: str | None = Field(examples=["north"])
    """Lab that owns it; null for the operator."""
    members: tuple[str, ...] = Field(examples=[["south"]])
    """Other labs that see it and work on it."""


class LabRequest(Schema):
    """What a lab has, what it does not handle, and how much it does in a week."""

    elements: tuple[Text, ...] | None = Field(None, max_length=118, examples=[["La", "Ni", "Al"]])
    """Elements it has (H, N and O are understood); all when null."""
    without: tuple[Text, ...] = Field((), max_length=118, examples=[["Be", "Pb"]])
    """Elements it does not handle."""
    per_week: Annotated[int | None, quantity("experiments", 4, ge=1, le=10_000)] = None
    """Most experiments it has under way; null for no limit."""
    precursors: tuple[Text, ...] = Field((), max_length=1000, examples=[["LaNi5"]])
    """Precursors it has, whose elements count as at hand."""


class LabDescribed(LabRequest):
    """A lab as it was noted."""

    lab: str = Field(examples=["north"])
    """Its name."""
    makeable: Annotated[int | None, quantity("candidates", 120, ge=0)]
    """Candidates it can make; null where they have no formulas."""


class CorrectionRequest(Schema):
    """Other values in the place of those an experiment was told."""

    values: dict[AnyText, Cell] = Field(max_length=50, examples=[{"h2_capacity_wt_pct": 1.42}])
    """Columns as in a row of results; ``failed`` with the cause where the synthesis failed after all."""
    why: str = Field(min_length=1, max_length=1000, examples=["balance recalibrated"])
    """Reason, kept in the history."""


class RetractionRequest(Schema):
    """That what an experiment was told is not to be believed."""

    why: str = Field(min_length=1, max_length=1000, examples=["sample was oxidised"])
    """Reason, kept in the history."""


class StopAdvice(Schema):
    """Whether to go on, with the figures behind it."""

    word: Literal["go on", "stop"] = Field(examples=["go on"])
    """The advice."""
    why: str = Field(examples=["the next batch is expected to bring more than the noise"])
    """Its reason."""
    p_best_found: MaybeProbability
    """Probability that no free candidate beats the best result by more than the noise; null early on."""
    expected_left: Annotated[float | None, quantity(OF_COLUMN, 0.4)]
    """Expected improvement by the best free candidate, if it were known."""
    expected_gain: Annotated[float | None, quantity(OF_COLUMN, 0.1)]
    """Expected improvement by the next batch."""
    batch: Count
    """Experiments of the next batch."""
    unit: str = Field(examples=["h2_capacity_wt_pct"])
    """Column of the improvements, or ``share of the hypervolume``."""
    left: Annotated[float | None, quantity("experiments", 60.0)]
    """What is left of the budget; null where nobody said what there is."""


class Progress(Schema):
    """How a campaign got on, beside random choice over the same pool; arrays with one entry per answer."""

    experiments: Count
    """Experiments that were answered."""
    reached: tuple[float | None, ...] = Field(examples=[[1.1, 1.4, 1.4]], json_schema_extra={"unit": OF_COLUMN})
    """Best so far of the main goal (of several goals: share of the hypervolume); null while nothing meets the
    windows."""
    random_median: tuple[float | None, ...] = Field(
        examples=[[0.9, 1.0, 1.1]], json_schema_extra={"unit": OF_COLUMN}
    )
    """Median of what random choice reaches, by what is believed of the pool."""
    hindsight: tuple[float | None, ...] = Field(examples=[[1.6, 1.6, 1.6]], json_schema_extra={"unit": OF_COLUMN})
    """Best order by what is known and believed now."""
    top_share: tuple[float, ...] = Field(examples=[[0.0, 0.1, 0.1]], json_schema_extra={"unit": "share"})
    """Share of the good candidates found."""
    top_share_random: tuple[float, ...] = Field(examples=[[0.01, 0.02, 0.03]], json_schema_extra={"unit": "share"})
    """The same, expected of random choice."""


class CampaignProgress(Schema):
    """How a campaign got on and what is next."""

    campaign: str = Field(examples=["north:alloys"])
    """Its name."""
    progress: Progress | None
    """Curves; null before there is an answer."""
    next: tuple[str, ...] = Field(examples=[["hstore:ab5:LaNi5"]])
    """Materials that would be proposed now; asking for proposals notes them as under way."""
