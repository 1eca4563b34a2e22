"""Plots of a campaign's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.properties import PROPERTIES
from hstore_workflows.campaign.landscape import LOGARITHMIC
from hstore_workflows.report.markup import formula_html, percent, plural, pretty
from hstore_workflows.report.plot import BLUE, GREEN, GREY, ORANGE, PURPLE, Plot, layout, rounded, titled
from hstore_workflows.report.quantities import significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.objective import Goal
    from hstore_workflows.campaign.report.foretold import Foretold, Holding
    from hstore_workflows.campaign.report.progress import Curves, TopShare

_FADED = "2E"
_HEIGHT = 400
_BELIEVED = (
    "Only what was measured is known. Random choice and the best order are computed from what is believed now of "
    "the candidates that were not measured; believed values vary less than real ones, which makes random choice "
    "look worse, and the best order less good, than they are."
)


def label_of(column: str) -> str:
    """Name a column with its unit."""
    known = PROPERTIES.get(column)
    return pretty(f"{known.label} ({known.unit})") if known else column


def progress_plot(found: Curves, goal: Goal | None, key: str) -> Plot:
    """Draw the best so far beside random choice and hindsight.

    Args:
        found: the curves; larger is better.
        goal: the goal, whose sign is undone; None for the hypervolume.
        key: identifier in the page.
    """
    sign, name = (1.0, "share of the hypervolume") if goal is None else (goal.sign, label_of(goal.column))
    x = np.arange(1, len(found.reached) + 1)
    low, middle, high = (sign * found.at_random[level] for level in (0.1, 0.5, 0.9))
    lines = [
        _line(x, high, "", GREY, width=0),
        _line(x, low, "random choice, 80 % of draws", GREY, width=0, fill="tonexty", fillcolor=f"{GREY}{_FADED}"),
        _line(x, middle, "random choice, median", GREY, dash="dot"),
        _line(x, sign * found.shuffled, "the same results in random order, median", ORANGE, dash="dash"),
        _line(x, sign * found.in_hindsight, "best order in hindsight", GREEN, dash="dashdot"),
        _line(x, sign * found.reached, "this campaign", BLUE, width=3, shape="hv"),
    ]
    lines[0]["showlegend"] = False
    return Plot(
        key=key,
        title=f"Best so far: {name}" if goal is not None else "All goals together",
        caption=f"Best {name} after each experiment that was answered, failures included. {_BELIEVED}",
        data=lines,
        layout=layout(titled("experiments answered"), titled(name)),
        height=_HEIGHT,
    )


def share_plot(found: TopShare) -> Plot:
    """Draw the share of the good candidates found."""
    x = np.arange(1, len(found.found) + 1)
    return Plot(
        key="progress-share",
        title="Good candidates found",
        caption=f"Share of the {plural(found.total, 'best candidate')} of the pool (a twentieth, 5 at least) by "
        f"what is known and believed now: {found.measured} of them are measured, the others believed.",
        data=[
            _line(x, found.at_random, "expected at random", GREY, dash="dot"),
            _line(x, found.in_hindsight, "best order in hindsight", GREEN, dash="dashdot"),
            _line(x, found.found, "this campaign", BLUE, width=3, shape="hv"),
        ],
        layout=layout(titled("experiments answered"), titled("share found", tickformat=".0%", rangemode="tozero")),
        height=_HEIGHT,
    )


def parity_plot(column: str, values: Sequence[Foretold], holding: Holding) -> Plot:
    """Draw what was told before measuring against what was measured."""
    numbers = np.array([[one.measured, one.predicted] for one in values])
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.05 * (high - low) or 1.0
    logarithm = column in LOGARITHMIC
    extent = [low, high] if logarithm else [low - margin, high + margin]
    scale = {"type": "log"} if logarithm else {}
    diagonal = _line(np.array(extent), np.array(extent), "", GREY, width=1)
    diagonal |= {"showlegend": False, "hoverinfo": "skip"}
    split = (([v for v in values if v.inside], "inside the interval", BLUE),
             ([v for v in values if not v.inside], "outside", PURPLE))  # fmt: skip
    name = label_of(column)
    return Plot(
        key=f"parity-{''.join(c if c.isalnum() else '-' for c in column)}",
        title=name,
        caption=f"{holding.inside} of {holding.n} values ({percent(holding.inside / holding.n)}) lie inside the "
        "90 % interval that was told before they were measured.",
        data=[diagonal, *(_marks(held, words, colour) for held, words, colour in split if held)],
        layout=layout(titled("measured", **scale), titled("predicted before", **scale)),
        height=_HEIGHT,
    )


def _line(x: FloatArray | Any, y: FloatArray, name: str, colour: str, **more: Any) -> dict[str, Any]:
    style = {key: more.pop(key) for key in ("width", "dash", "shape") if key in more}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": rounded(x),
        "y": rounded(y),
        "line": {"color": colour, **style},
        **({"hoverinfo": "skip"} if style.get("width") == 0 else {}),
        **more,
    }


def _marks(values: Sequence[Foretold], words: str, colour: str) -> dict[str, Any]:
    bars = {
        "array": rounded(v.upper - v.predicted for v in values),
        "arrayminus": rounded(v.predicted - v.lower for v in values),
        "symmetric": False,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words,
        "x": rounded(v.measured for v in values),
        "y": rounded(v.predicted for v in values),
        "error_y": {"type": "data", "color": f"{colour}40", "thickness": 1, "width": 0, **bars},
        "marker": {"color": colour, "size": 7, "opacity": 0.85},
        "hovertext": [
            f"<b>{formula_html(v.formula)}</b> ({v.number})<br>measured {significant(v.measured, 3)}<br>"
            f"predicted {significant(v.predicted, 3)} ({significant(v.lower, 3)} to {significant(v.upper, 3)})"
            for v in values
        ],
        "hoverinfo": "text",
    }
