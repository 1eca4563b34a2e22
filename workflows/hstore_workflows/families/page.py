"""The families as a folder: tables, figures, and one page that holds all it needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import hstore
from hstore.errors import InputError
from hstore_workflows.families.plots import draw, link_plots, map_plots
from hstore_workflows.families.summary import QUANTITIES, sides
from hstore_workflows.report.templating import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hstore_workflows.families.summary import Sides

_HUNDRED = 100.0


@dataclass(frozen=True)
class Written:
    """A folder that was written."""

    folder: Path
    """Where."""
    sides: Sides
    """What is in it."""

    def as_json(self) -> dict[str, Any]:
        """Return table, crossings and links as JSON values."""
        found = self.sides
        return {
            "folder": str(self.folder),
            "points": len(found.points),
            "delivery_window_k": list(found.window_k),
            **{
                name: json.loads(frame.to_json(orient="records"))
                for name, frame in (
                    ("families", found.table()), ("crossings", found.crossings()), ("links", found.link_table())
                )
            },
        }  # fmt: skip

    def text(self) -> Iterator[str]:
        """Give the lines that are printed."""
        counts = self.sides.points["kind"].value_counts()
        yield ", ".join(f"{count:,} {kind} points" for kind, count in counts.items())
        yield from self.sides.words()
        yield f"written to {self.folder}: families.html, tables and figures"


def write_families(folder: Path, points: Any) -> Written:
    """Write points.csv, families.csv, crossings.csv, links.csv, figures and families.html.

    Args:
        folder: new or empty folder.
        points: see :mod:`hstore_workflows.families.points`.

    Raises:
        InputError: the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; give a new folder, or remove what is in it")
    found = sides(points)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"points": found.points, "families": found.table(), "crossings": found.crossings(),
              "links": found.link_table()}  # fmt: skip
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
    draw(found, folder)
    (folder / "families.html").write_text(render(found), encoding="utf-8")
    return Written(folder, found)


def render(found: Sides) -> str:
    """Render the page; nothing is fetched when it is opened."""
    from plotly.offline import get_plotlyjs

    return (
        environment("hstore_workflows.families")
        .get_template("families.html.j2")
        .render(**shown(found), plotly_js=get_plotlyjs(), version=hstore.__version__)
    )


def shown(found: Sides) -> dict[str, Any]:
    """Return what pages show of the families: sentences, tables as texts, plots."""
    return {
        "words": found.words(),
        "window": found.window_k,
        "families": [_family_row(row) for row in found.table().to_dict("records")],
        "crossings": [_crossing_row(row) for row in found.crossings().to_dict("records")],
        "maps": map_plots(found),
        "links": link_plots(found),
        "n_points": len(found.points),
        "n_sources": found.points["source"].nunique(),
    }


def _family_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "family": row["family"],
        "materials": row["materials"],
        "ranges": [
            _range(row[f"{name}_low"], row[f"{name}_median"], row[f"{name}_high"], row[f"{name}_n"])
            for name in QUANTITIES
        ],
        "in_window": f"{row['in_window']} of {row['placed']}",
        "best": f"{row['best_in_window']}, {row['best_in_window_wt_pct']:.1f} wt%"
        if row["best_in_window"]
        else "none",
        "source": row["best_in_window_source"],
    }


def _range(low: float, middle: float, high: float, n: int) -> str:
    if not n or not np.isfinite(middle):
        return "not in the table"
    return f"{_number(middle)} ({_number(low)} to {_number(high)}; {n})"


def _number(value: float) -> str:
    """Print three digits, never as a power of ten."""
    return f"{value:.0f}" if abs(value) >= _HUNDRED else f"{value:.3g}"


def _crossing_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    where = f"{_number(row['from'])} to {_number(row['to'])}" if row["cross"] else "nowhere"
    return {
        "pair": f"{row['family']} and {row['other']}",
        "quantity": QUANTITIES[row["quantity"]],
        "where": where,
        "points": f"{row['points_of_family']} and {row['points_of_other']}",
    }
