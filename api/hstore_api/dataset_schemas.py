"""What the service says of data sets.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from hstore_api.schemas import Schema, quantity

if TYPE_CHECKING:
    from hstore_data.card import Card


class DatasetFile(Schema):
    """One file of a public set."""

    path: str = Field(examples=["obelix.csv"])
    """Name inside the folder of the set."""
    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    """Checksum of the copy the readers were written against."""
    rows: Annotated[int | None, quantity("rows", 599, ge=0)]
    """Data rows in that copy; null for archives."""
    url: str | None = Field(examples=["https://example.org/obelix.csv"])
    """Upstream file that can be read in its place; null where upstream publishes another form."""
    optional: bool = Field(examples=[False])
    """True for a file that no reader needs."""


class DatasetSummary(Schema):
    """A data set that models may learn from."""

    name: str = Field(examples=["obelix"])
    """Name."""
    title: str = Field(examples=["Ionic conductivities of solid lithium electrolytes"])
    """What it is, in a line."""
    tier: Literal["curated", "public"] = Field(examples=["public"])
    """``curated``: a table of hstore's own, chosen value by value; ``public``: somebody else's published set."""
    licence: str = Field(examples=["CC-BY-4.0"])
    """Licence, and to what it applies."""
    citation: str | None = Field(examples=["Therrien et al., OBELiX, 2025"])
    """Reference to cite, in words."""
    doi: tuple[str, ...] = Field(examples=[["10.1039/D5DD00441A"]])
    """DOIs to cite."""
    rows: Annotated[int, quantity("rows", 599, ge=0)]
    """Data rows (of the main table)."""
    present: bool = Field(examples=[True])
    """True where this service can read it now; curated tables are part of hstore."""
    used_by: tuple[str, ...] = Field(examples=[["conductivity-0f3a5b7c9d1e"]])
    """Versions in use for the caller that have learned from it."""

    @classmethod
    def fields_of(cls, card: Card, *, present: bool, used_by: tuple[str, ...]) -> dict[str, Any]:
        """Return the fields which a card fills."""
        names = set(DatasetSummary.model_fields) - {"tier", "present", "used_by"}
        told = {name: getattr(card, name) for name in names}
        return told | {"tier": card.tier.value, "present": present, "used_by": used_by}

    @classmethod
    def of(cls, card: Card, *, present: bool, used_by: tuple[str, ...]) -> Self:
        """Build from a card."""
        return cls(**cls.fields_of(card, present=present, used_by=used_by))


class CleaningStepSchema(Schema):
    """One thing done to the source on the way to the table."""

    step: str = Field(examples=["rows without a temperature left out"])
    """What was done."""
    rows_removed: Annotated[int, quantity("rows", 12, ge=0)]
    """Rows it removed."""


class DatasetDetail(DatasetSummary):
    """A data set with its whole card."""

    description: str = Field(examples=["Measured conductivities of 599 electrolytes."])
    """What the rows are and how they came about."""
    retrieved: date = Field(examples=["2025-01-31"])
    """Day on which the source was read."""
    sources: tuple[str, ...] = Field(examples=[["https://example.org"]])
    """Where the values come from: repositories, databases, articles."""
    upstream: str | None = Field(examples=["https://github.com/NRC-Mila/OBELiX"])
    """Repository that publishes it."""
    commit: str | None = Field(examples=[None])
    """Commit of that repository from which the rows were taken."""
    sha256: str | None = Field(examples=[None])
    """Checksum of a curated table; public sets have one for each file."""
    files: tuple[DatasetFile, ...]
    """Files of a public set."""
    columns: dict[str, str] = Field(examples=[{"formula": "composition"}])
    """Column and its meaning and unit."""
    known_defects: tuple[str, ...] = Field(examples=[["37 values are upper bounds"]])
    """What a user must know before believing a value."""
    cleaning: tuple[CleaningStepSchema, ...]
    """What was done to the source, in order."""

    @classmethod
    def of(cls, card: Card, *, present: bool, used_by: tuple[str, ...]) -> Self:
        """Build from a card."""
        told = DatasetFile.model_fields
        plain = set(cls.model_fields) - set(DatasetSummary.model_fields) - {"files", "cleaning"}
        return cls(
            **cls.fields_of(card, present=present, used_by=used_by),
            **{name: getattr(card, name) for name in plain},
            files=tuple(DatasetFile(**{name: getattr(file, name) for name in told}) for file in card.files),
            cleaning=tuple(CleaningStepSchema(**step.model_dump()) for step in card.cleaning),
        )


class DatasetList(Schema):
    """All data sets, by name."""

    items: tuple[DatasetSummary, ...]
    """The data sets."""
