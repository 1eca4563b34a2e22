"""What the service takes and gives of measurements and isotherms."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field

from hstore.records import Basis, Branch, Conditions, Visibility
from hstore_api.schemas import AnyText, PageSize, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.records import Access, MeasuredIsotherm, Measurement, Provenance
    from hstore.store.isotherms import StoredIsotherm
    from hstore.store.lab_records import Event, Held, State
    from hstore.store.measured import KnownValue, StoredMeasurement
    from hstore_workflows.measure.comparing import Disagreement
    from hstore_workflows.measure.verdicts import Taken, Verdict

MAX_ROWS = 1000
"""Most rows of measurements in one JSON request; a CSV may have 50,000."""
MAX_ISOTHERMS = 100
"""Most isotherms in one request."""
MAX_POINTS = 5000
"""Most points of an isotherm."""
MAX_CELLS = 100
"""Most cells of a row."""
MAX_WORD = 200
"""Most characters of a name."""
MAX_NOTE = 2000
"""Most characters of a remark."""


def _without_nul(text: str) -> str:
    """Refuse the character NUL, which databases have no place for."""
    if "\x00" in text:
        raise ValueError("text must not hold the character NUL")
    return text


PlainText = Annotated[AnyText, AfterValidator(_without_nul)]
Word = Annotated[PlainText, Field(max_length=MAX_WORD)]
Remark = Annotated[PlainText, Field(max_length=MAX_NOTE)]
Cell: TypeAlias = "AnyText | float | bool | None"
RowCells: TypeAlias = "Annotated[dict[AnyText, Cell], Field(max_length=MAX_CELLS)]"
RecordId = Annotated[PlainText, Field(min_length=1, max_length=MAX_WORD, examples=["m-0a5a7b9b99f952e9b3d6970d"])]
VerdictWord = Literal["stored", "duplicate", "held", "rejected"]
IN_UNIT = "as in `unit`"
InUnit = Annotated[float, quantity(IN_UNIT, 1.4)]
MaybeInUnit = Annotated[float | None, quantity(IN_UNIT, 0.05)]
WtPct = Annotated[float, quantity("wt%", 1.4)]
Kelvin = Annotated[float | None, quantity("K", 298.15)]
Bar = Annotated[float | None, quantity("bar", 100.0)]
Rows = Annotated[int, quantity("rows", 3, ge=0)]
Seen = Annotated[Visibility, Field(examples=["lab"])]
Embargo = Annotated[date | None, Field(examples=["2027-06-30"])]
UptakeKind = Annotated[Literal["excess", "absolute", "total"], Field(examples=["excess"])]
MassBasis = Annotated[
    Literal["hydrogenated_material", "host", "sorbent", "sorbent_plus_h2"], Field(examples=["sorbent"])
]


class SharingQuery(Schema):
    """Who may see what is sent, where the body does not say."""

    visibility: Seen = Visibility.LAB
    """``lab`` keeps it to the own lab, ``public`` publishes it at once and cannot be undone."""
    embargo_until: Embargo = None
    """First day on which everybody may see it; empty keeps it to the own lab until it is published."""


class MeasurementsRequest(Schema):
    """Measurements of a lab."""

    rows: tuple[RowCells, ...] = Field(
        min_length=1,
        max_length=MAX_ROWS,
        examples=[
            [
                {"formula": "LaNi5", "h2_capacity_wt_pct": 1.4, "measured_on": "2026-11-02", "row_id": "A-17"},
                {
                    "formula": "LaNi5",
                    "property": "plateau_pressure",
                    "value": 1.7,
                    "unit": "atm",
                    "temperature_c": 25,
                },
            ]
        ],
    )
    """Rows as in a table. ``material_id`` or ``formula``; either ``property``, ``value`` and ``unit``, or columns
    named after properties, with the unit in the name; ``standard_deviation``; conditions (``temperature_k``,
    ``pressure_bar`` and so on, other units in the name); ``capacity_definition``, ``mass_basis``, ``uptake_kind``;
    ``measured_on``, ``sample``, ``instrument``, ``note``, ``reference``, ``licence``, ``row_id``,
    ``confirmed``."""
    visibility: Seen | None = None
    """``lab`` (where nothing is said) keeps them to the own lab, ``public`` publishes them at once for good."""
    embargo_until: Embargo = None
    """First day on which everybody may see them; empty keeps them to the own lab until they are published."""


class ValueVerdict(Schema):
    """What became of one value of a row, of a row that cannot be used, or of an isotherm."""

    row: Annotated[int, quantity("row", 1, ge=1)]
    """Number of the row or isotherm, from 1."""
    verdict: VerdictWord = Field(examples=["stored"])
    """``stored``; ``duplicate``: told before, nothing written; ``held``: can hardly be true, kept until it is
    confirmed; ``rejected``: cannot be used."""
    record_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Identifier of the measurement or isotherm; empty where it was rejected."""
    material: str = Field(examples=["LaNi5"])
    """Material or formula as written, shortened."""
    material_id: str = Field(examples=["lab:north:LaNi5"])
    """Material it belongs to; empty where it was rejected."""
    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property, which names the unit; empty for isotherms, and where the row as a whole was rejected."""
    value: Annotated[float | None, quantity("as in the name of `property`", 1.4)]
    """Value in that unit; null where there is none."""
    cause: str = Field(examples=[""])
    """Why, and what to do; empty where there is nothing to say."""
    notes: tuple[str, ...] = Field(examples=[["plateau_pressure_bar 1.72253 from 1.7 atm"]])
    """What was converted, taken for granted, or differs from other values you may see."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Build from a verdict."""
        return cls.model_validate(verdict.as_json())


