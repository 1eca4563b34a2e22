"""Take a crate in: everything is checked first, then it is written, and done twice it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.records import Access, Scope
from hstore.store import open_store
from hstore_workflows.crate.campaign import check_campaign, take_campaign
from hstore_workflows.crate.model import checked_versions, take_versions
from hstore_workflows.crate.reading import open_crate
from hstore_workflows.crate.screen import check_screen, record_in, take_screen

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.records import Screen
    from hstore.settings import Settings
    from hstore_models.golden import Drift
    from hstore_workflows.crate.content import About
    from hstore_workflows.crate.reading import ReadCrate


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    about: About
    """What the crate is about."""
    n_files: int
    """Files whose checksums were compared."""
    new: bool
    """False where everything was here already."""
    models: dict[str, bool]
    """Version -> whether it was new."""
    drifts: dict[str, Drift]
    """Version -> what became of its golden predictions."""
    folder: Path | None = None
    """Folder of the screen."""
    published: str | None = None
    """Identifier under which the service shows the screen."""

    def record(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "kind": self.about.kind,
            "name": self.about.name,
            "files_checked": self.n_files,
            "new": self.new,
            "models": self.models,
            "golden_predictions": {name: drift.record() for name, drift in self.drifts.items()},
            "folder": None if self.folder is None else str(self.folder),
            "published": self.published,
            "private_to": self.about.private_to,
        }

    def words(self) -> str:
        """Say it for a terminal."""
        head = f"{self.about.kind} {self.about.name}"
        lines = [
            f"{head}: {self.n_files} files checked, imported"
            if self.new
            else f"{head}: {self.n_files} files checked, all of it is here already; nothing was changed"
        ]
        lines += [f"  {name}: {drift}" for name, drift in self.drifts.items()]
        if self.folder is not None:
            lines.append(f"  in {self.folder}")
        if self.published is not None:
            lines.append(f"  published as {self.published}")
        if self.about.private_to:
            lines.append(f"  visible to lab {self.about.private_to} alone")
        return "\n".join(lines)


def import_crate(
    path: Path, settings: Settings, *, out: Path | None = None, publish: bool = False, allow_moved: bool = False
) -> Imported:
    """Take a crate in.

    Args:
        path: a zip archive, or the folder of a crate.
        settings: where models, campaigns and the store are.
        out: folder for a screen; models and campaigns have their own places.
        publish: True to put a screen into the store as well.
        allow_moved: True to take models whose golden predictions moved.

    Raises:
        InputError: it is no crate of hstore, a file was changed, or what it holds cannot be taken; nothing is
            written then.
        StoreError: the store or the campaigns cannot be written.
        MissingExtraError: the package rocrate is not installed.
    """
    with open_crate(path) as crate:
        _check_asked(crate, out, publish=publish)
        versions = checked_versions(crate, allow_moved=allow_moved)
        record, write_folder = _checked_screen(crate, out, publish=publish)
        if crate.about.kind == "campaign":
            check_campaign(crate, settings)
        new = False
        if out is not None and write_folder:
            take_screen(crate, out)
            new = True
        taken = take_versions(versions, settings)
        if crate.about.kind == "campaign":
            new = take_campaign(crate, settings)
        if record is not None:
            with open_store(settings.store_url) as store:
                new = new or store.screen(record.screen_id, scope=Scope(everything=True)) is None
                store.add_screen(record)
        return Imported(
            crate.about,
            len(crate.sha256),
            new or any(taken.values()),
            taken,
            {one.version.card.model_id: one.drift for one in versions},
            folder=out,
            published=None if record is None else record.screen_id,
        )


def _check_asked(crate: ReadCrate, out: Path | None, *, publish: bool) -> None:
    is_screen = crate.about.kind == "screen"
    if is_screen and out is None and not publish:
        raise InputError(f"{crate.path} holds a screen; say where its folder goes with --out, or --publish it")
    if not is_screen and (out is not None or publish):
        raise InputError(f"{crate.path} holds a {crate.about.kind}; --out and --publish are for screens")


def _checked_screen(crate: ReadCrate, out: Path | None, *, publish: bool) -> tuple[Screen | None, bool]:
    """Return the record to be published, and whether the folder is to be written."""
    if crate.about.kind != "screen":
        return None, False
    access = crate.about.access if crate.about.private_to else Access()
    record = record_in(crate, access)
    return record if publish else None, out is not None and check_screen(crate, out)
