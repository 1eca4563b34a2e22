"""Worker processes: order, limits and isolation, with real processes that really die."""

import functools
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hstore.errors import HstoreError, InputError
from hstore.workers import Crew, Limits, TooSlowError, processor_time, run

LIMITS = Limits(seconds=1.0, memory_mib=512, items_per_worker=1000)


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    """The module of functions, importable under the same name in the workers."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("worker_tasks")


def test_every_kind_of_misbehaviour_costs_only_its_own_item(tasks):
    items = [1, "raise", 2, "crash", 3, "hang", 4, "eat", 5, "leave", 6, "spin", 7]
    outcomes = list(run(tasks.misbehave, items, workers=2, limits=LIMITS, piece=4))
    assert [o.index for o in outcomes] == list(range(len(items)))
    assert [o.value for o in outcomes] == [i if isinstance(i, int) else None for i in items]
    causes = {item: o.cause for item, o in zip(items, outcomes, strict=True) if o.cause}
    assert causes["raise"] == "ValueError: no good"
    assert "signal 11" in causes["crash"]
    assert "status 3" in causes["leave"]
    assert causes["hang"] == causes["spin"] == "took longer than 1 s and was stopped"
    assert "memory" in causes["eat"]
    assert len(causes) == 6


def test_outcomes_keep_the_order_of_the_items_whoever_is_faster(tasks):
    assert [o.value for o in run(tasks.nap, range(200), workers=3, piece=3)] == list(range(200))


def test_items_are_taken_only_as_workers_need_them(tasks):
    taken = []

    def source():
        for number in range(100_000):
            taken.append(number)
            yield number

    outcomes = run(tasks.nap, source(), workers=2, piece=4)
    for _ in range(10):
        next(outcomes)
    assert len(taken) < 500
    outcomes.close()


def test_workers_are_replaced_after_their_share(tasks):
    limits = Limits(items_per_worker=10)
    pids = [o.value for o in run(tasks.pid_of, range(60), workers=1, limits=limits, piece=5)]
    assert len(set(pids)) == 6
    assert os.getpid() not in pids


def test_a_crew_keeps_its_workers_between_passes(tasks):
    with Crew(tasks.pid_of, workers=1) as crew:
        first = {o.value for o in crew.map(range(5))}
        second = {o.value for o in crew.map(range(5))}
    assert first == second
    assert len(first) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(first.pop(), 0)


def test_every_item_runs_once_when_nothing_dies(tasks, tmp_path):
    assert sum(1 for _ in run(functools.partial(tasks.tally, str(tmp_path)), range(50), piece=7)) == 50
    assert len(list(tmp_path.iterdir())) == 50


def test_a_function_the_workers_cannot_import_is_an_error_of_the_caller(tasks, monkeypatch, tmp_path):
    (tmp_path / "gone_tasks.py").write_text("def work(item):\n    return item\n")
    with monkeypatch.context() as here:
        here.syspath_prepend(tmp_path)
        work = importlib.import_module("gone_tasks").work
    with pytest.raises(HstoreError, match="cannot start"):
        list(run(work, [1]))


def test_no_items_no_processes(tasks):
    assert list(run(tasks.misbehave, [])) == []


@pytest.mark.parametrize("settings", [{"workers": 0}, {"piece": 0}])
def test_settings_that_cannot_be_are_refused(tasks, settings):
    with pytest.raises(InputError, match="at least 1"):
        list(run(tasks.misbehave, [1], **settings))
    with pytest.raises(InputError, match="above 0"):
        Limits(seconds=0)


@pytest.mark.parametrize("endless", ["spin", "drop"])
def test_processor_time_ends_what_drops_the_exception_too(tasks, endless):
    with pytest.raises(TooSlowError), processor_time(0.05):
        tasks.misbehave(endless)


ATTEMPT = """
import json, sys
from hstore.workers import Limits, attempt
from worker_tasks import misbehave
for item in json.loads(sys.argv[1]):
    print(json.dumps(attempt(misbehave, item, Limits(seconds=1.0, memory_mib=512))), flush=True)
"""


def attempted(items):
    """Do items in a process of another scheduler; return what it printed and its status."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", ATTEMPT, json.dumps(items)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()], done.returncode


def test_in_a_worker_of_another_scheduler_the_same_limits_hold():
    answers, status = attempted([1, "raise", "hang", "spin", "drop", "eat", 2])
    assert status == 0
    assert answers == [
        (1, ""),
        (None, "ValueError: no good"),
        *[(None, "took longer than 1 s and was stopped")] * 3,
        (None, "needed more memory than its limit"),
        (2, ""),
    ]
    answers, status = attempted([1, "grind", 2])
    assert (answers, status) == ([(1, "")], 1), "code in C that never returns ends with its process"
