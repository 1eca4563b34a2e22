"""``hstore batch`` as a user meets it."""

from __future__ import annotations

import json

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
