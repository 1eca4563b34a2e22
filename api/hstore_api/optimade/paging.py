"""Where a page begins: after the last entry of the page before it, so that writes in between move nothing."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optimade.exceptions import BadRequest

from hstore_api.cursor import is_comparable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.store.optimade.entries import Sort
    from hstore.store.optimade.fields import Field


def position_text(position: tuple[Any, ...], *, ordered: bool) -> str:
    """Write the position of an entry as ``page_above`` has it.

    Args:
        position: values of the sort fields, and the identifier.
        ordered: whether there are sort fields; the text is opaque then, and the identifier otherwise.
    """
    if not ordered:
        return str(position[-1])
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode()


def read_position(text: str, sort: tuple[Sort, ...], fields: Mapping[str, Field]) -> tuple[Any, ...]:
    """Read what :func:`position_text` wrote, or a client made up.

    Raises:
        BadRequest: it is no position in this order.
    """
    if not sort:
        return (text,)
    try:
        given = json.loads(base64.urlsafe_b64decode(text.encode()))
        kinds = [*(fields[by.field].type for by in sort), "string"]
        position = tuple(_value(kind, value) for kind, value in zip(kinds, given, strict=True))
    except (ValueError, TypeError, RecursionError, OverflowError):
        position = (None,)
    if position[-1] is None:
        raise BadRequest("page_above is no position in this order; follow links.next, or begin without page_above")
    return position


def _value(kind: str, value: Any) -> Any:
    """Return a value of a position as the database takes it.

    Raises:
        ValueError: it is of another type.
    """
    if value is None:
        return None
    if kind == "timestamp":
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in {"integer", "float"}:
        fits = number and abs(value) < 2**63
    else:
        fits = isinstance(value, str) and is_comparable(value)
    if not fits:
        raise ValueError(f"{value!r} is no {kind}")
    return float(value) if kind == "float" else value
