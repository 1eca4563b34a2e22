"""Shards that break in ways no candidate does by itself; workers import this."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from pathlib import Path

from hstore.settings import Settings
from hstore_workflows.batch.plan import read_plan
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.shard import do_shard
from hstore_workflows.batch.site import load_site

DEADLY, WRONG = 17, 58
"""Candidates that kill whoever asks about them, and that raise."""

PACE = "seconds-of-a-shard"
"""Name of the file, in the folder of a run, with the least time of a shard, s."""

FULL = "the-disk-is-full"
"""Name of the file, in the folder of a run, while which is there nothing can be written."""


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


def slowly_where_there_is_room(task):
    """Do a shard, as slowly as a file says; nothing can be written while another says that the disk is full."""
    time.sleep(float(Path(task.folder, PACE).read_text()))
    if task.probe is None and Path(task.folder, FULL).exists():
        raise OSError(28, "No space left on device")
    return do_shard(task)


if __name__ == "__main__":  # a driver to be disturbed: FOLDER HOME SITE
    folder, home, site = sys.argv[1:]
    do = importlib.import_module("breaking_shards").slowly_where_there_is_room  # by the name that workers import
    Run(read_plan(Path(folder)), Path(folder), Settings(home=Path(home)), load_site(site), do=do)()
