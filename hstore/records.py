"""The records every door of hstore speaks: materials, property values, measurements, predictions, screens.

All are immutable, validated at construction, and carry who may see them (:class:`Access`) from the start.
"""

from __future__ import annotations

import builtins
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from hstore.formula import canonical_formula, parse_formula
from hstore.properties import get_property

if TYPE_CHECKING:
    from collections.abc import Iterable


class Family(StrEnum):
    """Families of materials, by how they hold hydrogen or conduct ions."""

    INTERSTITIAL = "interstitial"
    """Hydrogen on interstitial sites of a metal: AB5, AB2, AB, A2B, BCC, high-entropy alloys."""
    IONIC = "ionic"
    """Salt-like hydrides: MgH2, LiH, CaH2."""
    COMPLEX = "complex"
    """Hydrogen bound in complex anions: alanates, borohydrides, amides, transition-metal complexes."""
    SORBENT = "sorbent"
    """Porous physisorbents: MOF, COF, zeolite, carbon."""
    ELECTROLYTE = "electrolyte"
    """Solid ionic conductors."""


class Kind(StrEnum):
    """How a value came to be."""

    MEASURED = "measured"
    COMPUTED = "computed"
    PREDICTED = "predicted"


class Visibility(StrEnum):
    """Who may see a record."""

    PUBLIC = "public"
    """Everybody."""
    LAB = "lab"
    """Only the lab named in ``lab_id``, until the embargo (if any) has passed."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Access(_Record):
    """Whose a record is and who may see it; part of every record that is stored."""

    lab_id: str | None = None
    """Lab that owns the record; None for public sources."""
    visibility: Visibility = Visibility.PUBLIC
    """Who may see it."""
    embargo_until: date | None = None
    """First day on which everybody may see a lab record; None keeps it with the lab."""

    @model_validator(mode="after")
    def _lab_records_name_their_lab(self) -> Access:
        if self.visibility is Visibility.LAB and not self.lab_id:
            raise ValueError("a record with visibility 'lab' must name its lab_id; got none")
        return self


class Scope(_Record):
    """In whose name a query runs; every query takes one."""

    lab_id: str | None = None
    """Lab that asks; None sees public records only."""
    everything: bool = False
    """True for the operator's own tools, which see all records."""
    today: date = Field(default_factory=lambda: datetime.now(UTC).date())
    """Day against which embargoes are read."""

    def allows(self, access: Access) -> bool:
        """Tell whether a record with this access may be seen in this scope."""
        if self.everything or access.visibility is Visibility.PUBLIC:
            return True
        if access.lab_id == self.lab_id:
            return True
        return access.embargo_until is not None and access.embargo_until <= self.today


PUBLIC_SCOPE = Scope()
"""The scope of an anonymous reader."""


class Provenance(_Record):
    """Where a record came from."""

    source: str
    """Data set, database, file, lab or model."""
    reference: str | None = None
    """DOI, database id or row that leads to the original."""
    licence: str | None = None
    """Licence of the value, SPDX identifier where there is one; None where the source states none."""
    retrieved: date | None = None
    """Day on which it was read."""
    note: str | None = None
    """Anything a reader must know before using it."""
    sample: str | None = None
    """Sample it was measured on, in the lab's own words."""
    instrument: str | None = None
    """Instrument it was measured with."""
    row_id: str | None = None
    """Name the lab gave to the row it told."""


class MergedRecord(_Record):
    """A record of the same material from elsewhere, kept within the record it was merged into."""

    material_id: str
    """Identifier it would have had; the store finds the kept record by it."""
    formula: str
    """Formula as given by its source."""
    name: str = ""
    """Name its source uses."""
    family: Family
    """Family its source states."""
    known: bool = False
    """True where its source reports the material from the literature."""
    descriptors: dict[str, float] = Field(default_factory=dict)
    """All descriptors its source gives."""
    supplied: tuple[str, ...] = ()
    """Names of the descriptors which the kept record took from it, in alphabetical order."""
    provenance: Provenance
    """Where it came from."""

    @classmethod
    def of(cls, material: Material) -> Self:
        """Keep what a material says of itself, but its structure."""
        fields = ("material_id", "formula", "name", "family", "known", "descriptors", "provenance")
        return cls(**{field: getattr(material, field) for field in fields})


