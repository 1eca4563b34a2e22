"""Figures of explanations: what moves a property, equations beside black boxes, and graphs of causes."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_workflows.report.markup import feature_words, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstore_workflows.explain.causes import Causes
    from hstore_workflows.explain.equation import ToldEquation
    from hstore_workflows.explain.importance import Importance

DPI = 200
RAISES, LOWERS, PLAIN = "#b2182b", "#2166ac", "#4d4d4d"
_MOST_PANELS = 6
_STABLE = 0.8
_METHOD_WORDS = {"lingam": "LiNGAM", "pc": "PC"}
_STYLE: Any = {
    "font.size": 8, "axes.titlesize": 9, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "pdf.fonttype": 42, "svg.hashsalt": "hstore",
}  # fmt: skip


@contextmanager
def style() -> Iterator[None]:
    """Draw small and plain, and close nothing that a caller has open."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def save(figure: Any, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes."""
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    figure.savefig(path, dpi=DPI, metadata=metadata)


def draw_importance(found: Importance, path: Path) -> None:
    """Draw the mean magnitude of each part, and for up to six materials the way from the mean to the prediction.

    Args:
        found: what was explained.
        path: PNG, PDF or SVG.
    """
    from matplotlib.figure import Figure

    attribution = found.attribution
    order = attribution.order()[::-1]
    words = [textwrap.fill(attribution.meanings[p].words, 34) for p in order]
    shown = 0 if found.is_sample else min(len(found.names), _MOST_PANELS)
    columns = 1 + min(shown, 2)
    rows = max(1, -(-shown // 2))
    height = max(2.6, 0.3 * len(order) + 0.9)
    with style():
        figure = Figure(figsize=(4.2 + 3.3 * (columns - 1), height * rows), layout="constrained")
        grid = figure.add_gridspec(rows, columns, width_ratios=[1.35, *[1.0] * (columns - 1)])
        axis = figure.add_subplot(grid[:, 0])
        axis.barh(range(len(order)), attribution.importance[order], color=PLAIN)
        axis.set_yticks(range(len(order)), words)
        axis.set_xlabel(f"mean magnitude ({found.unit})")
        axis.set_title(f"{found.target}\n{plural(len(found.names), 'material')}", loc="left")
        for row in range(shown):
            _one(found, row, order, figure.add_subplot(grid[row // 2, 1 + row % 2]))
        save(figure, path)


def _one(found: Importance, row: int, order: list[int], axis: Any) -> None:
    """Draw the parts of one material, the largest at the top, each beginning where the one before ended."""
    attribution = found.attribution
    own = sorted(order, key=lambda p: abs(attribution.values[row, p]))
    values = attribution.values[row, own]
    start = float(attribution.base[row])
    ends = start + np.cumsum(values)
    begins = np.concatenate([[start], ends[:-1]])
    colours = [RAISES if value > 0 else LOWERS for value in values]
    axis.barh(range(len(own)), values, left=begins, color=colours, height=0.7)
    axis.set_yticks(range(len(own)), [attribution.meanings[p].key.replace("_", " ") for p in own])
    axis.axvline(start, color=PLAIN, linewidth=0.6, linestyle=":")
    axis.axvline(float(attribution.prediction[row]), color=PLAIN, linewidth=0.8)
    axis.set_xlabel(found.unit)
    axis.set_title(f"{found.names[row][:40]}: {attribution.prediction[row]:.3g}", loc="left")
    low, high = min(start, float(ends.min())), max(start, float(ends.max()))
    axis.set_xlim(low - 0.08 * (high - low), high + 0.08 * (high - low))


def draw_causes(found: Causes, path: Path) -> None:
    """Draw the graph of each method, wide lines for what is found again in most draws, and the effects.

    Args:
        found: what was found.
        path: PNG, PDF or SVG.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(12.5, 4.6), layout="constrained")
        axes = figure.subplots(1, 3, width_ratios=[1.0, 1.0, 0.9])
        for axis, method in zip(axes, found.graphs, strict=False):
            _graph(found, method, axis)
        _effects(found, axes[2])
        save(figure, path)


def _graph(found: Causes, method: str, axis: Any) -> None:
    """Draw variables around a circle, the target at the bottom; arrows are wide where stable, dark from 80 %."""
    names = [found.target, *(name for name in found.prepared.table.columns if name != found.target)]
    angles = -np.pi / 2 + 2 * np.pi * np.arange(len(names)) / len(names)
    places = {name: (np.cos(a), np.sin(a)) for name, a in zip(names, angles, strict=True)}
    own = list(found.prepared.table.columns)
    stable = found.stable[method]
    for one, sign, other in found.graphs[method].pairs():
        i, j = own.index(one), own.index(other)
        share = float((stable.arrows if sign == "->" else stable.ties)[i, j])
        axis.annotate(
            "", xy=places[other], xytext=places[one],
            arrowprops={
                "arrowstyle": "-|>" if sign == "->" else "-", "linewidth": 0.4 + 1.8 * share, "shrinkA": 24,
                "shrinkB": 24, "color": PLAIN if share >= _STABLE else "#b0b0b0",
                "connectionstyle": "arc3,rad=0.06",
            },
        )  # fmt: skip
        middle = 0.5 * (np.array(places[one]) + np.array(places[other]))
        axis.text(*middle, f"{share:.0%}", fontsize=6, color=PLAIN, ha="center", va="center",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip
    for name, place in places.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#fff2cc" if name == found.target else "#eef3f8",
               "edgecolor": PLAIN, "linewidth": 0.6}  # fmt: skip
        axis.text(*place, textwrap.fill(found.words(name), 16), ha="center", va="center", fontsize=7, bbox=box)
    axis.set_xlim(-1.5, 1.5)
    axis.set_ylim(-1.3, 1.3)
    axis.set_axis_off()
    axis.set_title(f"{_METHOD_WORDS[method]}: share of draws that find it again", loc="left")


def _effects(found: Causes, axis: Any) -> None:
    """Draw the standardised effects on the target with their intervals; hollow where refuted."""
    effects = list(found.effects)[::-1]
    for row, effect in enumerate(effects):
        scale = effect.standardised / effect.slope if effect.slope else 0.0
        low, high = (bound * scale for bound in effect.interval)
        colour = PLAIN if effect.verdict == "not refuted" else "#b0b0b0"
        axis.plot([low, high], [row, row], color=colour, linewidth=1.4)
        axis.plot(effect.standardised, row, "o", color=colour, markersize=5,
                  markerfacecolor=colour if not effect.is_refuted else "white")  # fmt: skip
    axis.axvline(0.0, color=PLAIN, linewidth=0.6, linestyle=":")
    axis.set_yticks(range(len(effects)), [textwrap.fill(found.words(e.cause), 22) for e in effects])
    axis.set_ylim(-0.6, len(effects) - 0.4)
    axis.set_xlabel("effect, standard deviations for one of the cause")
    axis.set_title("total effects (hollow: refuted; grey: unsure or refuted)", loc="left")


def draw_equation(found: ToldEquation, path: Path) -> None:
    """Draw held-out answers of equation and black box against known values, and error against length.

    Args:
        found: the equation.
        path: PNG, PDF or SVG.
    """
    from matplotlib.figure import Figure

    contest = found.contest
    with style():
        figure = Figure(figsize=(10.2, 3.4), layout="constrained")
        axes = figure.subplots(1, 3)
        answers = [contest.held_out[name] for name in ("equation", "black_box")]
        low = min(contest.truth.min(), *(own.min() for own in answers))
        high = max(contest.truth.max(), *(own.max() for own in answers))
        words = ("equation", "black box, all descriptors")
        for axis, own, name in zip(axes, answers, words, strict=False):
            axis.plot([low, high], [low, high], color=PLAIN, linewidth=0.6, linestyle=":")
            axis.plot(contest.truth, own, "o", markersize=3, color=LOWERS, alpha=0.6, markeredgewidth=0)
            error = float(np.abs(own - contest.truth).mean())
            axis.set_title(f"{name}: error {error:.3g} {found.unit}", loc="left")
            axis.set_xlabel(f"known ({found.unit})")
            axis.set_ylabel("held out")
        sizes = [one.equation.complexity for one in contest.front]
        axes[2].plot(sizes, [one.error for one in contest.front], "o-", color=PLAIN, markersize=4)
        told = next(one for one in contest.front if one.equation == contest.equation)
        axes[2].plot(told.equation.complexity, told.error, "o", color=RAISES, markersize=7)
        axes[2].set_xlabel("nodes of the equation")
        axes[2].set_ylabel(f"error on groups kept aside ({found.unit})")
        axes[2].set_title("red: the one that is told", loc="left")
        save(figure, path)


def short_words(name: str, width: int = 18) -> str:
    """Return the name of a descriptor in words, broken into lines."""
    return textwrap.fill(feature_words(name), width)
