"""The design map: every candidate in the two quantities that decide, with what is asked drawn in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from hstore_workflows.report.asked import asked_of, coordinates
from hstore_workflows.report.classes import material_classes
from hstore_workflows.report.markup import name_html, plural
from hstore_workflows.report.plot import VERMILLION, Plot, layout, rounded
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.report.classes import MaterialClass
    from hstore_workflows.report.quantities import Quantity
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

MAX_POINTS = 4000
"""Candidates drawn; SVG stays quick up to here."""

_BEST_DRAWN = 1000
_TOP = 10


def design_map(result: ScreenResult) -> Plot:
    """Draw the candidates with the window, the requirements, the Pareto front and the ranks of the top ten."""
    target, candidates = result.target, result.candidates
    drawn = sample(candidates, MAX_POINTS)
    x, y = coordinates(drawn, target)
    asked = asked_of(candidates, target)
    traces = [
        *_marks(drawn, (x, y), target),
        _front(drawn, x, y, joined=target.kind == "sorbent"),
        _ranks(drawn, x, y),
    ]
    caption = (
        f"{_share_drawn(len(drawn), len(candidates))} {asked.words}Large outlined marks are known materials, pale "
        "marks lie outside the domain of the models, rings mark the Pareto front, numbers are ranks. Hover for "
        "values and intervals, drag to zoom, double-click to reset, click a class in the legend to hide it."
    )
    return Plot(
        key="design-map",
        title="Design map",
        caption=caption,
        data=traces,
        layout=layout(asked.x, asked.y, shapes=asked.shapes, annotations=asked.notes),
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


def hover_text(row: Mapping[str, Any], shown: tuple[Quantity, ...], kind: str) -> str:
    """Describe a candidate in plotly's markup; everything from outside is escaped."""
    head = f"<b>{name_html(row, kind)}</b>, rank {row['rank']}"
    lines = [head, f"{escape(row['family'])}{', known' if row['known'] else ''}, score {row['score']:.3f}"]
    lines += [f"{q.heading}: {q.mean(row)} ({q.interval(row)}) {q.unit}" for q in shown]
    lines += [f"{words}: {significant(float(row[p]))}" for p, words in PROBABILITIES.items() if p in row]
    if row["domain_reason"]:
        lines.append(f"outside the domain: {escape(str(row['domain_reason'])[:120])}")
    return "<br>".join(lines)


PROBABILITIES = {
    "p_window": "p (works in the swing)",
    "p_capacity": "p (capacity reached)",
    "p_density": "p (density reached)",
    "p_feasible": "p (all that is asked)",
}
"""Probability column -> its name in the report."""


def _share_drawn(drawn: int, total: int) -> str:
    if drawn == total:
        return f"All {plural(total, 'candidate')} are drawn."
    return f"{drawn:,} of {total:,} candidates are drawn: the best, the known, the front, and every few of the others."


def _marks(
    drawn: pd.DataFrame, place: tuple[NDArray[np.float64], NDArray[np.float64]], target: Target
) -> list[dict[str, Any]]:
    """One trace per class, largest class first so that small ones lie on top."""
    kinds = material_classes(drawn, target)
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    rows = drawn.to_dict("records")
    shown = quantities(target)
    texts = [hover_text({str(k): v for k, v in row.items()}, shown, target.kind) for row in rows]
    known = drawn["known"].to_numpy(dtype=bool)
    believed = drawn["in_domain"].to_numpy(dtype=bool)
    traces = []
    for kind in sorted(counts, key=lambda k: (-counts[k], k.name)):
        member = np.array([k is kind for k in kinds])
        traces.append(_class_trace(kind, member, place, (texts, known, believed)))
    return traces


def _class_trace(
    kind: MaterialClass,
    member: NDArray[np.bool_],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    marks: tuple[list[str], NDArray[np.bool_], NDArray[np.bool_]],
) -> dict[str, Any]:
    texts, known, believed = marks
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind.name,
        "x": rounded(place[0][member]),
        "y": rounded(place[1][member]),
        "hovertext": [text for text, inside in zip(texts, member, strict=True) if inside],
        "hoverinfo": "text",
        "marker": {
            "color": kind.colour,
            "symbol": kind.symbol,
            "size": [9 if k else 6 for k in known[member]],
            "opacity": [
                0.25 if not b else 0.95 if k else 0.6 for b, k in zip(believed[member], known[member], strict=True)
            ],
            "line": {"color": "#444444", "width": [1.2 if k else 0 for k in known[member]]},
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


def _ranks(drawn: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    top = drawn["rank"].to_numpy() <= _TOP
    return {
        "type": "scatter",
        "mode": "text",
        "name": "ranks",
        "showlegend": False,
        "x": rounded(x[top]),
        "y": rounded(y[top]),
        "text": [f"<b>{rank}</b>" for rank in drawn["rank"][top]],
        "textposition": "top center",
        "textfont": {"size": 12},
        "hoverinfo": "skip",
    }
