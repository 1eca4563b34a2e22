"""Resolve every extra on every Python that the project names, with the newest releases there are.

Extras that can be installed together are resolved together: what resolves for all of them resolves for each.
Where that fails, each is resolved alone, so that the one to blame is named. Nothing is installed.

Example: ``python .ci/extras.py``
"""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
APART = (("explain", "mlip"), ("dev", "mlip"))
"""Extras that cannot share an environment: dowhy wants a Cython before 3, or a SciPy before matminer's, and CHGNet
a Cython from 3 on."""


@dataclass(frozen=True)
class Resolution:
    """What came of resolving some extras on one Python."""

    packages: int
    """How many packages were chosen."""
    seconds: float
    error: str
    """What the resolver said, empty where it found a solution."""


def groups(extras: Collection[str]) -> list[frozenset[str]]:
    """Return as few groups of extras as can be installed together, each extra in at least one."""
    found = [frozenset(extras)]
    for pair in APART:
        found = [
            part
            for group in found
            for part in ([group - {name} for name in pair] if set(pair) <= group else [group])
        ]
    return [group for group in dict.fromkeys(found) if not any(group < other for other in found)]


def resolve(python: str, extras: Collection[str]) -> Resolution:
    """Resolve the project with some extras for a Python, which need not be installed."""
    wanted = [word for extra in sorted(extras) for word in ("--extra", extra)]
    started = time.monotonic()
    command = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-header", "--no-annotate"]
    command += ["--python-version", python, *wanted, "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    error = " ".join(done.stderr.split()) if done.returncode else ""
    return Resolution(done.stdout.count("=="), time.monotonic() - started, error)


def failures(pythons: Collection[str], together: Collection[frozenset[str]]) -> Iterator[str]:
    """Resolve and print a line for each group; yield what does not resolve, Python and extra named."""
    asked = [(python, group) for python in pythons for group in together]
    with ThreadPoolExecutor(max_workers=len(pythons)) as pool:  # the resolver waits for answers most of the time
        for (python, group), found in zip(asked, pool.map(resolve, *zip(*asked, strict=True)), strict=True):
            said = f"{found.packages} packages" if not found.error else "does not resolve"
            print(f"{python}  {said}, {found.seconds:.0f} s: {' '.join(sorted(group))}", flush=True)
            if found.error:
                alone = {extra: resolve(python, [extra]).error for extra in sorted(group)}
                culprits = [f"Python {python}, extra {extra}: {error}" for extra, error in alone.items() if error]
                yield from culprits or [f"Python {python}, {' with '.join(sorted(group))}: {found.error}"]


def main() -> int:
    """Resolve all; return 1 and say what does not."""
    extras: Mapping[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]["optional-dependencies"]
    failed = list(failures(PYTHONS, groups(extras)))
    for line in failed:
        print(line, file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
