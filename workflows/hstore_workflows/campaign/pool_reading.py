"""Read the candidates of a campaign from a screen or a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore.formula import canonical_formula
from hstore.licences import joined
from hstore_data.table import RejectedRow
from hstore_workflows.campaign.descriptors import MAGPIE
from hstore_workflows.campaign.objective import SCORE, Objective
from hstore_workflows.campaign.pool import EFFORT, FEATURE, CampaignPool
from hstore_workflows.licensing import row_licences, stated_licences
from hstore_workflows.tables import DESCRIPTORS, FORMULA_COLUMNS, UserTable, check_table, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hstore.arrays import FloatArray

MAX_SCREEN_ROWS = 1_000_000
"""Best-ranked rows of a screen taken into a pool; a proposal then takes less than a minute."""


def read_pool(
    source: Path | pd.DataFrame,
    objective: Objective,
    *,
    keep_outside: bool = False,
    features: Sequence[str] = (),
    effort_column: str | None = None,
) -> CampaignPool:
    """Read the candidates of a campaign.

    Args:
        source: folder of a screen, or a table (a CSV or Parquet file, or the table itself) with a ``formula``
            column or columns that describe candidates, optionally ``material_id``, and ``COLUMN_mean`` and
            ``COLUMN_std`` where predictions are at hand.
        objective: decides which columns are kept.
        keep_outside: also take candidates that the screen marked as outside its models' domain.
        features: columns that describe candidates, and ``magpie`` for the composition; when empty both, as far
            as they are there.
        effort_column: column that says what a candidate takes to make and measure, above 0.

    Raises:
        InputError: nothing there, neither formulas nor descriptors, or no usable row.
        UnknownNameError: a screen holds no prediction of a goal, or a named column is not there.
    """
    folder = source if not isinstance(source, pd.DataFrame) and source.is_dir() else None
    if folder and not (folder / "candidates.parquet").is_file():
        raise InputError(f"{folder} holds no candidates.parquet; give the --out folder of a finished screen")
    words = "the table" if isinstance(source, pd.DataFrame) else str(source)
    if isinstance(source, pd.DataFrame):
        table = source
    else:
        table = read_table(folder / "candidates.parquet" if folder else source)
    if folder:
        _check_predicted(table, objective)
    described = _described_by(table, features)
    if effort_column is not None and effort_column not in table:
        raise unknown_name("effort column", effort_column, map(str, table))
    left_out = 0
    if folder and len(table) > MAX_SCREEN_ROWS:
        left_out = len(table) - MAX_SCREEN_ROWS
        table = table.nsmallest(MAX_SCREEN_ROWS, "rank")
    checked = _checked(table.reset_index(drop=True))
    columns = _columns(checked.frame, checked.amounts, objective)
    columns = columns.assign(
        licence=_licences(checked.frame, folder), **_numbers(checked.frame, described, effort_column)
    )
    frame, repeats = _distinct(columns)
    rejects = (*checked.rejects, *repeats)
    outside = 0
    if not keep_outside:
        outside = int((frame["domain_note"] != "").sum())
        frame = frame[frame["domain_note"] == ""].reset_index(drop=True)
    if frame.empty:
        causes = [reject.cause for reject in rejects[:1]] + [f"{outside} lie outside the models' domain"]
        raise InputError(
            f"{words} has no usable candidate ({'; '.join(causes)}); correct it or keep those outside"
        )
    return CampaignPool(frame, _model_ids(folder) if folder else (), words, rejects, left_out, outside)


def _check_predicted(table: pd.DataFrame, objective: Objective) -> None:
    predicted = [str(name).removesuffix("_mean") for name in table if str(name).endswith("_mean")]
    for goal in objective.goals:
        if goal.column not in {SCORE, *predicted}:
            raise unknown_name(
                f"column to {'minimise' if goal.minimize else 'maximise'}", goal.column, [SCORE, *predicted]
            )


def _described_by(table: pd.DataFrame, features: Sequence[str]) -> list[str]:
    """Return the columns that describe candidates."""
    has_formulas = any(name in table for name in FORMULA_COLUMNS)
    for name in features:
        if name != MAGPIE and name not in table:
            raise unknown_name("column of features", name, [MAGPIE, *map(str, table)])
    if MAGPIE in features and not has_formulas:
        raise InputError(f"the pool has no formula column, which {MAGPIE} needs; name other columns")
    if features:
        return [name for name in features if name != MAGPIE]
    described = [name for name in DESCRIPTORS if name in table]
    if not has_formulas and not described:
        raise InputError(
            f"the pool has neither a formula column nor one of {', '.join(DESCRIPTORS)}; name the columns that "
            "describe candidates with --features"
        )
    return described


def _checked(table: pd.DataFrame) -> UserTable:
    if any(name in table for name in FORMULA_COLUMNS):
        return check_table(table)
    frame = table.assign(row=np.arange(1, len(table) + 1))
    if "material_id" not in frame:
        names = frame["name"] if "name" in frame else frame["row"].map("row {}".format)
        frame["material_id"] = names.astype(str)
    frame["formula"] = frame["material_id"].astype(str)
    return UserTable(frame, [{} for _ in range(len(frame))], [""] * len(frame), [])


def _numbers(table: pd.DataFrame, described: Sequence[str], effort_column: str | None) -> dict[str, FloatArray]:
    """Return descriptors and efforts of the pool as numbers.

    Raises:
        InputError: a column holds no number, or an effort is not above 0.
    """
    found = {}
    for name in described:
        found[f"{FEATURE}{name}"] = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
        if not np.isfinite(found[f"{FEATURE}{name}"]).any():
            raise InputError(f"column {name} of the pool holds no number; choose another for --features")
    if effort_column is not None:
        effort = pd.to_numeric(table[effort_column], errors="coerce").to_numpy(dtype=float)
        if not (np.isfinite(effort) & (effort > 0)).all():
            bad = int(np.argmin(np.isfinite(effort) & (effort > 0)))
            raise InputError(
                f"{effort_column} must be a number above 0, got {table[effort_column].iloc[bad]} "
                f"(row {table['row'].iloc[bad]}); correct it"
            )
        found[EFFORT] = effort
    return found


def _columns(table: pd.DataFrame, amounts: list[dict[str, float]], objective: Objective) -> pd.DataFrame:
    compositions = [canonical_formula(row) if row else "" for row in amounts]
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
    return tuple(str(model) for model in _manifest(folder).get("models", {}).values())


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = folder / "manifest.json"
    found: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return found


def _licences(table: pd.DataFrame, folder: Path | None) -> list[str]:
    """Return the licences of each candidate; those of a screen are also those of the data behind its models."""
    given = stated_licences(table)
    return (
        list(map(joined, ([licence] for licence in given)))
        if folder is None
        else row_licences(_manifest(folder), given)
    )
