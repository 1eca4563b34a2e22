"""Lives of the ``hstore`` command, each a process of its own, ordered on standard input.

A line ``[home, arguments]`` (JSON) starts one, ``"kill"`` ends it by SIGKILL and ``"wait"`` lets it end; both
answer with its exit code. The heavy libraries are imported once, before the first fork, so a life costs no more
than its work. What the commands print goes to the file given as first argument.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path

from hstore_workflows.cli import main

LIBRARIES = (
    "alembic.command", "mp_api.client.routes.materials.summary", "hstore.store", "hstore_workflows.cli.fetch.mp",
    "hstore_workflows.sources.intake", "hstore_workflows.sources.materials_project",
    "hstore_workflows.sources.mp_query", "hstore_workflows.sources.snapshot",
)  # fmt: skip


def live(home, arguments, log):
    """Run the command in this process, as if it had been started for it."""
    os.environ["HSTORE_HOME"] = home
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    try:
        main(arguments)
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code or 0)
    os._exit(70)


def main_loop(log):
    """Follow the orders; a life that ended is not reaped before it is asked for, so its id stays its own."""
    child = 0
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, list):
            child = os.fork()
            if child == 0:
                live(*order, log)
            continue
        if order == "kill":
            os.kill(child, signal.SIGKILL)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    with Path(sys.argv[1]).open("ab", buffering=0) as output:
        main_loop(output)
