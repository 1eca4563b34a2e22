"""A batch: equal to the plain way, done once whatever happens, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.objective import pareto_front
from hstore_models.prediction import Query
from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.plan import keep_plan, make_plan, read_plan
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.shard import SHARDS, Task, do_shard, record_path
from hstore_workflows.batch.site import LocalSite, load_site
from hstore_workflows.batch.standing import ShardError, standing
from hstore_workflows.batch.watching import watch
from hstore_workflows.scoring import score_chunk
from hstore_workflows.screen import objectives_of

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
import breaking_shards

SPEC = """
name = "ab5"
target = "onboard"
shard_rows = 30
chunk_rows = 8
top = 25
tries = 2

[source]
kind = "files"
files = ["pool.csv"]
"""
RESULTS = ("top.csv", "top.parquet", "pareto.csv", "pareto.parquet", "rejected.csv", "summary.json")
ONE, TWO = LocalSite(kind="local", workers=1), LocalSite(kind="local", workers=2)
BAD = {3: "not a formula", 44: "H2"}


@pytest.fixture(scope="module")
def formulas():
    """Formulas of 100 candidates, two of them bad."""
    rng = np.random.default_rng(0)
    made = [f"La{x:.3f}Ce{1 - x:.3f}Ni{5 - y:.3f}Al{y:.3f}" for x, y in rng.uniform(0.05, 0.95, (100, 2))]
    return [BAD.get(place, text) for place, text in enumerate(made)]


@pytest.fixture
def spec(tmp_path, formulas):
    """A specification beside its table."""
    return write_spec(tmp_path, formulas)


@pytest.fixture
def settings(trained, loaded):
    """Settings with the models that a screen of hydrides needs."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    return trained


@pytest.fixture
def planned(spec, settings, tmp_path):
    """A plan in the folder of its run."""
    folder = tmp_path / "run"
    plan = make_plan(spec, folder, settings)
    keep_plan(plan, folder)
    return plan, folder


