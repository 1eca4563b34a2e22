"""Which rows train which model: the curated tables plus the public sets that are present.

A value that stands in several sets counts once. The OBELiX test split is never trained on, so a score on it
means what its authors meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import FormulaError, unknown_name
from hstore.formula import canonical_formula, parse_amounts, parse_formula
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_data.catalog import present
from hstore_data.curated import curated_table
from hstore_data.readers import read
from hstore_models.spec import SHIPPED, shipped_spec
from hstore_models.weak_labels import host_rows, weak_capacity_rows, weak_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore.settings import Settings
    from hstore_data.table import DataTable

_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
_ENTROPY = "desorption_entropy_j_per_mol_h2_k"
_LN_PRESSURE = "ln_plateau_pressure_25c"
_CONDUCTIVITY = "log10_conductivity_s_per_cm"

PUBLIC_SETS: Mapping[str, tuple[str, ...]] = {name: shipped_spec(name).data.public for name in SHIPPED}
"""Model -> public sets that sharpen it when present.

``nasicon_na`` is left out: it states no temperature, and part of its values are those measured at 400 K.
"""

CURATED_SETS: Mapping[str, str] = {name: shipped_spec(name).data.curated for name in SHIPPED}
"""Model -> curated table it always trains on."""

WEAK_SETS: Mapping[str, tuple[str, ...]] = {
    "hydride_thermodynamics": ("doe_hydride",),
    "hydride_capacity": ("doe_hydride", "ml_hydpark"),
}
"""Model -> public sets whose rows train with low weight and are not scored, see ``weak_labels``."""

_BESIDE = {"mof_h2_usable": "simulated", "isodb_h2": "isotherms"}
"""Sorbent set -> field of the training data that holds its rows."""


@dataclass(frozen=True)
class TrainingData:
    """Rows of one model, with what they came from."""

    model: str
    """Name of the model."""
    rows: pd.DataFrame
    """Training rows; columns depend on the model, ``source`` and ``reference`` are always there."""
    simulated: pd.DataFrame | None
    """Simulated usable capacities (sorbents only)."""
    checksums: dict[str, str]
    """Data set / file -> SHA-256 of what was read."""
    duplicates: int
    """Rows left out because another set holds the same value."""
    unread: dict[str, int] = field(default_factory=dict)
    """Data set -> rows left out because their formula could not be read; sets without such rows are not listed."""
    labs: tuple[str, ...] = ()
    """Labs whose unpublished rows are among the training rows, in alphabetical order."""
    isotherms: pd.DataFrame | None = None
    """Points of measured isotherms of adsorbents known by name (sorbents only)."""

    def rows_by_source(self) -> dict[str, int]:
        """Count the rows of each data set that train; one that trains as hydride and as alloy counts once."""
        counts = self.rows.drop_duplicates(["source", "row"])["source"].value_counts()
        for table in (self.simulated, self.isotherms):
            if table is not None and len(table):
                counts[str(table["source"].iloc[0])] = len(table)
        return {str(name): int(counts[name]) for name in sorted(counts.index)}


def training_checksums(model: str, settings: Settings) -> dict[str, str]:
    """Return data set / file -> SHA-256 of everything the model would train on now."""
    return _checksums(_tables(model, settings))


def load_training_data(model: str, settings: Settings) -> TrainingData:
    """Assemble the training rows of a model from the data present.

    Raises:
        UnknownNameError: no such model.
        DataError: a data set is damaged.
    """
    tables = _tables(model, settings)
    beside: dict[str, pd.DataFrame] = {}
    if model == "sorbent_uptake":
        rows, duplicates = _sourced(tables[0]).rename(columns={"citation": "reference"}), 0
        beside = {_BESIDE[table.name]: _sourced(table) for table in tables[1:]}
    else:
        weak_sets = WEAK_SETS.get(model, ())
        frames = [_ASSEMBLE[model](table) for table in tables if table.name not in weak_sets]
        pooled = pd.concat(frames, ignore_index=True)
        pooled = _with_known_cells(pooled) if model == "conductivity" else pooled
        rows, duplicates = _without_duplicates(pooled, model)
        listed = [_sourced(table) for table in tables if table.name in weak_sets]
        rows = pd.concat([rows, *_weak(model, listed, rows)], ignore_index=True)
        marks = [name for name in ("weak", "as_alloy") if name in rows]
        rows = rows.assign(**{name: rows[name].eq(other=True) for name in marks})
    rows = rows.assign(lab_id="")
    return TrainingData(
        model, rows, beside.get("simulated"), _checksums(tables), duplicates, unread_formulas(tables),
        isotherms=beside.get("isotherms"),
    )  # fmt: skip


def _weak(model: str, listed: list[pd.DataFrame], known: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of low weight that other sets, and hydrides whose alloy is not known, add."""
    if model == "hydride_capacity":
        weak = [weak_capacity_rows(pd.concat(listed, ignore_index=True), known)] if listed else []
        return [*weak, host_rows(pd.concat([known, *weak], ignore_index=True))]
    return [weak_rows(frame, known) for frame in listed]


