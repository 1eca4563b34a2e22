"""Score a recipe on one public set with whole groups held out, or by the set's own split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.formula import parse_formula
from hstore_models.baselines import Baselines
from hstore_models.leaks import refuse
from hstore_models.learning_curve import learning_curve
from hstore_models.splits import split_hash
from hstore_workflows.evaluate.protocol import Scoring, fit_recipe
from hstore_workflows.evaluate.report import (
    Answers,
    ask_baselines,
    baseline_errors,
    blocks,
    scored_unit,
    without_nan,
)
from hstore_workflows.evaluate.row_answers import row_answers
from hstore_workflows.evaluate.rows import families, floor, groups, keys, query, with_training_rows
from hstore_workflows.evaluate.task import Fold, Task, folds_of, leaks_between, make_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_models.splits import Split


@dataclass(frozen=True, eq=False)
class _Run:
    """Answers of one seed."""

    split: Split
    """Which row was in which fold."""
    answers: Answers
    """Held-out answers."""
    baselines: Baselines
    """Held-out answers of the baselines."""
    leaked: NDArray[np.bool_]
    """True for held-out rows that are nearly repeated in training, shape ``(n,)``."""
    dropped: int
    """Training rows left out as near-duplicates, over all folds."""
    named: list[str]
    """Near-duplicates in words."""


def cross_validate(
    property_name: str,
    data_set: str,
    settings: Settings,
    how: Scoring | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
    keep: Callable[[pd.DataFrame], None] | None = None,
) -> dict[str, Any]:
    """Score the recipe on one public set by its own split, or else with whole groups held out.

    Every training row of a held-out group is kept from training, whichever set it is from. ``obelix`` is scored
    on its official test split; by any other split its training part alone is scored, so that the test part
    stays unseen.

    Args:
        property_name: canonical property name.
        data_set: name of the public set.
        settings: where data and models are.
        how: choices of the user.
        say: is told what is being done.
        keep: is given the known value and the answer of every row, see
            :func:`~hstore_workflows.evaluate.row_answers.row_answers`.

    Returns:
        ``n, mae, median_error, rmse, r2, spearman, mae_mean_predictor, mae_nearest_neighbour, mae_plain_forest,
        coverage, mean_width, noise_floor_mae``, means over the seeds; subset, split and hash; what was done about
        near-duplicates; and the blocks ``by_formula`` (rows whose formula reads as it is written, and those that
        need reading), ``by_family``, ``by_range``, ``domain`` and ``calibration``. Pressures are scored as natural
        logarithms. What is not defined is None.

    Raises:
        InputError: the data set has no values of the property, or is not used by its model.
        LeakError: near-duplicates stand on both sides of the split, and the policy is ``refuse``.
    """
    task = make_task(property_name, data_set, settings, how or Scoring())
    policy = task.how.policy(task.name)
    plans = {seed: (split, folds_of(task, split)) for seed in task.how.seeds for split in [task.split(seed)]}
    if policy == "refuse":
        for _, folds in plans.values():
            for fold in folds:
                refuse(fold.leaks)
    runs = [_run(task, seed, split, folds, policy, say) for seed, (split, folds) in plans.items()]
    if keep:
        keep(pd.concat([_rows(task, seed, run) for seed, run in zip(plans, runs, strict=True)], ignore_index=True))
    report = _report(task, data_set, runs, policy)
    if task.how.learning_curve:
        report["learning_curve"] = _learning_curve(task, runs[0].split, policy, say)
    return dict(without_nan(report))


def _run(task: Task, seed: int, split: Split, folds: list[Fold], policy: str, say: Callable[[str], None]) -> _Run:
    size = len(task.scored)
    columns = {name: np.full(size, np.nan) for name in ("mean", "std", "lower", "upper")}
    columns |= {"in_domain": np.zeros(size, dtype=bool), "reason": np.full(size, "", dtype=object)}
    beside = {name: np.full(size, np.nan) for name in Baselines.__dataclass_fields__}
    leaked, dropped = np.zeros(size, dtype=bool), 0
    for number, fold in enumerate(folds):
        say(f"seed {seed}, fold {number + 1} of {len(folds)}")
        trained = fold.clean() if policy == "drop" else fold.trained
        dropped += int(fold.trained.sum() - trained.sum())
        leaked[fold.held_out] = fold.leaks.scored
        answer, base = _answers(task, fold.held_out, trained, seed)
        for name, column in columns.items():
            column[fold.held_out] = getattr(answer, name)
        for name, values in base.answers().items():
            beside[name][fold.held_out] = values
    answers = Answers(truth=task.truth, **columns)
    named = [words for fold in folds for words in fold.leaks.named()]
    return _Run(split, answers, Baselines(**beside), leaked, dropped, named)


def _answers(
    task: Task, held_out: NDArray[np.bool_], trained: NDArray[np.bool_], seed: int
) -> tuple[Answers, Baselines]:
    """Train the recipe and the baselines on some rows, and ask them for others."""
    asked = query(task.property_name, task.scored[held_out])
    model = fit_recipe(with_training_rows(task.property_name, task.data, trained), seed)
    answer = model.predict(task.property_name, asked)
    known = task.trained[trained].reset_index(drop=True)
    full = task.how.baselines
    beside = ask_baselines(task.property_name, task.model, known, asked, full=full, seed=seed)
    return Answers.of(task.property_name, task.truth[held_out], answer), beside


def _rows(task: Task, seed: int, run: _Run) -> pd.DataFrame:
    unit, family = scored_unit(task.property_name), task.how.family
    places = {"seed": seed, "fold": run.split.folds}
    return row_answers(task.model, task.scored, run.answers, unit=unit, leaked=run.leaked, family=family, **places)


def _report(task: Task, data_set: str, runs: list[_Run], policy: str) -> dict[str, Any]:
    split = runs[0].split
    floor_ = floor(task.model, task.scored, task.truth)
    folds = [fold for run in runs for fold in run.split.folds.tolist()]
    named = [f"{seed} {key}" if seed else key for seed, _ in enumerate(runs) for key in keys(task.scored)]
    report = {
        "property": task.property_name,
        "data_set": data_set,
        "unit": scored_unit(task.property_name),
        "subset": task.subset,
        "split": task.name,
        "protocol": _protocol(task, split),
        "seeds": list(task.how.seeds),
        "split_hash": split_hash(named, folds),
        **_scores(runs, np.ones(len(task.scored), dtype=bool)),
        "n": len(task.scored),
        "noise_floor_mae": floor_.mae,
        "noise_floor_rows": floor_.n_rows,
        "leaks": {
            "policy": policy,
            "scored_rows": float(np.mean([run.leaked.sum() for run in runs])),
            "training_rows_dropped": float(np.mean([run.dropped for run in runs])),
            "named": runs[0].named[:10],
        },
    }
    if policy == "report":
        report["unseen"] = _unseen(runs)
    read = _as_written(task)
    if read.any() and not read.all():
        report["by_formula"] = {"as written": _scores(runs, read), "needs reading": _scores(runs, ~read)}
    answers = [run.answers for run in runs]
    return report | blocks(
        answers, families(task.model, task.scored, task.how.family), groups(task.model, task.scored)
    )


def _scores(runs: list[_Run], rows: NDArray[np.bool_]) -> dict[str, float]:
    """Score some of the rows, the baselines beside: means over the seeds."""
    found = []
    for run in runs:
        answers, beside = run.answers.take(rows), run.baselines.take(rows)
        found.append(answers.scores(beside.mean_predictor) | baseline_errors(beside, answers.truth))
    return {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}


def _as_written(task: Task) -> NDArray[np.bool_]:
    """Mark rows whose formula is elements and amounts alone: no percentages, additives, remarks, phase notes."""
    if "formula" not in task.scored:
        return np.ones(len(task.scored), dtype=bool)
    return np.array([not parse_formula(text).notes for text in task.scored["formula"]], dtype=bool)


def _protocol(task: Task, split: Split) -> str:
    if task.name == "official":
        return "official test split"
    count = len(np.unique(split.folds))
    return f"leave one family out, {count} folds" if task.name == "family" else f"{count}-fold, grouped"


def _unseen(runs: list[_Run]) -> dict[str, float] | None:
    """Score the rows that are not nearly repeated in training; None where all are."""
    if any(run.leaked.all() for run in runs):
        return None
    parts = [run.answers.take(~run.leaked) for run in runs]
    scores = [part.scores(float("nan")) for part in parts]
    names = ("n", "mae", "median_error", "rmse", "spearman", "coverage", "mean_width")
    return {name: float(np.mean([score[name] for score in scores])) for name in names}


def _learning_curve(task: Task, split: Split, policy: str, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Repeat the cross-validation with fewer training groups."""
    size = len(task.trained)
    # By an official split, a chemical system may be on both sides: nothing is kept from training for its name.
    prefix = "trained " if task.name == "official" else ""
    names = np.array([*(prefix + name for name in task.trained_labels.tolist()), *split.groups.tolist()])

    def fit_predict(trained: NDArray[np.bool_], asked: NDArray[np.bool_], seed: int) -> FloatArray | None:
        rows, mask = asked[size:], trained[:size].copy()
        if policy == "drop":
            mask[np.flatnonzero(mask)[leaks_between(task, rows, mask).trained]] = False
        try:
            model = fit_recipe(with_training_rows(task.property_name, task.data, mask), seed)
        except InputError:  # too few rows to train the model at all
            return None
        answer = model.predict(task.property_name, query(task.property_name, task.scored[rows]))
        return Answers.of(task.property_name, task.truth[rows], answer).mean

    points = learning_curve(
        fit_predict,
        np.concatenate([np.full(size, np.nan), task.truth]),
        names,
        np.concatenate([np.full(size, -1), split.folds]),
        pool=np.arange(len(names)) < size,
        seeds=task.how.seeds,
        say=say,
    )
    return [point.as_dict() for point in points]
