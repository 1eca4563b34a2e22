"""Where a batch runs: a site is a TOML file that a user copies and edits."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hstore.errors import unknown_name
from hstore.workers import default_workers
from hstore_workflows.batch.spec import Part, read_part


class Site(Part):
    """Where a batch runs."""

    kind: Literal["local"]
    """``local``: worker processes of this machine."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker processes, each on one thread; 0 takes one for each core."""

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return self.workers or default_workers()


def shipped_sites() -> list[str]:
    """Return the names of the sites that come with hstore."""
    folder = resources.files("hstore_workflows") / "sites"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_site(name_or_path: str) -> Site:
    """Load a shipped site by name, or a user's from a TOML file.

    Raises:
        UnknownNameError: neither a shipped name nor a file.
        InputError: the file is not TOML, or a field is missing, unknown or out of range.
    """
    if name_or_path in shipped_sites():
        with resources.as_file(resources.files("hstore_workflows") / "sites" / f"{name_or_path}.toml") as path:
            return read_part(Site, path, "site")
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        raise unknown_name("site", name_or_path, shipped_sites())
    return read_part(Site, path, "site")
