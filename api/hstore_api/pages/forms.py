"""From the fields of a form to what a route takes, and which errors are said beside the form."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from hstore.errors import InputError
from hstore_api.errors import BusyError, LimitError
from hstore_api.schemas import Schema

SAID = (InputError, LimitError, BusyError)
"""Errors whose message is for whoever asked; those of store, models and data name what is the operator's."""

S = TypeVar("S", bound=Schema)


def filled(schema: type[S], **fields: Any) -> S:
    """Build what a route takes.

    Raises:
        InputError: a field is not as the contract says.
    """
    try:
        return schema(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = " ".join(map(str, first["loc"]))
        raise InputError(f"{place}: {first['msg']}" if place else str(first["msg"])) from error
