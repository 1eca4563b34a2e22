"""Which worker a process is: an identifier that is stable, and held by one process at a time."""

from __future__ import annotations

import fcntl
import itertools
import re
import socket
from typing import TYPE_CHECKING, TextIO

from hstore.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Identity:
    """An identifier, held until the process ends, however it ends."""

    def __init__(self, executor_id: str, lock: TextIO) -> None:
        self.executor_id = executor_id
        self._lock = lock

    def release(self) -> None:
        """Give it back before the process ends."""
        self._lock.close()


def take_identity(folder: Path, wanted: str | None = None) -> Identity:
    """Take the identifier of a worker.

    A job belongs to the identifier, so the same one should come back after a restart. Without one of the
    caller's own it is the name of the machine and the first number that is free: ``lab-pc-1``.

    Args:
        folder: folder of the locks, shared by the workers of one machine.
        wanted: identifier to take.

    Raises:
        InputError: it is held by another process, or is no plain name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if wanted is not None:
        if not _PLAIN.fullmatch(wanted):
            raise InputError(f"a worker is named with letters, digits, '.', '_' and '-', got {wanted!r}")
        found = _try(folder, wanted)
        if found is None:
            raise InputError(f"worker {wanted!r} is running already; stop it, or give another --id")
        return found
    machine = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()).strip(".-") or "worker"
    return next(
        found for number in itertools.count(1) if (found := _try(folder, f"{machine}-{number}")) is not None
    )


def _try(folder: Path, executor_id: str) -> Identity | None:
    lock = (folder / f"{executor_id}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return Identity(executor_id, lock)
