"""The page of benchmarks: what each measures, beside which peer, on which machine, from the kept records."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .settings import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "benchmarks"
PEERS = {
    "batch": "matminer, then the same models a hundred rows at a time",
    "campaign": "scikit-learn",
    "features": "matminer",
    "magpie": "matminer",
    "predict": "scikit-learn",
    "topology": "gudhi",
}
"""Benchmark -> beside what its ratios are taken."""
_FEW = 4
"""Values of a record that stand in one cell."""


def records() -> list[dict[str, Any]]:
    """Return what ``benchmarks/record.py`` kept, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "results").glob("*.json"))]


def pages() -> dict[str, str]:
    """Return the page."""
    kept = records()
    ratios = [
        f"| [{record['benchmark']}](#{record['benchmark'].replace('_', '-')}) | {words(path)} "
        f"| {PEERS[record['benchmark']]} | {_number(value)} |"
        for record in kept
        for path, value in leaves(record["figures"])
        if _is_ratio(path[-1]) and isinstance(value, int | float)
    ]
    text = f"""# Benchmarks

Times depend on the machine; ratios, taken in one run beside a named peer, hardly do. `make bench` runs them all,
`python benchmarks/record.py NAME` one of them. Each section has the command, the day, the machine and how many
processes were waiting before it began: a load above the number of cores is a busy machine.

| benchmark | ours to the peer's | peer | times |
|---|---|---|---|
{"".join(row + chr(10) for row in ratios)}
"""
    return {"benchmarks.md": text + "\n".join(_section(record) for record in kept)}


def leaves(figures: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what stands at the ends of nested figures, each with the names that lead there."""
    if isinstance(figures, dict):
        for name, value in figures.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, figures


def words(path: tuple[str, ...]) -> str:
    """Return a place among figures as words."""
    return ", ".join(text_of(name.replace("_", " ")) for name in path)


def _is_ratio(name: str) -> bool:
    return "ratio" in name or "times_faster" in name


def _section(record: dict[str, Any]) -> str:
    name, figures = record["benchmark"], dict(record["figures"])
    versions = figures.pop("versions", {})
    machine = record["machine"]
    told = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
    about = [part.replace("``", "`") for part in told.split("\n\n") if not part.startswith("Example")]
    libraries = ", ".join(f"{library} {number}" for library, number in versions.items() if number)
    return "\n".join(
        [
            f"## {name}",
            "",
            *(line for part in about for line in (part, "")),
            *_tables(figures),
            f"`{record['command']}`, {record['recorded_on']}, in {record['wall_time_s']:g} s with a load of "
            f"{record['load_before']:g} before: {machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_gib']:g} GiB, {machine['system']}, Python {machine['python']}"
            + (f"; {libraries}." if libraries else "."),
            "",
        ]
    )


def _tables(figures: dict[str, Any], title: str = "") -> list[str]:
    """Return nested figures as tables: records of one form as rows of one, others one below the other."""
    plain = {name: value for name, value in figures.items() if not _nested(value)}
    nested = {name: value for name, value in figures.items() if _nested(value)}
    lines = [f"**{title}**", ""] if title else []
    if plain:
        lines += [
            "| | |",
            "|---|---|",
            *(f"| {words((name,))} | {_number(value)} |" for name, value in plain.items()),
            "",
        ]
    if _alike(nested):
        return lines + _as_rows(nested)
    for name, value in nested.items():
        rows = value if isinstance(value, dict) else {str(i + 1): row for i, row in enumerate(value)}
        lines += _tables(rows, words((name,)))
    return lines


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _alike(rows: dict[str, Any]) -> bool:
    """Tell whether figures are rows of one table: records of values, some of which may be a few themselves."""
    values = [value for row in rows.values() if isinstance(row, dict) for value in row.values() if _nested(value)]
    return all(isinstance(row, dict) for row in rows.values()) and all(
        isinstance(value, dict) and len(value) <= _FEW and not any(map(_nested, value.values()))
        for value in values
    )


def _as_rows(rows: dict[str, Any]) -> list[str]:
    if not rows:
        return []
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    return [
        f"| | {' | '.join(words((column,)) for column in columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {words((name,))} | {' | '.join(_number(row.get(column)) for column in columns)} |"
            for name, row in rows.items()
        ),
        "",
    ]


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_number(inner)}" for name, inner in value.items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text_of(", ".join(map(_number, value)) if isinstance(value, list) else str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
