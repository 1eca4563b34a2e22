"""``hstore batch`` as a user meets it."""

from __future__ import annotations

import json
import platform

import pytest

SPEC = """
name = "ab5"
target = "onboard"
shard_rows = 20
top = 5

[source]
kind = "grid"
sites = [
  { elements = ["La", "Ce"], choose = 2, total = 1.0, step = 0.1 },
  { elements = ["Ni", "Co", "Al"], choose = 2, total = 5.0, step = 1.0 },
]
"""


@pytest.fixture
def spec(tmp_path, trained, loaded, monkeypatch):
    """A specification of 108 alloys, in a folder of its own, and a home with models."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    monkeypatch.setenv("HSTORE_HOME", str(trained.home))
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ab5.toml"
    path.write_text(SPEC)
    return path


def test_a_dry_run_says_what_it_would_take_and_leaves_nothing(hstore, spec, tmp_path):
    found = json.loads(hstore("batch", spec, "--dry-run", "--json").stdout)
    assert (found["candidates"], found["shards"], found["sample"]) == (108, 6, 108)
    assert found["core_hours"] == pytest.approx(108 / found["candidates_per_core_s"] / 3600)
    assert found["result_gib"] > 0
    words = hstore("batch", spec, "--dry-run").stdout
    assert "108 candidates in 6 shards" in words
    assert {path.name for path in tmp_path.iterdir()} == {"ab5.toml"}


def test_a_run_its_status_and_its_results(hstore, spec, tmp_path):
    done = hstore("batch", spec, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["candidates"], found["rejected"], found["shards"], len(found["best"])) == (108, 0, 6, 5)
    assert [row["rank"] for row in found["best"]] == [1, 2, 3, 4, 5]
    folder = tmp_path / "runs" / "ab5"
    state = json.loads(hstore("batch", "status", folder, "--json").stdout)
    assert (state["done"], state["candidates"], state["damaged"]) == (6, 108, {})
    assert "6 of 6 shards done, 108 candidates with an answer" in hstore("batch", "status", folder).stdout
    next((folder / "shards").glob("*.parquet")).unlink()
    lost = hstore("batch", "collect", folder)
    assert lost.exit_code == 1
    assert f"hstore batch resume {folder}" in lost.stderr
    assert "is missing" in hstore("batch", "status", folder).stdout
    again = hstore("batch", spec)
    assert again.exit_code == 0
    assert "108 candidates ranked, 0 rejected; the best 5" in again.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("batch", "nothing.toml"), "cannot be read"),
        (("batch", "status", "nowhere"), "holds no run"),
        (("batch", "resume", "nowhere"), "holds no run"),
        (("batch", "ab5.toml", "--site", "moon"), "moon"),
    ],
)
def test_what_is_not_there_is_said(hstore, spec, words, message):
    result = hstore(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_dry_run_for_a_cluster_prints_what_the_scheduler_would_get(hstore, spec, tmp_path):
    pytest.importorskip("parsl", reason="sites with a scheduler need the extra: pip install 'hstore[cluster]'")
    fields = 'kind = "pbs"\nworkers_per_node = 4\nwalltime = "00:30:00"\nmax_blocks = 2\naddress = "127.0.0.1"\n'
    (tmp_path / "mine.toml").write_text(fields)
    words = hstore("batch", spec, "--site", "mine.toml", "--dry-run").stdout
    assert "set shard_minutes = 1" in words
    assert "#PBS -l select=1:ncpus=4" in words
    found = json.loads(hstore("batch", spec, "--site", "mine.toml", "--dry-run", "--json").stdout)
    assert found["hours"] == pytest.approx(found["core_hours"] / 8)
    assert "#PBS -l walltime=00:30:00" in found["submit_script"]
    spec.write_text(SPEC.replace("top = 5", "top = 5\nshard_minutes = 1"))
    assert "set shard_minutes" not in hstore("batch", spec, "--site", "mine.toml", "--dry-run").stdout


def test_sites_are_listed_and_printed(hstore):
    assert hstore("batch", "site").stdout.split() == ["flux", "local", "lsf", "pbs", "slurm"]
    assert 'kind = "slurm"' in hstore("batch", "site", "slurm").stdout
    wrong = hstore("batch", "site", "slrum")
    assert wrong.exit_code == 2
    assert "slurm" in wrong.stderr


def test_status_and_events_tell_who_did_what(hstore, spec, tmp_path):
    hstore("batch", spec)
    folder = tmp_path / "runs" / "ab5"
    state = json.loads(hstore("batch", "status", folder, "--json", "--watch", "1").stdout)
    ((machine,), running) = state["machines"], state["running"]
    assert (machine["host"], machine["shards"], machine["candidates"]) == (platform.node(), 6, 108)
    assert (running, state["killed"], state["failed_tries"], state["hours_left"]) == (False, False, 0, 0.0)
    assert state["candidates_per_s"] > 0
    assert platform.node() in hstore("batch", "status", folder).stdout
    found = [json.loads(line) for line in (folder / "events.jsonl").read_text().split("\n") if line]
    assert [event["event"] for event in found] == ["run", *["done"] * 6, "end"]
    assert sorted(event["shard"] for event in found[1:-1]) == list(range(6))
    assert (found[0]["host"], found[0]["site"]) == (platform.node(), "local")
    assert (found[0]["missing"], found[-1]["missing"], found[-1]["why"]) == (6, 0, "")
    with (folder / "events.jsonl").open("a") as stream:
        stream.write('{"at": "2026')  # a driver that was killed in the middle of a line
    next((folder / "shards").glob("*.json")).unlink()
    hstore("batch", "resume", folder)
    again = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().split("\n")[-4:-1]]
    assert again == ["run", "done", "end"]
