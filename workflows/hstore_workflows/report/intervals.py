"""Mean and 90 % interval of the best candidates, beside what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_workflows.report.asked import requirement_lines
from hstore_workflows.report.markup import name_html
from hstore_workflows.report.plot import BLUE, VERMILLION, Plot, layout, note, power_ticks, rounded, titled
from hstore_workflows.report.quantities import quantities

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.report.quantities import Quantity
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

_N_ROWS = 20
_ROW_PX = 24
_OFF_SCALE = 2.0


def interval_plots(result: ScreenResult) -> list[Plot]:
    """Draw mean and 90 % interval of the top twenty, for the first two quantities of the target."""
    top = result.candidates.head(_N_ROWS)
    return [_intervals(top, quantity, result.target) for quantity in quantities(result.target)[:2]]


def _intervals(top: pd.DataFrame, quantity: Quantity, target: Target) -> Plot:
    rows = [{str(k): v for k, v in row.items()} for row in top.to_dict("records")]
    names = [name_html(row, target.kind) for row in rows]
    lower, mean, upper = (_drawn(top, quantity, end) for end in ("lower", "mean", "upper"))
    x = titled(quantity.axis, rangemode="normal" if quantity.log else "tozero")
    if quantity.log:
        finite = np.concatenate([lower, upper])[np.isfinite(np.concatenate([lower, upper]))]
        x |= power_ticks(finite.min(), finite.max()) if len(finite) else {}
    y = {
        "tickvals": list(range(len(rows))),
        "ticktext": [f"{name}  <b>{row['rank']}</b>" for name, row in zip(names, rows, strict=True)],
        "autorange": "reversed",
    }
    texts = [
        f"<b>{name}</b><br>{quantity.heading}: {quantity.mean(row)} ({quantity.interval(row)}) {quantity.unit}"
        for name, row in zip(names, rows, strict=True)
    ]
    trace = _trace(lower, mean, upper, [bool(row["in_domain"]) for row in rows])
    shapes, notes, words = _lines(quantity, target, upper)
    return Plot(
        key=f"intervals-{quantity.column.replace('_', '-')}",
        title=f"{quantity.heading} ({quantity.unit}) of the top {len(rows)}",
        caption=f"Mean and 90 % interval; open marks lie outside the domain of the models. {words}".strip(),
        data=[{**trace, "hovertext": texts}],
        layout=layout(x, y, shapes=shapes, annotations=notes, margin={"l": 56, "r": 16, "t": 30, "b": 48}),
        height=110 + _ROW_PX * len(rows),
    )


def _drawn(top: pd.DataFrame, quantity: Quantity, end: str) -> NDArray[np.float64]:
    """Return a column as it is drawn: log10 on logarithmic axes."""
    values = top[f"{quantity.column}_{end}"].to_numpy(dtype=float)
    return np.log10(values) if quantity.log else values


def _trace(
    lower: NDArray[np.float64], mean: NDArray[np.float64], upper: NDArray[np.float64], believed: list[bool]
) -> dict[str, Any]:
    bars = {"array": rounded(upper - mean), "arrayminus": rounded(mean - lower), "symmetric": False}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(mean),
        "y": list(range(len(mean))),
        "error_x": {"type": "data", "color": BLUE, "thickness": 1.5, "width": 3, **bars},
        "marker": {"color": BLUE, "size": 9, "symbol": ["circle" if b else "circle-open" for b in believed]},
        "hoverinfo": "text",
        "showlegend": False,
    }


def _lines(
    quantity: Quantity, target: Target, upper: NDArray[np.float64]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Lines of what is asked, their labels, and words on those that would lie far off the scale."""
    finite = upper[np.isfinite(upper)]
    highest = float(finite.max()) if len(finite) else np.inf
    shapes, notes, far = [], [], []
    for label, value, main in _asked(quantity, target):
        at = float(np.log10(value)) if quantity.log else value
        if at > max(_OFF_SCALE * highest, highest + 1):
            far.append(f"{label} {quantity.text(value)} {quantity.unit}")
            continue
        line = {"color": VERMILLION, "width": 1.5, "dash": "solid" if main else "dot"}
        shapes.append({"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line})
        notes.append(note(label, x=at, y=1, yref="paper", yanchor="bottom"))
    return shapes, notes, f"Off the scale: {', '.join(far)}." if far else ""


def _asked(quantity: Quantity, target: Target) -> list[tuple[str, float, bool]]:
    """Return label, value and whether candidates are ranked by it."""
    if quantity.unit in {"wt%", "g/L"}:
        return requirement_lines(target, quantity.unit)
    if quantity.column == "plateau_pressure_bar":
        assert target.swing is not None
        return [("delivery", target.swing.discharge_pressure_bar, True)]
    if quantity.column == "log10_conductivity_s_per_cm":
        assert target.requirement is not None
        assert target.requirement.log10_conductivity_s_per_cm is not None
        return [("asked", target.requirement.log10_conductivity_s_per_cm, True)]
    return []
