"""The end of a process, told to those who would otherwise hold it up."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

LINGER_S = 14.0
"""Time that threads have to end after the last request, s; what they have not written by then is rolled back.

Longer than ``hstore serve`` waits for its worker.
"""


class Stopping:
    """Whether the process has been told to end.

    The server waits for the requests under way before it tells the app anything, so an answer that would go on
    for long (server-sent events, an export) asks here and ends of its own accord.
    """

    def __init__(self) -> None:
        self._told = threading.Event()

    @property
    def told(self) -> bool:
        """Whether the end has come."""
        return self._told.is_set()

    def tell(self) -> None:
        """Note that the end has come."""
        self._told.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end in a thread, at most so long; tell whether it has come."""
        return self._told.wait(timeout_s)

    @contextmanager
    def by_signal(self, also: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Listen to SIGTERM and SIGINT for the length of a block; whoever listened before is told as well.

        Signals reach the main thread only: in another one (a test client's) nothing is listened to. Once one has
        been heard, the process ends at most :data:`LINGER_S` after the block, whatever its threads are at.

        Args:
            also: called when a signal comes; must return at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        _end_with_parent()

        def heard(number: int, frame: FrameType | None) -> None:
            self.tell()
            also()
            listener: Any = before[signal.Signals(number)]
            if callable(listener):
                listener(number, frame)

        for number in _SIGNALS:
            signal.signal(number, heard)
        try:
            yield
        finally:
            if self.told:
                _end_soon()
            for number, listener in before.items():
                signal.signal(number, listener)


def _end_with_parent() -> None:
    """Stop one of several processes whose parent was killed: nobody else would, and it would go on answering."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="hstore-parent", daemon=True).start()


def _end_soon() -> None:
    """End the process also where a thread goes on: nothing else would end one that trains a model, say."""

    def end() -> None:
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(LINGER_S, end)
    timer.daemon = True
    timer.start()
