"""BayBE as a strategy: a campaign over the candidates as one parameter that their descriptors encode.

A discrete parameter for each descriptor column gives the same answer, but its space of 1,000 rows takes minutes to
build, and this one milliseconds. BayBE has no outcome constraints; windows enter its desirability, the geometric
mean of how far goals are reached and windows met, which is its own way to trade targets.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import MissingExtraError
from hstore_workflows.campaign.landscape import Pick, free_rows
from hstore_workflows.campaign.strategies.coordinates import answered, at_random, coordinates, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baybe import Campaign
    from baybe.targets import NumericalTarget
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.objective import Goal, Window

MIN_RESULTS = 5
"""Results before which candidates are drawn at random."""
_CANDIDATE = "candidate"
_SOFT_EDGE = 0.5  # width of a window's edge, in standard deviations of the results


@dataclass(frozen=True)
class BayBe:
    """BayBE's default recommender: a Gaussian process with log expected improvement, of hypervolume for goals."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments, as :class:`~hstore_workflows.campaign.landscape.Strategy` says.

        Raises:
            MissingExtraError: BayBE is not installed.
        """
        if find_spec("baybe") is None:
            raise MissingExtraError(
                "BayBE's strategy needs baybe, which is not installed; run: pip install 'hstore[baybe]'"
            )
        rng = generator(history, seed)
        free, points = free_rows(landscape, history), coordinates(landscape)
        complete = answered(landscape, history)
        if len(complete) < MIN_RESULTS or not points.shape[1]:
            return [Pick(row, "random") for row in at_random(free, n, rng)]
        labels = _Labels(points)
        n_points = min(n, len(labels.of(np.flatnonzero(free))))
        if not n_points:
            return []
        waiting = [*history.pending, *(row for row in history.results if row not in set(complete))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on fits and on candidates left out, which nobody could act on
            from baybe.settings import Settings

            with Settings(random_seed=int(rng.integers(2**31))):
                campaign = _campaign(labels, landscape, history, complete)
                campaign.toggle_discrete_candidates(
                    labels.frame(np.flatnonzero(free)), exclude=True, complement=True
                )
                chosen = campaign.recommend(n_points, labels.frame(waiting) if waiting else None)
        rows = labels.rows(chosen[_CANDIDATE], free)
        free[rows] = False
        twins = at_random(free, n - len(rows), rng)  # where fewer distinct points than candidates are free
        return [*(Pick(row, "improve") for row in rows), *(Pick(row, "random") for row in twins)]


class _Labels:
    """Names of the distinct points of a pool; BayBE refuses equal ones."""

    def __init__(self, points: FloatArray) -> None:
        """Take the points of the pool, shape (n, k)."""
        distinct, inverse = np.unique(points, axis=0, return_inverse=True)
        self.number: NDArray[np.intp] = inverse.reshape(-1)
        names = [f"x{k:02d}" for k in range(points.shape[1])]
        self.encoding = pd.DataFrame(distinct, columns=names, index=[str(k) for k in range(len(distinct))])

    def of(self, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the numbers of the distinct points of some rows."""
        return np.unique(self.number[rows])

    def frame(self, rows: Sequence[int] | NDArray[np.intp]) -> pd.DataFrame:
        """Return the distinct points of some rows as BayBE's table."""
        return pd.DataFrame({_CANDIDATE: self.of(rows).astype(str)})

    def rows(self, labels: Sequence[str], free: NDArray[np.bool_]) -> list[int]:
        """Return the first free row of each label."""
        return [int(np.flatnonzero(free & (self.number == int(label)))[0]) for label in labels]


def _campaign(labels: _Labels, landscape: Landscape, history: History, complete: Sequence[int]) -> Campaign:
    """Return a campaign that knows the results of some rows."""
    from baybe import Campaign
    from baybe.objectives import DesirabilityObjective, ParetoObjective
    from baybe.parameters import CustomDiscreteParameter
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget

    objective = landscape.objective
    results = pd.DataFrame([history.results[row] for row in complete])
    known = [w for w in objective.windows if not _open(w) and _enough(results, w.column)]
    measured = {f"goal {goal.column}": results[goal.column] for goal in objective.goals}
    measured |= {f"window {window}": results[window.column] for window in known}
    if known:
        targets = [_goal_target(goal, measured[f"goal {goal.column}"]) for goal in objective.goals]
        targets += [_window_target(window, measured[f"window {window}"]) for window in known]
        aim: Any = DesirabilityObjective(targets)
    else:
        targets = [NumericalTarget(f"goal {goal.column}", minimize=goal.minimize) for goal in objective.goals]
        aim = targets[0].to_objective() if len(targets) == 1 else ParetoObjective(targets)
    parameter = CustomDiscreteParameter(_CANDIDATE, labels.encoding, decorrelate=False)
    campaign = Campaign(
        SearchSpace.from_product([parameter]),
        aim,
        allow_recommending_already_measured=True,  # a twin of a measured candidate; the taken ones are excluded
        allow_recommending_pending_experiments=True,
    )
    table = pd.DataFrame({_CANDIDATE: labels.number[list(complete)].astype(str), **measured})
    campaign.add_measurements(table)
    return campaign


def _open(window: Window) -> bool:
    return math.isinf(window.low) and math.isinf(window.high)


def _enough(results: pd.DataFrame, column: str) -> bool:
    return column in results and int(results[column].count()) >= MIN_RESULTS


def _goal_target(goal: Goal, values: pd.Series[float]) -> NumericalTarget:
    """Return the desirability of a goal: 0 at the worst result, 0.5 at the best, so that there is more to gain."""
    from baybe.targets import NumericalTarget

    worst, best = (values.max(), values.min()) if goal.minimize else (values.min(), values.max())
    end = best + (best - worst or goal.sign)
    low, high = sorted((float(worst), float(end)))
    return NumericalTarget.normalized_ramp(f"goal {goal.column}", (low, high), descending=goal.minimize)


def _window_target(window: Window, values: pd.Series[float]) -> NumericalTarget:
    """Return the desirability of a window: 1 inside, falling to 0 over a soft edge outside."""
    from baybe.targets import NumericalTarget

    name, edge = f"window {window}", _SOFT_EDGE * float(values.std() or 1.0)
    if math.isinf(window.high):
        return NumericalTarget.normalized_ramp(name, (window.low - edge, window.low))
    if math.isinf(window.low):
        return NumericalTarget.normalized_ramp(name, (window.high, window.high + edge), descending=True)
    middle, half = (window.low + window.high) / 2, (window.high - window.low) / 2
    return ((NumericalTarget(name) - middle).abs() * (-1 / edge) + (half + edge) / edge).clamp(0.0, 1.0)
