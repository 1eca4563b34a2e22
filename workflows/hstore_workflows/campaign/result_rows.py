"""Read one table of results: which column gives what, and each row in canonical units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import PROPERTIES
from hstore_workflows.campaign.entry import Told
from hstore_workflows.campaign.labs import check_lab_name
from hstore_workflows.measure.cells import (
    EMPTY,
    EMPTY_BESIDE,
    SHOWN,
    belongs,
    finite,
    is_number,
    shown_material,
    standard_deviation,
)
from hstore_workflows.measure.units import Header, read_header
from hstore_workflows.tables import SURPLUS_COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.pool import CampaignPool

FAILED = "failed"
"""Word in place of a value, or column, for a synthesis that did not succeed."""
CONDITIONS = tuple(sorted({name for entry in PROPERTIES.values() for name in entry.conditions}))
"""Conditions that results may state, and a campaign may fix."""

_NO = frozenset({"", "no", "false", "0", "none"})
_YES = frozenset({"yes", "true", "1"})
_NUMBER = f"a number or {FAILED!r}"
_FAILED_HINT = f"write {FAILED!r} if the synthesis failed"
_WORDS = ("material_id", "formula", "unit", "lab", "replicate", "note", "why", "corrects", "retracts", FAILED)
_Numbers: TypeAlias = "dict[str, float]"
_TEMPERATURE_SLACK_K = 2.0
_CONDITION_SLACK = 0.02


@dataclass(frozen=True)
class Row:
    """One readable row."""

    place: int
    """Number of the data row, from 1."""
    named: str
    """Material or formula as written, shortened."""
    told: Told
    """What it says."""
    material_id: str = ""
    """Material it names; empty where it gives a formula or a number of an experiment only."""
    composition: str = ""
    """Canonical formula it gives; empty where it names the material."""
    corrects: int | None = None
    """Number of the experiment that it corrects."""
    retracts: int | None = None
    """Number of the experiment that it retracts."""
    why: str = ""
    """Why it corrects or retracts."""


@dataclass(frozen=True)
class ResultTable:
    """What the headers of a table mean for one campaign."""

    config: CampaignConfig
    """The campaign."""
    headers: Mapping[str, Header]
    """Header -> the column it gives."""
    ignored: tuple[str, ...]
    """Headers that are not read."""
    unknown_units: Mapping[str, str] = field(default_factory=dict)
    """Header -> what is wrong with its unit; rows that fill it are rejected."""

    def row(self, place: int, cells: Mapping[str, str], *, lab: str, source: str, at: str) -> Row:
        """Read a row.

        Args:
            place: number of the data row, from 1.
            cells: header -> cell as text.
            lab: who measured, where the row does not say.
            source: where the table came from.
            at: time it is told.

        Raises:
            InputError: it cannot be used; the message says why.
        """
        if surplus := cells.get(SURPLUS_COLUMN):
            raise InputError(f"more cells than the header has columns ({surplus}); quote cells with commas")
        for header, cause in self.unknown_units.items():
            if cells.get(header):
                raise InputError(cause)
        corrects, retracts = (_number_of(cells.get(name, ""), name) for name in ("corrects", "retracts"))
        failed = self._failed(cells)
        values, stds, conditions, notes = self._numbers(cells) if failed is None else ({}, {}, {}, [])
        if not values and failed is None and retracts is None:
            raise InputError(
                f"no value of {' or '.join(self.config.objective.columns)}, and not marked as {FAILED!r}; "
                "give one of them"
            )
        self._check_conditions(conditions)
        if failed is not None:
            notes += [f"{name} {cells[name]} not used" for name in self.headers if is_number(cells.get(name, ""))]
        notes += [cells["note"]] if cells.get("note") else []
        by = check_lab_name(cells["lab"]) if cells.get("lab") else lab
        told = Told(
            values, stds, failed, by, at, source, tuple(notes), conditions,
            cells.get("replicate", ""),
        )  # fmt: skip
        composition = (
            "" if cells.get("material_id") or not cells.get("formula") else _composition(cells["formula"])
        )
        why = cells.get("why", "") or cells.get("note", "")
        material = cells.get("material_id", "")
        return Row(place, shown_material(cells), told, material, composition, corrects, retracts, why)

    def _failed(self, cells: Mapping[str, str]) -> str | None:
        """Return the cause of a failed synthesis, or None where it did not fail."""
        text = cells.get(FAILED, "")
        if text.lower() not in _NO:
            return "" if text.lower() in _YES else text
        for header, given in self.headers.items():
            word, _, cause = cells.get(header, "").partition(":")
            if word.strip().lower() == FAILED and given.column in self.config.objective.columns:
                return cause.strip()
        return None

    def _numbers(self, cells: Mapping[str, str]) -> tuple[_Numbers, _Numbers, _Numbers, list[str]]:
        """Return values, standard deviations and conditions in canonical units, and what was converted."""
        values: _Numbers = {}
        stds: _Numbers = {}
        conditions: _Numbers = {}
        notes: list[str] = []
        for name, header in self.headers.items():
            text = cells.get(name, "")
            if text.lower() in EMPTY:
                continue
            held = values if header.column in self.config.objective.columns else conditions
            if header.column in held:
                raise InputError(f"two columns give {header.column}, one of them {name!r}; leave one empty")
            unit = cells.get("unit" if name == "value" else f"{name}_unit", "")
            canonical = partial(_canonical, header, unit)
            converted = header.convert(finite(name, text, allowed=_NUMBER, otherwise=_FAILED_HINT), unit)
            held[header.column] = converted.value
            notes += [converted.note] if converted.note else []
            if converted.temperature_k is not None:
                conditions.setdefault("temperature_k", converted.temperature_k)
            if held is values and (std := standard_deviation(cells, name, canonical)):
                stds[header.column] = std
        return values, stds, conditions, notes

    def _check_conditions(self, stated: Mapping[str, float]) -> None:
        for name, value in stated.items():
            wanted = self.config.conditions.get(name)
            if wanted is None:
                continue
            slack = _TEMPERATURE_SLACK_K if name.endswith("temperature_k") else _CONDITION_SLACK * abs(wanted)
            if abs(value - wanted) > slack:
                raise InputError(
                    f"measured at {name} {value:g}, and this campaign compares at {wanted:g}; measure there, or "
                    "convert the value to it"
                )


def read_headers(headers: Iterable[str], config: CampaignConfig, *, source: str) -> ResultTable:
    """Say what the headers of a table mean.

    Raises:
        InputError: nothing names the material, or nothing says what was measured.
    """
    names = [str(name) for name in headers]
    found: dict[str, Header] = {}
    ignored, unknown = [], {}
    columns = (*config.objective.columns, *CONDITIONS)
    for name in names:
        if name in _WORDS:
            continue
        try:
            header = Header(config.objective.main.column, name) if name == "value" else read_header(name, columns)
        except InputError as error:
            unknown[name] = str(error)
            continue
        if header is not None:
            found[name] = header
        elif not belongs(name, names) and name != SURPLUS_COLUMN:
            ignored.append(name)
    measured = {header.column for header in found.values()} & set(config.objective.columns)
    said = measured or unknown or {FAILED, "retracts"} & set(names)
    if not said or not {"material_id", "formula", "corrects", "retracts"} & set(names):
        raise InputError(
            f"{source} needs a column material_id or formula and a column value (or "
            f"{', '.join(config.objective.columns)}), got {', '.join(names)}; rename them"
        )
    return ResultTable(config, found, tuple(ignored), unknown)


def find_material(row: Row, pool: CampaignPool, prefer: Iterable[Callable[[str], bool]]) -> str:
    """Return the material of the pool that a row means.

    Args:
        row: names a material or gives a formula.
        pool: materials that can be meant.
        prefer: where a formula fits several materials, those for which the first test holds that holds for any.

    Raises:
        InputError: none, or several.
    """
    if row.material_id:
        if row.material_id not in pool.rows:
            raise InputError(f"material {row.named!r} is not in the campaign's pool; check its spelling")
        return row.material_id
    if not row.composition:
        raise InputError("names no material; give material_id or formula")
    ids = [str(m) for m in pool.frame["material_id"].to_numpy()[pool.of_composition(row.composition)]]
    if not ids:
        raise InputError(f"nothing of composition {row.named!r} is in the campaign's pool; check its spelling")
    if len(ids) == 1:
        return ids[0]
    for test in prefer:
        if meant := [material for material in ids if test(material)]:
            ids = meant
            break
    if len(ids) > 1:
        raise InputError(f"{row.named!r} fits {len(ids)} materials ({', '.join(ids[:4])}); give the material_id")
    return ids[0]


def _canonical(header: Header, unit: str, value: float) -> float:
    return header.convert(value, unit).value


def _composition(formula: str) -> str:
    return canonical_formula(parse_amounts(formula))


def _number_of(text: str, name: str) -> int | None:
    if text.lower() in EMPTY_BESIDE:
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name} must be the number of an experiment, got {text[:SHOWN]!r}") from error
