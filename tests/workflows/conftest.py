"""A home of the test's own, and the small campaign that most tests of campaigns begin from."""

from __future__ import annotations

import pytest

from hstore.settings import Settings
from hstore_workflows.campaign import story
from tests.workflows.campaign_bench import COMMON, write_screen


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of an empty home, which commands find as well."""
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    return Settings(data_mirror=None)


@pytest.fixture
def screen(tmp_path):
    """Folder of a finished screen of forty alloys."""
    return write_screen(tmp_path / "screen")


@pytest.fixture
def campaign(settings, screen):
    """Settings of a home in which the campaign ``alloys`` has begun."""
    story.begin(settings, "alloys", screen, COMMON, keep_outside=True)
    return settings
