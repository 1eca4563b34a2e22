"""A kind of job with tiny steps, and a process that works on it; run as a script by the tests of jobs.

python tiny_jobs.py WORKER_ID
"""

from __future__ import annotations

import os
import signal
import sys
import time

from sqlalchemy import NullPool, create_engine, make_url, text

from hstore.keys import Permission
from hstore.records import Material, Provenance
from hstore_workflows.jobs.journal import journal_schema
from hstore_workflows.jobs.kind import Kind, Parameters, Step


class Tiny(Parameters):
    """A chain of numbers, each made from the one before."""

    pieces: int = 3
    """How many numbers."""
    seconds: float = 0.0
    """How long each takes."""
    fail_at: int | None = None
    """Piece that raises."""
    exits: bool = False
    """Whether it asks the interpreter to end, in place of an error."""
    kills: bool = False
    """Whether it takes its worker with it, in place of an error."""


def _begin(work):
    work.say("beginning")
    return {"value": 1}


def _grow(work):
    if work.parameters.fail_at == work.piece:
        if work.parameters.exits:
            sys.exit(3)
        if work.parameters.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("broken on purpose")
    so_far = [work.before["begin"], *work.before["grow"]][-1]["value"]
    end = time.monotonic() + work.parameters.seconds
    for part in range(3):
        work.say(f"growing, part {part}", part / 3)
        time.sleep(max(0.0, end - time.monotonic()) / (3 - part))
    made = Material(
        material_id=f"tiny:{work.job.job_id}:{work.piece}",
        formula="LaNi5",
        family="interstitial",
        provenance=Provenance(source="tiny"),
    )
    work.store.add_materials([made])
    # what was begun stands in a file, so that a repetition shows
    with (work.folder / "done.txt").open("a", encoding="ascii") as stream:
        stream.write(f"{work.piece}\n")
    return {"value": so_far * 3 + work.piece}


def _end(work):
    work.files.mkdir(exist_ok=True)
    (work.files / "chain.txt").write_text(str(work.before["grow"]), encoding="ascii")
    return {"chain": [part["value"] for part in work.before["grow"]]}


TINY = Kind(
    name="tiny",
    summary="Grows a chain of numbers.",
    permission=Permission.RUN,
    parameters=Tiny,
    steps=(
        Step("begin", "begin the chain", _begin),
        Step("grow", "grow the chain", _grow, pieces=lambda asked, _: asked.pieces),
        Step("end", "write the chain", _end),
    ),
    files=("chain.txt",),
)


def drop_journal(database_url):
    """Drop the journal that workers made beside the schema of a store; in SQLite it goes with the folder."""
    url = make_url(database_url)
    if url.get_backend_name() != "postgresql":
        return
    admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        schema = journal_schema(connection.scalar(text("SELECT current_schema()")))
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


def main():
    """Work until told to stop."""
    from hstore.settings import load_settings
    from hstore_workflows.jobs import worker as workers

    workers.MAX_DEATHS = int(os.environ.get("TINY_MAX_DEATHS", workers.MAX_DEATHS))
    worker = workers.Worker(load_settings(), {"tiny": TINY}, sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run(once="--once" in sys.argv)
    worker.close(grace_s=3)
    os._exit(0)


if __name__ == "__main__":
    main()
