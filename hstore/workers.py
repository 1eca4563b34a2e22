"""Run a function over many items in worker processes that cannot hurt the caller.

Each item has a time limit and each worker a memory limit. An item that is too slow, too large, raises, or kills
its worker becomes an :class:`Outcome` with its cause, and the rest goes on in a fresh worker. Workers are forked
from one small server process that has loaded the heavy libraries once, so a fresh worker costs milliseconds and
the caller stays lean. Only a window of items is in flight, so memory does not grow with their number.
"""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from hstore.errors import HstoreError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from types import FrameType, TracebackType

T = TypeVar("T")
R = TypeVar("R")

_START_SECONDS = 180.0
"""Longest wait for a worker to import its function."""
_GRACE_SECONDS = 2.0
"""After the time limit and this, a worker whose caller has gone ends itself."""
_AGAIN_SECONDS = 0.5
"""A limit of time is said again after so long, for code in C may drop the exception that said it."""
_PIECES_IN_FLIGHT = 8
"""Pieces that may be ahead of the oldest unfinished one, for each worker."""
_ANSWER_SECONDS = 0.02
"""Answers of quick items travel together; one waits no longer than this, once its worker is free to send it."""
_CAUSE_CHARACTERS = 300
_MIB = 1024 * 1024
_WORKER = "hstore-worker"


@dataclass(frozen=True)
class Limits:
    """What one item and one worker may take."""

    seconds: float = 30.0
    """Longest time for one item, seconds."""
    memory_mib: int = 2048
    """Memory a worker may take beyond what it had after loading its libraries, MiB."""
    items_per_worker: int = 1000
    """A worker is replaced after so many items, for libraries that leak."""

    def __post_init__(self) -> None:
        """Refuse limits that no item could meet."""
        if not (self.seconds > 0 and self.memory_mib > 0 and self.items_per_worker > 0):
            raise InputError(f"limits must be above 0, got {self}")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one item."""

    index: int
    """Place of the item among those given, from 0."""
    value: R | None
    """What the function returned; None when it failed."""
    cause: str = ""
    """Why it failed, in words; empty when it did not."""


def default_workers() -> int:
    """Return the number of cores this process may use; one in a worker, which is one of several."""
    if multiprocessing.current_process().name == _WORKER:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_mib() -> float:
    """Return the largest resident memory of this process so far, MiB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_MIB if sys.platform == "darwin" else 1024)


@dataclass
class _Worker(Generic[T]):
    """A worker process as its caller sees it."""

    process: BaseProcess
    connection: Connection
    current: Any
    """Shared number: the index of the item in progress."""
    deadline: float
    ready: bool = False
    done: int = 0
    queue: deque[tuple[int, T]] = field(default_factory=deque)
    """Items it holds whose answers have not arrived."""


