"""List what a wheel and a source distribution hold, and fail where that is not what the checkout says.

Both hold every file of the project that is theirs, and nothing else: no cache, no run, nothing that Git ignores.

Example: ``python .ci/content.py dist/hstore-0.1.0-py3-none-any.whl dist/hstore-0.1.0.tar.gz``
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
WRITTEN_BY_BUILD = {"PKG-INFO", ".gitignore"}
"""What the build adds to a source distribution; Hatchling always takes the list of what Git ignores."""

KINDS = {
    "py": "Python", "typed": "marks of typed packages", "toml": "cards, specs, targets, sites, sets",
    "csv": "tables", "parquet": "tables", "json": "contract, lists", "html": "templates", "j2": "templates",
    "mako": "template of migrations", "js": "static", "css": "static", "svg": "static", "LICENSE": "licences",
    "md": "pages",
}  # fmt: skip
"""How the name of a file in a wheel ends -> what such files are."""

NEEDED = {
    "marks of typed packages": r"*/py.typed",
    "migrations": "hstore/store/migrations/versions/*.py",
    "template of migrations": "hstore/store/migrations/script.py.mako",
    "cards": "hstore_data/cards/*.toml",
    "tables": "hstore_data/tables/*",
    "specs": "hstore_models/specs/*.toml",
    "targets": "hstore_workflows/targets/*.toml",
    "sites": "hstore_workflows/sites/*.toml",
    "templates of reports": "hstore_workflows/report/templates/*.j2",
    "templates of pages": "hstore_api/pages/templates/*.html",
    "static files": "hstore_api/pages/static/*.js",
    "vendored files": "hstore_api/pages/static/vendor/*.js",
    "licences of vendored files": "hstore_api/pages/static/vendor/*.LICENSE",
    "contract": "hstore_api/openapi.json",
}
"""What a wheel must have at least one of -> where; a folder that moved shows here."""


def settings() -> dict[str, list[str]]:
    """Return the folders of the wheel and the entries of the source distribution, from ``pyproject.toml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    targets = project["tool"]["hatch"]["build"]["targets"]
    return {
        "wheel": targets["wheel"]["packages"],
        "sdist": [name.lstrip("/") for name in targets["sdist"]["include"]],
    }


@cache
def project_files() -> list[str]:
    """Return paths of all files that Git does not ignore; without Git, of all that are no caches."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return sorted(name for name in set(listed) if name and (ROOT / name).is_file())
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    made = {"__pycache__", ".venv", ".pytest_cache", ".hypothesis"}
    return sorted(path.as_posix() for path in files if made.isdisjoint(path.parts))


def expected_wheel() -> set[str]:
    """Return what a wheel holds beside its metadata."""
    found = set()
    for package in settings()["wheel"]:
        folder = PurePosixPath(package).parent
        inside = (PurePosixPath(name) for name in project_files() if name.startswith(f"{package}/"))
        found |= {path.relative_to(folder).as_posix() for path in inside}
    return found


def expected_sdist() -> set[str]:
    """Return what a source distribution holds beside what the build writes."""
    tops = settings()["sdist"]
    files = project_files()
    return {name for name in files if any(name == top or name.startswith(f"{top}/") for top in tops)} | {
        "pyproject.toml"
    }


def wheel_content(path: Path) -> dict[str, int]:
    """Return name -> size in bytes of all files of a wheel but its metadata."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    return {name: size for name, size in entries.items() if ".dist-info/" not in name}


def sdist_content(path: Path) -> dict[str, int]:
    """Return name -> size in bytes of all files of a source distribution, without its first folder."""
    with tarfile.open(path) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
    return {member.name.split("/", 1)[1]: member.size for member in files}


def differences(found: set[str], expected: set[str]) -> list[str]:
    """Return a line for every file that is missing, and for every file too much."""
    missing = [f"missing: {name}" for name in sorted(expected - found)]
    return missing + [f"not to be shipped: {name}" for name in sorted(found - expected)]


def wheel_problems(names: set[str]) -> list[str]:
    """Return what is wrong with the content of a wheel, a line for each."""
    problems = differences(names, expected_wheel())
    for what, pattern in NEEDED.items():
        if not any(PurePosixPath(name).match(pattern) for name in names):
            problems.append(f"no {what}: nothing matches {pattern}")
    typed = {name.split("/")[0] for name in names if name.endswith("/py.typed")}
    problems += [f"missing: {name}/py.typed" for name in sorted({name.split("/")[0] for name in names} - typed)]
    return problems + [
        f"of no known kind: {name}" for name in sorted(names) if name.rsplit(".", 1)[-1] not in KINDS
    ]


def sdist_problems(names: set[str]) -> list[str]:
    """Return what is wrong with the content of a source distribution, a line for each."""
    return differences(names - WRITTEN_BY_BUILD, expected_sdist() - WRITTEN_BY_BUILD)


def table(content: dict[str, int], label: dict[str, str]) -> str:
    """Return lines of kind, number of files and kilobytes, the largest first."""
    count, size = Counter[str](), Counter[str]()
    for name, size_bytes in content.items():
        kind = label.get(name.rsplit(".", 1)[-1], name.split("/", 1)[0])
        count[kind] += 1
        size[kind] += size_bytes
    rows = [f"  {kind:36} {count[kind]:5} {total / 1e3:9.1f} kB" for kind, total in size.most_common()]
    return "\n".join([*rows, f"  {'all':36} {count.total():5} {size.total() / 1e3:9.1f} kB"])


def main(paths: list[str]) -> int:
    """List each file's content; return 1 where one is not as it should be."""
    failed = False
    for path in map(Path, paths):
        is_wheel = path.suffix == ".whl"
        content = wheel_content(path) if is_wheel else sdist_content(path)
        print(f"{path.name}:\n{table(content, KINDS if is_wheel else {})}")
        problems = (wheel_problems if is_wheel else sdist_problems)(set(content))
        failed |= bool(problems)
        print("\n".join(f"  {problem}" for problem in problems) or "  nothing missing, nothing too much")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
