"""Training of a model that is missing: in a process of its own, one at a time, and never twice.

A service answers while it trains: the work is done by another process of low priority, with as many threads as the
settings allow.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hstore.errors import ModelError
from hstore_api.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstore.settings import Settings

PATIENCE_S = 600.0
"""Longest wait of a request for the training it has begun, s; in production none waits."""

RETRY_AFTER_S = 15
"""Time after which those who find a training under way may ask again, s."""

_LONGEST_S = 3600.0
_MEMORY_MIB = 16 * 1024
_NICENESS = 10
_log = logging.getLogger(__name__)


@dataclass
class Run:
    """One training."""

    done: threading.Event = field(default_factory=threading.Event)
    """Set when it has ended."""
    error: Exception | None = None
    """Why it failed; None where it did not."""


class Training:
    """The trainings of one service."""

    def __init__(
        self,
        settings: Settings,
        train: Callable[[str, Settings], None] | None = None,
        *,
        patience_s: float | None = None,
    ) -> None:
        """Take what to train with.

        Args:
            settings: where data and models are.
            train: trains a model; in a process of its own when None.
            patience_s: longest wait of the request that has begun a training, s; :data:`PATIENCE_S` in
                development and none in production when None.
        """
        self._settings = settings
        self._train = train or train_apart
        waits = settings.environment == "development"
        self._patience_s = patience_s if patience_s is not None else PATIENCE_S if waits else 0.0
        self._running: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def begin(self, model: str) -> Run | None:
        """Have a model trained, after those that are being trained; None where that is under way already."""
        with self._lock:
            if model in self._running:
                return None
            run = self._running[model] = Run()
        # A daemon, for the end of the service must not wait for the end of a training.
        threading.Thread(target=self._run, args=(model, run), name=f"train {model}", daemon=True).start()
        return run

    def wait_for(self, model: str) -> None:
        """Have a model trained. Who asks first waits for it; who asks while that is under way is told so at once.

        Raises:
            BusyError: it is under way, or takes longer than the patience of a request; it goes on.
            HstoreError: the training failed.
        """
        run = self.begin(model)
        if run is None or not run.done.wait(self._patience_s):
            raise BusyError(
                f"{model} is being trained, which takes some minutes; ask again in {RETRY_AFTER_S} s",
                retry_after_s=RETRY_AFTER_S,
            )
        if run.error is not None:
            raise run.error

    def _run(self, model: str, run: Run) -> None:
        try:
            with self._turn:
                self._train(model, self._settings)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the request that waits for it
            run.error = error
            _log.error("training %s failed: %s", model, error)
        finally:
            with self._lock:
                del self._running[model]
            run.done.set()


def train_apart(model: str, settings: Settings) -> None:
    """Train a model that is missing or out of date, in a process of its own, and save it.

    Processes of one machine take turns; one that comes second finds the model trained.

    Raises:
        ModelError: the training failed.
    """
    from hstore.workers import Limits, run

    limits = Limits(seconds=_LONGEST_S, memory_mib=_MEMORY_MIB)
    work, preload = partial(_ensure, settings=settings), ("hstore_models.training",)
    (outcome,) = run(work, [model], workers=1, piece=1, limits=limits, preload=preload)
    if outcome.value is None:
        raise ModelError(f"{model} could not be trained: {outcome.cause}")
    for line in outcome.value:
        _log.info(line)


def _ensure(model: str, settings: Settings) -> list[str]:
    """Do the work, in the other process; return what there is to say."""
    from hstore_models.training import ensure

    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    os.nice(_NICENESS)
    if settings.threads and hasattr(os, "sched_setaffinity"):  # libraries take as many threads as there are cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: settings.threads])
    said: list[str] = []
    with _in_turn(settings.models_dir):
        ensure(model, settings, say=said.append)
    return said


def _end_with(parent: int) -> None:
    """End this process when its parent has died, for which nobody else cares."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Hold the right to train: a write transaction on a database of its own, given back when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "training.lock"
    with closing(sqlite3.connect(path, timeout=_LONGEST_S, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
