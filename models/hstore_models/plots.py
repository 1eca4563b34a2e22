"""Figures of a cross-validation: parity, residuals by family, calibration and learning curve.

They are drawn without pyplot, so nothing is opened, kept or shared; a notebook shows what a cell returns, and
``figure.savefig`` writes it. Colours are those of Okabe and Ito, which colour-blind readers can tell apart (Wong
2011, doi 10.1038/nmeth.1618), and each family has a marker of its own besides.
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.properties import PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_OTHER, _OTHER_COLOUR = "other", "#8A8A8A"
_INK, _FAINT = "#222222", "#BBBBBB"
_LEAST_JUDGED = 20
_NOMINAL = 0.90
_DPI = 100
_PALETTE = 96


def parity_figure(table: pd.DataFrame, target: str, unit: str) -> Figure:
    """Draw predicted against measured values, with 90 % intervals; rows outside the domain are hollow.

    Args:
        table: columns ``measured, predicted, lower, upper, in_domain, family``.
        target: name of the property.
        unit: its unit.
    """
    figure = _figure(7.2, 5.0)
    axes = figure.add_subplot()
    for name, colour, marker, mask in _families(table):
        rows = table[mask]
        inside = rows["in_domain"].to_numpy(dtype=bool)
        bars = np.abs(rows[["lower", "upper"]].to_numpy(dtype=float).T - rows["predicted"].to_numpy(dtype=float))
        axes.errorbar(
            rows["measured"], rows["predicted"], yerr=bars, fmt="none", ecolor=colour, elinewidth=0.7, alpha=0.3
        )
        axes.scatter(
            rows["measured"], rows["predicted"], s=24, marker=marker, label=f"{name} ({len(rows)})", zorder=3,
            facecolors=[colour if known else "white" for known in inside], edgecolors=colour, linewidths=0.9,
        )  # fmt: skip
    ends = _limits(table[["measured", "predicted"]].to_numpy(dtype=float))
    axes.plot(ends, ends, color=_INK, linewidth=1.0, zorder=1)
    axes.set(
        xlim=ends, ylim=ends,
        xlabel=_axis(f"{_label(target)}, measured", unit), ylabel=_axis(f"{_label(target)}, predicted", unit),
    )  # fmt: skip
    axes.set_title("Every group was predicted without having been seen", loc="left", fontsize=10)
    _note(axes, _parity_words(table, unit), 0.03, 0.97)
    _legend(figure, axes, "family (rows)", hollow=not table["in_domain"].all())
    return figure


def residuals_figure(table: pd.DataFrame, target: str, unit: str) -> Figure:
    """Draw predicted minus measured for each family, most rows first, with its mean error and coverage.

    The line is the median, the box holds half of the rows, the whisker 90 % of them.

    Args:
        table: columns ``measured, predicted, lower, upper, family``.
        target: name of the property.
        unit: its unit.
    """
    names, counts = np.unique(table["family"].to_numpy(dtype=str), return_counts=True)
    order = names[np.lexsort((names, counts))]
    figure = _figure(7.6, 1.5 + 0.36 * len(order))
    axes = figure.add_subplot()
    residual = (table["predicted"] - table["measured"]).to_numpy(dtype=float)
    inside = _inside(table)
    jitter = np.random.default_rng(0)
    labels = []
    for place, name in enumerate(order):
        mask = table["family"].to_numpy(dtype=str) == name
        own = residual[mask]
        spots = place + jitter.uniform(-0.22, 0.22, len(own))
        axes.scatter(own[inside[mask]], spots[inside[mask]], s=14, color=_COLOURS[0], alpha=0.55, linewidths=0)
        axes.scatter(own[~inside[mask]], spots[~inside[mask]], s=18, color=_COLOURS[1], marker="x", linewidths=1.1)
        _box(axes, own, place)
        words = f"MAE {np.mean(np.abs(own)):.3g}, {inside[mask].mean():.0%} inside"
        axes.annotate(
            words, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=_INK
        )
        labels.append(f"{name} ({len(own)})")
    axes.axvline(0.0, color=_INK, linewidth=1.0, zorder=1)
    widest = float(np.max(np.abs(residual))) * 1.06 or 1.0
    axes.set(xlim=(-widest, widest), ylim=(-0.6, len(order) - 0.4), xlabel=_axis("predicted - measured", unit))
    axes.set_yticks(range(len(order)), labels)
    title = f"{_label(target)}: errors by family (rows); crosses are outside their 90 % interval"
    axes.set_title(title, loc="left", fontsize=10)
    return figure


def calibration_figure(table: pd.DataFrame, curve: pd.DataFrame, target: str, unit: str) -> Figure:
    """Draw observed against nominal coverage, and the coverage of the 90 % intervals of each family.

    Grey marks what chance allows in 98 of 100 cases if the intervals hold, with groups as the units, for rows of
    one group err together.

    Args:
        table: columns ``measured, lower, upper, family, group``.
        curve: columns ``nominal`` and ``observed``, 0 to 1.
        target: name of the property.
        unit: its unit.
    """
    figure = _figure(9.6, 4.3)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    groups = table["group"].to_numpy(dtype=str)
    levels = np.linspace(0.4, 1.0, 61)
    low, high = _chance(levels, len(np.unique(groups)))
    left.fill_between(levels, low, high, color=_FAINT, alpha=0.4, linewidth=0, label="what chance allows")
    left.plot([0.4, 1.0], [0.4, 1.0], color=_INK, linewidth=1.0)
    left.plot(curve["nominal"], curve["observed"], "o-", color=_COLOURS[0], linewidth=1.6, label="all rows")
    left.set(xlim=(0.45, 1.005), ylim=(0.4, 1.02), xlabel="stated coverage", ylabel="share of rows inside")
    left.set_title(f"{_label(target)}: calibration", loc="left", fontsize=10)
    left.legend(loc="lower right", frameon=False, fontsize=8)
    inside = _inside(table)
    words = (
        f"n {len(table)}\n90 % intervals hold {inside.mean():.1%}\nmean width {_width(table):.3g} {unit}".rstrip()
    )
    _note(left, words, 0.04, 0.96)
    _coverage_by_family(right, table["family"].to_numpy(dtype=str), groups, inside)
    return figure


def learning_curve_figure(table: pd.DataFrame, target: str, unit: str, mae_mean_predictor: float) -> Figure:
    """Draw the error on held-out groups against the number of training groups.

    Args:
        table: columns ``n_groups, n_rows, mae, mae_std``.
        target: name of the property.
        unit: its unit.
        mae_mean_predictor: error of the mean of all training rows, a dashed line.
    """
    figure = _figure(6.4, 4.2)
    axes = figure.add_subplot()
    bars = table["mae_std"] if (table["mae_std"] > 0).any() else None
    axes.errorbar(
        table["n_groups"], table["mae"], yerr=bars, fmt="o-", color=_COLOURS[0], linewidth=1.6, capsize=3,
        label="regressor",
    )  # fmt: skip
    axes.axhline(
        mae_mean_predictor, color=_OTHER_COLOUR, linestyle="--", linewidth=1.2, label="mean of the training rows"
    )
    for groups, rows, mae in table[["n_groups", "n_rows", "mae"]].to_numpy(dtype=float):
        axes.annotate(
            f"{mae:.3g}\n{rows:.0f} rows", (groups, mae), xytext=(0, 8), textcoords="offset points", ha="center",
            fontsize=8, color=_INK,
        )  # fmt: skip
    axes.set(
        xlabel="training groups", ylabel=_axis("MAE on unseen groups", unit),
        ylim=(0, 1.25 * max(mae_mean_predictor, float(table["mae"].max()))),
    )  # fmt: skip
    axes.margins(x=0.12)
    axes.set_title(f"{_label(target)}: what more data would be worth", loc="left", fontsize=10)
    axes.legend(loc="lower left", frameon=False, fontsize=8)
    return figure


@cache
def _kind_of_figure() -> type[Figure]:
    """Return a figure that notebooks show, which they do by themselves for those of pyplot only."""
    from matplotlib.figure import Figure
    from PIL import Image

    class NotebookFigure(Figure):
        def _repr_png_(self) -> bytes:
            drawn, small = io.BytesIO(), io.BytesIO()
            self.savefig(drawn, format="png")
            # A palette makes a third of the bytes: notebooks are kept under version control with their figures.
            Image.open(drawn).convert("RGB").quantize(_PALETTE).save(small, format="png", optimize=True)
            return small.getvalue()

    return NotebookFigure


def _figure(width: float, height: float) -> Figure:
    return _kind_of_figure()(figsize=(width, height), dpi=_DPI, layout="constrained")


def _families(table: pd.DataFrame) -> Iterator[tuple[str, str, str, NDArray[np.bool_]]]:
    """Give name, colour, marker and rows of the largest families, and at last of all others together."""
    labels = table["family"].to_numpy(dtype=str)
    names, counts = np.unique(labels, return_counts=True)
    order = names[np.lexsort((names, -counts))].tolist()
    shown = order if len(order) <= len(_COLOURS) else order[: len(_COLOURS)]
    for name, colour, marker in zip(shown, _COLOURS, _MARKERS, strict=False):
        yield name, colour, marker, labels == name
    if len(shown) < len(order):
        yield _OTHER, _OTHER_COLOUR, ".", ~np.isin(labels, shown)


def _parity_words(table: pd.DataFrame, unit: str) -> str:
    truth, mean = (table[name].to_numpy(dtype=float) for name in ("measured", "predicted"))
    error = np.abs(truth - mean)
    lines = [
        f"n {len(table)} in {table['group'].nunique()} groups" if "group" in table else f"n {len(table)}",
        f"MAE {error.mean():.3g} {unit}",
        f"median {np.median(error):.3g} {unit}",
        f"90 % intervals hold {_inside(table).mean():.1%}",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _inside(table: pd.DataFrame) -> NDArray[np.bool_]:
    truth, low, high = (table[name].to_numpy(dtype=float) for name in ("measured", "lower", "upper"))
    return np.asarray((truth >= low) & (truth <= high))


def _width(table: pd.DataFrame) -> float:
    return float((table["upper"] - table["lower"]).mean())


def _box(axes: Axes, values: FloatArray, place: float) -> None:
    low, quarter, middle, three, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    axes.plot([low, high], [place, place], color=_INK, linewidth=0.8, alpha=0.7)
    axes.plot([quarter, three], [place, place], color=_INK, linewidth=4.5, alpha=0.3, solid_capstyle="butt")
    axes.plot([middle, middle], [place - 0.25, place + 0.25], color=_INK, linewidth=1.6)


def _chance(levels: FloatArray, units: int) -> tuple[FloatArray, FloatArray]:
    """Return the 1 % and 99 % quantiles of the share inside, for so many independent units."""
    from scipy.stats import binom

    return np.asarray(binom.ppf(0.01, units, levels)) / units, np.asarray(binom.ppf(0.99, units, levels)) / units


def _coverage_by_family(
    axes: Axes, families: NDArray[np.str_], groups: NDArray[np.str_], inside: NDArray[np.bool_]
) -> None:
    names, counts = np.unique(families, return_counts=True)
    order = names[np.lexsort((names, counts))]
    for place, name in enumerate(order):
        mask = families == name
        low, high = _chance(np.array([_NOMINAL]), len(np.unique(groups[mask])))
        axes.plot([low[0], high[0]], [place, place], color=_FAINT, linewidth=7, alpha=0.5, solid_capstyle="butt")
        judged = mask.sum() >= _LEAST_JUDGED
        fill = _COLOURS[0] if judged else "white"
        axes.plot(inside[mask].mean(), place, "o", color=_COLOURS[0], markerfacecolor=fill, markersize=6)
    axes.axvline(_NOMINAL, color=_INK, linewidth=1.0)
    axes.set_yticks(range(len(order)), [f"{name} ({(families == name).sum()})" for name in order], fontsize=8)
    axes.set(xlim=(min(0.45, float(axes.get_xlim()[0])), 1.03), ylim=(-0.6, len(order) - 0.4))
    axes.set_xlabel("share inside the 90 % interval")
    axes.set_title(f"By family (rows); hollow: fewer than {_LEAST_JUDGED} rows", loc="left", fontsize=10)


def _legend(figure: Figure, axes: Axes, title: str, *, hollow: bool) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if hollow:
        handles.append(axes.scatter([], [], s=24, facecolors="white", edgecolors=_INK, linewidths=0.9))
        labels.append("hollow: outside the domain")
    figure.legend(
        handles, labels, title=title, loc="outside right upper", frameon=False, fontsize=8, title_fontsize=8,
        alignment="left",
    )  # fmt: skip


def _note(axes: Axes, words: str, x: float, y: float) -> None:
    box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    axes.text(x, y, words, transform=axes.transAxes, va="top", fontsize=8.5, color=_INK, bbox=box, zorder=4)


def _limits(values: FloatArray) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _label(target: str) -> str:
    return PROPERTIES[target].label if target in PROPERTIES else target


def _axis(words: str, unit: str) -> str:
    return f"{words} ({unit})" if unit else words
