"""Ensembles of unlike learners that know how wrong they may be.

A recipe names learners. Each is fitted with whole groups held out; from those out-of-fold answers come the weights
of the learners (a stack: Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1, with weights that are not negative and
sum to one: Breiman 1996, doi 10.1007/BF00117832) and the calibration of the intervals. Then each learner is fitted
on all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.censored import impute_censored
from hstore_models.conformal import calibrate
from hstore_models.domain import strange_elements_in_folds
from hstore_models.learners import Learner, check_learner, fit_learner
from hstore_models.splits import steady_folds
from hstore_models.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.calibration import Calibration
    from hstore_models.splits import Groups

TRANSFORMS = ("none", "log", "sqrt")
"""What may be done to a target before learning."""

_LOWEST_FOR_LOG = 1e-3
_EVEN_PULL = 0.05
"""Part of the error by which a stack on one learner alone must be better than the even mean."""
_CENSORED_PASSES = 2
_LEAST_ERROR = 1e-9
"""Standard deviation below which what is expected under a bound would be a division by zero."""


@dataclass(frozen=True)
class Recipe:
    """How one target is learned."""

    learners: tuple[Learner, ...]
    """Unlike learners whose answers are averaged."""
    transform: str = "none"
    """What is learned: the target itself (``none``), its natural logarithm (``log``) or its root (``sqrt``)."""
    low: float = -np.inf
    """Physical lower limit of the answer."""
    high: float = np.inf
    """Physical upper limit of the answer."""
    monotonic: Mapping[int, int] = field(default_factory=dict)
    """Column of the features -> 1 where the answer may only rise with it, -1 where it may only fall; kept by
    learners of the kind ``boosting``."""
    n_folds: int = 5
    """Folds of the out-of-fold answers."""
    seed: int = 0
    """Seed of learners and folds."""

    def __post_init__(self) -> None:
        """Check what can be checked before anything heavy runs."""
        if not self.learners:
            raise InputError("a recipe needs at least one learner, such as Learner('extra_trees')")
        if self.transform not in TRANSFORMS:
            raise unknown_name("transform of the target", self.transform, TRANSFORMS)
        if self.n_folds < 2:
            raise InputError(f"n_folds must be at least 2, got {self.n_folds}")

    def check(self) -> None:
        """Check that every learner can be built.

        Raises:
            InputError: one cannot.
        """
        for learner in self.learners:
            check_learner(learner)


@dataclass(frozen=True)
class Ensemble:
    """A fitted recipe; every field can be saved without pickle."""

    learners: dict[str, Any]
    """Name -> fitted learner."""
    columns: dict[str, IntArray]
    """Name -> columns of the features the learner sees."""
    weights: dict[str, float]
    """Name -> weight of the learner's answer."""
    transform: str
    """What the learners answer, see :class:`Recipe`."""
    low: float
    """Lower limit of the answer."""
    high: float
    """Upper limit of the answer."""
    calibration: Calibration
    """How spread becomes intervals and standard deviations."""
    target: FloatArray
    """Training values, shape ``(n,)``; what stands for a censored one is its expectation."""
    oof_mean: FloatArray
    """Out-of-fold answer for each training row, shape ``(n,)``."""
    oof_spread: FloatArray
    """Out-of-fold spread for each training row, shape ``(n,)``."""
    folds: IntArray
    """Fold of each training row, shape ``(n,)``."""

    def mean_and_spread(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the answer and how far learners and trees disagree, each of shape ``(n,)``, in the target's unit.

        Args:
            features: shape ``(n, d)``, NaN where missing.
        """
        seen: dict[bytes, FloatArray] = {}  # learners mostly look at the same columns
        answers: _Answers = {}
        for name, fitted in self.learners.items():
            columns = self.columns[name]
            if columns.tobytes() not in seen:
                seen[columns.tobytes()] = _taken(features, columns)
            answers[name] = fitted.predict(seen[columns.tobytes()])
        return _combined(answers, self.weights, self)

    def importances(self, n_features: int) -> FloatArray:
        """Return the share of each feature in what its forests have learned, shape ``(d,)``; 0 without forests."""
        total = np.zeros(n_features)
        for name, fitted in self.learners.items():
            if isinstance(fitted, Trees):
                np.add.at(total, self.columns[name], self.weights[name] * fitted.importances)
        return total / total.sum() if total.sum() > 0 else total

    def predict(
        self,
        features: FloatArray,
        families: Sequence[str] | NDArray[Any] | None = None,
        strange: NDArray[np.bool_] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation, each of shape ``(n,)``.

        Args:
            features: shape ``(n, d)``, NaN where missing.
            families: family of each row, as in the fit.
            strange: rows with an element that hardly any training material contains.
        """
        mean, spread = self.mean_and_spread(features)
        return mean, self.calibration.reach(spread, mean, families, strange).std


@dataclass(frozen=True)
class Task:
    """What is learned from: rows with known values, and what is known of them."""

    features: FloatArray
    """Shape ``(n, d)``, NaN where missing."""
    target: FloatArray
    """Known values, shape ``(n,)``."""
    groups: Groups
    """Chemical system (or other group) of each row, shape ``(n,)``; whole groups are held out."""
    blocks: Mapping[str, Sequence[int] | IntArray] = field(default_factory=dict)
    """Name of a block of features -> its columns; needed when a learner sees only some."""
    weights: FloatArray | None = None
    """Weight of each row, shape ``(n,)``, above 0; equal when None."""
    scored: NDArray[np.bool_] | None = None
    """Rows that choose the weights of learners and the intervals, shape ``(n,)``; the others only train."""
    bounds: NDArray[np.bool_] | None = None
    """Rows whose target is an upper bound of the value, shape ``(n,)``; no row when None."""
    open_end: float | None = None
    """Lower end of intervals that hold whatever lies below a bound; the lowest target when None."""
    families: Sequence[str] | NDArray[Any] | None = None
    """Family of each row, for intervals that hold in each."""
    amounts: Sequence[dict[str, float]] | None = None
    """Amounts of elements of each row, for intervals that widen where an element is rare."""

    @property
    def row_weights(self) -> FloatArray:
        """Weight of each row, shape ``(n,)``."""
        return np.ones(len(self.target)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Rows that choose weights of learners and intervals, shape ``(n,)``."""
        return np.ones(len(self.target), dtype=bool) if self.scored is None else self.scored

    def columns(self, learner: Learner) -> IntArray:
        """Return the columns a learner sees, in ascending order; those of a block that counts n times, n times.

        Raises:
            UnknownNameError: it wants a block that is not there.
        """
        if not learner.blocks:
            return np.arange(self.features.shape[1])
        wanted = [_block(text) for text in learner.blocks]
        for name, _ in wanted:
            if name not in self.blocks:
                raise unknown_name("block of features", name, list(self.blocks))
        parts = [np.repeat(np.asarray(self.blocks[name], dtype=np.int64), times) for name, times in wanted]
        return np.sort(np.concatenate(parts))


def fit_ensemble(task: Task, recipe: Recipe) -> Ensemble:
    """Fit a recipe and calibrate its intervals on out-of-fold residuals.

    Args:
        task: the rows.
        recipe: the learners.

    Raises:
        InputError: fewer than two groups, or a learner wants a block that is not there.
    """
    names = _names(recipe.learners)
    columns = {name: task.columns(learner) for name, learner in zip(names, recipe.learners, strict=True)}
    folds = steady_folds(task.groups, n_folds=recipe.n_folds, seed=recipe.seed)
    given = np.asarray(task.target, dtype=np.float64)
    known, counted = given.copy(), task.counted
    censored = task.bounds is not None and bool(np.any(task.bounds))
    if not counted.any() or (task.bounds is not None and not np.any(counted & ~task.bounds)):
        raise InputError(
            f"none of the {len(given)} rows states a value that may be scored (all are bounds or of low weight); "
            "add measured values"
        )
    for _ in range(_CENSORED_PASSES if censored else 1):
        values = forward(known, recipe.transform)
        answers = _out_of_fold(task, recipe, names, columns, values, folds)
        shares = _stack(answers, known, counted, recipe.transform)
        mean, spread = _combined(answers, shares, recipe)
        if censored:
            assert task.bounds is not None
            error = max(float(np.std((known - mean)[~task.bounds & counted])), _LEAST_ERROR)
            known = impute_censored(given, task.bounds, mean, np.full(len(mean), error))
    values = forward(known, recipe.transform)
    learners = {
        name: fit_learner(
            _bound(learner, columns[name], recipe),
            task.features[:, columns[name]],
            values,
            task.row_weights,
            seed=recipe.seed,
        )
        for name, learner in zip(names, recipe.learners, strict=True)
        if shares[name] > 0
    }
    strange = None if task.amounts is None else strange_elements_in_folds(task.amounts, folds)
    calibration = calibrate(
        given,
        mean,
        spread,
        families=task.families,
        strange=strange,
        counted=counted,
        bounds=task.bounds,
        open_end=task.open_end,
    )
    return Ensemble(
        learners=learners,
        columns={name: columns[name] for name in learners},
        weights={name: shares[name] for name in learners},
        transform=recipe.transform,
        low=recipe.low,
        high=recipe.high,
        calibration=calibration,
        target=known,
        oof_mean=mean,
        oof_spread=spread,
        folds=folds,
    )


def forward(target: FloatArray, transform: str) -> FloatArray:
    """Return what is learned for a target, shape ``(n,)``."""
    if transform == "log":
        return np.asarray(np.log(np.maximum(target, _LOWEST_FOR_LOG)))
    return np.asarray(np.sqrt(np.maximum(target, 0.0))) if transform == "sqrt" else np.asarray(target)


def _back(values: FloatArray, transform: str) -> tuple[FloatArray, FloatArray]:
    """Return the target for what was learned, and its slope."""
    if transform == "log":
        grown = np.exp(np.clip(values, -50.0, 50.0))
        return grown, grown
    if transform == "sqrt":
        root = np.maximum(values, 0.0)
        return root**2, 2.0 * root
    return values, np.ones(len(values))


def _taken(features: FloatArray, columns: IntArray) -> FloatArray:
    """Return some columns; where they stand side by side, without copying them."""
    if len(columns) and (np.diff(columns) == 1).all():
        return features[:, columns[0] : columns[-1] + 1]
    return features[:, columns]


_Answers = dict[str, tuple["FloatArray", "FloatArray"]]


def _combined(
    answers: _Answers, weights: Mapping[str, float], form: Recipe | Ensemble
) -> tuple[FloatArray, FloatArray]:
    """Average the learners; the spread joins that of their trees and their disagreement."""
    share = np.array([weights[name] for name in answers])[:, None]
    means = np.array([mean for mean, _ in answers.values()])
    spreads = np.array([spread for _, spread in answers.values()])
    middle = (share * means).sum(axis=0)
    variance = (share * (spreads**2 + (means - middle) ** 2)).sum(axis=0)
    result, slope = _back(middle, form.transform)
    return np.clip(result, form.low, form.high), np.sqrt(variance) * np.abs(slope)


def _out_of_fold(
    task: Task,
    recipe: Recipe,
    names: list[str],
    columns: dict[str, IntArray],
    values: FloatArray,
    folds: IntArray,
) -> _Answers:
    answers: _Answers = {name: (np.empty(len(values)), np.empty(len(values))) for name in names}
    weights = task.row_weights
    for fold in np.unique(folds):
        out, kept = folds == fold, folds != fold
        for name, learner in zip(names, recipe.learners, strict=True):
            seen = task.features[:, columns[name]]
            bound = _bound(learner, columns[name], recipe)
            fitted = fit_learner(bound, seen[kept], values[kept], weights[kept], seed=recipe.seed)
            answers[name][0][out], answers[name][1][out] = fitted.predict(seen[out])
    return answers


def _bound(learner: Learner, columns: IntArray, recipe: Recipe) -> Learner:
    """Tell a boosting learner which of its columns the answer may only rise or fall with."""
    if learner.kind != "boosting" or not recipe.monotonic:
        return learner
    signs = [recipe.monotonic.get(int(column), 0) for column in columns]
    return replace(learner, parameters={**learner.parameters, "monotonic_cst": signs})


def _stack(answers: _Answers, target: FloatArray, scored: NDArray[np.bool_], transform: str) -> dict[str, float]:
    """Return weights, not negative and of sum one, of least absolute error, pulled a little towards even ones."""
    from scipy.optimize import minimize

    names = list(answers)
    if len(names) == 1:
        return {names[0]: 1.0}
    wanted = forward(target[scored], transform)
    means = np.array([answers[name][0][scored] for name in names])
    even = np.full(len(names), 1.0 / len(names))
    typical = float(np.mean(np.abs(wanted - even @ means))) or 1.0

    def loss(weights: FloatArray) -> float:
        error = float(np.mean(np.abs(wanted - weights @ means))) / typical
        return error + _EVEN_PULL * float(((weights - even) ** 2).sum())

    best = minimize(
        loss, even, method="SLSQP", bounds=[(0.0, 1.0)] * len(names),
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1.0},
    )  # fmt: skip
    weights = np.where(best.x > 0.02, best.x, 0.0) if best.success else even
    return dict(zip(names, (weights / weights.sum()).tolist(), strict=True))


def _block(text: str) -> tuple[str, int]:
    """Split ``columns x10`` into the name of the block and how often it counts."""
    name, _, times = text.rpartition(" x")
    return (name, int(times)) if name and times.isdecimal() and int(times) > 0 else (text, 1)


def _names(learners: Sequence[Learner]) -> list[str]:
    """Name learners by kind and blocks, with a number where two are alike."""
    names: list[str] = []
    for learner in learners:
        words = " ".join([learner.kind.rpartition(".")[2], *learner.blocks])
        names.append(words if words not in names else f"{words} {len(names) + 1}")
    return names
