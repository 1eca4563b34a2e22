"""Soak a campaign: processes ask and tell one campaign, some are killed, and then the ledger is checked.

Each process is a lab of its own. It asks for proposals, tells values, failures, values in part and rows it has
told before, and writes down what was acknowledged. Two of the processes are killed (SIGKILL) at random times and
not replaced. When all have ended, these must hold:

- no material was proposed again before its lease had passed, and no two acknowledged proposals have one number;
- every acknowledged result is in the ledger, with its value and its lab, and stands once;
- what the dead had under way is given back once its lease has passed;
- trials are numbered without a gap, and none is left half written.

Example: ``python benchmarks/campaign_soak.py --minutes 5 --json``. PostgreSQL is soaked too where
HSTORE_TEST_POSTGRES_URL names a server (``eval "$(.ci/postgres.sh start)"``), in a schema of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from hstore.settings import Settings
from hstore_workflows.campaign import story
from hstore_workflows.campaign.ledger import open_ledger
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.proposing import propose
from hstore_workflows.campaign.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "soak"
CAPACITY, ENTHALPY = "h2_capacity_wt_pct", "desorption_enthalpy_kj_per_mol_h2"
OBJECTIVE = Objective((Goal(CAPACITY), Goal(ENTHALPY, minimize=True)), (Window(ENTHALPY, 20.0, 50.0),))
_ADDED = {"taken", "partial", "failed", "replicate", "conflict"}


def write_pool(path: Path, rows: int, seed: int) -> None:
    """Write a pool of alloys with predictions."""
    rng = random.Random(seed)
    lines = [f"material_id,formula,{CAPACITY}_mean,{CAPACITY}_std,{ENTHALPY}_mean,{ENTHALPY}_std"]
    for k in range(rows):
        x, y = rng.uniform(0.01, 0.99), rng.uniform(0.01, 0.99)
        formula = f"La{x:.4f}Ce{1 - x:.4f}Ni{4 + y:.4f}Co{1 - y:.4f}"
        lines.append(f"s{k:06d},{formula},{1.0 + 0.5 * x:.4f},0.2,{25 + 20 * y:.3f},5")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def work(settings: Settings, lab: str, log: Path, until: float, seed: int) -> None:
    """Ask and tell until the time is over; what was acknowledged is written to the log, line by line."""
    rng = random.Random(seed)
    mine: list[str] = []
    told: list[dict[str, Any]] = []
    with log.open("a", encoding="utf-8") as stream:

        def note(kind: str, **fields: Any) -> None:
            stream.write(json.dumps({"kind": kind, "lab": lab, **fields}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

        while time.time() < until:
            if not mine or rng.random() < 0.3:
                found = propose(settings, NAME, n=rng.randint(1, 3), lab=lab)
                mine += [p.material_id for p in found]
                note("proposed", numbers=[p.number for p in found], materials=[p.material_id for p in found])
                if not found.items and not mine:
                    return
                continue
            rows = [_answer(material, rng) for material in rng.sample(mine, min(len(mine), rng.randint(1, 3)))]
            rows += [rng.choice(told)] if told and rng.random() < 0.3 else []
            verdicts = story.observe(settings, NAME, rows, lab=lab).verdicts
            note("told", rows=rows, verdicts=[v.verdict for v in verdicts])
            done = [row["material_id"] for row in rows if ENTHALPY in row or "failed" in row]
            mine = [material for material in mine if material not in done]
            told += [row for row, v in zip(rows, verdicts, strict=True) if v.verdict in {"taken", "failed"}]


def _answer(material: str, rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.2:
        return {"material_id": material, "failed": "no phase"}
    row = {"material_id": material, CAPACITY: round(rng.uniform(0.9, 1.6), 9)}
    return row if rng.random() < 0.3 else {**row, ENTHALPY: round(rng.uniform(22, 48), 9)}


def soak(settings: Settings, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run the processes, kill some, and check the ledger."""
    write_pool(folder / "pool.csv", args.rows, args.seed)
    story.begin(settings, NAME, folder / "pool.csv", OBJECTIVE, lease_s=args.lease_seconds, strategy=args.strategy)
    warm_up(settings)
    seconds = args.seconds or 60.0 * args.minutes
    start = time.time()
    rng = random.Random(args.seed)
    workers = []
    for k in range(args.processes):
        given = (settings, f"lab{k}", folder / f"lab{k}.jsonl", start + seconds, args.seed + k)
        workers.append(multiprocessing.get_context("fork").Process(target=work, args=given))
        workers[k].start()
    dead = rng.sample(range(args.processes), min(args.kills, args.processes))
    for at, k in sorted((start + seconds * rng.uniform(0.3, 0.9), k) for k in dead):
        time.sleep(max(0.0, at - time.time()))
        workers[k].kill()
    for worker in workers:
        worker.join()
    failed = [f"lab{k} ended with {w.exitcode}" for k, w in enumerate(workers) if k not in dead and w.exitcode]
    logs = [json.loads(line) for k in range(args.processes) for line in _whole_lines(folder / f"lab{k}.jsonl")]
    report = check(settings, logs, {f"lab{k}" for k in dead}, args)
    report["problems"] += failed
    return {"processes": args.processes, "killed": len(dead), "seconds": seconds, **report}


