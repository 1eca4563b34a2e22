"""One shard: its candidates read, predicted, scored and written, a chunk at a time."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.settings import Settings
from hstore.workers import peak_memory_mib
from hstore_data.catalog import file_sha256
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_workflows.batch.plan import planned_source, read_plan
from hstore_workflows.batch.whole import first_of, write_first
from hstore_workflows.batch.work import IDENTITY, rejected_frame, work_rows
from hstore_workflows.scoring import score_chunk
from hstore_workflows.tables import check_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_models.registry import LoadedModel
    from hstore_workflows.batch.plan import Plan, Shard
    from hstore_workflows.batch.source import Source

SHARDS = "shards"
"""Folder of the shards in the folder of a run."""

REJECTED_ENDING = "-rejected.parquet"
"""How the name of the file ends that holds them; there is none where all could be used."""


@dataclass(frozen=True)
class Task:
    """One shard to be done, by whoever takes it."""

    folder: str
    """Folder of the run."""
    home: str
    """Folder of the models."""
    number: int
    """Number of the shard."""
    attempt: int = 1
    """Which try this is."""
    poisoned: tuple[tuple[int, str], ...] = ()
    """Candidates that break whoever asks about them, with the cause; they are rejected unasked."""
    probe: tuple[int, int] | None = None
    """Candidates, from the first to before the second, to ask about without writing anything."""


@dataclass(frozen=True)
class Done:
    """The record of a shard; a shard is done where it has one."""

    number: int
    """Number of the shard."""
    start: int
    """Number of its first candidate."""
    stop: int
    """Number behind its last."""
    candidates: int
    """Candidates with an answer."""
    rejected: int
    """Candidates that could not be used."""
    sha256: dict[str, str]
    """File -> digest."""
    bytes: int
    """Size of its files."""
    attempt: int = field(default=1, kw_only=True)
    """Which try it was."""
    host: str = field(default="", kw_only=True)
    """Machine that did it."""
    seconds: float = field(default=0.0, kw_only=True)
    """Time it took, s."""
    peak_memory_mib: float = field(default=0.0, kw_only=True)
    """Largest memory of the process so far, MiB."""
    finished_at: str = field(default="", kw_only=True)
    """When, UTC."""


def record_path(folder: Path, plan: Plan, number: int) -> Path:
    """Return where the record of a shard stands; another plan has another name."""
    return folder / SHARDS / f"{_stem(plan, number)}.json"


def do_shard(task: Task) -> bool:
    """Do a shard, unless it is done; or only ask about some candidates of one.

    Raises:
        HstoreError: its candidates cannot be read, or a model is missing.
    """
    from datetime import UTC, datetime

    folder = Path(task.folder)
    plan, source, models = opened(task.folder, task.home)
    shard = plan.shard(task.number)
    if task.probe is not None:
        for _ in _chunks(plan, source, models, task, *task.probe):
            pass
        return True
    record = record_path(folder, plan, task.number)
    if record.is_file():
        return False
    started = time.monotonic()
    files, candidates, rejected = _write(folder / SHARDS, plan, source, models, shard, task)
    done = Done(
        shard.number,
        shard.start,
        shard.stop,
        candidates,
        rejected,
        {path.name: file_sha256(path) for path in files},
        sum(path.stat().st_size for path in files),
        attempt=task.attempt,
        host=platform.node(),
        seconds=round(time.monotonic() - started, 3),
        peak_memory_mib=round(peak_memory_mib(), 1),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_first(record, json.dumps(asdict(done), indent=1, sort_keys=True) + "\n")
    return True


def read_record(path: Path) -> Done:
    """Read the record of a shard.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return Done(**json.loads(path.read_text(encoding="utf-8")))
    except TypeError as error:
        raise ValueError(f"{path.name} is no record of a shard") from error


def damaged(path: Path, done: Done, *, thoroughly: bool = False) -> str:
    """Say what is wrong with the files of a shard; empty where nothing is.

    Args:
        path: its record.
        done: what that says.
        thoroughly: whether to read the files, not only to look whether they are there.
    """
    sizes = 0
    for name, digest in done.sha256.items():
        file = path.with_name(name)
        if not file.is_file():
            return f"{name} is missing"
        sizes += file.stat().st_size
        if thoroughly and file_sha256(file) != digest:
            return f"{name} has another content than its record says"
    return "" if sizes == done.bytes else "its files have another size than its record says"


