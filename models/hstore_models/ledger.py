"""Which version of a model is in use, and which were before: one pointer and one history for each model.

``current`` names the public champion, ``current.LAB`` that of a lab; ``history.jsonl`` has a line for each
promotion and roll-back. A line is appended in one write and a pointer replaced in one step, both under a lock that
the operating system gives back when its process dies; a line cut short by a crash is passed over.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from hstore.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 60
"""Longest wait for another process to save or promote, s."""


class Promotion(BaseModel):
    """One change of the model in use."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model_id: str
    """Version that is in use from then on."""
    previous: str | None
    """Version in use before; None where there was none."""
    reason: str
    """Why."""
    action: Literal["promote", "rollback"] = "promote"
    """Forwards to a new version, or back to one in use before."""
    forced: bool = False
    """True where it was promoted although the gate was against it."""
    lab_id: str | None = None
    """Lab whose champion changed; None for the public one."""
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When, UTC."""


@dataclass(frozen=True)
class Ledger:
    """Pointer and history of one model."""

    folder: Path
    """Folder of the model's versions."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to change the model's folder for the length of a block.

        Raises:
            ModelError: another process kept it too long.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "lock"
        # A write transaction on a database of its own is a lock wherever SQLite works.
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise ModelError(
                    f"another process has been changing the models in {self.folder} for {PATIENCE_S} s ({error}); "
                    "wait for it or end it, then try again"
                ) from error
            yield

    def current(self, lab_id: str | None = None) -> str | None:
        """Return the version that the pointer of a lab, or the public one, names; None where there is none."""
        pointer = self._pointer(lab_id)
        try:
            return pointer.read_text(encoding="utf-8").strip() or None
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def pointers(self) -> dict[str | None, str]:
        """Return lab (None: everybody) -> version in use."""
        suffixes = [path.name.removeprefix("current") for path in sorted(self.folder.glob("current*"))]
        labs = [unquote(suffix[1:]) if suffix else None for suffix in suffixes]
        return {lab: used for lab in labs if (used := self.current(lab)) is not None}

    def history(self) -> list[Promotion]:
        """Return all changes, oldest first; lines that cannot be read are passed over."""
        path = self.folder / "history.jsonl"
        lines = path.read_bytes().splitlines() if path.is_file() else []
        return [entry for line in lines if (entry := _entry(line))]

    def champions(self, lab_id: str | None = None) -> list[str]:
        """Return the version in use and those in use before it, newest first, each once.

        A roll-back takes the versions after its target off the list.
        """
        line: list[str] = []
        for entry in self.history():
            if entry.lab_id != lab_id:
                continue
            if entry.action == "rollback" and entry.model_id in line:
                del line[line.index(entry.model_id) + 1 :]
                continue
            line = [*(name for name in line if name != entry.model_id), entry.model_id]
        current = self.current(lab_id)
        if current is not None:  # where a crash or a hand left pointer and history apart, the pointer counts
            line = [*(name for name in line if name != current), current]
        return line[::-1]

    def record(self, entry: Promotion) -> None:
        """Append a change to the history, then move the pointer; the caller holds the lock."""
        path = self.folder / "history.jsonl"
        with path.open("ab+") as stream:
            if stream.tell() and not _ends_whole(path):
                stream.write(b"\n")
            stream.write(entry.model_dump_json().encode() + b"\n")
        self._point(entry.model_id, entry.lab_id)

    def _pointer(self, lab_id: str | None) -> Path:
        return self.folder / ("current" if lab_id is None else f"current.{quote(lab_id, safe='')}")

    def _point(self, model_id: str, lab_id: str | None) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as scratch:
            scratch.write(model_id + "\n")
        Path(scratch.name).chmod(0o644)
        Path(scratch.name).replace(self._pointer(lab_id))


def _entry(line: bytes) -> Promotion | None:
    try:
        return Promotion.model_validate_json(line)
    except ValidationError:
        return None


def _ends_whole(path: Path) -> bool:
    return path.read_bytes().endswith(b"\n")
