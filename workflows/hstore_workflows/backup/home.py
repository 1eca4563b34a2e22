"""Files of the home folder that a back-up holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = ("models", "added_rows", "campaigns", "jobs")
"""Folders of the home folder that are backed up: what was trained, the rows it was trained on, pools and priors of
campaigns, and what jobs left."""

LEFT_OUT = (
    "features", "physics", "fetch", "data", "workers", "tuning.sqlite", "hstore.sqlite", "campaigns.sqlite",
    "jobs.sqlite", "secret.key",
)  # fmt: skip
"""What is not copied: what can be computed or fetched again, locks of workers, databases, whose rows are copied
instead, and the key of the pages' sessions, which is made anew."""

_MODELS = "models"


def kept_files(home: Path) -> Iterator[Path]:
    """Return the files to copy, in an order in which a copy is whole while others write.

    Versions of models are written once and named by pointers, so the pointers come first. Locks, and files still
    being written (their names begin with a dot), are left out.
    """
    for folder in KEPT:
        found = [path for path in sorted((home / folder).rglob("*")) if _is_kept(path.relative_to(home))]
        files = [path for path in found if path.is_file() and not path.is_symlink()]
        yield from sorted(files, key=lambda path: (folder == _MODELS, len(path.relative_to(home).parts)))


def _is_kept(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.name != "lock" and path.suffix != ".lock"
