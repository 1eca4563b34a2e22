"""Replay: campaigns on a labelled table whose answers are hidden, to see what a strategy is worth.

Each seed starts from the same random candidates for every strategy, then batches are chosen and answered at once.
Seeds run side by side; with a folder, each finished one is kept and a second run goes on where the first ended.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_workflows.campaign.landscape import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstore_workflows.campaign.landscape import Strategy
    from hstore_workflows.campaign.replay_pool import LabelledPool

_SECONDS_PER_SEED = 3600.0


@dataclass(frozen=True)
class ReplaySettings:
    """How a campaign is replayed."""

    budget: int = 60
    """Candidates measured in all, the first ones included."""
    batch: int = 5
    """Candidates chosen at a time."""
    initial: int = 10
    """Candidates drawn at random at the start."""
    seeds: int = 30
    """Campaigns."""
    first_seed: int = 0
    """Seed of the first campaign; the next has the next."""

    def check(self, rows: int) -> None:
        """Refuse settings that cannot be replayed on a pool.

        Args:
            rows: candidates of the pool.

        Raises:
            InputError: a number is out of range.
        """
        if min(self.batch, self.initial, self.seeds) < 1 or not self.initial <= self.budget <= rows:
            raise InputError(
                f"a replay needs batch, initial and seeds of at least 1 and initial <= budget <= {rows} rows, "
                f"got batch {self.batch}, initial {self.initial}, seeds {self.seeds}, budget {self.budget}"
            )


def replay(
    pool: LabelledPool,
    strategy: str,
    settings: ReplaySettings,
    *,
    folder: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[list[int]]:
    """Replay campaigns.

    Args:
        pool: candidates and answers.
        strategy: name of the strategy.
        settings: how.
        folder: where finished seeds are kept; nothing is kept when None.
        workers: processes; one for each core when None.
        progress: called with the number of seeds that were finished since the last call.

    Returns:
        For each seed, the rows in the order in which they were measured.

    Raises:
        InputError: the settings do not suit the pool, or a campaign failed, with its cause.
        UnknownNameError: no such strategy.
    """
    from hstore_workflows.campaign.strategies import strategy as named

    settings.check(len(pool))
    named(strategy)  # an unknown name, or an extra that is not there, is told before anything runs
    kept = _Kept(folder, pool, strategy, settings) if folder is not None else None
    orders = dict(kept.read()) if kept is not None else {}
    seeds = [settings.first_seed + number for number in range(settings.seeds)]
    missing = [seed for seed in seeds if seed not in orders]
    if progress is not None:
        progress(len(seeds) - len(missing))
    for seed, order in _ran(pool, strategy, settings, missing, workers):
        orders[seed] = order
        if kept is not None:
            kept.add(seed, order)
        if progress is not None:
            progress(1)
    return [orders[seed] for seed in seeds]


def one_campaign(pool: LabelledPool, strategy: Strategy, settings: ReplaySettings, seed: int) -> list[int]:
    """Run one campaign and return the rows in the order in which they were measured.

    Args:
        pool: candidates and answers.
        strategy: how to choose.
        settings: how long.
        seed: of the start and of the strategy.
    """
    start = np.random.default_rng(seed).permutation(len(pool))[: settings.initial]
    order, chosen = [int(row) for row in start], dict[int, str]()
    while len(order) < settings.budget:
        results = {row: {name: float(values[row]) for name, values in pool.answers.items()} for row in order}
        history = History(results, chosen=chosen, remaining=settings.budget - len(order))
        wanted = min(settings.batch, settings.budget - len(order))
        picks = strategy.choose(pool.landscape, history, wanted, seed=seed)
        if not picks:
            break
        order += [pick.row for pick in picks]
        chosen |= {pick.row: pick.why for pick in picks}
    return order


def _ran(
    pool: LabelledPool, strategy: str, settings: ReplaySettings, seeds: list[int], workers: int | None
) -> Iterator[tuple[int, list[int]]]:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from hstore.workers import default_workers

    work = partial(_one, strategy, settings)
    n_workers = min(workers or default_workers(), len(seeds))
    if n_workers <= 1:
        _set_up(pool)
        for seed in seeds:
            yield seed, work(seed)
        return
    with ProcessPoolExecutor(
        n_workers, mp_context=get_context("spawn"), initializer=_set_up, initargs=(pool,)
    ) as crew:
        running = {crew.submit(work, seed): seed for seed in seeds}
        for done in as_completed(running):
            yield running[done], done.result()


_POOL: list[LabelledPool] = []
"""The pool of this process, so that it travels once."""


def _set_up(pool: LabelledPool) -> None:
    _POOL[:] = [pool]


def _one(strategy: str, settings: ReplaySettings, seed: int) -> list[int]:
    from threadpoolctl import threadpool_limits

    from hstore_workflows.campaign.strategies import strategy as named

    with threadpool_limits(1):
        return one_campaign(_POOL[0], named(strategy), settings, seed)


class _Kept:
    """Finished seeds in a file, one line each."""

    def __init__(self, folder: Path, pool: LabelledPool, strategy: str, settings: ReplaySettings) -> None:
        from hstore_models.training import code_version

        ran: dict[str, Any] = {
            "pool": pool.digest, "strategy": strategy, "budget": settings.budget, "batch": settings.batch,
            "initial": settings.initial, "code": code_version(),
        }  # fmt: skip
        key = hashlib.sha256(json.dumps(ran, sort_keys=True).encode()).hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"replay-{strategy}-{key}.jsonl"
        if not self._path.is_file():
            self._path.write_text(json.dumps(ran | asdict(settings)) + "\n", encoding="utf-8")

    def read(self) -> Iterator[tuple[int, list[int]]]:
        """Return the finished seeds; a line that was cut short is left out."""
        for line in self._path.read_text(encoding="utf-8").splitlines()[1:]:
            try:
                held = json.loads(line)
            except json.JSONDecodeError:
                continue
            yield int(held["seed"]), [int(row) for row in held["order"]]

    def add(self, seed: int, order: list[int]) -> None:
        """Keep a finished seed; what was cut short before it stays a line of its own."""
        text = self._path.read_text(encoding="utf-8")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("" if text.endswith("\n") else "\n") + json.dumps({"seed": seed, "order": order}) + "\n")
