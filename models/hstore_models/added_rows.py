"""Training rows that users bring: read, converted, checked against what is known, and never asked about.

A row that cannot be used becomes a reject with its cause; a row that can be read but is doubtful becomes a
suspect, with the value, what was expected and what was done. Everything else trains beside the public rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import FormulaError, InputError
from hstore.formula import canonical_formula, parse_formula
from hstore.properties import PROPERTIES
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_data.table import RejectedRow
from hstore_models.added_checks import check_values
from hstore_models.added_columns import FORMULA_COLUMNS, normalised, read_columns
from hstore_models.added_limits import beyond_metals, check_ranges, check_spec_limits
from hstore_models.training_data import with_definitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_models.added_checks import Finding
    from hstore_models.added_columns import ReadColumns
    from hstore_models.added_expectation import Champion
    from hstore_models.spec import Spec
    from hstore_models.training_data import TrainingData

_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
_ENTROPY = "desorption_entropy_j_per_mol_h2_k"
_LN_PRESSURE = "ln_plateau_pressure_25c"
_CAPACITY = "h2_capacity_wt_pct"
_UPTAKE = "h2_uptake_wt_pct"
_CONDUCTIVITY = "log10_conductivity_s_per_cm"

TARGET_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "hydride_thermodynamics": (_ENTHALPY, _LN_PRESSURE, _ENTROPY),
    "hydride_capacity": (_CAPACITY,),
    "sorbent_uptake": (_UPTAKE,),
    "conductivity": (_CONDUCTIVITY,),
}
"""Model -> columns it learns from; a row needs one of them. The first two are checked against what is known."""

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "sorbent_uptake": ("temperature_k", "pressure_bar", "bet_area_m2_g", "pore_volume_cm3_g"),
    "conductivity": ("temperature_k",),
}
_ALLOWED_WORDS: Mapping[str, tuple[str, ...]] = {
    "capacity_definition": ("maximum", "reversible", "usable"),
    "mass_basis": ("hydrogenated_material", "host", "sorbent", "sorbent_plus_h2", "unspecified"),
    "uptake_kind": ("excess", "absolute", "total", "unspecified"),
}
_TEXTS = frozenset({"reference", "lab_id", "note"})
_NEAR_25C_K = 3.0


@dataclass(frozen=True)
class Suspect:
    """A row that can be read but is doubtful."""

    row: int
    """Number of the data row in the table, from 1."""
    formula: str
    """Formula or name as written."""
    cause: str
    """What is doubtful: the value, what was expected and why."""
    action: str
    """What was done with it."""
    trained: bool
    """True where it trains all the same."""


@dataclass(frozen=True)
class AddedRows:
    """A user's training table after reading and checking."""

    rows: pd.DataFrame
    """Rows that train, in the columns of the training data, with ``note`` and ``weight`` (1 unless given; for
    thermodynamics also as ``pressure_weight``)."""
    record: pd.DataFrame
    """Every row that could be read, also those kept out of training (``trained`` is False)."""
    suspects: tuple[Suspect, ...]
    """Doubtful rows, in table order."""
    rejects: tuple[RejectedRow, ...]
    """Rows that cannot be used, in table order."""
    repeats: tuple[Suspect, ...]
    """Rows whose value already stands elsewhere; it counts once."""
    ignored: tuple[str, ...]
    """Headers that were not read."""
    source: str
    """What the rows call their source, ``added:`` and the name of the table."""

    @property
    def labs(self) -> tuple[str, ...]:
        """Labs whose rows train, in alphabetical order."""
        return tuple(sorted({str(lab) for lab in self.rows["lab_id"]} - {""}))

    def lines(self) -> list[str]:
        """Name every row that was rejected or is suspect, in table order, one line each."""
        named = [(r.row, f"row {r.row} ({r.formula}): {r.cause}; rejected") for r in self.rejects]
        named += [(s.row, f"row {s.row} ({s.formula}): {s.cause}; {s.action}") for s in self.suspects]
        return [line for _, line in sorted(named)]

    def joined_to(self, data: TrainingData, *, sha256: str = "") -> TrainingData:
        """Return training data with these rows at the end.

        Args:
            data: rows of the same model.
            sha256: checksum of the table, which becomes part of the model's content address.
        """
        rows = pd.concat([data.rows, self.rows], ignore_index=True)
        for column in {"weight", "pressure_weight"} & set(rows):
            rows[column] = rows[column].fillna(1.0)
        checksums = {**data.checksums, self.source: sha256} if sha256 else data.checksums
        labs = tuple(sorted({*data.labs, *self.labs}))
        return replace(data, rows=rows, labs=labs, checksums=checksums)


