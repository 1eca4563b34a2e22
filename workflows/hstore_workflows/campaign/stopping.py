"""When to stop: what the next batch is expected to bring against what it takes, and whether the best is found.

The probability that the best is already found is the share of plausible worlds
(:mod:`hstore_workflows.campaign.worlds`) in which no free candidate beats the best result by more than the noise.
Replays on four labelled pools (10 seeds that took no part in choosing the worlds, every 10 of 100 measurements):
where it was above 0.9 the best had been found in 96 of 100 cases, from 0.7 to 0.9 in 67, from 0.5 to 0.7 in 34,
from 0.3 to 0.5 in 24, below in 2. It differs between pools: on capacities of alloys, 0.8 meant 31 of 100.
Expected improvements were too small: over the first 50 measurements 2.5 times as much was left to be found as
expected, and the next batch brought 1.4 times what was expected of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hstore_workflows.campaign.landscape import free_rows
from hstore_workflows.campaign.worlds import gains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.ground import Ground
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.standing import Standing
    from hstore_workflows.campaign.story import Status

SURE = 0.9
"""Probability that the best is found from which on a campaign may stop."""
FRONT_SHARE = 0.01
"""Growth of the hypervolume that counts as noise where a campaign has several goals."""


@dataclass(frozen=True)
class Budget:
    """What a campaign may spend, and what it has spent."""

    unit: Literal["experiments", "effort"]
    """What is counted: experiments, or their effort, of which an average candidate takes 1."""
    total: float | None
    """What it may spend; None where nobody said."""
    spent: float
    """What answered experiments and those under way take."""

    @property
    def left(self) -> float | None:
        """What is left, not below 0; None where nobody said how much there is."""
        return None if self.total is None else max(0.0, self.total - self.spent)


@dataclass(frozen=True)
class Advice:
    """Whether to go on, with the figures behind it."""

    word: Literal["go on", "stop"]
    """The advice."""
    why: str
    """Its reason."""
    p_best_found: float | None
    """Probability that no free candidate beats the best result by more than the noise; None where too little is
    known."""
    expected_left: float | None
    """Expected improvement by the best free candidate, if it were known."""
    expected_gain: float | None
    """Expected improvement by the next batch."""
    gain_per_cost: float | None
    """The same for each experiment, or each unit of effort, as the budget counts."""
    cost: float
    """What the next batch takes, as the budget counts."""
    batch: int
    """Experiments of the next batch."""
    noise: float
    """Improvement that repeated measurement could feign."""
    unit: str
    """Unit of improvements: the column of the goal, or ``share of the hypervolume``."""
    budget: Budget
    """What may be spent and was."""

    def as_json(self) -> dict[str, Any]:
        """Return the advice as plain JSON."""
        return asdict(self) | {"left": self.budget.left}

    def words(self) -> str:
        """Say the advice with its figures."""
        said = [f"{self.word}: {self.why}"]
        if self.p_best_found is not None:
            assert self.expected_gain is not None
            said.append(f"the best is already found with probability {self.p_best_found:.2f}")
            said.append(
                f"the next {self.batch} experiments are expected to improve {self.unit} by "
                f"{self.expected_gain:.2g}, knowing all candidates would by {self.expected_left:.2g}"
            )
        left = self.budget.left
        if left is not None:
            said.append(f"{left:.3g} of {self.budget.total:.3g} {self.budget.unit} are left")
        return "; ".join(said)


def advise(
    landscape: Landscape,
    history: History,
    *,
    batch: int,
    budget: Budget,
    noise: float = 0.0,
    seed: int = 0,
) -> Advice:
    """Say whether to go on.

    Args:
        landscape: the pool, as what may still be proposed.
        history: what is known.
        batch: experiments proposed at a time.
        budget: what may be spent and was.
        noise: standard deviation of one measurement of the main goal, in its unit; 0 where it is not known.
        seed: seed of everything random.
    """
    objective = landscape.objective
    several = len(objective.goals) > 1
    unit = "share of the hypervolume" if several else objective.main.column
    margin = FRONT_SHARE if several else noise
    free = int(free_rows(landscape, history).sum())
    unanswered = replace(history, pending=())  # one under way may turn out the best
    wanted = min(batch, free)
    if budget.left is not None and budget.unit == "experiments":
        wanted = min(wanted, int(budget.left))
    found = gains(landscape, unanswered, seed=seed) if free or history.pending else None
    if found is None:
        word, why = _obvious(free, budget) or ("go on", "too little is known to say what is left")
        return Advice(word, why, None, None, None, None, float(wanted), wanted, margin, unit, budget)
    highest = found.of.max(axis=1)
    p_found = float(np.mean(highest <= margin))
    left = float(np.maximum(highest, 0.0).mean())
    new = ~np.isin(found.rows, history.pending)
    places, gain = best_batch(found.of[:, new], wanted)
    cost = _cost(landscape, found.rows[new][places], budget)
    word, why = _obvious(free, budget) or _judged(p_found, gain, margin)
    per_cost = gain / cost if cost else None
    return Advice(word, why, p_found, left, gain, per_cost, cost, wanted, margin, unit, budget)


def best_batch(of: FloatArray, n: int) -> tuple[list[int], float]:
    """Choose the batch with the highest expected improvement, and return it with that.

    It is chosen in every other world and valued in the rest, and the other way round, so that luck in the choice
    is not counted.

    Args:
        of: gain of each candidate in each world, shape (worlds, candidates).
        n: size of the batch.
    """
    held = np.maximum(of, 0.0)
    halves = [(held[::2], held[1::2]), (held[1::2], held[::2])]
    gain = [valued[:, _chosen(judged, n)].max(axis=1, initial=0.0).mean() for judged, valued in halves]
    return _chosen(held, n), float(np.mean(gain))


def _chosen(held: FloatArray, n: int) -> list[int]:
    """Add one candidate after the other, each the one that the batch gains most by."""
    reached, places = np.zeros(len(held)), list[int]()
    for _ in range(min(n, held.shape[1])):
        worth = np.maximum(held, reached[:, None]).mean(axis=0)
        worth[places] = -np.inf
        places.append(int(np.argmax(worth)))
        reached = np.maximum(reached, held[:, places[-1]])
    return places


def spent(standing: Standing, config: CampaignConfig, landscape: Landscape, rows: Mapping[str, int]) -> Budget:
    """Return the budget of a campaign and what it has spent.

    Args:
        standing: what is true now; released and retracted experiments cost nothing.
        config: says what may be spent.
        landscape: says what each candidate takes.
        rows: material -> row of the pool.
    """
    counted = [e.entry.material_id for e in standing.experiments if e.state not in {"released", "retracted"}]
    if config.budget_unit == "effort" and landscape.effort is not None:
        used = float(sum(landscape.effort[rows[material]] for material in counted))
    else:
        used = float(len(counted))
    return Budget("effort" if config.budget_unit == "effort" else "experiments", config.budget, used)


def _cost(landscape: Landscape, rows: NDArray[np.intp], budget: Budget) -> float:
    if budget.unit == "effort" and landscape.effort is not None:
        return float(landscape.effort[rows].sum())
    return float(len(rows))


def _obvious(free: int, budget: Budget) -> tuple[Literal["stop"], str] | None:
    if not free:
        return "stop", "the pool is exhausted: every candidate is measured, failed or under way"
    if budget.left is not None and budget.left < 1.0:
        return "stop", f"the budget of {budget.total:g} {budget.unit} is spent"
    return None


def _judged(p_found: float, gain: float, margin: float) -> tuple[Literal["go on", "stop"], str]:
    if p_found >= SURE:
        return "stop", f"the best is probably found (stops from {SURE:g} on)"
    if gain < margin:
        return "stop", f"the next batch is expected to bring less than the noise of a measurement ({margin:.2g})"
    return "go on", "what is left to be found is worth looking for"


def noise_of(standing: Standing, column: str) -> float:
    """Return the pooled noise of a column; 0 where nothing of it was measured twice."""
    known = standing.noise().get(column)
    return 0.0 if known is None else known.std


def advice_on(settings: Settings, status: Status) -> Advice:
    """Say whether a campaign should go on.

    Args:
        settings: where campaigns are kept.
        status: where the campaign stands.
    """
    from hstore_workflows.campaign.ground import make_ground
    from hstore_workflows.campaign.places import campaign_folder, open_pool

    pool = open_pool(settings, status.name, status.config)
    return advice_in(status, make_ground(pool, status.config, campaign_folder(settings, status.name)))


def advice_in(status: Status, ground: Ground) -> Advice:
    """Say whether a campaign should go on, its pool being open.

    Args:
        status: where the campaign stands.
        ground: its pool, made ready for choosing.
    """
    config, standing, rows = status.config, status.standing, ground.pool.rows
    return advise(
        ground.landscape,
        standing.history(rows),
        batch=config.batch,
        budget=spent(standing, config, ground.landscape, rows),
        noise=noise_of(standing, config.objective.main.column),
        seed=config.seed + len(standing),
    )
