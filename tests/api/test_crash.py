"""The service and its worker killed while labs write and jobs run; the long form is benchmarks/service_soak.py."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from hstore.settings import Settings
from tests.workflows.tiny_jobs import drop_journal

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from service_soak import Plan, faults, soak

pytestmark = pytest.mark.long


@pytest.fixture
def port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def home(database_url, tmp_path):
    """Settings of an empty store; the journal in PostgreSQL is dropped afterwards."""
    yield Settings(home=tmp_path / "home", database_url=database_url, data_mirror=None)
    drop_journal(database_url)


def test_nothing_is_lost_and_nothing_done_twice(home, port):
    figures = soak(home, Plan(writes=15, jobs=3, kills=1, workers=1, absence_s=0.0), port)
    assert figures["kills"] == {"service": 1, "workers": 1}
    assert faults(figures) == []
