"""Entity tags: an answer whose bytes the caller already has is not sent again (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_DIGEST_BYTES = 16

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The answer is the one whose `ETag` was sent as `If-None-Match`."}
}
"""Declaration of the answer without a body, for the contract."""


def answer(
    request: Request, content: bytes, media_type: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return bytes with their tag, or status 304 where the caller has them already.

    That answers depend on who asks is said of all of them, in :mod:`hstore_api.security`.
    """
    tag = tag_of(content)
    fixed = {**(headers or {}), "ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=fixed)
    return Response(content, media_type=media_type, headers=fixed)


def tag_of(content: bytes) -> str:
    """Return the strong entity tag of some bytes."""
    return f'"{hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Tell whether a header ``If-None-Match`` names a tag, weakly compared, or is ``*``."""
    if not if_none_match:
        return False
    named = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return tag in named or "*" in named
