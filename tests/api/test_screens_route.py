"""Published screens: from a result to the reader."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from hstore.records import Access
from hstore_workflows.publish import TOP_ROWS, publish_screen
from hstore_workflows.screen import ScreenResult
from hstore_workflows.target import load_target


@pytest.fixture
def result():
    """A finished screen of sixty candidates, made by hand."""
    n = 60
    candidates = pd.DataFrame(
        {
            "rank": np.arange(1, n + 1),
            "formula": [f"LaNi{5 + i / 10:g}" for i in range(n)],
            "known": [True] + [False] * (n - 1),
            "score": np.linspace(0.9, 0.1, n),
            "h2_density_g_per_l_mean": [np.nan, np.inf] + [100.0] * (n - 2),
        }
    )
    manifest = {"command": "hstore screen onboard", "seed": 0, "finished_at": "2025-01-31T12:00:00+00:00"}
    return ScreenResult(load_target("onboard"), candidates, [], {}, pd.DataFrame(), manifest)


def test_a_published_screen_is_listed_and_read_back(client, settings, result):
    screen_id = publish_screen(result, settings)
    (listed,) = client.get("/v1/screens").json()["items"]
    assert listed == {
        "screen_id": screen_id,
        "target": "onboard",
        "created_at": "2025-01-31T12:00:00Z",
        "n_candidates": 60,
        "n_rejected": 0,
    }
    detail = client.get(f"/v1/screens/{screen_id}").json()
    assert detail["manifest"] == result.manifest
    assert [row["rank"] for row in detail["top"]] == list(range(1, TOP_ROWS + 1))
    best = detail["top"][0]
    assert (best["formula"], best["known"], best["score"]) == ("LaNi5", True, 0.9)
    assert [row["h2_density_g_per_l_mean"] for row in detail["top"][:3]] == [None, None, 100.0]
    np.testing.assert_allclose(
        [row["score"] for row in detail["top"]], result.candidates["score"][:TOP_ROWS], rtol=1e-14
    )


def test_publishing_twice_changes_nothing_and_another_run_is_another_screen(client, settings, result):
    first = publish_screen(result, settings)
    assert publish_screen(result, settings) == first
    result.manifest["seed"] = 1
    assert publish_screen(result, settings) != first
    assert len(client.get("/v1/screens").json()["items"]) == 2


def test_screens_come_newest_first_and_by_target(client, records, build):
    for day, target in enumerate(["onboard", "stationary", "onboard"], start=1):
        screen = build.screen(f"s{day}", target=target, created_at=datetime(2025, 1, day, tzinfo=UTC))
        records.add_screen(screen)

    def listed(query):
        return [item["screen_id"] for item in client.get(f"/v1/screens{query}").json()["items"]]

    assert listed("") == ["s3", "s2", "s1"]
    assert listed("?target=onboard") == ["s3", "s1"]
    assert listed("?limit=1") == ["s3"]
    assert listed("?target=nothing") == []


def test_a_labs_screen_is_not_there_for_others(client, settings, result, problem):
    screen_id = publish_screen(result, settings, access=Access(lab_id="lab", visibility="lab"))
    assert client.get("/v1/screens").json()["items"] == []
    problem(client.get(f"/v1/screens/{screen_id}"), 404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=1000", "targt=onboard", "target=%00"])
def test_bad_questions_are_refused(client, problem, query):
    problem(client.get(f"/v1/screens?{query}"), 422, "invalid_request")
