"""Measurements of labs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.client.idempotency import named
from hstore_api.client.lab_records import LabRecords
from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation, request_of
from hstore_api.measurement_schemas import (
    ConflictItem,
    ConflictPage,
    CorrectionRequest,
    MeasurementDetail,
    MeasurementItem,
    MeasurementPage,
    MeasurementsRequest,
    TakenResponse,
    ValueVerdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hstore_api.client.transport import Transport

_CORRECT = Operation("POST", "/v1/measurements/{measurement_id}/correction")
_CONFLICTS = Operation("GET", "/v1/measurements/conflicts")


class Measurements(LabRecords):
    """Measured values."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/measurements", "measurement_id")

    def send(
        self, rows: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None, **sharing: Any
    ) -> TakenResponse:
        """Send rows, a thousand at most; each value gets a verdict.

        Args:
            rows: one mapping a row, column -> cell, as in a table.
            idempotency_key: a name of your own for this write, to send it again from another process.
            **sharing: ``visibility`` and ``embargo_until``.
        """
        body = request_of(MeasurementsRequest, {"rows": tuple(dict(row) for row in rows), **sharing})
        return self._send(idempotency_key, body=body)

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[MeasurementItem]:
        """Iterate over measurements that you may see.

        Args:
            limit: at most so many in all.
            **filters: parameters of ``GET /v1/measurements``: ``property``, ``formula``, ``lab="own"``, ...
        """

        def ask(size: int, after: str | None) -> MeasurementPage:
            query = filters | {"limit": size, "after": after}
            return self._transport.read(MeasurementPage, self.operations["list"], query=query)

        return walk(ask, limit)

    def get(self, measurement_id: str) -> MeasurementDetail:
        """Return a measurement with its history."""
        return self._transport.read(
            MeasurementDetail, self.operations["get"], names={"measurement_id": measurement_id}
        )

    def correct(
        self, measurement_id: str, changes: Mapping[str, Any], why: str, *, idempotency_key: str | None = None
    ) -> ValueVerdict:
        """Say what is right; the wrong value stays in the history.

        Args:
            measurement_id: the measurement.
            changes: cells as in a row that change.
            why: what was wrong.
            idempotency_key: a name of your own for this write.
        """
        return self._transport.read(
            ValueVerdict,
            _CORRECT,
            names={"measurement_id": measurement_id},
            body=request_of(CorrectionRequest, {"changes": dict(changes), "why": why}),
            headers=named(idempotency_key),
            repeatable=True,
        )

    def conflicts(self, **filters: Any) -> tuple[ConflictItem, ...]:
        """Return where values that you may see disagree by more than repeating explains.

        Args:
            **filters: ``formula``, ``property``, ``limit``.
        """
        return self._transport.read(ConflictPage, _CONFLICTS, query=filters).items
