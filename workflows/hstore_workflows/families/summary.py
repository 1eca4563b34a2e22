"""What each family offers in figures, where families cross, and which descriptor matters in which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore_data.curated import curated_table
from hstore_models.prediction import Query
from hstore_workflows.families.points import FAMILIES, measured_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray

QUANTITIES = {
    "capacity_wt_pct": "capacity (wt%)",
    "desorption_enthalpy_kj_per_mol_h2": "desorption enthalpy (kJ/mol H2)",
    "temperature_k": "temperature of use (K)",
    "state_pressure_bar": "pressure of use (bar)",
}
"""Column -> words."""

COMPOSITION = {
    "mean_volume_a3": "mean atomic volume",
    "binary_hydride_enthalpy_kj_per_mol_h2_atom": "formation heat of the binary hydrides",
    "a_fraction": "share of hydride-forming atoms",
    "mean_electronegativity": "electronegativity",
    "mean_valence_electrons": "valence electrons",
    "mixing_enthalpy_kj_per_mol": "mixing enthalpy of the host",
    "mean_bulk_modulus_gpa": "stiffness",
    "atoms_per_amu": "atoms per mass",
}
"""Descriptors of the host of a hydride -> words."""

TEXTURE = {
    "bet_area_m2_g": "surface area",
    "pore_volume_cm3_g": "pore volume",
    "density_g_cm3": "density",
    "pressure_bar": "pressure",
}
"""Descriptors of a sorbent and its state -> words."""

_DRAWS = 1000
_LEAST_ROWS = 12
_CRYOGENIC_K = (75.0, 80.0)
_NEAR_1_BAR = (0.9, 1.1)
_HIGH_BAR = 20.0
_LOW, _HIGH = 10.0, 90.0


@dataclass(frozen=True)
class Link:
    """How a descriptor goes with an outcome within a family."""

    family: str
    """Family."""
    outcome: str
    """What it is compared with, in words."""
    descriptor: str
    """Name of the descriptor."""
    words: str
    """What a chemist calls it."""
    rank_correlation: float
    """Spearman's coefficient."""
    interval: tuple[float, float]
    """90 % interval over draws of whole groups, ranks being those among all rows."""
    rows: int
    """Rows that state both."""

    @property
    def is_clear(self) -> bool:
        """True where the interval lies on one side of 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


@dataclass(frozen=True)
class Sides:
    """Families side by side."""

    points: pd.DataFrame
    """One point for each material and state, see :mod:`hstore_workflows.families.points`."""
    window_k: tuple[float, float]
    """Lowest and highest temperature at which hydrogen is to be delivered (DOE targets)."""
    links: tuple[Link, ...]
    """Which descriptor goes with which outcome."""

    def table(self) -> pd.DataFrame:
        """Return for each family the count, median and tenth to ninetieth percentile of each quantity."""
        rows = []
        for family in FAMILIES:
            own = self.points[(self.points["family"] == family) & (self.points["kind"] == "measured")]
            row: dict[str, Any] = {"family": family, "points": len(own), "materials": own["material"].nunique()}
            for name in QUANTITIES:
                values = own[name].dropna().to_numpy(dtype=float)
                low, middle, high = np.percentile(values, [_LOW, 50, _HIGH]) if len(values) else (np.nan,) * 3
                row |= {f"{name}_n": len(values), f"{name}_low": low, f"{name}_median": middle,
                        f"{name}_high": high}  # fmt: skip
            rows.append(row | self._in_window(own))
        return pd.DataFrame(rows)

    def _in_window(self, own: pd.DataFrame) -> dict[str, Any]:
        """Say how many materials work within the window of delivery, and which of them holds most."""
        placed = own[own["temperature_k"].notna()]
        inside = placed[placed["temperature_k"].between(*self.window_k)]
        ranked = inside.dropna(subset="capacity_wt_pct").sort_values("capacity_wt_pct", kind="stable")
        best = None if ranked.empty else ranked.iloc[-1]
        return {
            "placed": placed["material"].nunique(),
            "in_window": inside["material"].nunique(),
            "best_in_window": "" if best is None else best["material"],
            "best_in_window_wt_pct": np.nan if best is None else float(best["capacity_wt_pct"]),
            "best_in_window_source": "" if best is None else best["source"],
        }

    def crossings(self) -> pd.DataFrame:
        """Return for each pair of families where the middle eighty percent of both lie, and who is there."""
        rows = []
        measured = self.points[self.points["kind"] == "measured"]
        for one, other in combinations(FAMILIES, 2):
            for name in ("capacity_wt_pct", "desorption_enthalpy_kj_per_mol_h2", "temperature_k"):
                values = [measured.loc[measured["family"] == f, name].dropna() for f in (one, other)]
                if min(map(len, values)) < _LEAST_ROWS:
                    continue
                bounds = [np.percentile(v, [_LOW, _HIGH]) for v in values]
                low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
                inside = [int(v.between(low, high).sum()) if low <= high else 0 for v in values]
                rows.append({
                    "family": one, "other": other, "quantity": name, "cross": bool(low <= high),
                    "from": low if low <= high else np.nan, "to": high if low <= high else np.nan,
                    "points_of_family": inside[0], "points_of_other": inside[1],
                })  # fmt: skip
        return pd.DataFrame(rows)

    def link_table(self) -> pd.DataFrame:
        """Return the links as a table."""
        return pd.DataFrame([
            {"family": k.family, "outcome": k.outcome, "descriptor": k.descriptor, "words": k.words,
             "rank_correlation": k.rank_correlation, "lower": k.interval[0], "upper": k.interval[1],
             "rows": k.rows, "clear": k.is_clear}
            for k in self.links
        ])  # fmt: skip

    def words(self) -> list[str]:
        """Say in a few sentences what the figures show."""
        table = self.table().set_index("family")
        low, high = self.window_k
        said = []
        for family in FAMILIES:
            row = table.loc[family]
            best = ""
            if row["best_in_window"]:
                best = f"; most there holds {row['best_in_window']}, {row['best_in_window_wt_pct']:.1f} wt%"
            works = "were measured" if family == "sorbent" else "release 1 bar"
            said.append(
                f"{family.capitalize()}: {row['capacity_wt_pct_median']:.1f} wt% in the middle "
                f"({row['capacity_wt_pct_low']:.1f} to {row['capacity_wt_pct_high']:.1f}); {row['in_window']} of "
                f"{row['placed']} materials of which that is known {works} at {low:.0f} to {high:.0f} K{best}."
            )
        for family in FAMILIES:
            own = [k for k in self.links if k.family == family and k.is_clear]
            clear = sorted(own, key=lambda k: -abs(k.rank_correlation))
            if clear:
                k = clear[0]
                way = "rises" if k.rank_correlation > 0 else "falls"
                said.append(
                    f"{family.capitalize()}: the {k.outcome} {way} most clearly with the {k.words} "
                    f"(rank correlation {k.rank_correlation:+.2f}, {k.rows} rows)."
                )
        return said


@cache
def shipped_sides() -> Sides:
    """Return the families of the shipped tables side by side; computed once."""
    return sides(measured_points())


def sides(points: pd.DataFrame, *, seed: int = 0) -> Sides:
    """Put families side by side.

    Args:
        points: see :mod:`hstore_workflows.families.points`.
        seed: seed of the draws behind intervals.
    """
    return Sides(points, delivery_window_k(), (*_hydride_links(seed), *_sorbent_links(seed)))


def delivery_window_k() -> tuple[float, float]:
    """Return the temperatures between which hydrogen is to be delivered, of the DOE targets for 2025."""
    table = curated_table("doe_onboard_targets").frame
    own = table[table["target_year"].astype(str) == "2025"].set_index("quantity")["value"]
    return float(own["min_delivery_temperature_k"]), float(own["max_delivery_temperature_k"])


def _hydride_links(seed: int) -> list[Link]:
    table = curated_table("hydrides").frame
    outcomes = {
        "desorption_enthalpy_kj_per_mol_h2": "desorption enthalpy",
        "h2_capacity_wt_pct": "capacity",
    }
    links = []
    for family in FAMILIES[:3]:
        own = table[table["family"] == family]
        amounts = [_amounts(text) for text in own["formula"]]
        usable = [row for row, a in enumerate(amounts) if a and set(a) - {"H"}]
        own = own.iloc[usable].reset_index(drop=True)
        known = [a for row in usable if (a := amounts[row]) is not None]
        features = Query.of(known).features(("hydride",), host=True)
        groups = ["-".join(sorted(set(a) - {"H"})) for a in known]
        for column, outcome in outcomes.items():
            for name, words in COMPOSITION.items():
                values = features.select([name]).values[:, 0]
                target = own[column].to_numpy(dtype=float)
                links += _link(family, outcome, (name, words), values, target, groups, seed)
    return links


def _sorbent_links(seed: int) -> list[Link]:
    table = curated_table("sorbents").frame
    cold = table[table["temperature_k"].between(*_CRYOGENIC_K)]
    parts = {
        "uptake at 77 K near 1 bar": cold[cold["pressure_bar"].between(*_NEAR_1_BAR)],
        "uptake at 77 K from 20 bar": cold[cold["pressure_bar"] >= _HIGH_BAR],
    }
    links = []
    for outcome, own in parts.items():
        target, groups = own["h2_uptake_wt_pct"].to_numpy(dtype=float), own["name"].astype(str).tolist()
        for name, words in TEXTURE.items():
            values = own[name].to_numpy(dtype=float)
            links += _link("sorbent", outcome, (name, words), values, target, groups, seed)
    return links


def _link(
    family: str,
    outcome: str,
    descriptor: tuple[str, str],
    values: FloatArray,
    target: FloatArray,
    groups: Sequence[str],
    seed: int,
) -> list[Link]:
    """Return the link of a descriptor with an outcome; nothing where too few rows state both."""
    known = np.isfinite(values) & np.isfinite(target)
    if known.sum() < _LEAST_ROWS or not np.ptp(values[known]) or not np.ptp(target[known]):
        return []
    x, y = _ranks(values[known]), _ranks(target[known])
    _, places = np.unique(np.asarray(groups)[known], return_inverse=True)
    sums = np.array([np.bincount(places, column) for column in (np.ones(len(x)), x, y, x * x, y * y, x * y)])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, sums.shape[1], (_DRAWS, sums.shape[1]))
    low, high = np.nanpercentile(_correlations(sums[:, drawn].sum(axis=2)), [5, 95])
    correlation = float(_correlations(sums.sum(axis=1)))
    return [Link(family, outcome, *descriptor, correlation, (float(low), float(high)), int(known.sum()))]


def _correlations(sums: FloatArray) -> FloatArray:
    """Return correlations from the sums of 1, x, y, x^2, y^2 and x y."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n)))


def _ranks(values: FloatArray) -> FloatArray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=float)


def _amounts(text: object) -> dict[str, float] | None:
    try:
        return parse_amounts(str(text))
    except FormulaError:
        return None
