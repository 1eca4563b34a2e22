"""Progress of replayed campaigns: the share of the best that is found, against random choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.replay_score import progress_curve, tops_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from hstore_workflows.campaign.replay_pool import LabelledPool

_COLOURS = ("#1b6ca8", "#c44e52", "#3a923a", "#8172b3", "#937860")
_GREY = "#888888"
_BAND = (0.1, 0.9)


def progress_figure(pool: LabelledPool, orders: Mapping[str, Sequence[Sequence[int]]]) -> Figure:
    """Return a figure of the mean share of the top 5 % found, with the band of 80 % of the campaigns.

    Args:
        pool: candidates and answers.
        orders: strategy -> for each seed, rows in the order in which they were measured; ``random`` is drawn grey.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    colours = iter(_COLOURS * len(orders))
    for name, runs in orders.items():
        curve = 100.0 * progress_curve(pool, runs)
        steps = np.arange(1, curve.shape[1] + 1)
        colour = _GREY if name == "random" else next(colours)
        low, high = np.quantile(curve, _BAND, axis=0)
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(steps, curve.mean(axis=0), color=colour, label=name, linewidth=2)
        axes.annotate(f"{curve[:, -1].mean():.0f} %", (steps[-1], curve[:, -1].mean()), xytext=(4, 0),
                      textcoords="offset points", color=colour, va="center")  # fmt: skip
    total, campaigns = int(tops_of(pool).good.sum()), len(next(iter(orders.values())))
    axes.set(
        xlabel="candidates measured", ylabel=f"found of the best {total} of {len(pool):,}, %", ylim=(0, None),
        title=f"Mean of {campaigns} campaigns; band: 80 % of them",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    return figure


def draw_progress(path: Path, pool: LabelledPool, orders: Mapping[str, Sequence[Sequence[int]]]) -> None:
    """Write the figure of :func:`progress_figure` as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    progress_figure(pool, orders).savefig(path, dpi=150)
