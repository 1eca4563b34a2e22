"""Members of zip and tar archives, one at a time, in memory, within limits; nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from hstore.errors import HstoreError
from hstore_workflows.sources.files.kinds import ARCHIVES, Kind, kind_of
from hstore_workflows.sources.intake import Rejected

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO, TypeAlias

    from hstore_workflows.sources.files.limits import ReadLimits

    Opener: TypeAlias = Callable[[], IO[bytes]]

_MIB = 1024 * 1024
_CHUNK = 1 << 16
_LARGEST_HEADER = 1 << 16
"""Bytes of one read: larger extended headers of a tar archive are attacks on memory."""
_FREE_RATIO_BYTES = 64 * _MIB
_XZ_MEMORY = 256 * _MIB
_BLOCK = 512
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
"""Compression methods of zip archives that are read."""
_NAME_CHARACTERS = 200
_ZIP_TAIL = 1 << 17
_LARGEST_DIRECTORY = 32 * _MIB
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, OSError,
    ValueError, RuntimeError, OverflowError, KeyError, IndexError,
)  # fmt: skip
"""What the libraries raise on damaged archives."""


@dataclass(frozen=True)
class Member:
    """A file inside an archive."""

    name: str
    """Its path in the archive."""
    data: bytes
    """Its content."""


class _RefusedError(HstoreError):
    """The whole archive goes no further."""


def members(
    path: Path, name: str, limits: ReadLimits, skipped: Counter[str] | None = None
) -> Iterator[Member | Rejected]:
    """Read the members of an archive whose kind is read, in the order of the archive.

    Links, devices, unsafe names, encrypted members and archives inside are rejected; members of other kinds are
    passed over and counted. A damaged archive, or one beyond a limit, gives what was read and then a
    :class:`Rejected` for the rest.

    Args:
        path: the archive.
        name: what the user sees of it.
        limits: how large it may be.
        skipped: counts members of other kinds by their ending.
    """
    gauge = _Gauge(path, limits, separate=kind_of(path.name) is Kind.ZIP)
    done = 0
    try:
        source = _zip_members(path, gauge) if gauge.separate else _tar_members(path, gauge)
        for label, given in source:
            done += 1
            cause = _unsafe(label) or (given if isinstance(given, str) else "")
            if cause:
                yield Rejected(f"{name}/{shown(label)}", cause)
            elif not _is_read(label):
                if skipped is not None:
                    skipped[PurePosixPath(label).suffix.lower()[:12] or "no ending"] += 1
            else:
                assert not isinstance(given, str)
                yield _member(label, given, name, gauge)
    except MemoryError:
        raise
    except _RefusedError as error:
        yield Rejected(name, f"{error} ({done} members were read)")
    except DAMAGE as error:
        yield Rejected(
            name, f"the archive is damaged or cut off after {done} members ({_first_words(error)}); repair it"
        )


def shown(text: str) -> str:
    """Make a name from an archive fit for a message: printable and not endless."""
    return "".join(c if c.isprintable() else "?" for c in text[:_NAME_CHARACTERS])


def _member(label: str, opened: Opener, name: str, gauge: _Gauge) -> Member | Rejected:
    limit = gauge.limits.file_mib * _MIB
    parts: list[bytes] = []
    size = 0
    try:
        with opened() as stream:
            while part := stream.read(_CHUNK):
                size += len(part)
                gauge.count(len(part))
                if size > limit:
                    cause = f"it holds more than {gauge.limits.file_mib} MiB; raise --max-file-mib or split it"
                    return Rejected(f"{name}/{shown(label)}", cause)
                parts.append(part)
    except _RefusedError:
        raise
    except DAMAGE as error:
        if not gauge.separate:  # what follows in a tar archive cannot be found behind a damaged member
            raise
        return Rejected(f"{name}/{shown(label)}", f"it is damaged ({_first_words(error)}); pack it again")
    return Member(label, b"".join(parts))


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _is_read(label: str) -> bool:
    base = PurePosixPath(label).name
    return kind_of(base) is not None and not base.startswith("._") and not label.startswith("__MACOSX/")


def leads_out(label: str) -> bool:
    """Tell whether the name of a member leads out of the folder it would be unpacked to."""
    parts = label.replace("\\", "/").split("/")
    return label.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":") or "\0" in label


def _unsafe(label: str) -> str:
    if leads_out(label):
        return "its name leads out of the archive; pack it again with relative names"
    if kind_of(label) in ARCHIVES:
        return "an archive inside an archive is not read; unpack it first"
    return ""


class _Gauge:
    """Counts what comes out of an archive and stops at the limits."""

    def __init__(self, path: Path, limits: ReadLimits, *, separate: bool) -> None:
        self.limits = limits
        self.separate = separate
        """Whether members are found without those before them."""
        self._packed = max(path.stat().st_size, 1)
        self._unpacked = 0
        self._members = 0

    def count(self, size: int) -> None:
        """Take note of bytes that came out."""
        self._unpacked += size
        if self._unpacked > self.limits.archive_mib * _MIB:
            raise _RefusedError(
                f"the archive unpacks to more than {self.limits.archive_mib} MiB; unpack it yourself"
            )
        ratio = self._unpacked / self._packed
        if self._unpacked > _FREE_RATIO_BYTES and ratio > self.limits.archive_ratio:
            raise _RefusedError(
                f"the archive unpacks to {ratio:.0f} times its size, allowed are {self.limits.archive_ratio}; "
                "it may be made to fill memory"
            )

    def next_member(self) -> None:
        """Take note of a member."""
        self._members += 1
        if self._members > self.limits.archive_members:
            raise _RefusedError(f"the archive has more than {self.limits.archive_members} members; split it")


def _zip_members(path: Path, gauge: _Gauge) -> Iterator[tuple[str, Opener | str]]:
    """Yield name, and opener or cause, of each member that is no folder."""
    check_directory(path)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            gauge.next_member()
            if info.is_dir():
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
                yield info.filename, "it is a link or device; pack the file itself"
            elif info.flag_bits & 0x1:
                yield info.filename, "it is encrypted; pack it without a password"
            elif info.compress_type not in METHODS:
                yield info.filename, f"its compression method {info.compress_type} is not read; use deflate"
            else:
                yield info.filename, partial(archive.open, info)


def check_directory(path: Path) -> None:
    """Refuse a zip archive whose list of members, which the library holds in memory, is too long.

    Raises:
        HstoreError: it is.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _ZIP_TAIL))
        tail = file.read()
    place, large = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    size = int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0
    if large >= 0:
        size = max(size % 0xFFFFFFFF, int.from_bytes(tail[large + 40 : large + 48], "little"))
    if size > _LARGEST_DIRECTORY:
        raise _RefusedError(f"the list of its members takes {size / _MIB:.0f} MiB; split the archive")


