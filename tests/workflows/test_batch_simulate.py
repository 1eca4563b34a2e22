"""Forecasts of batches: the simulated scheduler keeps every shard, and its figures follow from what is assumed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_workflows.batch import simulate
from hstore_workflows.batch.forecast import forecast, scaled, sensitivity
from hstore_workflows.batch.limits import Assumptions, Limits, changed, load_assumptions
from hstore_workflows.batch.plan import Plan
from hstore_workflows.batch.rates import Rates
from hstore_workflows.batch.simulate import Behaviour, Layout, Pace, Simulation
from hstore_workflows.batch.spec import Batch
from hstore_workflows.target import load_target

STILL = Behaviour(
    queue_wait_h=0, queue_wait_spread=0, node_mtbf_h=1e12, node_spread=0, shard_spread=0, straggler_share=0
)
"""Nothing waits, differs or fails."""

SITE = [{"elements": ["La", "Ce"], "choose": 2, "total": 1.0, "step": 0.1}]
RATES = Rates(
    sample=4000, candidates_per_core_s=5000.0, scored_per_core_s=5500.0, shard_fixed_s=0.05,
    read_s_per_candidate=0,
    opening_s=10.0, opening_operations=20_000, shard_operations=20, look_operations=3, worker_mib=600.0,
    files_per_shard=2, bytes_per_candidate=220.0, bytes_per_shard=11_000.0, look_s=3e-5, collect_shard_s=3e-3,
    collect_candidate_s=2e-6, take_candidate_s=1e-6, planning_s=5.0, planned_rows=100_000, planning_grows=False,
    planning_mib=400.0, standing_bytes_per_shard=800.0, plan_bytes=2000, listed_bytes_per_shard=100.0,
)  # fmt: skip


def plan_of(rows, shard_rows=100, **fields):
    source = {"kind": "grid", "sites": SITE}
    batch = Batch(name="a", target="onboard", source=source, shard_rows=shard_rows, **fields)
    return Plan(batch, load_target("onboard"), {}, {}, rows, {})


def equal(seconds, **fields):
    return Pace(lambda shard: seconds * (shard.stop - shard.start) / 100, **fields)


def times_done(plan, course):
    """How often each shard was done, shape (n_shards,)."""
    times = np.zeros(plan.n_shards, dtype=int)
    for first, stop in course.done:
        times[first:stop] += 1
    return times


ROUGH = Behaviour(
    queue_wait_h=0.2, node_mtbf_h=0.5, node_spread=0.2, shard_spread=0.3, straggler_share=0.1, straggler_times=6
)
ROUGH_LAYOUT = Layout(3, 4, max_blocks=3, walltime_s=900, lost_after_s=20, poll_s=5)


@pytest.mark.parametrize("longest_s", [200.0, math.inf], ids=["drained", "cut off"])
@pytest.mark.parametrize("most_events", [10_000, 250], ids=["one by one", "bundled"])
def test_every_shard_is_done_once_whatever_happens(monkeypatch, longest_s, most_events):
    monkeypatch.setattr(simulate, "MOST_EVENTS", most_events)
    plan = plan_of(99_950)
    for seed in range(5):
        course = Simulation(plan, ROUGH_LAYOUT, equal(60.0, longest_s=longest_s), ROUGH, seed=seed)()
        assert (times_done(plan, course) == 1).all()
        assert course.losses > 0
        assert course.makespan_s == course.ended_at_s.max()
        assert course.idle_s >= 0
        spent = course.useful_s + course.lost_s + course.opening_s + course.idle_s
        assert spent == pytest.approx(course.paid_s)
        assert course.paid_s <= course.blocks * ROUGH_LAYOUT.block_workers * ROUGH_LAYOUT.walltime_s + 1e-6


@pytest.mark.parametrize(("shards", "layout"), [(1, (1, 1)), (97, (2, 4)), (96, (2, 4)), (1000, (5, 3))])
def test_equal_shards_without_waits_and_losses_take_exactly_as_long_as_they_must(shards, layout):
    plan = plan_of(100 * shards)
    workers = math.prod(layout)
    course = Simulation(plan, Layout(*layout), equal(30.0, opening_s=7.0), STILL)()
    assert course.makespan_s == pytest.approx(7.0 + 30.0 * math.ceil(shards / workers))
    assert course.useful_s == pytest.approx(30.0 * shards)
    assert (course.lost_s, course.losses, course.blocks) == (0.0, 0, 1)


def test_the_last_shard_is_as_small_as_the_plan_makes_it():
    course = Simulation(plan_of(250), Layout(1, 1), equal(10.0), STILL)()
    assert course.makespan_s == pytest.approx(25.0)


def test_more_nodes_are_never_slower_without_losses():
    unlike = Behaviour(
        queue_wait_h=0, node_mtbf_h=1e12, node_spread=0, shard_spread=0.5, straggler_share=0.05, straggler_times=8
    )
    taken = [
        Simulation(plan_of(40_000), Layout(nodes, 2), equal(30.0), unlike, seed=3)().makespan_s
        for nodes in range(1, 40)
    ]
    assert all(after <= before for before, after in pairwise(taken))
    assert taken[-1] < taken[0] / 5


def test_blocks_that_drain_lose_nothing_and_those_that_do_not_lose_what_they_hold():
    plan, layout = plan_of(100_000), Layout(1, 8, walltime_s=1000)
    drained = Simulation(plan, layout, equal(300.0, longest_s=400.0), STILL)()
    assert drained.losses == 0
    assert drained.paid_s == pytest.approx(drained.useful_s)  # three shards a worker, and the block is given back
    cut = Simulation(plan, layout, equal(300.0), STILL)()
    assert cut.losses == 8 * (cut.blocks - 1)
    assert cut.lost_s == pytest.approx(100.0 * cut.losses)


def test_a_walltime_shorter_than_a_shard_is_refused():
    with pytest.raises(InputError, match=r"opens in 50 s and a shard takes 120 s, but a block ends after 100 s"):
        Simulation(
            plan_of(1000), Layout(1, 1, walltime_s=100), equal(60.0, opening_s=50), Behaviour(core_speed=0.5)
        )


def test_a_run_that_would_not_end_is_refused():
    hopeless = STILL.model_copy(update={"node_mtbf_h": 1e-4})
    with pytest.raises(InputError, match="node_mtbf_h"):
        Simulation(plan_of(1000), Layout(1, 2), equal(60.0), hopeless)()


def test_seeds_reproduce():
    def course(seed):
        return Simulation(plan_of(20_000), ROUGH_LAYOUT, equal(60.0, longest_s=200.0), ROUGH, seed=seed)()

    assert course(1).makespan_s == course(1).makespan_s != course(2).makespan_s
    np.testing.assert_array_equal(course(1).done, course(1).done)


@pytest.mark.parametrize("mtbf_h", [0.5, 1.0, 4.0])
def test_lost_nodes_cost_what_theory_says(mtbf_h):
    """A shard of time T on nodes that fail at rate r takes (exp(rT) - 1) / r on average, retries included."""
    seconds, rate = 300.0, 1 / (3600.0 * mtbf_h)
    expected = math.expm1(rate * seconds) / (rate * seconds) - 1
    failing = STILL.model_copy(update={"node_mtbf_h": mtbf_h})
    lost = useful = 0.0
    for seed in range(4):
        course = Simulation(plan_of(2_000_000), Layout(1, 1, max_blocks=200), equal(seconds), failing, seed=seed)()
        lost, useful = lost + course.lost_s, useful + course.useful_s
    assert lost / useful == pytest.approx(expected, rel=0.05)


def test_bundles_hardly_change_the_result(monkeypatch):
    layout = Layout(4, 8, max_blocks=2, walltime_s=7200, lost_after_s=60)
    behaviour = Behaviour(queue_wait_h=0.1, queue_wait_spread=0, node_mtbf_h=5)
    figures = []
    for most in (50_000, 5_000):
        monkeypatch.setattr(simulate, "MOST_EVENTS", most)
        runs = [
            Simulation(plan_of(5_000_000), layout, equal(20.0, longest_s=200.0), behaviour, seed=seed)()
            for seed in range(3)
        ]
        figures.append([np.mean([run.makespan_s for run in runs]), np.mean([run.paid_s for run in runs])])
    np.testing.assert_allclose(*figures, rtol=0.03)


def test_waits_in_the_queue_come_first():
    waiting = STILL.model_copy(update={"queue_wait_h": 2.0})
    course = Simulation(plan_of(1000), Layout(1, 10), equal(60.0), waiting)()
    assert course.makespan_s == pytest.approx(7200.0 + 60.0)
    assert course.paid_s == pytest.approx(600.0)


LAYOUT = Layout(4, 32, max_blocks=10, walltime_s=4 * 3600, lost_after_s=120, poll_s=30)


def test_figures_follow_from_rates():
    plan = plan_of(10**7, 50_000)
    found = forecast(plan, LAYOUT, RATES, Assumptions(), runs=3)
    assert (found.candidates, found.shards, found.workers, found.files) == (10**7, 200, 1280, 400)
    assert found.shard_s == pytest.approx(0.05 + 50_000 / 5000)
    assert found.opening_s == pytest.approx(
        20_000 * 128 / 10_000
    )  # a block asks more than the file system answers
    assert found.result_gib == pytest.approx((220e7 + 200 * 11_000) / 2**30)
    assert found.status_s == pytest.approx(200 * (3e-5 + 3 * 0.0005))
    assert found.metadata_opening_per_s == pytest.approx(128 * 20_000 / 20.0)
    assert found.core_hours.median > 200 * found.shard_s / 3600
    assert found.makespan_h.low <= found.makespan_h.median <= found.makespan_h.high
    assert json.loads(json.dumps(found.as_json()))["shards"] == 200


def test_limits_are_named_in_the_order_in_which_they_break():
    found = forecast(scaled(plan_of(10**6, 50_000), 1e10), LAYOUT, RATES, Assumptions(), runs=1)
    sizes = [finding.from_candidates for finding in found.findings]
    grown = [size for size in sizes if size is not None]
    assert sizes[: len(sizes) - len(grown)] == [None] * (len(sizes) - len(grown))
    assert grown == sorted(grown)
    assert all(size <= 1e10 for size in grown)
    named = {finding.what: finding for finding in found.findings}
    assert "a thousand" in named["files in one folder"].change
    assert named["files in one folder"].from_candidates == pytest.approx(1e10 * 100_000 / 400_000)
    assert "on the nodes" in named["calls on file names while workers open, 1/s"].change
    assert all(finding.figure > finding.limit for finding in found.findings)


def test_a_small_batch_on_a_patient_cluster_breaks_nothing():
    here = Assumptions(behaviour=STILL.model_copy(update={"environment_shared": False, "metadata_call_s": 0.0}))
    found = forecast(plan_of(10**6, 5_000, shard_minutes=5), Layout(1, 4), RATES, here, runs=2)
    assert found.findings == ()
    assert list(found.lines())[-1] == "breaks nothing"


def test_no_time_to_drain_and_too_few_shards_are_named():
    found = forecast(plan_of(10**7, 50_000), replace(LAYOUT, walltime_s=3600), RATES, Assumptions(), runs=1)
    named = {finding.what: finding.change for finding in found.findings}
    assert "shard_minutes = " in named["shard_minutes, in which a block of this walltime starts no shard, min"]
    assert "max_blocks = 1" in named["share of core-hours idle or opening workers"]


def test_each_assumed_behaviour_is_varied():
    table = sensitivity(plan_of(10**6, 50_000), LAYOUT, RATES, Assumptions(), runs=1)
    assert table[0].assumption == ""
    assert {change.assumption for change in table[1:]} == set(Behaviour.model_fields)
    faster = next(change for change in table if (change.assumption, change.value) == ("core_speed", 2.0))
    assert faster.core_hours < table[0].core_hours


@pytest.mark.parametrize("candidates", [0, -1, 1e16, math.nan])
def test_sizes_that_make_no_sense_are_refused(candidates):
    with pytest.raises(InputError, match="candidates must be between"):
        scaled(plan_of(100), candidates)


def test_assumptions_are_read_and_changed(tmp_path):
    (tmp_path / "mine.toml").write_text("[behaviour]\nqueue_wait_h = 6\n[limits]\nfiles = 5e6\n")
    held = load_assumptions(tmp_path / "mine.toml", ["node_mtbf_h=100", "files_per_folder = 7"])
    assert (held.behaviour.queue_wait_h, held.behaviour.node_mtbf_h) == (6, 100)
    assert (held.limits.files, held.limits.files_per_folder, held.limits.driver_h) == (5e6, 7, Limits().driver_h)
    with pytest.raises(UnknownNameError, match="queue_wait_h"):
        load_assumptions(None, ["queue_wait=6"])
    with pytest.raises(InputError, match=r"queue_wait_h: .*'long'"):
        load_assumptions(None, ["queue_wait_h=long"])
    with pytest.raises(InputError, match="greater than or equal to 0"):
        changed(Assumptions(), "queue_wait_h", -1)
    (tmp_path / "mine.toml").write_text("[behaviour]\nqueue = 6\n")
    with pytest.raises(InputError, match=r"behaviour.queue"):
        load_assumptions(tmp_path / "mine.toml")


@pytest.fixture
def spec(tmp_path, trained, loaded, monkeypatch):
    """A specification of 90 alloys and a cluster's site, and a home with models."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    monkeypatch.setenv("HSTORE_HOME", str(trained.home))
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    sites = """[
  { elements = ["La", "Ce"], choose = 2, total = 1.0, step = 0.1 },
  { elements = ["Ni", "Co", "Al"], choose = 1, total = 5.0, step = 1.0 },
]"""
    path = tmp_path / "ab5.toml"
    path.write_text(f'name = "ab5"\ntarget = "onboard"\n[source]\nkind = "grid"\nsites = {sites}\n')
    (tmp_path / "mine.toml").write_text(
        'kind = "slurm"\nworkers_per_node = 8\nnodes_per_block = 2\nmax_blocks = 3\nwalltime = "04:00:00"\n'
    )
    return path


