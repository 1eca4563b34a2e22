"""What holds for every request: an identifier to find it by, and a limit to its size."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"
"""Header with the identifier of a request; a caller's own is kept when it is plain."""

MAX_BODY_BYTES = 1_000_000
"""Largest request body: a thousand formulas of the greatest length, twice."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Give every request an identifier, and send it back with the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def limit_body(receive: Receive, *, most: int = MAX_BODY_BYTES) -> Receive:
    """Wrap the reading of a body so that it ends with status 413 when there is too much of it.

    Bytes are counted as they come, so a missing or wrong ``Content-Length`` makes no difference.
    """
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise HTTPException(413, f"the request body is over {most:,} bytes; send it in parts")
        return message

    return counted


class BodyLimitMiddleware:
    """Refuse bodies over :data:`MAX_BODY_BYTES`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        limited = limit_body(receive) if scope["type"] == "http" else receive
        await self._app(scope, limited, send)
