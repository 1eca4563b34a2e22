"""Rows on both sides of a score: their names, materials, families, groups, and known values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_models.leaks import Side
from hstore_models.noise import noise_floor
from hstore_models.prediction import Query
from hstore_models.split_labels import (
    broad_family,
    composition_clusters,
    inferred_families,
    material_key,
    paper,
    pore_clusters,
    structure_clusters,
)
from hstore_models.texture_isotherm import complete_texture
from hstore_workflows.evaluate.target import PRESSURE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.noise import NoiseFloor
    from hstore_models.training_data import TrainingData

LN_PRESSURE = "ln_plateau_pressure_25c"
SORBENTS, ELECTROLYTES, CAPACITY = "sorbent_uptake", "conductivity", "hydride_capacity"
NOT_STATED = "not stated"

_FAMILY_COLUMNS = ("alloy_class", "material_class", "family", "Family", "sorbent_class")
_CONDITION_GRID_K = 5.0


def target_column(property_name: str) -> str:
    """Return the column of training rows that holds a property; pressures are learned as logarithms at 25 degC."""
    return LN_PRESSURE if property_name == PRESSURE else property_name


def training_rows(property_name: str, data: TrainingData) -> pd.DataFrame:
    """Return the rows that train the model of a property: the simulated ones where they hold it."""
    simulated = data.simulated
    if simulated is not None and target_column(property_name) in simulated:
        return simulated
    return data.rows


def with_training_rows(property_name: str, data: TrainingData, keep: NDArray[np.bool_]) -> TrainingData:
    """Keep some of the rows that train the model of a property."""
    rows = training_rows(property_name, data)
    kept = rows[keep].reset_index(drop=True)
    if rows is data.simulated:
        return dataclasses.replace(data, simulated=kept)
    return dataclasses.replace(data, rows=kept)


def known_values(property_name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, FloatArray]:
    """Return the training rows that state the property, and its values, for baselines.

    Weak labels and capacities other than the maximum one are left out. No rows are left where none states it.
    """
    column = target_column(property_name)
    if column not in rows:
        return rows.iloc[:0], np.empty(0)
    keep = rows[column].notna()
    if "weak" in rows:
        keep &= ~rows["weak"].astype(bool)
    if "capacity_definition" in rows and "maximum" in set(rows["capacity_definition"]):
        keep &= rows["capacity_definition"] == "maximum"
    kept = rows[keep].reset_index(drop=True)
    return kept, kept[column].to_numpy(dtype=float)


def amounts_of(rows: pd.DataFrame) -> list[dict[str, float]]:
    """Return the amounts of elements of each row; empty where rows have no composition."""
    return list(rows["amounts"]) if "amounts" in rows else [{} for _ in range(len(rows))]


def query(property_name: str, rows: pd.DataFrame) -> Query:
    """Ask for the property of each row at its conditions; tabulated pressures are those at 25 degC."""
    frame = rows.drop(columns=[*({"temperature_k"} & set(rows))]) if property_name == PRESSURE else rows
    return Query.of(amounts_of(rows), frame.reset_index(drop=True))


def side(model: str, rows: pd.DataFrame) -> Side:
    """Return rows as one side of a leak audit."""
    if model == SORBENTS:
        return Side(labels(model, rows), None, pores(rows))
    return Side(labels(model, rows), amounts_of(rows), fingerprints=fingerprints(rows))


def fingerprints(rows: pd.DataFrame) -> list[Any] | None:
    """Return the fingerprints of structures where rows have such a column (``fingerprint``)."""
    return list(rows["fingerprint"]) if "fingerprint" in rows else None


def labels(model: str, rows: pd.DataFrame) -> list[str]:
    """Name each row for a reader: its formula, or the framework and row of a sorbent."""
    number = (
        [f"row {value}" for value in rows["row"]] if "row" in rows else [f"row {i + 1}" for i in range(len(rows))]
    )
    named = zip(materials(model, rows), number, strict=True)
    return [f"{name} ({place})" if name else place for name, place in named]


def materials(model: str, rows: pd.DataFrame) -> list[str]:
    """Return the formula of each row, or the framework of a sorbent; empty where none is stated."""
    for column in ("name", "core_mof_2019_asr", "formula") if model == SORBENTS else ("formula",):
        if column in rows:
            return rows[column].fillna("").astype(str).tolist()
    return [""] * len(rows)


def keys(rows: pd.DataFrame) -> list[str]:
    """Return what names each row in the hash of a split."""
    return [str(value) for value in rows["row"]]


def pores(rows: pd.DataFrame) -> FloatArray:
    """Return the pore descriptors of sorbents that any row states, with their state, shape ``(n, d)``."""
    texture = complete_texture(Query.of([{}] * len(rows), rows.reset_index(drop=True)))
    return np.column_stack([texture[name] for name in PORE_DESCRIPTORS])


def families(model: str, rows: pd.DataFrame, column: str | None = None) -> NDArray[np.str_]:
    """Return the family of each row: a column's, else what the composition says; empty for unnamed sorbents.

    Raises:
        InputError: there is no such column.
    """
    if column is not None and column not in rows:
        raise InputError(
            f"no column {column!r} among {', '.join(map(str, rows.columns[:20]))}; name another family"
        )
    column = column or next((name for name in _FAMILY_COLUMNS if name in rows and rows[name].notna().any()), None)
    if column is not None:
        text = rows[column].fillna("").astype(str).str.strip()
        return text.replace("", NOT_STATED).to_numpy(dtype=str)
    if model == SORBENTS:
        return np.full(len(rows), "", dtype=str)
    return np.array(inferred_families(amounts_of(rows), electrolyte=model == ELECTROLYTES), dtype=str)


def groups(model: str, rows: pd.DataFrame) -> NDArray[np.str_]:
    """Return what rows err together by: the chemical system without hydrogen, or the group of a framework."""
    if "group" in rows:
        return rows["group"].astype(str).to_numpy(dtype=str)
    if model == SORBENTS:
        column = next((name for name in ("name", "core_mof_2019_asr") if name in rows), None)
        names = [""] * len(rows) if column is None else rows[column].fillna("").astype(str)
        return np.array([name or f"row {place}" for place, name in enumerate(names)], dtype=str)
    systems = [sorted(el for el in given if el != "H") for given in amounts_of(rows)]
    return np.array(["-".join(system) for system in systems], dtype=str)


def split_labels(
    name: str, model: str, trained: pd.DataFrame, scored: pd.DataFrame
) -> tuple[NDArray[np.str_], ...]:
    """Return the labels of training and of scored rows by which a split keeps them apart, shapes ``(n,)``.

    Args:
        name: name of the split.
        model: name of the model.
        trained: training rows.
        scored: rows to be scored.
    """
    both = pd.concat([trained, scored], ignore_index=True)
    found = _labels(name, model, both)
    return found[: len(trained)], found[len(trained) :]


def _labels(name: str, model: str, rows: pd.DataFrame) -> NDArray[np.str_]:
    makers: dict[str, Callable[[], Sequence[str] | NDArray[np.str_]]] = {
        "random": lambda: [f"{s} {r}" for s, r in zip(rows["source"], rows["row"], strict=True)],
        "family": lambda: [broad_family(text) or NOT_STATED for text in families(model, rows)],
        "doi": lambda: _papers(model, rows),
    }
    if model == SORBENTS:
        makers |= {"structure": lambda: pore_clusters(pores(rows))}
    else:
        makers |= {
            "composition": lambda: [material_key(a, hydrogen=model == ELECTROLYTES) for a in amounts_of(rows)],
            "structure": lambda: _structures(rows, hydrogen=model == ELECTROLYTES),
        }
    return np.asarray(makers.get(name, lambda: groups(model, rows))(), dtype=str)


def _papers(model: str, rows: pd.DataFrame) -> list[str]:
    references = rows["reference"] if "reference" in rows else [""] * len(rows)
    return [paper(r, f"no paper, {s}") for r, s in zip(references, groups(model, rows), strict=True)]


def _structures(rows: pd.DataFrame, *, hydrogen: bool) -> NDArray[np.str_]:
    known = fingerprints(rows)
    if known is None:
        return composition_clusters(amounts_of(rows), hydrogen=hydrogen)
    return structure_clusters([_present(p) for p in known], amounts_of(rows), hydrogen=hydrogen)


def _present(value: Any) -> Any:
    return None if value is None or isinstance(value, float) else value


def floor(model: str, rows: pd.DataFrame, values: FloatArray) -> NoiseFloor:
    """Estimate the noise floor from rows of one material at one state.

    A value that stands twice with one reference counts once.

    Args:
        model: name of the model.
        rows: rows.
        values: their known values, shape ``(n,)``.
    """
    if model == SORBENTS:
        return noise_floor([str(place) for place in range(len(rows))], values)
    material = [material_key(a, hydrogen=model == ELECTROLYTES) for a in amounts_of(rows)]
    table = pd.DataFrame({"key": material, "value": values})
    if "temperature_k" in rows and model in (ELECTROLYTES, CAPACITY):
        state = pd.to_numeric(rows["temperature_k"], errors="coerce").to_numpy(dtype=float)
        table["key"] += [f" {round(t / _CONDITION_GRID_K)}" if np.isfinite(t) else "" for t in state]
    table["reference"] = rows["reference"].to_numpy() if "reference" in rows else ""
    once = table.drop_duplicates()
    return noise_floor(once["key"].to_numpy(dtype=str), once["value"].to_numpy(dtype=float))
