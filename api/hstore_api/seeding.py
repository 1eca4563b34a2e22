"""Fill an empty store with the embedded candidates, all or nothing."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Literal

from hstore.records import Family, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hstore.records import Material
    from hstore.store import Store

SeedState = Literal["ready", "seeding", "failed"]

SEEDED_WITHIN_S = 60.0
"""How long a service waits for its store to be full before it listens, s: a fast machine takes ten."""

_PATIENCE_S = 3.0
_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """The service ends before the store is full."""


class Seeding:
    """The filling of one store, in a thread: where it takes long, the service answers meanwhile.

    Everything is written in one transaction: a store either has all candidates or, when the service was
    stopped, none, and the next start begins again.
    """

    def __init__(self, store: Store, candidates: Callable[[], Iterable[Material]]) -> None:
        self._store = store
        self._candidates = candidates
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hstore-seeding", daemon=True)
        self.state: SeedState = "ready"

    def start(self) -> None:
        """Begin, unless the store holds a material already, of whatever origin or owner."""
        everything = Scope(everything=True)
        if next(self._store.materials(scope=everything, limit=1), None) is None:
            self.state = "seeding"
            self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end, at most so long."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def give_up(self) -> None:
        """Give up what is not written, without waiting."""
        self._stop.set()

    def stop(self) -> None:
        """Give up what is not written, and wait a moment for the thread, which holds up the end of no process."""
        self.give_up()
        self.wait(_PATIENCE_S)

    def _run(self) -> None:
        try:
            materials = list(self._until_stopped())
            if materials:
                self._store.add_materials(materials, chunk_size=len(materials))
        except _StoppedError:
            return
        except Exception:  # noqa: BLE001 - whatever stops it, the service stays up and /healthz says so
            _log.exception("the embedded candidates could not be stored")
            self.state = "failed"
        else:
            _log.info("stored %d embedded candidates", len(materials))
            self.state = "ready"

    def _until_stopped(self) -> Iterator[Material]:
        for material in self._candidates():
            if self._stop.is_set():
                raise _StoppedError
            yield material


def embedded_candidates(seed: int) -> Iterator[Material]:
    """Return the candidates of every family, enumerated from the embedded tables."""
    from hstore_workflows.sources.enumeration import enumerate_pool

    return enumerate_pool(tuple(Family), seed=seed)
