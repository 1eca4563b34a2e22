"""What measurements and isotherms have in common."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstore.errors import InputError, UnknownNameError
from hstore.store.lab_records import Author
from hstore_api.errors import ForbiddenError, NotFoundError
from hstore_api.measurement_schemas import MAX_ROWS, PublishedItem, PublishResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from hstore.records import Access
    from hstore.store import Store
    from hstore.store.lab_records import LabRecords
    from hstore_api.access import Caller
    from hstore_api.measurement_schemas import PublishRequest, SharingQuery


def author_of(caller: Caller) -> Author:
    """Return who writes.

    Raises:
        ForbiddenError: the key belongs to no lab, so that what it sent would belong to nobody.
    """
    if caller.lab_id is None:
        raise ForbiddenError(
            "measurements belong to a lab, and this key has none; ask the operator for a key of a lab"
        )
    return Author(caller.lab_id, caller.key_id, caller.request_id)


def access_of(caller: Caller, sharing: SharingQuery) -> Access:
    """Return the access of what a caller sends.

    Raises:
        ForbiddenError: the key belongs to no lab.
    """
    author_of(caller)
    return caller.access(sharing.visibility, sharing.embargo_until)


def next_link(request: Request, following: str) -> str:
    """Return the header ``Link`` that names the next page."""
    address = request.url.include_query_params(after=following)
    return f'<{address.path}?{address.query}>; rel="next"'


@contextmanager
def mending() -> Iterator[None]:
    """Answer 404 where a lab has no record of an identifier, whoever else may have one."""
    try:
        yield
    except UnknownNameError as error:
        raise NotFoundError(str(error)) from error


def published(store: Store, records: LabRecords, request: PublishRequest, author: Author) -> PublishResponse:
    """Publish records of a lab.

    Raises:
        InputError: neither identifiers are given nor all, or both.
    """
    from hstore_workflows.measure.mending import publish

    if (request.ids is None) is not request.all:
        raise InputError("give ids, or all true; not both, and not neither")
    words = publish(store, records, request.ids, on=request.on, author=author)
    names = sorted(words)[:MAX_ROWS] if request.ids is None else request.ids
    items = [PublishedItem.model_validate({"record_id": n, "outcome": words.get(n, "not_found")}) for n in names]
    counted = Counter(words.values()) if request.ids is None else Counter(item.outcome for item in items)
    return PublishResponse(counts=dict(counted), items=tuple(items))