class Material(_Record):
    """A candidate: a composition, optionally with a structure, and why it is worth looking at."""

    material_id: str
    """Opaque identifier, unique within a store."""
    formula: str
    """Formula as given by the source."""
    name: str = ""
    """Name people use for it, such as ``MOF-5``; empty where the formula is the name."""
    family: Family
    """Family, by mechanism."""
    structure: dict[str, Any] | None = None
    """Crystal structure as a pymatgen dictionary, if known."""
    descriptors: dict[str, float] = Field(default_factory=dict)
    """Named descriptors a source supplies, such as ``void_fraction`` of a sorbent."""
    known: bool = False
    """True for materials reported in the literature, False for enumerated ones."""
    reason: str = ""
    """Why the candidate is plausible."""
    provenance: Provenance
    """Where it came from."""
    merged: tuple[MergedRecord, ...] = ()
    """Records of the same material from elsewhere that were merged into this one, by identifier."""
    access: Access = Access()
    """Who may see it."""

    @field_validator("formula")
    @classmethod
    def _formula_can_be_read(cls, value: str) -> str:
        parse_formula(value)
        return value

    @property
    def composition(self) -> str:
        """Canonical formula, equal for equal compositions."""
        return canonical_formula(parse_formula(self.formula).amounts)

    def own_descriptors(self) -> dict[str, float]:
        """Return the descriptors that this record did not take from a merged one."""
        taken = {name for record in self.merged for name in record.supplied}
        return {name: value for name, value in self.descriptors.items() if name not in taken}

    def merged_with(self, records: Iterable[MergedRecord], *, without: Iterable[str] = ()) -> Material:
        """Return this record with others merged into it; the order in which they come makes no difference.

        Merged records fill gaps: descriptors this one lacks (of several records that have one, the first
        identifier supplies it), its name, and ``known``. They overwrite nothing.

        Args:
            records: a record of the same identifier merged before is replaced.
            without: identifiers of merged records to drop, with the descriptors they supplied.
        """
        kept = {record.material_id: record for record in (*self.merged, *records)}
        dropped = {self.material_id, *without}
        descriptors = self.own_descriptors()
        merged = []
        for record in sorted((kept[name] for name in kept.keys() - dropped), key=lambda r: r.material_id):
            supplied = tuple(sorted(record.descriptors.keys() - descriptors.keys()))
            descriptors |= {name: record.descriptors[name] for name in supplied}
            merged.append(record.model_copy(update={"supplied": supplied}))
        filled = {
            "merged": tuple(merged),
            "descriptors": descriptors,
            "name": self.name or next((r.name for r in merged if r.name), ""),
            "known": self.known or any(r.known for r in merged),
        }
        return self.model_copy(update=filled)


class Conditions(_Record):
    """State at which a value holds; empty fields were not stated."""

    temperature_k: Annotated[float, Field(gt=0, le=5000)] | None = None
    """Temperature, K."""
    pressure_bar: Annotated[float, Field(ge=0, le=1e7)] | None = None
    """Hydrogen pressure, bar."""
    charge_pressure_bar: Annotated[float, Field(ge=0, le=1e7)] | None = None
    """Pressure of the charged state, bar."""
    charge_temperature_k: Annotated[float, Field(gt=0, le=5000)] | None = None
    """Temperature of the charged state, K."""
    discharge_pressure_bar: Annotated[float, Field(ge=0, le=1e7)] | None = None
    """Pressure of the discharged state, bar."""
    discharge_temperature_k: Annotated[float, Field(gt=0, le=5000)] | None = None
    """Temperature of the discharged state, K."""


class Basis(_Record):
    """Definitions without which a capacity or an uptake cannot be compared."""

    capacity_definition: Annotated[str, Field(pattern="^(maximum|reversible|usable)$")] | None = None
    """Which capacity: maximum, reversible or usable."""
    mass_basis: Annotated[str, Field(pattern="^(hydrogenated_material|host|sorbent|sorbent_plus_h2)$")] | None = (
        None
    )
    """Per mass of what."""
    uptake_kind: Annotated[str, Field(pattern="^(excess|absolute|total)$")] | None = None
    """Which uptake: excess, absolute or total."""


