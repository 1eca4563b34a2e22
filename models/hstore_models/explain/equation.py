"""An equation of two or three descriptors beside the black box, and what it costs in error.

Descriptors are chosen one after another: the one with which a quadratic in the chosen ones has the least error on
held-out groups. Then symbolic regression (Operon: Burlacu, Kronberger and Kommenda 2020,
doi 10.1145/3377929.3398099) searches for equations that no other beats in both error and length. Among these, the
shortest counts whose error on groups kept aside is within a tenth of the least one. All of this is done anew with
each fold of groups held out, so the error that is told is one on chemistry that neither choice nor fit has seen;
the black box is held to the same folds.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore_models.ensemble import Recipe, Task, fit_ensemble
from hstore_models.learners import Learner
from hstore_models.metrics import regression_scores
from hstore_models.splits import Split, grouped_folds, grouped_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray

SYMBOLS = "add,sub,mul,div,constant,variable,sqrt,log,exp,square"
"""What an equation may be built of."""
EVALUATIONS = 60_000
"""Equations tried in one search."""
LONGEST = 21
"""Most nodes of an equation: numbers, descriptors and operations."""
_POPULATION = 500
_GOOD_ENOUGH = 1.1
"""Error, in terms of the least one on the groups kept aside, up to which the shorter equation is taken."""
_KEPT_ASIDE = 4
"""One part in this many of the groups chooses among the equations."""
_DIGITS = 4
_ROUNDS = 5
_BLACK_BOX = (Learner("extra_trees", {"n_estimators": 150}), Learner("gaussian_process", {"kernel": "matern32"}))
_DRAWS = 1000


@dataclass(frozen=True)
class Equation:
    """An equation that answers in the unit of the target."""

    text: str
    """In terms of ``x0``, ``x1``, ... of its descriptors, numbers rounded to four digits."""
    descriptors: tuple[str, ...]
    """What ``x0``, ``x1``, ... stand for."""
    low: float
    """Answers below are raised to this: the least training value."""
    high: float
    """Answers above are lowered to this: the largest training value."""
    complexity: int
    """Number of numbers, descriptors and operations."""

    def __call__(self, values: FloatArray) -> FloatArray:
        """Answer for the values of its descriptors, shape ``(n, k)``; the middle where it is not defined."""
        with np.errstate(all="ignore"):
            answer = _callable(self.text, len(self.descriptors))(*values.T)
        full = np.broadcast_to(np.asarray(answer, dtype=complex), len(values))
        real = np.where(np.abs(full.imag) < 1e-9, full.real, np.nan)
        middle = 0.5 * (self.low + self.high)
        return np.clip(np.where(np.isfinite(real), real, middle), self.low, self.high)

    @property
    def used(self) -> tuple[int, ...]:
        """Places of the descriptors that stand in it."""
        import sympy

        symbols = _parsed(self.text, len(self.descriptors)).free_symbols
        return tuple(k for k in range(len(self.descriptors)) if sympy.Symbol(f"x{k}") in symbols)

    def latex(self, symbols: Sequence[str]) -> str:
        """Return it as LaTeX, with symbols for its descriptors."""
        import sympy

        names = {sympy.Symbol(f"x{k}"): symbol for k, symbol in enumerate(symbols)}
        return str(sympy.latex(_parsed(self.text, len(self.descriptors)), symbol_names=names))


@dataclass(frozen=True)
class Front:
    """An equation that no other beats in error and length."""

    equation: Equation
    """The equation."""
    error: float
    """Mean absolute error on groups kept aside from its search."""


@dataclass(frozen=True)
class Contest:
    """Equations and black boxes on the same held-out groups."""

    target: str
    """What is predicted."""
    split: Split
    """Which rows are held out together."""
    scores: dict[str, dict[str, float]]
    """``equation``, ``black_box``, ``black_box_same_descriptors`` and ``mean`` -> scores on held-out rows."""
    gap: tuple[float, float, float]
    """Mean absolute error of the equation less that of the black box, with a 90 % interval of draws of groups."""
    chosen: tuple[tuple[str, ...], ...]
    """Descriptors chosen with each fold held out."""
    front: tuple[Front, ...]
    """Equations of all rows, shortest first."""
    equation: Equation
    """The one that is told."""
    held_out: dict[str, FloatArray]
    """Predictor -> held-out answers, shape ``(n,)``."""
    truth: FloatArray
    """Known values, shape ``(n,)``."""


def compete(
    values: FloatArray,
    names: Sequence[str],
    target: FloatArray,
    groups: Sequence[str],
    *,
    everything: FloatArray,
    keys: Sequence[str],
    target_name: str,
    count: int = 3,
    wanted: Sequence[str] = (),
    n_folds: int = 5,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
) -> Contest:
    """Find an equation, and compare it with black boxes on held-out groups.

    Args:
        values: candidate descriptors, shape ``(n, d)``, without gaps.
        names: their names.
        target: known values, shape ``(n,)``.
        groups: group of each row, such as its chemical system.
        everything: all descriptors that the black box sees, shape ``(n, D)``, NaN where missing.
        keys: what names each row.
        target_name: name of the target.
        count: descriptors of the equation, 1 to 3.
        wanted: descriptors to use instead of chosen ones.
        n_folds: folds of groups.
        evaluations: equations tried in one search.
        seed: seed of folds, searches and draws.

    Raises:
        MissingExtraError: pyoperon is not installed.
        InputError: too few rows or groups, or more descriptors asked for than 3.
    """
    _operon()
    if not 1 <= count <= 3:
        raise InputError(f"an equation has 1 to 3 descriptors, got {count}; more of them nobody can read")
    if len(target) < 30 or len(set(groups)) < 2 * n_folds:
        raise InputError(
            f"{len(target)} rows of {len(set(groups))} groups are too few to hold {n_folds} parts out; "
            f"at least 30 rows of {2 * n_folds} groups are needed"
        )
    split = grouped_split("chemical_system", target_name, keys, groups, n_folds=n_folds, seed=seed)
    labels = np.asarray(groups, dtype=str)
    answers = {
        name: np.full(len(target), np.nan)
        for name in ("equation", "black_box", "black_box_same_descriptors", "mean")
    }
    chosen = []
    for fold, out in split.held_out():
        kept = ~out
        columns = _columns(names, wanted) or choose(values[kept], target[kept], labels[kept], count, seed=seed)
        chosen.append(tuple(names[column] for column in columns))
        found = search(
            values[kept][:, columns], chosen[-1], target[kept], labels[kept],
            evaluations=evaluations, seed=seed + fold,
        )  # fmt: skip
        answers["equation"][out] = best(found).equation(values[out][:, columns])
        answers["mean"][out] = target[kept].mean()
        for name, seen in (("black_box", everything), ("black_box_same_descriptors", values[:, columns])):
            task = Task(seen[kept], target[kept], labels[kept])
            fitted = fit_ensemble(task, Recipe(_BLACK_BOX, n_folds=3, seed=seed))
            answers[name][out] = fitted.mean_and_spread(seen[out])[0]
    columns = _columns(names, wanted) or choose(values, target, labels, count, seed=seed)
    front = search(
        values[:, columns], [names[c] for c in columns], target, labels, evaluations=evaluations, seed=seed
    )
    scores = {name: regression_scores(target, own, baseline=answers["mean"]) for name, own in answers.items()}
    return Contest(
        target=target_name,
        split=split,
        scores=scores,
        gap=_gap(np.abs(answers["equation"] - target) - np.abs(answers["black_box"] - target), labels, seed),
        chosen=tuple(chosen),
        front=front,
        equation=best(front).equation,
        held_out=answers,
        truth=target,
    )


def choose(
    values: FloatArray, target: FloatArray, groups: NDArray[np.str_], count: int, *, seed: int = 0
) -> list[int]:
    """Choose descriptors one after another by the error of a quadratic on held-out groups.

    Args:
        values: candidates, shape ``(n, d)``.
        target: known values, shape ``(n,)``.
        groups: group of each row.
        count: how many.
        seed: seed of the folds.

    Returns:
        Their columns, in the order in which they were chosen.
    """
    folds = grouped_folds(groups, n_folds=5, seed=seed)
    scale = values.std(axis=0)
    usable = np.flatnonzero(scale > 1e-12).tolist()
    scaled = (values - values.mean(axis=0)) / np.where(scale > 1e-12, scale, 1.0)
    found: list[int] = []
    for _ in range(min(count, len(usable))):
        rest = [column for column in usable if column not in found]
        errors = [_quadratic_error(scaled[:, [*found, column]], target, folds) for column in rest]
        found.append(rest[int(np.argmin(errors))])
    return found


def _quadratic_error(values: FloatArray, target: FloatArray, folds: IntArray) -> float:
    """Return the mean absolute error, on held-out folds, of a ridge of all terms up to the second degree."""
    k = values.shape[1]
    terms = [values[:, i] * values[:, j] for i in range(k) for j in range(i, k)]
    design = np.column_stack([np.ones(len(values)), values, *terms])
    error = 0.0
    for fold in np.unique(folds):
        out = folds == fold
        own, centre = design[~out], float(target[~out].mean())
        penalty = 1e-2 * len(own) * np.eye(design.shape[1])
        penalty[0, 0] = 0.0
        weights = np.linalg.solve(own.T @ own + penalty, own.T @ (target[~out] - centre))
        answer = np.clip(design[out] @ weights + centre, target[~out].min(), target[~out].max())
        error += float(np.abs(answer - target[out]).sum())
    return error / len(target)


def search(
    values: FloatArray,
    names: Sequence[str],
    target: FloatArray,
    groups: NDArray[np.str_],
    *,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
) -> tuple[Front, ...]:
    """Search for equations of some descriptors.

    Args:
        values: descriptors, shape ``(n, k)``.
        names: their names.
        target: known values, shape ``(n,)``.
        groups: group of each row; a quarter of the groups is kept aside to choose by.
        evaluations: equations tried.
        seed: seed of the search and of what is kept aside.

    Returns:
        Equations that no other beats in error and length, shortest first.
    """
    regressor = _operon()(
        allowed_symbols=SYMBOLS,
        objectives=["r2", "length"],
        optimizer_iterations=5,
        max_length=LONGEST,
        population_size=_POPULATION,
        generations=evaluations // _POPULATION + 1,
        max_evaluations=evaluations,
        n_threads=1,
        random_state=seed,
    )
    aside = grouped_folds(groups, n_folds=_KEPT_ASIDE, seed=seed) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equations without a descriptor are told by one
        regressor.fit(values[~aside], target[~aside])
        texts = {
            regressor.get_model_string(one["tree"], 12, [f"x{k}" for k in range(len(names))])
            for one in regressor.pareto_front_
        }
    low, high = float(target.min()), float(target.max())
    found: dict[int, Front] = {}
    for text in sorted(texts):
        tidy, size = _tidied(text, len(names))
        equation = Equation(tidy, tuple(names), low, high, size)
        error = float(np.abs(equation(values[aside]) - target[aside]).mean())
        if size not in found or error < found[size].error:
            found[size] = Front(equation, error)
    front: list[Front] = []
    for size in sorted(found):
        if not front or found[size].error < front[-1].error:
            front.append(found[size])
    return tuple(front)


def best(front: Sequence[Front]) -> Front:
    """Return the shortest equation whose error is within a tenth of the least one."""
    least = min(one.error for one in front)
    return next(one for one in front if one.error <= _GOOD_ENOUGH * least)


def _columns(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    from hstore.errors import unknown_name

    for name in wanted:
        if name not in names:
            raise unknown_name("descriptor", name, list(names))
    return [list(names).index(name) for name in wanted]


def _gap(differences: FloatArray, groups: NDArray[np.str_], seed: int) -> tuple[float, float, float]:
    """Return the mean difference of errors with its 90 % interval over draws of whole groups."""
    rng = np.random.default_rng(seed)
    _, places = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(places, differences), np.bincount(places)
    drawn = rng.integers(0, len(sums), (_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [5, 95])
    return float(differences.mean()), float(low), float(high)


def _tidied(text: str, k: int) -> tuple[str, int]:
    """Merge the numbers of an equation and round them; return it with its number of nodes."""
    import sympy

    for _ in range(_ROUNDS):  # rounded numbers merge anew with their neighbours
        parsed = _parsed(text, k)
        rounded = parsed.xreplace({n: _rounded(n) for n in parsed.atoms(sympy.Float)})
        before, text = text, str(rounded)
        if text == before:
            break
    return text, sum(1 for _ in sympy.preorder_traversal(rounded))


def _rounded(number: Any) -> Any:
    import sympy

    found = float(f"{float(number):.{_DIGITS}g}")
    return sympy.Integer(int(found)) if found.is_integer() and abs(found) < 10**_DIGITS else sympy.Float(found, 15)


def _parsed(text: str, k: int) -> Any:
    import sympy

    symbols: dict[str, Any] = {f"x{number}": sympy.Symbol(f"x{number}") for number in range(k)}
    symbols |= {"sqrt": sympy.sqrt, "log": sympy.log, "exp": sympy.exp, "square": lambda value: value**2}
    return sympy.parse_expr(text.replace("^", "**"), local_dict=symbols)


def _callable(text: str, k: int) -> Any:
    import sympy

    symbols = [sympy.Symbol(f"x{number}") for number in range(k)]
    compute = sympy.lambdify(symbols, _parsed(text, k), modules="numpy")
    return lambda *columns: compute(*(np.asarray(column, dtype=complex) for column in columns))


def _operon() -> Any:
    try:
        from pyoperon.sklearn import SymbolicRegressor
    except ImportError as error:
        raise MissingExtraError("equations need pyoperon; pip install 'hstore[explain]'") from error
    return SymbolicRegressor
