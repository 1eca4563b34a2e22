"""What materials are asked for and told with."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from hstore.formula import parse_formula
from hstore.records import Family  # noqa: TC001 - pydantic reads annotations
from hstore_api.schemas import PageSize, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.records import Material, Measurement, MergedRecord, Prediction, PropertyValue, Provenance

MAX_ROWS = 100_000
"""Most rows of a table with all results."""

MAX_VALUES = 500
"""Most values of each kind shown with a material."""

Number = Annotated[float, quantity("as in `unit`", 1.4)]
MaybeNumber = Annotated[float | None, quantity("as in `unit`", 0.1)]
Kelvin = Annotated[float | None, quantity("K", 298.15)]
Bar = Annotated[float | None, quantity("bar", 100.0)]
Origin = Literal["measured", "computed", "descriptor", "predicted"]


class MaterialOrigin(Schema):
    """Where a material or a value came from."""

    source: str = Field(examples=["hstore enumeration"])
    """Data set, database, file or lab."""
    reference: str | None = Field(examples=["10.1016/0022-5088(70)90028-5"])
    """DOI, database id or row that leads to the original."""
    licence: str | None = Field(examples=["CC-BY-4.0"])
    """Licence, an SPDX identifier where there is one."""
    retrieved: date | None = Field(examples=["2025-01-31"])
    """Day on which it was read."""
    note: str | None = Field(examples=["room-temperature phase"])
    """Anything a reader must know before using it."""

    @classmethod
    def of(cls, provenance: Provenance) -> Self:
        """Build from a record."""
        return cls(**{name: getattr(provenance, name) for name in cls.model_fields})


class MaterialNumber(Schema):
    """The value of a number that counts: measured before computed before supplied before predicted."""

    value: Annotated[float, quantity("as in `unit`, or in the name where that is null", 1.4)]
    """The value; of several of the same kind the greatest."""
    kind: Origin = Field(examples=["measured"])
    """How it came to be; a descriptor is supplied by the source of the material."""
    unit: str | None = Field(examples=["wt%"])
    """Unit; null where only the name has it."""


class MaterialSummary(Schema):
    """A candidate material, without its structure; what ``fields`` does not name is left out."""

    material_id: str = Field(examples=["hstore:ab5:LaNi5"])
    """Opaque identifier."""
    formula: str | None = Field(None, examples=["LaNi5"])
    """Formula as the source gives it."""
    name: str | None = Field(None, examples=["MOF-5"])
    """Name people use for it; empty where the formula is the name."""
    composition: str | None = Field(None, examples=["LaNi5"])
    """Canonical formula, equal for equal compositions."""
    chemical_system: str | None = Field(None, examples=["La-Ni"])
    """Elements in alphabetical order."""
    family: Family | None = Field(None, examples=["interstitial"])
    """Family, by how it holds hydrogen or conducts ions."""
    known: bool | None = Field(None, examples=[True])
    """True for materials reported in the literature, false for enumerated ones."""
    reason: str | None = Field(None, examples=["AB5 alloy, A/B radius ratio 1.36"])
    """Why it is worth looking at."""
    descriptors: dict[str, float] | None = Field(None, examples=[{"void_fraction": 0.8}])
    """Numbers the source supplies; the unit is in the name of each (``gsa_m2_g``, ``lcd_A``)."""
    provenance: MaterialOrigin | None = None
    """Where it came from."""
    values: dict[str, MaterialNumber] | None = Field(
        None, examples=[{"h2_capacity_wt_pct": {"value": 1.4, "kind": "measured", "unit": "wt%"}}]
    )
    """Numbers that were asked for with ``properties``, ``where`` or ``sort``, by name; those it has."""


class MergedMaterial(Schema):
    """A record of the same material from elsewhere."""

    material_id: str = Field(examples=["mp:mp-1234"])
    """Identifier it would have had; asking for it gives the material it was merged into."""
    formula: str = Field(examples=["La2Ni10"])
    """Formula as its source gives it."""
    name: str = Field(examples=["LaNi5 alloy"])
    """Name its source uses; empty where the formula is the name."""
    family: Family = Field(examples=["interstitial"])
    """Family its source states."""
    known: bool = Field(examples=[True])
    """True where its source reports the material from the literature."""
    descriptors: dict[str, float] = Field(examples=[{"energy_above_hull_ev_per_atom": 0.0}])
    """All descriptors its source gives; the unit is in the name of each."""
    supplied: tuple[str, ...] = Field(examples=[["energy_above_hull_ev_per_atom"]])
    """Names of the descriptors of the material that come from this record."""
    provenance: MaterialOrigin
    """Where it came from."""

    @classmethod
    def of(cls, record: MergedRecord) -> Self:
        """Build from a record."""
        fields = {name: getattr(record, name) for name in cls.model_fields}
        return cls(**fields | {"provenance": MaterialOrigin.of(record.provenance)})


class MaterialValue(Schema):
    """A value of a material with all that it needs to be used."""

    property: str = Field(examples=["h2_capacity_wt_pct"])
    """Property (see ``/v1/properties``)."""
    value: Number
    """The value."""
    unit: str = Field(examples=["wt%"])
    """Unit of the numbers."""
    kind: Literal["measured", "computed", "predicted"] = Field(examples=["measured"])
    """How it came to be."""
    standard_deviation: Annotated[
        float | None, quantity("as in `unit`; of a predicted pressure, of its natural logarithm", 0.1)
    ]
    """Standard uncertainty; of a predicted pressure, that of its natural logarithm."""
    lower: MaybeNumber
    """Lower end of the 90 % interval."""
    upper: MaybeNumber
    """Upper end of the 90 % interval."""
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
    provenance: MaterialOrigin
    """Where it came from."""
    measurement_id: str | None = Field(examples=["m-0a5a7b9b99f952e9b3d6970d"])
    """Measurement it is; null for predictions."""
    measured_on: date | None = Field(examples=["2026-11-02"])
    """Day of the measurement."""
    model_id: str | None = Field(examples=["hydride_capacity-0f3a5b7c9d1e"])
    """Model that predicted it; null for measurements."""
    in_domain: bool | None = Field(examples=[True])
    """Of predictions: false where the model was asked outside what it was trained on."""
    reason: str | None = Field(examples=[None])
    """Of predictions: why it is outside."""

    @classmethod
    def measured(cls, record: Measurement) -> Self:
        """Build from a measurement."""
        own = {"measurement_id": record.measurement_id, "measured_on": record.measured_on}
        return cls(**_value_fields(record.value), **own, model_id=None, in_domain=None, reason=None)

    @classmethod
    def predicted(cls, record: Prediction) -> Self:
        """Build from a prediction."""
        own = {name: getattr(record, name) for name in ("model_id", "in_domain", "reason")}
        return cls(**_value_fields(record.value), **own, measurement_id=None, measured_on=None)


class MaterialDetail(Schema):
    """A candidate material with its structure, all its sources and all its values."""

    material_id: str = Field(examples=["hstore:ab5:LaNi5"])
    """Opaque identifier."""
    formula: str = Field(examples=["LaNi5"])
    """Formula as the source gives it."""
    name: str = Field(examples=["MOF-5"])
    """Name people use for it; empty where the formula is the name."""
    composition: str = Field(examples=["LaNi5"])
    """Canonical formula, equal for equal compositions."""
    chemical_system: str = Field(examples=["La-Ni"])
    """Elements in alphabetical order."""
    family: Family = Field(examples=["interstitial"])
    """Family, by how it holds hydrogen or conducts ions."""
    known: bool = Field(examples=[True])
    """True for materials reported in the literature, false for enumerated ones."""
    reason: str = Field(examples=["AB5 alloy, A/B radius ratio 1.36"])
    """Why it is worth looking at."""
    descriptors: dict[str, float] = Field(examples=[{"void_fraction": 0.8}])
    """Numbers the source supplies; the unit is in the name of each (``gsa_m2_g``, ``lcd_A``)."""
    provenance: MaterialOrigin
    """Where it came from."""
    structure: dict[str, Any] | None = Field(examples=[None])
    """Crystal structure as a pymatgen dictionary (lengths in angstrom, angles in degrees), if known."""
    merged: tuple[MergedMaterial, ...]
    """Records of the same material from elsewhere that were merged into this one, by identifier."""
    values: tuple[MaterialValue, ...]
    """Its values side by side: measured and computed ones that were not corrected, then predicted ones."""
    more_values: bool = Field(examples=[False])
    """Whether there are more than are shown; ``/v1/measurements`` has all that were measured."""

    @classmethod
    def of(cls, material: Material, values: tuple[MaterialValue, ...], *, more_values: bool) -> Self:
        """Build from records."""
        parsed = parse_formula(material.formula)
        plain = ("material_id", "formula", "name", "family", "known", "reason", "descriptors", "structure")
        return cls(
            **{name: getattr(material, name) for name in plain},
            composition=parsed.reduced,
            chemical_system=parsed.chemical_system,
            provenance=MaterialOrigin.of(material.provenance),
            merged=tuple(map(MergedMaterial.of, material.merged)),
            values=values,
            more_values=more_values,
        )


class MaterialPage(Schema):
    """Some materials, in the order asked for."""

    items: tuple[MaterialSummary, ...]
    """The materials."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=["WyIwZjNhNWI3YzlkMWUiLG51bGwsImhzdG9yZTphYjU6TGFOaTUiXQ"])
    """Value of ``after`` for the next page; null on the last."""
    total: Annotated[int | None, quantity("materials", 412, ge=0)] = None
    """How many there are in all, at most 10,000; null where ``count`` is not asked for."""
    total_is_exact: bool | None = Field(None, examples=[True])
    """False where there are more than ``total``; null where ``count`` is not asked for."""


