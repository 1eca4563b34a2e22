"""Read rows of measurements: long or wide, each value in its canonical unit with all that it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hstore.errors import HstoreError, InputError, unknown_name
from hstore.formula import ParsedFormula, parse_formula
from hstore.properties import PROPERTIES, get_property
from hstore.records import Basis, Conditions
from hstore_workflows.measure.cells import (
    EMPTY,
    SHOWN,
    belongs,
    finite,
    is_yes,
    read_day,
    shown_material,
    standard_deviation,
)
from hstore_workflows.measure.plausible import doubt
from hstore_workflows.measure.units import Header, property_header, read_header
from hstore_workflows.tables import SURPLUS_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

CONDITIONS = tuple(Conditions.model_fields)
"""Conditions that a row may state."""
WORDS = {
    "material_id": "identifier of a material that you may see",
    "formula": "composition, where there is no material_id",
    "property": "property of the column value",
    "value": "number, in the unit of the column unit or that of the property",
    "unit": "unit of the column value",
    "standard_deviation": "of the column value, in its unit",
    "capacity_definition": "maximum, reversible or usable",
    "mass_basis": "hydrogenated_material, host, sorbent or sorbent_plus_h2",
    "uptake_kind": "excess, absolute or total",
    "measured_on": "day, as 2026-11-30",
    "sample": "sample, in your own words",
    "instrument": "instrument, in your own words",
    "note": "anything a reader must know",
    "reference": "DOI, where it is published",
    "licence": "licence, an SPDX identifier where there is one",
    "row_id": "your own name for the row; told again it is the same row",
    "confirmed": "yes, where a value that can hardly be true is true",
}
"""Columns of words -> what they hold."""
DEFAULT_BASIS = {
    "h2_capacity_wt_pct": Basis(capacity_definition="maximum", mass_basis="hydrogenated_material"),
    "h2_uptake_wt_pct": Basis(mass_basis="sorbent_plus_h2"),
    "usable_capacity_wt_pct": Basis(mass_basis="sorbent_plus_h2"),
}
"""Property -> what its definition says where a row does not."""
PER_SORBENT = Basis(mass_basis="sorbent")
"""Basis of an uptake in mmol/g and the like: per gram of empty sorbent."""
MAX_TEXT = 2000
"""Most characters of a cell."""
MAX_NAME = 200
"""Most characters of a name: of a row, a sample, an instrument or a licence."""

_ALIASES = {
    "doi": "reference",
    "license": "licence",
    "std": "standard_deviation",
    "value_std": "standard_deviation",
}
_COLUMNS = (*PROPERTIES, *CONDITIONS)
_BASIS_WORDS = {
    "capacity_definition": ("maximum", "reversible", "usable"),
    "mass_basis": ("hydrogenated_material", "host", "sorbent", "sorbent_plus_h2"),
    "uptake_kind": ("excess", "absolute", "total"),
}
_UPTAKES = frozenset({"h2_uptake_wt_pct", "usable_capacity_wt_pct"})
_HEADERS_KEPT = 1000


@dataclass(frozen=True)
class Subject:
    """What a row says besides its values."""

    place: int
    """Number of the row, from 1."""
    named: str
    """Material or formula as written, shortened."""
    material_id: str = ""
    """Material it names."""
    formula: str = ""
    """Formula it gives."""
    parsed: ParsedFormula | None = None
    """The formula, read."""
    measured_on: date | None = None
    """Day of the measurement."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Sample, instrument, note, reference, licence and row_id, those that are filled."""
    confirmed: bool = False
    """True where it says that it is true, however unlikely."""
    notes: tuple[str, ...] = ()
    """Remarks on the formula and conversions of conditions."""


@dataclass(frozen=True)
class Value:
    """One value of one row."""

    subject: Subject
    """The row."""
    property: str
    """Canonical property name."""
    value: float
    """Value in the canonical unit."""
    standard_deviation: float | None
    """Its standard deviation."""
    conditions: Conditions
    """State at which it holds."""
    basis: Basis
    """Definitions it follows."""
    notes: tuple[str, ...]
    """What was converted or taken for granted."""


@dataclass(frozen=True)
class Unusable:
    """A value, or a row, that cannot be used."""

    place: int
    """Number of the row, from 1."""
    named: str
    """Material or formula as written, shortened."""
    cause: str
    """Why, and what to do."""
    property: str = ""
    """Property it would have been of."""


