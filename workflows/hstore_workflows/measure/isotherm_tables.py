"""Isotherms in files: CSV with one point in a row and what they share above or in columns, or AIF."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from hstore.errors import HstoreError, InputError
from hstore_models.added_columns import normalised
from hstore_workflows.measure.aif import looks_like_aif, read_aif
from hstore_workflows.measure.cells import EMPTY, finite, is_yes, read_day
from hstore_workflows.measure.csv_rows import check_csv, csv_rows
from hstore_workflows.measure.isotherm_units import pressure_scale, uptake_scale
from hstore_workflows.measure.isotherms import ToldIsotherm
from hstore_workflows.measure.rows import Unusable
from hstore_workflows.measure.units import read_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORDS = (
    "material_id", "formula", "uptake_kind", "mass_basis", "branch", "measured_on", "sample", "instrument", "note",
    "reference", "licence", "row_id", "confirmed",
)  # fmt: skip
"""What isotherms of a table are told apart by, besides their temperature."""

MOST_ISOTHERMS = 100
"""Most isotherms of one table."""

_STATED = re.compile(rb"#\s*([A-Za-z_0-9]+)\s*[:=]\s*(.*)")
_MOST_STATED = 50
_UNITS_OF_UPTAKE = {
    "wt_pct": "wt%", "mmol_g": "mmol/g", "mol_kg": "mol/kg", "cm3_stp_g": "cm3(STP)/g", "mg_g": "mg/g",
    "g_g": "g/g", "h_m": "H/M",
}  # fmt: skip
_SHOWN = 200


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table give what."""

    pressure: str
    pressure_unit: str
    uptake: str
    uptake_unit: str
    temperature: str


def read_isotherms(
    stream: IO[bytes], *, most: int = MOST_ISOTHERMS, unless_stated: Mapping[str, str] = MappingProxyType({})
) -> list[ToldIsotherm | Unusable]:
    """Read the isotherms of a table or of an AIF file, which is known by its first words.

    Lines such as ``# formula: LaNi5`` above the header hold for all. Rows that agree in all words and in their
    temperature are points of one isotherm; one with a point that cannot be read is refused as a whole.

    Args:
        stream: the table, CSV, or the AIF file.
        most: most isotherms of one table.
        unless_stated: words that hold where the table does not state them.

    Raises:
        InputError: it is no CSV, has no columns for pressure, uptake and temperature, or too many isotherms.
        MissingExtraError: it is an AIF file and gemmi is not installed.
    """
    stream.seek(0)
    body = stream.read()
    if looks_like_aif(body):
        return _at_most(most, read_aif(body, unless_stated=unless_stated))
    above, table = _above(body)
    stated = {**unless_stated, **above}
    check_csv(table)
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    columns: _Columns | None = None
    for cells in csv_rows(table):
        row = stated | {name: text for name, text in cells.items() if text or name not in stated}
        columns = columns or _columns(row)
        key = (*(row.get(name, "") for name in WORDS), row.get(columns.temperature, ""))
        groups.setdefault(key, []).append(row)
        if len(groups) > most:
            raise InputError(
                f"the table has over {most} isotherms; give points of one the same words and temperature"
            )
    assert columns is not None
    return [_isotherm(place, rows, columns) for place, rows in enumerate(groups.values(), 1)]


def _at_most(most: int, told: list[ToldIsotherm | Unusable]) -> list[ToldIsotherm | Unusable]:
    if len(told) > most:
        raise InputError(f"the file has {len(told)} isotherms, at most {most} are taken at once; split it")
    return told


def _above(body: bytes) -> tuple[dict[str, str], IO[bytes]]:
    """Return what is stated above the table, and the table."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    stated: dict[str, str] = {}
    while found := re.match(rb"\s*(#[^\n]*)(?:\n|\Z)", body):
        line = _STATED.fullmatch(found.group(1).strip())
        if line is not None and len(stated) < _MOST_STATED:
            stated[line.group(1).decode()] = line.group(2).decode(errors="replace").strip()
        body = body[found.end() :]
    return stated, io.BytesIO(body)


def _columns(row: Mapping[str, str]) -> _Columns:
    """Find the columns by the header and what is stated above it.

    Raises:
        InputError: one is missing or stands twice, or a unit is not known.
    """
    pressure = _only("pressure", "pressure_bar", _of_quantity(row, "pressure", "pressure_bar"), row)
    temperature = _only("temperature", "temperature_k", _of_quantity(row, "temperature", "temperature_k"), row)
    uptakes = [name for name in row if _unit_of_uptake(name) is not None]
    uptake = _only("uptake", "uptake_mmol_g, or uptake with uptake_unit", uptakes, row)
    unit = _unit_of_uptake(uptake) or row.get("uptake_unit", "")
    pressure_unit = normalised(pressure).removeprefix("pressure").strip("_") or row.get("pressure_unit", "")
    pressure_scale(pressure_unit)
    if unit != "H/M":  # needs the formula, which may differ from isotherm to isotherm
        uptake_scale(unit, {})
    return _Columns(pressure, pressure_unit, uptake, unit, temperature)


def _of_quantity(row: Mapping[str, str], quantity: str, column: str) -> list[str]:
    return [name for name in row if name in {quantity, column} or _gives(name, column)]


def _gives(name: str, column: str) -> bool:
    header = None if name.endswith("_unit") else read_header(name, (column,))
    return header is not None and header.column == column


def _unit_of_uptake(name: str) -> str | None:
    """Return the unit that the header of an uptake states, empty where it states none; None for other headers."""
    short = normalised(name).removeprefix("h2_")
    if not short.startswith("uptake") or short in {"uptake_unit", "uptake_kind"}:
        return None
    unit = short.removeprefix("uptake").strip("_")
    return _UNITS_OF_UPTAKE.get(unit, unit)


def _only(quantity: str, such_as: str, found: Sequence[str], row: Mapping[str, str]) -> str:
    if len(found) != 1:
        got = ", ".join(found or row)[:_SHOWN]
        raise InputError(f"exactly one column gives the {quantity}, such as {such_as}; got {got}")
    return found[0]


def _isotherm(place: int, rows: Sequence[Mapping[str, str]], columns: _Columns) -> ToldIsotherm | Unusable:
    first = rows[0]
    try:
        header = read_header(columns.temperature, ("temperature_k",))
        if header is None:
            raise InputError("the column temperature has no unit; name it temperature_k or temperature_c")
        words = {name: first[name] for name in WORDS if first.get(name, "").lower() not in EMPTY}
        measured_on, confirmed = read_day(words.pop("measured_on", "")), is_yes(words.pop("confirmed", ""))
        if "uptake_kind" not in words:
            raise InputError("uptake_kind is needed: excess, absolute or total")
        names = (columns.pressure, columns.uptake)
        points = [tuple(finite(name, row.get(name, "")) for name in names) for row in rows]
        return ToldIsotherm(
            points,
            header.convert(finite(columns.temperature, first.get(columns.temperature, ""))).value,
            words.pop("uptake_kind"),
            pressure_unit=columns.pressure_unit,
            uptake_unit=columns.uptake_unit,
            measured_on=measured_on,
            confirmed=confirmed,
            **words,
        )
    except HstoreError as error:
        return Unusable(place, (first.get("material_id") or first.get("formula", ""))[:80], str(error))
