"""Provenance cards: what a data set is, where it comes from, and what is wrong with it.

A card is a TOML file beside the data. Every key is checked; an unknown key is an error, so that a typing
mistake cannot hide a licence or a defect.
"""

from __future__ import annotations

import tomllib
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hstore.errors import DataError
from hstore.licences import NOT_STATED, check_licence, is_spdx, parts_of

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 checksum in lower-case hexadecimal."""

FilePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]
"""Name of a file inside the folder of its set; no sub-folders, so nothing can escape that folder."""


class Tier(StrEnum):
    """Whose data a set is."""

    CURATED = "curated"
    """Our own table, chosen value by value, shipped inside the package."""
    PUBLIC = "public"
    """Somebody else's published set, read from a mirror or downloaded."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class CleaningStep(_Part):
    """One thing done to the source on the way to the table."""

    step: str
    """What was done, in words."""
    rows_removed: Annotated[int, Field(ge=0)]
    """Rows it removed."""


class Outlier(_Part):
    """A value of ours that differs from a public set for a reason we know."""

    formula: str
    """Material, as written in our table."""
    column: str
    """Column in which the two differ."""
    ours: float
    """Our value."""
    theirs: float
    """Value of the public set."""
    source: str
    """Name of the public set, optionally followed by the row."""
    explanation: str
    """Why ours is kept."""


class DataFile(_Part):
    """One file of a public set, in the column layout that the readers expect."""

    path: FilePath
    """Name of the file inside the folder of the set."""
    sha256: Sha256
    """Checksum of the copy the readers were written against."""
    rows: Annotated[int, Field(ge=0)] | None = None
    """Data rows in that copy; None for archives."""
    url: str | None = None
    """Upstream file that a reader can read in its place; None when upstream publishes another form."""
    url_sha256: Sha256 | None = None
    """Checksum of the upstream file; None when it was never seen, and therefore cannot be pinned."""
    optional: bool = False
    """True for a file that no reader needs."""


class Card(_Part):
    """What a data set is, where it comes from, under which licence, and what is wrong with it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Name in commands and of the folder or table."""
    title: str
    """One line for lists."""
    tier: Tier
    """Curated by us or public."""
    description: str
    """What the rows are and how they came about."""
    licence: str
    """Licence, SPDX identifier where there is one, and to what it applies."""
    spdx: str | None = None
    """SPDX identifier of the licence under which rows are passed on, where ``licence`` is more than that."""
    retrieved: date
    """Day on which the source was read."""
    sources: tuple[str, ...]
    """Where the values come from: repositories, databases, articles."""
    doi: tuple[str, ...] = ()
    """DOIs to cite."""
    citation: str | None = None
    """Reference to cite, in words; public sets have one."""
    upstream: str | None = None
    """Repository that publishes the set."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Commit of that repository from which the rows were taken."""
    obtain: str | None = None
    """How to get the set when it cannot be pulled from upstream as it is."""
    rows: Annotated[int, Field(ge=1)]
    """Data rows of the set (of its main table)."""
    sha256: Sha256 | None = None
    """Checksum of the table; curated sets only, public ones have one for each file."""
    files: tuple[DataFile, ...] = ()
    """Files of a public set."""
    known_defects: tuple[str, ...] = ()
    """What a user must know before believing a value."""
    columns: dict[str, str]
    """Column of the file -> meaning and unit."""
    cleaning: tuple[CleaningStep, ...] = ()
    """What was done to the source, in order."""
    outliers: tuple[Outlier, ...] = ()
    """Known and explained differences from public sets."""

    @model_validator(mode="after")
    def _has_what_its_tier_needs(self) -> Card:
        if self.tier is Tier.CURATED:
            needed: dict[str, object] = {"sha256": self.sha256, "sources": self.sources}
        else:
            needed = {"files": self.files, "citation": self.citation, "upstream": self.upstream}
        missing = [key for key, value in needed.items() if not value]
        if missing:
            raise ValueError(f"a {self.tier} card must state {', '.join(missing)}")
        if self.spdx is not None:
            check_licence(self.spdx)
        return self

    @property
    def row_licence(self) -> str:
        """Licence of a row: an SPDX identifier, or that none is stated for the data."""
        (found,) = parts_of(self.spdx or self.licence)
        return found if is_spdx(found) else NOT_STATED

    @property
    def required_files(self) -> tuple[DataFile, ...]:
        """Files without which the set cannot be read."""
        return tuple(file for file in self.files if not file.optional)

    @property
    def can_be_pulled(self) -> bool:
        """Tell whether every file the readers need has an upstream file to stand in for it."""
        return bool(self.files) and all(file.url for file in self.required_files)


def load_card(source: Path | Traversable) -> Card:
    """Read and check one card.

    Args:
        source: the TOML file; its stem must be the name of the set.

    Raises:
        DataError: not TOML, an unknown or missing key, a value that is not allowed, or another name inside.
    """
    try:
        card = Card.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"card {source.name} is not valid TOML: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "card"
        raise DataError(f"card {source.name}: {key}: {first['msg']}, got {first['input']!r:.80}") from error
    if f"{card.name}.toml" != source.name:
        raise DataError(f"card {source.name} says name = {card.name!r}; a card's file is named after its set")
    return card