@dataclass(frozen=True)
class _Headers:
    """What the headers of a row mean."""

    quantities: Mapping[str, Header]
    """Header -> property or condition it gives."""
    ignored: tuple[str, ...]
    """Headers that are not read."""
    unknown_units: Mapping[str, str]
    """Header -> what is wrong with its unit."""


class RowReader:
    """Reads rows whose columns may differ from row to row."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _Headers] = {}
        self._ignored: dict[str, None] = {}

    @property
    def ignored(self) -> tuple[str, ...]:
        """Headers that were not read, in the order in which they came."""
        return tuple(self._ignored)

    def read(self, place: int, cells: Mapping[str, str]) -> Iterator[Value | Unusable]:
        """Read a row; one that cannot be used at all gives one cause, else each value stands or falls alone.

        Args:
            place: number of the row, from 1.
            cells: header -> cell as text.
        """
        named = shown_material(cells)
        try:
            cells = {_ALIASES.get(name, name): text for name, text in cells.items()}
            headers = self._headers(tuple(cells))
            subject = _subject(place, cells)
            told = _told(cells, headers)
            conditions, notes = _conditions(cells, headers)
        except HstoreError as error:
            yield Unusable(place, named, str(error))
            return
        alone = {told[0][0]: "standard_deviation"} if len(told) == 1 else {}
        for name, header in told:
            try:
                std = f"{name}_std" if cells.get(f"{name}_std") else alone.get(name, "")
                yield _value(subject, cells, (name, header, std), dict(conditions), notes)
            except HstoreError as error:
                yield Unusable(place, named, str(error), header.column)

    def _headers(self, names: tuple[str, ...]) -> _Headers:
        found = self._known.get(names)
        if found is None:
            if len(self._known) >= _HEADERS_KEPT:  # rows of JSON may each have columns of their own
                self._known.clear()
            found = self._known[names] = _read_headers(names)
            self._ignored |= dict.fromkeys(found.ignored)
        return found


def _read_headers(names: tuple[str, ...]) -> _Headers:
    quantities: dict[str, Header] = {}
    ignored, unknown = [], {}
    for name in names:
        if name in WORDS or name == SURPLUS_COLUMN:
            continue
        try:
            header = read_header(name, _COLUMNS)
        except InputError as error:
            unknown[name] = str(error)
            continue
        if header is not None:
            quantities[name] = header
        elif not belongs(name, names):
            ignored.append(name[:SHOWN])
    return _Headers(quantities, tuple(ignored), unknown)


def _subject(place: int, cells: Mapping[str, str]) -> Subject:
    """Read what a row says besides its values."""
    if surplus := cells.get(SURPLUS_COLUMN):
        raise InputError(f"more cells than the header has columns ({surplus}); quote cells with commas")
    for name, text in cells.items():
        if len(text) > MAX_TEXT or "\x00" in text:
            raise InputError(f"{name[:SHOWN]} must be text of up to {MAX_TEXT} characters without NUL; shorten it")
    material_id, formula = cells.get("material_id", ""), cells.get("formula", "")
    if not material_id and not formula:
        raise InputError("names no material; give material_id or formula")
    parsed = parse_formula(formula) if formula else None
    if parsed is not None and set(parsed.amounts) == {"H"}:
        raise InputError(f"{formula!r} is hydrogen without a host; give the hydride or its host")
    words = ("sample", "instrument", "note", "reference", "licence", "row_id")
    said = {name: cells[name] for name in words if cells.get(name)}
    for name in ("sample", "instrument", "licence", "row_id"):
        if len(said.get(name, "")) > MAX_NAME:
            raise InputError(f"{name} has {len(said[name])} characters; give up to {MAX_NAME}")
    return Subject(
        place,
        shown_material(cells),
        material_id,
        formula,
        parsed,
        read_day(cells.get("measured_on", "")),
        said,
        is_yes(cells.get("confirmed", "")),
        parsed.notes if parsed else (),
    )


def _told(cells: Mapping[str, str], headers: _Headers) -> list[tuple[str, Header]]:
    """Return header of a value -> property it gives, of all values that a row tells."""
    for header, cause in headers.unknown_units.items():
        if cells.get(header):
            raise InputError(cause)
    found = [
        (name, header)
        for name, header in headers.quantities.items()
        if header.column in PROPERTIES and cells.get(name, "").lower() not in EMPTY
    ]
    given, unit = cells.get("value", ""), cells.get("unit", "")
    if given.lower() not in EMPTY:
        if not cells.get("property"):
            raise InputError("the column value has no property; name it in the column property")
        found.append(("value", property_header(cells["property"], unit)))
    elif cells.get("property"):
        property_header(cells["property"], unit or "any")
        raise InputError(f"{cells['property']} has no value; give one in the column value")
    columns = [header.column for _, header in found]
    if twice := next((column for column in columns if columns.count(column) > 1), ""):
        raise InputError(f"two columns give {twice}; leave one empty")
    if not found:
        unread = f"; not read: {', '.join(headers.ignored[:5])}" if headers.ignored else ""
        raise InputError(
            "tells no value; give property and value, or a column named after a property, such as "
            f"h2_capacity_wt_pct{unread}"
        )
    return found


def _conditions(cells: Mapping[str, str], headers: _Headers) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the conditions of a row in canonical units, and what was converted."""
    found: dict[str, float] = {}
    notes = []
    for name, header in headers.quantities.items():
        text = cells.get(name, "")
        if header.column not in CONDITIONS or text.lower() in EMPTY:
            continue
        if header.column in found:
            raise InputError(f"two columns give {header.column}, one of them {name!r}; leave one empty")
        converted = header.convert(finite(name, text), cells.get(f"{name}_unit", ""))
        found[header.column] = _believable(header.column, converted.value)
        notes += [converted.note] if converted.note else []
    return found, tuple(notes)


