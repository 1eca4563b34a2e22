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


def answer(folder, command, *words):
    """Return what the scheduler would print."""
    jobs = [word for word in words if word.isdigit()]
    if command == "qsub":
        return str(submit(folder, words[-1]))
    if command == "qstat":
        return json.dumps({"Jobs": {job: {"job_state": "R" if running(folder, job) else "F"} for job in jobs}})
    if command == "bsub":
        script = folder / "from-standard-input.sh"
        script.write_text(sys.stdin.read())
        return f"Job <{submit(folder, script)}> is submitted to queue <normal>."
    if command == "bjobs":
        return "\n".join(f"{job} {'RUN' if running(folder, job) else 'DONE'}" for job in jobs)
    if (command, words[0]) == ("flux", "batch"):
        return str(submit(folder, words[-1]))
    if (command, words[0]) == ("flux", "jobs"):
        return "\n".join(f"{job} {'RUN ' if running(folder, job) else 'INACTIVE COMPLETED'}" for job in jobs)
    if command in {"qdel", "bkill"} or (command, words[0]) == ("flux", "cancel"):
        for job in jobs:
            cancel(folder, job)
        return ""
    return sys.exit(f"unknown command {command} {words}")


if __name__ == "__main__":
    sys.stdout.write(answer(Path(sys.argv[1]), *sys.argv[2:]) + "\n")
