"""The file of a back-up: a tar archive, compressed with Zstandard or gzip, written and read as a stream."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from hstore.errors import InputError
from hstore_workflows.backup.manifest import CAMPAIGNS, CHECKSUM, HOME, MANIFEST, STORE, Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENDINGS = (".tar.zst", ".tar.gz")
"""How the name of a back-up may end."""

_PIECE = 1 << 20
_MAX_MANIFEST = 64 * _PIECE
_NAME = re.compile(rf"(?:{STORE}|{CAMPAIGNS})/[a-z_]+\.jsonl|{HOME}/[^\x00]+")


class Writer:
    """An archive being written; entries are counted and summed up as they are added."""

    def __init__(self, tar: tarfile.TarFile, folder: Path) -> None:
        self._tar = tar
        self._folder = folder
        self.entries: dict[str, Entry] = {}

    def add_lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Add a file made of lines; they are gathered on disk, for a tar states the length first."""
        with tempfile.TemporaryFile(dir=self._folder) as gathered:
            rows = 0
            for line in lines:
                gathered.write(line)
                rows += 1
            self._add(name, gathered, rows=rows, mode=0o600)

    def add_file(self, name: str, path: Path) -> None:
        """Add a copy of a file as it is now; one that grows meanwhile is cut where it was."""
        with path.open("rb") as source, tempfile.TemporaryFile(dir=self._folder) as copied:
            while piece := source.read(_PIECE):
                copied.write(piece)
            self._add(name, copied, mode=path.stat().st_mode & 0o777)

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest and its checksum."""
        content = manifest.model_dump_json(indent=1).encode()
        for name, data in ((MANIFEST, content), (CHECKSUM, hashlib.sha256(content).hexdigest().encode())):
            with tempfile.TemporaryFile(dir=self._folder) as held:
                held.write(data)
                self._put(name, held, len(data), mode=0o600)

    def _add(self, name: str, held: IO[bytes], *, mode: int, rows: int | None = None) -> None:
        held.seek(0)
        digest = hashlib.file_digest(held, "sha256").hexdigest()  # type: ignore[arg-type] # typeshed wants more than it needs
        length = held.tell()
        self.entries[name] = Entry(n_bytes=length, sha256=digest, rows=rows)
        self._put(name, held, length, mode=mode)

    def _put(self, name: str, held: IO[bytes], length: int, *, mode: int) -> None:
        held.seek(0)
        member = tarfile.TarInfo(name)
        member.size, member.mode = length, mode
        self._tar.addfile(member, held)


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write an archive beside its place and move it there whole, readable by its owner alone.

    Raises:
        InputError: the name ends otherwise, something of that name is there, or the folder cannot be written.
    """
    _check_ending(path)
    if path.exists():
        raise InputError(f"{path} is there already; choose another name, or delete it first")
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600 from the start
    except OSError as error:
        raise InputError(f"no file can be made in {path.parent}: {error.strerror}; choose another") from error
    try:
        with (
            os.fdopen(handle, "wb") as raw,
            _compressed(raw, path) as stream,
            tarfile.open(fileobj=stream, mode="w|") as tar,
        ):
            yield Writer(tar, path.parent)
        with Path(scratch).open("rb") as written:  # the compressor has closed the file itself
            os.fsync(written.fileno())
        Path(scratch).rename(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> Manifest:
    """Unpack an archive and compare every file with its checksum.

    Args:
        path: the archive.
        folder: an empty folder.

    Raises:
        InputError: it is no back-up, cut short, changed, or of another layout.
    """
    _check_ending(path)
    try:
        with (
            path.open("rb") as raw,
            _decompressed(raw, path) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            return _unpacked(tar, folder)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{path} cannot be read as a back-up: {error}; it is damaged, or cut short") from error


def _unpacked(tar: tarfile.TarFile, folder: Path) -> Manifest:
    found: dict[str, Entry] = {}
    manifest, stated = b"", ""
    for member in tar:
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise InputError(f"the back-up holds {member.name!r}, which is no plain file; it is not one of ours")
        if member.name == MANIFEST:
            manifest = content.read(_MAX_MANIFEST)
        elif member.name == CHECKSUM:
            stated = content.read(64).decode(errors="replace")
        else:
            found[member.name] = _copied(content, _place(folder, member.name), member.mode)
    if not manifest or hashlib.sha256(manifest).hexdigest() != stated:
        raise InputError("the back-up has no manifest with the right checksum; it is damaged, or cut short")
    return _checked(manifest, found)


def _checked(content: bytes, found: dict[str, Entry]) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(
            f"the manifest of the back-up cannot be read ({said}); a newer hstore may have written it"
        ) from error
    bare = {name: entry.model_copy(update={"rows": None}) for name, entry in manifest.entries.items()}
    wrong = sorted(name for name in bare.keys() | found.keys() if bare.get(name) != found.get(name))
    if wrong:
        raise InputError(
            f"{len(wrong)} files of the back-up are not as its manifest says, first {wrong[0]}; it is damaged"
        )
    return manifest


def _copied(content: IO[bytes], place: Path, mode: int) -> Entry:
    digest, length = hashlib.sha256(), 0
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as target:
        while piece := content.read(_PIECE):
            target.write(piece)
            digest.update(piece)
            length += len(piece)
    place.chmod(mode & 0o777 | 0o600)
    return Entry(n_bytes=length, sha256=digest.hexdigest())


def _place(folder: Path, name: str) -> Path:
    """Return where a file goes; nothing is written outside the folder, whatever its name says."""
    parts = name.split("/")
    if not _NAME.fullmatch(name) or {"", ".", ".."} & set(parts):
        raise InputError(f"the back-up holds a file called {name!r}; it is not one of ours")
    return folder.joinpath(*parts)


def _check_ending(path: Path) -> None:
    if not path.name.endswith(ENDINGS):
        raise InputError(f"a back-up is called NAME.tar.zst or NAME.tar.gz, got {path.name!r}")


@contextmanager
def _compressed(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    if path.name.endswith(".gz"):
        with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as stream:
            yield cast("IO[bytes]", stream)
        return
    import pyarrow as pa

    with pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd") as stream:
        yield stream


@contextmanager
def _decompressed(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    if path.name.endswith(".gz"):
        with gzip.GzipFile(fileobj=raw) as stream:
            yield cast("IO[bytes]", stream)
        return
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
        yield cast("IO[bytes]", _Reading(stream))


class _Reading:
    """What tarfile needs of a stream; reads of pyarrow may end early, those of a file do not."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, length: int = -1) -> bytes:
        """Read so many bytes, fewer only at the end."""
        pieces, left = [], length
        while left != 0 and (piece := self._stream.read(left if left > 0 else _PIECE)):
            pieces.append(piece)
            left -= len(piece) if left > 0 else 0
        return b"".join(pieces)
