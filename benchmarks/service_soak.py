"""Kill the service and its workers at random moments while labs write and jobs run, and count what was lost.

One process of the service and some workers run on a store of their own. Clients send measurements and start jobs,
each named by an idempotency key, and repeat a request until it is answered. Meanwhile ``kill -9`` ends the
service or a worker at a random moment, over and over; what was killed is started again, workers sometimes only
after others have taken over. In the end every write that was acknowledged must be there once, and every job must
have been done once in effect, with the result and the log of a job that nobody disturbed.

The jobs are of a kind with tiny steps that lives in the tests. Example:
``python benchmarks/service_soak.py --writes 200 --jobs 20 --json``. PostgreSQL is soaked too where
HSTORE_TEST_POSTGRES_URL names a server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from sqlalchemy import NullPool, create_engine, make_url, text

from hstore.jobs import JobState
from hstore.keys import permissions_of
from hstore.records import Family, Material, Provenance, Scope
from hstore.settings import Settings
from hstore.store import open_store

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "workflows"))
from tiny_jobs import TINY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.store import Store

PIECES = 4
"""Pieces of each job."""

PIECE_S = 0.1
"""Time each piece takes, s."""

_WAIT_S = 1800.0
_TAKE_OVER_S = 20.0
_EVERYTHING = Scope(everything=True)


@dataclass(frozen=True)
class Plan:
    """What is done to the service."""

    writes: int
    """Measurements sent, one in a request."""
    jobs: int
    """Jobs started."""
    kills: int
    """How often the service and how often workers are killed, each."""
    workers: int = 2
    """Workers at a time."""
    absence_s: float = _TAKE_OVER_S
    """Longest time for which a killed worker stays away, s."""
    seed: int = 0
    """Seed of the moments."""


@dataclass
class Clients:
    """What clients were told."""

    address: str
    """Address of the service."""
    headers: dict[str, str]
    """Headers with the key."""
    plan: Plan
    """What is done."""
    written: dict[int, str] = field(default_factory=dict)
    """Number of a write -> identifier of the measurement."""
    started: dict[int, str] = field(default_factory=dict)
    """Number of a job -> its identifier."""
    otherwise: int = 0
    """Writes answered with another verdict than ``stored``: a repetition must get the answer that was missed."""
    repeated: int = 0
    """Requests that had to be repeated."""

    def write(self) -> None:
        """Send the measurements, each until it is acknowledged."""
        for number in range(self.plan.writes):
            row = {"formula": "LaNi5", "h2_capacity_wt_pct": 1.3 + number / 2000, "row_id": f"W-{number}"}
            told = self.until_answered("/v1/measurements", {"rows": [row]}, f"write-{number}")
            (verdict,) = told["verdicts"]
            self.written[number] = verdict["record_id"]
            self.otherwise += verdict["verdict"] != "stored"

    def start(self) -> None:
        """Start the jobs, each until it is acknowledged."""
        parameters = {"pieces": PIECES, "seconds": PIECE_S}
        for number in range(self.plan.jobs):
            body = {"kind": TINY.name, "parameters": parameters}
            self.started[number] = self.until_answered("/v1/jobs", body, f"job-{number}")["job_id"]

    def until_answered(self, path: str, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Send a request until it is acknowledged, and return the answer."""
        end = time.monotonic() + _WAIT_S
        while time.monotonic() < end:
            try:
                headers = self.headers | {"Idempotency-Key": name}
                response = httpx2.post(f"{self.address}{path}", json=body, headers=headers, timeout=20)
            except httpx2.TransportError:
                pass
            else:
                if response.is_success:
                    told: dict[str, Any] = response.json()
                    return told
                if response.status_code not in {429, 503}:
                    raise RuntimeError(f"{path} answered {response.status_code}: {response.text}")
            self.repeated += 1
            time.sleep(0.1)
        raise TimeoutError(f"{name} was not acknowledged within {_WAIT_S:.0f} s")


class Processes:
    """The service and its workers, as processes."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
        self._environment |= {"HSTORE_HOME": str(settings.home), "HSTORE_DATABASE_URL": settings.store_url}
        self._port = port
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start the service (``api``) or a worker."""
        own = ["--serve", str(self._port)] if name == "api" else ["--work", name]
        command = [sys.executable, __file__, *own]
        self._running[name] = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)

    def kill(self, name: str) -> None:
        """End a process as a failure of power would."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End all processes."""
        for name in list(self._running):
            self.kill(name)


