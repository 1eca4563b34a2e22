"""Honest scores of a regressor in a notebook: whole groups held out, leaks audited, baselines beside the score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore_models.baselines import nearest_neighbour, plain_forest
from hstore_models.coverage import NOMINAL_LEVELS, by_family, by_range, calibration_curve, flag_scores
from hstore_models.formula_rows import read_labels, read_rows, read_values
from hstore_models.leaks import POLICIES, Side, audit, refuse
from hstore_models.learning_curve import SHARES, learning_curve
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.split_labels import inferred_families
from hstore_models.splits import Split, grouped_split
from hstore_models.table_property import LEAST_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.estimator import PropertyRegressor
    from hstore_models.formula_rows import FormulaRows
    from hstore_models.leaks import Leaks

_OF_IONS = frozenset({"electrolyte", "roots"})
_BASELINES = ("mean_predictor", "nearest_neighbour", "plain_forest")
_LEAST_GROUPS = 2


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Answers for every row by a regressor that saw nothing of its group."""

    table: pd.DataFrame
    """A row for each given one, in order: ``formula, group, family, measured, predicted, std, lower, upper,
    in_domain, reason, fold``, and what the baselines say: ``mean_predictor, nearest_neighbour, plain_forest``."""
    target: str
    """Name of the property."""
    unit: str
    """Its unit; empty where none was stated."""
    split: Split
    """Which row was in which fold, with the hash of it."""
    leaks: pd.DataFrame
    """Near-duplicates across the split, a row for each pair: ``scored, trained, kind, fold, dropped``."""

    def scores(self) -> pd.Series[float]:
        """Return the scores, with subset, split and its hash as their name.

        ``n``; ``mae``, ``median_error`` and ``rmse`` in the unit of the property; ``r2`` and ``spearman``;
        ``mae_mean_predictor``, ``mae_nearest_neighbour`` and ``mae_plain_forest`` of the baselines; ``coverage``
        and ``mean_width`` of the 90 % intervals; ``share_flagged`` as outside the domain, and the ``error_ratio``
        of flagged to other rows.
        """
        truth, mean = self._column("measured"), self._column("predicted")
        found = regression_scores(truth, mean, baseline=self._column("mean_predictor"))
        for name in _BASELINES[1:]:
            found[f"mae_{name}"] = float(np.mean(np.abs(self._column(name) - truth)))
        found |= interval_scores(truth, self._column("lower"), self._column("upper"))
        flags = flag_scores(np.abs(mean - truth), self.table["in_domain"].to_numpy(dtype=bool))
        found |= {name: float(flags[name]) for name in ("share_flagged", "error_ratio")}
        return pd.Series(found, name=f"{self.target} ({self.unit}): {self.split}", dtype=float)

    def by_family(self) -> pd.DataFrame:
        """Score each family by itself, those with most rows first; see :class:`~hstore_models.coverage.Part`."""
        found = by_family(self.table["family"].to_numpy(dtype=str), *self._errors())
        return pd.DataFrame([asdict(part) for part in found]).set_index("label")

    def by_range(self) -> pd.DataFrame:
        """Score each fifth of the measured values by itself; see :class:`~hstore_models.coverage.Part`."""
        found = by_range(self._column("measured"), *self._errors())
        return pd.DataFrame([asdict(part) for part in found]).set_index("label")

    def calibration(self, levels: Sequence[float] = NOMINAL_LEVELS) -> pd.DataFrame:
        """Return ``nominal`` and ``observed`` coverage of central intervals, a row for each level, 0 to 1.

        Args:
            levels: nominal levels, 0 to 1.
        """
        truth, mean, std = (self._column(name) for name in ("measured", "predicted", "std"))
        observed = calibration_curve(truth, mean, std, levels=levels)
        return pd.DataFrame({"nominal": list(levels), "observed": list(observed.values())})

    def plot_parity(self) -> Figure:
        """Draw predicted against measured values with their 90 % intervals, coloured by family."""
        from hstore_models.plots import parity_figure

        return parity_figure(self.table, self.target, self.unit)

    def plot_residuals_by_family(self) -> Figure:
        """Draw the errors of each family, with their number, mean and the coverage of the intervals."""
        from hstore_models.plots import residuals_figure

        return residuals_figure(self.table, self.target, self.unit)

    def plot_calibration(self) -> Figure:
        """Draw observed against nominal coverage, and the coverage of the 90 % intervals of each family."""
        from hstore_models.plots import calibration_figure

        return calibration_figure(self.table, self.calibration(), self.target, self.unit)

    def __str__(self) -> str:
        """Say what was scored, on which split, and what was found of leaks."""
        return f"{self.target}: {self.split}; {len(self.leaks)} near-duplicates across it"

    def _column(self, name: str) -> FloatArray:
        return self.table[name].to_numpy(dtype=np.float64)

    def _errors(self) -> tuple[FloatArray, NDArray[np.bool_], FloatArray, NDArray[np.str_]]:
        """Return error, whether inside the interval, its width and the group of each row."""
        truth, low, high = (self._column(name) for name in ("measured", "lower", "upper"))
        error = np.abs(self._column("predicted") - truth)
        return error, (truth >= low) & (truth <= high), high - low, self.table["group"].to_numpy(dtype=str)


