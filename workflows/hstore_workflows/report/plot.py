"""What all plots of the report share: colours that colour-blind readers tell apart, layout, safe JSON.

Plots are dictionaries in plotly's own format, drawn by the plotly.js that is written into the page. Text and
grid colours are left to the style sheet, so that one plot serves light, dark and print.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

BLUE, ORANGE, GREEN, SKY = "#0072B2", "#E69F00", "#009E73", "#56B4E9"
VERMILLION, PURPLE, GREY = "#D55E00", "#CC79A7", "#8A8A8A"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, GREY)
"""Colours of Okabe and Ito (jfly.uni-koeln.de/color); yellow and black vanish on one of our backgrounds."""

_DIGITS = 5
_PLAIN = (-2, 3)


@dataclass(frozen=True)
class Plot:
    """One plot of the report."""

    key: str
    """Fixed identifier in the page."""
    title: str
    """Heading above the plot."""
    caption: str
    """What it shows and what to mind, as plain text."""
    data: list[dict[str, Any]]
    """Traces in plotly's format."""
    layout: dict[str, Any]
    """Layout in plotly's format."""
    height: int
    """Height, CSS pixels."""

    @property
    def json(self) -> str:
        """Traces and layout as JSON that cannot end the script element it stands in; not to be escaped again."""
        text = json.dumps({"data": self.data, "layout": self.layout}, allow_nan=False, separators=(",", ":"))
        return text.replace("</", "<\\/").replace("<!", "\\u003c!")


def rounded(values: Iterable[float]) -> list[float | None]:
    """Return numbers with five significant digits, None for what is not finite."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values]


def layout(x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a layout with our axes, legend below, and nothing that needs a colour of the page."""
    axis = {"automargin": True, "zeroline": False, "ticks": "outside", "ticklen": 4, "showline": True}
    return {
        "xaxis": {**axis, **x},
        "yaxis": {**axis, **y},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "hoverlabel": {"align": "left", "font": {"family": "system-ui, sans-serif", "size": 13}},
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top", "itemsizing": "constant"},
        "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
        **more,
    }


def titled(text: str, **more: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": text, "standoff": 8}, **more}


def power_ticks(low: float, high: float) -> dict[str, Any]:
    """Return ticks at the powers of ten of an axis that carries log10 values."""
    powers = list(range(math.floor(low), math.ceil(high) + 1))
    return {"tickvals": powers, "ticktext": [power_of_ten(power) for power in powers]}


def power_of_ten(power: int) -> str:
    """Write a power of ten for a plot, plainly where it is short."""
    return f"{10.0**power:,.{max(0, -power)}f}" if _PLAIN[0] <= power <= _PLAIN[1] else f"10<sup>{power}</sup>"


def note(text: str, *, x: float, y: float, **more: Any) -> dict[str, Any]:
    """Return an annotation without arrow at a place in the data."""
    return {"text": text, "x": x, "y": y, "showarrow": False, "font": {"size": 12}, **more}
