"""What came out, in sentences: counts, and whether anything reaches what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hstore_workflows.report.markup import name_html, percent, plural
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    import pandas as pd

    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

_LIKELY = 0.5


def summary(result: ScreenResult) -> list[Markup]:
    """Return sentences on the result as a whole, each computed from its candidates."""
    candidates, target = result.candidates, result.target
    believed = candidates[candidates["in_domain"].astype(bool)]
    known = int(candidates["known"].astype(bool).sum())
    rejected = f"; {plural(len(result.rejects), 'row')} could not be used" if result.rejects else ""
    sentences = [
        Markup(
            f"<strong>{plural(len(candidates), 'candidate')}</strong> {_was(len(candidates))} ranked, {known:,} of them known "
            f"materials{rejected}. {len(believed):,} lie within the domain of the models; what follows counts only these."
        )
    ]
    words = {"hydride": _hydrides, "sorbent": _sorbents, "electrolyte": _electrolytes}
    return sentences + words[target.kind](believed, target)


def reaching(believed: pd.DataFrame, target: Target, wt_pct: float | None, g_per_l: float | None) -> int:
    """Count candidates that by their predicted means work in the swing and reach both capacities asked."""
    met = np.ones(len(believed), dtype=bool)
    if "p_window" in believed:
        met &= (believed["p_window"] > _LIKELY).to_numpy()
    capacity, density = _CAPACITY[target.kind]
    for column, needed in ((capacity, wt_pct), (density, g_per_l)):
        if needed is not None:
            met &= (believed[column] >= needed).to_numpy()
    return int(met.sum())


_CAPACITY = {
    "hydride": ("h2_capacity_wt_pct_mean", "h2_density_g_per_l_mean"),
    "sorbent": ("usable_capacity_wt_pct_mean", "usable_capacity_g_per_l_mean"),
}


def _hydrides(believed: pd.DataFrame, target: Target) -> list[Markup]:
    works = believed[believed["p_window"] > _LIKELY]
    sentences = [
        Markup(
            f"<strong>{len(works):,}</strong> {_work(len(works))} in the swing with a probability above one half"
            f"{_highest_probability(believed, 'p_window') if works.empty else ''}."
        )
    ]
    return [*sentences, *_reached(believed, works, target)]


def _sorbents(believed: pd.DataFrame, target: Target) -> list[Markup]:
    return _reached(believed, believed, target)


def _electrolytes(believed: pd.DataFrame, target: Target) -> list[Markup]:
    assert target.requirement is not None
    likely = believed[believed["p_feasible"] > _LIKELY]
    new = int((~likely["known"].astype(bool)).sum())
    best = (
        _highest_probability(believed, "p_feasible")
        if likely.empty
        else f", {new:,} of them not among the known materials"
    )
    return [
        Markup(
            f"<strong>{len(likely):,}</strong> {_reach(len(likely))} the conductivity asked for with a probability above "
            f"one half{best}."
        )
    ]


def _reached(believed: pd.DataFrame, works: pd.DataFrame, target: Target) -> list[Markup]:
    """Say whether the capacity asked is reached, and how far the best one gets."""
    wt_pct, g_per_l = target.capacity_requirement()
    capacity = quantities(target)[0]
    count = reaching(believed, target, wt_pct, g_per_l)
    density = f" and {g_per_l:.3g} g/L" if g_per_l is not None else ""
    asked = f"{wt_pct:.3g} wt%{density} asked of the material"
    if target.system_target is not None:
        asked += f" by the {target.system_target.year} target"
    swing = "predicted to work in the swing and " if "p_window" in believed else ""
    if count:
        first = f"<strong>{count:,}</strong> {_is(count)} {swing}to reach the {asked}."
    else:
        first = f"<strong>None</strong> is {swing}predicted to reach the {asked}."
        first = first.replace("and predicted to reach", "and to reach")
    sentences = [Markup(first)]
    if not works.empty and works[f"{capacity.column}_mean"].notna().any():
        row = works.loc[works[f"{capacity.column}_mean"].idxmax()]
        share = float(row[f"{capacity.column}_mean"]) / wt_pct
        likely = " likely to work in the swing" if "p_window" in believed else ""
        sentences.append(
            Markup("The highest capacity{} is that of {}: {} wt% (90 % interval {}), {} of what is asked.").format(
                likely, name_html(row, target.kind), capacity.mean(row), capacity.interval(row), share
            )
        )
    return sentences


def _highest_probability(believed: pd.DataFrame, column: str) -> str:
    if believed.empty:
        return ""
    return f"; the highest probability is {significant(float(believed[column].max()))}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _work(count: int) -> str:
    return "works" if count == 1 else "work"


def _reach(count: int) -> str:
    return "reaches" if count == 1 else "reach"
