"""Where a page ended, as opaque text that fits only the question it came with, and the link to what follows."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request

_FINGERPRINT_DIGITS = 12
_REFUSAL = (
    "after is not the `next` of a page with these filters and this order; ask for the first page without it, "
    "then send back what that names as `next`"
)

Key = tuple[float | str | None, str]
"""Value a page is ordered by (None where that is the identifier alone), and the identifier, of its last item."""


def write_cursor(question: Any, key: Key) -> str:
    """Write where a page ended.

    Args:
        question: filters and order, of which the text says all.
        key: of the last item of the page.
    """
    plain = json.dumps([_fingerprint(question), *key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def read_cursor(question: Any, text: str, kind: type[float | str] | None) -> Key:
    """Read where a page ended.

    Args:
        question: filters and order of the next page.
        text: as :func:`write_cursor` wrote it.
        kind: type of the value that pages are ordered by; None where that is the identifier.

    Raises:
        InputError: it is not such a text, or of a page with other filters or in another order.
    """
    try:
        found = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        fingerprint, value, name = found
        value = float(value) if kind is float else value
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(_REFUSAL) from error
    fits = isinstance(name, str) and (value is None if kind is None else isinstance(value, kind))
    if fingerprint != _fingerprint(question) or not fits or not (is_comparable(value) and is_comparable(name)):
        raise InputError(_REFUSAL)
    return value, name


def next_link(request: Request, following: str) -> str:
    """Return the header ``Link`` that names the next page."""
    address = request.url.include_query_params(after=following)
    return f'<{address.path}?{address.query}>; rel="next"'


def is_comparable(value: Any) -> bool:
    """Tell whether a database can compare it: no number beyond all, no character NUL, no lone surrogate."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or ("\x00" not in value and value.encode(errors="ignore").decode() == value)


def _fingerprint(question: Any) -> str:
    return hashlib.sha256(repr(question).encode()).hexdigest()[:_FINGERPRINT_DIGITS]
