"""Replaying campaigns on labelled tables: reading, running, resuming, scoring, and the command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.errors import InputError, UnknownNameError
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.replay import ReplaySettings, one_campaign, replay
from hstore_workflows.campaign.replay_pool import read_labelled
from hstore_workflows.campaign.replay_score import progress_curve, score, tops_of
from hstore_workflows.campaign.strategies import strategy
from hstore_workflows.cli import main
from tests.workflows.alloy_pool import alloy_formulas, alloy_labels

FEW = ReplaySettings(budget=25, batch=5, initial=10, seeds=3)
MERIT = Objective.maximizing("merit")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A labelled table of 120 alloys with two numeric columns."""
    formulas = alloy_formulas()
    labels = alloy_labels(formulas)
    path = tmp_path_factory.mktemp("pool") / "alloys.csv"
    pd.DataFrame({"formula": formulas, **labels}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def pool(table):
    return read_labelled(table, MERIT, ["size", "negativity"])


def hypothetical(values, objective=None):
    """A pool of which nothing but the answers matters."""
    from hstore_workflows.campaign.landscape import Landscape
    from hstore_workflows.campaign.replay_pool import LabelledPool

    objective = objective or Objective.maximizing("y")
    answers = values if isinstance(values, dict) else {"y": np.asarray(values, dtype=float)}
    n = len(next(iter(answers.values())))
    blocks = {"columns": np.arange(n, dtype=float)[:, None]}
    return LabelledPool(Landscape(blocks, objective), answers, tuple(map(str, range(n))), (), ())


def test_a_table_is_read_with_bounds_and_rejects(tmp_path):
    path = tmp_path / "pool.csv"
    rows = [f"Li{k}PS4,{k}e-4" for k in range(1, 12)] + ["Li3N,<1E-10", "LiI,", "not a formula,1e-3", "NaCl,x"]
    path.write_text("Reduced Composition,sigma\n" + "\n".join(rows) + "\n")
    pool = read_labelled(path, Objective.maximizing("sigma"), ["magpie"])
    assert len(pool) == 12
    assert pool.answers["sigma"][11] == pytest.approx(-10.0)  # spans many decades: learned as its logarithm
    assert "logarithm" in pool.notes[1]
    assert [row for row, _ in pool.rejected] == [13, 14, 15]
    assert "1 bounds of sigma" in pool.notes[0]
    assert set(pool.landscape.blocks) == {"magpie", "electrolyte"}
    assert pool.names[11] == "Li3N"


@pytest.mark.parametrize(
    ("features", "objective", "error", "message"),
    [
        ([], MERIT, InputError, "needs --features"),
        (["sise"], MERIT, UnknownNameError, "did you mean 'size'"),
        (["size", "merit"], MERIT, InputError, "what a replay hides"),
        (["size"], Objective.maximizing("merits"), UnknownNameError, "did you mean 'merit'"),
        (["size"], Objective.maximizing("merit", (Window("x", 0, 1),)), UnknownNameError, "'x'"),
        (["size"], Objective.maximizing("formula"), InputError, "rows with all of"),
    ],
)
def test_tables_that_cannot_be_replayed_are_refused(table, features, objective, error, message):
    with pytest.raises(error, match=message):
        read_labelled(table, objective, features)


def test_every_strategy_starts_from_the_same_candidates(pool):
    ours = one_campaign(pool, strategy("hstore"), FEW, seed=5)
    random = one_campaign(pool, strategy("random"), FEW, seed=5)
    assert ours[:10] == random[:10]
    assert len(set(ours)) == 25
    assert ours == one_campaign(pool, strategy("hstore"), FEW, seed=5)
    assert ours[:10] != one_campaign(pool, strategy("hstore"), FEW, seed=6)[:10]


def test_processes_and_a_second_run_change_nothing(pool, tmp_path):
    alone = replay(pool, "hstore", FEW, workers=1)
    counted = []
    together = replay(pool, "hstore", FEW, workers=2, folder=tmp_path, progress=counted.append)
    assert together == alone
    assert sum(counted) == 3
    (kept,) = tmp_path.glob("replay-hstore-*.jsonl")
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join([*lines[:3], lines[3][:12]]))  # killed while it wrote the last seed
    before = kept.read_text()
    assert replay(pool, "hstore", FEW, workers=1, folder=tmp_path) == alone
    assert kept.read_text().startswith(before)
    done = []
    replay(pool, "hstore", FEW, workers=1, folder=tmp_path, progress=done.append)
    assert done == [3]  # nothing ran again