def soak(settings: Settings, plan: Plan, port: int) -> dict[str, Any]:
    """Run one trial on an empty store and return the figures."""
    began = time.monotonic()
    with open_store(settings.store_url) as store:
        # a store with a material is not filled with the embedded candidates
        source = Provenance(source="soak")
        store.add_materials(
            [Material(material_id="soak", formula="LaNi5", family=Family.INTERSTITIAL, provenance=source)]
        )
        _, key = store.keys.create("soak", permissions_of("read,measure,run"), lab_id="soak", concurrent_jobs=1000)
        clients = Clients(f"http://127.0.0.1:{port}", {"X-API-Key": key}, plan)
        processes = Processes(settings, port)
        try:
            kills = _disturbed(clients, processes, store, plan)
            reference = _undisturbed(clients, store)
        finally:
            processes.close()
        return {
            "database": store.database.engine.dialect.name,
            "kills": kills,
            "repeated_requests": clients.repeated,
            **_counted(clients, store, reference),
            "seconds": round(time.monotonic() - began, 1),
        }


def _disturbed(clients: Clients, processes: Processes, store: Store, plan: Plan) -> dict[str, int]:
    """Let clients work while processes are killed; return when all is done."""
    names = [f"soak-{number}" for number in range(1, plan.workers + 1)]
    for name in ("api", *names):
        processes.start(name)
    failures: list[BaseException] = []

    def guarded(what: Any) -> None:
        try:
            what()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [
        threading.Thread(target=guarded, args=(what,), daemon=True) for what in (clients.write, clients.start)
    ]
    for thread in threads:
        thread.start()
    killer = _Killer(clients, processes, store, names)
    end = time.monotonic() + _WAIT_S
    while any(thread.is_alive() for thread in threads) or not _all_done(clients, store):
        if failures or time.monotonic() > end:
            raise RuntimeError(f"the trial did not come to its end: {failures or 'too slow'}")
        killer.step()
        time.sleep(0.1)
    return killer.kills


class _Killer:
    """Kills the service and workers, each at a random moment after it has been seen at work."""

    def __init__(self, clients: Clients, processes: Processes, store: Store, workers: list[str]) -> None:
        self._clients, self._processes, self._store, self._plan = clients, processes, store, clients.plan
        self._random = random.Random(clients.plan.seed)
        self._workers = workers
        self._due: dict[str, float] = {}
        self._back: dict[str, float] = {}
        self._seen: dict[str, Any] = {}
        self.kills = {"service": 0, "workers": 0}

    def step(self) -> None:
        """Start what has been away long enough, and kill what is due."""
        now = time.monotonic()
        for name in [name for name, back in self._back.items() if back <= now]:
            del self._back[name]
            self._processes.start(name)
        if self.kills["service"] < self._plan.kills:
            answered = len(self._clients.written) + len(self._clients.started)
            self._consider("api", now, at_work=answered != self._seen.get("api", answered))
            self._seen["api"] = answered
        if self.kills["workers"] < self._plan.kills:
            busy = {job.executor_id: (job.job_id, job.progress) for job in self._store.jobs.running()}
            for name in self._workers:
                moved = name in busy and busy[name] != self._seen.get(name, busy[name])
                self._consider(name, now, at_work=moved)
                self._seen[name] = busy.get(name)

    def _consider(self, name: str, now: float, *, at_work: bool) -> None:
        if name in self._back:
            return
        if name not in self._due:
            if at_work:
                self._due[name] = now + self._random.uniform(0.0, 1.0)
            return
        if now < self._due[name]:
            return
        del self._due[name]
        self._processes.kill(name)
        self.kills["service" if name == "api" else "workers"] += 1
        away = 0.0 if name == "api" else self._random.choice([0.0, self._random.uniform(0, self._plan.absence_s)])
        self._back[name] = now + away


def _all_done(clients: Clients, store: Store) -> bool:
    jobs = store.jobs.list(scope=_EVERYTHING, limit=clients.plan.jobs + 10)
    return len(jobs) >= clients.plan.jobs and all(job.state.final for job in jobs)


def _undisturbed(clients: Clients, store: Store) -> str:
    """Do one more job in peace, and return its identifier."""
    body = {"kind": TINY.name, "parameters": {"pieces": PIECES, "seconds": PIECE_S}}
    job_id = str(clients.until_answered("/v1/jobs", body, "undisturbed")["job_id"])
    end = time.monotonic() + _WAIT_S
    while not (job := store.jobs.get(job_id, scope=_EVERYTHING)) or not job.state.final:
        if time.monotonic() > end:
            raise RuntimeError(f"the undisturbed job did not end: {job}")
        time.sleep(0.05)
    return job_id


