"""Start a screening job for candidates of one's own, watch it, and read the ranking."""

from __future__ import annotations

from pathlib import Path

from hstore_api.client import Client
from hstore_api.job_schemas import JobLine, JobSummary

CANDIDATES = ["LaNi5", "LaNi4.8Sn0.2", "MmNi4.5Al0.5", "TiFe0.9Mn0.1", "ZrV2", "Mg2Ni"]


def tell(found: JobLine | JobSummary) -> None:
    """Print a line of the log, or the job where it changed."""
    line = f"  {found.message}" if isinstance(found, JobLine) else f"{found.state} {found.progress:.0%}"
    print(line, flush=True)


with Client.from_environment() as hstore:
    job = hstore.jobs.start("screen", target="stationary", formulas=CANDIDATES)
    print(f"started {job.job_id}")
    done = hstore.jobs.wait(job.job_id, timeout_s=900, on_change=tell)

    assert done.result is not None  # a job that is done has one
    screen = hstore.screens.get(done.result["screen_id"])
    for row in screen.top[:3]:
        print(f"{row['rank']}. {row['formula']}")
    Path("report.html").write_bytes(hstore.jobs.file(job.job_id, "report.html"))
    print("the report is report.html")
