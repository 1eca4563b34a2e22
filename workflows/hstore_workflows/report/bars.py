"""Intervals of the best candidates, what the models look at, and held-out predictions of known materials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from hstore.properties import get_property
from hstore_workflows.report.asked import requirement_lines
from hstore_workflows.report.markup import feature_words, formula_html, name_html, shortened
from hstore_workflows.report.plot import BLUE, ORANGE, VERMILLION, Plot, layout, note, rounded
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    import pandas as pd

    from hstore_models.card import ModelCard
    from hstore_workflows.report.quantities import Quantity
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

_N_INTERVALS = 20
_N_IMPORTANCES = 12
_ROW_PX = 24
_OFF_SCALE = 2.0


def interval_plots(result: ScreenResult) -> list[Plot]:
    """Draw mean and 90 % interval of the top twenty, for the first two quantities of the target."""
    top = result.candidates.head(_N_INTERVALS)
    return [_intervals(top, quantity, result.target) for quantity in quantities(result.target)[:2]]


def importance_plots(result: ScreenResult) -> list[Plot]:
    """Draw the largest importances of each model that has a forest."""
    return [_importances(loaded.card) for loaded in result.models.values() if loaded.card.importances]


def parity_plots(result: ScreenResult) -> list[Plot]:
    """Draw held-out predictions against measured values, one plot per property."""
    return [
        _parity(str(name), frame, result.target.kind)
        for name, frame in result.sanity.groupby("property", sort=False)
    ]


def inside_interval(frame: pd.DataFrame) -> pd.Series[bool]:
    """Mark rows of the sanity check whose measured value lies in the predicted 90 % interval."""
    return (frame["measured"] >= frame["lower"]) & (frame["measured"] <= frame["upper"])


def _intervals(top: pd.DataFrame, quantity: Quantity, target: Target) -> Plot:
    rows = [{str(k): v for k, v in row.items()} for row in top.to_dict("records")]
    labels = [f"{name_html(row, target.kind)}  <b>{row['rank']}</b>" for row in rows]
    values = {end: top[f"{quantity.column}_{end}"].to_numpy(dtype=float) for end in ("mean", "lower", "upper")}
    mean = values["mean"]
    texts = [
        f"<b>{name_html(row, target.kind)}</b><br>{quantity.heading}: {quantity.mean(row)} "
        f"({quantity.interval(row)}) {quantity.unit}"
        for row in rows
    ]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(mean),
        "y": list(range(len(rows))),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": rounded(values["upper"] - mean),
            "arrayminus": rounded(mean - values["lower"]),
            "color": BLUE,
            "thickness": 1.5,
            "width": 3,
        },
        "marker": {
            "color": BLUE,
            "size": 9,
            "symbol": ["circle" if row["in_domain"] else "circle-open" for row in rows],
        },
        "hovertext": texts,
        "hoverinfo": "text",
        "showlegend": False,
    }
    x: dict[str, Any] = {"title": {"text": quantity.axis, "standoff": 8}}
    if quantity.log:
        x |= {"type": "log", "exponentformat": "power", "dtick": 2}
    y = {"tickvals": list(range(len(rows))), "ticktext": labels, "autorange": "reversed", "showgrid": True}
    shapes, notes, words = _interval_lines(quantity, target, values["upper"])
    return Plot(
        key=f"intervals-{quantity.column.replace('_', '-')}",
        title=f"{quantity.heading}, {quantity.unit}, of the top {len(rows)}",
        caption=f"Mean and 90 % interval; open marks lie outside the domain of the models. {words}".strip(),
        data=[trace],
        layout=layout(x, y, shapes=shapes, annotations=notes, margin={"l": 56, "r": 16, "t": 30, "b": 48}),
        height=110 + _ROW_PX * len(rows),
    )


def _interval_lines(
    quantity: Quantity, target: Target, upper: np.ndarray[Any, np.dtype[np.float64]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Lines of what is asked, or words where they would be far off the scale."""
    lines = _asked_lines(quantity, target)
    finite = upper[np.isfinite(upper)]
    limit = _OFF_SCALE * float(finite.max()) if len(finite) else np.inf
    near = [line for line in lines if quantity.log or quantity.column.startswith("log10") or line[1] <= limit]
    shapes = [
        {
            "type": "line",
            "x0": value,
            "x1": value,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": VERMILLION, "width": 1.5, "dash": "solid" if main else "dot"},
        }
        for _, value, main in near
    ]
    notes = [
        note(label, x=float(np.log10(value)) if quantity.log else value, y=1, yref="paper", yanchor="bottom")
        for label, value, _ in near
    ]
    far = [f"{label} {value:.3g} {quantity.unit}" for label, value, _ in lines if (label, value, _) not in near]
    return shapes, notes, f"Asked, off the scale: {', '.join(far)}." if far else ""


