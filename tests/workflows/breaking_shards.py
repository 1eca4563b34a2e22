"""Shards that break in ways no candidate does by itself; workers import this."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from hstore_workflows.batch.plan import read_plan
from hstore_workflows.batch.shard import do_shard

DEADLY, WRONG = 17, 58
"""Candidates that kill whoever asks about them, and that raise."""


def _asked(task):
    shard = read_plan(Path(task.folder)).shard(task.number)
    start, stop = task.probe or (shard.start, shard.stop)
    return set(range(start, stop)) - {number for number, _ in task.poisoned}


def with_poison(task):
    """Do a shard; two candidates break it."""
    asked = _asked(task)
    if DEADLY in asked:
        os.kill(os.getpid(), signal.SIGKILL)
    if WRONG in asked:
        raise ArithmeticError("this one cannot be worked out")
    return do_shard(task)


def on_a_full_disk(task):
    """Do a shard where nothing can be written."""
    if task.probe is None and task.number == 1:
        raise OSError(28, "No space left on device")
    return do_shard(task)


def flaky(task):
    """Do a shard that fails at its first try."""
    if task.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return do_shard(task)
