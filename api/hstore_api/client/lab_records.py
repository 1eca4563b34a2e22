"""What labs tell: measurements and isotherms, private until they are published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_api.client.idempotency import named
from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation, request_of
from hstore_api.measurement_schemas import (
    HeldItem,
    HeldPage,
    Outcome,
    PublishRequest,
    PublishResponse,
    TakenResponse,
    Why,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pydantic import BaseModel

    from hstore_api.client.transport import Transport


class LabRecords:
    """What measurements and isotherms have in common.

    A write is sent with an idempotency key, so one that was sent again after a lost connection is done once.
    """

    def __init__(self, transport: Transport, address: str, identifier: str) -> None:
        """Take the address of the records and the name of their identifier in it."""
        self._transport = transport
        self._id = identifier
        one = f"{address}/{{{identifier}}}"
        self.operations = {
            "send": Operation("POST", address),
            "list": Operation("GET", address),
            "get": Operation("GET", one),
            "publish": Operation("POST", f"{address}/publish"),
            "retract": Operation("POST", f"{one}/retraction"),
            "held": Operation("GET", f"{address}/held"),
            "confirm": Operation("POST", f"{one}/confirmation"),
            "discard": Operation("DELETE", f"{address}/held/{{{identifier}}}"),
        }
        """What is asked by each method."""

    def publish(
        self, ids: Sequence[str] | None = None, *, on: date | None = None, idempotency_key: str | None = None
    ) -> PublishResponse:
        """Let everybody see records of the own lab; this cannot be undone.

        Args:
            ids: identifiers; all of the own lab when not given.
            on: first day; at once when not given.
            idempotency_key: a name of your own for this write.
        """
        asked = {"all": True} if ids is None else {"ids": tuple(ids)}
        body = request_of(PublishRequest, asked | ({} if on is None else {"on": on}))
        return self._transport.read(
            PublishResponse,
            self.operations["publish"],
            body=body,
            headers=named(idempotency_key),
            repeatable=True,
        )

    def retract(self, record_id: str, why: str, *, idempotency_key: str | None = None) -> Outcome:
        """Take a record of the own lab back; its history stays."""
        return self._transport.read(
            Outcome,
            self.operations["retract"],
            names={self._id: record_id},
            body=request_of(Why, {"why": why}),
            headers=named(idempotency_key),
            repeatable=True,
        )

    def held(self) -> Iterator[HeldItem]:
        """Iterate over what can hardly be true and waits for a confirmation of the own lab."""

        def ask(size: int, after: str | None) -> HeldPage:
            return self._transport.read(HeldPage, self.operations["held"], query={"limit": size, "after": after})

        return walk(ask)

    def confirm(self, record_id: str) -> Outcome:
        """Store a record that was held, because it is true; doing so again changes nothing."""
        return self._transport.read(
            Outcome, self.operations["confirm"], names={self._id: record_id}, repeatable=True
        )

    def discard(self, record_id: str) -> Outcome:
        """Drop a record that was held."""
        return self._transport.read(
            Outcome, self.operations["discard"], names={self._id: record_id}, repeatable=False
        )

    def send_csv(self, file: Path | str, *, idempotency_key: str | None = None, **sharing: Any) -> TakenResponse:
        """Send a table; every row gets a verdict.

        Args:
            file: a CSV file, in UTF-8.
            idempotency_key: a name of your own for this write, to send it again from another process.
            **sharing: ``visibility`` and ``embargo_until``.

        Raises:
            InputError: the file cannot be read.
        """
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}; give a CSV file") from error
        return self._send(idempotency_key, content=content, query=sharing, kind="text/csv; charset=utf-8")

    def _send(
        self,
        idempotency_key: str | None,
        *,
        body: BaseModel | None = None,
        content: bytes | None = None,
        query: dict[str, Any] | None = None,
        kind: str = "application/json",
    ) -> TakenResponse:
        return self._transport.read(
            TakenResponse,
            self.operations["send"],
            body=body,
            content=content,
            query=query,
            headers=named(idempotency_key) | {"Content-Type": kind},
            repeatable=True,
        )
