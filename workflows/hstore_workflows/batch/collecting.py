"""Put the shards of a batch together: the ranked list, the front, what was rejected, and what was done where."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.objective import pareto_front
from hstore_workflows.batch.shard import REJECTED_ENDING, SHARDS, Done, record_path
from hstore_workflows.batch.standing import ShardError, standing
from hstore_workflows.batch.work import REJECTED_COLUMNS
from hstore_workflows.screen import PARETO_AXES, objectives_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from hstore_workflows.batch.plan import Plan

TOP, PARETO, REJECTED, SUMMARY, SHARD_LIST = "top", "pareto", "rejected.csv", "summary.json", "shards.csv"
"""Names of what is written: the first two as Parquet and as CSV."""


@dataclass(frozen=True)
class Collected:
    """A batch put together."""

    top: pd.DataFrame
    """The best candidates, ``rank`` from 1; equal scores in the order of the candidates."""
    pareto: pd.DataFrame
    """Candidates inside the domain that no other beats in both of :data:`PARETO_AXES`."""
    summary: dict[str, Any]
    """Counts and the plan, without times and places: the same for two runs of one plan."""
    ranked: Ranked
    """Where the candidates are."""


@dataclass(frozen=True)
class Ranked:
    """Where candidates are in the files of the shards, to read more of them than the ranked list has."""

    files: list[Path]
    """Files of the shards."""
    rows: list[int]
    """Rows of each."""
    best: list[tuple[int, int]]
    """Places (file, row) of the best candidates, in order."""

    def frame(self, places: list[tuple[int, int]]) -> pd.DataFrame:
        """Read candidates at places, in their order."""
        return _rows(self.files, places)


def collect(plan: Plan, folder: Path) -> Collected:
    """Put the shards together and write the results beside them.

    Shards are read one after the other, few columns of each, so memory does not grow with the candidates.

    Raises:
        ShardError: a shard is missing or damaged.
    """
    state = standing(plan, folder, thoroughly=True)
    if state.damaged or state.missing:
        number = next(iter([*state.damaged, *state.missing]))
        why = state.damaged.get(number) or state.failures.get(number) or "not done yet"
        raise ShardError(
            f"{len(state.missing)} of {plan.n_shards} shards are not done (shard {number}: {why}); "
            f"run: hstore batch resume {folder}"
        )
    dones = [state.done[number] for number in range(plan.n_shards)]
    files = [
        folder / SHARDS / name for done in dones for name in done.sha256 if not name.endswith(REJECTED_ENDING)
    ]
    reserve = max([plan.batch.top, *(2 * stage.take for stage in plan.batch.stages[:1])])
    best, front = _best(plan, files, reserve)
    top = _rows(files, best[: plan.batch.top])
    top.insert(0, "rank", np.arange(1, len(top) + 1))
    pareto = _rows(files, front)
    decided = plan.as_json()
    decided["source"] = {key: value for key, value in plan.source.items() if key != "files"}
    summary = {
        "plan_id": plan.plan_id,
        "plan": decided,
        "candidates": state.candidates,
        "rejected": state.rejected,
        "shards": plan.n_shards,
        "top": len(top),
        "pareto": len(pareto),
    }
    counts = [done.candidates for done in dones if done.candidates]
    found = Collected(top, pareto, summary, Ranked(files, counts, best))
    _write(found, folder, plan, dones)
    return found


def _best(plan: Plan, files: Iterable[Path], count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the places (file, row) of the best candidates in order, and of the front."""
    import pyarrow.parquet as pq

    # What a function answers has a score and no objectives that are known here.
    axes = {"in_domain", *PARETO_AXES[plan.target.kind]} if plan.batch.work is None else set()
    held: NDArray[np.float64] = np.empty((0, 3))  # score, file, row
    edge: NDArray[np.float64] = np.empty((0, 4))  # two objectives, file, row
    for number, path in enumerate(files):
        frame = pq.read_table(path, columns=["score", *sorted(axes - {"score"})]).to_pandas()
        rows = np.arange(len(frame), dtype=float)
        here = np.column_stack([frame["score"].fillna(-1.0), np.full(len(frame), number), rows])
        held = _largest(np.vstack([held, here]), count)
        if not axes:
            continue
        goals = objectives_of(frame, plan.target.kind)
        own = pareto_front(goals)
        edge = np.vstack([edge, np.column_stack([goals, np.full(len(frame), number), rows])[own]])
        edge = edge[pareto_front(edge[:, :2])]
    order = np.lexsort((edge[:, 3], edge[:, 2], -edge[:, 0]))
    return _places(held[:, 1:]), _places(edge[order][:, 2:])


def _largest(held: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the rows with the largest first column in order, the earlier of equal ones first."""
    order = np.lexsort((held[:, 2], held[:, 1], -held[:, 0]))
    return held[order[:count]]


def _places(pairs: NDArray[np.float64]) -> list[tuple[int, int]]:
    return [(int(number), int(row)) for number, row in pairs]


def _rows(files: list[Path], places: list[tuple[int, int]]) -> pd.DataFrame:
    """Read whole rows at places, in their order."""
    import pyarrow.parquet as pq

    parts: list[pd.DataFrame] = []
    for number in sorted({found for found, _ in places}):
        order = [place for place, (found, _) in enumerate(places) if found == number]
        part: pd.DataFrame = pq.read_table(files[number]).take([places[place][1] for place in order]).to_pandas()
        parts.append(part.set_axis(order))
    if not parts:
        columns = pq.read_schema(files[0]).names if files else ["candidate", "score"]
        return pd.DataFrame(columns=columns)
    return pd.concat(parts).sort_index().reset_index(drop=True)


def _write(found: Collected, folder: Path, plan: Plan, dones: list[Done]) -> None:
    for name, frame in ((TOP, found.top), (PARETO, found.pareto)):
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
    _write_rejected(folder, dones)
    text = json.dumps(found.summary, indent=1, sort_keys=True)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    columns = [field.name for field in fields(Done) if field.name != "sha256"]
    with (folder / SHARD_LIST).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*columns, "record"], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for done in dones:
            writer.writerow(asdict(done) | {"record": record_path(folder, plan, done.number).name})


def _write_rejected(folder: Path, dones: list[Done]) -> None:
    """Write the candidates that could not be used, shard by shard."""
    with (folder / REJECTED).open("w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(REJECTED_COLUMNS) + "\n")
        for done in dones:
            if done.rejected:
                name = next(name for name in done.sha256 if name.endswith(REJECTED_ENDING))
                frame = pd.read_parquet(folder / SHARDS / name)
                frame.to_csv(stream, index=False, header=False, lineterminator="\n")
