"""Measure the service under load: searches and predictions at a stated rate, memory, and a peer in the same run.

A store of many materials is filled (or one that is there is used), a model of capacities is trained where it is
missing, and two processes of ``hstore serve`` are started on loopback. A process of its own asks at a stated rate,
whether or not the service keeps up (``load.py``), with 50 clients that search, so a latency counts from when a
question was due. Memory is what the processes of the service hold for themselves (USS), read during a mixed load.

The named peer is the ``optimade`` library: its own routers for structures over the same store and entries, beside
our ``/v1`` and our ``/optimade``, one process each; the same filters are asked of each in turn, one at a time. The
pages seldom differ: ``/v1`` finds a material by any of its values, OPTIMADE by the one that counts.

Example: ``python benchmarks/api.py --rows 150000 --rate 80 --minutes 10 --json``; ``--url`` measures PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import numpy as np
import psutil

from hstore.records import Scope
from hstore.settings import Settings, load_settings
from hstore.store import open_store

sys.path.insert(0, str(Path(__file__).parent))
from service_store import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 20
_STARTS_S = 300.0
_WARM_S = 10.0
_SAMPLE_S = 15.0
_KEPT_S = 2.0  # well below the 5 s after which the peer's server closes a connection
_FIELDS = "id,chemical_formula_reduced,elements,_hstore_family,_hstore_h2_capacity_wt_pct"


@dataclass(frozen=True)
class Load:
    """What is asked of the service."""

    processes: int
    """Processes of the service."""
    clients: int
    """Clients that search at a time."""
    rate: float
    """Searches per second."""
    prediction_rate: float
    """Predictions per second."""
    seconds: float
    """Length of each load, s."""
    minutes: float
    """Length of the mixed load during which memory is read, min."""
    pairs: int
    """Filters asked of our routes and of the peer."""
    seed: int
    """Seed of all that is drawn."""


def prepare(settings: Settings, rows: int) -> int:
    """Fill an empty store, train a missing model, and return the number of materials."""
    from hstore_models.training import ensure

    with open_store(settings.store_url) as store:
        held = store.count_materials(scope=Scope(everything=True))
    if not held:
        fill(settings.store_url, rows, say=lambda text: print(text, file=sys.stderr))
    ensure("hydride_capacity", settings)
    return held or rows


@contextmanager
def running(command: list[str], settings: Settings, ready: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run a service; yields its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"HSTORE_HOME": str(settings.home), "HSTORE_DATABASE_URL": settings.store_url}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _STARTS_S
            while not _answers(f"http://127.0.0.1:{port}{ready}"):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the service did not start:\n{_end_of(log)}")
                time.sleep(0.2)
            yield port, psutil.Process(process.pid)
        except httpx2.TransportError:
            print(f"{command[1:]} (exit {process.poll()}) broke off:\n{_end_of(log)}", file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(60)


def _end_of(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-3000:]


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address, timeout=10).status_code == 200
    except httpx2.TransportError:
        return False


def service(processes: int) -> list[str]:
    """Return the command of our service."""
    return [sys.executable, "-m", "hstore_workflows.cli", "serve", "--no-worker", "--processes", str(processes)]


def ask(port: int, kind: str, *, rate: float, seconds: float, clients: int, seed: int) -> dict[str, Any]:
    """Run a load in a process of its own, and return what it measured."""
    script = Path(__file__).with_name("load.py")
    options = {"port": port, "ask": kind, "rate": rate, "seconds": seconds, "clients": clients, "seed": seed}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def memory_mib(parent: psutil.Process) -> float:
    """Return what the processes of a service hold for themselves, MiB."""
    total = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def measure_memory(port: int, process: psutil.Process, load: Load) -> dict[str, Any]:
    """Read the memory every quarter of a minute during a mixed load."""
    samples: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_S):
            samples.append(memory_mib(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = ask(
            port, "mixed", rate=load.rate / 2, seconds=60 * load.minutes, clients=load.clients, seed=load.seed + 3
        )
    finally:
        done.set()
        watcher.join()
    if len(samples) < 4:
        return {"load": found, "minutes": load.minutes}
    quarter = len(samples) // 4
    first, last = statistics.median(samples[:quarter]), statistics.median(samples[-quarter:])
    return {
        "load": found,
        "minutes": load.minutes,
        "first_quarter_mib": round(first, 1),
        "last_quarter_mib": round(last, 1),
        "growth_pct": round(100 * (last / first - 1), 1),
        "most_mib": round(max(samples), 1),
    }


def measure_service(settings: Settings, load: Load) -> dict[str, Any]:
    """Ask searches, then predictions, then both; the first seconds are not counted."""
    with running(service(load.processes), settings, "/healthz") as (port, process):
        for kind, rate in (("searches", load.rate), ("predictions", load.prediction_rate)):
            warm_s = min(_WARM_S, load.seconds)
            ask(port, kind, rate=rate, seconds=warm_s, clients=load.clients, seed=load.seed + 100)
        searches = ask(
            port, "searches", rate=load.rate, seconds=load.seconds, clients=load.clients, seed=load.seed + 1
        )
        predictions = ask(
            port, "predictions", rate=load.prediction_rate, seconds=load.seconds, clients=4, seed=load.seed + 2
        )
        return {
            "searches": searches,
            "predictions": predictions,
            "memory": measure_memory(port, process, load) if load.minutes else None,
        }


def filters(count: int, seed: int) -> list[tuple[str, dict[str, str]]]:
    """Draw filters, as the peer's and as ours."""
    rng = np.random.default_rng(seed)
    common = ("Ni", "Fe", "Mn", "Mg", "Ti", "Al", "La", "Zr", "Li", "Na", "O", "H", "Ca", "Co")
    drawn: list[tuple[str, dict[str, str]]] = []
    for place in range(count):
        first, second = (str(symbol) for symbol in rng.choice(common, 2, replace=False))
        capacity = round(float(rng.uniform(1, 6)), 2)
        if place % 2:
            drawn.append((f'elements HAS ALL "{first}","{second}"', {"elements": f"{first},{second}"}))
        else:
            drawn.append((f"_hstore_h2_capacity_wt_pct>={capacity}", {"where": f"h2_capacity_wt_pct>={capacity}"}))
    return drawn


