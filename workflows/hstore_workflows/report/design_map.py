"""The design map: every candidate in the two quantities that decide, with what is asked drawn in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from hstore_workflows.report.asked import asked_of, coordinates
from hstore_workflows.report.classes import material_classes
from hstore_workflows.report.markup import name_html, plural
from hstore_workflows.report.plot import GREY, VERMILLION, Plot, layout, rounded
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.report.classes import MaterialClass
    from hstore_workflows.report.quantities import Quantity
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

MAX_POINTS = 4000
"""Candidates drawn; SVG stays quick up to here."""

_BEST_DRAWN = 1000
_FEW = 200
_SIZES, _SIZES_OF_FEW = (9, 6), (12, 10)
"""Diameters of known and other marks, px."""
_TOP = 10
_FAN_PX, _FAN_HEIGHT_PX = 22, -70


def design_map(result: ScreenResult) -> Plot:
    """Draw the candidates with the window, the requirements, the Pareto front and the ranks of the top ten."""
    target, candidates = result.target, result.candidates
    drawn = sample(candidates, MAX_POINTS)
    x, y = coordinates(drawn, target)
    asked = asked_of(candidates, target)
    traces = [
        *_marks(drawn, (x, y), target),
        _front(drawn, x, y, joined=target.kind == "sorbent"),
    ]
    caption = (
        f"{_share_drawn(candidates, drawn, target)} {asked.words}Large outlined marks are known materials, pale "
        "marks lie outside the domain of the models, rings mark the Pareto front, numbers are ranks. Hover for "
        "values and intervals, drag to zoom, double-click to reset, click a class in the legend to hide it."
    )
    return Plot(
        key="design-map",
        title="Design map",
        caption=caption,
        data=traces,
        layout=layout(
            asked.x, asked.y, shapes=asked.shapes, annotations=[*asked.notes, *_rank_labels(drawn, x, y)]
        ),
        height=620,
    )


def sample(candidates: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Return at most ``limit`` candidates, or somewhat more where more are known.

    The thousand best (at most half of the limit), the known and the front are always kept; the others are taken
    evenly over the ranks.
    """
    if len(candidates) <= limit:
        return candidates
    best = candidates["rank"] <= min(_BEST_DRAWN, limit // 2)
    keep = (best | candidates["known"].astype(bool) | candidates["pareto"]).to_numpy().copy()
    others, room = np.flatnonzero(~keep), max(0, limit - int(keep.sum()))
    keep[others[np.linspace(0, len(others) - 1, room).round().astype(int)]] = True
    return candidates[keep]


def hover_template(shown: tuple[Quantity, ...], probabilities: Sequence[str]) -> str:
    """Return plotly's template for the cells of :func:`hover_cells`."""
    lines = ["<b>%{customdata[0]}</b>, rank %{customdata[1]}", "%{customdata[2]}"]
    labels = [f"{q.heading}: %{{}} {q.unit}" for q in shown] + [
        f"{PROBABILITIES[p]}: %{{}}" for p in probabilities
    ]
    lines += [label.replace("%{}", f"%{{customdata[{place}]}}") for place, label in enumerate(labels, start=3)]
    return "<br>".join(lines) + f"%{{customdata[{len(labels) + 3}]}}<extra></extra>"


def hover_cells(
    row: Mapping[str, Any], shown: tuple[Quantity, ...], probabilities: Sequence[str], kind: str
) -> list[str | int]:
    """Describe a candidate in the cells of the template; everything from outside is escaped."""
    about = f"{escape(row['family'])}{', known' if row['known'] else ''}, score {row['score']:.3f}"
    values = [f"{q.mean(row)} ({q.interval(row)})" for q in shown]
    chances = [significant(float(row[name])) for name in probabilities]
    outside = f"<br>outside the domain: {escape(str(row['domain_reason'])[:100])}" if row["domain_reason"] else ""
    return [str(name_html(row, kind)), int(row["rank"]), about, *values, *chances, outside]


PROBABILITIES = {
    "p_window": "p (works in the swing)",
    "p_capacity": "p (capacity reached)",
    "p_density": "p (density reached)",
    "p_feasible": "p (all that is asked)",
}
"""Probability column -> its name in the report."""


def _share_drawn(candidates: pd.DataFrame, drawn: pd.DataFrame, target: Target) -> str:
    """Say how many candidates are drawn, and why the others are not."""
    placed = int(np.isfinite(np.add(*coordinates(drawn, target))).sum())
    without = int((~np.isfinite(np.add(*coordinates(candidates, target)))).sum())
    total = f"{placed:,} of {plural(len(candidates), 'candidate')} are drawn"
    if len(drawn) < len(candidates):
        total += ": the best, the known, the front and some others"
    return f"{total}; {without:,} lack a prediction." if without else f"{total}."


def _marks(
    drawn: pd.DataFrame, place: tuple[NDArray[np.float64], NDArray[np.float64]], target: Target
) -> list[dict[str, Any]]:
    """One trace per class, largest class first so that small ones lie on top."""
    kinds = material_classes(drawn, target)
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    rows = drawn.to_dict("records")
    shown, probabilities = quantities(target), [name for name in PROBABILITIES if name in drawn]
    cells = [hover_cells({str(k): v for k, v in row.items()}, shown, probabilities, target.kind) for row in rows]
    template = hover_template(shown, probabilities)
    known = drawn["known"].to_numpy(dtype=bool)
    believed = drawn["in_domain"].to_numpy(dtype=bool)
    sizes = _SIZES if len(drawn) > _FEW else _SIZES_OF_FEW
    traces = []
    for kind in sorted(counts, key=lambda k: (-counts[k], k.name)):
        member = np.array([k is kind for k in kinds])
        trace = _class_trace(kind, member, place, known=known[member], believed=believed[member], sizes=sizes)
        trace["customdata"] = [row for row, inside in zip(cells, member, strict=True) if inside]
        traces += [_legend_key(kind), {**trace, "hovertemplate": template}]
    return traces


def _legend_key(kind: MaterialClass) -> dict[str, Any]:
    """Return an empty trace for the legend, which would show the (perhaps pale) first mark otherwise."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind.name,
        "legendgroup": kind.name,
        "x": [None],
        "y": [None],
        "marker": {"color": kind.colour, "symbol": kind.symbol, "size": 8},
    }


def _class_trace(
    kind: MaterialClass,
    member: NDArray[np.bool_],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    known: NDArray[np.bool_],
    believed: NDArray[np.bool_],
    sizes: tuple[int, int],
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind.name,
        "legendgroup": kind.name,
        "showlegend": False,
        "x": rounded(place[0][member]),
        "y": rounded(place[1][member]),
        "marker": {
            "color": kind.colour,
            "symbol": kind.symbol,
            "size": np.where(known, *sizes).tolist(),
            "opacity": np.where(believed, np.where(known, 0.95, 0.6), 0.25).tolist(),
            "line": {"color": "#444444", "width": np.where(known, 1.2, 0.0).tolist()},
        },
    }


def _front(drawn: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64], *, joined: bool) -> dict[str, Any]:
    on_front = np.flatnonzero(drawn["pareto"].to_numpy(dtype=bool))
    order = on_front[np.argsort(x[on_front], kind="stable")]
    return {
        "type": "scatter",
        "mode": "lines+markers" if joined else "markers",
        "name": "Pareto front",
        "x": rounded(x[order]),
        "y": rounded(y[order]),
        "hoverinfo": "skip",
        "line": {"color": VERMILLION, "width": 1, "dash": "dot"},
        "marker": {"symbol": "circle-open", "size": 15, "color": VERMILLION, "line": {"width": 2}},
    }


def _rank_labels(drawn: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Label the top ten with their ranks, fanned out on leaders because they lie close together."""
    rank = drawn["rank"].to_numpy()
    top = np.flatnonzero((rank <= _TOP) & np.isfinite(x) & np.isfinite(y))
    fan = top[np.lexsort((y[top], x[top]))]
    middle = (len(fan) - 1) / 2
    return [
        {
            "text": f"<b>{rank[row]}</b>",
            "x": round(float(x[row]), 5),
            "y": round(float(y[row]), 5),
            "ax": round(_FAN_PX * (place - middle)),
            "ay": _FAN_HEIGHT_PX + (15 if place % 2 else 0),
            "arrowhead": 0,
            "arrowwidth": 0.8,
            "arrowcolor": GREY,
            "font": {"size": 12},
        }
        for place, row in enumerate(fan)
    ]
