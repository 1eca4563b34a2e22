"""One driver for a run, and whether it is there: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstore_workflows.batch.standing import ShardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = ".running"
_TRIES = 3
_PAUSE_S = 0.05  # whoever asks :func:`is_driven` holds the lock for less


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Let no other process drive the run.

    Raises:
        ShardError: another does.
    """
    with (folder / _LOCK).open("a+") as stream:
        for attempt in range(1, _TRIES + 1):
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if attempt == _TRIES:
                    stream.seek(0)
                    raise ShardError(f"process {stream.read().strip() or '?'} runs {folder} already") from None
                time.sleep(_PAUSE_S)
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def is_driven(folder: Path) -> bool:
    """Tell whether a process drives the run; one of another machine is seen where the file system shares locks."""
    try:
        with (folder / _LOCK).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