@pytest.mark.long
def test_the_command_measures_and_leaves_nothing(hstore, spec, tmp_path, monkeypatch):
    monkeypatch.setattr("hstore_workflows.batch.rates.SMALL_SHARDS", 10)
    words = ("simulate", spec, "--site", "mine.toml", "--candidates", "1e8", "--runs", "2")
    done = hstore("batch", *words, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["candidates"], found["shards"], found["workers"]) == (10**8, 2000, 48)
    rates = found["rates"]
    assert (rates["sample"], rates["files_per_shard"]) == (24, 2)
    assert rates["look_operations"] == pytest.approx(3, abs=0.2)  # a record, and two questions for its file
    assert 15 <= rates["shard_operations"] <= 40
    assert rates["opening_operations"] > 1000
    assert 30 < rates["bytes_per_candidate"] < 2000
    assert min(rates[name] for name in ("candidates_per_core_s", "opening_s", "look_s", "planning_s")) > 0
    assert found["core_hours"]["median"] >= 1e8 / rates["candidates_per_core_s"] / 3600
    assert (found["changes"], len(found["findings"]) > 0) == ([], True)
    assert {path.name for path in tmp_path.iterdir()} == {"ab5.toml", "mine.toml"}
    (tmp_path / "before.json").write_text(done.stdout)
    again = hstore("batch", *words, "--rates", "before.json", "--json")
    assert json.loads(again.stdout) == found


def test_the_command_says_what_it_cannot_use(hstore, spec):
    wrong = hstore("batch", "simulate", spec, "--assume", "queue=3")
    assert wrong.exit_code == 2
    assert "queue_wait_h" in wrong.stderr
    wrong = hstore("batch", "simulate", spec, "--rates", "mine.toml")
    assert wrong.exit_code == 2
    assert "mine.toml holds no rates" in wrong.stderr


def test_every_assumption_is_documented_with_its_default():
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "scale.md").read_text(encoding="utf-8")
    for part in (Behaviour(), Limits()):
        for name, value in part:
            shown = str(value).lower() if isinstance(value, bool) else f"{value:,.15g}"
            assert f"| `{name}` | {shown} |" in text, name
