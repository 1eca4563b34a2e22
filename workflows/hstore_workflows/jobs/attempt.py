"""One attempt at a job: its steps in order, each kept in the journal, its log and progress in the store."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from hstore.errors import HstoreError, InputError, StoreError
from hstore.jobs import EventLevel, JobState, event_sequence
from hstore_workflows.jobs.kind import Work, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstore.jobs import Job
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_workflows.jobs.kind import Kind, Kinds, Step

MAX_LINES = 2000
"""Lines a step may write into the log; the rest is left out."""

_LINE_CHARACTERS = 500
_STORE_TRIES = 6
_STORE_WAIT_S = 1.0
_log = logging.getLogger(__name__)

T = TypeVar("T")


class LostError(BaseException):
    """Another worker has the job; not an Exception, so that no library in between can swallow it."""


class CancelledError(BaseException):
    """Somebody asked for the end of the job; not an Exception for the same reason."""


@dataclass
class Stopping:
    """That the worker is told to stop, and the attempts which have stopped for it."""

    told: Event = field(default_factory=Event)
    """Set when it is told."""
    parked: set[str] = field(default_factory=set)
    """Jobs that wait for the end of the process."""

    def park(self, job_id: str) -> NoReturn:
        """Wait for the end of the process: what is being done counts as killed, and is gone on with later."""
        self.parked.add(job_id)
        while True:
            Event().wait()


@dataclass(frozen=True)
class Place:
    """Where an attempt is."""

    step: Step[Any]
    """The step."""
    index: int
    """Its place among the steps, from 0."""
    piece: int
    """The piece of it, from 0."""
    pieces: int
    """How many pieces it has."""
    number: int
    """How many steps and pieces came before."""

    @property
    def name(self) -> str:
        """Name in the journal."""
        return f"{self.step.name}.{self.piece}"

    @property
    def title(self) -> str:
        """Line in the log."""
        return self.step.title if self.pieces == 1 else f"{self.step.title} ({self.piece + 1} of {self.pieces})"


def patiently(do: Callable[[], T], job_id: str) -> T:
    """Do what needs the store, and again where that does not answer, for half a minute.

    Raises:
        StoreError: it still does not.
    """
    for attempt in range(_STORE_TRIES - 1):
        try:
            return do()
        except StoreError as error:
            _log.warning("job %s: %s; trying again", job_id, error)
            time.sleep(_STORE_WAIT_S * 2**attempt)
    return do()


@dataclass
class Attempt:
    """An attempt at a job, by this worker."""

    job: Job
    """The job."""
    kinds: Kinds
    """What this worker can do."""
    settings: Settings
    """Where data and models are."""
    store: Store
    """The open store."""
    executor_id: str
    """This worker."""
    stopping: Stopping
    """That it is told to stop."""

    def run(self) -> None:
        """Do all steps that are not in the journal, and end the attempt.

        To be called within a workflow of DBOS; does not return where the worker is told to stop.
        """
        try:
            kind = kind_of(self.kinds, self.job.kind)
            parameters = kind.validated(self.job.parameters)
        except InputError as error:  # an older job, or one of a kind that another worker knows
            self._end(JobState.FAILED, error=str(error))
            return
        before: dict[str, Any] = {}
        result: dict[str, Any] = {}
        for place in _places(kind, parameters, before):
            if self.stopping.told.is_set():
                self.stopping.park(self.job.job_id)
            outcome = self._kept(place, kind, parameters, before)
            if "cancelled" in outcome:
                self._end(JobState.CANCELLED, message=f"cancelled: {place.title}")
                return
            if "error" in outcome:
                self._end(JobState.FAILED, error=outcome["error"])
                return
            result = outcome["value"]
            if place.step.pieces is None:
                before[place.step.name] = result
            else:
                before[place.step.name] = [*before.get(place.step.name, []), result]
        self._end(JobState.DONE, result=result, message="done")

    def _kept(self, place: Place, kind: Kind[Any], parameters: Any, before: dict[str, Any]) -> dict[str, Any]:
        """Do a step or piece, or take what it returned from the journal."""
        from dbos import DBOS

        def do() -> dict[str, Any]:
            return self._do(place, kind, parameters, before)

        kept: dict[str, Any] = DBOS.run_step({"name": place.name}, do)
        return kept

    def _do(self, place: Place, kind: Kind[Any], parameters: Any, before: dict[str, Any]) -> dict[str, Any]:
        """Do a step; what goes wrong is an outcome, not an exception, so that the journal keeps it as JSON."""
        folder = self.settings.jobs_dir / self.job.job_id

        def run() -> dict[str, Any]:
            folder.mkdir(parents=True, exist_ok=True)
            return _plain(place.step.run(self._work(place, len(kind.steps), parameters, before, folder)))

        try:
            return {"value": patiently(run, self.job.job_id)}
        except LostError:
            raise
        except CancelledError:
            return {"cancelled": True}
        except BaseException as error:  # noqa: BLE001 - an exit or a panic within a library ends the job as well
            return {"error": self._told(error)}

    def _work(
        self, place: Place, n_steps: int, parameters: Any, before: dict[str, Any], folder: Path
    ) -> Work[Any]:
        narrator = Narrator(self, place, n_steps)
        narrator.begin()
        return Work(
            job=self.job,
            parameters=parameters,
            settings=self.settings,
            store=self.store,
            folder=folder,
            before=before,
            say=narrator.say,
            piece=place.piece,
        )

    def _told(self, error: BaseException) -> str:
        """Return what the owner of a job is told; what is for the operator is in the log of the worker."""
        if isinstance(error, StoreError):
            _log.error("job %s: %s", self.job.job_id, error, exc_info=error)
            return "the result store did not answer; try the job again, or tell the operator its identifier"
        if isinstance(error, HstoreError):
            return self.cleaned(str(error))
        _log.error("job %s failed", self.job.job_id, exc_info=error)
        return f"an unexpected error ({type(error).__name__}); tell the operator the identifier of the job"

    def cleaned(self, text: str) -> str:
        """Return a line without control characters and without folders of this machine."""
        places = {self.settings.home: "HSTORE_HOME", self.settings.data_mirror: "HSTORE_DATA_MIRROR"}
        for path, name in places.items():
            if path is not None:
                text = text.replace(str(path), name)
        plain = "".join(character if character.isprintable() else " " for character in text)
        return plain if len(plain) <= _LINE_CHARACTERS else f"{plain[: _LINE_CHARACTERS - 3]}..."

    def _end(
        self, state: JobState, *, result: dict[str, Any] | None = None, error: str = "", message: str = ""
    ) -> None:
        """End the attempt; as failed where what came of it cannot be kept.

        Raises:
            StoreError: the store does not answer.
        """
        job, finish = self.job, self.store.jobs.finish

        def end() -> bool:
            return finish(job.job_id, job.attempts, state, result=result, error=error, message=message)

        try:
            ended = patiently(end, job.job_id)
        except StoreError:
            if state is not JobState.DONE:
                raise
            error = "the result store did not take the result; tell the operator the identifier of the job"
            ended = finish(job.job_id, job.attempts, JobState.FAILED, error=error)
        if ended:
            _log.info("job %s (%s): %s", job.job_id, job.kind, error or state.value)


class Narrator:
    """Writes the lines and the progress of one step; each line has its number, so a repetition adds none twice."""

    def __init__(self, attempt: Attempt, place: Place, n_steps: int) -> None:
        self._attempt = attempt
        self._place = place
        self._n_steps = n_steps
        self._line = 0

    def begin(self) -> None:
        """Say that the step begins."""
        self._write(self._place.title, 0.0, EventLevel.STEP)

    def say(self, message: str, progress: float | None = None) -> None:
        """Say what is being done.

        Raises:
            CancelledError: somebody asked for the end of the job.
            LostError: another worker has the job.
        """
        self._write(message, progress, EventLevel.INFO)

    def _write(self, message: str, progress: float | None, level: EventLevel) -> None:
        attempt, place, jobs = self._attempt, self._place, self._attempt.store.jobs
        job = attempt.job
        if attempt.stopping.told.is_set():
            attempt.stopping.park(job.job_id)
        done = (place.index + (place.piece + min(max(progress or 0.0, 0.0), 1.0)) / place.pieces) / self._n_steps
        cancel = jobs.report(
            job.job_id,
            job.attempts,
            attempt.executor_id,
            step=place.step.name,
            progress=None if progress is None else done,
        )
        if cancel is None:
            raise LostError
        if cancel:
            raise CancelledError
        if self._line == MAX_LINES:
            message = f"more lines than {MAX_LINES} are left out"
        if self._line <= MAX_LINES:
            sequence = event_sequence(job.attempts, place.number, self._line)
            jobs.add_event(
                job.job_id,
                sequence,
                attempt.cleaned(message),
                level=level,
                progress=None if progress is None else done,
            )
        self._line += 1


def _places(kind: Kind[Any], parameters: Any, before: dict[str, Any]) -> Iterator[Place]:
    """Yield the steps and pieces in order; how many pieces there are is asked when their step is reached."""
    number = 0
    for index, step in enumerate(kind.steps):
        pieces = 1 if step.pieces is None else step.pieces(parameters, before)
        if step.pieces is not None:
            before[step.name] = []
        for piece in range(pieces):
            yield Place(step, index, piece, pieces, number)
            number += 1


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Check that what a step returns can be kept."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"a step returned what is not plain JSON: {error}") from error
    return plain