def read_added_rows(
    frame: pd.DataFrame,
    model: str | Spec,
    *,
    known: pd.DataFrame,
    champion: Champion | None = None,
    name: str = "table",
) -> AddedRows:
    """Read and check training rows that a user brings.

    The checks, in this order: cells that are no numbers, formulas that cannot be read and values outside the
    believable range or the limits of the spec are rejected; values that conflict with the same composition at the
    same conditions are suspects, kept out of training beyond five standard deviations of repeated measurements;
    values that only a mix-up of units explains, and capacities beyond what metals hold, are kept out of training;
    a value that stands elsewhere too counts once.

    Args:
        frame: the table (docs/how-to/training-data.md lists its columns).
        model: name of a model, or a spec of the user's own of kind ``property``.
        known: training rows of the model, to which the values are compared.
        champion: the model in use; without one the nearest known compositions say what to expect.
        name: name of the table, such as the stem of its file.

    Raises:
        InputError: no column of the table is one the model learns from, or no row at all can be used.
    """
    kind = model if isinstance(model, str) else model.kind
    targets = TARGET_COLUMNS.get(kind) or tuple(() if isinstance(model, str) else model.targets)
    extra = () if isinstance(model, str) or kind in TARGET_COLUMNS else _columns_of(model)
    if frame.empty:
        raise InputError("the table has no rows; give a header line and at least one row")
    frame = frame.reset_index(drop=True)
    read = read_columns(frame, [c for c in extra if c not in PROPERTIES])
    rows, causes = _readable(frame, read, kind)
    rows, causes = _with_targets(rows, causes, kind, targets)
    check_ranges(rows, causes)
    if not isinstance(model, str) and kind not in TARGET_COLUMNS:
        check_spec_limits(rows, model, causes)
    rejects = _rejects(rows, causes)
    usable = rows.drop(index=list(causes)).reset_index(drop=True)
    if usable.empty:
        _refuse(frame, read, targets, rejects)
    source = f"added:{name}"
    usable = _finished(usable.assign(source=source), known, targets)
    return _judged(usable, known, champion, targets, rejects, read.ignored, source)


def _columns_of(spec: Spec) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c for name, target in spec.targets.items() for c in (name, *target.columns)))


def _refuse(frame: pd.DataFrame, read: ReadColumns, targets: tuple[str, ...], rejects: list[RejectedRow]) -> None:
    reasons = "; ".join(f"row {r.row}: {r.cause}" for r in rejects[:3])
    unread = f" (not read: {', '.join(read.ignored)})" if read.ignored else ""
    raise InputError(
        f"none of the {len(frame)} rows can be used{unread}: {reasons}; columns to learn from are "
        f"{', '.join(targets)}, in these or other units named in the header"
    )


