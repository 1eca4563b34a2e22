"""``hstore serve`` as users start it: a real process on a free port of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from hstore_workflows.cli import main


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, body=None):
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=240) as response:
        return json.load(response)


def serve(settings, *arguments, database_url=None):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HSTORE_")}
    environment |= {"HSTORE_HOME": str(settings.home), "HSTORE_DATABASE_URL": database_url or settings.store_url}
    command = [sys.executable, "-m", "hstore_workflows.cli", "serve", *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=settings.home
    )


@pytest.fixture
def running(settings, records):
    """A running service and its address; ended at the end, whatever happened."""
    port = free_port()
    process = serve(settings, "--port", port, "--no-worker")
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            get(f"{address}/healthz")
            break
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
    yield process, address
    process.kill()
    process.communicate()


def test_a_real_service_answers_and_stops_cleanly(running, trained):
    process, address = running
    assert get(f"{address}/healthz")["status"] == "ok"
    assert len(get(f"{address}/v1/materials")["items"]) == 6
    question = {"property": "h2_capacity_wt_pct", "formulas": ["LaNi5", "nonsense"]}
    answer = get(f"{address}/v1/predictions", json.dumps(question).encode())
    assert 1.0 < answer["rows"][0]["mean"] < 2.0  # 1.4 to 1.5 wt% measured
    assert answer["rows"][1]["error"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{address}/v1/materials/none")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "Application shutdown complete" in output
    assert "Traceback" not in output


def test_it_listens_on_loopback_only_unless_told(running):
    process, _ = running
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert "http://127.0.0.1:" in output
    assert process.returncode == 0, output


def test_a_store_that_cannot_be_opened_is_one_line_and_exit_code_1(settings):
    process = serve(settings, "--port", free_port(), database_url="mysql://nowhere/db")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.startswith("error: ")
    assert output.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65536"], ["--port", "x"], ["extra"]])
def test_bad_usage_has_exit_code_2(arguments):
    assert CliRunner().invoke(main, ["serve", *arguments]).exit_code == 2


def test_help_has_an_example():
    assert "Example: hstore serve" in CliRunner().invoke(main, ["serve", "--help"]).output
