"""What labs told, measurements and isotherms alike: who may see it, what became of it, and what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import and_, delete, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from hstore.errors import InputError, UnknownNameError
from hstore.keys import new_secret
from hstore.records import Access, Visibility
from hstore.store.numbers import index_measurements
from hstore.store.queries import in_pieces, visible
from hstore.store.rows import material_record
from hstore.store.schema import HeldRecordRow, MaterialRow, MeasurementRow, RecordEventRow, table_of
from hstore.store.writing import put_materials

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Column, Connection, Row, Table

    from hstore.records import Scope
    from hstore.store.database import Database
    from hstore.store.schema import IsothermRow


class RecordStateError(InputError):
    """A record was corrected, retracted or published already, so what was asked of it cannot be done."""


@dataclass(frozen=True)
class Author:
    """Who writes, for the history and the audit log."""

    lab_id: str
    """Lab in whose name."""
    key_id: str | None = None
    """Key it came with; None from the command line."""
    request_id: str = ""
    """Identifier of the request."""


@dataclass(frozen=True)
class State:
    """What became of a record."""

    recorded_at: datetime | None
    """When it was told, UTC; None for records older than this column."""
    retracted_at: datetime | None
    """When it was taken back."""
    corrected_by: str | None
    """Identifier of the record that corrects it."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a record after it was told."""

    record_id: str
    """Identifier of the record."""
    at: datetime
    """When, UTC."""
    action: str
    """What: ``published``, ``scheduled``, ``corrected``, ``retracted`` or ``confirmed``."""
    detail: dict[str, Any]
    """Why, or on which day."""


@dataclass(frozen=True)
class Held:
    """A record that can hardly be true and waits until its lab confirms it."""

    record_id: str
    """Identifier it will have."""
    what: str
    """Table it is meant for."""
    held_at: datetime
    """When it was told, UTC."""
    cause: str
    """Why it can hardly be true."""
    record: dict[str, Any]
    """The record as plain JSON."""
    material: dict[str, Any] | None
    """The material that is to be made with it, as plain JSON; None where there is one."""