def _readable(frame: pd.DataFrame, read: ReadColumns, kind: str) -> tuple[pd.DataFrame, dict[int, str]]:
    """Rows in canonical columns with their parsed formula, and why some cannot be read."""
    causes = dict(read.causes)
    column = next((h for name in FORMULA_COLUMNS for h in frame.columns if normalised(h) == name), None)
    text = frame[column].astype("string").fillna("").str.strip() if column is not None else None
    if text is None and kind != "sorbent_uptake":
        headers = ", ".join(map(str, frame.columns[:12]))
        raise InputError(f"no formula column among {headers}; name one of them 'formula'")
    rows = pd.concat([read.numbers, read.words], axis=1)
    labels = text if text is not None else pd.Series("", index=frame.index)
    amounts: list[dict[str, float]] = []
    for place, label in enumerate(labels):
        parsed: dict[str, float] = {}
        try:
            if label or kind != "sorbent_uptake":
                parts = parse_formula(str(label))
                parsed = parts.amounts
                read.notes[place].extend(parts.notes)
        except FormulaError as error:
            causes[place] = str(error)
        amounts.append(parsed)
    rows["formula"], rows["row"] = labels.astype(object), np.arange(1, len(frame) + 1)
    rows["amounts"] = pd.Series(amounts, index=rows.index, dtype=object)
    rows["composition"] = [canonical_formula(a) if a else "" for a in amounts]
    rows["chemical_system"] = ["-".join(sorted(el for el in a if el != "H")) for a in amounts]
    rows["note"] = [
        "; ".join(filter(None, [old, *new])) for old, new in zip(_word(rows, "note"), read.notes, strict=True)
    ]
    if _CONDUCTIVITY in read.bounds:
        rows["censored"] = read.bounds[_CONDUCTIVITY].astype(bool)
    _check_words(rows, causes)
    return rows, causes


def _word(rows: pd.DataFrame, column: str) -> pd.Series[str]:
    return rows[column] if column in rows else pd.Series("", index=rows.index, dtype=object)


def _check_words(rows: pd.DataFrame, causes: dict[int, str]) -> None:
    for column, allowed in _ALLOWED_WORDS.items():
        if column not in rows:
            continue
        rows[column] = rows[column].str.lower().str.replace(r"[\s-]+", "_", regex=True)
        for place in np.flatnonzero(~rows[column].isin(["", *allowed]).to_numpy()):
            causes.setdefault(
                int(place),
                f"{column} is {rows[column].iloc[place]!r}; allowed are {', '.join(allowed)}, or nothing",
            )


