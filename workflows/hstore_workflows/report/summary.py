"""What came out, in sentences: counts, and whether anything reaches what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hstore_workflows.report.markup import name_html, percent, plural
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    import pandas as pd

    from hstore_workflows.report.quantities import Quantity
    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

_LIKELY = 0.5
_CAPACITY = {
    "hydride": ("h2_capacity_wt_pct_mean", "h2_density_g_per_l_mean"),
    "sorbent": ("usable_capacity_wt_pct_mean", "usable_capacity_g_per_l_mean"),
}


def summary(result: ScreenResult) -> list[Markup]:
    """Return sentences on the result as a whole, each computed from its candidates."""
    candidates, target = result.candidates, result.target
    believed = candidates[candidates["in_domain"].astype(bool)]
    known = int(candidates["known"].astype(bool).sum())
    head = Markup(
        "<strong>{}</strong> ranked{}{}. {:,} lie within the domain of the models; what follows counts only these."
    ).format(
        plural(len(candidates), "candidate"),
        f", {known:,} of them known materials" if known else "",
        f"; {plural(len(result.rejects), 'row')} could not be used" if result.rejects else "",
        len(believed),
    )
    if target.kind == "electrolyte":
        return [head, _conducting(believed)]
    if target.kind == "sorbent":
        return [head, *_reached(believed, believed, target)]
    works = believed[believed["p_window"] > _LIKELY]
    return [head, _working(believed, works), *_reached(believed, works, target)]


def reaching(believed: pd.DataFrame, target: Target, wt_pct: float | None, g_per_l: float | None) -> int:
    """Count candidates that by their predicted means probably work in the swing and reach both capacities.

    A candidate of unknown density is judged by its capacity alone.
    """
    met = np.ones(len(believed), dtype=bool)
    if "p_window" in believed:
        met &= (believed["p_window"] > _LIKELY).to_numpy()
    for column, needed in zip(_CAPACITY[target.kind], (wt_pct, g_per_l), strict=True):
        if needed is not None:
            value = believed[column].to_numpy(dtype=float)
            met &= (value >= needed) | (np.isnan(value) & (column == "h2_density_g_per_l_mean"))
    return int(met.sum())


def _working(believed: pd.DataFrame, works: pd.DataFrame) -> Markup:
    best = "" if len(works) else _highest(believed, "p_window")
    return Markup("<strong>{:,}</strong> probably {} in the swing (probability above one half){}.").format(
        len(works), "works" if len(works) == 1 else "work", best
    )


def _conducting(believed: pd.DataFrame) -> Markup:
    likely = believed[believed["p_feasible"] > _LIKELY]
    new = int((~likely["known"].astype(bool)).sum())
    rest = f", {new:,} of them not among the known materials" if len(likely) else _highest(believed, "p_feasible")
    return Markup(
        "<strong>{:,}</strong> probably {} the conductivity asked for (probability above one half){}."
    ).format(len(likely), "reaches" if len(likely) == 1 else "reach", rest)


def _reached(believed: pd.DataFrame, works: pd.DataFrame, target: Target) -> list[Markup]:
    """Say whether the capacity asked is reached, and how far the best candidate gets."""
    wt_pct, g_per_l = target.capacity_requirement()
    capacity = quantities(target)[0]
    count = reaching(believed, target, wt_pct, g_per_l)
    asked = f"{wt_pct:.3g} wt%" + (f" and {g_per_l:.3g} g/L" if g_per_l is not None else "")
    source = f" by the {target.system_target.year} target" if target.system_target is not None else ""
    swing = " to work in the swing and" if target.kind == "hydride" else ""
    first = Markup("<strong>{}</strong> {} predicted{} to reach the {} asked of the material{}.").format(
        f"{count:,}" if count else "None", "are" if count > 1 else "is", swing, asked, source
    )
    among = " among those that probably work" if target.kind == "hydride" else ""
    best = _best(works, capacity, f"capacity{among}", wt_pct, target.kind)
    if target.kind == "sorbent" and g_per_l is not None:
        best += _best(works, quantities(target)[1], "volumetric capacity", g_per_l, target.kind)
    return [first, *best]


def _best(works: pd.DataFrame, quantity: Quantity, name: str, needed: float, kind: str) -> list[Markup]:
    """Name the candidate with the highest mean; nothing where no candidate has a prediction."""
    column = f"{quantity.column}_mean"
    if not works[column].notna().any():
        return []
    best = works.sort_values(column, ascending=False, kind="stable").to_dict("records")[0]
    row = {str(key): value for key, value in best.items()}
    share = percent(float(row[column]) / needed)
    sentence = Markup("The highest {} is that of {}: {} {} (90 % interval {}), {} of what is asked.")
    return [
        sentence.format(
            name, name_html(row, kind), quantity.mean(row), quantity.unit, quantity.interval(row), share
        )
    ]


def _highest(believed: pd.DataFrame, column: str) -> str:
    return f"; the highest probability is {significant(float(believed[column].max()))}" if len(believed) else ""
