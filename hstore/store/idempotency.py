"""Answers to writes, kept so that a write that is repeated is answered again and not done again."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from hstore.errors import HstoreError, InputError
from hstore.store.schema import IdempotencyRow, table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from hstore.store.database import Database

KEPT_FOR = timedelta(hours=48)
"""How long an answer is given again; the same key means a new write afterwards."""

WAIT_S = 10
"""How long a repetition waits for the write that is under way, s (PostgreSQL)."""

_UNANSWERED = 0
_FORGET_EVERY_S = 3600.0


class KeyReusedError(InputError):
    """An idempotency key comes with another request than before."""


class RequestUnderWayError(HstoreError):
    """A request with the same idempotency key is being worked on."""

    retry_after_s = 2
    """Time after which the request may be made again, s."""


@dataclass(frozen=True)
class KeptAnswer:
    """What a write was answered with."""

    status: int
    """HTTP status."""
    answer: dict[str, Any]
    """Plain JSON; no secrets."""


@dataclass(frozen=True)
class Repeatable:
    """A write as somebody names it."""

    caller: str
    """Who asks; keys of different callers have nothing to do with each other."""
    key: str
    """Name the caller gave to the write."""
    request_hash: str
    """Hash of all that was asked."""


class Idempotency:
    """The kept answers of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._forget_at = 0.0

    def write(self, wanted: Repeatable, produce: Callable[[], KeptAnswer]) -> tuple[KeptAnswer, bool]:
        """Do a write whose records are all in this store, once.

        The answer is kept in the transaction of the write: after a crash at any moment both are there or none.

        Args:
            wanted: the write.
            produce: does it; all it writes through the parts of this store joins one transaction.

        Returns:
            The answer, and whether it was given before.

        Raises:
            KeyReusedError: the key came with another request before.
            RequestUnderWayError: the same write is under way for longer than :data:`WAIT_S`.
        """
        self._forget_old()
        with self._database.transaction("an answer") as connection:
            _, kept = _claim(connection, wanted)
            if kept is not None:
                return kept, True
            answer = produce()
            _keep(connection, wanted, answer)
            return answer, False

    def write_elsewhere(self, wanted: Repeatable, produce: Callable[[str], KeptAnswer]) -> tuple[KeptAnswer, bool]:
        """Do a write whose records are not, or not all, in this store, once in effect.

        After a crash between write and answer, or when the same request comes twice at a time, the write is
        done again with the same token.

        Args:
            wanted: the write.
            produce: does it, given a token of the write; called again with the same token, also at the same
                time, it must change nothing and return the same.

        Returns:
            The answer, and whether it was given before.

        Raises:
            KeyReusedError: the key came with another request before.
        """
        self._forget_old()
        with self._database.writing("an answer") as connection:
            claimed_at, kept = _claim(connection, wanted)
        if kept is not None:
            return kept, True
        answer = produce(_token(wanted, claimed_at))
        with self._database.writing("an answer") as connection:
            _keep(connection, wanted, answer)
        return answer, False

    def _forget_old(self) -> None:
        """Delete old answers, once an hour in a process."""
        now = time.monotonic()
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_EVERY_S
        with self._database.writing("an answer") as connection:
            connection.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < _oldest()))


def request_hash(*parts: bytes) -> str:
    """Return the hash of the parts of a request, each apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def new_token() -> str:
    """Draw the token of a write that nobody named."""
    return uuid.uuid4().hex


def _token(wanted: Repeatable, claimed_at: datetime) -> str:
    """Return the token of a write: the same for each repetition, another after the key was forgotten."""
    parts = (wanted.caller, wanted.key, claimed_at.astimezone(UTC).isoformat())
    return request_hash(*(part.encode() for part in parts))[:32]


def _claim(connection: Connection, wanted: Repeatable) -> tuple[datetime, KeptAnswer | None]:
    """Note a write as begun, or find when it was begun and the answer, where there is one."""
    row, now = IdempotencyRow, datetime.now(UTC)
    postgres = connection.dialect.name == "postgresql"
    make = postgresql.insert if postgres else sqlite.insert
    fresh = {"request_hash": wanted.request_hash, "created_at": now, "status": _UNANSWERED, "answer": {}}
    statement = make(table_of(row)).values(caller=wanted.caller, idempotency_key=wanted.key, **fresh)
    claim = statement.on_conflict_do_update(
        index_elements=["caller", "idempotency_key"], set_=fresh, where=row.created_at < _oldest()
    ).returning(row.created_at)
    if postgres:
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_S}s'"))
    try:
        claimed_at = connection.scalar(claim)
    except OperationalError as error:
        if postgres and getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise RequestUnderWayError(
                "a request with the same Idempotency-Key is under way; repeat it in a moment"
            ) from error
        raise
    if postgres:
        connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    return (claimed_at, None) if claimed_at else _kept(connection, wanted)


def _kept(connection: Connection, wanted: Repeatable) -> tuple[datetime, KeptAnswer | None]:
    row = IdempotencyRow
    columns = (row.request_hash, row.created_at, row.status, row.answer)
    found = connection.execute(select(*columns).where(*_same_key(wanted))).one()
    if found.request_hash != wanted.request_hash:
        raise KeyReusedError(
            "this Idempotency-Key came with another request before; repeat a request as it was, or give a new "
            "one a key of its own"
        )
    if found.status == _UNANSWERED:
        return found.created_at, None
    return found.created_at, KeptAnswer(found.status, found.answer)


def _keep(connection: Connection, wanted: Repeatable, answer: KeptAnswer) -> None:
    changed = update(IdempotencyRow).where(*_same_key(wanted))
    connection.execute(changed.values(status=answer.status, answer=answer.answer))


def _same_key(wanted: Repeatable) -> tuple[Any, ...]:
    return (IdempotencyRow.caller == wanted.caller, IdempotencyRow.idempotency_key == wanted.key)


def _oldest() -> datetime:
    return datetime.now(UTC) - KEPT_FOR