def _asked_lines(quantity: Quantity, target: Target) -> list[tuple[str, float, bool]]:
    if quantity.unit in {"wt%", "g/L"}:
        return requirement_lines(target, quantity.unit)
    if quantity.column == "plateau_pressure_bar":
        assert target.swing is not None
        return [("delivery", target.swing.discharge_pressure_bar, True)]
    if quantity.column == "log10_conductivity_s_per_cm":
        assert target.requirement is not None
        minimum = target.requirement.log10_conductivity_s_per_cm
        assert minimum is not None
        return [("asked", minimum, True)]
    return []


def _importances(card: ModelCard) -> Plot:
    largest = list(card.importances.items())[:_N_IMPORTANCES]
    words = [feature_words(name) for name, _ in largest]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": rounded(100 * share for _, share in largest),
        "y": list(range(len(largest))),
        "marker": {"color": BLUE},
        "hovertext": [f"{escape(name)}: {share:.1%}" for name, share in largest],
        "hoverinfo": "text",
    }
    covered = sum(share for _, share in largest)
    y = {
        "tickvals": list(range(len(largest))),
        "ticktext": [str(escape(w)) for w in words],
        "autorange": "reversed",
    }
    return Plot(
        key=f"importances-{card.model.replace('_', '-')}",
        title=f"{card.model.replace('_', ' ').capitalize()}: what the forest splits on",
        caption=f"Share of the variance reduction; these {len(largest)} of {card.n_features} features hold {covered:.0%}.",
        data=[trace],
        layout=layout({"title": {"text": "share (%)", "standoff": 8}}, y, bargap=0.35),
        height=90 + _ROW_PX * len(largest),
    )


def _parity(name: str, frame: pd.DataFrame, kind: str) -> Plot:
    inside = inside_interval(frame)
    edges = frame[["measured", "predicted"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(edges)), float(np.nanmax(edges))
    margin = 0.05 * (high - low) or 1.0
    extent = [low - margin, high + margin]
    unit = str(frame["unit"].iloc[0])
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": rounded(extent),
        "y": rounded(extent),
        "line": {"color": "#8A8A8A", "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    traces = [
        _parity_marks(frame[mask], label, colour, kind)
        for mask, label, colour in ((inside, "measured inside the interval", BLUE), (~inside, "outside", ORANGE))
        if mask.any()
    ]
    label = get_property(name).label
    return Plot(
        key=f"parity-{name.replace('_', '-')}",
        title=f"{label} ({unit})",
        caption=f"{int(inside.sum())} of {len(frame)} measured values ({inside.mean():.0%}) lie inside their 90 % interval.",
        data=[diagonal, *traces],
        layout=layout(
            {"title": {"text": f"measured ({unit})", "standoff": 8}, "range": extent},
            {"title": {"text": f"predicted, held out ({unit})", "standoff": 8}, "range": extent},
        ),
        height=430,
    )


def _parity_marks(frame: pd.DataFrame, label: str, colour: str, kind: str) -> dict[str, Any]:
    texts = [
        f"<b>{escape(shortened(row.label)) if kind == 'sorbent' else formula_html(row.label)}</b><br>measured "
        f"{significant(row.measured, 3)}<br>predicted {significant(row.predicted, 3)} "
        f"({significant(row.lower, 3)} to {significant(row.upper, 3)})"
        for row in frame.astype({"label": str}).itertuples()
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": rounded(frame["measured"]),
        "y": rounded(frame["predicted"]),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": rounded(frame["upper"] - frame["predicted"]),
            "arrayminus": rounded(frame["predicted"] - frame["lower"]),
            "color": f"{colour}40",
            "thickness": 1,
            "width": 0,
        },
        "marker": {"color": colour, "size": 6, "opacity": 0.8},
        "hovertext": texts,
        "hoverinfo": "text",
    }
