"""One open database: its connections, and how records are read and written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

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

    @contextmanager
    def connected(self, doing: str) -> Iterator[Connection]:
        """Yield a connection to read with; ``doing``, such as ``"read materials from"``, is for messages."""
        with store_errors(self.engine, doing), self.engine.connect() as connection:
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
        found = pages(self.engine, statement, key, limit=limit)
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
        with store_errors(self.engine, f"write {what} to"), self._writer.begin() as connection:
            yield connection
