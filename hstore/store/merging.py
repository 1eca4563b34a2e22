"""Records merged into others: kept inside the record they joined, found again by their own identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from hstore.errors import StoreError
from hstore.records import MergedRecord
from hstore.store.numbers import index_materials
from hstore.store.optimade.index import index_optimade
from hstore.store.queries import in_pieces
from hstore.store.rows import material_record, material_values
from hstore.store.schema import MaterialRow, MergedMaterialRow, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from hstore.records import Material


def put_merges(connection: Connection, merges: Mapping[str, Sequence[Material]]) -> None:
    """Merge materials into stored ones; the rows of those stay locked until the end of the transaction.

    Raises:
        StoreError: a stored record is missing or has another owner or visibility, or what is to be merged is
            stored under its own identifier.
    """
    joining = {material.material_id: material for materials in merges.values() for material in materials}
    _refuse_stored(connection, joining)
    take_out(connection, joining)
    changed = []
    for kept in _locked(connection, merges):
        materials = merges[kept.material_id]
        for material in materials:
            if material.access != kept.access:
                raise StoreError(
                    f"material {material.material_id!r} cannot be merged into {kept.material_id!r}: owner or "
                    "visibility differ; store it under its own identifier"
                )
        records = [record for material in materials for record in (MergedRecord.of(material), *material.merged)]
        changed.append(kept.merged_with(records))
    if missing := sorted(merges.keys() - {kept.material_id for kept in changed}):
        raise StoreError(f"nothing can be merged into {missing[0]!r}, which is not stored; add it first")
    _rewrite(connection, changed)


def with_stored_merges(connection: Connection, materials: Mapping[str, Material]) -> dict[str, Material]:
    """Return materials about to be written, each with the records merged into its stored form."""
    whole = dict(materials)
    for names in in_pieces(materials):
        columns = select(MaterialRow.material_id, MaterialRow.lab_id, MaterialRow.merged)
        found = columns.where(MaterialRow.material_id.in_(names)).with_for_update()
        for name, lab, merged in connection.execute(found):
            if merged and lab == whole[name].access.lab_id:
                stored = [MergedRecord.model_validate(record) for record in merged]
                whole[name] = whole[name].merged_with((*stored, *whole[name].merged))
    return whole


def take_out(connection: Connection, materials: Mapping[str, Material]) -> None:
    """Take materials out of the records of the same owner they were merged into."""
    holders: set[str] = set()
    for names in in_pieces(materials):
        found = select(MergedMaterialRow.material_id).where(MergedMaterialRow.merged_id.in_(names))
        holders.update(connection.scalars(found))
    changed = []
    for kept in _locked(connection, holders):
        own = [name for name, material in materials.items() if material.access.lab_id == kept.access.lab_id]
        changed.append(kept.merged_with((), without=own))
    _rewrite(connection, changed)


def index_merged(connection: Connection, materials: Collection[Material]) -> None:
    """Write by which identifiers the records merged into materials are found."""
    for names in in_pieces([material.material_id for material in materials]):
        connection.execute(delete(MergedMaterialRow).where(MergedMaterialRow.material_id.in_(names)))
    rows = [
        {"merged_id": record.material_id, "material_id": material.material_id}
        for material in sorted(materials, key=lambda material: material.material_id)
        for record in material.merged
    ]
    if rows:
        connection.execute(insert(table_of(MergedMaterialRow)), rows)


def _locked(connection: Connection, names: Collection[str]) -> list[Material]:
    """Read materials in the order of their identifiers, so that two writers cannot deadlock."""
    found: list[Material] = []
    with Session(connection) as session:
        for piece in in_pieces(names):
            rows = select(MaterialRow).where(MaterialRow.material_id.in_(piece)).order_by(MaterialRow.material_id)
            found.extend(map(material_record, session.scalars(rows.with_for_update())))
    return found


def _rewrite(connection: Connection, materials: Collection[Material]) -> None:
    """Write what changes in a record when others are merged into it."""
    table = table_of(MaterialRow)
    rewritten = [material_values(material) for material in materials]
    for values in rewritten:
        changes = {name: values[name] for name in ("merged", "descriptors", "name", "known")}
        connection.execute(update(table).where(table.c.material_id == values["material_id"]).values(changes))
    index_materials(connection, rewritten)
    index_optimade(connection, rewritten)
    index_merged(connection, materials)


def _refuse_stored(connection: Connection, materials: Mapping[str, Material]) -> None:
    for names in in_pieces(materials):
        found = select(MaterialRow.material_id, MaterialRow.lab_id).where(MaterialRow.material_id.in_(names))
        for name, lab in connection.execute(found):
            if lab == materials[name].access.lab_id:
                raise StoreError(f"material {name!r} is stored under its own identifier and cannot be merged")