def _tar_members(path: Path, gauge: _Gauge) -> Iterator[tuple[str, Opener | str]]:
    """Yield name, and opener or cause, of each member that is no folder."""
    with path.open("rb") as file, _Forward(_unpacking(path, file), gauge) as stream:
        with tarfile.TarFile(fileobj=stream, mode="r", encoding="utf-8", errors="replace") as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined] # tarfile keeps all of them otherwise
                gauge.next_member()
                if info.isdir():
                    continue
                if info.issym() or info.islnk():
                    yield info.name, "it is a link; pack the file itself"
                elif not info.isreg() or info.issparse():
                    yield info.name, "it is a device, pipe or sparse file; pack plain files"
                elif _is_read(info.name) and info.size > gauge.limits.file_mib * _MIB:
                    yield (
                        info.name,
                        f"it holds more than {gauge.limits.file_mib} MiB; raise --max-file-mib or split it",
                    )
                else:
                    yield info.name, partial(archive.extractfile, info)  # type: ignore[misc]
        stream.check_end()


def _unpacking(path: Path, file: BinaryIO) -> BinaryIO:
    """Open the stream below a tar archive, whatever compresses it."""
    name = path.name.lower()
    if name.endswith((".gz", ".tgz")):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if name.endswith((".bz2", ".tbz", ".tbz2")):
        return bz2.BZ2File(file)  # type: ignore[return-value]
    if name.endswith((".xz", ".txz")):
        return io.BufferedReader(_Xz(file), _CHUNK)
    return file


class _Xz(io.RawIOBase):
    """Unpacks xz with a bound on the memory its header may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while True:
            if self._decoder.eof:
                following = self._decoder.unused_data or self._file.read(_CHUNK)
                if not following.strip(b"\0"):
                    return 0
                self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            else:
                following = self._file.read(_CHUNK) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not following:
                    raise EOFError("the compressed stream ends early")
            data = self._decoder.decompress(following, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)


class _Forward(io.RawIOBase):
    """A stream that counts what is read, only goes forward, and refuses single reads that are too large."""

    def __init__(self, stream: BinaryIO, gauge: _Gauge) -> None:
        super().__init__()
        self._stream = stream
        self._gauge = gauge
        self._place = 0
        self._last = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise _RefusedError(f"a header of {size} bytes; the archive may be made to fill memory")
        data = self._stream.read(size)
        self._place += len(data)
        self._last = data
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._place:
            raise _RefusedError("the archive refers back to itself")
        while self._place < offset:
            step = self.read(min(_CHUNK, offset - self._place))
            self._gauge.count(len(step))
            if not step:
                break
        return self._place

    def check_end(self) -> None:
        """Tell a proper end, marked by zeros, from a header that cannot be read or a file cut off."""
        if len(self._last) != _BLOCK or self._last.strip(b"\0"):
            raise EOFError("a header cannot be read, or the end mark is missing")