class TakenResponse(Schema):
    """What became of what was sent, in its order."""

    counts: dict[str, Rows] = Field(examples=[{"stored": 3, "duplicate": 0, "held": 1, "rejected": 0}])
    """Verdict -> how many."""
    verdicts: tuple[ValueVerdict, ...]
    """One verdict for each value; a row with several values has several."""
    ignored: tuple[str, ...] = Field(examples=[[]])
    """Columns that were not read."""

    @classmethod
    def of(cls, taken: Taken) -> Self:
        """Build from what was taken."""
        return cls(
            counts=taken.counts, verdicts=tuple(map(ValueVerdict.of, taken.verdicts)), ignored=taken.ignored
        )


class RecordFields(Schema):
    """What every record of a lab says of itself."""

    material_id: str = Field(examples=["lab:north:LaNi5"])
    """Material it belongs to."""
    formula: str = Field(examples=["LaNi5"])
    """Formula of the material."""
    measured_on: date | None = Field(examples=["2026-11-02"])
    """Day of the measurement."""
    source: str = Field(examples=["lab north"])
    """Lab or data set it comes from."""
    sample: str | None = Field(examples=["batch 7, annealed"])
    """Sample, in the lab's own words."""
    instrument: str | None = Field(examples=["Sieverts rig 2"])
    """Instrument, in the lab's own words."""
    note: str | None = Field(examples=["third cycle"])
    """Anything a reader must know."""
    reference: str | None = Field(examples=["10.1016/0022-5088(70)90028-5"])
    """DOI, where it is published."""
    licence: str | None = Field(examples=["CC-BY-4.0"])
    """Licence, an SPDX identifier where there is one."""
    row_id: str | None = Field(examples=["A-17"])
    """The lab's own name for the row."""
    lab_id: str | None = Field(examples=["north"])
    """Lab it belongs to; null for public sources."""
    visibility: Seen
    """``lab`` or ``public``."""
    embargo_until: Embargo
    """First day on which everybody may see it."""
    replaces: str | None = Field(examples=[None])
    """Identifier of the record it corrects."""
    corrected_by: str | None = Field(examples=[None])
    """Identifier of the record that corrects it."""
    recorded_at: AwareDatetime | None = Field(examples=["2026-11-03T08:15:00Z"])
    """When it was told, UTC."""
    retracted_at: AwareDatetime | None = Field(examples=[None])
    """When its lab took it back, UTC."""

    @staticmethod
    def shared(
        record: Measurement | MeasuredIsotherm, provenance: Provenance, formula: str, state: State
    ) -> dict[str, Any]:
        """Return the fields that all records share."""
        access: Access = record.access
        words = ("source", "sample", "instrument", "note", "reference", "licence", "row_id")
        return {
            **{name: getattr(provenance, name) for name in words},
            **{name: getattr(record, name) for name in ("material_id", "measured_on", "replaces")},
            **{name: getattr(access, name) for name in ("lab_id", "visibility", "embargo_until")},
            **{name: getattr(state, name) for name in ("corrected_by", "recorded_at", "retracted_at")},
            "formula": formula,
        }