def _counted(clients: Clients, store: Store, reference: str) -> dict[str, Any]:
    """Compare what was acknowledged with what is there."""
    kept = [found.measurement_id for found in store.measurements(scope=_EVERYTHING)]
    jobs = [job for job in store.jobs.list(scope=_EVERYTHING, limit=10_000) if job.job_id != reference]
    peaceful = store.jobs.get(reference, scope=_EVERYTHING)
    assert peaceful is not None
    log = _log(store, reference)
    made = [m.material_id for m in store.materials(scope=_EVERYTHING) if m.material_id.startswith("tiny:")]
    return {
        "writes": clients.plan.writes,
        "writes_acknowledged": len(clients.written),
        "writes_lost": len(set(clients.written.values()) - set(kept)),
        "writes_twice": len(kept) - len(clients.written),
        "writes_answered_otherwise": clients.otherwise,
        "jobs": clients.plan.jobs,
        "jobs_acknowledged": len(clients.started),
        "jobs_lost": len(set(clients.started.values()) - {job.job_id for job in jobs}),
        "jobs_twice": len(jobs) - len(clients.started),
        "jobs_done": sum(job.state is JobState.DONE for job in jobs),
        "jobs_with_another_result": sum(job.result != peaceful.result for job in jobs),
        "jobs_with_another_log": sum(_log(store, job.job_id) != log for job in jobs),
        "attempts_beyond_the_first": sum(job.attempts - 1 for job in jobs),
        "effects": len(made),
        "effects_expected": PIECES * (len(clients.started) + 1),
    }


def _log(store: Store, job_id: str) -> list[str]:
    return [event.message for event in store.jobs.events(job_id, scope=_EVERYTHING, limit=10_000)]


def faults(figures: dict[str, Any]) -> list[str]:
    """Return what must not be, in words; empty where the trial was passed."""
    wrong = [
        f"{name} is {figures[name]}"
        for name in (
            *("writes_lost", "writes_twice", "writes_answered_otherwise", "jobs_lost", "jobs_twice"),
            *("jobs_with_another_result", "jobs_with_another_log"),
        )
        if figures[name]
    ]
    for name, wanted in (
        ("writes_acknowledged", "writes"),
        ("jobs_done", "jobs"),
        ("effects", "effects_expected"),
    ):
        if figures[name] != figures[wanted]:
            wrong.append(f"{name} is {figures[name]} of {figures[wanted]}")
    return wrong


def serve(port: int) -> None:
    """Be the service, which takes jobs of the tiny kind too."""
    import uvicorn

    from hstore_api.app import create_app
    from hstore_api.routers.jobs import shipped_kinds

    app = create_app()
    app.dependency_overrides[shipped_kinds] = lambda: {TINY.name: TINY}
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def work(name: str) -> None:
    """Be a worker."""
    from hstore.settings import load_settings
    from hstore_workflows.jobs.worker import Worker

    Worker(load_settings(), {TINY.name: TINY}, name).run()


@contextmanager
def databases() -> Iterator[list[str]]:
    """Yield the URLs of empty databases; a schema in PostgreSQL is dropped afterwards."""
    with tempfile.TemporaryDirectory(prefix="hstore-soak-") as scratch:
        urls = [f"sqlite:///{scratch}/store.sqlite"]
        server = os.environ.get("HSTORE_TEST_POSTGRES_URL")
        schema = f"soak_{uuid.uuid4().hex}"
        if server is None:
            yield urls
            return
        admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
        try:
            yield [*urls, url.render_as_string(hide_password=False)]
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
                connection.execute(text(f"DROP SCHEMA IF EXISTS {schema}_jobs CASCADE"))


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=200, help="measurements to send (200)")
    parser.add_argument("--jobs", type=int, default=20, help="jobs to start (20)")
    parser.add_argument("--kills", type=int, default=8, help="kills of the service and of workers, each (8)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (0)")
    parser.add_argument("--port", type=int, default=28190, help="port of the service (28190)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--work", metavar="ID", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return 0
    if args.work:
        work(args.work)
        return 0
    if min(args.writes, args.jobs) < 1 or args.kills < 0:
        parser.error("--writes and --jobs must be at least 1, --kills at least 0")
    plan = Plan(args.writes, args.jobs, args.kills, seed=args.seed)
    trials = []
    with databases() as urls, tempfile.TemporaryDirectory(prefix="hstore-soak-") as home:
        for number, url in enumerate(urls):
            settings = Settings(home=Path(home) / str(number), database_url=url, data_mirror=None)
            trials.append(soak(settings, plan, args.port))
    wrong = [fault for figures in trials for fault in faults(figures)]
    print(json.dumps({"trials": trials, "faults": wrong}, indent=2) if args.json else _words(trials, wrong))
    return 1 if wrong else 0


def _words(trials: list[dict[str, Any]], wrong: list[str]) -> str:
    lines = [
        f"{t['database']}: {t['writes_acknowledged']} writes and {t['jobs_done']} jobs in {t['seconds']} s, the "
        f"service killed {t['kills']['service']} times, workers {t['kills']['workers']} times"
        for t in trials
    ]
    return "\n".join(
        [*lines, *(f"FAULT: {fault}" for fault in wrong)] if wrong else [*lines, "nothing lost, nothing twice"]
    )


if __name__ == "__main__":
    sys.exit(main())
