"""What materials are sought by: slim tables beside the records, written in the transaction that writes those.

``material_index`` has what filters ask of a material itself, ``material_elements`` its elements, and
``material_numbers`` its numbers by name: descriptors, measurements and predictions, each with the access of the
record it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, insert, literal, select, true, update

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.records import Kind
from hstore.store.queries import PAGE_ROWS, in_pieces, live
from hstore.store.schema import (
    MaterialElementRow,
    MaterialIndexRow,
    MaterialNumberRow,
    MaterialRow,
    MeasurementRow,
    PredictionRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Insert, Select

DESCRIPTOR = "descriptor"
"""Kind of a number that the source of a material supplies."""

KINDS = (Kind.MEASURED.value, Kind.COMPUTED.value, DESCRIPTOR, Kind.PREDICTED.value)
"""Kinds of a number; where a material has several, the first of these counts."""

MAX_NAME = 200
"""Longest name of a number, and most characters kept of a source: indexes have no place for more."""

_PLACES = {symbol: place for place, symbol in enumerate(ATOMIC_MASS_G_PER_MOL)}
"""Bit of each element: its atomic number less one."""

_LOW_BITS = 60
_LOW_MASK = (1 << _LOW_BITS) - 1


def element_masks(symbols: Iterable[str]) -> tuple[int, int]:
    """Return a set of elements as bits of two numbers, as the columns of ``material_index`` hold them."""
    bits = sum(1 << _PLACES[symbol] for symbol in set(symbols))
    return bits & _LOW_MASK, bits >> _LOW_BITS


def other_elements(symbols: Iterable[str]) -> tuple[int, int]:
    """Return all elements but some, as :func:`element_masks` does."""
    return element_masks(_PLACES.keys() - set(symbols))


def index_materials(connection: Connection, values: Collection[Mapping[str, Any]]) -> None:
    """Write what materials are sought by, in place of what was there.

    Args:
        connection: in a transaction that writes.
        values: columns of materials, as :func:`hstore.store.rows.material_values` gives them.
    """
    ordered = sorted(values, key=lambda row: row["material_id"])
    names = [row["material_id"] for row in ordered]
    _delete_materials(connection, names)
    if not ordered:
        return
    indexed = [_index_values(row) for row in ordered]
    connection.execute(insert(table_of(MaterialIndexRow)), indexed)
    elements = [found for row in indexed for found in _element_values(row)]
    connection.execute(insert(table_of(MaterialElementRow)), elements)
    pairs = zip(ordered, indexed, strict=True)
    if descriptors := [found for row, shared in pairs for found in _descriptor_values(row, shared)]:
        connection.execute(insert(table_of(MaterialNumberRow)), descriptors)
    _repeat_filters(connection, names)


def index_measurements(connection: Connection, measurement_ids: Collection[str]) -> None:
    """Write the numbers of some measurements, in place of what was there; but not of those taken back."""
    for names in in_pieces(measurement_ids):
        chosen = MeasurementRow.measurement_id.in_(names)
        materials = select(MeasurementRow.material_id).where(chosen)
        _delete_numbers(connection, materials, names, predicted=False)
        connection.execute(_insertion(_measured(chosen)))


def index_predictions(connection: Connection, prediction_ids: Collection[str]) -> None:
    """Write the numbers of some predictions, in place of what was there."""
    for names in in_pieces(prediction_ids):
        chosen = PredictionRow.prediction_id.in_(names)
        materials = select(PredictionRow.material_id).where(chosen)
        _delete_numbers(connection, materials, names, predicted=True)
        connection.execute(_insertion(_predicted(chosen)))


def rebuild(connection: Connection) -> None:
    """Write all three tables anew from the records."""
    for row in (MaterialNumberRow, MaterialElementRow, MaterialIndexRow):
        connection.execute(delete(table_of(row)))
    for page in _stored_materials(connection):
        index_materials(connection, page)
    for found in (_measured(true()), _predicted(true())):
        connection.execute(_insertion(found))


_ACCESS_COLUMNS = ("lab_id", "visibility", "embargo_until")
_REPEATED = ("family", "known", "n_elements", "elements_low", "elements_high")
_NUMBER_COLUMNS = ("material_id", "name", "kind", "origin", "value", *_ACCESS_COLUMNS, *_REPEATED)
_COPIED = ("material_id", "formula", "name", "composition", "chemical_system", "family", "known", *_ACCESS_COLUMNS)


def _index_values(row: Mapping[str, Any]) -> dict[str, Any]:
    elements = row["chemical_system"].split("-")
    low, high = element_masks(elements)
    return {name: row[name] for name in _COPIED} | {
        "n_elements": len(elements),
        "elements_low": low,
        "elements_high": high,
        "source": row["provenance"]["source"][:MAX_NAME],
        "has_structure": row["structure"] is not None,
        "words": f"{row['formula']}\n{row['name']}".lower(),
    }


def _delete_materials(connection: Connection, names: Sequence[str]) -> None:
    """Delete what materials themselves are sought by; numbers of measurements and predictions stay."""
    number = table_of(MaterialNumberRow)
    for piece in in_pieces(names):
        for row in (MaterialIndexRow, MaterialElementRow):
            connection.execute(delete(row).where(row.material_id.in_(piece)))
        own = number.c.material_id.in_(piece)
        connection.execute(delete(number).where(own, number.c.kind == DESCRIPTOR))


def _element_values(indexed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shared = {name: indexed[name] for name in ("material_id", *_ACCESS_COLUMNS, *_REPEATED)}
    for element in indexed["chemical_system"].split("-"):
        yield {**shared, "element": element}


def _descriptor_values(row: Mapping[str, Any], indexed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shared = {name: indexed[name] for name in ("material_id", *_ACCESS_COLUMNS, *_REPEATED)}
    for name, value in row["descriptors"].items():
        if len(name) <= MAX_NAME:
            yield {**shared, "kind": DESCRIPTOR, "origin": "", "name": name, "value": value}


def _repeat_filters(connection: Connection, names: Sequence[str]) -> None:
    """Repeat what filters ask of materials beside their measurements and predictions."""
    index, number = table_of(MaterialIndexRow), table_of(MaterialNumberRow)
    same = index.c.material_id == number.c.material_id
    changes = {name: select(index.c[name]).where(same).scalar_subquery() for name in _REPEATED}
    for piece in in_pieces(names):
        others = (number.c.material_id.in_(piece), number.c.kind != DESCRIPTOR)
        connection.execute(update(number).where(*others).values(changes))


def _insertion(found: Select[Any]) -> Insert:
    return insert(table_of(MaterialNumberRow)).from_select(_NUMBER_COLUMNS, found)


def _delete_numbers(
    connection: Connection, materials: Select[Any], origins: Sequence[str], *, predicted: bool
) -> None:
    """Delete the numbers of some origins.

    Labs choose the names of their measurements, so one may be named as a prediction is: kinds are kept apart.
    """
    number = table_of(MaterialNumberRow)
    is_predicted = number.c.kind == Kind.PREDICTED.value
    of_kind = is_predicted if predicted else ~is_predicted
    own = number.c.material_id.in_(materials)
    connection.execute(delete(number).where(own, number.c.origin.in_(origins), of_kind))


def _measured(chosen: ColumnElement[bool]) -> Select[Any]:
    """Select the numbers of measurements, as :func:`hstore.store.queries.select_measurements` leaves them."""
    row = MeasurementRow
    computed = row.kind == Kind.COMPUTED.value
    kind = case((computed, literal(Kind.COMPUTED.value)), else_=literal(Kind.MEASURED.value))
    return _number_of(row, kind, row.measurement_id).where(chosen, live(row))


def _predicted(chosen: ColumnElement[bool]) -> Select[Any]:
    kind = literal(Kind.PREDICTED.value)
    return _number_of(PredictionRow, kind, PredictionRow.prediction_id).where(chosen)


def _number_of(row: type[MeasurementRow | PredictionRow], kind: ColumnElement[str], origin: Any) -> Select[Any]:
    """Select the columns of numbers, in the order of ``_NUMBER_COLUMNS``."""
    access = [getattr(row, name) for name in _ACCESS_COLUMNS]
    repeated = [getattr(MaterialIndexRow, name) for name in _REPEATED]
    columns: list[Any] = [row.material_id, row.property, kind, origin, row.value, *access, *repeated]
    return select(*columns).join(MaterialIndexRow, MaterialIndexRow.material_id == row.material_id)


def _stored_materials(connection: Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield the columns of stored materials that are indexed, a page at a time."""
    row = MaterialRow
    columns = [getattr(row, name) for name in (*_COPIED, "descriptors", "provenance")]
    present = case((row.structure.is_not(None), True)).label("structure")
    statement = select(*columns, present).order_by(row.material_id).limit(PAGE_ROWS)
    following = statement
    while True:
        page = [dict(found) for found in connection.execute(following).mappings()]
        yield page
        if len(page) < PAGE_ROWS:
            return
        following = statement.where(row.material_id > page[-1]["material_id"])