class MeasurementItem(RecordFields):
    """A measured value with all that it needs to be used."""

    measurement_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Opaque identifier."""
    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property (see ``/v1/properties``)."""
    value: InUnit
    """Value."""
    unit: str = Field(examples=["wt%"])
    """Unit of the value and its standard deviation."""
    standard_deviation: MaybeInUnit
    """Standard deviation."""
    temperature_k: Kelvin
    """Temperature, K."""
    pressure_bar: Bar
    """Hydrogen pressure, bar."""
    charge_pressure_bar: Bar
    """Pressure of the charged state, bar."""
    charge_temperature_k: Kelvin
    """Temperature of the charged state, K."""
    discharge_pressure_bar: Bar
    """Pressure of the discharged state, bar."""
    discharge_temperature_k: Kelvin
    """Temperature of the discharged state, K."""
    capacity_definition: str | None = Field(examples=["maximum"])
    """Which capacity: maximum, reversible or usable."""
    mass_basis: str | None = Field(examples=["hydrogenated_material"])
    """Per mass of what."""
    uptake_kind: str | None = Field(examples=[None])
    """Which uptake: excess, absolute or total."""

    @classmethod
    def of(cls, stored: StoredMeasurement) -> Self:
        """Build from a record."""
        measurement = stored.measurement
        value = measurement.value
        return cls(
            **cls.shared(measurement, value.provenance, stored.formula, stored.state),
            measurement_id=measurement.measurement_id,
            property=value.property,
            value=value.value,
            unit=value.unit,
            standard_deviation=value.standard_deviation,
            **value.conditions.model_dump(),
            **value.basis.model_dump(),
        )


class RecordEvent(Schema):
    """Something that happened to a record after it was told."""

    record_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Identifier of the record."""
    at: AwareDatetime = Field(examples=["2026-11-20T10:00:00Z"])
    """When, UTC."""
    action: str = Field(examples=["published"])
    """What: ``published``, ``scheduled``, ``corrected``, ``retracted`` or ``confirmed``."""
    detail: dict[str, Any] = Field(examples=[{"why": "wrong sample mass"}])
    """Why, or on which day."""

    @classmethod
    def of(cls, event: Event) -> Self:
        """Build from an event."""
        return cls(record_id=event.record_id, at=event.at, action=event.action, detail=event.detail)


MEASUREMENT_COLUMNS: dict[str, type] = {
    **dict.fromkeys(("measurement_id", "material_id", "formula", "property"), str),
    "value": float,
    "unit": str,
    **dict.fromkeys(("standard_deviation", *Conditions.model_fields), float),
    **dict.fromkeys(
        (*Basis.model_fields, "measured_on", "sample", "instrument", "note", "reference", "licence"), str
    ),
    **dict.fromkeys(("row_id", "source", "lab_id", "visibility", "embargo_until"), str),
    **dict.fromkeys(("replaces", "corrected_by", "recorded_at", "retracted_at"), str),
}
"""Columns of measurements as a table; days and times are text."""


class MeasurementDetail(MeasurementItem):
    """A measured value with its history."""

    history: tuple[MeasurementItem, ...]
    """Itself with what it corrects and is corrected by, oldest first, as far as you may see them."""
    events: tuple[RecordEvent, ...]
    """What happened to them after they were told, oldest first."""


class MeasurementPage(Schema):
    """Some measurements, in the order of their identifiers."""

    items: tuple[MeasurementItem, ...]
    """The measurements."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Value of ``after`` for the next page; null on the last."""