class PropertyValue(_Record):
    """One value of one property of one material, with all it needs to be used."""

    property: str
    """Canonical property name; fixes the unit (see :mod:`hstore.properties`)."""
    value: float
    """Value in the canonical unit."""
    kind: Kind
    """Measured, computed or predicted."""
    standard_deviation: Annotated[float, Field(ge=0)] | None = None
    """Standard uncertainty in the same unit."""
    lower: float | None = None
    """Lower end of the 90 % interval."""
    upper: float | None = None
    """Upper end of the 90 % interval."""
    conditions: Conditions = Conditions()
    """State at which it holds."""
    basis: Basis = Basis()
    """Definitions it follows."""
    provenance: Provenance
    """Where it came from."""

    @builtins.property  # the field of that name hides the built-in
    def unit(self) -> str:
        """Canonical unit of the property."""
        return get_property(self.property).unit

    @model_validator(mode="after")
    def _value_is_believable(self) -> PropertyValue:
        get_property(self.property).check(self.value)
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"lower ({self.lower}) must not exceed upper ({self.upper})")
        return self


class Measurement(_Record):
    """A value a lab measured, attributed and dated; corrections replace it but keep its history."""

    measurement_id: str
    """Opaque identifier, unique within a store."""
    material_id: str
    """Material it belongs to."""
    value: PropertyValue
    """What was measured."""
    measured_on: date | None = None
    """Day of the measurement."""
    replaces: str | None = None
    """Identifier of the measurement which this one corrects."""
    access: Access = Access()
    """Who may see it."""


class Branch(StrEnum):
    """Which way an isotherm was run."""

    ADSORPTION = "adsorption"
    """Pressure rising: hydrogen is taken up."""
    DESORPTION = "desorption"
    """Pressure falling: hydrogen is released."""


class MeasuredIsotherm(_Record):
    """Uptake of one material against pressure at one temperature, as a lab measured it, in hstore's units.

    Apart from :class:`hstore.sorption.Isotherm`, which is for computing with.
    """

    isotherm_id: str
    """Opaque identifier, unique within a store."""
    material_id: str
    """Material it belongs to."""
    temperature_k: Annotated[float, Field(gt=0, le=5000)]
    """Temperature, K."""
    branch: Branch
    """Which way it was run."""
    uptake_kind: Annotated[str, Field(pattern="^(excess|absolute|total)$")]
    """Which uptake: excess, absolute or total."""
    mass_basis: Annotated[str, Field(pattern="^(hydrogenated_material|host|sorbent|sorbent_plus_h2)$")]
    """Per mass of what."""
    points: Annotated[
        tuple[tuple[Annotated[float, Field(gt=0, le=1e7)], float], ...], Field(min_length=3, max_length=5000)
    ]
    """Pressure in bar and uptake in wt%, the pressures strictly rising whichever the branch."""
    measured_on: date | None = None
    """Day of the measurement."""
    provenance: Provenance
    """Where it came from."""
    replaces: str | None = None
    """Identifier of the isotherm which this one corrects."""
    access: Access = Access()
    """Who may see it."""

    @model_validator(mode="after")
    def _pressures_rise(self) -> MeasuredIsotherm:
        for (before, _), (after, _) in pairwise(self.points):
            if not before < after:
                raise ValueError(f"pressures must rise from point to point, got {before} bar before {after} bar")
        return self


class Prediction(_Record):
    """A model's answer for one material and property."""

    material_id: str
    """Material it belongs to."""
    value: PropertyValue
    """Predicted value with its interval."""
    model_id: str
    """Model that made it, content-addressed."""
    in_domain: bool
    """False when the model is asked outside the chemistry or conditions it was trained on."""
    reason: str = ""
    """Why it is outside, in words a chemist understands."""
    access: Access = Access()
    """Who may see it: models trained on a lab's rows are visible to that lab alone."""


class Screen(_Record):
    """One finished screening run."""

    screen_id: str
    """Opaque identifier, unique within a store."""
    target: str
    """Name of the target it was ranked for."""
    created_at: AwareDatetime
    """When it finished, UTC."""
    n_candidates: Annotated[int, Field(ge=0)]
    """Rows in the result table."""
    n_rejected: Annotated[int, Field(ge=0)]
    """Rows that could not be used."""
    manifest: dict[str, Any]
    """Command, versions, data checksums, model ids and seeds."""
    top: tuple[dict[str, Any], ...] = ()
    """The best rows of the result table."""
    access: Access = Access()
    """Who may see it."""