def test_settings_are_checked(pool):
    for wrong in (
        ReplaySettings(budget=500),
        ReplaySettings(initial=0),
        ReplaySettings(budget=5),
        ReplaySettings(seeds=0),
    ):
        with pytest.raises(InputError, match="initial <= budget <= 120"):
            replay(pool, "random", wrong)
    with pytest.raises(UnknownNameError, match="hstore"):
        replay(pool, "hstor", FEW)


def test_tops_count_ties_and_have_a_least_size():
    pool = hypothetical([*range(100), 99, 99])
    tops = tops_of(pool)
    assert tops.best.sum() == 5
    assert tops.good.sum() == 10
    tied = tops_of(hypothetical([1.0] * 50 + [2.0] * 7))
    assert tied.best.sum() == 7


def test_tops_are_those_that_meet_the_windows():
    objective = Objective.maximizing("y", (Window("w", 0.0, 1.0),))
    y, w = np.arange(100.0), np.where(np.arange(100) % 2, 0.5, 5.0)
    tops = tops_of(hypothetical({"y": y, "w": w}, objective))
    assert np.flatnonzero(tops.best).tolist() == [91, 93, 95, 97, 99]


def test_tops_of_several_goals_are_beaten_by_none():
    goals = Objective((Goal("a"), Goal("b", minimize=True)))
    a, b = np.linspace(0, 1, 40), np.linspace(0, 1, 40)
    a[7], b[7] = 2.0, -1.0  # better than all in both
    tops = tops_of(hypothetical({"a": a, "b": b}, goals))
    assert tops.best[7]


def test_scores_are_what_they_are_said_to_be():
    pool = hypothetical(np.arange(200.0))  # the best ten of 200 are 190 to 199, the best five 195 to 199
    orders = [[199, 198, *range(18)], [0, 1, 190, 191, *range(2, 18)]]
    found = score(pool, orders)
    expected_first = 201 / 6
    second = 20 + (180 + 1) / 6  # found none of the five: goes on at random
    assert found["acceleration_factor"] == pytest.approx(expected_first / ((1 + second) / 2))
    assert (found["top_1pct_total"], found["top_5pct_total"]) == (5, 10)
    assert found["top_1pct_found_mean"] == 1.0
    assert found["top_5pct_share"] == pytest.approx(0.2)
    assert found["enhancement_factor"] == pytest.approx(2 / (20 * 10 / 200))
    assert found["best_found_share"] == 0.5
    low, high = found["top_1pct_share_interval"]
    assert low <= found["top_1pct_share"] <= high
    assert progress_curve(pool, orders)[0, :2] == pytest.approx([0.1, 0.2])


@pytest.mark.long
def test_random_choice_scores_as_random():
    pool = hypothetical(np.random.default_rng(0).normal(size=400))
    orders = replay(pool, "random", ReplaySettings(budget=60, seeds=400), workers=1)
    found = score(pool, orders)
    assert found["acceleration_factor"] == pytest.approx(1.0, abs=0.12)
    assert found["acceleration_factor_median"] == pytest.approx(1.0, abs=0.25)
    assert found["enhancement_factor"] == pytest.approx(1.0, abs=0.1)
    assert found["seeds_below_random"] < 0.5


def run(*arguments):
    return CliRunner().invoke(main, ["campaign", "replay", *map(str, arguments)])


def test_the_command_prints_scores_and_draws(table, tmp_path):
    settings = ["--budget", 20, "--initial", 8, "--batch", 4, "--seeds", 2, "--workers", 1]
    common = ["--pool", table, "--features", "size,negativity", "--maximize", "merit", *settings]
    done = run(*common, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["strategy"] == "hstore"
    assert found["rows"] == 120
    for key in (
        "acceleration_factor",
        "enhancement_factor",
        "top_1pct_found_mean",
        "top_5pct_share",
        "seeds_below_random",
    ):
        assert len(found[f"{key}_interval"]) == 2
        assert key in found["random"]
    assert found["top_1pct_total"] == 5
    assert (tmp_path / "out" / "progress.png").stat().st_size > 10_000
    bound = [*common[:2], "--features", "negativity", *common[4:], "--window", "size:1.3:"]
    both = run(*bound, "--strategy", "random", "--strategy", "forest-ei")
    assert both.exit_code == 0, both.output
    assert "forest-ei: 2 campaigns of 20 measurements" in both.stdout
    assert "sooner than random" in both.stdout
    unknown = run(*common, "--strategy", "forst-ei")
    assert unknown.exit_code == 2
    assert "forest-ei" in unknown.output
