"""Read a crate: unpacked within limits, every file compared with its checksum, before anything is believed."""

from __future__ import annotations

import hashlib
import re
import stat
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hstore.errors import HstoreError, InputError, MissingExtraError
from hstore_workflows.crate.content import ABOUT, CHECKSUMS, METADATA, PREVIEW, About
from hstore_workflows.crate.metadata import entities_of
from hstore_workflows.sources.files.archives import DAMAGE, METHODS, check_directory, leads_out, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

_PIECE = 1 << 20
_MOST_FILES = 10_000
_MOST_BYTES = 16 << 30
_MOST_TEXT_BYTES = 64 << 20
"""Longest file that states no length: metadata, page, checksums."""
_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<name>.+)\Z")
_NOT_STATED = frozenset({METADATA, PREVIEW, CHECKSUMS})
"""Files whose length and checksum the metadata do not state."""


@dataclass(frozen=True)
class ReadCrate:
    """A crate all of whose files are what it says they are."""

    path: Path
    """Where it was read."""
    folder: Path
    """Folder with its files; for as long as it is open."""
    about: About
    """What hstore needs to take it in."""
    entities: Mapping[str, Mapping[str, Any]]
    """Entities of its metadata, by identifier; the root is ``./``."""
    sha256: Mapping[str, str]
    """File -> its checksum."""

    @property
    def root(self) -> Mapping[str, Any]:
        """The crate itself."""
        return self.entities["./"]

    def named(self, reference: Any) -> list[Mapping[str, Any]]:
        """Return the entities that a property refers to; text stands as an entity with that name."""
        found = reference if isinstance(reference, list) else [reference] if reference else []
        return [self.entities.get(r["@id"], r) if isinstance(r, dict) else {"name": str(r)} for r in found]


