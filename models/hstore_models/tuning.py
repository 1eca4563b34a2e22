"""Search for better parameters of the learners of a spec: Optuna, seeded, pruned, and kept against kills.

Each target of a spec has a study of its own in ``HSTORE_HOME/tuning.sqlite``. A trial fits the learners with whole
groups held out, fold by fold; one that is worse than the median of the others after some folds is given up. What
is minimised is the error of the mean answer on rows of unseen groups, never that of an official test split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.learners import check_learner, fit_learner
from hstore_models.spec import Spec, TuningSpec
from hstore_models.splits import steady_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import optuna
    import pandas as pd

    from hstore.arrays import IntArray
    from hstore.settings import Settings
    from hstore_models.ensemble import Recipe, Task
    from hstore_models.learners import Learner
    from hstore_models.training_data import TrainingData


@dataclass(frozen=True)
class Tuned:
    """What a search has found for one target."""

    target: str
    """Target."""
    parameters: dict[str, float | int]
    """``learner.parameter`` -> best value."""
    error: float
    """Mean absolute error with them, groups held out."""
    error_before: float
    """The same with the parameters of the spec as it was."""
    trials: int
    """Trials of the study that have ended, pruned ones included."""


def tune_spec(
    spec: Spec,
    settings: Settings,
    *,
    tables: Mapping[str, pd.DataFrame] | None = None,
    trials: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Spec:
    """Search for better parameters of every target of a spec that has a learner the space names.

    Args:
        spec: what is tuned.
        settings: where data and studies are.
        tables: name -> table of rows to add.
        trials: trials in all; as the spec says when None.
        say: told of each trial, and of what was found.

    Returns:
        The spec with the best parameters.

    Raises:
        InputError: the spec names no space, or a parameter that no learner has.
    """
    from hstore_models.training import address, assemble_rows

    if trials is not None:
        spec = spec.model_copy(update={"tuning": spec.tuning.model_copy(update={"trials": trials})})
    _check_space(spec)
    data, _ = assemble_rows(spec, settings, tables or {})
    name = address(
        spec.model_copy(update={"tuning": TuningSpec(space=spec.tuning.space)}), data.checksums, settings
    )
    found = []
    named = {target: _space_of(spec, target) for target in spec.targets}
    for target, task in _tasks(spec, data).items():
        if not named[target]:
            continue
        tuned = tune(
            spec, target, task, settings.home / "tuning.sqlite", study_name=name, seed=settings.seed, say=say
        )
        say(f"{target}: error {tuned.error_before:.4g} before, {tuned.error:.4g} with {tuned.parameters}")
        found.append(tuned)
    return with_tuned(spec, found)


def _tasks(spec: Spec, data: TrainingData) -> dict[str, Task]:
    """Return what each target of a spec is learned from."""
    from hstore_models import conductivity, hydride_capacity, hydride_thermodynamics, sorbent, table_property

    if spec.kind == "hydride_thermodynamics":
        return hydride_thermodynamics.learning_tasks(data.rows, spec)
    if spec.kind == "hydride_capacity":
        return {hydride_capacity.CAPACITY: hydride_capacity.learning_task(data.rows, spec)}
    if spec.kind == "conductivity":
        return {next(iter(spec.targets)): conductivity.learning_task(data.rows, spec)}
    if spec.kind == "property":
        return {next(iter(spec.targets)): table_property.learning_task(data.rows, spec)[0]}
    if data.simulated is None:
        raise InputError("the sorbent model has nothing to tune without the simulated set (hstore data list)")
    return sorbent.learning_tasks(data.simulated, spec)


def tune(
    spec: Spec,
    target: str,
    task: Task,
    storage: Path,
    *,
    study_name: str,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Tuned:
    """Search until the study has as many trials as the spec asks for; an interrupted study goes on.

    Args:
        spec: what is tuned, see :class:`~hstore_models.spec.TuningSpec`.
        target: which target of it.
        task: the rows.
        storage: SQLite file that keeps the studies.
        study_name: name of the study; the same data and spec must give the same name.
        seed: seed of search and learners.
        say: told of each trial.

    Raises:
        InputError: the spec names no space, or a parameter that no learner has.
    """
    import optuna

    recipe = spec.recipe(target, seed=seed)
    folds = steady_folds(task.groups, n_folds=recipe.n_folds, seed=seed)
    _check_space(spec)
    space = _space_of(spec, target)
    if not space:
        raise InputError(f"tuning.space of {spec.name!r} names no learner of {target}; add one, or tune another")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=f"{study_name} {target}",
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    _end_what_was_killed(study)
    if not _ended(study):  # also when the first trial was killed
        study.enqueue_trial(_present(space, recipe))  # the spec as it is: the first to beat

    def objective(trial: optuna.Trial) -> float:
        chosen = {name: _suggest(trial, name, *span) for name, span in space.items()}
        return _error(with_parameters(recipe.learners, chosen), task, folds, trial, seed=seed)

    while (ended := _ended(study)) < spec.tuning.trials:
        study.sampler = optuna.samplers.TPESampler(seed=seed + ended, n_startup_trials=8)  # the same after a kill
        study.optimize(objective, n_trials=1)
        say(f"{target}: trial {ended + 1} of {spec.tuning.trials}, best {study.best_value:.4g}")
    first = next(t for t in study.trials if t.value is not None)
    return Tuned(
        target, dict(study.best_params), float(study.best_value), float(first.value or 0.0), _ended(study)
    )


def with_tuned(spec: Spec, found: Sequence[Tuned]) -> Spec:
    """Return the spec with the parameters that were found."""
    content = spec.model_dump(mode="json")
    for tuned in found:
        learners = content["targets"][tuned.target]["learners"]
        for name, value in tuned.parameters.items():
            kind, _, parameter = name.rpartition(".")  # a kind may be an import path
            for learner in learners:
                if learner["kind"] == kind:
                    learner["parameters"][parameter] = value
    return Spec.model_validate(content)


def with_parameters(learners: Sequence[Learner], chosen: Mapping[str, float | int]) -> tuple[Learner, ...]:
    """Return learners with parameters ``kind.parameter`` set."""
    from dataclasses import replace

    return tuple(
        replace(
            learner,
            parameters={
                **learner.parameters,
                **{
                    name.rpartition(".")[2]: v
                    for name, v in chosen.items()
                    if name.rpartition(".")[0] == learner.kind
                },
            },
        )
        for learner in learners
    )


def _space_of(spec: Spec, target: str) -> dict[str, tuple[float, float]]:
    """Return the part of the space that names learners of a target."""
    kinds = {learner.kind for learner in spec.targets[target].learners}
    return {name: span for name, span in spec.tuning.space.items() if name.rpartition(".")[0] in kinds}


def _check_space(spec: Spec) -> None:
    """Refuse a space that is empty, or names what no learner has or takes, before anything is read or fitted."""
    if not spec.tuning.space:
        raise InputError(
            f"spec {spec.name!r} names nothing to tune; add tuning.space, such as "
            "'extra_trees.max_features' = [0.1, 0.8]"
        )
    kinds = {learner.kind for target in spec.targets.values() for learner in target.learners}
    for name, (low, high) in spec.tuning.space.items():
        if low >= high:
            raise InputError(f"tuning.space {name!r} must be [low, high] with low below high, got [{low}, {high}]")
        if name.rpartition(".")[0] not in kinds:
            raise unknown_name("parameter in tuning.space", name, [f"{kind}.PARAMETER" for kind in kinds])
    for place in (0, 1):
        ends = {name: _as_given(span[place], span) for name, span in spec.tuning.space.items()}
        for target in spec.targets:
            for learner in with_parameters(spec.recipe(target).learners, ends):
                check_learner(learner)


def _as_given(value: float, span: tuple[float, float]) -> float | int:
    return int(value) if _is_whole(span) else value


def _is_whole(span: tuple[float, float]) -> bool:
    return all(float(end).is_integer() for end in span) and span[1] > 1


def _suggest(trial: optuna.Trial, name: str, low: float, high: float) -> float | int:
    if _is_whole((low, high)):
        return trial.suggest_int(name, int(low), int(high), log=low > 0 and high / low > 10)
    return trial.suggest_float(name, low, high, log=low > 0 and high / low > 10)


def _present(space: Mapping[str, tuple[float, float]], recipe: Recipe) -> dict[str, Any]:
    """Return the parameters of the spec as it is, as far as it states them and they are within the space."""
    found: dict[str, Any] = {}
    for name, (low, high) in space.items():
        kind, _, parameter = name.rpartition(".")
        for learner in recipe.learners:
            value = learner.setting(parameter) if learner.kind == kind else None
            if isinstance(value, int | float) and low <= value <= high:
                found[name] = value
    return found


def _error(learners: Sequence[Learner], task: Task, folds: IntArray, trial: optuna.Trial, *, seed: int) -> float:
    """Return the error of the mean of the learners with groups held out; raises ``TrialPruned`` when it is bad."""
    import optuna

    weights, errors = task.row_weights, []
    for step, fold in enumerate(np.unique(folds)):
        out = folds == fold
        answers = []
        for learner in learners:
            seen = task.features[:, task.columns(learner)]
            fitted = fit_learner(learner, seen[~out], task.target[~out], weights[~out], seed=seed)
            answers.append(fitted.predict(seen[out])[0])
        errors.append(np.abs(np.mean(answers, axis=0) - task.target[out])[task.counted[out]])
        trial.report(float(np.mean(np.concatenate(errors))), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    error = float(np.mean(np.concatenate(errors)))
    return error if np.isfinite(error) else float("inf")  # a trial without a value would be repeated for ever


def _end_what_was_killed(study: optuna.Study) -> None:
    """Mark trials that a killed process left running as failed, so that they are not waited for."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _ended(study: optuna.Study) -> int:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))
