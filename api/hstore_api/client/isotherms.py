"""Isotherms of labs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.client.lab_records import LabRecords
from hstore_api.client.paging import walk
from hstore_api.client.transport import request_of
from hstore_api.measurement_schemas import (
    IsothermDetail,
    IsothermItem,
    IsothermPage,
    IsothermsRequest,
    TakenResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hstore_api.client.transport import Transport


class Isotherms(LabRecords):
    """Measured isotherms."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/isotherms", "isotherm_id")

    def send(
        self, isotherms: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None, **sharing: Any
    ) -> TakenResponse:
        """Send isotherms, a hundred at most; each gets a verdict.

        Args:
            isotherms: fields of ``IsothermInput``, such as ``formula``, ``temperature_k`` and ``points``.
            idempotency_key: a name of your own for this write, to send it again from another process.
            **sharing: ``visibility`` and ``embargo_until``.
        """
        body = request_of(IsothermsRequest, {"isotherms": tuple(dict(one) for one in isotherms), **sharing})
        return self._send(idempotency_key, body=body)

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[IsothermItem]:
        """Iterate over isotherms that you may see, without their points.

        Args:
            limit: at most so many in all.
            **filters: parameters of ``GET /v1/isotherms``: ``formula``, ``lab="own"``, ...
        """

        def ask(size: int, after: str | None) -> IsothermPage:
            query = filters | {"limit": size, "after": after}
            return self._transport.read(IsothermPage, self.operations["list"], query=query)

        return walk(ask, limit)

    def get(self, isotherm_id: str) -> IsothermDetail:
        """Return an isotherm with its points and history."""
        return self._transport.read(IsothermDetail, self.operations["get"], names={"isotherm_id": isotherm_id})
