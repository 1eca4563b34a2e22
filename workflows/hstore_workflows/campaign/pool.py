"""The pool of a campaign: candidates frozen at its start, with what the screen predicted for them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import DataError, InputError, unknown_name
from hstore.formula import canonical_formula
from hstore_data.table import RejectedRow
from hstore_workflows.campaign.belief import Prior
from hstore_workflows.campaign.objective import SCORE, Objective
from hstore_workflows.tables import check_table, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.arrays import FloatArray

MAX_SCREEN_ROWS = 20_000
"""Best-ranked rows of a screen taken into a pool; a proposal then takes seconds."""


@dataclass(frozen=True, eq=False)
class CampaignPool:
    """Candidates of a campaign; row numbers stand for materials in its arrays."""

    frame: pd.DataFrame
    """Columns ``material_id, formula, composition, known, domain_note`` and, where the screen predicted a
    column, ``COLUMN_mean`` and ``COLUMN_std``."""
    model_ids: tuple[str, ...] = ()
    """Models behind the predictions."""
    source: str = ""
    """File or screen it was made from."""
    rejects: tuple[RejectedRow, ...] = ()
    """Rows that could not be used."""
    left_out: int = 0
    """Rows of a screen below the best-ranked ones."""
    outside: int = 0
    """Candidates left out because they lie outside the domain of the screen's models."""

    def __len__(self) -> int:
        """Return the number of candidates, n."""
        return len(self.frame)

    def prior(self, column: str) -> Prior | None:
        """Return the screen's prediction of a column, or None where there is none."""
        if f"{column}_mean" not in self.frame:
            return None
        return Prior(
            self.frame[f"{column}_mean"].to_numpy(dtype=float), self.frame[f"{column}_std"].to_numpy(dtype=float)
        )

    def features(self) -> FloatArray:
        """Return standardised composition features, shape (n, d); constant columns are left out."""
        from hstore_models.features.composition import CompositionBatch
        from hstore_models.features.magpie import magpie_features

        values = magpie_features(CompositionBatch.from_formulas(self.frame["formula"].tolist())[0])
        spread = values.std(axis=0)
        varied = spread > 1e-12 * (1.0 + np.abs(values).max(axis=0))
        if not varied.any():
            return np.zeros((len(values), 1))
        return np.asarray((values[:, varied] - values[:, varied].mean(axis=0)) / spread[varied])


def read_pool(path: Path, objective: Objective, *, keep_outside: bool = False) -> CampaignPool:
    """Read the candidates of a campaign.

    Args:
        path: folder of a screen, or a CSV or Parquet table with a ``formula`` column, optionally
            ``material_id``, and ``COLUMN_mean`` and ``COLUMN_std`` where predictions are at hand.
        objective: decides which columns are kept.
        keep_outside: also take candidates that the screen marked as outside its models' domain.

    Raises:
        InputError: nothing there, no formula column, or no usable row.
        UnknownNameError: a screen holds no prediction of the column to maximise.
    """
    is_screen = path.is_dir()
    if is_screen and not (path / "candidates.parquet").is_file():
        raise InputError(f"{path} holds no candidates.parquet; give the --out folder of a finished screen")
    table = read_table(path / "candidates.parquet" if is_screen else path)
    if is_screen and objective.maximize != SCORE and f"{objective.maximize}_mean" not in table:
        predicted = [str(name).removesuffix("_mean") for name in table if str(name).endswith("_mean")]
        raise unknown_name("column to maximise", objective.maximize, [SCORE, *predicted])
    left_out = 0
    if is_screen and len(table) > MAX_SCREEN_ROWS:
        left_out = len(table) - MAX_SCREEN_ROWS
        table = table.nsmallest(MAX_SCREEN_ROWS, "rank")
    checked = check_table(table.reset_index(drop=True))
    frame, repeats = _distinct(_columns(checked.frame, checked.amounts, objective))
    rejects = (*checked.rejects, *repeats)
    outside = 0
    if not keep_outside:
        outside = int((frame["domain_note"] != "").sum())
        frame = frame[frame["domain_note"] == ""].reset_index(drop=True)
    if frame.empty:
        causes = [reject.cause for reject in rejects[:1]] + [f"{outside} lie outside the models' domain"]
        raise InputError(f"{path} has no usable candidate ({'; '.join(causes)}); correct it or keep those outside")
    return CampaignPool(frame, _model_ids(path) if is_screen else (), str(path), rejects, left_out, outside)