class RecordQuery(Schema):
    """Which records are asked for; empty fields do not filter."""

    material_id: Text | None = Field(None, examples=["lab:north:LaNi5"])
    """Only of this material."""
    formula: Text | None = Field(None, examples=["La2Ni10"])
    """Only of materials of this composition, whatever its formula unit."""
    lab: Literal["own"] | None = None
    """``own`` leaves out what others published."""
    include_replaced: bool = False
    """Also those that were corrected or retracted."""
    limit: PageSize = 50
    """Most items on the page."""
    after: Text | None = None
    """``next`` of the page before."""


class MeasurementQuery(RecordQuery):
    """Which measurements are asked for; empty fields do not filter."""

    property: Text | None = Field(None, examples=["h2_capacity_wt_pct"])
    """Only of this property."""
    measured_from: date | None = Field(None, examples=["2026-01-01"])
    """Measured on this day or later."""
    measured_to: date | None = Field(None, examples=["2026-12-31"])
    """Measured on this day or earlier."""
    format: Literal["json", "csv", "parquet"] | None = Field(None, examples=["csv"])
    """Form of the answer, in place of the header ``Accept``."""


class HeldItem(Schema):
    """A value or an isotherm that can hardly be true and waits until its lab confirms it."""

    record_id: str = Field(examples=["m-d02db966730dd7c9ee074886"])
    """Identifier it will have."""
    held_at: AwareDatetime = Field(examples=["2026-11-03T08:15:00Z"])
    """When it was told, UTC."""
    cause: str = Field(examples=["h2_capacity_wt_pct 14 would be 11.6 H per metal atom"])
    """Why it can hardly be true."""
    record: dict[str, Any] = Field(examples=[{"material_id": "lab:north:LaNi5", "measured_on": "2026-11-02"}])
    """The record as it would be stored, in canonical units."""

    @classmethod
    def of(cls, held: Held) -> Self:
        """Build from what is held."""
        return cls(record_id=held.record_id, held_at=held.held_at, cause=held.cause, record=held.record)


class HeldPage(Schema):
    """What waits for a confirmation of the own lab, by identifier."""

    items: tuple[HeldItem, ...]
    """The records."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=["m-d02db966730dd7c9ee074886"])
    """Value of ``after`` for the next page; null on the last."""


class HeldQuery(Schema):
    """Which page of held records."""

    limit: PageSize = 50
    """Most items on the page."""
    after: Text | None = None
    """``next`` of the page before."""


class Outcome(Schema):
    """What became of one record."""

    record_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Identifier of the record."""
    changed: bool = Field(examples=[True])
    """False where it was so before."""


class Why(Schema):
    """Why something is done."""

    why: Annotated[Remark, Field(min_length=1, examples=["wrong sample mass"])]
    """The reason, kept in the history of the record."""


class CorrectionRequest(Why):
    """What is right, and what was wrong."""

    changes: RowCells = Field(min_length=1, examples=[{"value": 1.38, "standard_deviation": 0.03}])
    """Cells as in a row that change, ``value`` in the canonical unit where no ``unit`` is given; others stay as
    they were, and an empty one clears what it names."""


class PublishRequest(Schema):
    """What everybody may see, and from when on."""

    ids: tuple[RecordId, ...] | None = Field(None, min_length=1, max_length=MAX_ROWS)
    """Identifiers; leave out where ``all`` is true."""
    all: bool = Field(default=False, examples=[False])
    """True for all of the own lab that is not public yet."""
    on: Embargo = None
    """First day; empty, today or earlier for at once. What is public stays so."""


