"""What a lab does with records it told before: correct, retract, confirm, discard and publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.errors import InputError, UnknownNameError
from hstore.records import Material, MeasuredIsotherm, Measurement, Scope
from hstore.store.lab_records import RecordStateError, lock_lab, open_materials
from hstore_workflows.measure.cells import text_cells
from hstore_workflows.measure.identity import is_opened
from hstore_workflows.measure.rows import CONDITIONS, RowReader, Unusable
from hstore_workflows.measure.taking import Chunk
from hstore_workflows.measure.units import read_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from hstore.store import Store
    from hstore.store.lab_records import Author, LabRecords
    from hstore_workflows.measure.verdicts import Verdict

_BASIS = ("capacity_definition", "mass_basis", "uptake_kind")
_WORDS = ("sample", "instrument", "note", "reference", "licence")


def correct(
    store: Store, measurement_id: str, changes: Mapping[str, Any], *, why: str, author: Author, scope: Scope
) -> Verdict:
    """Put a measurement with some cells changed in the place of one told before; both are kept.

    Args:
        store: the result store.
        measurement_id: what is corrected, of the author's lab.
        changes: cells as in a row; those that are not given stay, an empty one clears what it names.
        why: what was wrong.
        author: who corrects.
        scope: what the lab may see.

    Raises:
        UnknownNameError: the lab has no such measurement.
        RecordStateError: it was retracted, or corrected to something else.
        InputError: the changed row cannot be used, or says the same.
    """
    with store.database.transaction("measurements") as connection:
        lock_lab(connection, author.lab_id)
        store.measured.owned(connection, author.lab_id, measurement_id)
        found = store.measured.get(measurement_id, scope=scope)
        assert found is not None
        if found.state.retracted_at is not None:
            raise RecordStateError(f"{measurement_id!r} was retracted; tell the right value as a new row")
        cells = _corrected_cells(found.measurement, text_cells(changes))
        told = list(RowReader().read(1, cells))
        if len(told) != 1 or isinstance(told[0], Unusable):
            cause = told[0].cause if isinstance(told[0], Unusable) else "a correction tells one value"
            raise InputError(cause)
        chunk = Chunk(store, connection, found.measurement.access, author, scope)
        verdict = chunk.correct(told[0], found)
        if chunk.measurements:
            store.measured.note(connection, author, [measurement_id], "corrected", why=why)
    return verdict


def confirm(store: Store, records: LabRecords, record_id: str, *, author: Author) -> bool:
    """Write a record that was held, because its lab says that it is true.

    Returns:
        False where it was written before, and nothing was changed.

    Raises:
        UnknownNameError: the lab has no such record, held or written.
        RecordStateError: what it corrects was corrected or retracted meanwhile.
    """
    with store.database.transaction(records.what) as connection:
        lock_lab(connection, author.lab_id)
        held = records.held_record(author.lab_id, record_id)
        if held is None:
            records.owned(connection, author.lab_id, record_id)
            return False
        _check_replaced(records, held.record.get("replaces"), author)
        made = [Material.model_validate(held.material)] if held.material else []
        if made and store.material(made[0].material_id, scope=_own_scope(author)) is not None:
            made = []
        if records is store.isotherms:
            isotherm = MeasuredIsotherm.model_validate(held.record)
            access, material_id = isotherm.access, isotherm.material_id
            store.isotherms.put(connection, [isotherm], made)
        else:
            measurement = Measurement.model_validate(held.record)
            access, material_id = measurement.access, measurement.material_id
            store.measured.put(connection, [measurement], made)
        if is_opened(access):
            open_materials(connection, author.lab_id, [material_id], access.embargo_until)
        records.discard(connection, author.lab_id, [record_id])
        records.note(connection, author, [record_id], "confirmed", why=held.cause)
        _audit(store, f"{records.what}.confirm", [record_id], author)
    return True


def discard(store: Store, records: LabRecords, record_id: str, *, author: Author) -> None:
    """Drop a record that is held.

    Raises:
        UnknownNameError: the lab has none of that name.
    """
    with store.database.transaction(records.what) as connection:
        if not records.discard(connection, author.lab_id, [record_id]):
            raise UnknownNameError(f"your lab has nothing held as {record_id!r}; /v1/{records.what}/held lists it")
        _audit(store, f"{records.what}.discard", [record_id], author)


def retract(store: Store, records: LabRecords, record_id: str, *, why: str, author: Author) -> bool:
    """Take a record back; see :meth:`hstore.store.lab_records.LabRecords.retract`."""
    with store.database.transaction(records.what):
        changed = records.retract(author, record_id, why)
        if changed:
            _audit(store, f"{records.what}.retract", [record_id], author)
    return changed


def publish(
    store: Store, records: LabRecords, record_ids: Sequence[str] | None, *, on: date | None, author: Author
) -> dict[str, str]:
    """Let everybody see records of a lab; see :meth:`hstore.store.lab_records.LabRecords.publish`."""
    with store.database.transaction(records.what):
        words = records.publish(author, record_ids, on=on)
        changed = [name for name, word in words.items() if word != "public"]
        if changed:
            _audit(store, f"{records.what}.publish", changed, author, on=on.isoformat() if on else None)
    return words


def _corrected_cells(original: Measurement, changes: Mapping[str, str]) -> dict[str, str]:
    """Return the row of a measurement with some cells changed."""
    value = original.value
    cells: dict[str, Any] = {"material_id": original.material_id, "measured_on": original.measured_on}
    cells |= {name: getattr(value.basis, name) for name in _BASIS}
    cells |= {name: getattr(value.provenance, name) for name in _WORDS}
    headers = (read_header(name, (value.property, *CONDITIONS)) for name in changes)
    given = {header.column for header in headers if header is not None}
    cells |= {name: number for name, number in value.conditions if name not in given}
    if value.property not in given and "value" not in changes:
        cells |= {"property": value.property, "value": value.value, "standard_deviation": value.standard_deviation}
    if "value" in changes:
        cells["property"] = value.property
    if "formula" in changes:
        del cells["material_id"]
    return {**{name: _exact(cell) for name, cell in cells.items()}, **changes, "row_id": ""}


def _exact(cell: Any) -> str:
    """Return a cell as text that is read back as it was."""
    if cell is None:
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)


def _check_replaced(records: LabRecords, replaced: str | None, author: Author) -> None:
    if replaced is None:
        return
    state = records.states([replaced], scope=_own_scope(author)).get(replaced)
    if state is None or state.retracted_at is not None or state.corrected_by is not None:
        raise RecordStateError(
            f"{replaced!r}, which it corrects, was corrected or retracted meanwhile; discard it"
        )


def _own_scope(author: Author) -> Scope:
    return Scope(lab_id=author.lab_id)


def _audit(store: Store, action: str, record_ids: Sequence[str], author: Author, **detail: Any) -> None:
    store.audit.add(
        action,
        record_ids,
        key_id=author.key_id,
        lab_id=author.lab_id,
        request_id=author.request_id,
        detail=detail,
    )