def unread_formulas(tables: Iterable[DataTable]) -> dict[str, int]:
    """Count the rejected rows of each data set whose formula cannot be read; sets without any are left out."""
    counts = {table.name: sum(not _can_be_read(reject.formula) for reject in table.rejects) for table in tables}
    return {name: count for name, count in counts.items() if count}


def _can_be_read(formula: str) -> bool:
    try:
        parse_formula(formula)
    except FormulaError:
        return False
    return True


def load_scored_rows(model: str, data_set: str, settings: Settings) -> pd.DataFrame:
    """Return every row of one public set with the values a model predicts, repeats included.

    Raises:
        UnknownNameError: the model does not use the set.
        DataError: the set is not present, or damaged.
    """
    scored = [name for name in PUBLIC_SETS[model] if name not in WEAK_SETS.get(model, ())]
    if data_set not in scored:
        raise unknown_name(f"public set of {model}", data_set, scored)
    table = read(data_set, settings)
    if model == "sorbent_uptake":
        frame = _sourced(table)
        return frame.assign(amounts=pd.Series([{}] * len(frame), dtype=object))
    return _ASSEMBLE[model](table, test=True).reset_index(drop=True)


def _tables(model: str, settings: Settings) -> list[DataTable]:
    if model not in CURATED_SETS:
        raise unknown_name("model", model, CURATED_SETS)
    here = present(settings)
    public = [read(name, settings) for name in PUBLIC_SETS[model] if name in here]
    return [curated_table(CURATED_SETS[model]), *public]


def _checksums(tables: list[DataTable]) -> dict[str, str]:
    return {f"{table.name}/{file}": digest for table in tables for file, digest in sorted(table.sha256.items())}


def _sourced(table: DataTable) -> pd.DataFrame:
    return table.frame.assign(source=table.name).reset_index(drop=True)


def _formula_rows(frame: pd.DataFrame, formula: pd.Series[str]) -> pd.DataFrame:
    """Add parsed amounts, canonical composition and chemical system without hydrogen."""
    amounts = [parse_amounts(text) for text in formula]
    return frame.assign(
        formula=formula.to_numpy(),
        amounts=pd.Series(amounts, index=frame.index, dtype=object),
        composition=[canonical_formula(a) for a in amounts],
        chemical_system=["-".join(sorted(el for el in a if el != "H")) for a in amounts],
    )


def _model_formula(table: DataTable) -> pd.Series[str]:
    """Formula the models see: the host of an interstitial hydride, else the formula itself."""
    frame = table.frame
    if table.name != "hydrides":
        return frame["formula"]
    return frame["host_formula"].where(frame["family"] == "interstitial", frame["formula"])


