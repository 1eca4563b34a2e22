"""What a reader works on and what it yields: a document, places in it, and steps that load one entry each."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstore_workflows.sources.files.found import Found

_MIB = 1024 * 1024


class Place(NamedTuple):
    """Where to go on in a document; the beginning is ``Place(0, 0)``."""

    offset: int
    """What the reader counts: bytes, lines, rows or blocks."""
    entries: int
    """Entries before this place."""
    flags: int = 0
    """What the reader must remember of what came before."""


START = Place(0, 0)


class Step(NamedTuple):
    """One entry of a document, not yet read."""

    entry: str
    """Name or number of the entry in its document."""
    load: Callable[[], Found]
    """Reads it; raises InputError with the cause when it cannot be used."""
    following: Place
    """Where the next entry begins."""


@dataclass(frozen=True)
class Document:
    """One file on disk, or one member of an archive held in memory."""

    name: str
    """What the user sees: path below what was given, or ``archive/member``; never an absolute path."""
    path: Path | None
    """The file; None for a member of an archive."""
    data: bytes | None = None
    """Content of a member of an archive."""
    gzipped: bool = False
    """Whether the content is compressed by gzip."""
    most_bytes: int = 50 * _MIB
    """Largest content, unpacked."""

    def content(self) -> bytes:
        """Return the content, unpacked.

        Raises:
            InputError: it cannot be read, is empty, is larger than allowed, or is damaged.
        """
        with self.reading() as stream:
            data = stream.read(self.most_bytes + 1)
        if len(data) > self.most_bytes:
            raise InputError(
                f"it holds more than {self.most_bytes / _MIB:g} MiB; split it or raise --max-file-mib"
            )
        return data

    @contextmanager
    def reading(self) -> Iterator[BinaryIO]:
        """Open the content, unpacked, for reading from any place.

        A compressed file stays open for the next piece, which then need not be unpacked from the beginning.

        Raises:
            InputError: it cannot be read, is empty, or is damaged.
        """
        try:
            with ExitStack() as stack:
                stream = self._opened(stack)
                if stream.tell() == 0:
                    if not stream.read(1):
                        raise InputError("it is empty; give a file with a structure")
                    stream.seek(0)
                yield stream
        except (OSError, EOFError, zlib.error) as error:
            _kept_open.cache_clear()
            raise InputError(f"it cannot be read ({_reason(error)}); check the file") from error

    def _opened(self, stack: ExitStack) -> BinaryIO:
        if self.path is None:
            stream: BinaryIO = io.BytesIO(self.data or b"")
            return cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if self.gzipped else stream
        if self.gzipped:
            return _kept_open(self.path, self.path.stat().st_mtime_ns)
        return stack.enter_context(self.path.open("rb"))


@lru_cache(maxsize=1)
def _kept_open(path: Path, _changed_ns: int) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(path))


def _reason(error: Exception) -> str:
    """Say why, without the path of this machine that an OSError carries."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(
        error
    ).__name__
