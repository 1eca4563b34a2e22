"""Writes inside one transaction: who owns what, what a row refers to, and what may never change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hstore.errors import StoreError
from hstore.store.merging import index_merged, take_out, with_stored_merges
from hstore.store.numbers import index_materials, index_measurements, index_predictions
from hstore.store.optimade.index import index_optimade
from hstore.store.queries import in_pieces
from hstore.store.rows import (
    material_values,
    measurement_record,
    measurement_values,
    prediction_values,
    screen_record,
    screen_values,
)
from hstore.store.schema import (
    MaterialRow,
    MeasurementRow,
    PredictionRow,
    ScreenRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pydantic import BaseModel
    from sqlalchemy import Connection
    from sqlalchemy.orm import InstrumentedAttribute

    from hstore.records import Material, Measurement, Prediction, Screen
    from hstore.store.schema import Base


def put_materials(connection: Connection, materials: Sequence[Material]) -> None:
    """Insert or update materials by ``material_id``, where nobody else owns it.

    Records merged into them earlier stay so; a material that was merged into another itself is no longer.

    Raises:
        StoreError: a material belongs to another owner.
    """
    given = {material.material_id: material for material in materials}
    take_out(connection, given)
    whole = with_stored_merges(connection, given)
    values = {name: material_values(material) for name, material in whole.items()}
    _upsert(connection, MaterialRow, values, owned=True)
    _refuse_foreign(connection, materials)
    index_materials(connection, values.values())
    index_optimade(connection, values.values())
    index_merged(connection, whole.values())


def put_predictions(connection: Connection, predictions: Sequence[Prediction]) -> None:
    """Insert predictions; the same question to the same model replaces its earlier answer.

    Raises:
        StoreError: a material is unknown.
    """
    require_materials(connection, {prediction.material_id for prediction in predictions})
    values = {row["prediction_id"]: row for row in map(prediction_values, predictions)}
    _upsert(connection, PredictionRow, values, owned=False)
    index_predictions(connection, values)


def put_measurements(connection: Connection, measurements: Sequence[Measurement]) -> None:
    """Insert measurements in the order given; identical ones already stored are left as they are.

    Raises:
        StoreError: a material is unknown, a correction does not fit what it corrects, or an identifier is
            already taken by other content.
    """
    require_materials(connection, {measurement.material_id for measurement in measurements})
    _check_corrections(connection, measurements)
    now = datetime.now(UTC)
    rows = [measurement_values(measurement) | {"recorded_at": now} for measurement in measurements]
    _insert_once(connection, MeasurementRow, rows)
    stored = _stored_measurements(connection, {row["measurement_id"] for row in rows})
    for measurement in measurements:
        if not _same(measurement, stored[measurement.measurement_id]):
            raise StoreError(
                f"measurement {measurement.measurement_id!r} is already stored with other content and is "
                "never changed; add a correction, with an identifier of its own, that replaces it"
            )
    index_measurements(connection, {name for m in measurements for name in (m.measurement_id, m.replaces) if name})


def put_screen(connection: Connection, screen: Screen) -> None:
    """Insert a screen; an identical one already stored is left as it is.

    Raises:
        StoreError: the identifier is already taken by other content.
    """
    _insert_once(connection, ScreenRow, [screen_values(screen)])
    with Session(connection) as session:
        stored = screen_record(session.get_one(ScreenRow, screen.screen_id))
    in_utc = screen.model_copy(update={"created_at": screen.created_at.astimezone(UTC)})
    if not _same(in_utc, stored):
        raise StoreError(
            f"screen {screen.screen_id!r} is already stored with other content; give the new one another screen_id"
        )


def _upsert(connection: Connection, row: type[Base], values: dict[str, dict[str, Any]], *, owned: bool) -> None:
    """Insert or update in the order of the key, so that two writers of the same rows cannot deadlock."""
    table = table_of(row)
    (key,) = table.primary_key
    statement = _dialect_insert(connection, row)
    changes = {column.name: statement.excluded[column.name] for column in table.columns if column is not key}
    own = table.c.lab_id.is_not_distinct_from(statement.excluded.lab_id) if owned else None
    statement = statement.on_conflict_do_update(index_elements=[key], set_=changes, where=own)
    connection.execute(statement, [values[name] for name in sorted(values)])


def _insert_once(connection: Connection, row: type[Base], rows: list[dict[str, Any]]) -> None:
    (key,) = table_of(row).primary_key
    connection.execute(_dialect_insert(connection, row).on_conflict_do_nothing(index_elements=[key]), rows)


def _dialect_insert(connection: Connection, row: type[Base]) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table_of(row))
    return sqlite.insert(table_of(row))


def _refuse_foreign(connection: Connection, materials: Sequence[Material]) -> None:
    owners: dict[str, str | None] = {}
    for names in in_pieces({material.material_id for material in materials}):
        found = select(MaterialRow.material_id, MaterialRow.lab_id).where(MaterialRow.material_id.in_(names))
        owners.update((name, lab) for name, lab in connection.execute(found))
    for material in materials:
        if owners[material.material_id] != material.access.lab_id:
            writer = f"lab {material.access.lab_id!r}" if material.access.lab_id else "a public source"
            raise StoreError(
                f"material_id {material.material_id!r} given by {writer} already belongs to another owner "
                "and was not overwritten; choose another one, such as one that starts with the lab's name"
            )


def require_materials(connection: Connection, wanted: Collection[str]) -> None:
    """Refuse what belongs to materials that are not stored.

    Raises:
        StoreError: a material is unknown.
    """
    missing = sorted(set(wanted) - _present(connection, MaterialRow.material_id, wanted))
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise StoreError(
            f"unknown material_id {', '.join(map(repr, missing[:3]))}{more}; "
            "add the material first with add_materials"
        )


def _check_corrections(connection: Connection, measurements: Sequence[Measurement]) -> None:
    """Refuse corrections of what is unknown, another owner's, or already corrected."""
    owners, corrected_by = _corrected(connection, measurements)
    for measurement in measurements:
        name, old, lab = measurement.measurement_id, measurement.replaces, measurement.access.lab_id
        if old is not None:
            if old not in owners or old == name:
                raise StoreError(
                    f"measurement {name!r} replaces {old!r}, which is not stored; name an earlier measurement"
                )
            if owners[old] != lab:
                raise StoreError(
                    f"measurement {name!r} replaces {old!r}, which belongs to another owner; "
                    "only its owner can correct it"
                )
            if corrected_by.setdefault(old, name) != name:
                raise StoreError(
                    f"measurement {name!r} replaces {old!r}, which {corrected_by[old]!r} already replaces; "
                    "correct that one"
                )
        owners.setdefault(name, lab)


