"""Which frameworks to simulate next: the strategies of campaigns on the pore descriptors of a pool.

A simulation takes minutes, the geometry of pores seconds and a guess from it nothing. A few dozen simulations,
each chosen by what the ones before said, find the best of a large pool.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_workflows.campaign.descriptors import column_blocks
from hstore_workflows.campaign.landscape import History, Landscape
from hstore_workflows.campaign.objective import Objective
from hstore_workflows.campaign.strategies import strategy as named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GOAL = "usable_capacity_g_per_l"
"""What is made as large as possible where nothing else is said."""
_NAMES = ("name", "material_id", "framework")


@dataclass(frozen=True)
class Choice:
    """A framework to simulate."""

    name: str
    """Its name in the pool."""
    why: str
    """Kind of choice, as campaigns call it."""

    def as_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return asdict(self)


def next_frameworks(
    pool: pd.DataFrame,
    done: pd.DataFrame,
    *,
    n: int = 5,
    goal: str = GOAL,
    strategy: str = "default",
    seed: int = 0,
) -> list[Choice]:
    """Choose frameworks to simulate.

    Args:
        pool: one framework in a row: a column ``name``, ``material_id`` or ``framework``, and the columns of
            :data:`~hstore_models.features.pores.PORE_DESCRIPTORS`.
        done: what was simulated: the same column of names, and the goal, empty where a simulation failed.
        n: how many are wanted.
        goal: column of ``done`` to make as large as possible.
        strategy: name of a strategy of campaigns.
        seed: the same question with the same seed has the same answer.

    Returns:
        At most ``n`` choices, the first one first; with nothing done yet, spread over the pool.

    Raises:
        InputError: a column is missing, a name is not in the pool or there twice.
        UnknownNameError: no such strategy, or no such column.
    """
    names = _names(pool, "the pool")
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}; ask for one framework or more")
    missing = [name for name in PORE_DESCRIPTORS if name not in pool]
    if missing:
        raise InputError(
            f"the pool lacks {', '.join(missing)}; `hstore physics pores` computes them, and the frameworks of "
            "core-mof have them"
        )
    values = pool[list(PORE_DESCRIPTORS)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    landscape = Landscape(column_blocks(values, PORE_DESCRIPTORS), Objective.maximizing(goal))
    picks = named(strategy).choose(landscape, _history(names, done, goal), n, seed=seed)
    return [Choice(names[pick.row], pick.why) for pick in picks]


def _names(table: pd.DataFrame, what: str) -> list[str]:
    column = next((name for name in _NAMES if name in table), None)
    if column is None:
        raise InputError(f"{what} has no column {' or '.join(_NAMES)}; name its frameworks")
    names = [str(name) for name in table[column]]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"{what} names {twice[0]} more than once; keep one row of each framework")
    return names


def _history(names: Sequence[str], done: pd.DataFrame, goal: str) -> History:
    if done.empty:
        return History()
    if goal not in done:
        raise unknown_name("column", goal, map(str, done))
    rows = {name: row for row, name in enumerate(names)}
    results: dict[int, dict[str, float]] = {}
    failed: list[int] = []
    told = pd.to_numeric(done[goal], errors="coerce").to_numpy(dtype=float)
    for name, value in zip(_names(done, "what was done"), told, strict=True):
        if name not in rows:
            raise unknown_name("framework", name, names)
        if np.isfinite(value):
            results[rows[name]] = {goal: float(value)}
        else:
            failed.append(rows[name])
    return History(results, failed=failed)


def text_of(choices: Sequence[Choice]) -> Iterator[str]:
    """Yield choices in words."""
    for choice in choices:
        yield f"{choice.name}  {choice.why}"


def read_tables(pool: Path, done: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the pool, and what was done, which may be None.

    Raises:
        InputError: a file cannot be read.
    """
    from hstore_workflows.tables import read_table

    return read_table(pool), pd.DataFrame() if done is None else read_table(done)