class PublishedItem(Schema):
    """What became of one record that was to be published."""

    record_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Identifier as given."""
    outcome: Literal["published", "scheduled", "public", "not_found"] = Field(examples=["published"])
    """``published`` now, ``scheduled`` for the day, ``public`` before, or ``not_found``: the lab has none such."""


class PublishResponse(Schema):
    """What became of the records that were to be published."""

    counts: dict[str, Rows] = Field(examples=[{"published": 2}])
    """Outcome -> how many."""
    items: tuple[PublishedItem, ...]
    """The records in the order given; by identifier where all were asked for, at most the first thousand."""


class ConflictQuery(Schema):
    """Which conflicts are asked for; empty fields do not filter."""

    formula: Text | None = Field(None, examples=["LaNi5"])
    """Only of this composition."""
    property: Text | None = Field(None, examples=["h2_capacity_wt_pct"])
    """Only of this property."""
    limit: PageSize = 50
    """Most items in the answer."""


class ConflictingValue(Schema):
    """One of several values that disagree."""

    measurement_id: str = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Identifier."""
    material_id: str = Field(examples=["lab:north:LaNi5"])
    """Material it belongs to."""
    lab_id: str | None = Field(examples=["north"])
    """Lab that measured it; null for public sources."""
    value: InUnit
    """Value."""
    standard_deviation: MaybeInUnit
    """Standard deviation, where the lab gave one."""
    temperature_k: Kelvin
    """Temperature, K."""
    pressure_bar: Bar
    """Hydrogen pressure, bar."""

    @classmethod
    def of(cls, known: KnownValue) -> Self:
        """Build from a value."""
        plain = ("material_id", "lab_id", "value", "standard_deviation")
        conditions = known.conditions
        return cls(
            measurement_id=known.record_id,
            **{name: getattr(known, name) for name in plain},
            temperature_k=conditions.temperature_k,
            pressure_bar=conditions.pressure_bar,
        )


class ConflictItem(Schema):
    """Values of one composition and property, at one state, that repeating does not explain."""

    composition: str = Field(examples=["LaNi5"])
    """Canonical formula."""
    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property."""
    unit: str = Field(examples=["wt%"])
    """Unit of the numbers."""
    mean: InUnit
    """Mean, weighted by 1/std^2 where every value states its standard deviation."""
    repeatability: MaybeInUnit
    """Pooled standard deviation of repeated measurements of the property that agree; null where there are none."""
    values: tuple[ConflictingValue, ...]
    """All values that can be compared."""

    @classmethod
    def of(cls, found: Disagreement, unit: str) -> Self:
        """Build from a disagreement."""
        return cls(
            composition=found.composition,
            property=found.property,
            unit=unit,
            mean=found.mean,
            repeatability=found.noise.std if found.noise else None,
            values=tuple(map(ConflictingValue.of, found.values)),
        )


class ConflictPage(Schema):
    """Where values that you may see disagree, by composition and property."""

    items: tuple[ConflictItem, ...]
    """The conflicts."""
    limit: PageSize
    """Most items in the answer, as asked."""


Point = Annotated[tuple[float, float], quantity("`pressure_unit`, `uptake_unit`", [1.0, 0.12])]


class IsothermInput(Schema):
    """One isotherm of a lab: adsorption or desorption at one temperature."""

    material_id: Word = Field("", examples=["lab:north:C"])
    """Material that you may see; leave out where there is a formula."""
    formula: Annotated[PlainText, Field(max_length=500)] = Field("", examples=["Zn4O13C24H12"])
    """Formula; without ``material_id`` the isotherm belongs to the own lab's material of that composition."""
    temperature_k: Annotated[float, quantity("K", 77.0, gt=0, le=5000)]
    """Temperature, K."""
    uptake_kind: UptakeKind
    """Which uptake it is."""
    points: tuple[Point, ...] = Field(max_length=MAX_POINTS, examples=[[[0.1, 0.9], [1.0, 2.6], [10.0, 6.0]]])
    """Pressure and uptake of each point, 3 to 5000, pressures above 0 and none twice."""
    pressure_unit: Word = Field("bar", examples=["bar"])
    """bar, mbar, atm, MPa, kPa, Pa or torr."""
    uptake_unit: Word = Field("wt%", examples=["mmol/g"])
    """wt%, mmol/g, mol/kg, cm3(STP)/g, mg/g, g/g, or H/M where the formula is known."""
    mass_basis: MassBasis | None = None
    """Per mass of what; needed for wt%. The other units are per mass of empty sorbent or host."""
    branch: Branch = Field(Branch.ADSORPTION, examples=["adsorption"])
    """adsorption or desorption; send the two as two isotherms."""
    measured_on: date | None = Field(None, examples=["2026-11-02"])
    """Day of the measurement."""
    sample: Word | None = Field(None, examples=["batch 7, activated at 423 K"])
    """Sample, in your own words."""
    instrument: Word | None = Field(None, examples=["Sieverts rig 2"])
    """Instrument, in your own words."""
    note: Remark | None = Field(None, examples=["third cycle"])
    """Anything a reader must know."""
    reference: Remark | None = Field(None, examples=["10.1021/acs.jced.8b00024"])
    """DOI, where it is published."""
    licence: Word | None = Field(None, examples=["CC-BY-4.0"])
    """Licence, an SPDX identifier where there is one."""
    row_id: Word | None = Field(None, examples=["iso-77K-1"])
    """Your own name for it; told again it is the same isotherm."""
    confirmed: bool = Field(default=False, examples=[False])
    """True where it is true although it can hardly be."""


