"""Plots of how well a model did on what it had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.thermo import Z_90

if TYPE_CHECKING:
    import pandas as pd

    from hstore.arrays import FloatArray
    from hstore_workflows.report.plot import Plot

_MOST_FAMILIES = 10
_ROW_PX = 34


def residual_plot(name: str, frame: pd.DataFrame) -> Plot:
    """Draw predicted less measured by family, most rows first."""
    from hstore_workflows.report.markup import pretty
    from hstore_workflows.report.plot import GREY, Plot, layout, titled

    unit = pretty(str(frame["unit"].iloc[0]))
    counts = frame["family"].value_counts()
    shown = counts.index[:_MOST_FAMILIES].tolist()
    traces = [_box(family, frame[frame["family"] == family]) for family in reversed(shown)]
    zero = {
        "type": "line",
        "x0": 0,
        "x1": 0,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": GREY, "width": 1},
    }
    left_out = len(counts) - len(shown)
    more = f" Families with fewer rows ({left_out}) are left out." if left_out else ""
    return Plot(
        key=f"residual-{_key(name)}",
        title="Errors by family",
        caption=f"Predicted less measured, held out. The line is the median, the box holds half the rows.{more}",
        data=traces,
        layout=layout(titled(f"predicted − measured ({unit})"), {"showgrid": False}, shapes=[zero]),
        height=110 + _ROW_PX * len(shown),
    )


def calibration_plot(name: str, frame: pd.DataFrame) -> Plot:
    """Draw which share of the held-out values lies in intervals of a stated share.

    Intervals of other shares than 90 % are the stated ones, each side scaled as for a normal distribution.
    """
    from hstore_workflows.report.plot import BLUE, GREY, Plot, layout, rounded, titled

    levels = np.array([0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98])
    n_groups = frame["group"].nunique()
    chance = np.array([_binomial(level, n_groups) for level in levels])
    line: dict[str, Any] = {"type": "scatter", "mode": "lines", "x": rounded(levels), "hoverinfo": "skip"}
    return Plot(
        key=f"calibration-{_key(name)}",
        title="Calibration",
        caption=f"Share of {len(frame)} held-out values inside intervals of the stated share; the band is what "
        f"chance allows in 98 of 100 cases with {n_groups} groups. Other shares than 90 % scale the interval.",
        data=[
            {**line, "y": rounded(chance[:, 1]), "line": {"width": 0}, "showlegend": False},
            {
                **line,
                "y": rounded(chance[:, 0]),
                "line": {"width": 0},
                "fill": "tonexty",
                "fillcolor": f"{GREY}33",
                "name": "what chance allows",
            },
            {
                **line,
                "y": rounded(levels),
                "line": {"color": GREY, "width": 1, "dash": "dot"},
                "name": "as stated",
            },
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": rounded(levels),
                "y": rounded(_shares_inside(frame, levels)),
                "line": {"color": BLUE, "width": 2},
                "marker": {"size": 8},
                "name": "observed",
                "hovertemplate": "stated %{x:.0%}<br>inside %{y:.1%}<extra></extra>",
            },
        ],
        layout=layout(titled("stated", tickformat=".0%"), titled("share inside", tickformat=".0%")),
        height=360,
    )


def _box(family: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the box of the errors of a family, each error a point beside it."""
    from hstore_workflows.report.plot import BLUE, rounded

    return {
        "type": "box",
        "orientation": "h",
        "x": rounded(rows["predicted"] - rows["measured"]),
        "name": f"{family} ({len(rows)})",
        "boxpoints": "all",
        "jitter": 0.5,
        "pointpos": 0,
        "showlegend": False,
        "marker": {"color": BLUE, "size": 4, "opacity": 0.5},
        "line": {"color": BLUE, "width": 1.2},
        "fillcolor": f"{BLUE}1f",
        "hoverinfo": "x+name",
    }


def _shares_inside(frame: pd.DataFrame, levels: FloatArray) -> list[float]:
    """Return which share of the measured values lies inside the intervals, scaled to each level."""
    from scipy.stats import norm

    measured, predicted = (frame[c].to_numpy(dtype=float) for c in ("measured", "predicted"))
    side = np.where(measured > predicted, frame["upper"] - predicted, predicted - frame["lower"])
    reach = np.abs(measured - predicted) / np.maximum(side, 1e-12)
    return [float((reach <= norm.ppf(0.5 + level / 2) / Z_90).mean()) for level in levels]


def _binomial(level: float, n: int) -> tuple[float, float]:
    from scipy.stats import binom

    return float(binom.ppf(0.01, n, level) / n), float(binom.ppf(0.99, n, level) / n)


def _key(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
