"""Progress of long work on standard error: a live line in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAIN_EVERY_SECONDS = 10.0


@contextmanager
def counting(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Count things as they get done.

    Args:
        what: past participle, such as ``"described"``.
        total: how many there will be, if known.

    Yields:
        Function to call with the number done since the last call.
    """
    counter = _Terminal(what, total) if sys.stderr.isatty() else _Plain(what, total)
    try:
        yield counter.advance
    finally:
        counter.close()


class _Terminal:
    """A live line."""

    def __init__(self, what: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(what, total=total)
        self._progress.start()

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def close(self) -> None:
        self._progress.stop()


class _Plain:
    """A line every few seconds, for logs; none for short work."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._of = f" of {total}" if total is not None else ""
        self._done = 0
        self._next = time.monotonic() + _PLAIN_EVERY_SECONDS

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY_SECONDS
            print(f"{self._done}{self._of} {self._what}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave nothing open."""
