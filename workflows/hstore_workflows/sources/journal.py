"""Answers of a remote source, kept on disk until the fetch they belong to is in the store.

A fetch that was killed asks again only for what had not been answered. One file holds one answer and appears at
once or not at all; a file that is damaged counts as absent. Several processes may use one journal.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hstore.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOURNAL_VERSION = 1
"""Layout of the files; part of what a journal is named after."""

_FOLDER = "fetch"
_MANIFEST = "manifest.json"
_SUFFIX = ".answer"
_DISCARDED = ".discarded-"
_DIGEST_BYTES = 32
_SLUG_LENGTH = 40
_RACES = 10


class Journal:
    """Answers to the requests of one fetch, by the text of the request.

    Made by :meth:`open`. What goes in must hold no secret: neither the identity nor the requests (the text of a
    request is hashed, never written) nor the answers.
    """

    def __init__(self, folder: Path, source: str, identity: Mapping[str, str]) -> None:
        self.folder = folder
        """Where the answers are."""
        self.source = source
        """Name of the source."""
        self.identity = dict(identity)
        """What tells this fetch from others: endpoint, database version, query."""
        self.replayed = 0
        """Answers given from disk."""
        self.kept = 0
        """Answers written."""
        self._lock = threading.Lock()

    @classmethod
    def open(cls, home: Path, *, source: str, identity: Mapping[str, str]) -> Self:
        """Open the journal of a fetch; one that was left unfinished is continued.

        Args:
            home: ``HSTORE_HOME``.
            source: name of the source, such as ``"mp"``.
            identity: everything on which the answers depend besides the request; equal identities share answers.

        Raises:
            FetchError: the folder cannot be written.
        """
        text = json.dumps([JOURNAL_VERSION, source, dict(sorted(identity.items()))])
        name = f"{_slug(source)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        journal = cls(home / _FOLDER / name, source, identity)
        try:
            journal.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise journal._unwritable(error) from error
        for left in journal.folder.parent.glob(f"{_DISCARDED}*"):  # by a process that ended while discarding
            shutil.rmtree(left, ignore_errors=True)
        return journal

    def __len__(self) -> int:
        """Return the number of answers on disk."""
        return sum(1 for _ in self.folder.glob(f"*{_SUFFIX}"))

    def answer(self, request: str) -> bytes | None:
        """Return the answer to a request; None when there is none, or a damaged one."""
        try:
            content = self._path(request).read_bytes()
        except OSError:
            return None
        digest, packed = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(packed).digest() != digest:
            return None
        with self._lock:
            self.replayed += 1
        return zlib.decompress(packed)

    def keep(self, request: str, body: bytes) -> None:
        """Write the complete answer to a request, replacing an earlier one.

        Raises:
            FetchError: the folder cannot be written.
        """
        packed = zlib.compress(body, level=1)
        content = hashlib.sha256(packed).digest() + packed
        self._write(self._path(request), content)
        with self._lock:
            self.kept += 1

    def discard(self) -> None:
        """Drop all answers: they are in the store, or contradict each other. The journal can be used again."""
        away = self.folder.with_name(f"{_DISCARDED}{os.urandom(8).hex()}")
        with suppress(FileNotFoundError):  # dropped by another process
            self.folder.replace(away)  # at once, whoever writes into it meanwhile
            shutil.rmtree(away, ignore_errors=True)

    def _path(self, request: str) -> Path:
        return self.folder / f"{hashlib.sha256(request.encode()).hexdigest()}{_SUFFIX}"

    def _write(self, path: Path, content: bytes) -> None:
        """Write an answer beside the manifest; another process may discard the folder meanwhile."""
        for turn in range(1, _RACES + 1):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._write_manifest()
                _replace(path, content)
            except (FileNotFoundError, FileExistsError) as error:
                if turn == _RACES:
                    raise self._unwritable(error) from error
            except OSError as error:
                raise self._unwritable(error) from error
            else:
                return

    def _write_manifest(self) -> None:
        path = self.folder / _MANIFEST
        if _manifest(path) is None:
            created = datetime.now(UTC).isoformat(timespec="seconds")
            manifest = {"source": self.source, "identity": self.identity, "created": created}
            _replace(path, json.dumps(manifest, indent=1, sort_keys=True).encode())

    def _unwritable(self, error: OSError) -> FetchError:
        return FetchError(
            f"the answers of the source cannot be kept in {self.folder} ({error.strerror or error}); "
            "make room there, or point HSTORE_HOME to a folder that can be written"
        )


def unfinished(home: Path, *, source: str) -> Iterator[Journal]:
    """Give the journals of a source that a fetch left behind, in the order of their folders.

    Args:
        home: ``HSTORE_HOME``.
        source: name of the source.
    """
    for path in sorted((home / _FOLDER).glob(f"*/{_MANIFEST}")):
        manifest = _manifest(path)
        if manifest and manifest["source"] == source and not path.parent.name.startswith(_DISCARDED):
            yield Journal(path.parent, source, manifest["identity"])


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    well = isinstance(manifest, dict) and isinstance(manifest.get("identity"), dict) and "source" in manifest
    return manifest if well else None


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:  # whatever stopped it, no half file stays
        Path(temporary).unlink(missing_ok=True)
        raise


def _slug(source: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:_SLUG_LENGTH] or "source"