def cross_validate(
    regressor: PropertyRegressor,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    groups: Any = None,
    n_folds: int = 5,
    seed: int = 0,
    *,
    sample_weight: Any = None,
    families: Any = None,
    leaks: str = "drop",
) -> CrossValidation:
    """Answer every row by a clone of a regressor that was fitted without its group.

    Rows that train and nearly repeat a row to be scored (the same composition under another group, or one 0.5 at.%
    away) are named in any case.

    Args:
        regressor: what to judge; it is not changed.
        X: formulas, or a DataFrame with a column ``formula``; shape ``(n,)`` or ``(n, d)``.
        y: values, shape ``(n,)``.
        groups: what is never on both sides of the split, shape ``(n,)``; the chemical systems without hydrogen
            when None.
        n_folds: number of folds.
        seed: seed of the deal of groups to folds.
        sample_weight: weight of each row in the fits, shape ``(n,)``; scores count each row once.
        families: family of each row, shape ``(n,)``, for tables and plots; inferred from compositions when None.
        leaks: ``drop`` to leave such rows out of training, ``report`` to name them only, ``refuse`` for no score.

    Raises:
        InputError: a formula or value cannot be used, too few rows or groups, or no such policy.
        LeakError: there are leaks and they are refused.
    """
    if leaks not in POLICIES:
        raise unknown_name("policy for leaks", leaks, POLICIES)
    rows, truth, systems, weights = _read(regressor, X, y, groups, sample_weight)
    name = "chemical_system" if groups is None else "given groups"
    split = grouped_split(
        name, f"{len(rows)} rows", list(rows.frame["formula"]), systems, n_folds=n_folds, seed=seed
    )
    parts, pairs = [], []
    for fold, asked in split.held_out():
        trained, found = _audited(rows, asked, leaks, host=regressor.host)
        pairs.append(_pairs(found, rows, asked, fold, dropped=leaks == "drop"))
        answers = _fitted(regressor, rows, truth, systems, weights, trained).predict_table(rows.take(asked).frame)
        bases = _baselines(regressor, rows, truth, trained, asked)
        parts.append(answers.assign(**bases, place=np.flatnonzero(asked)))
    answers = pd.concat(parts).sort_values("place").rename(columns={"mean": "predicted"})
    table = rows.frame[["formula"]].assign(
        group=systems,
        family=_families(regressor, rows) if families is None else read_labels(families, len(rows), "families"),
        measured=truth,
        **{
            name: answers[name].to_numpy()
            for name in ("predicted", "std", "lower", "upper", "in_domain", "reason")
        },
        fold=split.folds,
        **{name: answers[name].to_numpy() for name in _BASELINES},
    )
    target, unit = _named(regressor, y)
    return CrossValidation(table, target, unit, split, pd.concat(pairs, ignore_index=True))


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """How the error on held-out groups falls with the number of groups that train."""

    table: pd.DataFrame
    """A row for each share: ``share, n_groups, n_rows, mae, mae_std``."""
    target: str
    """Name of the property."""
    unit: str
    """Its unit; empty where none was stated."""
    mae_mean_predictor: float
    """Mean absolute error of the mean of all training rows."""

    def plot(self) -> Figure:
        """Draw the error against the number of training groups."""
        from hstore_models.plots import learning_curve_figure

        return learning_curve_figure(self.table, self.target, self.unit, self.mae_mean_predictor)


