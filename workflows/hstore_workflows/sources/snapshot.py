"""Snapshots: materials of a source in one file, to be read where there is no network.

A snapshot is gzipped JSON lines: a heading (source, query, version, date), one line for each material, and a
closing line with the count and the SHA-256 of the lines between. A file that was cut short has no closing line.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hstore.errors import InputError
from hstore.records import Material

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT = "hstore-snapshot"
LAYOUT = 1
_LINE_MAX_BYTES = 1 << 27


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that was found whole."""

    path: Path
    """The file."""
    source: str
    """Source of the materials."""
    query: str
    """What was asked for, as the source writes it."""
    version: str
    """Version of the source's database; empty when it stated none."""
    created: datetime
    """When it was written."""
    count: int
    """Materials in it."""
    sha256: str
    """Checksum of the lines of the materials."""

    def materials(self) -> Iterator[Material]:
        """Give the materials, one at a time.

        Raises:
            InputError: a line is no material.
        """
        with _reading(self.path) as lines:
            next(lines)
            for number, line in zip(range(2, self.count + 2), lines, strict=False):
                try:
                    yield Material.model_validate_json(line)
                except ValidationError as error:
                    first = error.errors()[0]
                    raise InputError(
                        f"line {number} of {self.path} is no material ({first['msg']}); export the snapshot again"
                    ) from error


@contextmanager
def writing(path: Path, *, source: str, query: str, version: str) -> Iterator[Callable[[Material], None]]:
    """Write a snapshot; the file appears, complete, when the block ends without an error.

    Args:
        path: file to write, such as ``mp.jsonl.gz``.
        source: name of the source.
        query: what was asked for.
        version: version of the source's database.

    Yields:
        Function to call with each material.

    Raises:
        InputError: the file cannot be written.
    """
    created = datetime.now(UTC).isoformat(timespec="seconds")
    heading = {"format": FORMAT, "layout": LAYOUT, "source": source, "query": query, "version": version}
    digest, count = hashlib.sha256(), 0
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = scratch.open("wb")
    except OSError as error:
        raise InputError(f"the snapshot {path} cannot be written: {error.strerror}; choose another") from error
    try:
        with raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
            file.write(_line({**heading, "created": created}))

            def add(material: Material) -> None:
                nonlocal count
                line = material.model_dump_json().encode() + b"\n"
                file.write(line)
                digest.update(line)
                count += 1

            yield add
            file.write(_line({"count": count, "sha256": digest.hexdigest()}))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def open_snapshot(path: Path) -> Snapshot:
    """Read a snapshot to its end and compare what it holds with what it says.

    Raises:
        InputError: it is no snapshot, of a newer layout, cut short, or changed since it was written.
    """
    digest, count = hashlib.sha256(), 0
    with _reading(path) as lines:
        heading = _object(next(lines, b""))
        if heading.get("format") != FORMAT:
            raise InputError(f"{path} is no hstore snapshot; make one with --export")
        if heading.get("layout") != LAYOUT:
            raise InputError(f"{path} has layout {heading.get('layout')}, this hstore reads {LAYOUT}; update it")
        last = next(lines, b"")
        for line in lines:
            digest.update(last)
            count += 1
            last = line
    closing = _object(last)
    if closing.get("count") is None:
        raise InputError(f"{path} was cut short after {count} materials; export it again")
    if closing["count"] != count:
        raise InputError(f"{path} says it holds {closing['count']} materials but holds {count}; export it again")
    if closing.get("sha256") != digest.hexdigest():
        raise InputError(f"the {count} materials of {path} are not those it was written with; export it again")
    try:
        created = datetime.fromisoformat(str(heading.get("created")))
    except ValueError as error:
        raise InputError(f"{path} does not say when it was made; export it again") from error
    source, query, version = (str(heading.get(name, "")) for name in ("source", "query", "version"))
    return Snapshot(path, source, query, version, created, count, digest.hexdigest())


@contextmanager
def _reading(path: Path) -> Iterator[Iterator[bytes]]:
    """Give the lines of a gzipped file; whatever is wrong with it becomes an InputError."""
    try:
        with gzip.open(path, "rb") as file:
            yield iter(lambda: file.readline(_LINE_MAX_BYTES), b"")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"the snapshot {path} cannot be read: {error}; give one made with --export") from error


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
