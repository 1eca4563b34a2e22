"""Property models, how wrong they are, and which version is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation, request_of
from hstore_api.model_schemas import (
    HeldOutPage,
    HeldOutRow,
    ModelList,
    ModelOverview,
    ModelSchema,
    ModelVersion,
    PromotionRequest,
    ReleaseResponse,
    RollbackRequest,
    VerdictSchema,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/models")
_GET = Operation("GET", "/v1/models/{model}")
_VERSION = Operation("GET", "/v1/models/{model}/versions/{model_id}")
_COMPARE = Operation("GET", "/v1/models/{model}/versions/{model_id}/compare")
_HELD_OUT = Operation("GET", "/v1/models/{model}/versions/{model_id}/held-out")
_PROMOTE = Operation("POST", "/v1/models/{model}/promote")
_ROLL_BACK = Operation("POST", "/v1/models/{model}/rollback")


class Models:
    """The models a key may see."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[ModelSchema, ...]:
        """Return the cards of all versions."""
        return self._transport.read(ModelList, _LIST).items

    def get(self, model: str) -> ModelOverview:
        """Return a model with its versions and history."""
        return self._transport.read(ModelOverview, _GET, names={"model": model})

    def version(self, model: str, model_id: str) -> ModelVersion:
        """Return the card of one version, with all it says."""
        return self._transport.read(ModelVersion, _VERSION, names={"model": model, "model_id": model_id})

    def compare(self, model: str, model_id: str, other: str | None = None) -> VerdictSchema:
        """Say whether a version is better than another, by default the one in use."""
        names = {"model": model, "model_id": model_id}
        return self._transport.read(VerdictSchema, _COMPARE, names=names, query={"with": other})

    def held_out(
        self, model: str, model_id: str, *, limit: int | None = None, **filters: Any
    ) -> Iterator[HeldOutRow]:
        """Iterate over known values beside what was predicted without them.

        Args:
            model: the model.
            model_id: the version.
            limit: at most so many rows.
            **filters: ``property``.
        """

        def ask(size: int, after: int | None) -> HeldOutPage:
            query = filters | {"limit": size, "after": after}
            names = {"model": model, "model_id": model_id}
            return self._transport.read(HeldOutPage, _HELD_OUT, names=names, query=query)

        return walk(ask, limit)

    def promote(self, model: str, model_id: str, **options: Any) -> ReleaseResponse:
        """Put a version into use.

        Args:
            model: the model.
            model_id: the version.
            **options: other fields of ``PromotionRequest``.
        """
        body = request_of(PromotionRequest, {"model_id": model_id, **options})
        return self._transport.read(ReleaseResponse, _PROMOTE, names={"model": model}, body=body)

    def roll_back(self, model: str, **options: Any) -> ReleaseResponse:
        """Put the version before the present one back into use.

        Args:
            model: the model.
            **options: fields of ``RollbackRequest``.
        """
        body = request_of(RollbackRequest, options)
        return self._transport.read(ReleaseResponse, _ROLL_BACK, names={"model": model}, body=body)
