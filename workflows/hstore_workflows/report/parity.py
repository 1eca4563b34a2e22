"""Held-out predictions of known materials against their measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from hstore.properties import PROPERTIES
from hstore_workflows.report.markup import formula_html, percent, pretty, shortened
from hstore_workflows.report.plot import BLUE, GREY, ORANGE, Plot, layout, rounded, titled
from hstore_workflows.report.quantities import significant

if TYPE_CHECKING:
    import pandas as pd

    from hstore_workflows.screen import ScreenResult


def parity_plots(result: ScreenResult) -> list[Plot]:
    """Draw held-out predictions against measured values, one plot per property."""
    groups = result.sanity.groupby("property", sort=False)
    return [parity_plot(str(name), frame, result.target.kind) for name, frame in groups]


def inside_interval(frame: pd.DataFrame) -> pd.Series[bool]:
    """Mark rows of the sanity check whose measured value lies in the predicted 90 % interval."""
    return (frame["measured"] >= frame["lower"]) & (frame["measured"] <= frame["upper"])


def parity_plot(name: str, frame: pd.DataFrame, kind: str) -> Plot:
    """Draw held-out predictions of one property against measured values.

    Args:
        name: canonical property name.
        frame: columns ``unit, label, measured, predicted, lower, upper``.
        kind: of the target or of its model: names of sorbents are no formulas.
    """
    inside = inside_interval(frame)
    values = frame[["measured", "predicted"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 1.0
    extent = [low - margin, high + margin]
    unit = pretty(str(frame["unit"].iloc[0]))
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": rounded(extent),
        "y": rounded(extent),
        "line": {"color": GREY, "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    split = ((inside, "inside the interval", BLUE), (~inside, "outside", ORANGE))
    marks = [_marks(frame[mask], label, colour, kind) for mask, label, colour in split if mask.any()]
    return Plot(
        key=f"parity-{name.replace('_', '-')}",
        title=f"{pretty(PROPERTIES[name].label) if name in PROPERTIES else name} ({unit})",
        caption=f"{int(inside.sum())} of {len(frame)} measured values ({percent(inside.mean())}) lie inside their "
        "90 % interval.",
        data=[diagonal, *marks],
        layout=layout(
            titled(f"measured ({unit})", range=extent), titled(f"predicted, held out ({unit})", range=extent)
        ),
        height=430,
    )


def _marks(frame: pd.DataFrame, label: str, colour: str, kind: str) -> dict[str, Any]:
    rows = frame.to_dict("records")
    bars = {
        "array": rounded(frame["upper"] - frame["predicted"]),
        "arrayminus": rounded(frame["predicted"] - frame["lower"]),
        "symmetric": False,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": rounded(frame["measured"]),
        "y": rounded(frame["predicted"]),
        "error_y": {"type": "data", "color": f"{colour}40", "thickness": 1, "width": 0, **bars},
        "marker": {"color": colour, "size": 6, "opacity": 0.8},
        "hovertext": [_hover({str(k): v for k, v in row.items()}, kind) for row in rows],
        "hoverinfo": "text",
    }


def _hover(row: dict[str, Any], kind: str) -> str:
    label = str(row["label"])
    name = escape(shortened(label)) if kind == "sorbent" else formula_html(label)
    measured, predicted, lower, upper = (
        significant(float(row[column]), 3) for column in ("measured", "predicted", "lower", "upper")
    )
    return f"<b>{name}</b><br>measured {measured}<br>predicted {predicted} ({lower} to {upper})"
