"""The report of a campaign: one HTML file that opens from disk, with everything it needs inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_workflows.campaign.landscape import LOGARITHMIC
from hstore_workflows.campaign.report import tables
from hstore_workflows.campaign.report.foretold import foretold, holdings
from hstore_workflows.campaign.report.plots import label_of, parity_plot, progress_plot, share_plot
from hstore_workflows.campaign.report.progress import believed_points, curves, top_share
from hstore_workflows.campaign.report.view import View, gather
from hstore_workflows.report.quantities import significant
from hstore_workflows.report.templating import environment

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_workflows.report.plot import Plot

__all__ = ["campaign_report", "figures", "render_campaign", "write_report"]

FILE = "report.html"
"""Name of the page in its folder."""


def write_report(settings: Settings, name: str, folder: Path) -> dict[str, Any]:
    """Write the report of a campaign into a folder, and return its figures.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        folder: made where it is not there; an earlier report in it is replaced.

    Raises:
        UnknownNameError: no such campaign.
    """
    view = gather(settings, name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(render_campaign(view), encoding="utf-8")
    return {"campaign": name, "report": str(path), **figures(view)}


def campaign_report(settings: Settings, name: str) -> str:
    """Return the report of a campaign as one HTML page."""
    return render_campaign(gather(settings, name))


def render_campaign(view: View) -> str:
    """Render a campaign as one self-contained page; equal campaigns give equal pages."""
    return environment("hstore_workflows.campaign.report").get_template("campaign.html.j2").render(_context(view))


def figures(view: View) -> dict[str, Any]:
    """Return the figures of a report for a program."""
    from hstore_workflows.campaign.records import status_summary

    told = holdings(foretold(view.status.standing))
    pool = believed_points(view)
    found: dict[str, Any] = {
        **status_summary(view.status),
        "front": view.status.standing.front(),
        "stop": view.advice.as_json(),
        "coverage": {
            one.column: {"n": one.n, "inside": one.inside, "interval": [one.low, one.high], "mae": one.mae}
            for one in told
        },
        "ways": [{"way": way, "picks": picks, "good": good} for way, picks, good in tables.way_rows(view)],
        "next": [view.name_of(row) for row, _ in view.following],
        "progress": None,
    }
    if pool is not None and _has_progress(view, pool):
        shown = curves(view.goals_of(view.answered), pool)
        share = top_share(np.array(view.answered, dtype=np.intp), pool)
        found["progress"] = {
            "experiments": len(view.answered),
            "reached": _ends(shown.reached, view),
            "random_median": _ends(shown.at_random[0.5], view),
            "same_results_shuffled": [_signed(v, view) for v in shown.shuffled],
            "hindsight": _ends(shown.in_hindsight, view),
            "top_share": share.found.tolist(),
            "top_share_random": share.at_random.tolist(),
            "top_total": share.total,
            "top_measured": share.measured,
        }
    return found


def _ends(values: np.ndarray[Any, Any], view: View) -> list[float | None]:
    return [_signed(value, view) for value in values]


def _signed(value: float, view: View) -> float | None:
    goals = view.status.objective.goals
    sign = goals[0].sign if len(goals) == 1 else 1.0
    return sign * float(value) if np.isfinite(value) else None


def _context(view: View) -> dict[str, Any]:
    status, config = view.status, view.status.config
    best = status.standing.best()
    values = foretold(status.standing)
    told = holdings(values)
    return {
        "name": status.name,
        "config": config,
        "goals": [(goal, label_of(goal.column)) for goal in status.objective.goals],
        "windows": [(window, label_of(window.column)) for window in status.objective.windows],
        "columns": [label_of(column) for column in status.objective.columns],
        "counts": status.counts,
        "n_rejected": len(status.rejected_rows),
        "labs": sorted(status.labs),
        "best": best and (tables.name_of(view, best[0]), significant(best[1], 4)),
        "main": label_of(status.objective.main.column),
        "n_front": len(status.standing.front()),
        "advice": view.advice,
        "last": max((t.at for e in status.standing.all_entries() for t in e.told), default=""),
        "progress": progress_plots(view),
        "results": tables.result_rows(view),
        "pending": tables.pending_rows(view),
        "failed": tables.failed_rows(view),
        "conflicts": tables.conflict_rows(view),
        "held": tables.held_rows(view),
        "noise": status.standing.noise(),
        "holdings": [(label_of(one.column), one) for one in told],
        "logarithmic": LOGARITHMIC,
        "parity": [parity_plot(one.column, [v for v in values if v.column == one.column], one) for one in told],
        "following": tables.next_rows(view),
        "ways": tables.way_rows(view),
        "good_share": tables.good_share(),
        "retrainings": status.retrainings,
        "plotly_js": _plotly_js(),
    }


def progress_plots(view: View) -> list[Plot]:
    """Draw the progress of a campaign beside random choice; nothing where there is nothing to compare yet."""
    pool = believed_points(view)
    if pool is None or not _has_progress(view, pool):
        return []
    answered, goals = view.goals_of(view.answered), view.status.objective.goals
    plots = []
    if len(goals) > 1:
        plots.append(progress_plot(curves(answered, pool), None, "progress-all"))
    for place, goal in enumerate(goals):
        one = curves(answered[:, [place]], pool[:, [place]])
        plots.append(progress_plot(one, goal, f"progress-{place}"))
    plots.append(share_plot(top_share(np.array(view.answered, dtype=np.intp), pool)))
    return plots


def _has_progress(view: View, pool: np.ndarray[Any, Any]) -> bool:
    return bool(view.answered) and bool(np.isfinite(pool).all(axis=1).any())


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script
