"""BoTorch's acquisition functions over the pool: log expected improvement, and of hypervolume for several goals.

Each column of the objective has a Gaussian process of its own on the rows where it was measured, so partial
results count at once. Windows are outcome constraints. A batch is chosen one by one, each as if the ones before
and everything under way were to be measured as well (https://doi.org/10.48550/arXiv.2310.20708).
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore_workflows.campaign.landscape import Pick, free_rows
from hstore_workflows.campaign.strategies.coordinates import (
    answered,
    at_random,
    coordinates,
    generator,
    unit_cube,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botorch.acquisition import AcquisitionFunction
    from botorch.models import ModelListGP
    from numpy.typing import NDArray
    from torch import Tensor

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape

MIN_RESULTS = 5
"""Results before which candidates are drawn at random."""
_CHUNK = 1024  # candidates scored at once; joint posteriors with many pending rows need memory for each
_N_SAMPLES = 128  # BoTorch's own number for hypervolume


@dataclass(frozen=True)
class LogEi:
    """Log expected improvement of one goal, by quasi Monte Carlo so that windows and pending rows count."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments, as :class:`~hstore_workflows.campaign.landscape.Strategy` says.

        Raises:
            InputError: there are several goals.
            MissingExtraError: BoTorch is not installed.
        """
        if len(landscape.objective.goals) > 1:
            raise InputError(
                f"BoTorch's expected improvement has one goal, got {len(landscape.objective.goals)}; "
                "use its hypervolume improvement"
            )
        return _chosen(_improvement, landscape, history, n, seed)


@dataclass(frozen=True)
class Nehvi:
    """Log expected improvement of the hypervolume that 2 to 4 goals dominate, under noise (qLogNEHVI).

    It follows https://doi.org/10.48550/arXiv.2105.08195. Where a C++ compiler is found, BoTorch compiles a kernel
    at the first use, which takes a minute once.
    """

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments, as :class:`~hstore_workflows.campaign.landscape.Strategy` says.

        Raises:
            InputError: there is only one goal.
            MissingExtraError: BoTorch is not installed.
        """
        if len(landscape.objective.goals) == 1:
            raise InputError(
                "BoTorch's hypervolume improvement has 2 to 4 goals, got 1; use its expected improvement"
            )
        return _chosen(_hypervolume, landscape, history, n, seed)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The question as BoTorch wants it: larger is better, points in the unit cube, columns standardised."""

    model: ModelListGP
    """One output for each column, goals first."""
    n_goals: int
    constraints: list[Callable[[Tensor], Tensor]] | None
    """Negative where a window is met."""
    known: Tensor
    """Points with a value of every goal, shape (m, k)."""
    reached: Tensor
    """Goals of those points that missed no window, or of all where each missed one, shape (m', goals)."""
    met: bool
    """Whether any result missed no window."""
    pending: Tensor | None
    """Points under way, shape (p, k)."""
    seed: int


def _chosen(
    acquisition: Callable[[_Problem], AcquisitionFunction],
    landscape: Landscape,
    history: History,
    n: int,
    seed: int,
) -> list[Pick]:
    """Maximise an acquisition function over the free rows n times, each pick pending for the next."""
    _require_botorch()
    rng = generator(history, seed)
    free, points = free_rows(landscape, history), coordinates(landscape)
    if len(answered(landscape, history)) < MIN_RESULTS or not points.shape[1]:
        return [Pick(row, "random") for row in at_random(free, n, rng)]
    rows = np.flatnonzero(free)
    n = min(n, len(rows))
    if not n:
        return []
    cube = unit_cube(points)
    with _quiet(int(rng.integers(2**31))) as torch_seed:
        import torch
        from botorch.optim import optimize_acqf_discrete

        problem = _problem(landscape, history, torch.from_numpy(cube), torch_seed)
        chosen, _ = optimize_acqf_discrete(
            acquisition(problem),
            q=n,
            choices=torch.from_numpy(cube[rows]),
            max_batch_size=_CHUNK,
            return_acq_values=False,
        )
    return [Pick(row, "improve") for row in _rows_of(chosen.numpy(), cube, rows)]


def _improvement(problem: _Problem) -> AcquisitionFunction:
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.acquisition.objective import GenericMCObjective

    # Without a result that meets the windows, everything that does is an improvement on the worst.
    best = problem.reached.max() if problem.met else problem.reached.min()
    return qLogExpectedImprovement(
        problem.model,
        best_f=best,
        sampler=_sampler(problem.seed),
        objective=GenericMCObjective(_first_output),
        X_pending=problem.pending,
        constraints=problem.constraints,
    )


def _hypervolume(problem: _Problem) -> AcquisitionFunction:
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
    from botorch.utils.multi_objective import infer_reference_point, is_non_dominated

    front = problem.reached[is_non_dominated(problem.reached)]
    return qLogNoisyExpectedHypervolumeImprovement(
        problem.model,
        ref_point=infer_reference_point(front),
        X_baseline=problem.known,
        sampler=_sampler(problem.seed),
        objective=IdentityMCMultiOutputObjective(outcomes=list(range(problem.n_goals))),
        X_pending=problem.pending,
        constraints=problem.constraints,
        prune_baseline=True,
    )


def _problem(landscape: Landscape, history: History, cube: Tensor, seed: int) -> _Problem:
    """Fit the Gaussian processes and gather what is known; ``cube`` has shape (n, k)."""
    import torch

    objective = landscape.objective
    signs = {goal.column: goal.sign for goal in objective.goals}
    columns = [c for c in objective.columns if c in signs or len(history.values(c)[0]) >= MIN_RESULTS]
    scales = {column: _scale(history.values(column)[1], signs.get(column, 1.0)) for column in columns}
    complete = answered(landscape, history)
    met = [row for row in complete if objective.met_by(history.results[row])]
    reached = [
        [_scaled(history.results[row][column], scales[column]) for column in signs] for row in met or complete
    ]
    waiting = [*history.pending, *(row for row in history.results if row not in set(complete))]
    constraints = [
        _bound(
            columns.index(window.column),
            _scaled(limit, scales[window.column]),
            side * signs.get(window.column, 1.0),
        )
        for window in objective.windows
        if window.column in columns
        for limit, side in ((window.low, 1.0), (window.high, -1.0))
        if np.isfinite(limit)
    ]
    return _Problem(
        _fitted(history, cube, scales),
        len(objective.goals),
        constraints or None,
        cube[complete],
        torch.tensor(reached, dtype=torch.double),
        bool(met),
        cube[waiting] if waiting else None,
        seed,
    )


def _fitted(history: History, cube: Tensor, scales: dict[str, tuple[float, float]]) -> ModelListGP:
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    models = []
    for column, scale in scales.items():
        rows, values = history.values(column)
        standard = torch.from_numpy(np.asarray(_scaled(values, scale)))[:, None]
        model = SingleTaskGP(cube[rows], standard, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        models.append(model)
    return ModelListGP(*models)


def _scale(values: FloatArray, sign: float) -> tuple[float, float]:
    """Return centre and signed spread of measured values."""
    return float(values.mean()), sign * (float(values.std()) or 1.0)


def _scaled(values: Any, scale: tuple[float, float]) -> Any:
    centre, spread = scale
    return (values - centre) / spread


def _bound(output: int, limit: float, side: float) -> Callable[[Tensor], Tensor]:
    """Return a constraint on an output that is negative above a limit (side 1) or below it (side -1)."""

    def constraint(samples: Tensor) -> Tensor:
        return side * (limit - samples[..., output])

    return constraint


def _first_output(samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG001, N803 - as BoTorch calls it
    return samples[..., 0]


def _sampler(seed: int) -> Any:
    import torch
    from botorch.sampling import SobolQMCNormalSampler

    return SobolQMCNormalSampler(torch.Size([_N_SAMPLES]), seed=seed)


def _rows_of(chosen: FloatArray, cube: FloatArray, rows: NDArray[np.intp]) -> list[int]:
    """Find the rows of chosen points; candidates with equal descriptors are taken in order."""
    left = list(rows)
    found = []
    for point in chosen:
        place = int(np.flatnonzero((cube[left] == point).all(axis=1))[0])
        found.append(int(left.pop(place)))
    return found


@contextmanager
def _quiet(seed: int) -> Iterator[int]:
    """Seed torch without changing the caller's generator, and silence BoTorch's advice on imports and fits."""
    with warnings.catch_warnings():
        # A fit that ends early is retried, and one of poor quality is still a model; nobody could act on it here.
        warnings.simplefilter("ignore")
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield seed


def _require_botorch() -> None:
    if find_spec("botorch") is None:
        raise MissingExtraError(
            "BoTorch's strategies need botorch, which is not installed; run: pip install 'hstore[botorch]'"
        )
