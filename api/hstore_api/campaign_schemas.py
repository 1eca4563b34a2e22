"""What the service takes and gives of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field

from hstore_api.schemas import AnyText, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore_workflows.campaign.proposing import Proposal
    from hstore_workflows.campaign.results import Verdict

MAX_RESULTS = 1000
"""Most rows of results in one request."""
MAX_PROPOSALS = 100
"""Most proposals in one request."""

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