def _with_targets(
    rows: pd.DataFrame, causes: dict[int, str], kind: str, targets: tuple[str, ...]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Derive what follows from what is given; rows without a target or a condition it needs get a cause."""
    for column in (*targets, *_NEEDED.get(kind, ()), "temperature_k", "pressure_bar"):
        if column not in rows:
            rows[column] = np.nan
    check_ranges(rows, causes)
    if kind == "hydride_thermodynamics":
        rows = _with_thermodynamics(rows)
    if kind == "hydride_capacity":
        rows = with_definitions(rows)
    for column in _NEEDED.get(kind, ()):
        _blame_rows(rows[column].isna(), causes, f"{column} is missing; the value means nothing without it")
    lacks = f"no value to learn from; give one of {', '.join(targets)}"
    if kind == "hydride_thermodynamics":
        lacks += ", or a plateau pressure near 25 degC, or a pressure and temperature with the enthalpy or entropy"
    _blame_rows(rows[list(targets)].isna().all(axis=1), causes, lacks)
    return rows, causes


def _blame_rows(bad: pd.Series[bool], causes: dict[int, str], cause: str) -> None:
    for place in np.flatnonzero(bad.to_numpy()):
        causes.setdefault(int(place), cause)


def _with_thermodynamics(rows: pd.DataFrame) -> pd.DataFrame:
    """Complete enthalpy, entropy and ln P at 25 degC by van 't Hoff, ln P = dS/R - dH/(R T)."""
    gas_constant = GAS_CONSTANT_J_PER_MOL_K / 1000.0
    temperature = rows["temperature_k"]
    pressure = rows["plateau_pressure_bar"] if "plateau_pressure_bar" in rows else rows["pressure_bar"] * np.nan
    log = np.log(pressure.fillna(rows["pressure_bar"]).where(lambda p: p > 0))
    entropy = rows[_ENTROPY] / 1000.0
    enthalpy = rows[_ENTHALPY].fillna(temperature * (entropy - gas_constant * log))
    entropy = entropy.fillna(enthalpy / temperature + gas_constant * log)
    away = (1.0 / temperature - 1.0 / STANDARD_TEMPERATURE_K) / gas_constant
    near = (temperature - STANDARD_TEMPERATURE_K).abs() <= _NEAR_25C_K
    at_25c = rows[_LN_PRESSURE].fillna(log + enthalpy * away)
    at_25c = at_25c.fillna(entropy / gas_constant - enthalpy / (gas_constant * STANDARD_TEMPERATURE_K))
    return rows.assign(
        **{_ENTHALPY: enthalpy, _ENTROPY: 1000.0 * entropy, _LN_PRESSURE: at_25c.fillna(log.where(near))},
        pressure_bar=pressure.fillna(rows["pressure_bar"]),
    )


def _rejects(rows: pd.DataFrame, causes: dict[int, str]) -> list[RejectedRow]:
    labels = rows["formula"].where(rows["formula"] != "", _word(rows, "name"))
    return [RejectedRow(place + 1, str(labels.iloc[place]), cause) for place, cause in sorted(causes.items())]


def _finished(rows: pd.DataFrame, known: pd.DataFrame, targets: tuple[str, ...]) -> pd.DataFrame:
    """Put the rows into the columns of the training data; what is not given is empty."""
    rows = rows.assign(weight=rows["weight"].fillna(1.0) if "weight" in rows else 1.0)
    if _LN_PRESSURE in targets:
        rows["pressure_weight"] = rows["weight"]
    if _UPTAKE in targets:
        rows["mass_basis"] = _word(rows, "mass_basis").replace({"": "sorbent", "unspecified": "sorbent"})
        rows["uptake_kind"] = _word(rows, "uptake_kind").replace("", "unspecified")
        rows["name"] = _word(rows, "name").where(_word(rows, "name") != "", rows["formula"])
    own = [
        "formula",
        "amounts",
        "composition",
        "chemical_system",
        *targets,
        "source",
        "reference",
        "row",
        "lab_id",
    ]
    finished = rows.reindex(columns=list(dict.fromkeys([*known.columns, *own, *rows.columns])))
    for column in set(finished) - {"amounts"}:
        given = finished[column].notna()
        if column in known and known[column].dtype.kind == "b":
            finished[column] = finished[column].eq(other=True)
        elif column in _TEXTS or (column in known and known[column].dtype.kind not in "fi"):
            finished[column] = finished[column].where(given, "")
    return finished


def _judged(
    rows: pd.DataFrame,
    known: pd.DataFrame,
    champion: Champion | None,
    targets: tuple[str, ...],
    rejects: list[RejectedRow],
    ignored: tuple[str, ...],
    source: str,
) -> AddedRows:
    """Check the values and part the rows into those that train, suspects and repeats."""
    findings: dict[int, Finding] = {}
    for place, column in enumerate(targets[:2]):
        judged = rows[rows[targets[0]].isna()] if place else rows
        findings = {**check_values(judged, column, known, champion), **findings}
    if _CAPACITY in targets:
        settled = {index: found for index, found in findings.items() if not found.trained}
        findings = {**findings, **beyond_metals(rows), **settled}
    labels = rows["formula"].where(rows["formula"] != "", _word(rows, "name"))

    numbers = rows["row"].astype(int)

    def suspects(*, repeat: bool) -> tuple[Suspect, ...]:
        return tuple(
            Suspect(int(numbers[index]), str(labels[index]), found.cause, _action(found), found.trained)
            for index, found in sorted(findings.items())
            if found.repeat is repeat
        )

    trained = pd.Series([index not in findings or findings[index].trained for index in rows.index], dtype=bool)
    if not trained.any() and not any(found.repeat for found in findings.values()):
        reasons = "; ".join(f"row {s.row}: {s.cause}" for s in suspects(repeat=False)[:3])
        raise InputError(f"none of the {len(rows)} rows that can be read may train: {reasons}; correct the table")
    return AddedRows(
        rows=rows[trained].reset_index(drop=True),
        record=rows.assign(trained=trained),
        suspects=suspects(repeat=False),
        rejects=tuple(rejects),
        repeats=suspects(repeat=True),
        ignored=ignored,
        source=source,
    )


def _action(found: Finding) -> str:
    if found.repeat:
        return "counted once"
    return "kept with this note" if found.trained else "kept out of training"