class Crew(Generic[T, R]):
    """Worker processes for one function, kept between calls of :meth:`map`.

    Use it as a context manager; :func:`run` does for a single pass.
    """

    def __init__(
        self,
        function: Callable[[T], R],
        *,
        workers: int | None = None,
        limits: Limits | None = None,
        piece: int = 8,
        preload: tuple[str, ...] = (),
    ) -> None:
        """Take what to run; processes start when there is work.

        Args:
            function: a module-level function (or partial of one), for it travels to the workers by pickle.
            workers: processes; None takes one for each core.
            limits: time and memory of an item; the default when None.
            piece: items handed over at once; more of them cost less each when items take milliseconds.
            preload: modules to load before a worker starts: once for all workers where this crew is the first
                of its process, else in each worker.

        Raises:
            InputError: ``workers`` or ``piece`` is below 1.
        """
        if piece < 1 or (workers is not None and workers < 1):
            raise InputError(f"workers and piece must be at least 1, got {workers} and {piece}")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, *preload])
        self._preload = preload
        self._function = function
        self._size = workers or default_workers()
        self._limits = limits or Limits()
        self._piece = piece
        self._workers: list[_Worker[T]] = []
        self._waiting: deque[tuple[int, T]] = deque()
        self._finished: dict[int, Outcome[R]] = {}

    def __enter__(self) -> Self:
        """Return the crew, to be sent home at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers."""
        self.close()

    def map(self, items: Iterable[T], *, in_order: bool = True) -> Iterator[Outcome[R]]:
        """Apply the function to every item.

        Items are taken as workers become free. Read one pass to its end before the next begins.

        Args:
            items: any number.
            in_order: whether outcomes come in the order of the items; else as soon as they are there.

        Raises:
            HstoreError: a worker cannot start, for example because the function cannot be imported.
        """
        source = enumerate(items)
        window = self._size * self._piece * _PIECES_IN_FLIGHT
        emitted = 0
        taken = 0
        exhausted = False
        while not (exhausted and emitted == taken):
            while not exhausted and taken - emitted < window and len(self._waiting) < self._size * self._piece:
                following = next(source, None)
                if following is None:
                    exhausted = True
                else:
                    self._waiting.append(following)
                    taken += 1
            self._hand_out()
            for index in range(emitted, taken) if in_order else sorted(self._finished):
                if index not in self._finished:
                    break
                yield self._finished.pop(index)
                emitted += 1
            if emitted < taken:
                self._listen()

    def close(self) -> None:
        """End all workers and forget what was not finished."""
        for worker in list(self._workers):
            self._dismiss(worker)
        self._waiting.clear()
        self._finished.clear()

    def _hand_out(self) -> None:
        """Give waiting items to idle workers, starting workers as long as there is work for them."""
        idle = [w for w in self._workers if w.ready and not w.queue]
        for worker in idle:
            if not self._waiting:
                return
            batch = [self._waiting.popleft() for _ in range(min(self._piece, len(self._waiting)))]
            worker.queue.extend(batch)
            worker.deadline = time.monotonic() + self._limits.seconds
            try:
                worker.connection.send(batch)
            except OSError:  # it has died; listening finds out how
                continue
        pieces = -(-len(self._waiting) // self._piece)
        starting = sum(not w.ready for w in self._workers)
        for _ in range(min(self._size - len(self._workers), pieces - starting)):
            self._start()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        current = self._context.RawValue("q", -1)
        process = self._context.Process(
            target=_serve,
            args=(theirs, current, self._function, self._limits, self._preload),
            daemon=True,
            name=_WORKER,
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, current, time.monotonic() + _START_SECONDS))

    def _listen(self) -> None:
        """Wait for the next message, death or deadline, and act on it."""
        busy = [w for w in self._workers if w.queue or not w.ready]
        nearest = min((w.deadline for w in busy), default=time.monotonic() + 1.0)
        heard = wait([w.connection for w in busy], max(0.0, min(nearest - time.monotonic(), 60.0)))
        for worker in busy:
            if worker.connection in heard:
                self._read(worker)
            elif time.monotonic() >= worker.deadline:
                allowed = self._limits.seconds if worker.ready else _START_SECONDS
                self._lose(worker, f"took longer than {allowed:g} s and was stopped")

    def _read(self, worker: _Worker[T]) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(1.0)
            self._lose(worker, self._death(worker.process.exitcode))
            return
        worker.ready = True
        for index, value, cause in message:
            first, _ = worker.queue.popleft()
            assert first == index
            worker.done += 1
            self._finished[index] = Outcome(index, value, cause)
        worker.deadline = time.monotonic() + self._limits.seconds
        if not worker.queue and worker.done >= self._limits.items_per_worker:
            self._dismiss(worker)

    def _death(self, code: int | None) -> str:
        if code == -signal.SIGALRM:
            return f"took longer than {self._limits.seconds:g} s and was stopped"
        if code is not None and code < 0:
            return f"its worker process was ended by signal {-code} (crash or out of memory)"
        return f"its worker process ended with status {code}"

    def _lose(self, worker: _Worker[T], cause: str) -> None:
        """Blame the item in progress and give the others back."""
        if not worker.ready:
            self._dismiss(worker)
            raise HstoreError(
                f"a worker process cannot start: {cause}; the function it runs must be importable, "
                "at the top level of a module"
            )
        blamed = worker.current.value
        if all(index != blamed for index, _ in worker.queue):  # it died on receiving them
            blamed = worker.queue[0][0]
        self._finished[blamed] = Outcome(blamed, None, cause)
        self._waiting.extendleft(item for item in reversed(worker.queue) if item[0] != blamed)
        self._dismiss(worker)

    def _dismiss(self, worker: _Worker[T]) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        worker.process.close()


