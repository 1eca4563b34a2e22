"""What the service takes and gives, apart from how it is served.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from hstore.formula import parse_formula
from hstore.records import Family

if TYPE_CHECKING:
    from hstore.records import Material, Screen

MAX_PAGE = 200
"""Most items on a page."""

MAX_TEXT = 500
"""Most characters of an identifier, a formula or a filter in an address."""


def quantity(unit: str, example: float, **limits: Any) -> Any:
    """Describe a number: its unit, an example and its limits."""
    return Field(examples=[example], json_schema_extra={"unit": unit}, **limits)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]
"""Text in an address; databases have no place for the character NUL."""


def _encodable(text: str) -> str:
    """Refuse lone surrogates: JSON can name them, but no answer could repeat them."""
    text.encode()
    return text


AnyText = Annotated[str, AfterValidator(_encodable)]
"""Any text that can be sent back."""

PageSize = Annotated[int, quantity("items", 50, ge=1, le=MAX_PAGE)]


class Schema(BaseModel):
    """Base of all that the service takes and gives: frozen, no field beside the stated ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InvalidPart(Schema):
    """One part of a request that is not as the contract says."""

    location: str = Field(examples=["body.formulas.0"])
    """Where it is."""
    message: str = Field(examples=["Input should be a valid string"])
    """What is wrong with it."""


class Problem(Schema):
    """Every error, as RFC 9457 lays it out (``application/problem+json``)."""

    type: str = Field(examples=["urn:hstore:problem:unknown_name"])
    """Identifier of the kind of problem."""
    title: str = Field(examples=["Unknown name"])
    """The kind of problem in words, always the same."""
    status: Annotated[int, quantity("HTTP status", 422, ge=400, le=599)]
    """Status of the response."""
    detail: str = Field(examples=["unknown predicted property 'h2_capacity'; did you mean 'h2_capacity_wt_pct'?"])
    """What was given, what is allowed, what to do."""
    code: str = Field(examples=["unknown_name"])
    """The kind of problem in one word, for programs."""
    instance: str = Field(examples=["/v1/predictions"])
    """Address that was asked."""
    correlation_id: str = Field(examples=["4f1c2a0c9d7b4c0e8a55c1f0a3b9d2e6"])
    """Identifier of the request, also in the header ``X-Request-ID``; tell it to the operator."""
    errors: tuple[InvalidPart, ...] = ()
    """Each part of the request that is wrong, where the contract was not kept."""


class Health(Schema):
    """That the service answers."""

    status: Literal["ok"] = "ok"
    """Always ``ok``; a service that is not well does not answer."""
    version: str = Field(examples=["0.1.0"])
    """Version of hstore."""
    materials: Literal["ready", "seeding", "failed"]
    """Whether the embedded candidates are in the store; ``seeding`` on the first start of an empty one."""


class MaterialOrigin(Schema):
    """Where a material came from."""

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


class MaterialSummary(Schema):
    """A candidate material, without its structure."""

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

    @classmethod
    def fields_of(cls, material: Material) -> dict[str, Any]:
        """Return the fields which a record fills."""
        parsed = parse_formula(material.formula)
        plain = ("material_id", "formula", "name", "family", "known", "reason", "descriptors")
        origin = {name: getattr(material.provenance, name) for name in MaterialOrigin.model_fields}
        return {
            **{name: getattr(material, name) for name in plain},
            "composition": parsed.reduced,
            "chemical_system": parsed.chemical_system,
            "provenance": MaterialOrigin(**origin),
        }

    @classmethod
    def of(cls, material: Material) -> Self:
        """Build from a record."""
        return cls(**cls.fields_of(material))


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


class MaterialDetail(MaterialSummary):
    """A candidate material with its structure and all its sources."""

    structure: dict[str, Any] | None = Field(examples=[None])
    """Crystal structure as a pymatgen dictionary (lengths in angstrom, angles in degrees), if known."""
    merged: tuple[MergedMaterial, ...]
    """Records of the same material from elsewhere that were merged into this one, by identifier."""

    @classmethod
    def fields_of(cls, material: Material) -> dict[str, Any]:
        """Return the fields which a record fills."""
        merged = tuple(MergedMaterial.model_validate(record.model_dump()) for record in material.merged)
        return {**super().fields_of(material), "structure": material.structure, "merged": merged}


class MaterialPage(Schema):
    """Some materials, in the order of their identifiers."""

    items: tuple[MaterialSummary, ...]
    """The materials."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=["hstore:ab5:LaNi5"])
    """Value of ``after`` for the next page; null on the last."""


class MaterialQuery(Schema):
    """Which materials are asked for; empty fields do not filter."""

    family: Family | None = None
    """Only this family."""
    elements: Text | None = Field(None, examples=["La,Ni"])
    """Symbols that must all be present, joined by commas; others may be."""
    chemical_system: Text | None = Field(None, examples=["La-Ni"])
    """Exactly these elements, joined by hyphens, in any order."""
    formula: Text | None = Field(None, examples=["La2Ni10"])
    """Only materials of this composition, whatever its formula unit."""
    known: bool | None = None
    """Only materials from the literature (true) or only enumerated ones (false)."""
    limit: PageSize = 50
    """Most items on the page."""
    after: Text | None = None
    """``next`` of the page before."""


class ScreenSummary(Schema):
    """A finished screening run."""

    screen_id: str = Field(examples=["onboard-0f3a5b7c9d1e"])
    """Opaque identifier."""
    target: str = Field(examples=["onboard"])
    """What was ranked for."""
    created_at: AwareDatetime = Field(examples=["2025-01-31T12:00:00Z"])
    """When it finished, UTC."""
    n_candidates: Annotated[int, quantity("candidates", 5000, ge=0)]
    """Candidates that were ranked."""
    n_rejected: Annotated[int, quantity("rows", 0, ge=0)]
    """Rows that could not be used."""

    @classmethod
    def of(cls, screen: Screen) -> Self:
        """Build from a record."""
        return cls(**{name: getattr(screen, name) for name in cls.model_fields})


class ScreenDetail(ScreenSummary):
    """A finished screening run with its best candidates."""

    top: tuple[dict[str, Any], ...] = Field(
        examples=[[{"rank": 1, "formula": "LaNi5", "h2_capacity_wt_pct_mean": 1.4, "score": 0.8}]]
    )
    """The best candidates, best first, with the columns of ``candidates.csv``; the unit is in each name."""
    manifest: dict[str, Any] = Field(examples=[{"seed": 0, "versions": {"hstore": "0.1.0"}}])
    """Command, versions, data checksums, model ids and seed: all it takes to repeat the run."""


class ScreenQuery(Schema):
    """Which screens are asked for."""

    target: Text | None = Field(None, examples=["onboard"])
    """Only those ranked for this target."""
    limit: PageSize = 20
    """Most items in the answer."""


class ScreenPage(Schema):
    """The latest screens, newest first."""

    items: tuple[ScreenSummary, ...]
    """The screens."""
    limit: PageSize
    """Most items in the answer, as asked."""
