"""Everything that a report of a campaign tells, gathered once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import Beliefs, beliefs
from hstore_workflows.campaign.ground import make_ground
from hstore_workflows.campaign.neighbours import read_literature
from hstore_workflows.campaign.places import campaign_folder, literature_path, open_pool
from hstore_workflows.campaign.reason import reasons_for
from hstore_workflows.campaign.stopping import advice_in
from hstore_workflows.campaign.story import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_workflows.campaign.ground import Ground
    from hstore_workflows.campaign.landscape import History
    from hstore_workflows.campaign.reason import Reasons
    from hstore_workflows.campaign.stopping import Advice
    from hstore_workflows.campaign.story import Status

FAILED = -np.inf
"""Goal of a candidate that cannot be made or misses a window, larger being better."""


@dataclass(frozen=True, eq=False)
class View:
    """One campaign, as it stands now."""

    status: Status
    """Ledger and settings."""
    ground: Ground
    """The pool."""
    history: History
    """What is known."""
    believed: Beliefs
    """What is believed of every candidate now."""
    advice: Advice
    """Whether to go on."""
    following: Sequence[tuple[int, Reasons]]
    """Rows that would be proposed now, and why."""
    answered: Sequence[int]
    """Rows measured in all goals or failed, in the order in which they were first answered."""

    def name_of(self, row: int) -> str:
        """Return the formula of a candidate."""
        return str(self.ground.pool.frame["formula"].iloc[row])

    def goals_of(self, rows: Sequence[int]) -> FloatArray:
        """Return measured goals, larger being better, shape (len(rows), k); failed and outside windows -inf."""
        goals = self.status.objective.goals
        points = np.full((len(rows), len(goals)), FAILED)
        for place, row in enumerate(rows):
            values = self.history.results.get(row, {})
            if all(goal.column in values for goal in goals) and self.status.objective.met_by(values):
                points[place] = [goal.sign * values[goal.column] for goal in goals]
        return points


def gather(settings: Settings, name: str) -> View:
    """Gather what a report tells; nothing is written.

    Raises:
        UnknownNameError: no such campaign.
    """
    from hstore_workflows.campaign.strategies import strategy

    found = status(settings, name)
    config, standing = found.config, found.standing
    pool = open_pool(settings, name, config)
    ground = make_ground(pool, config, campaign_folder(settings, name))
    history = standing.history(pool.rows)
    seed = config.seed + len(standing)
    picks = strategy(config.strategy).choose(ground.landscape, history, config.batch, seed=seed)
    why = reasons_for(picks, ground, history, read_literature(literature_path(settings, name)), seed=seed)
    believed = beliefs(ground.landscape, history, seed=seed)
    following = [(pick.row, reasons) for pick, reasons in zip(picks, why, strict=True)]
    return View(
        found, ground, history, believed, advice_in(found, ground), following, _answered(found, history, pool.rows)
    )


def _answered(found: Status, history: History, rows: dict[str, int]) -> list[int]:
    goals = [goal.column for goal in found.objective.goals]
    complete = {row for row, values in history.results.items() if all(goal in values for goal in goals)}
    complete |= set(history.failed)
    when: dict[int, tuple[str, int]] = {}
    for entry in found.standing.all_entries():
        row = rows[entry.material_id]
        if row in complete and entry.told and row not in when:
            when[row] = (entry.told[0].at, entry.number)
    return sorted(when, key=lambda row: when[row])
