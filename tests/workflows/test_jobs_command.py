"""``hstore jobs`` on both databases: what an operator starts, sees, ends and begins again."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hstore.jobs import JobState, event_sequence
from hstore.records import Access, Scope
from hstore_workflows.cli import main

NORTH = Access(lab_id="north", visibility="lab")


@pytest.fixture
def jobs(database_url, monkeypatch, tmp_path):
    """Call ``hstore jobs`` and return what it printed; JSON where it was asked for."""
    monkeypatch.setenv("HSTORE_DATABASE_URL", database_url)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))

    def call(*arguments, code=0):
        result = CliRunner().invoke(main, ["jobs", *arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and code == 0 else result.output

    return call


def actions(store):
    return [(entry.action, entry.lab_id) for entry in reversed(store.audit.entries())]


def test_a_job_is_started_for_everybody_or_for_a_lab(jobs, store):
    public = jobs("start", "screen", '{"target": "stationary"}', "--json")
    assert (public["state"], public["parameters"]["target"]) == ("queued", "stationary")
    assert public["access"]["lab_id"] is None
    own = jobs("start", "screen", "--lab", "North", "--json")
    assert own["access"] == NORTH.model_dump(mode="json")
    assert store.jobs.get(own["job_id"], scope=Scope(lab_id="south")) is None
    assert actions(store) == [("jobs.create", None), ("jobs.create", "north")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "screening"), "unknown kind of job 'screening'"),
        (("start", "screen", "[1]"), "a JSON object"),
        (("start", "screen", "{"), "a JSON object"),
        (("start", "screen", '{"goal": 1}'), "it takes target"),
        (("show", "job-none"), "no job 'job-none'"),
        (("cancel", "job-none"), "no job 'job-none'"),
        (("retry", "job-none"), "no job 'job-none'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(jobs, store, arguments, said):
    assert said in jobs(*arguments, code=2)
    assert store.jobs.list(scope=Scope(everything=True)) == store.audit.entries() == []


def test_jobs_of_all_labs_are_listed_and_shown_with_their_logs(jobs, store):
    first = store.jobs.create("screen", {}, access=NORTH).job_id
    store.jobs.claim("w")
    store.jobs.add_event(first, event_sequence(1, 0, 0), "rank the candidates")
    store.jobs.finish(first, 1, JobState.DONE, result={"n_candidates": 7}, message="done")
    second = store.jobs.create("train", {}, access=Access()).job_id
    assert [line.split()[:2] for line in jobs("list").splitlines()] == [[second, "queued"], [first, "done"]]
    assert [job["job_id"] for job in jobs("list", "--state", "done", "--json")] == [first]
    assert [job["job_id"] for job in jobs("list", "--kind", "train", "--json")] == [second]
    shown = jobs("show", first)
    assert "rank the candidates" in shown
    assert '"n_candidates": 7' in shown
    assert [event["message"] for event in jobs("show", first, "--json")["events"]] == [
        "rank the candidates",
        "done",
    ]


def test_a_job_is_ended_once_and_begun_again(jobs, store):
    job_id = store.jobs.create("screen", {}, access=NORTH).job_id
    assert jobs("cancel", job_id, "--json")["state"] == "cancelled"
    assert jobs("cancel", job_id, "--json")["state"] == "cancelled"
    assert jobs("retry", job_id, "--json")["state"] == "queued"
    assert "only a failed or cancelled job" in jobs("retry", job_id, code=2)
    assert actions(store) == [("jobs.cancel", "north"), ("jobs.retry", "north")], (
        "what changed nothing is no write"
    )


def test_files_of_jobs_that_ended_long_ago_are_removed(jobs, store, tmp_path):
    ended, waiting = (jobs("start", "screen", "--json")["job_id"] for _ in range(2))
    jobs("cancel", ended)
    for name in (ended, waiting, "job-of-another-store"):
        (tmp_path / "jobs" / name / "files").mkdir(parents=True)
        (tmp_path / "jobs" / name / "files" / "report.html").write_text("x" * 2**20)
    assert jobs("prune", "--days", "1") == "files of 0 jobs removed, 0.0 MiB\n"
    assert jobs("prune", "--days", "0", "--dry-run") == "files of 1 job would be removed, 1.0 MiB\n"
    assert (tmp_path / "jobs" / ended).is_dir()
    told = jobs("prune", "--days", "0", "--json")
    assert told == {"jobs": [ended], "bytes": 2**20, "removed": True}
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {waiting, "job-of-another-store"}
    assert store.jobs.get(ended, scope=Scope(everything=True)).state is JobState.CANCELLED
    assert actions(store)[-1] == ("jobs.prune", None)
    assert jobs("retry", ended, "--json")["state"] == "queued"


def test_there_may_be_no_files_at_all(jobs):
    assert jobs("prune", "--days", "30") == "files of 0 jobs removed, 0.0 MiB\n"
