"""The page of a report, put together from its parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hstore_workflows.report.curves import temperature_curves
from hstore_workflows.report.design_map import design_map
from hstore_workflows.report.importances import importance_plots
from hstore_workflows.report.intervals import interval_plots
from hstore_workflows.report.known_materials import known_rows
from hstore_workflows.report.parity import inside_interval, parity_plots
from hstore_workflows.report.quantities import quantities
from hstore_workflows.report.requirement import asked_words, factor_words, requirement_rows, state_rows
from hstore_workflows.report.summary import summary
from hstore_workflows.report.tables import (
    PROBABILITY_HEADINGS,
    computed_rows,
    domain_groups,
    hazard_groups,
    model_blocks,
    probability_columns,
    reject_groups,
    top_rows,
)
from hstore_workflows.report.templating import environment

if TYPE_CHECKING:
    from hstore_workflows.screen import ScreenResult


def render_report(result: ScreenResult) -> str:
    """Render a finished screen as one self-contained HTML page.

    Equal results give equal pages; times stand in the manifest alone. Nothing is fetched when the page is
    opened: plotly.js is taken from the installed plotly package and written into the page.
    """
    return environment().get_template("report.html.j2").render(_context(result))


def _context(result: ScreenResult) -> dict[str, Any]:
    return {
        **_head(result),
        **_plots(result),
        **_excluded(result),
        "known_rows": known_rows(result),
        "n_sanity": len(result.sanity),
        "sanity_inside": float(inside_interval(result.sanity).mean()) if len(result.sanity) else None,
        "models": model_blocks(result),
        "manifest": result.manifest,
        "manifest_json": json.dumps(result.manifest, indent=2, ensure_ascii=False, sort_keys=True),
    }


def _head(result: ScreenResult) -> dict[str, Any]:
    target = result.target
    return {
        "target": target,
        "states": state_rows(target),
        "requirements": requirement_rows(result),
        "citation": next((t.citation for t in target.system_targets().values()), ""),
        "factor": factor_words(target),
        "asked": asked_words(target),
        "summary": summary(result),
        "top": top_rows(result),
        "computed": computed_rows(result),
        "n_computed": int((result.candidates["computed_by"] != "").sum()) if computed_rows(result) else 0,
        "quantities": quantities(target),
        "probabilities": [PROBABILITY_HEADINGS[name] for name in probability_columns(result.candidates)],
    }


def _plots(result: ScreenResult) -> dict[str, Any]:
    return {
        "map": design_map(result),
        "curves": temperature_curves(result),
        "intervals": interval_plots(result),
        "importances": importance_plots(result),
        "parity": parity_plots(result),
        "plotly_js": _plotly_js(),
    }


def _excluded(result: ScreenResult) -> dict[str, Any]:
    from hstore_workflows.scoring import HAZARD_FACTOR, OUT_OF_DOMAIN_FACTOR

    candidates = result.candidates
    return {
        "n_rejected": len(result.rejects),
        "n_candidates": len(candidates),
        "n_outside": int((~candidates["in_domain"].astype(bool)).sum()),
        "n_hazard": int((candidates["safety"] != "").sum()),
        "rejects": reject_groups(result),
        "outside": domain_groups(result),
        "hazards": hazard_groups(result),
        "domain_factor": OUT_OF_DOMAIN_FACTOR,
        "hazard_factor": HAZARD_FACTOR,
    }


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script
