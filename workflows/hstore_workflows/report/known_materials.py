"""Materials a reader knows, for which measured and held-out predicted values are printed side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import FormulaError
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import get_property
from hstore_workflows.report.markup import formula_html, pretty
from hstore_workflows.report.parity import inside_interval
from hstore_workflows.report.quantities import significant

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

    from hstore_workflows.screen import ScreenResult

WELL_KNOWN = {
    "hydride": (
        "LaNi5", "TiFe", "TiMn2", "TiCr1.8", "ZrMn2", "ZrNi", "Pd", "V", "CaNi5", "Mg2Ni", "Mg2NiH4", "MgH2",
        "LiH", "CaH2", "NaAlH4", "Na3AlH6", "LiAlH4", "LiBH4", "NaBH4", "Mg2FeH6",
    ),
    "sorbent": (
        "MOF-5", "MOF-177", "MOF-210", "HKUST-1", "NU-100", "UiO-66", "ZIF-8", "MIL-101(Cr)", "Mg-MOF-74", "COF-5",
        "AX-21", "Maxsorb", "zeolite 13X",
    ),
    "electrolyte": (
        "Li10GeP2S12", "Li10SnP2S12", "Li6PS5Cl", "Li6PS5Br", "Li3PS4", "Li7La3Zr2O12", "Li1.3Al0.3Ti1.7(PO4)3",
        "Li1.5Al0.5Ge1.5(PO4)3", "Li3N", "Li3YCl6", "LiBH4", "Na3PS4", "Na3SbS4", "Na3Zr2(SiO4)2(PO4)", "RbAg4I5",
        "AgI", "LaF3", "La2Mo2O9",
    ),
}  # fmt: skip
"""Kind of target -> formulas or names looked for in the curated tables, in the order in which they are shown."""

_MAX_ROWS_EACH = 4


@dataclass(frozen=True)
class KnownRow:
    """One measured value beside its held-out prediction."""

    name: Markup
    """Material."""
    property: str
    """Property with its unit."""
    measured: str
    """Measured value."""
    predicted: str
    """Prediction with the whole chemical system held out."""
    interval: str
    """90 % interval of the prediction."""
    inside: bool
    """Whether the measured value lies in it."""


def known_rows(result: ScreenResult) -> list[KnownRow]:
    """Return the rows of well-known materials; at most four per material and property."""
    frame = result.sanity.assign(inside=inside_interval(result.sanity))
    rows = []
    for name in WELL_KNOWN[result.target.kind]:
        found = frame[np.array([_is_called(str(label), name) for label in frame["label"]], dtype=bool)]
        for _, same in found.groupby("property", sort=False):
            rows += [_row(row) for _, row in same.head(_MAX_ROWS_EACH).iterrows()]
    return rows


def _is_called(label: str, name: str) -> bool:
    """Tell whether a label is a name, the name with conditions behind it, or the same composition."""
    return label.startswith(f"{name},") or _key(label) == _key(name)


@cache
def _key(text: str) -> str:
    """Return the canonical composition, or the text itself where it is a name."""
    try:
        return canonical_formula(parse_amounts(text))
    except FormulaError:
        return text.casefold()


def _row(row: pd.Series) -> KnownRow:
    return KnownRow(
        name=formula_html(str(row["label"])),
        property=pretty(f"{get_property(str(row['property'])).label} ({row['unit']})"),
        measured=significant(float(row["measured"]), 3),
        predicted=significant(float(row["predicted"]), 3),
        interval=f"{significant(float(row['lower']), 3)} to {significant(float(row['upper']), 3)}",
        inside=bool(row["inside"]),
    )
