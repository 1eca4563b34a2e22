"""Maps of families, in plotly's format for pages and drawn as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from hstore_workflows.families.points import FAMILIES, PLATEAU
from hstore_workflows.report.plot import BLUE, GREEN, GREY, ORANGE, PURPLE, Plot, layout, rounded, titled

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from hstore_workflows.families.summary import Link, Sides

COLOURS = dict(zip(FAMILIES, (BLUE, ORANGE, PURPLE, GREEN), strict=True))
_SYMBOLS = dict(zip(FAMILIES, ("circle", "square", "triangle-up", "diamond"), strict=True))
_MARKERS = dict(zip(FAMILIES, ("o", "s", "^", "D"), strict=True))
MAPS = {
    "release": ("temperature_k", "capacity_wt_pct", "Capacity over temperature of use"),
    "bond": ("desorption_enthalpy_kj_per_mol_h2", "capacity_wt_pct", "Capacity over desorption enthalpy"),
    "states": ("state_temperature_k", "state_pressure_bar", "Measured states: plateaus and uptakes"),
}
"""Key -> x, y and title of a map."""

_CAPTIONS = {
    "release": "Hydrides stand where their plateau lies at 1 bar, by measured enthalpy and entropy; sorbents at "
    "the temperature of the measurement, at any pressure. Shaded: delivery temperatures of the DOE targets.",
    "bond": "Measured enthalpies; the table of sorbents has no heats, so they are not on this map.",
    "states": "Hydrides: a measured plateau pressure. Sorbents: where the uptake was measured, which is a choice "
    "of the laboratory and not a property. Shaded: delivery temperatures of the DOE targets.",
}
_AXES = {
    "temperature_k": "temperature of use (K)",
    "capacity_wt_pct": "capacity (wt% of material and hydrogen)",
    "desorption_enthalpy_kj_per_mol_h2": "desorption enthalpy (kJ/mol H₂)",
    "state_temperature_k": "temperature (K)",
    "state_pressure_bar": "pressure (bar)",
}


def map_plots(sides: Sides) -> list[Plot]:
    """Return the maps in plotly's format."""
    return [_map(sides, key) for key in MAPS]


def _map(sides: Sides, key: str) -> Plot:
    x, y, title = MAPS[key]
    traces = [
        _trace(sides.points, family, kind, x, y) for kind in ("predicted", "measured") for family in FAMILIES
    ]
    shapes = []
    if x.endswith("temperature_k"):
        low, high = sides.window_k
        shapes = [{"type": "rect", "xref": "x", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1,
                   "fillcolor": GREY, "opacity": 0.15, "line": {"width": 0}, "layer": "below"}]  # fmt: skip
    up = {"type": "log", "exponentformat": "power"} if y == "state_pressure_bar" else {"rangemode": "tozero"}
    return Plot(
        key=f"families-{key}",
        title=title,
        caption=_CAPTIONS[key] + " Hover for the material and its source.",
        data=[trace for trace in traces if trace["x"]],
        layout=layout(titled(_AXES[x]), titled(_AXES[y], **up), shapes=shapes),
        height=460,
    )


def _trace(points: pd.DataFrame, family: str, kind: str, x: str, y: str) -> dict[str, Any]:
    own = points[(points["family"] == family) & (points["kind"] == kind)].dropna(subset=[x, y])
    return {
        "type": "scatter",
        "mode": "markers",
        "name": family if kind == "measured" else f"{family}, predicted",
        "x": rounded(own[x].astype(float)),
        "y": rounded(own[y].astype(float)),
        "marker": {
            "color": COLOURS[family],
            "symbol": _SYMBOLS[family] + ("" if kind == "measured" else "-open"),
            "size": 8 if kind == "measured" else 5,
            "opacity": 0.75 if kind == "measured" else 0.35,
        },
        "hovertext": [
            f"<b>{escape(row.material)}</b><br>{_state(row)}<br>{escape(row.capacity_of)}<br>{escape(row.source)}"
            for row in own.itertuples()
        ],
        "hoverinfo": "x+y+text",
    }


def _state(row: Any) -> str:
    told = []
    if row.temperature_is == PLATEAU:
        told.append(f"plateau at 1 bar: {row.temperature_k:.0f} K")
    if np.isfinite(row.state_temperature_k) and np.isfinite(row.state_pressure_bar):
        told.append(f"measured at {row.state_temperature_k:.0f} K, {row.state_pressure_bar:.3g} bar")
    return "; ".join(told) or "no state known"


def link_plots(sides: Sides) -> list[Plot]:
    """Return, for hydrides and for sorbents, which descriptor goes with which outcome in which family."""
    hydrides = [k for k in sides.links if k.family != "sorbent"]
    sorbents = [k for k in sides.links if k.family == "sorbent"]
    return [
        _links("families-hydride-links", "Hydrides: what goes with what", hydrides),
        _links("families-sorbent-links", "Sorbents: what goes with what", sorbents),
    ]