def warm_up(settings: Settings) -> None:
    """Load once, before the processes are forked, what every one of them needs."""
    propose(settings, NAME, n=1, lab="warm-up")
    story.observe(settings, NAME, [{"material_id": "nobody", "value": 1.0}], lab="warm-up")


def check(
    settings: Settings, logs: list[dict[str, Any]], dead: set[str], args: argparse.Namespace
) -> dict[str, Any]:
    """Compare the ledger with what was acknowledged, and let the leases of the dead pass."""
    with open_ledger(settings, NAME) as ledger:
        entries, config = ledger.entries(), ledger.config
    problems = _gaps(entries) + _doubles(entries, logs, config.lease_s) + _lost(entries, logs)
    open_at_end = [e for e in entries if e.in_flight and e.lab in dead]
    time.sleep(args.lease_seconds + 0.2)
    released = set(propose(settings, NAME, n=1, lab="after").released)
    with open_ledger(settings, NAME) as ledger:
        after = ledger.entries()
    problems += [
        f"experiment {e.number} of the dead {e.lab} is still under way"
        for e in after
        if e.in_flight and e.lab in dead
    ]
    problems += [
        f"experiment {e.number} is half written" for e in after if e.released and e.trial_state == "RUNNING"
    ]
    verdicts = Counter(verdict for line in logs if line["kind"] == "told" for verdict in line["verdicts"])
    return {
        "trials": len(after),
        "proposed": sum(len(line["numbers"]) for line in logs if line["kind"] == "proposed"),
        "told": dict(sorted(verdicts.items())),
        "of_the_dead_under_way": len(open_at_end),
        "of_the_dead_released": sum(e.released and e.lab in dead for e in after),
        "released_after_lease": len(released),
        "released_in_all": sum(e.released for e in after),
        "counts": Standing(after, OBJECTIVE).counts(),
        "problems": problems,
    }


def _gaps(entries: list[Any]) -> list[str]:
    numbers = [entry.number for entry in entries]
    return [] if numbers == list(range(len(numbers))) else ["trials are not numbered without a gap"]


def _doubles(entries: list[Any], logs: list[dict[str, Any]], lease_s: float) -> list[str]:
    numbers = Counter(number for line in logs if line["kind"] == "proposed" for number in line["numbers"])
    found = [f"experiment {number} was acknowledged {n} times" for number, n in numbers.items() if n > 1]
    by_material: dict[str, list[Any]] = {}
    for entry in entries:
        if "strategy" in entry.attributes:
            by_material.setdefault(entry.material_id, []).append(entry)
    for material, proposals in by_material.items():
        for before, after in pairwise(proposals):
            proposed_at = after.lease_until - timedelta(seconds=lease_s)
            if not before.released or datetime.fromisoformat(before.attributes["released"]) > proposed_at:
                found.append(f"{material} was proposed as {before.number} and as {after.number}")
    return found


def _lost(entries: list[Any], logs: list[dict[str, Any]]) -> list[str]:
    """Name acknowledged rows that do not stand in the ledger exactly once."""
    held = Counter(
        (entry.material_id, told.lab, column, value)
        for entry in entries
        for told in entry.told
        for column, value in (told.values or {"failed": 1.0}).items()
    )
    found = []
    for line in logs:
        if line["kind"] != "told":
            continue
        for row, verdict in zip(line["rows"], line["verdicts"], strict=True):
            columns = {"failed": 1.0} if "failed" in row else {c: row[c] for c in (CAPACITY, ENTHALPY) if c in row}
            for column, value in columns.items():
                times = held[row["material_id"], line["lab"], column, value]
                if verdict in _ADDED and times != 1:
                    found.append(f"{column} {value} of {row['material_id']} ({line['lab']}) stands {times} times")
    return found


def _whole_lines(path: Path) -> list[str]:
    """Return the lines that were written whole; the last one of a killed process may not be."""
    if not path.is_file():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the processes work")
    parser.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--kills", type=int, default=2, help="processes that are killed")
    parser.add_argument("--rows", type=int, default=3000, help="candidates of the pool")
    parser.add_argument("--strategy", default="hstore", help="how candidates are chosen")
    parser.add_argument("--lease-seconds", type=float, default=20.0)
    parser.add_argument("--on", choices=("all", "sqlite", "postgresql"), default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


@contextmanager
def _postgresql() -> Iterator[str | None]:
    """Make a schema on the test server, and drop it in the end; None where there is no server."""
    server = os.environ.get("HSTORE_TEST_POSTGRES_URL")
    if not server:
        print('HSTORE_TEST_POSTGRES_URL is unset; run: eval "$(.ci/postgres.sh start)"', file=sys.stderr)
        yield None
        return
    schema = f"soak_{uuid.uuid4().hex}"
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


def _one(url: str | None, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hstore-soak-") as scratch:
        folder = Path(scratch)
        return soak(Settings(home=folder / "home", database_url=url, data_mirror=None), folder, args)


def main() -> int:
    """Soak, print the reports, and return 1 where anything was wrong."""
    args = _arguments()
    reports = {}
    if args.on != "postgresql":
        reports["sqlite"] = _one(None, args)
    if args.on != "sqlite":
        with _postgresql() as url:
            if url:
                reports["postgresql"] = _one(url, args)
    print(json.dumps(reports, indent=None if args.json else 2))
    return 1 if not reports or any(report["problems"] for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