def learning_curve_of(
    regressor: PropertyRegressor,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    groups: Any = None,
    n_folds: int = 5,
    seeds: Sequence[int] = (0,),
    *,
    sample_weight: Any = None,
    shares: Sequence[float] = SHARES,
) -> LearningCurve:
    """Measure what more data would be worth: the error of a regressor trained on growing shares of the groups.

    Args:
        regressor: what to judge; it is not changed.
        X: formulas, or a DataFrame with a column ``formula``.
        y: values, shape ``(n,)``.
        groups: what is never on both sides of the split, shape ``(n,)``; chemical systems when None.
        n_folds: number of folds.
        seeds: seeds of the draws of groups; with several the curve has error bars.
        sample_weight: weight of each row in the fits, shape ``(n,)``.
        shares: shares of the training groups, each above 0 and at most 1; those with too few rows are left out.

    Raises:
        InputError: a formula or value cannot be used, too few rows or groups, or a share outside its range.
    """
    rows, truth, systems, weights = _read(regressor, X, y, groups, sample_weight)
    keys = list(rows.frame["formula"])
    folds = grouped_split("groups", "", keys, systems, n_folds=n_folds, seed=min(seeds)).folds

    def fit_predict(trained: NDArray[np.bool_], asked: NDArray[np.bool_], seed: int) -> FloatArray | None:
        del seed  # it has drawn the groups; learners keep the regressor's own
        if trained.sum() < LEAST_ROWS or len(np.unique(systems[trained])) < _LEAST_GROUPS:
            return None
        fitted = _fitted(regressor, rows, truth, systems, weights, trained)
        return np.asarray(fitted.predict(rows.take(asked).frame), dtype=np.float64)

    points = learning_curve(fit_predict, truth, systems, folds, shares=shares, seeds=seeds)
    if not points:
        raise InputError(
            f"{len(rows)} rows are too few for shares of {list(shares)}; at least {LEAST_ROWS} rows of two groups "
            "must train, so give larger shares or more rows"
        )
    error = np.concatenate([np.abs(truth[folds == f] - truth[folds != f].mean()) for f in np.unique(folds)])
    target, unit = _named(regressor, y)
    return LearningCurve(pd.DataFrame([point.as_dict() for point in points]), target, unit, float(error.mean()))


_Read = tuple["FormulaRows", "FloatArray", "NDArray[np.str_]", "FloatArray | None"]


def _read(regressor: PropertyRegressor, materials: Any, values: Any, groups: Any, sample_weight: Any) -> _Read:
    rows = read_rows(materials, tuple(regressor.columns)).readable()
    truth = read_values(values, len(rows), "y")
    systems = rows.chemical_systems if groups is None else read_labels(groups, len(rows), "groups")
    weights = None if sample_weight is None else read_values(sample_weight, len(rows), "sample_weight")
    return rows, truth, systems, weights


def _named(regressor: PropertyRegressor, values: Any) -> tuple[str, str]:
    """Return name and unit of what is learned, as a fit would have them."""
    spec = regressor.spec_for(values)
    return next(iter(spec.targets)), spec.unit


def _audited(
    rows: FormulaRows, asked: NDArray[np.bool_], policy: str, *, host: bool
) -> tuple[NDArray[np.bool_], Leaks]:
    """Return the mask of the rows that train, shape ``(n,)``, and the near-duplicates across the split."""
    trained = ~asked
    here, there = rows.take(asked), rows.take(trained)
    found = audit(
        Side(list(here.frame["formula"]), here.amounts),
        Side(list(there.frame["formula"]), there.amounts),
        hydrogen=not host,
    )
    if policy == "refuse":
        refuse(found)
    if policy == "drop":
        trained[np.flatnonzero(trained)[found.trained]] = False
    return trained, found


def _pairs(found: Leaks, rows: FormulaRows, asked: NDArray[np.bool_], fold: int, *, dropped: bool) -> pd.DataFrame:
    formulas = rows.frame["formula"].to_numpy()
    here, there = formulas[asked], formulas[~asked]
    pairs = [(here[pair.scored], there[pair.trained], pair.kind, fold, dropped) for pair in found.pairs]
    return pd.DataFrame(pairs, columns=["scored", "trained", "kind", "fold", "dropped"])


def _fitted(
    regressor: PropertyRegressor,
    rows: FormulaRows,
    truth: FloatArray,
    systems: NDArray[np.str_],
    weights: FloatArray | None,
    trained: NDArray[np.bool_],
) -> PropertyRegressor:
    from sklearn.base import clone

    fresh: PropertyRegressor = clone(regressor)
    return fresh.fit(
        rows.take(trained).frame, truth[trained], groups=systems[trained],
        sample_weight=None if weights is None else weights[trained],
    )  # fmt: skip


def _families(regressor: PropertyRegressor, rows: FormulaRows) -> list[str]:
    return inferred_families(rows.amounts, electrolyte=bool(_OF_IONS & set(regressor.features)))


def _baselines(
    regressor: PropertyRegressor,
    rows: FormulaRows,
    truth: FloatArray,
    trained: NDArray[np.bool_],
    asked: NDArray[np.bool_],
) -> dict[str, FloatArray]:
    """Answer with the mean, the nearest row in physics descriptors, and a plain forest on Magpie's.

    The last two are told the columns that the regressor is told.
    """
    physics = "electrolyte" if _OF_IONS & set(regressor.features) else "hydride"
    columns = [rows.query.column(name)[:, None] for name in regressor.columns]
    near, plain = (
        np.concatenate([rows.query.features((group,), host=regressor.host).values, *columns], axis=1)
        for group in (physics, "magpie")
    )
    known = truth[trained]
    return {
        "mean_predictor": np.full(int(asked.sum()), float(known.mean())),
        "nearest_neighbour": nearest_neighbour(near[trained], known, near[asked]),
        "plain_forest": plain_forest(plain[trained], known, plain[asked], seed=regressor.seed),
    }
