"""The plan of a batch: what decides the result, and the shards it is made of."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_data.catalog import file_sha256
from hstore_models.training import ensure
from hstore_workflows.batch.source import open_source, reopen_source
from hstore_workflows.batch.spec import Batch, load_batch
from hstore_workflows.batch.whole import write_first
from hstore_workflows.batch.work import function_of
from hstore_workflows.scoring import MODELS_OF_KIND
from hstore_workflows.target import Target, load_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.settings import Settings
    from hstore_workflows.batch.source import Source

FORMAT = 1
"""Form of shards; another one makes another plan."""

PLAN_FILE = "plan.json"
"""Name of the plan in the folder of a run."""

_LIBRARIES = ("hstore", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Shard:
    """Some candidates that are done as a whole."""

    number: int
    """Number of the shard, from 0."""
    start: int
    """Number of its first candidate."""
    stop: int
    """Number behind its last candidate."""


@dataclass(frozen=True)
class Plan:
    """What decides the result of a batch; two runs of one plan give the same bytes."""

    batch: Batch
    """The specification."""
    target: Target
    """What is ranked for."""
    models: dict[str, str]
    """Model -> version that answers."""
    source: dict[str, Any]
    """What tells whether the candidates are still the same."""
    rows: int
    """Number of candidates."""
    versions: dict[str, str]
    """Library -> version."""

    @cached_property
    def plan_id(self) -> str:
        """Digest of all that decides the result."""
        deciding = {**self.as_json(), "format": FORMAT}
        # What is asked of the best later decides nothing here.
        deciding["batch"] = {key: value for key, value in deciding["batch"].items() if key != "stages"}
        deciding["source"] = {key: value for key, value in self.source.items() if key != "files"}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return (self.rows + self.batch.shard_rows - 1) // self.batch.shard_rows

    def shard(self, number: int) -> Shard:
        """Return a shard by its number."""
        start = number * self.batch.shard_rows
        return Shard(number, start, min(start + self.batch.shard_rows, self.rows))

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON."""
        return {
            "batch": self.batch.model_dump(mode="json"),
            "target": self.target.model_dump(mode="json"),
            **{key: value for key, value in asdict(self).items() if key not in {"batch", "target"}},
        }


def make_plan(
    path: Path, folder: Path, settings: Settings, *, say: Callable[[str], None] = lambda _: None
) -> Plan:
    """Plan a batch; models that are missing are trained.

    Args:
        path: the specification.
        folder: of the run, for copies of CSV files.
        settings: where data and models are.
        say: told in one line what is being done.

    Raises:
        InputError: the specification, its target or its candidates cannot be used.
    """
    batch = load_batch(path)
    beside = path.resolve().parent
    target = load_target(str(beside / batch.target) if batch.target.endswith(".toml") else batch.target)
    source, fingerprint = open_source(batch.source, beside, folder / "source")
    for stage in batch.stages:
        function_of(stage)  # found out before anything is paid for
    names = MODELS_OF_KIND[target.kind] if batch.work is None else ()
    models = {name: ensure(name, settings, say=say).card.model_id for name in names}
    return Plan(batch, target, models, fingerprint, len(source), versions_for(batch))


def versions_for(batch: Batch) -> dict[str, str]:
    """Return the versions of what decides the result: libraries, and the code of a function.

    Raises:
        InputError: the function cannot be imported.
    """
    versions = {name: version(name) for name in _LIBRARIES}
    if batch.work is not None:
        function = function_of(batch.work)
        code = inspect.getsourcefile(function)
        versions[batch.work.function] = file_sha256(Path(code))[:16] if code else "built in"
    return versions


def keep_plan(plan: Plan, folder: Path) -> None:
    """Write the plan of a run, or go on with the same one.

    Raises:
        InputError: the folder holds another plan, or something else.
    """
    if (folder / PLAN_FILE).is_file():
        held = read_plan(folder)
        if held.plan_id != plan.plan_id:
            changed = ", ".join(_differences(held.as_json(), plan.as_json())) or "the format"
            raise InputError(
                f"{folder} holds another run ({changed} changed); give another folder with --out, or delete it"
            )
        if held.batch.stages != plan.batch.stages:
            scratch = folder / f".{PLAN_FILE}.part"
            scratch.write_text(_text(plan), encoding="utf-8")
            scratch.replace(folder / PLAN_FILE)
        return
    foreign = [entry.name for entry in folder.iterdir() if entry.name != "source"] if folder.is_dir() else []
    if foreign:
        raise InputError(f"{folder} is not empty and holds no run ({foreign[0]}); give another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_first(folder / PLAN_FILE, _text(plan))


def read_plan(folder: Path) -> Plan:
    """Read the plan of a run.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / PLAN_FILE
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        batch, target = Batch.model_validate(held.pop("batch")), Target.model_validate(held.pop("target"))
        return Plan(batch, target, **held)
    except OSError as error:
        raise InputError(
            f"{folder} holds no run ({PLAN_FILE} is missing); begin one: hstore batch FILE"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged ({error}); begin the run again in another folder") from error


def planned_source(plan: Plan) -> Source:
    """Return the candidates of a plan.

    Raises:
        InputError: a file is gone, or has another number of rows.
    """
    source = reopen_source(plan.batch.source, plan.source)
    if len(source) != plan.rows:
        raise InputError(f"the candidates were {plan.rows:,} when planned and are {len(source):,}; plan again")
    return source


def _text(plan: Plan) -> str:
    return json.dumps(plan.as_json(), indent=1, sort_keys=True) + "\n"


def _differences(held: dict[str, Any], given: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key in sorted({*held, *given} - {"files"}):
        before, after = held.get(key), given.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(before, after, f"{path}{key}.")
        elif before != after:
            found.append(f"{path}{key}")
    return found