@pytest.fixture(scope="module")
def undisturbed(formulas, trained, loaded, tmp_path_factory):
    """The results of a run that nothing disturbed, by name."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    beside = tmp_path_factory.mktemp("undisturbed")
    spec, folder = write_spec(beside, formulas), beside / "run"
    plan = make_plan(spec, folder, trained)
    keep_plan(plan, folder)
    Run(plan, folder, trained, TWO)()
    collect(plan, folder)
    return results(folder)


def write_spec(folder, formulas):
    pd.DataFrame({"formula": formulas}).to_csv(folder / "pool.csv", index=False)
    (folder / "ab5.toml").write_text(SPEC)
    return folder / "ab5.toml"


def results(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


def records(plan, folder):
    paths = [record_path(folder, plan, number) for number in range(plan.n_shards)]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def test_it_is_the_plain_way_in_shards(planned, settings, loaded, formulas):
    plan, folder = planned
    state = Run(plan, folder, settings, TWO)()
    assert (state.missing, state.candidates, state.rejected) == ([], 98, 2)
    found = collect(plan, folder)
    good = [place for place in range(100) if place not in BAD]
    models = {name: loaded(name) for name in plan.models}
    scored = score_chunk(plan.target, Query.of([parse_amounts(formulas[place]) for place in good]), models)
    scored.insert(0, "candidate", good)
    expected = scored.sort_values(["score", "candidate"], ascending=[False, True]).head(25)
    assert found.top["candidate"].tolist() == expected["candidate"].tolist()
    assert found.top["formula"].tolist() == [formulas[place] for place in expected["candidate"]]
    numbers = scored.select_dtypes("number").columns
    # The Gaussian processes differ in the last bits with the number of rows that are multiplied at once.
    np.testing.assert_allclose(found.top[numbers].to_numpy(), expected[numbers].to_numpy(), rtol=1e-9)
    front = scored[pareto_front(objectives_of(scored, "hydride"))]
    assert set(found.pareto["candidate"]) == set(front["candidate"])
    rejected = pd.read_csv(folder / "rejected.csv")
    assert rejected["candidate"].tolist() == list(BAD)
    assert "hydrogen without a host" in rejected["cause"].iloc[1]
    listed = pd.read_csv(folder / "shards.csv")
    assert listed["number"].tolist() == [0, 1, 2, 3]
    assert listed["candidates"].sum() == 98
    assert (listed["peak_memory_mib"] > 0).all()


def test_shards_that_fail_once_are_tried_again(planned, settings, undisturbed):
    plan, folder = planned
    told = []
    Run(plan, folder, settings, ONE, lambda number, why: told.append((number, why)), breaking_shards.flaky)()
    collect(plan, folder)
    assert results(folder) == undisturbed
    assert {number for number, why in told if "signal 9" in why} == {0, 1, 2, 3}
    assert {json.loads(record)["attempt"] for record in records(plan, folder).values()} == {2}


def test_chunks_and_shards_without_a_usable_row_are_done(spec, settings, tmp_path):
    rows = ["rubbish"] * 35 + ["LaNi5", "TiFe"] + ["H2"] * 30  # the first shard and some chunks have none
    for content, answered in ((rows, 2), (["rubbish"] * 40, 0)):
        pd.DataFrame({"formula": content}).to_csv(tmp_path / "pool.csv", index=False)
        folder = tmp_path / f"run-{answered}"
        plan = make_plan(spec, folder, settings)
        keep_plan(plan, folder)
        state = Run(plan, folder, settings, ONE)()
        assert (state.missing, state.candidates, state.rejected) == ([], answered, len(content) - answered)
        found = collect(plan, folder)
        assert set(found.top["candidate"]) == set(range(35, 35 + answered))
        assert len(pd.read_csv(folder / "rejected.csv")) == len(content) - answered


@pytest.mark.long
def test_candidates_that_break_it_are_found_and_the_rest_is_done(planned, settings):
    plan, folder = planned
    state = Run(plan, folder, settings, ONE, do=breaking_shards.with_poison)()
    assert (state.missing, state.candidates, state.rejected) == ([], 96, 4)
    collect(plan, folder)
    rejected = pd.read_csv(folder / "rejected.csv").set_index("candidate")["cause"]
    assert rejected.index.tolist() == [3, breaking_shards.DEADLY, 44, breaking_shards.WRONG]
    assert "signal 9" in rejected[breaking_shards.DEADLY]
    assert "cannot be worked out" in rejected[breaking_shards.WRONG]


def test_a_fault_that_no_candidate_has_stops_that_shard_alone(planned, settings, undisturbed):
    plan, folder = planned
    with pytest.raises(ShardError, match=r"shard 1 failed 2 times and no candidate .*No space left"):
        Run(plan, folder, settings, ONE, do=breaking_shards.on_a_full_disk)()
    state = standing(plan, folder)
    assert state.missing == [1]
    assert "No space left" in state.failures[1]
    with pytest.raises(ShardError, match=r"1 of 4 shards are not done \(shard 1: .*No space left"):
        collect(plan, folder)
    before = records(plan, folder)
    Run(plan, folder, settings, ONE)()
    assert before.items() <= records(plan, folder).items(), "no finished shard was done again"
    collect(plan, folder)
    assert results(folder) == undisturbed


def test_damaged_and_lost_files_are_done_again(planned, settings, undisturbed):
    plan, folder = planned
    Run(plan, folder, settings, ONE)()
    files = [record_path(folder, plan, number).with_suffix(".parquet") for number in range(4)]
    content = bytearray(files[0].read_bytes())
    content[len(content) // 2] ^= 1  # of the same size: only a thorough look finds it
    files[0].write_bytes(content)
    files[2].unlink()
    record_path(folder, plan, 3).write_text('{"number": 3')
    assert set(standing(plan, folder).damaged) == {2, 3}
    with pytest.raises(ShardError, match="3 of 4 shards are not done"):
        collect(plan, folder)
    kept = records(plan, folder)[record_path(folder, plan, 1).name]
    Run(plan, folder, settings, ONE)()
    assert records(plan, folder)[record_path(folder, plan, 1).name] == kept
    collect(plan, folder)
    assert results(folder) == undisturbed


def test_a_late_answer_changes_nothing(planned, settings):
    plan, folder = planned
    task = Task(str(folder), str(settings.home), 0)
    assert do_shard(task)
    first = records(plan, folder)
    assert not do_shard(Task(str(folder), str(settings.home), 0, attempt=2))
    record_path(folder, plan, 0).rename(folder / "aside")
    written = {path.name: path.stat().st_ino for path in (folder / SHARDS).iterdir()}
    assert do_shard(task), "a straggler that began before the record was there"
    assert {path.name: path.stat().st_ino for path in (folder / SHARDS).glob("*.parquet")} == written
    assert {path.name for path in (folder / SHARDS).iterdir()} == {*written, *first}


def test_only_one_process_runs_a_batch(planned, settings):
    plan, folder = planned
    seen = []

    def again(_number, _why):
        with pytest.raises(ShardError, match=f"process {os.getpid()} runs"):
            Run(plan, folder, settings, ONE)()
        seen.append(watch(plan, folder, standing(plan, folder)).running)

    Run(plan, folder, settings, ONE, again)()
    assert seen
    assert all(seen)
    after = watch(plan, folder, standing(plan, folder))
    assert (after.running, after.killed) == (False, False)


def test_a_folder_belongs_to_one_plan(planned, spec, settings, tmp_path):
    plan, folder = planned
    keep_plan(make_plan(spec, folder, settings), folder)
    spec.write_text(SPEC.replace("top = 25", "top = 26"))
    with pytest.raises(InputError, match=r"another run \(batch.top changed\)"):
        keep_plan(make_plan(spec, folder, settings), folder)
    spec.write_text(SPEC)
    (tmp_path / "pool.csv").write_text("formula\nLaNi5\n")
    with pytest.raises(InputError, match=r"rows, source.sha256 changed"):
        keep_plan(make_plan(spec, folder, settings), folder)
    with pytest.raises(InputError, match="holds no run"):
        keep_plan(plan, tmp_path)
    with pytest.raises(InputError, match="hstore batch FILE"):
        read_plan(tmp_path)
    (folder / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        read_plan(folder)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('target = "onboard"', 'target = "onbord"', "onbord"),
        ("shard_rows = 30", "shard_rows = 0", "shard_rows"),
        ('name = "ab5"', 'name = "../x"', "name"),
        ("top = 25", "topp = 25", "topp"),
        ('kind = "files"', 'kind = "fils"', "source"),
        ("[source]", "[source", "not valid TOML"),
    ],
)
def test_a_specification_that_cannot_be_used_is_refused(spec, settings, tmp_path, before, after, message):
    spec.write_text(SPEC.replace(before, after))
    with pytest.raises(InputError, match=message):
        make_plan(spec, tmp_path / "run", settings)


def test_sites_are_files(tmp_path):
    assert load_site("local").processes >= 1
    (tmp_path / "mine.toml").write_text('kind = "local"\nworkers = 3\n')
    assert load_site(str(tmp_path / "mine.toml")).processes == 3
    with pytest.raises(InputError, match="local"):
        load_site("lokal")


def test_a_driver_that_is_killed_is_gone_on_with(spec, settings, undisturbed, tmp_path):
    folder = tmp_path / "killed"
    environment = os.environ | {"HSTORE_HOME": str(settings.home)}
    environment.pop("HSTORE_DATA_MIRROR", None)
    command = [sys.executable, "-m", "hstore_workflows.cli", "batch"]
    begin = [*command, str(spec), "--out", str(folder)]
    with subprocess.Popen(begin, env=environment, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 120
        while not list((folder / SHARDS).glob("*.json")):
            assert time.monotonic() < deadline
            assert run.poll() is None, run.stderr.read().decode()
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    plan = read_plan(folder)
    before = records(plan, folder)
    seen = watch(plan, folder, standing(plan, folder))
    assert (seen.running, seen.killed) == (False, True)
    told = subprocess.run(
        [*command, "status", str(folder)], env=environment, capture_output=True, text=True, check=True
    )
    assert "killed, to be resumed" in told.stdout
    done = subprocess.run(
        [*command, "resume", str(folder), "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert before.items() <= records(plan, folder).items()
    assert results(folder) == undisturbed
    assert json.loads(done.stdout)["candidates"] == 98
