"""What is known nearest to a candidate: results of the campaign, and values of the literature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import DataError
from hstore_workflows.evaluate.target import PRESSURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_workflows.campaign.ground import Ground
    from hstore_workflows.campaign.landscape import History

SAME = 1e-6
"""Distance below which two materials have the same descriptors."""
_LN_PRESSURE = "ln_plateau_pressure_25c"
_COLUMNS = {  # what the training rows of a model hold of a property
    PRESSURE: ("hydride_thermodynamics", _LN_PRESSURE),
    "desorption_enthalpy_kj_per_mol_h2": ("hydride_thermodynamics", "desorption_enthalpy_kj_per_mol_h2"),
    "desorption_entropy_j_per_mol_h2_k": ("hydride_thermodynamics", "desorption_entropy_j_per_mol_h2_k"),
    "h2_capacity_wt_pct": ("hydride_capacity", "h2_capacity_wt_pct"),
    "log10_conductivity_s_per_cm": ("conductivity", "log10_conductivity_s_per_cm"),
}


@dataclass(frozen=True)
class Neighbour:
    """A known material near a candidate."""

    formula: str
    """Its formula."""
    distance: float
    """Distance in standard deviations, per descriptor; 0 for the same composition."""
    values: Mapping[str, float]
    """Column -> known value."""
    source: str
    """``result``, or the data set and reference of the literature."""
    material_id: str = ""
    """Material of the pool, for results."""

    def words(self) -> str:
        """Return the neighbour in words."""
        said = ", ".join(f"{column} {value:.3g}" for column, value in self.values.items())
        apart = "of the same composition" if self.distance < SAME else f"at distance {self.distance:.2f}"
        return f"{self.formula}{f' ({said})' if said else ''} {apart}"


def nearest_result(ground: Ground, history: History, row: int) -> Neighbour | None:
    """Return the measured candidate with the most similar descriptors; None before there is one."""
    rows = np.fromiter(history.results, dtype=np.intp, count=len(history.results))
    if not len(rows):
        return None
    blocks = ground.landscape.blocks.values()
    squares = np.sum([((block[rows] - block[row]) ** 2).sum(axis=1) for block in blocks], axis=0)
    distances = np.sqrt(squares / sum(block.shape[1] for block in blocks))
    place = int(np.argmin(distances))
    found = int(rows[place])
    material_id, formula = ground.pool.frame[["material_id", "formula"]].iloc[found]
    values = dict(history.results[found])
    return Neighbour(str(formula), float(distances[place]), values, "result", str(material_id))


def nearest_known(
    ground: Ground, literature: pd.DataFrame | None, rows: Sequence[int]
) -> dict[int, list[Neighbour]]:
    """Return, for each candidate, the nearest composition of the literature by column that it has values of."""
    found: dict[int, list[Neighbour]] = {row: [] for row in rows}
    if literature is None or literature.empty or ground.compositions is None or not rows:
        return found
    for column, known in literature.groupby("column", sort=False):
        distances = _distances([ground.pool.frame["formula"].iloc[row] for row in rows], known["formula"].tolist())
        for row, apart in zip(rows, distances, strict=True):
            place = int(np.argmin(apart))
            formula, value, source = known[["formula", "value", "source"]].iloc[place]
            near = Neighbour(str(formula), float(apart[place]), {str(column): float(value)}, str(source))
            found[row] = _joined(found[row], near)
    return found


def write_literature(settings: Settings, columns: Sequence[str], path: Path) -> None:
    """Keep what the training data say of a campaign's columns beside its pool.

    A data set that is damaged is left out: the campaign goes on, with fewer known materials in its reasons.
    """
    tables = [_literature(settings, column) for column in columns if column in _COLUMNS]
    held = [table for table in tables if table is not None and len(table)]
    if held:
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.concat(held, ignore_index=True).to_parquet(path, index=False)


def read_literature(path: Path) -> pd.DataFrame | None:
    """Read what :func:`write_literature` kept; None where nothing is known."""
    return pd.read_parquet(path) if path.is_file() else None


def _literature(settings: Settings, column: str) -> pd.DataFrame | None:
    from hstore_models.training_data import load_training_data

    model, held = _COLUMNS[column]
    try:
        rows = load_training_data(model, settings).rows
    except DataError:
        return None
    rows = rows[rows[held].notna() & rows["amounts"].map(bool)]
    values: Any = np.exp(rows[held]) if held == _LN_PRESSURE else rows[held]
    table = pd.DataFrame({
        "column": column, "formula": rows["formula"].astype(str), "value": values.astype(float),
        "source": rows["source"].astype(str) + " " + rows["reference"].fillna("").astype(str),
    })  # fmt: skip
    return table.drop_duplicates(["formula", "value"]).reset_index(drop=True)


def _joined(held: list[Neighbour], near: Neighbour) -> list[Neighbour]:
    """Add a neighbour, to the one of the same formula and source where there is one."""
    for place, other in enumerate(held):
        if (other.formula, other.source) == (near.formula, near.source):
            values = {**other.values, **near.values}
            return [*held[:place], replace(other, values=values), *held[place + 1 :]]
    return [*held, near]


def _distances(asked: list[str], known: list[str]) -> FloatArray:
    """Return the distances of formulas to known ones, shape (asked, known)."""
    from hstore_models.features.composition import CompositionBatch
    from hstore_models.features.magpie import magpie_features

    features = magpie_features(CompositionBatch.from_formulas([*asked, *known])[0])
    spread = features.std(axis=0)
    features = features[:, spread > SAME] / spread[spread > SAME]
    mine, theirs = features[: len(asked)], features[len(asked) :]
    width = max(1, features.shape[1])
    return np.array([np.sqrt(((theirs - one) ** 2).sum(axis=1) / width) for one in mine])
