"""How far a batch has come, as the folder of its run tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.errors import HstoreError
from hstore_workflows.batch.journal import events
from hstore_workflows.batch.shard import SHARDS, damaged, read_record, record_path

if TYPE_CHECKING:
    from pathlib import Path

    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.shard import Done


class ShardError(HstoreError):
    """Shards are missing, damaged, or could not be done."""


@dataclass(frozen=True)
class Standing:
    """How far a batch has come."""

    done: dict[int, Done]
    """Shard -> its record, of those done."""
    damaged: dict[int, str]
    """Shard -> what is wrong with its files; it is to be done again."""
    shards: int
    """Number of shards of the plan."""
    failures: dict[int, str]
    """Shard -> why its last try failed, of those that are not done."""

    @property
    def missing(self) -> list[int]:
        """Shards to be done."""
        return [number for number in range(self.shards) if number not in self.done]

    @property
    def candidates(self) -> int:
        """Candidates with an answer."""
        return sum(done.candidates for done in self.done.values())

    @property
    def rejected(self) -> int:
        """Candidates that could not be used."""
        return sum(done.rejected for done in self.done.values())

    @property
    def core_seconds(self) -> float:
        """Time that the shards took, added up, s."""
        return sum(done.seconds for done in self.done.values())


def standing(plan: Plan, folder: Path, *, thoroughly: bool = False) -> Standing:
    """Look how far a batch has come.

    Args:
        plan: its plan.
        folder: of its run.
        thoroughly: whether the files of shards are read and compared with their records.
    """
    found: dict[int, Done] = {}
    wrong: dict[int, str] = {}
    for number in range(plan.n_shards):
        path = record_path(folder, plan, number)
        try:
            done = read_record(path)
        except FileNotFoundError:
            continue
        except ValueError as error:
            wrong[number] = str(error)
            continue
        fault = damaged(path, done, thoroughly=thoroughly)
        if fault:
            wrong[number] = fault
        else:
            found[number] = done
    failed = {event["shard"]: event["why"] for event in events(folder) if event["event"] == "failed"}
    failures = {number: why for number, why in failed.items() if number not in found}
    return Standing(found, wrong, plan.n_shards, failures)


def discard(plan: Plan, folder: Path, number: int) -> None:
    """Delete what is there of a shard, its record first."""
    record = record_path(folder, plan, number)
    record.unlink(missing_ok=True)
    for path in (folder / SHARDS).glob(f"{record.stem}*"):
        path.unlink(missing_ok=True)