def _with_columns(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    reference = frame["reference"] if "reference" in frame else frame["citation"]
    return frame.assign(reference=reference).reindex(columns=[*columns, "source", "reference", "row"])


def _thermodynamic_rows(table: DataTable, *, test: bool = False) -> pd.DataFrame:
    """Rows with an enthalpy; ln P at 25 degC follows from dH and dS where the source does not give it."""
    del test
    frame = _formula_rows(_sourced(table), _model_formula(table))
    frame = frame[frame[_ENTHALPY].notna()].copy()
    derived = frame[_ENTROPY] / GAS_CONSTANT_J_PER_MOL_K - 1000.0 * frame[_ENTHALPY] / (
        GAS_CONSTANT_J_PER_MOL_K * STANDARD_TEMPERATURE_K
    )
    frame[_LN_PRESSURE] = frame.get(_LN_PRESSURE, derived).fillna(derived)
    columns = [
        "formula",
        "amounts",
        "composition",
        "chemical_system",
        "alloy_class",
        _ENTHALPY,
        _ENTROPY,
        _LN_PRESSURE,
        "temperature_k",
        "pressure_bar",
    ]
    return _with_columns(frame, columns)


def _capacity_rows(table: DataTable, *, test: bool = False) -> pd.DataFrame:
    """Rows with a capacity, per mass of hydrogenated material, with its definition.

    Where the basis is not stated it is taken for hydrogenated material: below 4 wt% the other one would differ by
    less than 4 % of the value. ``reversible`` is 1.0 for reversible and usable capacities, 0.0 for maximum ones.
    """
    del test
    frame = _formula_rows(_sourced(table), _model_formula(table))
    frame = with_definitions(frame[frame["h2_capacity_wt_pct"].notna()])
    columns = [
        "formula",
        "amounts",
        "composition",
        "chemical_system",
        "alloy_class",
        "h2_capacity_wt_pct",
        "temperature_k",
        "capacity_definition",
        "mass_basis",
        "reversible",
        "note",
    ]
    return _with_columns(frame, columns)


def with_definitions(rows: pd.DataFrame) -> pd.DataFrame:
    """Bring capacities to the mass of hydrogenated material and say how each is defined.

    Args:
        rows: ``h2_capacity_wt_pct`` and, where known, ``capacity_definition`` (maximum where absent or empty),
            ``mass_basis`` (unspecified where absent or empty) and ``note``.

    Returns:
        The rows with these columns filled and ``reversible`` (1.0 or 0.0). A value per mass of host, w, becomes
        100 w / (100 + w), which its ``note`` says; its ``mass_basis`` stays as stated.
    """
    definition = _text(rows, "capacity_definition", "maximum")
    basis = _text(rows, "mass_basis", "unspecified")
    value, of_host = rows["h2_capacity_wt_pct"], basis == "host"
    remark = "converted from " + value.map("{:g}".format) + " wt% of the host"
    return rows.assign(
        h2_capacity_wt_pct=value.mask(of_host, 100.0 * value / (100.0 + value)),
        capacity_definition=definition,
        mass_basis=basis,
        reversible=(definition != "maximum").astype(float),
        note=_joined(_text(rows, "note", ""), remark.where(of_host, "")),
    )


def _text(rows: pd.DataFrame, column: str, default: str) -> pd.Series[str]:
    """Return a column of words, the default where it is absent or empty."""
    if column not in rows:
        return pd.Series(default, index=rows.index, dtype=object)
    return rows[column].fillna("").replace("", default)


def _joined(one: pd.Series[str], other: pd.Series[str]) -> pd.Series[str]:
    """Join two columns of remarks."""
    return (one + "; " + other).str.strip("; ")


def _conductivity_rows(table: DataTable, *, test: bool = False) -> pd.DataFrame:
    """Rows with a conductivity at a temperature, outside (or inside) the OBELiX test split.

    ``censored`` is true where the value is an upper bound; the unit cell is there where the source states one.
    """
    frame = _formula_rows(_sourced(table), table.frame["formula"])
    if "conductivity_s_per_cm" in frame:
        frame[_CONDUCTIVITY] = np.log10(frame["conductivity_s_per_cm"])
    keep = frame[_CONDUCTIVITY].notna() & frame["temperature_k"].notna()
    if "split" in frame:
        keep &= frame["split"] == ("test" if test else "train")
    if "in_obelix_test" in frame:
        keep &= ~frame["in_obelix_test"]
    bounds = frame["censored"].isin([True, "<"]) if "censored" in frame else False
    columns = [
        "formula",
        "amounts",
        "composition",
        "chemical_system",
        "family",
        _CONDUCTIVITY,
        "censored",
        "temperature_k",
        "activation_energy_ev",
        *_CELL,
    ]
    return _with_columns(frame[keep].assign(censored=bounds), columns)


_CELL = ("a", "b", "c", "alpha", "beta", "gamma", "formula_units", "space_group_number")
"""Columns of a unit cell: edges in angstrom, angles in degrees."""


def _with_known_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each row the unit cell that another set states for the same measurement, before repeats are dropped."""
    same = [rows["composition"], rows[_CONDUCTIVITY].round(1), rows["temperature_k"].round(-1)]
    cells = rows.groupby(same, dropna=False)[list(_CELL)].transform("first")
    return rows.assign(**{name: rows[name].fillna(cells[name]) for name in _CELL})


def _without_duplicates(rows: pd.DataFrame, model: str) -> tuple[pd.DataFrame, int]:
    """Keep one of rows with the same composition, state and (rounded) value; curated rows come first."""
    value = {
        "hydride_thermodynamics": _ENTHALPY,
        "hydride_capacity": "h2_capacity_wt_pct",
        "conductivity": _CONDUCTIVITY,
    }[model]
    key = pd.DataFrame({"composition": rows["composition"], "value": rows[value].round(1)})
    if model == "conductivity":
        key["temperature"] = rows["temperature_k"].round(-1)
    repeated = key.duplicated(keep="first") & (rows["source"] != rows["source"].iloc[0])
    across = repeated & ~_repeated_within(key, rows["source"])
    return rows[~across].reset_index(drop=True), int(across.sum())


def _repeated_within(key: pd.DataFrame, source: pd.Series[str]) -> pd.Series[bool]:
    """Mark rows whose first occurrence is in their own set; repeats within one set are its own measurements."""
    first = key.assign(source=source).groupby(list(key.columns), dropna=False)["source"].transform("first")
    return first == source


_ASSEMBLE = {
    "hydride_thermodynamics": _thermodynamic_rows,
    "hydride_capacity": _capacity_rows,
    "conductivity": _conductivity_rows,
}
