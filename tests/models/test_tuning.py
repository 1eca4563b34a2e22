"""The search for parameters: seeded, pruned, kept; a killed one goes on; what it finds goes into the spec."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.ensemble import Task
from hstore_models.learners import Learner
from hstore_models.spec import Spec
from hstore_models.tuning import Tuned, tune, with_parameters, with_tuned

SVR = "sklearn.svm.SVR"

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_tuning import make_spec, make_task, tune
tune(make_spec(7), "stiffness_gpa", make_task(), Path(sys.argv[2]), study_name="killed", seed=1,
     say=lambda line: print(line, flush=True))
"""


def make_spec(trials=8, space=None, learners=({"kind": "extra_trees", "parameters": {"n_estimators": 10}},)):
    return Spec.model_validate(
        {
            "name": "stiffness",
            "kind": "property",
            "summary": "Test.",
            "split": {"n_folds": 3},
            "targets": {"stiffness_gpa": {"features": ["magpie"], "learners": learners}},
            "tuning": {
                "trials": trials,
                "space": {"extra_trees.min_samples_leaf": (1, 60), "extra_trees.max_features": (0.1, 1.0)}
                if space is None
                else space,
            },
        }
    )


def make_task():
    rng = np.random.default_rng(0)
    features = rng.uniform(-1, 1, (120, 5))
    target = 5 * features[:, 0] + np.sin(4 * features[:, 1]) + rng.normal(0, 0.1, 120)
    return Task(features, target, np.repeat(np.arange(40), 3).astype(str))


def search(path, spec=None, name="study", **options):
    return tune(spec or make_spec(), "stiffness_gpa", make_task(), path, study_name=name, **options)


def trials_of(path, name="study"):
    import optuna

    study = optuna.load_study(study_name=f"{name} stiffness_gpa", storage=f"sqlite:///{path}")
    return study.get_trials(deepcopy=False)


def test_a_search_is_seeded_and_beats_or_keeps_the_spec(tmp_path):
    first, again = (search(tmp_path / f"{i}.sqlite", seed=2) for i in range(2))
    assert first == again
    assert first.trials == 8
    assert first.error <= first.error_before
    assert set(first.parameters) == {"extra_trees.min_samples_leaf", "extra_trees.max_features"}
    assert isinstance(first.parameters["extra_trees.min_samples_leaf"], int)
    assert 0.1 <= first.parameters["extra_trees.max_features"] <= 1.0


def test_the_spec_as_it_is_is_the_first_trial(tmp_path):
    spec = make_spec(
        1, learners=[{"kind": "extra_trees", "parameters": {"min_samples_leaf": 7, "n_estimators": 10}}]
    )
    found = search(tmp_path / "s.sqlite", spec)
    assert found.error == found.error_before
    assert found.parameters["extra_trees.min_samples_leaf"] == 7
    assert found.parameters["extra_trees.max_features"] == 0.35  # the default one


def test_a_study_is_kept_and_a_longer_one_goes_on(tmp_path):
    lines = []
    short = search(tmp_path / "s.sqlite", make_spec(4))
    longer = search(tmp_path / "s.sqlite", make_spec(7), say=lines.append)
    assert (short.trials, longer.trials, len(lines)) == (4, 7, 3)
    assert longer.error <= short.error
    assert longer.error_before == short.error_before
    assert "trial 7 of 7" in lines[-1]
    again = search(tmp_path / "s.sqlite", make_spec(7), say=lines.append)
    assert (again, len(lines)) == (longer, 3)  # a finished search does nothing


def test_bad_trials_are_given_up_before_their_last_fold(tmp_path):
    from optuna.trial import TrialState

    found = search(tmp_path / "s.sqlite", make_spec(14))
    trials = trials_of(tmp_path / "s.sqlite")
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert pruned
    assert all(len(trial.intermediate_values) < 3 for trial in pruned)
    assert found.trials == len(trials) == 14
    assert found.error == min(t.value for t in trials if t.state == TrialState.COMPLETE)


