"""Optuna's samplers as strategies: they suggest a point, and the nearest free candidate is proposed.

Each candidate with results is told as a trial with its own parameters, one float per column of
:func:`~hstore_workflows.campaign.strategies.coordinates.coordinates`: above 20 descriptors these are principal
components. Experiments under way, and those with a goal yet to be measured, are running trials, which both
samplers keep away from.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import MissingExtraError
from hstore_workflows.campaign.landscape import Pick, free_rows
from hstore_workflows.campaign.strategies.coordinates import answered, at_random, coordinates, generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.distributions import FloatDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.objective import Objective


@dataclass(frozen=True)
class Tpe:
    """Tree-structured Parzen estimator (https://doi.org/10.48550/arXiv.2304.11127), with constant liar."""

    n_startup: int = 10
    """Results before which candidates are drawn at random; Optuna's default."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments, as :class:`~hstore_workflows.campaign.landscape.Strategy` says."""
        from optuna.samplers import TPESampler

        def sampler(seed: int) -> BaseSampler:
            return TPESampler(seed=seed, n_startup_trials=self.n_startup)

        return _suggested(sampler, self.n_startup, landscape, history, n, seed)


@dataclass(frozen=True)
class Gp:
    """Gaussian process with log expected improvement, of hypervolume where there are several goals.

    It needs torch. Optuna holds torch to one thread; set ``OMP_NUM_THREADS=1`` too, for numpy and scipy.
    """

    n_startup: int = 10
    """Results before which candidates are drawn at random; Optuna's default."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments, as :class:`~hstore_workflows.campaign.landscape.Strategy` says.

        Raises:
            MissingExtraError: torch is not installed.
        """
        from optuna.samplers import GPSampler

        if find_spec("torch") is None:
            raise MissingExtraError(
                "Optuna's Gaussian process needs torch, which is not installed; run: pip install 'hstore[botorch]'"
            )

        def sampler(seed: int) -> BaseSampler:
            return GPSampler(seed=seed, n_startup_trials=self.n_startup)

        return _suggested(sampler, self.n_startup, landscape, history, n, seed)


def _suggested(
    sampler: Callable[[int], BaseSampler],
    n_startup: int,
    landscape: Landscape,
    history: History,
    n: int,
    seed: int,
) -> list[Pick]:
    """Ask a sampler n times, and take the nearest free row each time."""
    from optuna.trial import TrialState

    rng = generator(history, seed)
    free, points = free_rows(landscape, history), coordinates(landscape)
    if len(answered(landscape, history)) < n_startup or not points.shape[1]:
        return [Pick(row, "random") for row in at_random(free, n, rng)]
    told = _Told(points)
    study = told.study(landscape, history, sampler(int(rng.integers(2**31))))
    picks: list[Pick] = []
    while len(picks) < n and free.any():
        trial = study.ask(dict(told.space))
        wanted = np.array([trial.params[name] for name in told.space])
        study.tell(trial, state=TrialState.FAIL)  # the row stands in for it, and has parameters of its own
        row = int(np.argmin(np.where(free, np.linalg.norm(points - wanted, axis=1), np.inf)))
        free[row] = False
        told.running(study, row)
        picks.append(Pick(row, "improve"))
    return picks


class _Told:
    """How rows of a pool are told to a study."""

    def __init__(self, points: FloatArray) -> None:
        """Take the points of the pool, shape (n, k)."""
        from optuna.distributions import FloatDistribution

        self.points = points
        self.space: Mapping[str, FloatDistribution] = {
            f"x{k:02d}": FloatDistribution(float(column.min()), float(column.max()))
            for k, column in enumerate(points.T)
        }

    def study(self, landscape: Landscape, history: History, sampler: BaseSampler) -> Study:
        """Return a study in memory that knows what the campaign knows."""
        import optuna
        from optuna.study import StudyDirection

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        goals = landscape.objective.goals
        directions = [StudyDirection.MINIMIZE if goal.minimize else StudyDirection.MAXIMIZE for goal in goals]
        study = optuna.create_study(directions=directions, sampler=sampler)
        complete = answered(landscape, history)
        for row in complete:
            values = history.results[row]
            self._add(
                study,
                row,
                "COMPLETE",
                values=[values[goal.column] for goal in goals],
                constraints=_constraints(landscape.objective, values),
            )
        for row in history.failed:
            self._add(study, row, "FAIL")
        for row in [*history.pending, *(set(history.results) - set(complete))]:
            self.running(study, row)
        return study

    def running(self, study: Study, row: int) -> None:
        """Tell that the experiment of a row is under way."""
        self._add(study, row, "RUNNING")

    def _add(
        self,
        study: Study,
        row: int,
        state: str,
        *,
        values: list[float] | None = None,
        constraints: dict[str, float] | None = None,
    ) -> None:
        from optuna.trial import TrialState, create_trial

        parameters = dict(zip(self.space, self.points[row].tolist(), strict=True))
        study.add_trial(
            create_trial(
                state=TrialState[state],
                values=values,
                params=parameters,
                distributions=dict(self.space),
                constraints=constraints,
            )
        )


def _constraints(objective: Objective, values: Mapping[str, float]) -> dict[str, float]:
    """Return how far each window is missed; 0, which is met, where its column is not measured yet.

    Samplers want the same constraints of every trial.
    """
    return {
        str(window): window.violation(values[window.column]) if window.column in values else 0.0
        for window in objective.windows
    }
