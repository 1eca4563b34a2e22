"""Which features the trees of each model divide by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import escape

from hstore_workflows.report.markup import feature_words, percent
from hstore_workflows.report.plot import BLUE, Plot, layout, rounded, titled

if TYPE_CHECKING:
    from hstore_models.card import ModelCard
    from hstore_workflows.screen import ScreenResult

_N_SHOWN = 12
_ROW_PX = 24


def importance_plots(result: ScreenResult) -> list[Plot]:
    """Draw the largest importances of each model that has trees."""
    return [_importances(loaded.card) for loaded in result.models.values() if loaded.card.importances]


def _importances(card: ModelCard) -> Plot:
    largest = list(card.importances.items())[:_N_SHOWN]
    covered = percent(sum(share for _, share in largest))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": rounded(100 * share for _, share in largest),
        "y": list(range(len(largest))),
        "marker": {"color": BLUE},
        "hovertext": [f"{escape(name)}: {share:.1%}" for name, share in largest],
        "hoverinfo": "text",
    }
    y = {
        "tickvals": list(range(len(largest))),
        "ticktext": [str(escape(feature_words(name))) for name, _ in largest],
        "autorange": "reversed",
    }
    return Plot(
        key=f"importances-{card.model.replace('_', '-')}",
        title=f"{card.model.replace('_', ' ').capitalize()}: what its trees split on",
        caption=f"Share of the variance reduction; these {len(largest)} of {card.n_features} hold {covered}.",
        data=[trace],
        layout=layout(titled("share (%)"), y, bargap=0.35),
        height=90 + _ROW_PX * len(largest),
    )
