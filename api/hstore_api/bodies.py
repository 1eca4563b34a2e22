"""How large, how deep and how slow a request may be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hstore.errors import InputError
from hstore_api.errors import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_ADDRESS_BYTES = 8_000
"""Longest path and query together."""

MAX_QUERY_PARTS = 100
"""Most parameters in a query."""

MAX_JSON_DEPTH = 64
"""Deepest nesting of lists and objects in JSON; structures and results need less than ten."""


@dataclass(frozen=True)
class BodyRule:
    """What the body of a request may be."""

    most_bytes: int
    """Largest size."""
    within_s: float
    """Time in which all of it must have come, s."""


SMALL = BodyRule(most_bytes=1_000_000, within_s=30.0)
"""For JSON and forms: a thousand formulas of the greatest length, twice."""

UPLOAD = BodyRule(most_bytes=20_000_000, within_s=120.0)
"""For files (CSV, CIF, AIF, and forms that carry them)."""

UPLOADS: dict[str, BodyRule] = {
    "/v1/measurements": UPLOAD,
    "/v1/isotherms": UPLOAD,
    "/v1/predictions": UPLOAD,
    "/measure": UPLOAD,
}
"""Beginning of the address -> rule for what is sent there and is neither JSON nor a plain form."""

_SMALL_TYPES = ("application/json", "application/x-www-form-urlencoded")


class BodyMiddleware:
    """Refuse requests that are too large, too deep or too slow, before anything else is done for them.

    A small body is received whole and then handed on, so that a slow sender holds nothing but its own connection.
    Bytes are counted as they come: a missing or wrong ``Content-Length`` makes no difference.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_address(scope)
            received = await _received(scope, receive)
        except (HTTPException, InputError) as error:
            refusal = answer(Request(scope), error)
            refusal.headers["Connection"] = "close"  # the rest of the body is not waited for
            await refusal(scope, receive, send)
            return
        if received is not None:
            await self._app(scope, received, send)


def _check_address(scope: Scope) -> None:
    """Refuse addresses that are too long.

    Raises:
        HTTPException: it is, or its query has too many parts.
    """
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > MAX_ADDRESS_BYTES:
        raise HTTPException(414, f"path and query are over {MAX_ADDRESS_BYTES:,} bytes; ask for less at a time")
    if query.count(b"&") >= MAX_QUERY_PARTS:
        raise HTTPException(414, f"the query has over {MAX_QUERY_PARTS} parameters; ask for less at a time")


async def _received(scope: Scope, receive: Receive) -> Receive | None:
    """Return what the body is read from; None where the sender went away.

    Raises:
        HTTPException: it is too large, or took too long.
        InputError: it is JSON that nests too deep.
    """
    headers = Headers(scope=scope)
    length = headers.get("Content-Length", "")
    if length in {"", "0"} and "Transfer-Encoding" not in headers:
        return receive
    media = headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    rule, upload = _rule(scope["path"], media)
    if length.isdecimal() and int(length) > rule.most_bytes:
        raise _too_large(rule)
    deadline = asyncio.get_running_loop().time() + rule.within_s
    if upload:
        return _counted(receive, rule, deadline)
    return await _whole(_counted(receive, rule, deadline), receive)


def _rule(path: str, media: str) -> tuple[BodyRule, bool]:
    """Return the rule for a body, and whether it is the upload of a file."""
    if media not in _SMALL_TYPES and not media.endswith("+json"):
        for prefix, rule in UPLOADS.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return rule, True
    return SMALL, False


def _counted(receive: Receive, rule: BodyRule, deadline: float) -> Receive:
    """Wrap the reading of a body so that it ends when there is too much of it, or too late."""
    total, ended = 0, False

    async def counted() -> Message:
        nonlocal total, ended
        if ended:  # what comes after the body is the news that the caller went away, however late
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408, f"the request body did not arrive within {rule.within_s:g} s; send it in parts"
            ) from None
        total += len(message.get("body", b""))
        if total > rule.most_bytes:
            raise _too_large(rule)
        ended = not message.get("more_body", False)
        return message

    return counted


async def _whole(counted: Receive, receive: Receive) -> Receive | None:
    """Receive a body to its end, check it, and return what hands it on in one piece."""
    parts: list[bytes] = []
    while True:
        message = await counted()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    check_depth(body)
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def handed_on() -> Message:
        return pending.pop() if pending else await receive()

    return handed_on


def check_depth(body: bytes, *, most: int = MAX_JSON_DEPTH) -> None:
    """Refuse JSON that nests too deep: its parsers, and whoever writes it again, work their way down by recursion.

    A body with fewer opening brackets than may be nested is not looked at; the largest takes some milliseconds.

    Raises:
        InputError: it does.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return
    import numpy as np

    brackets = np.frombuffer(_brackets(body), np.uint8)
    depths = np.cumsum(np.where(brackets == ord("["), 1, -1), dtype=np.int32)
    if depths.max(initial=0) > most:
        raise InputError(
            f"the body nests lists and objects more than {most} deep; send it flatter, as the contract shows it"
        )


def _brackets(body: bytes) -> bytes:
    """Return the brackets of JSON that stand outside of texts, braces among them as square ones.

    Where the body is no JSON, what comes before the first mistake is right, and no parser reads on after it.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # what quotes are left begin or end a text
    kept = unescaped.translate(_SQUARE, _ALL_BUT_BRACKETS_AND_QUOTES)
    few = kept.replace(b'""', b"")  # texts without brackets; two that touch become one, inside stays inside
    return b"".join(few.split(b'"')[::2])


_SQUARE = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS_AND_QUOTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def _too_large(rule: BodyRule) -> HTTPException:
    return HTTPException(413, f"the request body is over {rule.most_bytes:,} bytes; send it in parts")