class LabRecords:
    """The measurements, or the isotherms, of the labs of one store."""

    def __init__(self, database: Database, row: type[MeasurementRow | IsothermRow]) -> None:
        self._database = database
        self._row = row
        self._table: Table = table_of(row)
        self._key = cast("Column[str]", next(iter(self._table.primary_key)))

    @property
    def what(self) -> str:
        """Name of the table, as messages and the audit log have it."""
        return self._table.name

    def states(self, record_ids: Collection[str], *, scope: Scope) -> dict[str, State]:
        """Return what became of the visible ones of some records; corrections that cannot be seen stay unnamed."""
        correction = aliased(self._row)
        newer = getattr(correction, self._key.name)
        corrects = and_(correction.replaces == self._key, visible(correction, scope))
        columns = (self._key, self._table.c.recorded_at, self._table.c.retracted_at, newer)
        wanted = select(*columns).select_from(self._row).outerjoin(correction, corrects)
        found: dict[str, State] = {}
        with self._database.connected(f"read {self.what} from") as connection:
            for names in in_pieces(record_ids):
                these = wanted.where(self._key.in_(names), visible(self._row, scope))
                for name, recorded, retracted, corrected_by in connection.execute(these):
                    found[name] = State(recorded, retracted, corrected_by)
        return found

    def chain(self, record_id: str, *, scope: Scope) -> list[str]:
        """Return the visible ones of a record and of what it corrects and is corrected by, oldest first.

        Empty where the record itself cannot be seen.
        """
        columns = (self._key, self._table.c.replaces)
        seen = visible(self._row, scope)
        with self._database.connected(f"read {self.what} from") as connection:
            first = connection.execute(select(*columns).where(self._key == record_id, seen)).one_or_none()
            if first is None:
                return []
            names, older = [record_id], first.replaces
            while older is not None:
                found = connection.execute(select(*columns).where(self._key == older, seen)).one_or_none()
                older = None if found is None else found.replaces
                names = names if found is None else [str(found[0]), *names]
            newer: str | None = record_id
            while newer is not None:
                newer = connection.scalar(select(self._key).where(self._table.c.replaces == newer, seen))
                names = names if newer is None else [*names, newer]
        return names

    def events(self, record_ids: Collection[str]) -> list[Event]:
        """Return what happened to some records, oldest first; the caller has found that they may be seen."""
        row = RecordEventRow
        found: list[Event] = []
        for names in in_pieces(record_ids):
            statement = select(row).where(row.record_id.in_(names)).order_by(row.event_id)
            with self._database.session("record_events") as session:
                found += [Event(e.record_id, e.at, e.action, e.detail) for e in session.scalars(statement)]
        return found

    def publish(
        self, author: Author, record_ids: Sequence[str] | None, *, on: date | None = None
    ) -> dict[str, str]:
        """Let everybody see records of a lab, at once or from a day on, with the lab's materials they belong to.

        Args:
            author: lab that owns the records; those of others are as if they were not there.
            record_ids: which; None for all that are not public.
            on: first day; today or earlier, or None, for at once.

        What corrects a record is published with it: nobody is shown a value that is known to be wrong alone.

        Returns:
            Identifier -> ``published``, ``scheduled`` or ``public`` (nothing to be done); those that are not
            the lab's are left out.
        """
        today = datetime.now(UTC).date()
        day = None if on is None or on <= today else on
        with self._database.writing(self.what) as connection:
            lock_lab(connection, author.lab_id)
            words, changed, materials = dict[str, str](), list[str](), set[str]()
            for row in self._own(connection, author.lab_id, self._with_corrections(connection, record_ids)):
                words[row[0]], needed = _publication(row, day, today)
                if needed:
                    changed.append(row[0])
                    materials.add(row.material_id)
            self._open(connection, changed, day)
            open_materials(connection, author.lab_id, materials, day)
            detail = {} if day is None else {"on": day.isoformat()}
            _note(connection, author, changed, "published" if day is None else "scheduled", detail)
        return words

    def retract(self, author: Author, record_id: str, why: str) -> bool:
        """Take a record back: it stays with its history, and reads leave it out.

        Returns:
            False where it was retracted before, and nothing was changed.

        Raises:
            UnknownNameError: the lab has no such record.
            RecordStateError: it was corrected; its correction is to be retracted.
        """
        with self._database.writing(self.what) as connection:
            lock_lab(connection, author.lab_id)
            row = self.owned(connection, author.lab_id, record_id)
            if row.retracted_at is not None:
                return False
            newer = connection.scalar(select(self._key).where(self._table.c.replaces == record_id))
            if newer is not None:
                raise RecordStateError(f"{record_id!r} was corrected by {newer!r}; retract that one")
            changed = update(self._table).where(self._key == record_id)
            connection.execute(changed.values(retracted_at=datetime.now(UTC)))
            self._index(connection, [record_id])
            _note(connection, author, [record_id], "retracted", {"why": why})
        return True

    def owned(self, connection: Connection, lab_id: str, record_id: str) -> Row[Any]:
        """Return the row of a record of a lab.

        Raises:
            UnknownNameError: the lab has none of that name, whoever else may have one.
        """
        for row in self._own(connection, lab_id, [record_id]):
            return row
        raise UnknownNameError(f"your lab has no {self.what[:-1]} {record_id!r}; list what it has with lab=own")

    def hold(self, connection: Connection, author: Author, held: Iterable[Held]) -> None:
        """Keep records until their lab confirms them; one that is held already stays as it is."""
        values = {
            one.record_id: {
                "record_id": one.record_id, "lab_id": author.lab_id, "what": self.what, "held_at": one.held_at,
                "cause": one.cause, "record": one.record, "material": one.material,
            }
            for one in held
        }  # fmt: skip
        present = self._held_ids(connection, values)
        if fresh := [row for name, row in values.items() if name not in present]:
            connection.execute(insert(table_of(HeldRecordRow)), fresh)

    def held(self, lab_id: str, *, after: str | None = None, limit: int = 200) -> list[Held]:
        """Return what waits for a confirmation of a lab, by identifier."""
        row = HeldRecordRow
        statement = select(row).where(row.lab_id == lab_id, row.what == self.what)
        if after is not None:
            statement = statement.where(row.record_id > after)
        with self._database.session("held_records") as session:
            return [_held(found) for found in session.scalars(statement.order_by(row.record_id).limit(limit))]

    def held_record(self, lab_id: str, record_id: str) -> Held | None:
        """Return one record of a lab that waits, or None."""
        row = HeldRecordRow
        statement = select(row).where(row.record_id == record_id, row.lab_id == lab_id, row.what == self.what)
        with self._database.session("held_records") as session:
            found = session.scalar(statement)
            return None if found is None else _held(found)

    def discard(self, connection: Connection, lab_id: str, record_ids: Collection[str]) -> int:
        """Drop records of a lab that wait; return how many there were."""
        row, dropped = table_of(HeldRecordRow), 0
        for names in in_pieces(record_ids):
            own = (row.c.record_id.in_(names), row.c.lab_id == lab_id)
            dropped += connection.execute(delete(row).where(*own)).rowcount
        return dropped

    def note(
        self, connection: Connection, author: Author, record_ids: Sequence[str], action: str, **detail: Any
    ) -> None:
        """Add to the history of records."""
        _note(connection, author, record_ids, action, detail)

    def _held_ids(self, connection: Connection, record_ids: Collection[str]) -> set[str]:
        row, found = table_of(HeldRecordRow), set[str]()
        for names in in_pieces(record_ids):
            found |= set(connection.scalars(select(row.c.record_id).where(row.c.record_id.in_(names))))
        return found

    def _with_corrections(self, connection: Connection, record_ids: Sequence[str] | None) -> Sequence[str] | None:
        """Return records with what corrects them, and what corrects that."""
        if record_ids is None:
            return None
        table, found, latest = self._table.c, list(record_ids), list(record_ids)
        while latest:
            pieces = in_pieces(set(latest))
            newer = [select(self._key).where(table.replaces.in_(names)) for names in pieces]
            latest = [name for statement in newer for name in connection.scalars(statement)]
            found += latest
        return found

    def _own(self, connection: Connection, lab_id: str, record_ids: Sequence[str] | None) -> Iterable[Row[Any]]:
        """Yield rows of a lab; all that are not public where none are named."""
        table = self._table.c
        names = ("material_id", "visibility", "embargo_until", "retracted_at")
        wanted = select(self._key, *(table[name] for name in names)).where(table.lab_id == lab_id)
        if record_ids is None:
            yield from connection.execute(wanted.where(table.visibility != Visibility.PUBLIC.value))
            return
        for piece in in_pieces(set(record_ids)):
            yield from connection.execute(wanted.where(self._key.in_(piece)))

    def _open(self, connection: Connection, record_ids: Sequence[str], day: date | None) -> None:
        for names in in_pieces(record_ids):
            connection.execute(update(self._table).where(self._key.in_(names)).values(_access_from(day)))
        self._index(connection, record_ids)

    def _index(self, connection: Connection, record_ids: Sequence[str]) -> None:
        if self._row is MeasurementRow and record_ids:
            index_measurements(connection, record_ids)


