"""The benchmark of draws counts what campaigns find, and what the rest of the table tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_workflows.campaign.replay import ReplaySettings


@pytest.fixture
def draws(benchmark_module, monkeypatch):
    module = benchmark_module("campaign_draws")
    monkeypatch.setattr(module, "ROWS", 200)
    return module


@pytest.fixture
def table():
    """Frameworks whose usable uptake follows from their descriptors."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(0.1, 0.9, size=(600, len(PORE_DESCRIPTORS))), columns=list(PORE_DESCRIPTORS))
    return frame.assign(usable_vol_g_L=40 * frame["void_fraction"], group=np.arange(len(frame)))


def test_draws_differ_and_have_the_wanted_size(draws, table):
    drawn = dict(draws.draws(table, 2))
    assert len(drawn) == 4
    assert {len(rows) for rows in drawn.values()} == {200}
    assert len({tuple(sorted(rows.index)) for rows in drawn.values()}) == 4


def test_a_learnable_table_tells_its_best_and_one_without_a_law_does_not(draws, table):
    name, drawn = next(draws.draws(table, 1))
    assert name == "pandas sample, random_state 0"
    found = draws.one_draw(table, drawn, ReplaySettings(seeds=2, budget=30), "random")
    assert found["told_by_the_rest"] == found["top_1pct_total"] == 5
    assert 0 <= found["top_1pct_found_mean"] < 5
    shuffled = table.assign(usable_vol_g_L=np.random.default_rng(1).permutation(table["usable_vol_g_L"]))
    assert draws.told_by_the_rest(shuffled, next(draws.draws(shuffled, 1))[1], 20) < 5


def test_without_the_public_sets_it_says_what_to_set(benchmark):
    done = benchmark("campaign_draws", "--sampled", "1")
    assert done.returncode != 0
    assert "HSTORE_DATA_MIRROR" in done.stderr
