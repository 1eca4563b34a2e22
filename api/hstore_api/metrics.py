"""Figures of the running service for Prometheus: counts and times by route, never by who or what.

One process keeps its figures in memory. Several processes of one service keep them in the files of a folder they
share (``PROMETHEUS_MULTIPROC_DIR``, set by ``hstore serve``), and whichever is asked adds them up.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

import hstore
from hstore.store.figures import store_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from hstore.store import Store
    from hstore_api.observing import Answered

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_PID = re.compile(r"_(\d+)\.db")
_HASH = re.compile(r"-[0-9a-f]{12}$")


class Metrics:
    """The figures of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "hstore_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._durations = Histogram(
            "hstore_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "hstore_requests_in_flight",
            "Requests under way.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._predictions = Counter(
            "hstore_predictions", "Rows predicted, by model.", ["model"], registry=self._registry
        )

    def began(self) -> None:
        """Count a request as under way."""
        self._in_flight.inc()

    def ended(self, answered: Answered) -> None:
        """Count a request as answered."""
        self._in_flight.dec()
        self._requests.labels(answered.method, answered.route, str(answered.status)).inc()
        self._durations.labels(answered.route).observe(answered.duration_s)

    def predicted(self, model_id: str, rows: int) -> None:
        """Count predicted rows under the name of the model; versions are not told apart."""
        self._predictions.labels(_HASH.sub("", model_id)).inc(rows)

    def text(self, store: Store) -> bytes:
        """Return all figures in the text format of Prometheus, those of the store as they are now."""
        gathered, folder = CollectorRegistry(), os.environ.get(_SHARED)
        if folder:
            _forget_dead_processes(Path(folder))
            MultiProcessCollector(gathered, folder)  # type: ignore[no-untyped-call] # untyped upstream
        else:
            gathered.register(self._registry)
        gathered.register(_Processes(_pids(folder)))
        gathered.register(_StoreFigures(store))
        return generate_latest(gathered)


class _StoreFigures(Collector):
    """What is in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        found = store_figures(self._store.database)
        build = GaugeMetricFamily("hstore_build_info", "Version of hstore; always 1.", labels=["version"])
        build.add_metric([hstore.__version__], 1)
        yield build
        yield GaugeMetricFamily("hstore_store_bytes", "Size of the database.", value=found.size_bytes)
        rows = GaugeMetricFamily("hstore_store_rows", "Rows in a table of the store.", labels=["table"])
        for table, count in found.rows.items():
            rows.add_metric([table], count)
        yield rows
        jobs = GaugeMetricFamily("hstore_jobs", "Jobs, by state.", labels=["state"])
        for state, count in found.jobs.items():
            jobs.add_metric([state], count)
        yield jobs
        alive = len(self._store.jobs.alive())
        yield GaugeMetricFamily("hstore_workers_alive", "Workers heard of lately.", value=alive)


class _Processes(Collector):
    """Memory, processor time and open files of the processes of this service together."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)

    def collect(self) -> Iterator[Metric]:
        together: dict[str, tuple[Metric, float]] = {}
        for pid in self._pids:
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                (sample,) = metric.samples
                first, total = together.get(metric.name, (metric, 0.0))
                earliest = metric.name == "process_start_time_seconds" and total
                together[metric.name] = first, min(total, sample.value) if earliest else total + sample.value
        yield GaugeMetricFamily("hstore_processes", "Processes that answer requests.", value=len(self._pids))
        for metric, total in together.values():
            family: Any = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            yield family(metric.name, metric.documentation, value=total)


def _pids(folder: str | None) -> list[int]:
    if folder is None:
        return [os.getpid()]
    named = {int(found[1]) for path in Path(folder).glob("*.db") if (found := _PID.search(path.name))}
    return sorted({pid for pid in named if _lives(pid)} | {os.getpid()})


def _forget_dead_processes(folder: Path) -> None:
    """Leave requests that were under way in a process that died out of the sum; what it counted stays."""
    for path in folder.glob("gauge_live*.db"):
        found = _PID.search(path.name)
        if found and not _lives(int(found[1])):
            mark_process_dead(int(found[1]), str(folder))  # type: ignore[no-untyped-call] # untyped upstream


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process has taken the number
        return False
    return True
