"""The report of a screen: one HTML file that opens from disk, with everything it needs inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hstore_workflows.screen import ScreenResult

__all__ = ["render_report"]


def render_report(result: ScreenResult) -> str:
    """Render a finished screen as one self-contained HTML page (:mod:`hstore_workflows.report.page`).

    What it takes loads here: others want no more of this package than how a formula is written.
    """
    from hstore_workflows.report.page import render_report as render

    return render(result)
