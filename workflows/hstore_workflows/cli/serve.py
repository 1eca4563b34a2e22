"""``hstore serve``: the REST service."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "hstore_api.app:create_app"
"""Import string of the app, so that workflows never import the api."""

HTTP_PROTOCOL = "hstore_api.protocol:HttpProtocol"
"""Import string of what speaks HTTP on a connection, with limits to how long it waits."""

MOST_CONNECTIONS = 800
"""Connections of one process; a system gives a process a thousand files and sockets where nothing is said."""

KEPT_FOR_S = 20
"""Time a connection is kept between requests, s: longer than clients keep theirs (httpx 5 s, aiohttp 15 s), or one
that asks as it is closed is told that it was reset."""

GRACE_S = 10
"""Time running requests get to finish when the service is told to stop, s."""

_PATIENCE_S = 120
"""Time one of several processes may not answer to the first, s: loading the libraries takes most of a minute on a
machine that is busy, and one that is killed then would never be there."""


@click.command("serve", epilog="Example: hstore serve --port 8000")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; the default is this machine."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--no-worker", is_flag=True, help="Do no jobs; start `hstore worker` beside it.")
@click.option(
    "--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer requests."
)
def command(host: str, port: int, *, no_worker: bool, processes: int) -> None:
    """Start the REST service.

    The store is HSTORE_DATABASE_URL, or a file in HSTORE_HOME; an empty one is filled with the embedded
    candidates, whose properties are then predicted by a worker, which is started beside it for all jobs. What is
    public is read without a key, except with HSTORE_ENVIRONMENT=production. Ctrl-C or SIGTERM ends it.
    """
    import uvicorn

    from hstore.deployment import check_deployment
    from hstore.logs import log_config
    from hstore.settings import load_settings
    from hstore.store import open_store

    settings = load_settings()
    check_deployment(settings, host=host)
    os.environ["HSTORE_PROCESSES"] = str(processes)  # for the share of each in the limits of requests
    # A store that cannot be opened is one line here, and a traceback once the server has started.
    open_store(settings.store_url).close()
    # uvicorn finishes what it is doing and then raises the signal again; the exit code is to be 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with nullcontext() if no_worker else _worker(), _shared_figures() if processes > 1 else nullcontext():
        uvicorn.run(
            APP,
            factory=True,
            host=host,
            port=port,
            workers=processes,
            log_config=log_config(settings.log_format),
            access_log=False,  # the service writes a line of its own for each request
            server_header=False,
            http=HTTP_PROTOCOL,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEPT_FOR_S,
            timeout_graceful_shutdown=GRACE_S,
            timeout_worker_healthcheck=_PATIENCE_S,
        )


@contextmanager
def _worker() -> Iterator[None]:
    from hstore_workflows.jobs.child import WorkerChild

    os.environ["HSTORE_WORKER_EXPECTED"] = "1"  # for /readyz, also of the processes started from this one
    child = WorkerChild("--seed-predictions")
    child.start()
    try:
        yield
    finally:
        child.stop()


@contextmanager
def _shared_figures() -> Iterator[None]:
    """Give the processes a folder for the figures of ``/metrics``, so that any of them can add them up."""
    with tempfile.TemporaryDirectory(prefix="hstore-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