class MaterialQuery(Schema):
    """Which materials are asked for, and in which order and form; empty fields do not filter."""

    family: Family | None = None
    """Only this family."""
    elements: Text | None = Field(None, examples=["La,Ni"])
    """Symbols that must all be present, joined by commas; others may be."""
    elements_any: Text | None = Field(None, examples=["La,Ce"])
    """Symbols of which one must be present, joined by commas."""
    exclude_elements: Text | None = Field(None, examples=["Pb,Cd"])
    """Symbols of which none may be present, joined by commas."""
    only_elements: Text | None = Field(None, examples=["Mg,Ni,H"])
    """Symbols beside which none may be present, joined by commas."""
    n_elements_min: Annotated[int | None, quantity("elements", 2, ge=1, le=118)] = None
    """Fewest elements."""
    n_elements_max: Annotated[int | None, quantity("elements", 3, ge=1, le=118)] = None
    """Most elements."""
    chemical_system: Text | None = Field(None, examples=["La-Ni"])
    """Exactly these elements, joined by hyphens, in any order."""
    formula: Text | None = Field(None, examples=["La2Ni10"])
    """Only materials of this composition, whatever its formula unit."""
    known: bool | None = None
    """Only materials from the literature (true) or only enumerated ones (false)."""
    source: Text | None = Field(None, examples=["hstore enumeration"])
    """Only those whose provenance names this source."""
    has_structure: bool | None = None
    """Only materials with a structure (true) or only those without (false)."""
    text: Text | None = Field(None, examples=["MOF"])
    """Only those whose formula or name has this in it, in whatever case."""
    where: tuple[Text, ...] = Field((), max_length=10, examples=[["h2_capacity_wt_pct>=5"]])
    """Bounds of a number, may be repeated: ``NAME>=VALUE`` (also ``>``, ``<=``, ``<``, ``=``) or ``NAME:ge:VALUE``
    (``gt``, ``le``, ``lt``, ``eq``), with ``:measured``, ``:computed``, ``:descriptor`` or ``:predicted`` behind
    for values of that kind alone. Several bounds of one number are to be kept by one value. The unit is in the
    name."""
    sort: Text = Field("material_id", examples=["-h2_capacity_wt_pct"])
    """Order: ``material_id``, ``composition``, or the name of a number; with ``-`` in front from the greatest
    down. By a number, materials without one are left out, and each stands where its value stands that counts: of
    those which keep the bounds of ``where``, measured before computed before descriptor before predicted, of one
    kind the greatest."""
    fields: Text | None = Field(None, examples=["formula,family"])
    """Fields of each item, joined by commas; ``material_id`` is always there. All by default."""
    properties: Text | None = Field(None, examples=["h2_capacity_wt_pct,energy_above_hull_ev_per_atom"])
    """Numbers to bring along in ``values``, joined by commas, beside those of ``where`` and ``sort``."""
    count: bool = False
    """Whether to count how many there are in all."""
    format: Literal["json", "csv", "parquet"] | None = None
    """Form of the answer; without it the header ``Accept`` decides."""
    all: bool = False
    """Of CSV and Parquet: all results from ``after`` on, 100,000 rows at most, in place of one page."""
    limit: PageSize = 50
    """Most items on the page."""
    after: Text | None = None
    """``next`` of the page before, asked with the same filters and order."""


class StructureQuery(Schema):
    """In which form a structure is asked for."""

    format: Literal["cif", "json", "poscar", "xyz"] | None = None
    """Form of the answer; without it the header ``Accept`` decides."""


def _value_fields(value: PropertyValue) -> dict[str, Any]:
    plain = ("property", "value", "unit", "standard_deviation", "lower", "upper")
    return {
        **{name: getattr(value, name) for name in plain},
        **value.conditions.model_dump(),
        **value.basis.model_dump(),
        "kind": value.kind.value,
        "provenance": MaterialOrigin.of(value.provenance),
    }
