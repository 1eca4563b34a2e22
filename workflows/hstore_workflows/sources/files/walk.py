"""From the paths a user gives to documents: files, files below folders, members of archives, in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore_workflows.sources.files.archives import Member, members, shown
from hstore_workflows.sources.files.kinds import ARCHIVES, COLLECTIONS, READ, Kind, is_gzipped, kind_of, stem_of
from hstore_workflows.sources.files.place import Document
from hstore_workflows.sources.intake import Rejected

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hstore_workflows.sources.files.limits import ReadLimits

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Source:
    """A document with where it was found."""

    document: Document
    """What to read."""
    kind: Kind
    """Its kind."""
    label: str
    """First part of the identifiers of its entries: ``archive:member`` or the stem of the file."""
    size: int
    """Bytes of the document, packed."""


def check_paths(paths: Iterable[Path]) -> None:
    """Refuse paths that lead nowhere, before any work.

    Raises:
        InputError: a path is neither file nor folder.
    """
    for path in paths:
        if not path.is_file() and not path.is_dir():
            raise InputError(f"{path} is neither a file nor a folder; give structure files, folders or archives")


def sources(paths: Iterable[Path], limits: ReadLimits, skipped: Counter[str]) -> Iterator[Source | Rejected]:
    """Find the documents below some paths: folders by name, files before folders; archives as they are packed.

    Symbolic links inside folders are not followed, names that begin with a dot are passed over.

    Args:
        paths: files, folders, archives.
        limits: how large they may be.
        skipped: counts files of other kinds inside folders and archives by their ending.
    """
    for path in paths:
        if path.is_dir():
            top = path.resolve()
            yield from _below(top, shown(top.name or "folder"), limits, skipped)
        elif kind_of(path.name) is None:
            yield Rejected(shown(path.name), f"files of this kind are not read; read are {READ}")
        else:
            yield from _from_file(path, shown(path.name), limits, skipped)


def _below(folder: Path, name: str, limits: ReadLimits, skipped: Counter[str]) -> Iterator[Source | Rejected]:
    try:
        entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
    except OSError as error:
        yield Rejected(name, f"the folder cannot be read ({error.strerror}); check its permissions")
        return
    folders = []
    for path in entries:
        here = f"{name}/{shown(path.name)}"
        if path.is_symlink():
            if path.is_dir() or kind_of(path.name) is not None:
                yield Rejected(here, "symbolic links inside folders are not followed; name its target by itself")
        elif path.is_dir():
            folders.append((path, here))
        elif kind_of(path.name) is None:
            skipped[path.suffix.lower()[:12] or "no ending"] += 1
        else:
            yield from _from_file(path, here, limits, skipped)
    for path, here in folders:
        yield from _below(path, here, limits, skipped)


def _from_file(path: Path, name: str, limits: ReadLimits, skipped: Counter[str]) -> Iterator[Source | Rejected]:
    kind = kind_of(path.name)
    assert kind is not None
    if not path.is_file():
        yield Rejected(name, "it is no plain file any more" if not path.exists() else "it is a pipe or device")
        return
    if kind in ARCHIVES:
        yield from _from_archive(path, name, limits, skipped)
        return
    size = path.stat().st_size
    most = limits.collection_mib if kind in COLLECTIONS else limits.file_mib
    if size > most * _MIB:
        option = "split it" if kind in COLLECTIONS else "raise --max-file-mib or split it"
        yield Rejected(name, f"it has {size / _MIB:.0f} MiB; at most {most} are read; {option}")
        return
    document = Document(name, path.absolute(), gzipped=is_gzipped(path.name), most_bytes=limits.file_mib * _MIB)
    yield Source(document, kind, stem_of(path.name), size)


def _from_archive(path: Path, name: str, limits: ReadLimits, skipped: Counter[str]) -> Iterator[Source | Rejected]:
    for member in members(path, name, limits, skipped):
        if isinstance(member, Member):
            kind = kind_of(member.name)
            assert kind is not None
            document = Document(
                f"{name}/{shown(member.name)}",
                None,
                member.data,
                gzipped=is_gzipped(member.name),
                most_bytes=limits.file_mib * _MIB,
            )
            yield Source(document, kind, f"{stem_of(path.name)}:{stem_of(member.name)}", len(member.data))
        else:
            yield member
