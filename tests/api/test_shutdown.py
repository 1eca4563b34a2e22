"""A service that is told to end finishes what is under way, closes streams, takes nothing new, ends in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx2
import pytest

from hstore.keys import permissions_of
from hstore.records import Access
from hstore_api.stopping import LINGER_S, Stopping
from hstore_workflows.cli.serve import GRACE_S

STARTS_S = 600
"""Longest wait for the service to start; a busy machine takes minutes to load the libraries."""

WISH = json.dumps({"name": "made at the end", "scopes": ["read"]}).encode()


@pytest.fixture
def service(database_url, trained, store, build, tmp_path):
    """A process that serves, and its port; the store is not empty, so nothing is seeded."""
    store.add_materials([build.material()])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    environment |= {"HSTORE_HOME": str(trained.home), "HSTORE_DATABASE_URL": database_url}
    with (tmp_path / "serve.log").open("w+") as log:
        command = [sys.executable, "-m", "hstore_workflows.cli", "serve", "--port", str(port), "--no-worker"]
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + STARTS_S
            while not answers(port):
                assert process.poll() is None, (tmp_path / "serve.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield process, port
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def admin(store):
    """A key that may make keys."""
    return store.keys.create("admin", permissions_of("admin"), lab_id=None)[1]


def answers(port):
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
    except httpx2.TransportError:
        return False


def begin(port, key):
    """Send half a write, whose other half keeps it under way."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = (
        "POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {key}\r\nContent-Length: {len(WISH)}\r\n\r\n"
    )
    connection.sendall(head.encode() + WISH[:10])
    return connection


def read_all(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_what_is_under_way_is_finished_and_streams_are_closed(service, store, admin):
    process, port = service
    job = store.jobs.create("screen", {}, access=Access())
    heard, ended = threading.Event(), []

    def listen():
        headers = {"Accept": "text/event-stream"}
        address = f"http://127.0.0.1:{port}/v1/jobs/{job.job_id}/events"
        with httpx2.stream("GET", address, headers=headers, timeout=60) as stream:
            for line in stream.iter_lines():
                if line.startswith("event: job"):
                    heard.set()
        ended.append(time.monotonic())  # without an error: the stream was closed, not torn

    listener = threading.Thread(target=listen)
    listener.start()
    assert heard.wait(60)
    connection = begin(port, admin)
    time.sleep(0.5)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    listener.join(GRACE_S)
    assert ended, "the stream goes on"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with connection:
        connection.sendall(WISH[10:])
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert "made at the end" in {key.name for key in store.keys.list()}, "what was acknowledged is kept"
    assert process.wait(GRACE_S + LINGER_S) == 0
    assert time.monotonic() - told < GRACE_S + LINGER_S


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_request_that_never_ends_holds_nothing_up(service, admin):
    process, port = service
    with begin(port, admin):
        time.sleep(0.5)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(GRACE_S + LINGER_S + 5) == 0
        assert time.monotonic() - told < GRACE_S + LINGER_S + 5


def test_only_signals_that_are_heard_end_anything():
    stopping, also = Stopping(), []
    before = signal.getsignal(signal.SIGTERM)
    theirs = []
    signal.signal(signal.SIGTERM, lambda *_: theirs.append("told"))
    try:
        with stopping.by_signal(lambda: also.append("told")):
            assert not stopping.told
        assert not stopping.told
        assert signal.getsignal(signal.SIGTERM).__name__ == "<lambda>", "whoever listened before listens again"
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (also, theirs) == ([], [])
    stopping.tell()
    assert stopping.wait(0)


PROCESS = """
import os, signal, threading, time
from hstore_api import stopping

stopping.LINGER_S = 0.5
state = stopping.Stopping()
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("before"))
threading.Thread(target=time.sleep, args=(60,)).start()  # a thread nothing else would end
with state.by_signal(lambda: heard.append("also")):
    os.kill(os.getpid(), signal.SIGTERM)
    assert state.wait(5)
assert heard == ["also", "before"], heard
"""


CHILD = """
import multiprocessing, os, signal, sys, time
from hstore_api.stopping import Stopping

def serve(pipe):
    state = Stopping()
    signal.signal(signal.SIGTERM, lambda *_: None)
    with state.by_signal():
        pipe.send(os.getpid())
        os.write(1, b"told" if state.wait(30) else b"forgotten")

if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(there,)).start()
    here.recv()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_processes_of_a_service_that_was_killed_end(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    done = subprocess.run([sys.executable, "child.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "told", done.stderr  # read to its end, so the child has ended too


def test_a_thread_that_goes_on_does_not_keep_the_process():
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=False, timeout=55)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 55
