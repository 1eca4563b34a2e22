"""What a kind of job is: parameters, and steps that may be repeated."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hstore.errors import InputError, unknown_name
from hstore.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hstore.jobs import Job
    from hstore.keys import Permission
    from hstore.settings import Settings
    from hstore.store import Store

FILES = "files"
"""Folder, in that of a job, of what may be downloaded."""


class Parameters(BaseModel):
    """Base of the parameters of every kind of job."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


P = TypeVar("P", bound=Parameters)


class Say(Protocol):
    """Writes a line into the log of a job; does not return where the job is to end."""

    def __call__(self, message: str, progress: float | None = None) -> None:
        """Say what is being done.

        Args:
            message: one line.
            progress: share of the step that is done, 0 to 1.
        """


@dataclass(frozen=True)
class Work(Generic[P]):
    """One run of one step."""

    job: Job
    """The job."""
    parameters: P
    """What was asked."""
    settings: Settings
    """Where data and models are."""
    store: Store
    """The open store."""
    folder: Path
    """Folder of the job, which is there; what may be downloaded goes to ``files`` in it."""
    before: Mapping[str, Any]
    """Step -> what it returned, of those finished; a list of such for a step in pieces."""
    say: Say
    """Writes a line into the log; long steps call it often, for it is where they hear that they are to end."""
    piece: int = 0
    """Which piece of a step in pieces, from 0."""

    @property
    def scope(self) -> Scope:
        """What the owner of the job may see."""
        return Scope(lab_id=self.job.access.lab_id)

    @property
    def files(self) -> Path:
        """Folder of what may be downloaded; made by whoever writes there."""
        return self.folder / FILES


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all, whatever stops the worker; its folder is made.

    It is on the disk before the journal says that its step is done.
    """
    path.parent.mkdir(exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    with scratch.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)


@dataclass(frozen=True)
class Step(Generic[P]):
    """A part of a job that is done once in effect.

    After a crash the step that was being done is done again from its start, with the same ``before``. So it must
    be idempotent: identifiers of what it writes come from the job, and files are replaced as a whole.
    """

    name: str
    """One word."""
    title: str
    """What is done, in words; the line in the log."""
    run: Callable[[Work[P]], dict[str, Any]]
    """Does it; what it returns is plain JSON and is kept."""
    pieces: Callable[[P, Mapping[str, Any]], int] | None = None
    """How many pieces it has, from the parameters and what the steps before returned; None for one that is done
    as a whole."""


@dataclass(frozen=True)
class Kind(Generic[P]):
    """A kind of job."""

    name: str
    """One word."""
    summary: str
    """What it does and what comes of it, in a sentence."""
    permission: Permission
    """What a key must permit to start one."""
    parameters: type[P]
    """What can be asked."""
    steps: tuple[Step[P], ...]
    """The steps, in order; what the last one returns is the result of the job."""
    files: tuple[str, ...] = ()
    """Names of the files it may leave."""
    check: Callable[[P, Settings, Scope], None] = field(default=lambda *_: None)
    """Refuses, before anything is queued, what could only fail; raises :class:`~hstore.errors.InputError`."""
    n_predictions: Callable[[P, Store, Scope], int] = field(default=lambda *_: 0)
    """Rows of the daily quota of predictions that a job takes."""

    def validated(self, given: Mapping[str, Any]) -> P:
        """Return parameters, checked.

        Raises:
            InputError: one is missing, unknown or out of range.
        """
        _refuse_unwritable(given)
        try:
            return self.parameters.model_validate(given)
        except ValidationError as error:
            parts = "; ".join(
                f"{'.'.join(map(str, part['loc'])) or 'parameters'}: {part['msg']}" for part in error.errors()[:5]
            )
            allowed = ", ".join(self.parameters.model_fields)
            raise InputError(
                f"parameters of a {self.name} job cannot be used: {parts}; it takes {allowed}"
            ) from error


def _refuse_unwritable(given: Any) -> None:
    """Refuse text that a database has no place for, however deep: NUL and lone surrogates."""
    if isinstance(given, str):
        if "\x00" in given or (not given.isascii() and any("\ud800" <= c <= "\udfff" for c in given)):
            raise InputError("parameters hold text with the character NUL or half a character; leave it out")
    elif isinstance(given, dict):
        for name, value in given.items():
            _refuse_unwritable(name)
            _refuse_unwritable(value)
    elif isinstance(given, list | tuple):
        for value in given:
            _refuse_unwritable(value)


Kinds = dict[str, Kind[Any]]
"""Name -> kind; what a service accepts and a worker can do."""


def kind_of(kinds: Kinds, name: str) -> Kind[Any]:
    """Return a kind by its name.

    Raises:
        UnknownNameError: there is none; the message lists those there are.
    """
    if name not in kinds:
        raise unknown_name("kind of job", name, kinds)
    return kinds[name]
