"""Isotherms of labs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from hstore.errors import StoreError
from hstore.records import Branch, MeasuredIsotherm, Provenance
from hstore.store import writing
from hstore.store.lab_records import LabRecords, State
from hstore.store.measured import formulas_of
from hstore.store.queries import in_pieces, live, visible
from hstore.store.rows import access_of, access_values, provenance_values
from hstore.store.schema import IsothermRow, MaterialRow, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

    from hstore.records import Material, Scope
    from hstore.store.database import Database


@dataclass(frozen=True)
class IsothermFilter:
    """Which isotherms are asked for; empty fields do not filter."""

    material_id: str | None = None
    """Of this material."""
    composition: str | None = None
    """Of materials of this canonical formula."""
    lab_id: str | None = None
    """Of this lab."""
    include_replaced: bool = False
    """Also those that were corrected or retracted."""


@dataclass(frozen=True)
class StoredIsotherm:
    """An isotherm with what became of it and the formula of its material."""

    isotherm: MeasuredIsotherm
    """The isotherm."""
    formula: str
    """Formula of its material; empty where that cannot be seen."""
    state: State
    """What became of it."""


class Isotherms(LabRecords):
    """The isotherms of one store."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, IsothermRow)

    def get(self, isotherm_id: str, *, scope: Scope) -> StoredIsotherm | None:
        """Return an isotherm, corrected or retracted ones too, or None where the scope sees none."""
        found = self.some([isotherm_id], scope=scope)
        return found[0] if found else None

    def some(self, isotherm_ids: Sequence[str], *, scope: Scope) -> list[StoredIsotherm]:
        """Return the visible ones of some isotherms, in the order given."""
        found: dict[str, MeasuredIsotherm] = {}
        for names in in_pieces(set(isotherm_ids)):
            wanted = select(IsothermRow).where(IsothermRow.isotherm_id.in_(names), visible(IsothermRow, scope))
            found |= {one.isotherm_id: one for one in self._read(wanted)}
        return self._complete([found[name] for name in isotherm_ids if name in found], scope)

    def page(
        self, wanted: IsothermFilter, *, scope: Scope, after: str | None = None, limit: int = 50
    ) -> list[StoredIsotherm]:
        """Return a page of isotherms in the order of their identifiers."""
        row = IsothermRow
        statement = select(row).where(visible(row, scope))
        if not wanted.include_replaced:
            statement = statement.where(live(row))
        if wanted.material_id is not None:
            statement = statement.where(row.material_id == wanted.material_id)
        if wanted.composition is not None:
            alike = select(MaterialRow.material_id).where(
                MaterialRow.composition == wanted.composition, visible(MaterialRow, scope)
            )
            statement = statement.where(row.material_id.in_(alike))
        if wanted.lab_id is not None:
            statement = statement.where(row.lab_id == wanted.lab_id)
        if after is not None:
            statement = statement.where(row.isotherm_id > after)
        return self._complete(self._read(statement.order_by(row.isotherm_id).limit(limit)), scope)

    def put(
        self, connection: Connection, isotherms: Sequence[MeasuredIsotherm], materials: Sequence[Material] = ()
    ) -> None:
        """Write new isotherms, and the lab's materials that are made for them.

        Raises:
            StoreError: a material is unknown, or an identifier is taken.
        """
        if materials:
            writing.put_materials(connection, materials)
        writing.require_materials(connection, {one.material_id for one in isotherms})
        now = datetime.now(UTC)
        rows = [_values(one) | {"recorded_at": now} for one in isotherms]
        for names in in_pieces({row["isotherm_id"] for row in rows}):
            taken = connection.scalar(select(IsothermRow.isotherm_id).where(IsothermRow.isotherm_id.in_(names)))
            if taken is not None:
                raise StoreError(f"isotherm {taken!r} is stored already and is never changed; add a correction")
        if rows:
            connection.execute(insert(table_of(IsothermRow)), rows)

    def _read(self, statement: Select[IsothermRow]) -> list[MeasuredIsotherm]:
        with self._database.session("isotherms") as session:
            return [_record(row) for row in session.scalars(statement)]

    def _complete(self, found: Sequence[MeasuredIsotherm], scope: Scope) -> list[StoredIsotherm]:
        states = self.states([one.isotherm_id for one in found], scope=scope)
        formulas = formulas_of(self._database, {one.material_id for one in found}, scope)
        return [
            StoredIsotherm(one, formulas.get(one.material_id, ""), states[one.isotherm_id])
            for one in found
            if one.isotherm_id in states
        ]


_PLAIN = ("isotherm_id", "material_id", "temperature_k", "uptake_kind", "mass_basis", "measured_on", "replaces")


def _values(isotherm: MeasuredIsotherm) -> dict[str, Any]:
    return {
        **{name: getattr(isotherm, name) for name in _PLAIN},
        "branch": isotherm.branch.value,
        "points": [list(point) for point in isotherm.points],
        "provenance": provenance_values(isotherm.provenance),
        **access_values(isotherm.access),
    }


def _record(row: IsothermRow) -> MeasuredIsotherm:
    return MeasuredIsotherm(
        **{name: getattr(row, name) for name in _PLAIN},
        branch=Branch(row.branch),
        points=tuple((pressure, uptake) for pressure, uptake in row.points),
        provenance=Provenance.model_validate(row.provenance),
        access=access_of(row),
    )
