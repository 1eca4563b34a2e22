"""Files that are there as a whole or not at all, and that whoever comes later leaves alone."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def first_of(path: Path) -> Iterator[Path]:
    """Yield a name to write to; afterwards the file is at ``path``, unless another was there first.

    It is on the disk before it has its name, so that no crash leaves half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield scratch
        with scratch.open("rb") as stream:
            os.fsync(stream.fileno())
        try:
            os.link(scratch, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links: the last of two equal files stays
            scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_first(path: Path, text: str) -> None:
    """Write a small file, unless it is there."""
    with first_of(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
