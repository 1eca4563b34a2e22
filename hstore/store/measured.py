"""Measurements of labs: pages with filters, values to compare, and writing what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, true
from sqlalchemy.orm import Session

from hstore.records import Basis, Conditions
from hstore.store import writing
from hstore.store.lab_records import LabRecords, State
from hstore.store.queries import identities, in_pieces, live, visible
from hstore.store.rows import measurement_record
from hstore.store.schema import MaterialRow, MeasurementRow, PredictionRow, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Select

    from hstore.records import Material, Measurement, Scope
    from hstore.store.database import Database


@dataclass(frozen=True)
class MeasurementFilter:
    """Which measurements are asked for; empty fields do not filter."""

    material_id: str | None = None
    """Of this material."""
    composition: str | None = None
    """Of materials of this canonical formula."""
    property: str | None = None
    """Of this property."""
    lab_id: str | None = None
    """Of this lab."""
    measured_from: date | None = None
    """Measured on this day or later."""
    measured_to: date | None = None
    """Measured on this day or earlier."""
    include_replaced: bool = False
    """Also those that were corrected or retracted."""

    def clause(self, scope: Scope) -> ColumnElement[bool]:
        """Return the WHERE clause; all values are bound parameters."""
        row = MeasurementRow
        parts: list[ColumnElement[bool]] = [visible(row, scope)]
        if not self.include_replaced:
            parts.append(live(row))
        if self.composition is not None:
            alike = select(MaterialRow.material_id).where(
                MaterialRow.composition == self.composition, visible(MaterialRow, scope)
            )
            parts.append(row.material_id.in_(alike))
        for column, wanted in (
            (row.material_id, self.material_id),
            (row.property, self.property),
            (row.lab_id, self.lab_id),
        ):
            if wanted is not None:
                parts.append(column == wanted)
        if self.measured_from is not None:
            parts.append(row.measured_on >= self.measured_from)
        if self.measured_to is not None:
            parts.append(row.measured_on <= self.measured_to)
        return and_(true(), *parts)


@dataclass(frozen=True)
class StoredMeasurement:
    """A measurement with what became of it and the formula of its material."""

    measurement: Measurement
    """The measurement."""
    formula: str
    """Formula of its material; empty where that cannot be seen."""
    state: State
    """What became of it."""


@dataclass(frozen=True)
class KnownValue:
    """A value that can be compared with others of the same composition."""

    composition: str
    """Canonical formula."""
    property: str
    """Canonical property name."""
    record_id: str
    """Measurement or prediction."""
    material_id: str
    """Material it belongs to."""
    lab_id: str | None
    """Lab that owns it; None for public sources."""
    value: float
    """Value in the canonical unit."""
    standard_deviation: float | None
    """Its standard deviation."""
    lower: float | None
    """Lower end of its 90 % interval."""
    upper: float | None
    """Upper end of its 90 % interval."""
    conditions: Conditions
    """State at which it holds."""
    basis: Basis
    """Definitions it follows."""


class Measured(LabRecords):
    """The measurements of one store."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, MeasurementRow)

    def get(self, measurement_id: str, *, scope: Scope) -> StoredMeasurement | None:
        """Return a measurement, corrected or retracted ones too, or None where the scope sees none."""
        found = self.some([measurement_id], scope=scope)
        return found[0] if found else None

    def some(self, measurement_ids: Sequence[str], *, scope: Scope) -> list[StoredMeasurement]:
        """Return the visible ones of some measurements, in the order given."""
        found: dict[str, Measurement] = {}
        for names in in_pieces(set(measurement_ids)):
            wanted = select(MeasurementRow).where(MeasurementRow.measurement_id.in_(names))
            found |= {m.measurement_id: m for m in self._read(wanted.where(visible(MeasurementRow, scope)))}
        return self._complete([found[name] for name in measurement_ids if name in found], scope)

    def page(
        self, wanted: MeasurementFilter, *, scope: Scope, after: str | None = None, limit: int = 50
    ) -> list[StoredMeasurement]:
        """Return a page of measurements in the order of their identifiers."""
        statement = select(MeasurementRow).where(wanted.clause(scope))
        if after is not None:
            statement = statement.where(MeasurementRow.measurement_id > after)
        ordered = statement.order_by(MeasurementRow.measurement_id).limit(limit)
        return self._complete(self._read(ordered), scope)

    def repeated(
        self, *, scope: Scope, composition: str | None = None, property_name: str | None = None
    ) -> Iterator[KnownValue]:
        """Yield visible values of compositions and properties that have several, by composition and property."""
        row = MeasurementRow
        seen = and_(visible(row, scope), live(row), visible(MaterialRow, scope))
        if composition is not None:
            seen = and_(seen, MaterialRow.composition == composition)
        if property_name is not None:
            seen = and_(seen, row.property == property_name)
        pairs = (
            select(MaterialRow.composition, row.property)
            .join(MaterialRow, MaterialRow.material_id == row.material_id)
            .where(seen)
            .group_by(MaterialRow.composition, row.property)
            .having(func.count() > 1)
            .subquery()
        )
        statement = _values_of(row).add_columns(MaterialRow.composition).where(seen)
        statement = statement.join(MaterialRow, MaterialRow.material_id == row.material_id)
        several = (MaterialRow.composition == pairs.c.composition) & (row.property == pairs.c.property)
        ordered = statement.join(pairs, several).order_by(
            MaterialRow.composition, row.property, row.measurement_id
        )
        with self._database.connected("read measurements from") as connection:
            yield from (_known(found, found.composition) for found in connection.execute(ordered))

    def known_values(
        self, compositions: Collection[str], properties: Collection[str], *, scope: Scope
    ) -> tuple[list[KnownValue], list[KnownValue]]:
        """Return what the scope sees of some compositions and properties: measured values, and predicted ones."""
        with self._database.connected("read measurements from") as connection:
            seen = identities(connection, scope, MaterialRow.composition, compositions)
            materials = {one.material_id: one.composition for one in seen}
            tables = ((MeasurementRow, live(MeasurementRow)), (PredictionRow, true()))
            measured, predicted = (
                [
                    _known(found, materials[found.material_id])
                    for names in in_pieces(materials)
                    for found in connection.execute(
                        _values_of(row).where(row.material_id.in_(names), visible(row, scope), current)
                    )
                    if found.property in properties  # not in SQL: SQLite would read all there are of a property
                ]
                for row, current in tables
            )
        return measured, predicted

    def put(
        self, connection: Connection, measurements: Sequence[Measurement], materials: Sequence[Material] = ()
    ) -> None:
        """Write new measurements, and the lab's materials that are made for them.

        Raises:
            StoreError: as :meth:`hstore.store.Store.add_measurements`.
        """
        if materials:
            writing.put_materials(connection, materials)
        if measurements:
            writing.put_measurements(connection, measurements)

    def _read(self, statement: Select[MeasurementRow]) -> list[Measurement]:
        with self._database.session("measurements") as session:
            return [measurement_record(row) for row in session.scalars(statement)]

    def _complete(self, found: Sequence[Measurement], scope: Scope) -> list[StoredMeasurement]:
        states = self.states([m.measurement_id for m in found], scope=scope)
        formulas = formulas_of(self._database, {m.material_id for m in found}, scope)
        return [
            StoredMeasurement(m, formulas.get(m.material_id, ""), states[m.measurement_id])
            for m in found
            if m.measurement_id in states
        ]


