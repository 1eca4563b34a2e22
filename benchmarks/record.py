"""Run a benchmark and keep its figures with what they depend on: command, day, machine, versions, load.

The load is the mean number of waiting processes of the minute before: figures of a busy machine say so. Files in
``benchmarks/results`` are shown in the documentation.

Example: ``python benchmarks/record.py magpie --out runs/bench -- --rows 100000``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hstore

HERE = Path(__file__).parent
_CPU_INFO, _MEM_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def machine() -> dict[str, Any]:
    """Return what the machine is: processor, cores, memory, system, Python."""
    return {
        "processor": _line(_CPU_INFO, "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(int((_line(_MEM_INFO, "MemTotal") or "0 kB").split()[0]) / 2**20, 1) or None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def recorded(name: str, arguments: list[str]) -> dict[str, Any]:
    """Run a benchmark in a process of its own and return the record of it.

    Raises:
        SystemExit: there is no such benchmark, or it failed.
    """
    script = HERE / f"{name}.py"
    if not script.is_file():
        known = ", ".join(sorted(path.stem for path in HERE.glob("*.py")))
        raise SystemExit(f"no benchmark {name!r}; there are {known}")
    load, began = os.getloadavg()[0], time.perf_counter()
    done = subprocess.run(
        [sys.executable, script, "--json", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return {
        "benchmark": name,
        "command": " ".join(["python", f"benchmarks/{name}.py", "--json", *arguments]),
        "recorded_on": datetime.now(UTC).date().isoformat(),
        "hstore": hstore.__version__,
        "machine": machine(),
        "load_before": round(load, 2),
        "wall_time_s": round(time.perf_counter() - began, 1),
        "figures": json.loads(done.stdout),
    }


def main() -> None:
    """Read the arguments, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="benchmark, the name of its file without .py")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder (default %(default)s)")
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)  # what follows is for the benchmark
    asked = parser.parse_args(given[:cut])
    record = recorded(asked.name, given[cut + 1 :])
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2) + "\n"
    (asked.out / f"{asked.name}.json").write_text(text, encoding="utf-8")
    print(text, end="")


def _line(path: Path, key: str) -> str:
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


if __name__ == "__main__":
    main()