def load_ahead(preload: tuple[str, ...]) -> None:
    """Begin to load modules for workers, in the process they will be forked from, while this one goes on.

    Args:
        preload: modules; those of the first crew, or of the first call of this, count.
    """
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, *preload])
    forkserver.ensure_running()


def run(function: Callable[[T], R], items: Iterable[T], **settings: Any) -> Iterator[Outcome[R]]:
    """Apply a function to every item in worker processes and end them.

    Args:
        function: as for :class:`Crew`.
        items: any number, taken as workers become free.
        **settings: the settings of :class:`Crew`.

    Raises:
        HstoreError: a worker cannot start.
    """
    with Crew(function, **settings) as crew:
        yield from crew.map(items)


class TooSlowError(BaseException):
    """Raised at the end of :func:`processor_time`; no ``except Exception`` of a library may swallow it."""


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Give the block so much processor time, which does not depend on what else the machine does.

    For the main thread of a process. Code in C is stopped when it returns, and half a second later where it drops
    the exception; the wall time of :class:`Limits` ends what never returns.

    Raises:
        TooSlowError: the time is over.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _serve(
    connection: Connection,
    current: Any,
    function: Callable[[Any], Any],
    limits: Limits,
    preload: tuple[str, ...],
) -> None:
    """Worker side: take pieces and answer them until the caller goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt means
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _prepare(preload, limits.memory_mib)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the caller has gone
        connection.send([])
        while True:
            batch = connection.recv()
            answers: list[tuple[int, Any, str]] = []
            sent = time.monotonic()
            for index, item in batch:
                current.value = index
                signal.setitimer(signal.ITIMER_REAL, limits.seconds + _GRACE_SECONDS)
                answers.append(_answer(function, index, item))
                signal.setitimer(signal.ITIMER_REAL, 0)
                if time.monotonic() - sent > _ANSWER_SECONDS:
                    connection.send(answers)
                    answers, sent = [], time.monotonic()
            if answers:
                connection.send(answers)


def _answer(function: Callable[[Any], Any], index: int, item: Any) -> tuple[int, Any, str]:
    try:
        return index, function(item), ""
    except MemoryError:
        return index, None, "needed more memory than its limit"
    except HstoreError as error:
        return index, None, str(error)
    except Exception as error:  # noqa: BLE001 - whatever the function raises is the item's cause, not our end
        text = " ".join(str(error).split())[:_CAUSE_CHARACTERS]
        return index, None, f"{type(error).__name__}: {text}" if text else type(error).__name__


def attempt(
    function: Callable[[T], R], item: T, limits: Limits, preload: tuple[str, ...] = ()
) -> tuple[R | None, str]:
    """Do one item in this process, a worker that another scheduler runs; return what :class:`Outcome` holds.

    An item that takes too long is stopped, and where it cannot be, the process ends a little later. The limit of
    memory counts from the first call in a process. For the main thread.
    """
    _prepare_once(preload, limits.memory_mib)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    signal.signal(signal.SIGALRM, stop)
    try:
        faulthandler.dump_traceback_later(limits.seconds + _GRACE_SECONDS, exit=True)  # where code in C goes on
        signal.setitimer(signal.ITIMER_REAL, limits.seconds, _AGAIN_SECONDS)
        _, value, cause = _answer(function, 0, item)
    except TooSlowError:
        return None, f"took longer than {limits.seconds:g} s and was stopped"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    return value, cause


@cache
def _prepare_once(preload: tuple[str, ...], memory_mib: int) -> None:
    _prepare(preload, memory_mib)


def _prepare(preload: tuple[str, ...], memory_mib: int) -> None:
    """Load libraries, and bound what is taken from then on."""
    for name in preload:
        with suppress(ImportError):  # an optional package; the function says so itself
            importlib.import_module(name)
    _one_thread()
    _limit_memory(memory_mib)


def _one_thread() -> None:
    """Keep numerical libraries from starting threads beside the workers."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)


def _limit_memory(memory_mib: int) -> None:
    """Let the address space grow by so much and no more."""
    import resource

    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - not a file on disk
            used = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:  # no such file outside Linux, where the limit would count other things too
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_mib * _MIB,) * 2)
