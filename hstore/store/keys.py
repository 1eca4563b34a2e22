"""Keys to the service, the use of their quotas, and the audit log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hstore.errors import InputError, UnknownNameError
from hstore.keys import ApiKey, Permission, hash_of, new_secret
from hstore.store.schema import ApiKeyRow, AuditRow, KeyUsageRow, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Select

    from hstore.store.database import Database


_KEYS = table_of(ApiKeyRow)
_COLUMNS = tuple(_KEYS.c[name] for name in ApiKey.model_fields)
# Every request with a key asks one of these; built once, and without the mapper, they take a third of the time.
_BY_HASH = select(*_COLUMNS).where(_KEYS.c.key_hash == bindparam("wanted"))
_BY_ID = select(*_COLUMNS).where(_KEYS.c.key_id == bindparam("wanted"))


class AuditEntry(BaseModel):
    """One write: who, when, what."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    entry_id: str
    """Identifier; later entries have greater ones."""
    at: datetime
    """When, UTC."""
    key_id: str | None
    """Key that wrote; None for the command line and for anonymous callers."""
    lab_id: str | None
    """Lab in whose name."""
    action: str
    """What was done, such as ``measurements.create``."""
    subjects: tuple[str, ...]
    """Identifiers of the records."""
    request_id: str
    """Identifier of the request; empty for the command line."""
    detail: dict[str, Any]
    """Counts and settings; no values of records."""


class Keys:
    """The keys of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        permissions: Iterable[Permission],
        *,
        lab_id: str | None,
        valid_for: timedelta | None = None,
        requests_per_minute: int | None = None,
        predictions_per_day: int | None = None,
        concurrent_jobs: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            The key as it is kept, and the key itself, which cannot be shown again.

        Raises:
            InputError: its name is empty, or it would expire in the past.
        """
        if not name.strip() or len(name) > 200:
            raise InputError(f"a key needs a name of 1 to 200 characters, got {name!r}")
        now = datetime.now(UTC)
        if valid_for is not None and valid_for <= timedelta(0):
            raise InputError(f"a key must be valid for some time, got {valid_for}")
        key_id, secret = new_secret()
        kept = ApiKey(
            key_id=key_id,
            name=name,
            lab_id=lab_id,
            permissions=frozenset(permissions),
            created_at=now,
            expires_at=None if valid_for is None else now + valid_for,
            requests_per_minute=requests_per_minute,
            predictions_per_day=predictions_per_day,
            concurrent_jobs=concurrent_jobs,
        )
        values = kept.model_dump() | {"permissions": sorted(kept.permissions), "key_hash": hash_of(secret)}
        with self._database.writing("a key") as connection:
            connection.execute(insert(table_of(ApiKeyRow)), values)
        return kept, secret

    def find(self, key: str) -> ApiKey | None:
        """Return a key that can be used; None for one that is unknown, expired or revoked."""
        return self._usable(_BY_HASH, hash_of(key))

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key by its public identifier, whether or not it can be used."""
        return self._one(_BY_ID, key_id)

    def usable(self, key_id: str) -> ApiKey | None:
        """Return a key by its public identifier; None for one that is unknown, expired or revoked."""
        return self._usable(_BY_ID, key_id)

    def list(self) -> list[ApiKey]:
        """Return all keys, oldest first."""
        statement = select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.key_id)
        with self._database.session("api_keys") as session:
            return [_key(row) for row in session.scalars(statement)]

    def revoke(self, key_id: str) -> ApiKey:
        """End a key at once; revoking it again changes nothing.

        Raises:
            UnknownNameError: there is no such key.
        """
        still = table_of(ApiKeyRow).c.revoked_at.is_(None)
        with self._database.writing("a key") as connection:
            connection.execute(
                update(table_of(ApiKeyRow))
                .where(table_of(ApiKeyRow).c.key_id == key_id, still)
                .values(revoked_at=datetime.now(UTC))
            )
        kept = self.get(key_id)
        if kept is None:
            raise UnknownNameError(f"no key {key_id!r}; list them with: hstore keys list")
        return kept

    def use(self, key_id: str, what: str, amount: int, *, most: int, day: date | None = None) -> int | None:
        """Take from a daily quota, or leave it alone where the amount would exceed it.

        Returns:
            What is left, or None where nothing was taken.
        """
        today = day or datetime.now(UTC).date()
        if amount > most:
            return None
        with self._database.writing("a quota") as connection:
            make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            statement = make(table_of(KeyUsageRow)).values(key_id=key_id, day=today, what=what, used=amount)
            used = table_of(KeyUsageRow).c.used
            taken = connection.scalar(
                statement.on_conflict_do_update(
                    index_elements=["key_id", "day", "what"],
                    set_={"used": used + amount},
                    where=used + amount <= most,
                ).returning(used)
            )
        return None if taken is None else most - int(taken)

    def used(self, key_id: str, what: str, *, day: date | None = None) -> int:
        """Return how much of a daily quota a key has used."""
        found = select(KeyUsageRow.used).where(
            KeyUsageRow.key_id == key_id,
            KeyUsageRow.day == (day or datetime.now(UTC).date()),
            KeyUsageRow.what == what,
        )
        with self._database.connected("read the use of quotas from") as connection:
            return int(connection.scalar(found) or 0)

    def _usable(self, statement: Select[Any], wanted: str) -> ApiKey | None:
        kept = self._one(statement, wanted)
        return kept if kept and kept.usable() else None

    def _one(self, statement: Select[Any], wanted: str) -> ApiKey | None:
        with self._database.reading("api_keys"), self._database.connected("read api_keys from") as connection:
            row = connection.execute(statement, {"wanted": wanted}).mappings().first()
            return None if row is None else ApiKey(**row)


class Audit:
    """The audit log of one store; entries are only ever added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        action: str,
        subjects: Sequence[str],
        *,
        key_id: str | None = None,
        lab_id: str | None = None,
        request_id: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Note a write.

        Args:
            action: what was done, such as ``measurements.create``.
            subjects: identifiers of the records, at most the first thousand are kept.
            key_id: key that wrote.
            lab_id: lab in whose name.
            request_id: identifier of the request.
            detail: counts and settings; no values of records and no secrets.
        """
        at = datetime.now(UTC)
        values = {
            "entry_id": f"{at:%Y%m%dT%H%M%S.%f}-{new_secret()[0]}",
            "at": at,
            "key_id": key_id,
            "lab_id": lab_id,
            "action": action,
            "subjects": list(subjects)[:1000],
            "request_id": request_id,
            "detail": detail or {},
        }
        with self._database.writing("the audit log") as connection:
            connection.execute(insert(table_of(AuditRow)), values)

    def entries(
        self, *, lab_id: str | None = None, before: str | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Return entries, newest first.

        Args:
            lab_id: only of this lab.
            before: only those older than this entry.
            limit: at most so many.
        """
        statement = select(AuditRow).order_by(AuditRow.entry_id.desc()).limit(limit)
        if lab_id is not None:
            statement = statement.where(AuditRow.lab_id == lab_id)
        if before is not None:
            statement = statement.where(AuditRow.entry_id < before)
        with self._database.session("audit") as session:
            return [
                AuditEntry(**{name: getattr(row, name) for name in AuditEntry.model_fields})
                for row in session.scalars(statement)
            ]


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(**{name: getattr(row, name) for name in ApiKey.model_fields})
