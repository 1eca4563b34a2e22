"""PBS, LSF and Flux as far as a batch knows them: each job is a process of this machine.

Run as ``python scheduler_double.py FOLDER COMMAND ARGUMENT...``; the folder remembers the jobs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def submit(folder, script):
    """Start a script and return the number of its job."""
    job = len(list(folder.glob("*.pid"))) + 1
    with (folder / f"{job}.out").open("w") as out:
        process = subprocess.Popen(["bash", str(script)], stdout=out, stderr=out, start_new_session=True)
    (folder / f"{job}.sh").write_text(Path(script).read_text())
    (folder / f"{job}.pid").write_text(str(process.pid))
    return job


def running(folder, job):
    """Tell whether a job has not ended; one that has and that nobody has waited for counts as ended."""
    try:
        status = Path("/proc", (folder / f"{job}.pid").read_text(), "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def cancel(folder, job):
    """End a job and what it started."""
    if running(folder, job):
        os.killpg(int((folder / f"{job}.pid").read_text()), signal.SIGKILL)
    return f"job {job} ended"


def answer(folder, command, *words):
    """Return what the scheduler would print."""
    jobs = [word for word in words if word.isdigit()]
    states = {job: running(folder, job) for job in jobs}
    match [command, *words[:1]]:
        case ["bsub"]:
            script = folder / "from-standard-input.sh"
            script.write_text(sys.stdin.read())
            said = f"Job <{submit(folder, script)}> is submitted to queue <normal>."
        case ["qsub", *_] | ["flux", "batch"]:
            said = str(submit(folder, words[-1]))
        case ["qstat", *_]:
            said = json.dumps({"Jobs": {job: {"job_state": "R" if runs else "F"} for job, runs in states.items()}})
        case ["bjobs", *_]:
            said = "\n".join(f"{job} {'RUN' if runs else 'DONE'}" for job, runs in states.items())
        case ["flux", "jobs"]:
            said = "\n".join(f"{job} {'RUN ' if runs else 'INACTIVE COMPLETED'}" for job, runs in states.items())
        case ["qdel" | "bkill", *_] | ["flux", "cancel"]:
            said = " ".join(cancel(folder, job) for job in jobs)
        case _:
            sys.exit(f"unknown command {command} {words}")
    return said


if __name__ == "__main__":
    sys.stdout.write(answer(Path(sys.argv[1]), *sys.argv[2:]) + "\n")