def measure_peer(settings: Settings, load: Load) -> dict[str, Any]:
    """Ask the same filters of our routes and of the library's, in turn, one at a time, by one process each."""
    peer = [sys.executable, __file__, "--serve-peer"]
    with (
        running(service(1), settings, "/healthz") as (ours, _),
        running(peer, settings, "/structures?page_limit=1&include=") as (theirs, _),
        httpx2.Client(timeout=120, limits=httpx2.Limits(keepalive_expiry=_KEPT_S)) as client,
    ):
        times: dict[str, list[float]] = {"v1": [], "optimade": [], "library": []}
        counts = {"same": 0, "other": 0}
        for place, (text, asked) in enumerate(filters(load.pairs + 6, load.seed + 4)):
            listed = urlencode({"filter": text, "page_limit": PAGE, "response_fields": _FIELDS, "include": ""})
            addresses = {
                "v1": f"http://127.0.0.1:{ours}/v1/materials?{urlencode({**asked, 'limit': PAGE})}",
                "optimade": f"http://127.0.0.1:{ours}/optimade/v1/structures?{listed}",
                "library": f"http://127.0.0.1:{theirs}/structures?{listed}",
            }
            found = {}
            for name, address in addresses.items():
                started = time.perf_counter()
                answer = client.get(address)
                taken = 1000 * (time.perf_counter() - started)
                answer.raise_for_status()
                found[name] = _identifiers(answer.json())
                if place >= 6:
                    times[name].append(taken)
            counts["same" if found["v1"] == found["optimade"] == found["library"] else "other"] += 1
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        **{f"{name}_p50_ms": round(value, 2) for name, value in medians.items()},
        "library_to_v1": round(medians["library"] / medians["v1"], 2),
        "library_to_optimade": round(medians["library"] / medians["optimade"], 2),
        "pages_with_the_same_entries": counts["same"],
        "pages_with_others": counts["other"],
    }


def _identifiers(answer: dict[str, Any]) -> list[str]:
    """Return the identifiers on a page of either form."""
    if "data" in answer:
        return [entry["id"] for entry in answer["data"]]
    return [entry["material_id"] for entry in answer["items"]]


def serve_peer(port: int) -> None:
    """Serve the store with the library's own routers."""
    import uvicorn
    from fastapi import FastAPI
    from optimade.server.config import ServerConfig
    from optimade.server.mappers import BaseResourceMapper
    from optimade.server.routers import structures

    from hstore_api.optimade.answers import PROVIDER
    from hstore_api.optimade.collection import StoreCollection

    settings = load_settings()
    with open_store(settings.store_url) as store:
        config = ServerConfig(provider=PROVIDER.model_dump(), validate_api_response=False)
        app = FastAPI()
        app.state.config = config
        app.state.base_resource_mapper = BaseResourceMapper(config)
        app.state.entry_collections = {"structures": StoreCollection("structures", store, config)}
        app.include_router(structures.router)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=150_000, help="materials in the store (default %(default)s)")
    parser.add_argument("--home", type=Path, help="home to use and keep; a temporary one by default")
    parser.add_argument("--url", help="SQLAlchemy URL of the store; SQLite in the home by default")
    parser.add_argument("--processes", type=int, default=2, help="of the service (default %(default)s)")
    parser.add_argument("--clients", type=int, default=50, help="that search at a time (default %(default)s)")
    parser.add_argument("--rate", type=float, default=80.0, help="searches per second (default %(default)s)")
    parser.add_argument("--prediction-rate", type=float, default=20.0, help="per second (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load (default %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of reading memory, 0 for none (default %(default)s)"
    )
    parser.add_argument(
        "--pairs", type=int, default=200, help="filters for the peer, 0 for none (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--serve-peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_peer:
        serve_peer(arguments.port)
        return
    if min(arguments.rows, arguments.rate, arguments.prediction_rate, arguments.seconds) <= 0:
        parser.error("--rows, --rate, --prediction-rate and --seconds must be positive")
    load = Load(**{name: getattr(arguments, name) for name in Load.__dataclass_fields__})
    with tempfile.TemporaryDirectory(prefix="hstore-bench-") as temporary:
        settings = load_settings(home=arguments.home or Path(temporary), database_url=arguments.url)
        rows = prepare(settings, arguments.rows)
        figures = {
            "rows": rows,
            "database": settings.store_url.partition(":")[0],
            **asdict(load),
            "service": measure_service(settings, load),
            "peer": measure_peer(settings, load) if load.pairs else None,
            "versions": {
                name: version(name) for name in ("hstore", "optimade", "fastapi", "uvicorn", "sqlalchemy")
            },
            "cores": os.cpu_count(),
        }
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(lines(figures)))


def lines(figures: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield a line for each figure."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from lines(value, f"{path}{name}.")
        else:
            yield f"{path}{name}: {value}"


if __name__ == "__main__":
    main()