def formulas_of(database: Database, material_ids: Collection[str], scope: Scope) -> dict[str, str]:
    """Return the formulas of the visible ones of some materials."""
    row, found = MaterialRow, dict[str, str]()
    for names in in_pieces(material_ids):
        statement = select(row.material_id, row.formula).where(row.material_id.in_(names), visible(row, scope))
        with database.reading("materials"), Session(database.bind) as session:
            found.update((name, formula) for name, formula in session.execute(statement))
    return found


_STATED = (*Conditions.model_fields, *Basis.model_fields)


def _values_of(row: type[MeasurementRow | PredictionRow]) -> Select[Any]:
    (key,) = table_of(row).primary_key
    plain = ("property", "material_id", "lab_id", "value", "standard_deviation", "lower", "upper", *_STATED)
    return select(key.label("record_id"), *(getattr(row, name) for name in plain))


def _known(row: Any, composition: str) -> KnownValue:
    plain = ("property", "record_id", "material_id", "lab_id", "value", "standard_deviation", "lower", "upper")
    return KnownValue(
        composition,
        **{name: getattr(row, name) for name in plain},
        conditions=Conditions(**{name: getattr(row, name) for name in Conditions.model_fields}),
        basis=Basis(**{name: getattr(row, name) for name in Basis.model_fields}),
    )
