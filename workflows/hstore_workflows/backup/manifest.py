"""What a back-up says of itself: when, from which versions, and the checksum of every file in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FORMAT: Literal[1] = 1
"""Layout of the archives this version writes and reads."""

MANIFEST = "manifest.json"
"""Name of the manifest in an archive; it is the last but one file."""

CHECKSUM = "manifest.sha256"
"""Name of the checksum of the manifest; it is the last file, so an archive cut short has none."""

STORE, CAMPAIGNS, HOME = "store", "campaigns", "home"
"""Folders of an archive: tables of the store, tables of the campaigns, files of the home folder."""


class Entry(BaseModel):
    """One file of an archive."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n_bytes: Annotated[int, Field(ge=0)]
    """Length, bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the content."""
    rows: Annotated[int, Field(ge=0)] | None = None
    """Rows, of a table."""


class Manifest(BaseModel):
    """What is in an archive."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Literal[1] = FORMAT
    """Layout of the archive."""
    hstore: str
    """Version of hstore that wrote it."""
    created_at: AwareDatetime
    """Moment its tables show, UTC."""
    database: Literal["sqlite", "postgresql"]
    """Database it was taken from; it can be restored into either."""
    store_schema: str
    """Revision of the tables of the store."""
    campaign_schema: str | None
    """Revision of the tables of the campaigns; None where there never was a campaign."""
    versions: dict[str, str]
    """Versions of the interpreter and of the libraries that matter for what is in it."""
    settings: dict[str, str | int | float | bool | None]
    """Settings in force, without secrets, addresses and folders; for information only."""
    entries: dict[str, Entry]
    """Name of each file, manifest and its checksum apart -> length and checksum."""

    def rows(self, folder: str) -> dict[str, int]:
        """Return table -> rows, of one of the two folders of tables."""
        named = {name: entry for name, entry in self.entries.items() if name.startswith(f"{folder}/")}
        return {name.split("/")[1].removesuffix(".jsonl"): entry.rows or 0 for name, entry in named.items()}

    @property
    def files(self) -> list[str]:
        """Names of the files of the home folder, relative to it."""
        return [name.removeprefix(f"{HOME}/") for name in self.entries if name.startswith(f"{HOME}/")]