def _corrected(
    connection: Connection, measurements: Sequence[Measurement]
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Owner, and identifier of the correction, of each stored measurement that is to be corrected."""
    owners: dict[str, str | None] = {}
    corrected_by: dict[str, str] = {}
    row = MeasurementRow
    for names in in_pieces({m.replaces for m in measurements if m.replaces is not None}):
        found = select(row.measurement_id, row.lab_id).where(row.measurement_id.in_(names))
        owners.update((name, lab) for name, lab in connection.execute(found))
        replaced = select(row.replaces, row.measurement_id).where(row.replaces.in_(names))
        corrected_by.update((str(old), new) for old, new in connection.execute(replaced))
    return owners, corrected_by


def _stored_measurements(connection: Connection, wanted: Collection[str]) -> dict[str, Measurement]:
    stored: dict[str, Measurement] = {}
    with Session(connection) as session:
        for names in in_pieces(wanted):
            rows = session.scalars(select(MeasurementRow).where(MeasurementRow.measurement_id.in_(names)))
            stored.update((row.measurement_id, measurement_record(row)) for row in rows)
    return stored


def _same(given: BaseModel, stored: BaseModel) -> bool:
    """Compare as JSON, in which a tuple and a list are one."""
    return given.model_dump(mode="json") == stored.model_dump(mode="json")


def _present(connection: Connection, column: InstrumentedAttribute[str], wanted: Collection[str]) -> set[str]:
    found: set[str] = set()
    for names in in_pieces(wanted):
        found.update(connection.scalars(select(column).where(column.in_(names))))
    return found
