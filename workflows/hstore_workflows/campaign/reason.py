"""Say why an experiment is proposed: in numbers for programs, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.neighbours import nearest_known, nearest_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.beliefs import Belief, Beliefs
    from hstore_workflows.campaign.ground import Ground
    from hstore_workflows.campaign.landscape import History, Pick
    from hstore_workflows.campaign.neighbours import Neighbour
    from hstore_workflows.campaign.objective import Objective

AIMS = {
    "improve": "expected to improve on the results",
    "explore": "chosen for what it teaches: it may turn out well, and few predictions are less certain",
    "spread": "too little is known yet, so it was chosen to cover the pool",
    "sample": "best in one guess of a forest at what the results would be (Thompson sampling)",
    "draw": "best in one guess of a Gaussian process at what the results would be (Thompson sampling)",
    "blend": "best in one guess of a forest and a Gaussian process together (Thompson sampling)",
    "family": "best in one guess among the kinds of candidates that were tried least",
    "best": "worth most over many guesses, of which the good ones count more, for the budget ends soon",
    "random": "drawn at random, which guards against a strategy that is wrong",
}
"""Kind of choice -> what it means, in words."""

_SURE = 0.995


@dataclass(frozen=True)
class Prediction:
    """What is believed of one column of a candidate, in the unit of the column."""

    mean: float
    """Believed value."""
    std: float
    """Its standard deviation."""
    lower: float
    """Lower end of the 90 % interval."""
    upper: float
    """Upper end of the 90 % interval."""


@dataclass(frozen=True)
class Reasons:
    """Why one candidate is proposed."""

    aim: str
    """Kind of choice, a key of :data:`AIMS`."""
    predictions: Mapping[str, Prediction]
    """What is believed of goals and windows; columns of which nothing is known are left out."""
    p_window: Mapping[str, float]
    """Window -> probability of meeting it."""
    p_windows: float | None
    """Probability of meeting all windows; None without windows."""
    p_success: float
    """Probability of a successful synthesis."""
    teaches: float
    """Expected relative reduction of the uncertainty of hopeful candidates, 0 to 1."""
    effort: float
    """Effort of making and measuring it, relative to the mean of the pool."""
    nearest_result: Neighbour | None
    """Nearest candidate with a result."""
    nearest_known: Sequence[Neighbour]
    """Nearest material of the literature for each column it has values of."""
    known: bool
    """True where the candidate is itself reported in the literature."""
    remarks: tuple[str, ...] = ()
    """Warnings, and what makes it dear."""

    def words(self, history: History, objective: Objective) -> str:
        """Write the reason in words."""
        parts = [_aim(self.aim, history, objective)]
        for column, p in self.predictions.items():
            parts.append(f"predicted {column} {p.mean:.3g} (90 % interval {p.lower:.3g} to {p.upper:.3g})")
        parts += [f"probability {p:.2f} of meeting {window}" for window, p in self.p_window.items()]
        if len(self.p_window) > 1:
            parts.append(f"probability {self.p_windows:.2f} of meeting all")
        if self.p_success < _SURE:
            parts.append(f"synthesis succeeds with probability {self.p_success:.2f}, judging by failures nearby")
        if self.teaches > 0:
            parts.append(f"would reduce the uncertainty of hopeful candidates by {self.teaches:.1%}")
        if self.nearest_result is not None:
            parts.append(f"nearest result {self.nearest_result.words()}")
        parts += [f"nearest in the literature {near.words()}" for near in self.nearest_known]
        parts += ["reported in the literature already"] if self.known else []
        return "; ".join([*parts, *self.remarks])


def reasons_for(
    picks: Sequence[Pick], ground: Ground, history: History, literature: pd.DataFrame | None, *, seed: int
) -> list[Reasons]:
    """Explain the picks of a strategy.

    Args:
        picks: what was chosen.
        ground: the pool.
        history: what was known when they were chosen.
        literature: known values, one row each.
        seed: seed of everything random.
    """
    from hstore_workflows.campaign.beliefs import beliefs, teaches, window_odds

    if not picks:
        return []
    rows = [pick.row for pick in picks]
    believed = beliefs(ground.landscape, history, seed=seed)
    lessons = teaches(ground.landscape, history, rows, seed=seed)
    known = nearest_known(ground, literature, rows)
    odds = {
        str(window): np.broadcast_to(window_odds(window, believed.columns.get(window.column)), len(ground.pool))
        for window in ground.landscape.objective.windows
    }
    return [
        _reasons(pick, ground, history, believed, odds, float(lesson), known[pick.row])
        for pick, lesson in zip(picks, lessons, strict=True)
    ]


def _reasons(
    pick: Pick,
    ground: Ground,
    history: History,
    believed: Beliefs,
    p_window: Mapping[str, FloatArray],
    lesson: float,
    known: Sequence[Neighbour],
) -> Reasons:
    row = pick.row
    frame, effort = ground.pool.frame, ground.landscape.effort
    note = frame["domain_note"].iloc[row]
    remarks = [f"the screen's model is outside its domain here: {note}"] if note else []
    remarks += [f"takes {ground.effort.reason(row)}"] if ground.effort is not None else []
    return Reasons(
        pick.why,
        predictions={column: _prediction(belief, row) for column, belief in believed.columns.items()},
        p_window={window: float(odds[row]) for window, odds in p_window.items()},
        p_windows=float(believed.p_windows[row]) if p_window else None,
        p_success=float(believed.p_success[row]),
        teaches=lesson,
        effort=1.0 if effort is None else float(effort[row]),
        nearest_result=nearest_result(ground, history, row),
        nearest_known=known,
        known=bool(frame["known"].iloc[row]),
        remarks=tuple(remarks),
    )  # fmt: skip


def _prediction(belief: Belief, row: int) -> Prediction:
    return Prediction(belief.middle(row), float(belief.std[row]), belief.lower(row), belief.upper(row))


def _aim(why: str, history: History, objective: Objective) -> str:
    goal = objective.main
    measured = [values[goal.column] for values in history.results.values() if goal.column in values]
    words = AIMS.get(why, why)
    if why != "improve":
        return words
    if not measured:
        return "promises most by what was predicted before"
    best = max(measured, key=lambda value: goal.sign * value)
    return f"{words} (best {goal.column} so far {best:.3g})"
