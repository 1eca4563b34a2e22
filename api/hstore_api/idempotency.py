"""Writes that can be repeated: the header ``Idempotency-Key``.

A client that lost the answer to a write sends it again with the same key and gets the answer it missed, with the
header ``Idempotency-Replayed: true``, and nothing is written twice. A router uses it so::

    @router.post("", status_code=201, response_model=Taken, responses=problems(400, 409, 413, 422))
    def send_measurements(request: Batch, caller: MeasureCaller, once: Once, store: StoreDep) -> Response:
        rows = checked(request)  # slow work first: on SQLite others who write wait for the transaction

        def write() -> Answer:
            store.add_measurements(rows)
            store.audit.add("measurements.create", [...], key_id=caller.key_id, ...)
            return Answer(Taken(...), status=201)

        return once.write(request, write)

All that ``write`` writes through ``store`` is one transaction with the kept answer, so a crash at any moment
leaves both or none. It must not start threads that write.

Where a write is not, or not only, in the store (campaigns have files of their own, jobs a journal)::

        return once.write_elsewhere(request, lambda token: Answer(started(job_id=token), status=202))

``token`` is the same whenever the request is repeated, so an identifier made of it makes the write idempotent. It
may be called twice with the same token, even at the same time: the second call must change nothing and return the
same.

Both work without the header too: then the write cannot be repeated, and the token is a new one. Errors are not
kept. Answers with secrets must not pass here: what is kept is kept in the clear. A request with a set among its
fields has no stable text; take a tuple.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints

from hstore.store.idempotency import KeptAnswer, Repeatable, new_token, request_hash
from hstore_api.access import AnyCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Response

    from hstore.store import Store

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""Header that names a write."""

REPLAYED_HEADER = "Idempotency-Replayed"
"""Header of an answer that was given before."""

IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")] | None,
    Header(
        alias=IDEMPOTENCY_HEADER,
        description="Name of this write, such as a UUID, up to 255 visible ASCII characters. Repeated with the "
        "same key within 48 hours, the request gets the same answer and nothing is written twice.",
    ),
]


@dataclass(frozen=True)
class Answer:
    """What a write is answered with."""

    body: BaseModel
    """The content; no secrets."""
    status: int = 200
    """Status of the response."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers, such as ``Location``."""


@dataclass(frozen=True)
class Writes:
    """The writes of one request."""

    store: Store
    """The store that keeps the answers."""
    caller: str
    """Who asks."""
    address: str
    """Method, path and query asked."""
    key: str | None
    """Name of the write; None where it has none."""

    def write(self, request: BaseModel | bytes, produce: Callable[[], Answer]) -> Response:
        """Do a write in the store, once; see the module.

        Args:
            request: body of the request.
            produce: does the write.

        Raises:
            KeyReusedError: the key came with another request before.
            RequestUnderWayError: the same write is under way for too long.
        """
        if self.key is None:
            with self.store.database.transaction("records"):
                return _response(_kept(produce()), replayed=False)
        kept, replayed = self.store.idempotency.write(self._named(self.key, request), lambda: _kept(produce()))
        return _response(kept, replayed=replayed)

    def write_elsewhere(self, request: BaseModel | bytes, produce: Callable[[str], Answer]) -> Response:
        """Do a write elsewhere, once in effect; see the module.

        Args:
            request: body of the request.
            produce: does the write, given its token.

        Raises:
            KeyReusedError: the key came with another request before.
        """
        if self.key is None:
            return _response(_kept(produce(new_token())), replayed=False)
        wanted = self._named(self.key, request)
        kept, replayed = self.store.idempotency.write_elsewhere(wanted, lambda token: _kept(produce(token)))
        return _response(kept, replayed=replayed)

    def _named(self, key: str, request: BaseModel | bytes) -> Repeatable:
        body = request if isinstance(request, bytes) else request.model_dump_json().encode()
        return Repeatable(self.caller, key, request_hash(self.address.encode(), body))


def _writes(request: Request, caller: AnyCaller, store: StoreDep, key: IdempotencyKey = None) -> Writes:
    return Writes(store, caller.name, f"{request.method} {request.url.path}?{request.url.query}", key)


Once = Annotated[Writes, Depends(_writes)]


def _kept(answer: Answer) -> KeptAnswer:
    content: dict[str, Any] = answer.body.model_dump(mode="json")
    return KeptAnswer(answer.status, {"body": content, "headers": dict(answer.headers)})


def _response(kept: KeptAnswer, *, replayed: bool) -> Response:
    headers = kept.answer["headers"] | ({REPLAYED_HEADER: "true"} if replayed else {})
    return JSONResponse(kept.answer["body"], status_code=kept.status, headers=headers)
