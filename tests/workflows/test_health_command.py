"""``hstore health``: exit codes for supervisors, words for people."""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from hstore.store import open_store
from hstore_workflows.cli import main

CHECKS = [{"name": "database", "ok": True, "detail": "answers"}, {"name": "worker", "ok": False, "detail": "none"}]


def health(*arguments):
    return CliRunner().invoke(main, ["health", *arguments])


@pytest.fixture
def answering():
    """Start a server with one answer to everything and return its address."""
    servers = []

    def start(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_ready_service_is_well(answering):
    done = health("--url", answering(200, json.dumps({"checks": CHECKS[:1]}).encode()))
    assert (done.exit_code, done.output) == (0, "ok  database: answers\n")


def test_a_service_that_is_not_ready_says_why(answering):
    done = health("--url", answering(503, json.dumps({"checks": CHECKS}).encode()))
    assert (done.exit_code, done.output) == (1, "ok  database: answers\nNOT worker: none\n")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"checks": 1}'])
def test_somebody_else_who_answers_is_not_well(answering, body):
    done = health("--url", answering(502, body))
    assert done.exit_code == 1
    assert "answers with status 502" in done.output


def test_nobody_who_answers_is_not_well():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        done = health("--url", f"http://127.0.0.1:{probe.getsockname()[1]}")
    assert done.exit_code == 1
    assert "does not answer" in done.output


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8000"])
def test_only_addresses_of_services_are_asked(url):
    assert health("--url", url).exit_code == 2


def test_a_worker_of_this_machine(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    with open_store(f"sqlite:///{tmp_path / 'hstore.sqlite'}") as store:
        now = datetime.now(UTC)
        store.jobs.beat("elsewhere-1", host="elsewhere", pid=1, started_at=now)
        assert health("--worker").exit_code == 1, "that of another machine says nothing of this one"
        store.jobs.beat("here-1", host=socket.gethostname(), pid=1, started_at=now)
        assert health("--worker").output == "ok  worker here-1 is alive\n"
        store.jobs.leave("here-1")
        assert "start one with: hstore worker" in health("--worker").output