def write_pool(pool: CampaignPool, path: Path) -> str:
    """Write a pool as Parquet and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.frame.to_parquet(path, index=False)
    return _checksum(path)


def load_pool(path: Path, *, sha256: str, model_ids: tuple[str, ...] = ()) -> CampaignPool:
    """Read a pool that :func:`write_pool` wrote.

    Raises:
        DataError: it is gone, or not the one the campaign began with.
    """
    if not path.is_file():
        raise DataError(
            f"the campaign's pool {path} is missing; restore it, or use the HSTORE_HOME it was made in"
        )
    if _checksum(path) != sha256:
        raise DataError(f"the campaign's pool {path} was changed since the start (checksum differs); restore it")
    return CampaignPool(pd.read_parquet(path), model_ids, str(path))


def _columns(table: pd.DataFrame, amounts: list[dict[str, float]], objective: Objective) -> pd.DataFrame:
    compositions = [canonical_formula(row) for row in amounts]
    ids = (
        table["material_id"].fillna("").astype(str) if "material_id" in table else pd.Series("", index=table.index)
    )
    frame = pd.DataFrame({
        "row": table["row"],
        "material_id": ids.where(ids != "", pd.Series(compositions, index=table.index)),
        "formula": table["formula"].astype(str),
        "composition": compositions,
        "known": _flags(table, "known", default=False),
        "domain_note": _domain_notes(table),
    })  # fmt: skip
    for column in objective.columns:
        name = column if column == SCORE else f"{column}_mean"
        if name not in table:
            continue
        mean = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
        given = pd.to_numeric(table.get(f"{column}_std", np.nan), errors="coerce")
        std = np.broadcast_to(np.asarray(given, dtype=float), mean.shape)
        frame[f"{column}_mean"], frame[f"{column}_std"] = _filled(mean, std)
    return frame


def _filled(mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fill what the screen left out: the pool's median, as uncertain as the pool is wide."""
    held = mean[np.isfinite(mean)]
    width = float(held.std()) if len(held) else 0.0
    middle = float(np.median(held)) if len(held) else 0.0
    usable = np.isfinite(mean) & np.isfinite(std) & (std > 0)
    return np.where(np.isfinite(mean), mean, middle), np.where(usable, std, width or 1.0)


def _distinct(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[RejectedRow]]:
    repeated = frame["material_id"].duplicated()
    rejects = [
        RejectedRow(int(row), formula, f"material {material!r} is in the table already; keep one row of it")
        for row, formula, material in frame.loc[repeated, ["row", "formula", "material_id"]].itertuples(
            index=False
        )
    ]
    return frame[~repeated].drop(columns="row").reset_index(drop=True), rejects


def _flags(table: pd.DataFrame, name: str, *, default: bool) -> pd.Series[bool]:
    if name not in table:
        return pd.Series(default, index=table.index)
    return table[name].astype(str).str.lower().isin(["true", "1", "yes"])


def _domain_notes(table: pd.DataFrame) -> pd.Series[str]:
    """Say why the screen's model is not to be believed for a row; empty where it is."""
    outside = ~_flags(table, "in_domain", default=True)
    reasons = table.get("domain_reason", pd.Series("", index=table.index)).fillna("").astype(str)
    return reasons.where(reasons != "", "unlike what the model was trained on").where(outside, "")


def _model_ids(folder: Path) -> tuple[str, ...]:
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return ()
    models = json.loads(manifest.read_text(encoding="utf-8")).get("models", {})
    return tuple(str(model) for model in models.values())


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