def _believable(name: str, value: float) -> float:
    kelvin = name.endswith("temperature_k")
    high = 5000.0 if kelvin else 1e7
    if not (0 < value <= high if kelvin else 0 <= value <= high):
        allowed = f"above 0 and at most {high:g} K" if kelvin else f"from 0 to {high:g} bar"
        raise InputError(f"{name} must be {allowed}, got {value:g}; check the value and its unit")
    return value


def _value(
    subject: Subject,
    cells: Mapping[str, str],
    told: tuple[str, Header, str],
    conditions: dict[str, float],
    notes: tuple[str, ...],
) -> Value:
    """Read one value, given its header, what that means, and the header of its standard deviation."""
    name, header, given = told
    unit = cells.get("unit" if name == "value" else f"{name}_unit", "")
    column, convert = header.column, partial(_canonical, header, unit)
    converted = header.convert(finite(name, cells[name]), unit)
    if cause := doubt(column, converted.value, None):
        raise InputError(cause)
    if converted.temperature_k is not None:
        conditions.setdefault("temperature_k", converted.temperature_k)
    lacking = [wanted for wanted in get_property(column).conditions if wanted not in conditions]
    if lacking:
        raise InputError(f"{column} means nothing without {', '.join(lacking)}; add what is missing as a column")
    std = standard_deviation(cells, name, convert, given=given)
    basis, assumed = _basis(cells, column, converted=bool(converted.note))
    said = (*subject.notes, *((converted.note,) if converted.note else ()), *notes, *assumed)
    return Value(subject, column, converted.value, std, Conditions(**conditions), basis, said)


def _canonical(header: Header, unit: str, value: float) -> float:
    return header.convert(value, unit).value


def _basis(cells: Mapping[str, str], column: str, *, converted: bool) -> tuple[Basis, list[str]]:
    """Return the definitions of a value, and what was taken for granted where the row does not state them."""
    stated = {}
    for name, allowed in _BASIS_WORDS.items():
        word = cells.get(name, "").lower().replace(" ", "_")
        if word and word not in allowed:
            raise unknown_name(name, cells[name][:SHOWN], allowed)
        if word:
            stated[name] = word
    usual = PER_SORBENT if converted and column in _UPTAKES else DEFAULT_BASIS.get(column, Basis())
    taken = {k: v for k, v in usual.model_dump(exclude_none=True).items() if k not in stated}
    assumed = [f"{name} taken as {word}" for name, word in taken.items()]
    if column == "h2_uptake_wt_pct" and "uptake_kind" not in stated:
        assumed.append("uptake_kind is not stated, so it can be compared with no other uptake")
    return Basis(**stated, **taken), assumed