class IsothermsRequest(Schema):
    """Isotherms of a lab."""

    isotherms: tuple[IsothermInput, ...] = Field(min_length=1, max_length=MAX_ISOTHERMS)
    """The isotherms; one that cannot be used does not stop the others."""
    visibility: Seen | None = None
    """``lab`` (where nothing is said) keeps them to the own lab, ``public`` publishes them at once for good."""
    embargo_until: Embargo = None
    """First day on which everybody may see them."""


class IsothermItem(RecordFields):
    """An isotherm without its points."""

    isotherm_id: str = Field(examples=["i-3f0a5a7b9b99f952e9b3d697"])
    """Opaque identifier."""
    temperature_k: Annotated[float, quantity("K", 77.0)]
    """Temperature, K."""
    branch: Branch = Field(examples=["adsorption"])
    """adsorption or desorption."""
    uptake_kind: UptakeKind
    """Which uptake it is."""
    mass_basis: MassBasis
    """Per mass of what the uptakes are."""
    n_points: Annotated[int, quantity("points", 24, ge=3)]
    """Number of points."""
    lowest_pressure_bar: Annotated[float, quantity("bar", 0.1)]
    """Lowest pressure, bar."""
    highest_pressure_bar: Annotated[float, quantity("bar", 100.0)]
    """Highest pressure, bar."""
    highest_uptake_wt_pct: WtPct
    """Highest uptake, wt%."""

    @classmethod
    def fields_of(cls, stored: StoredIsotherm) -> dict[str, Any]:
        """Return the fields which a record fills."""
        isotherm = stored.isotherm
        plain = ("isotherm_id", "temperature_k", "branch", "uptake_kind", "mass_basis")
        return {
            **cls.shared(isotherm, isotherm.provenance, stored.formula, stored.state),
            **{name: getattr(isotherm, name) for name in plain},
            "n_points": len(isotherm.points),
            "lowest_pressure_bar": isotherm.points[0][0],
            "highest_pressure_bar": isotherm.points[-1][0],
            "highest_uptake_wt_pct": max(uptake for _, uptake in isotherm.points),
        }

    @classmethod
    def of(cls, stored: StoredIsotherm) -> Self:
        """Build from a record."""
        return cls(**cls.fields_of(stored))


class IsothermDetail(IsothermItem):
    """An isotherm with its points and history."""

    pressures_bar: tuple[Annotated[float, quantity("bar", 1.0)], ...]
    """Pressures, bar, rising."""
    uptakes_wt_pct: tuple[WtPct, ...]
    """Uptakes at these pressures, wt%."""
    events: tuple[RecordEvent, ...]
    """What happened to it after it was told, oldest first."""

    @classmethod
    def with_events(cls, stored: StoredIsotherm, events: tuple[RecordEvent, ...]) -> Self:
        """Build from a record and its history."""
        pressures, uptakes = zip(*stored.isotherm.points, strict=True)
        return cls(**cls.fields_of(stored), pressures_bar=pressures, uptakes_wt_pct=uptakes, events=events)


class IsothermForm(Schema):
    """In which form an isotherm is asked for."""

    format: Literal["json", "csv"] | None = Field(None, examples=["csv"])
    """Form of the answer, in place of the header ``Accept``."""


class IsothermPage(Schema):
    """Some isotherms without their points, in the order of their identifiers."""

    items: tuple[IsothermItem, ...]
    """The isotherms."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=["i-3f0a5a7b9b99f952e9b3d697"])
    """Value of ``after`` for the next page; null on the last."""