@contextmanager
def open_crate(path: Path) -> Iterator[ReadCrate]:
    """Unpack and check a crate for the length of a block.

    Args:
        path: a zip archive, or the folder of a crate.

    Raises:
        InputError: it is no crate of hstore, leads out of its folder, asks for too much, or a file in it is
            missing, foreign or changed; the file is named.
        MissingExtraError: the package rocrate is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="hstore-crate-") as scratch:
        folder = Path(scratch)
        if path.is_dir():
            yield _checked(path, folder, _folder_members(path))
            return
        try:
            check_directory(path)
            with zipfile.ZipFile(path) as archive:
                found = _checked(path, folder, _zip_members(path, archive))
        except (InputError, MissingExtraError):
            raise
        except (HstoreError, *DAMAGE) as error:
            raise InputError(
                f"{path} cannot be read as a crate ({' '.join(str(error).split())}); it is damaged, or no zip "
                "archive"
            ) from error
        yield found


_Members = dict[str, "Callable[[], IO[bytes]]"]


def _zip_members(path: Path, archive: zipfile.ZipFile) -> _Members:
    found: _Members = {}
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        name = entry.filename
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise _refused(path, name, "is a link or device, and crates hold plain files")
        if entry.flag_bits & 0x1:
            raise _refused(path, name, "is encrypted; pack it without a password")
        if entry.compress_type not in METHODS:
            raise _refused(path, name, f"is compressed by method {entry.compress_type}; use deflate")
        if name in found:
            raise _refused(path, name, "is in it twice")
        found[name] = partial(archive.open, entry)
    return found


def _folder_members(path: Path) -> _Members:
    found: _Members = {}
    for place in sorted(path.rglob("*")):
        name = place.relative_to(path).as_posix()
        if place.is_symlink() or not (place.is_file() or place.is_dir()):
            raise _refused(path, name, "is a link or device, and crates hold plain files")
        if place.is_file():
            found[name] = partial(_opened, place)
    return found


def _opened(place: Path) -> IO[bytes]:
    return place.open("rb")


def _checked(path: Path, folder: Path, members: _Members) -> ReadCrate:
    for name in members:
        if leads_out(name):
            raise _refused(path, name, "leads out of the crate")
    if len(members) > _MOST_FILES:
        raise InputError(
            f"{path} holds {len(members):,} files, allowed are {_MOST_FILES:,}; it is no crate of hstore"
        )
    for name in (METADATA, CHECKSUMS, ABOUT):
        if name not in members:
            raise InputError(f"{path} holds no {name}; give a crate that hstore wrote")
    stated = _stated_checksums(path, _text(path, CHECKSUMS, members[CHECKSUMS]))
    for name in sorted({*members} ^ {*stated, CHECKSUMS}):
        raise _refused(path, name, "is not in the list of checksums" if name in members else "is missing")
    _copy(path, METADATA, members[METADATA], folder, stated[METADATA], _MOST_TEXT_BYTES)
    entities = _entities(path, folder / METADATA)
    sizes = _sizes(path, entities, stated)
    for name, opened in members.items():
        if name not in {METADATA, CHECKSUMS}:
            _copy(path, name, opened, folder, stated[name], sizes.get(name, _MOST_TEXT_BYTES))
    return ReadCrate(path, folder, _about(path, folder / ABOUT), entities, stated)


def _stated_checksums(path: Path, text: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line)
        if match is None:
            raise _refused(path, CHECKSUMS, f"cannot be read in line {number}")
        found[match["name"]] = match["sha256"]
    return found


def _sizes(path: Path, entities: Mapping[str, Mapping[str, Any]], stated: Mapping[str, str]) -> dict[str, int]:
    """Return the length that the metadata state of each file; its checksum has to be the same in both places."""
    sizes = {}
    for name in stated:
        if name in _NOT_STATED:
            continue
        entity = entities.get(name)
        if entity is None or entity.get("@type") != "File":
            raise _refused(path, name, f"is not described in {METADATA}")
        if entity.get("sha256") != stated[name]:
            raise _refused(path, name, f"has another checksum in {METADATA} than in {CHECKSUMS}")
        size = str(entity.get("contentSize", ""))
        if not size.isdecimal():
            raise _refused(path, name, f"has no length in {METADATA}")
        sizes[name] = int(size)
    if sum(sizes.values()) > _MOST_BYTES:
        raise InputError(f"{path} unpacks to {sum(sizes.values()):,} bytes, allowed are {_MOST_BYTES:,}")
    return sizes


def _copy(path: Path, name: str, opened: Callable[[], IO[bytes]], folder: Path, sha256: str, longest: int) -> None:
    """Copy one file into the folder; one byte more than it states is not written."""
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, length = hashlib.sha256(), 0
    with opened() as source, place.open("xb") as target:
        while piece := source.read(_PIECE):
            length += len(piece)
            if length > longest:
                raise _refused(path, name, f"is longer than the {longest:,} bytes it may have")
            digest.update(piece)
            target.write(piece)
    if digest.hexdigest() != sha256:
        raise _refused(path, name, "was changed: its checksum is not the one stated")


def _text(path: Path, name: str, opened: Callable[[], IO[bytes]]) -> str:
    with opened() as stream:
        content = stream.read(_MOST_TEXT_BYTES + 1)
    if len(content) > _MOST_TEXT_BYTES:
        raise _refused(path, name, f"is longer than the {_MOST_TEXT_BYTES:,} bytes it may have")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, name, "is no text") from error


def _entities(path: Path, place: Path) -> dict[str, dict[str, Any]]:
    try:
        return entities_of(place)
    except ValueError as error:
        raise _refused(path, METADATA, f"cannot be read ({error})") from error


def _about(path: Path, place: Path) -> About:
    try:
        return About.model_validate_json(place.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _refused(path, ABOUT, f"cannot be read ({said}); a newer hstore may have written it") from error


def _refused(path: Path, name: str, why: str) -> InputError:
    return InputError(f"{path}: the file {shown(name)!r} {why}; nothing was imported, ask for the crate again")