@pytest.mark.long
def test_a_killed_search_goes_on_and_ends_with_as_many_trials(tmp_path):
    from optuna.trial import TrialState

    path = tmp_path / "s.sqlite"
    command = [sys.executable, "-c", SCRIPT, os.path.dirname(__file__), str(path)]  # noqa: PTH120 - text for argv
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "trial 3 of 7" in line:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    before = [t.number for t in trials_of(path, "killed") if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    assert 3 <= len(before) < 7
    found = search(path, make_spec(7), "killed", seed=1)
    trials = trials_of(path, "killed")
    ended = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    assert found.trials == len(ended) == 7
    assert not [t for t in trials if t.state in {TrialState.RUNNING, TrialState.WAITING}]
    assert before == [t.number for t in ended[: len(before)]]  # nothing was done twice
    whole = search(tmp_path / "other.sqlite", make_spec(7), "whole", seed=1)
    assert found == whole  # the same as a search that nobody killed


def test_a_first_trial_that_was_killed_is_tried_again(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("hstore_models.tuning.fit_learner", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "s.sqlite")
    monkeypatch.undo()
    found = search(tmp_path / "s.sqlite")
    assert found == search(tmp_path / "undisturbed.sqlite")


def test_a_learner_without_an_answer_ends_the_search_all_the_same(tmp_path, monkeypatch):
    class Nothing:
        def predict(self, features):
            return np.full(len(features), np.nan), np.zeros(len(features))

    monkeypatch.setattr("hstore_models.tuning.fit_learner", lambda *_, **__: Nothing())
    found = search(tmp_path / "s.sqlite", make_spec(3))
    assert (found.trials, found.error) == (3, np.inf)


def test_what_was_found_goes_into_the_spec():
    spec = make_spec(learners=[{"kind": "extra_trees"}, {"kind": SVR, "parameters": {"kernel": "rbf"}}])
    tuned = Tuned("stiffness_gpa", {"extra_trees.min_samples_leaf": 4, f"{SVR}.C": 3.5}, 0.1, 0.2, 8)
    learners = with_tuned(spec, [tuned]).targets["stiffness_gpa"].learners
    assert learners[0].parameters == {"min_samples_leaf": 4}
    assert learners[1].parameters == {"kernel": "rbf", "C": 3.5}
    assert spec.targets["stiffness_gpa"].learners[0].parameters == {}


def test_parameters_go_to_learners_of_their_kind():
    learners = (Learner("extra_trees", {"trim": 0.1}), Learner(SVR))
    changed = with_parameters(learners, {"extra_trees.trim": 0.2, f"{SVR}.C": 2.0})
    assert [dict(learner.parameters) for learner in changed] == [{"trim": 0.2}, {"C": 2.0}]


def test_an_estimator_named_by_its_path_is_tuned_too(tmp_path):
    spec = make_spec(5, {f"{SVR}.C": (0.1, 100.0)}, [{"kind": SVR}])
    found = search(tmp_path / "s.sqlite", spec)
    assert set(found.parameters) == {f"{SVR}.C"}
    values = {trial.params[f"{SVR}.C"] for trial in trials_of(tmp_path / "s.sqlite")}
    errors = {trial.value for trial in trials_of(tmp_path / "s.sqlite")}
    assert len(values) > 3
    assert len(errors) > 1  # the parameter reaches the estimator


@pytest.mark.parametrize(
    ("space", "error", "words"),
    [
        ({}, InputError, "names nothing to tune"),
        ({"extra_trees.max_features": (0.8, 0.1)}, InputError, "low below high, got \\[0.8, 0.1\\]"),
        ({"extra_tree.max_features": (0.1, 0.8)}, UnknownNameError, "parameter in tuning.space"),
        ({"boosting.max_iter": (10, 20)}, UnknownNameError, "extra_trees.PARAMETER"),
        ({"max_features": (0.1, 0.8)}, UnknownNameError, "parameter in tuning.space"),
        ({"extra_trees.max_feature": (0.1, 0.8)}, InputError, "max_feature"),
        ({"extra_trees.max_features": (0.1, 7.5)}, InputError, "max_features"),
        ({"extra_trees.trim": (0.1, 0.7)}, InputError, "below 0.5, got 0.7"),
    ],
)
def test_a_space_is_checked_before_anything_is_fitted(tmp_path, monkeypatch, space, error, words):
    monkeypatch.delattr("hstore_models.tuning.fit_learner")
    with pytest.raises(error, match=words):
        search(tmp_path / "s.sqlite", make_spec(space=space))
    assert not list(tmp_path.iterdir())
