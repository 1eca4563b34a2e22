"""One open database: its connections, and how records are read and written."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.orm import Session

from hstore.errors import StoreError
from hstore.store.engine import for_writing, store_errors
from hstore.store.queries import pages
from hstore.store.schema import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine, Select
    from sqlalchemy.orm import InstrumentedAttribute

Row = TypeVar("Row", bound=Base)
Record = TypeVar("Record")


class Database:
    """Connections to one database, shared by the parts of a store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = for_writing(engine)
        self._of_thread = threading.local()

    @property
    def bind(self) -> Engine | Connection:
        """What this thread reads from: the connection of its :meth:`transaction`, or any."""
        return self._joined or self.engine

    @contextmanager
    def transaction(self, what: str) -> Iterator[Connection]:
        """Make one transaction of everything this thread writes in the block; what it reads sees it.

        All of it is committed at the end of the block, and nothing where an error leaves it. A write inside
        that fails and whose error is caught undoes itself alone. On SQLite everybody else who writes waits:
        compute first, then begin.

        Args:
            what: is written, for messages.
        """
        with self.writing(what) as connection:
            outer = self._joined
            self._of_thread.connection = connection
            try:
                yield connection
            finally:
                self._of_thread.connection = outer

    @contextmanager
    def session(self, table: str) -> Iterator[Session]:
        """Yield a session to read a table with."""
        with self.reading(table), Session(self.bind) as session:
            yield session

    @contextmanager
    def connected(self, doing: str) -> Iterator[Connection]:
        """Yield a connection to read with; ``doing``, such as ``"read materials from"``, is for messages."""
        with store_errors(self.engine, doing):
            if self._joined is not None:
                yield self._joined
                return
            with self.engine.connect() as connection:
                yield connection

    def read(
        self,
        statement: Select[Row],
        key: Sequence[InstrumentedAttribute[str]],
        record: Callable[[Row], Record],
        *,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Stream records in the order of a unique key, a page at a time."""
        found = pages(lambda: self.bind, statement, key, limit=limit)
        page: list[Record] | None = []
        while page is not None:
            yield from page
            with self.reading(key[0].class_.__tablename__):
                rows = next(found, None)
                page = None if rows is None else [record(row) for row in rows]

    @contextmanager
    def reading(self, table: str) -> Iterator[None]:
        """Turn errors of reading a table into :class:`StoreError`."""
        try:
            with store_errors(self.engine, f"read {table} from"):
                yield
        except ValueError as error:
            said = " ".join(str(error).split())
            raise StoreError(
                f"a row of {table} was changed outside hstore and is not a valid record: {said}; "
                "correct or delete it"
            ) from error

    @contextmanager
    def writing(self, what: str) -> Iterator[Connection]:
        """Yield a connection in a transaction that writes; ``what`` is for messages."""
        joined = self._joined
        with store_errors(self.engine, f"write {what} to"):
            if joined is not None:
                with joined.begin_nested():
                    yield joined
                return
            with self._writer.begin() as connection:
                yield connection

    @property
    def _joined(self) -> Connection | None:
        return getattr(self._of_thread, "connection", None)