def _stem(plan: Plan, number: int) -> str:
    return f"{number:07d}-{plan.plan_id}"


@cache
def opened(folder: str, home: str) -> tuple[Plan, Source, dict[str, LoadedModel]]:
    """Open what a worker needs once, whatever the number of its shards."""
    plan, registry = read_plan(Path(folder)), Registry(Settings(home=Path(home)).models_dir)
    models = {name: registry.load(name, model_id) for name, model_id in plan.models.items()}
    return plan, planned_source(plan), models


def _write(
    folder: Path, plan: Plan, source: Source, models: dict[str, LoadedModel], shard: Shard, task: Task
) -> tuple[list[Path], int, int]:
    """Write the files of a shard; return them with the number of candidates and of rejects."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stem = _stem(plan, shard.number)
    if task.poisoned:  # a straggler that knows of none of them writes other files
        stem += f"-{hashlib.sha256(repr(task.poisoned).encode()).hexdigest()[:8]}"
    files: list[Path] = []
    candidates, rejects = 0, []
    with ExitStack() as stack:
        writer = None
        for scored, rejected in _chunks(plan, source, models, task, shard.start, shard.stop):
            rejects.append(rejected)
            if scored.empty:
                continue
            table = pa.Table.from_pandas(scored, preserve_index=False).replace_schema_metadata()
            if writer is None:
                files.append(folder / f"{stem}.parquet")
                scratch = stack.enter_context(first_of(files[0]))
                texts = [field.name for field in table.schema if str(field.type) in {"string", "large_string"}]
                writing = pq.ParquetWriter(scratch, table.schema, compression="zstd", use_dictionary=texts)
                writer = stack.enter_context(writing)
            writer.write_table(table.cast(writer.schema))
            candidates += len(scored)
    rejected = pd.concat(rejects, ignore_index=True)
    if len(rejected):
        files.append(folder / f"{stem}{REJECTED_ENDING}")
        with first_of(files[-1]) as scratch:
            rejected.to_parquet(scratch, index=False)
    return files, candidates, len(rejected)


def _chunks(
    plan: Plan, source: Source, models: dict[str, LoadedModel], task: Task, start: int, stop: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the scored candidates and the rejected ones, a chunk at a time."""
    step, poisoned = plan.batch.chunk_rows, dict(task.poisoned)
    for begin in range(start, stop, step):
        rows = source.read(begin, min(begin + step, stop))
        if plan.batch.work is not None:
            yield work_rows(plan.batch.work, rows, begin, poisoned)
        else:
            yield score_rows(plan, models, rows, begin, poisoned)


def score_rows(
    plan: Plan, models: dict[str, LoadedModel], rows: pd.DataFrame, begin: int, poisoned: dict[int, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score some candidates.

    Args:
        plan: what is asked.
        models: model -> model.
        rows: candidates, with the columns that ``hstore predict`` reads.
        begin: number of the first.
        poisoned: candidates not to ask about -> cause.

    Returns:
        Those answered (``candidate``, ``material_id`` and ``name`` where given, ``formula``, and, where there
        is any, what :func:`hstore_workflows.scoring.score_chunk` adds), and the others, with
        :data:`hstore_workflows.batch.work.REJECTED_COLUMNS`.
    """
    numbers = np.arange(begin, begin + len(rows))
    broken = np.isin(numbers, list(poisoned))
    table = check_table(rows[~broken].reset_index(drop=True), formulas=plan.target.kind != "sorbent")
    places = numbers[~broken]
    frame = table.frame
    identity = pd.DataFrame({"candidate": places[frame["row"].to_numpy() - 1]})
    for name in IDENTITY:
        if name in frame:
            identity[name] = frame[name].fillna("").astype(str)
    rejects = [(int(places[reject.row - 1]), reject.formula, reject.cause) for reject in table.rejects]
    rejects += [(number, _formula(rows, number - begin), poisoned[number]) for number in numbers[broken].tolist()]
    rejected = rejected_frame(rejects)
    if frame.empty:
        return identity, rejected
    scored = score_chunk(plan.target, Query.of(table.amounts, frame.drop(columns="row")), models)
    answers = pd.concat([identity, scored], axis=1)
    # Texts are of one type in every chunk, also where all of one are missing.
    return answers.astype(dict.fromkeys(answers.select_dtypes("object"), "string")), rejected


def _formula(rows: pd.DataFrame, place: int) -> str:
    return str(rows["formula"].iloc[place]) if "formula" in rows else ""
