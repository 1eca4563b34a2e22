"""Lives of the ``hstore`` command: one process for each line on standard input (JSON: home and arguments).

The heavy libraries are imported once, before the first fork, so a life costs no more than its work. For each it
prints the process id and, when it has ended, the exit code; output of the command goes to the file given as
first argument.
"""

from __future__ import annotations

import importlib
import json
import os
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


def tell(number):
    """Write a number for whoever started this."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    with Path(sys.argv[1]).open("ab", buffering=0) as output:
        for line in sys.stdin:
            child = os.fork()
            if child == 0:
                live(*json.loads(line), output)
            tell(child)
            tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
