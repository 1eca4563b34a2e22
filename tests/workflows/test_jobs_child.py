"""The worker that comes with the service: started again when it dies, ended with its parent however that ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from hstore.store import open_store
from hstore_workflows.jobs import child
from hstore_workflows.jobs.child import WorkerChild

WAIT_S = 120.0
PARENT = """
import sys, time
from hstore_workflows.jobs.child import WorkerChild
WorkerChild("--id", "tied-1").start()
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Let workers use a home of the test's own."""
    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    with open_store(f"sqlite:///{tmp_path / 'hstore.sqlite'}"):
        pass
    return tmp_path


def wait_for(what):
    end = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def heard(home):
    """Process identifiers of the workers that the store has heard of."""
    with open_store(f"sqlite:///{home / 'hstore.sqlite'}") as store:
        return {worker.pid for worker in store.jobs.workers() if worker.executor_id in store.jobs.alive()}


def test_a_worker_that_dies_is_started_again_and_stops_when_told(home, monkeypatch):
    monkeypatch.setattr(child, "_FIRST_WAIT_S", 0.1)
    kept = WorkerChild("--id", "tied-1")
    kept.start()
    first = wait_for(lambda: kept.pid)
    wait_for(lambda: first in heard(home))
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: kept.pid not in {None, first} and kept.pid)
    wait_for(lambda: second in heard(home))
    kept.stop()
    assert kept.pid is None
    assert not psutil.pid_exists(second)
    assert heard(home) == set()  # it said goodbye


def test_a_worker_that_cannot_be_started_is_started_later(monkeypatch, caplog):
    monkeypatch.setattr(child, "_FIRST_WAIT_S", 0.05)
    start, full = subprocess.Popen, [1, 2]

    def starting(_command, **options):
        if full:
            full.pop()
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return start([sys.executable, "-c", "import sys; sys.stdin.read()"], **options)

    monkeypatch.setattr(child.subprocess, "Popen", starting)
    kept = WorkerChild()
    kept.start()
    wait_for(lambda: kept.pid)
    kept.stop()
    assert caplog.text.count("cannot be started (Cannot allocate memory)") == 2


def test_a_worker_ends_with_a_parent_that_was_killed(home):
    parent = subprocess.Popen([sys.executable, "-c", PARENT])
    (pid,) = wait_for(lambda: heard(home))
    parent.kill()
    parent.wait()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