def lock_lab(connection: Connection, lab_id: str) -> None:
    """Let one writer at a time tell results of a lab; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:lab, 0))"), {"lab": lab_id})


def open_materials(connection: Connection, lab_id: str, material_ids: Collection[str], day: date | None) -> None:
    """Let everybody see materials of a lab, at once or from a day on: what is published needs its material.

    Those of other owners, and those that are seen earlier, stay as they are.
    """
    opened = []
    for names in in_pieces(material_ids):
        statement = select(MaterialRow).where(
            MaterialRow.material_id.in_(names),
            MaterialRow.lab_id == lab_id,
            MaterialRow.visibility != Visibility.PUBLIC.value,
        )
        with Session(connection) as session:
            for material in map(material_record, session.scalars(statement.order_by(MaterialRow.material_id))):
                access = material.access
                if day is None or access.embargo_until is None or access.embargo_until > day:
                    changed = Access(lab_id=lab_id, **_access_from(day))
                    opened.append(material.model_copy(update={"access": changed}))
    if opened:
        put_materials(connection, opened)


def _access_from(day: date | None) -> dict[str, Any]:
    visibility = Visibility.PUBLIC if day is None else Visibility.LAB
    return {"visibility": visibility.value, "embargo_until": day}


def _publication(row: Row[Any], day: date | None, today: date) -> tuple[str, bool]:
    """Say what publishing a record amounts to, and whether it changes anything."""
    embargo = row.embargo_until
    if row.visibility == Visibility.PUBLIC.value or (embargo is not None and embargo <= today):
        return "public", False
    if day is None:
        return "published", True
    return "scheduled", embargo != day


def _note(
    connection: Connection, author: Author, record_ids: Sequence[str], action: str, detail: dict[str, Any]
) -> None:
    at = datetime.now(UTC)
    rows = [
        {
            "event_id": f"{at:%Y%m%dT%H%M%S.%f}-{new_secret()[0]}", "record_id": name, "at": at, "action": action,
            "key_id": author.key_id, "detail": detail,
        }
        for name in record_ids
    ]  # fmt: skip
    if rows:
        connection.execute(insert(table_of(RecordEventRow)), rows)


def _held(row: HeldRecordRow) -> Held:
    return Held(row.record_id, row.what, row.held_at, row.cause, row.record, row.material)