def _links(key: str, title: str, links: list[Link]) -> Plot:
    rows, columns, grid = link_grid(links)
    clear = {(k.words, _column(k)): k.is_clear for k in links}
    texts = [
        [
            "" if value is None else f"{value:+.2f}{'' if clear[row, column] else ' ?'}"
            for column, value in zip(columns, line, strict=True)
        ]
        for row, line in zip(rows, grid, strict=True)
    ]
    return Plot(
        key=key,
        title=title,
        caption="Rank correlation within the family. A question mark: its 90 % interval holds 0, over draws of "
        "whole chemical systems (sorbents: materials). What goes together is not yet cause and effect: see hstore "
        "explain causes.",
        data=[{
            "type": "heatmap", "x": columns, "y": rows, "z": grid, "zmin": -1, "zmax": 1, "text": texts,
            "texttemplate": "%{text}", "colorscale": [[0, "#2166ac"], [0.5, "#f7f7f7"], [1, "#b2182b"]],
            "hoverinfo": "x+y+text", "xgap": 2, "ygap": 2, "colorbar": {"thickness": 10},
            "textfont": {"color": "#1b1f24"},
        }],
        layout=layout({"side": "top", "tickangle": 0}, {"autorange": "reversed"}),
        height=130 + 34 * len(rows),
    )  # fmt: skip


def _column(link: Link) -> str:
    return f"{link.family}<br>{link.outcome}"


def link_grid(links: list[Link]) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Return descriptors, columns of family and outcome, and rank correlations; None where too few rows."""
    rows = list(dict.fromkeys(k.words for k in links))
    columns = list(dict.fromkeys(_column(k) for k in links))
    found = {(k.words, _column(k)): round(k.rank_correlation, 3) for k in links}
    return rows, columns, [[found.get((row, column)) for column in columns] for row in rows]


def draw(sides: Sides, folder: Path, *, dpi: int = 170) -> list[Path]:
    """Draw all maps as PNG.

    Args:
        sides: the families.
        folder: where to.
        dpi: dots per inch.

    Returns:
        The files.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    made = []
    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    with rc_context(style):
        for key, (x, y, title) in MAPS.items():
            figure = Figure(figsize=(6.4, 4.4), layout="constrained")
            axis = figure.subplots()
            _draw_map(sides, axis, x, y)
            axis.set_title(title, loc="left")
            made.append(folder / f"{key}.png")
            figure.savefig(made[-1], dpi=dpi)
        figure = Figure(figsize=(13.0, 4.6), layout="constrained")
        axes = figure.subplots(1, 2, width_ratios=[6, 2.4])
        for axis, plot, part in zip(axes, link_plots(sides), ("hydride", "sorbent"), strict=True):
            own = [k for k in sides.links if (k.family == "sorbent") == (part == "sorbent")]
            _draw_links(own, axis)
            axis.set_title(plot.title, loc="left", pad=10)
        made.append(folder / "descriptors.png")
        figure.savefig(made[-1], dpi=dpi)
    return made


def _draw_map(sides: Sides, axis: Any, x: str, y: str) -> None:
    if x.endswith("temperature_k"):
        axis.axvspan(*sides.window_k, color=GREY, alpha=0.15, linewidth=0)
    for kind in ("predicted", "measured"):
        for family in FAMILIES:
            own = sides.points[(sides.points["family"] == family) & (sides.points["kind"] == kind)]
            own = own.dropna(subset=[x, y])
            if own.empty:
                continue
            known = kind == "measured"
            axis.scatter(
                own[x], own[y], s=22 if known else 8, marker=_MARKERS[family], alpha=0.7 if known else 0.3,
                facecolors=COLOURS[family] if known else "none", edgecolors=COLOURS[family], linewidths=0.5,
                label=f"{family} ({len(own)})" if known else f"{family}, predicted ({len(own)})",
            )  # fmt: skip
    axis.set_xlabel(_AXES[x].replace("₂", "$_2$"))
    axis.set_ylabel(_AXES[y])
    if y == "state_pressure_bar":
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)


def _draw_links(links: list[Link], axis: Any) -> None:
    rows, columns, grid = link_grid(links)
    clear = {(k.words, _column(k)): k.is_clear for k in links}
    values = np.array([[np.nan if value is None else value for value in line] for line in grid])
    axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if np.isfinite(values[i, j]):
                doubt = "" if clear[row, column] else " ?"
                dark = abs(values[i, j]) > 0.65
                axis.text(j, i, f"{values[i, j]:+.2f}{doubt}", ha="center", va="center", fontsize=8,
                          color="white" if dark else "black")  # fmt: skip
    axis.set_xticks(
        range(len(columns)), [column.replace("<br>", "\n").replace(" at 77 K ", "\n77 K ") for column in columns]
    )
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    for side in axis.spines.values():
        side.set_visible(False)
