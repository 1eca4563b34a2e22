"""``hstore worker``: does the jobs that the service accepts."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore_workflows.jobs.worker import Worker

GRACE_S = 8.0
"""How long the step at hand may take to end when the worker is told to stop, s."""

_NICE = 10


@click.command("worker", epilog="Example: hstore worker --id lab-pc-1")
@click.option(
    "--id",
    "executor_id",
    metavar="ID",
    help="Identifier of the worker, the same after a restart; default: the machine's name and a free number.",
)
@click.option("--once", is_flag=True, help="End when no job is left.")
@click.option("--seed-predictions", is_flag=True, help="Queue predictions for the candidates of a new store.")
@click.option("--tied", is_flag=True, hidden=True, help="End when the standard input ends.")
def command(executor_id: str | None, *, once: bool, seed_predictions: bool, tied: bool) -> None:
    """Do the jobs that the service accepts, one at a time.

    A job whose worker was killed goes on at its last finished step: when a worker with the same identifier
    starts, or after about 15 s in another that is running. SIGTERM and Ctrl-C end the worker; a step that does
    not end within 8 s is repeated by the next.
    """
    import logging.config

    from hstore.logs import log_config
    from hstore.settings import load_settings
    from hstore_workflows.jobs.identity import take_identity
    from hstore_workflows.jobs.kinds import SHIPPED
    from hstore_workflows.jobs.worker import Worker

    settings = load_settings()
    logging.config.dictConfig(log_config(settings.log_format))
    _be_modest(settings)
    identity = take_identity(settings.home / "workers", executor_id)
    worker = Worker(settings, SHIPPED, identity.executor_id, seeds=seed_predictions)
    _listen(worker, tied=tied)
    worker.run(once=once)
    if not worker.close(grace_s=GRACE_S):
        logging.shutdown()
        os._exit(0)  # the threads of a step that has not ended would keep the process


def _be_modest(settings: Settings) -> None:
    """Leave the processor to the service, and keep to the threads that are set."""
    os.nice(_NICE)
    if settings.threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: settings.threads])


def _listen(worker: Worker, *, tied: bool) -> None:
    """Stop the worker at a signal, or at the end of the standard input."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())

    def read() -> None:
        while os.read(sys.stdin.fileno(), 1):  # sys.stdin.read would hold a lock the interpreter ends with
            pass
        worker.stop()

    if tied:
        threading.Thread(target=read, name="hstore-parent", daemon=True).start()
