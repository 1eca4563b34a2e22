"""What measurements and isotherms have in common."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.convertors import StringConvertor, register_url_convertor

from hstore.errors import InputError, UnknownNameError
from hstore.store.lab_records import Author
from hstore_api.errors import ForbiddenError, NotFoundError
from hstore_api.measurement_schemas import (
    MAX_ROWS,
    HeldItem,
    HeldPage,
    Outcome,
    PublishedItem,
    PublishResponse,
    SharingQuery,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.records import Access
    from hstore.store import Store
    from hstore.store.lab_records import LabRecords
    from hstore_api.access import Caller
    from hstore_api.measurement_schemas import HeldQuery, IsothermsRequest, MeasurementsRequest, PublishRequest


class _RecordConvertor(StringConvertor):
    """Identifiers of records; ``publish`` is the address of an action."""

    regex = "(?!publish$)[^/]+"


register_url_convertor("record", _RecordConvertor())


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


def sharing_of(request: MeasurementsRequest | IsothermsRequest, sharing: SharingQuery) -> SharingQuery:
    """Return with whom records are shared: as the body says, else as the address does."""
    return SharingQuery(
        visibility=request.visibility or sharing.visibility,
        embargo_until=request.embargo_until or sharing.embargo_until,
    )


def held_page(records: LabRecords, query: HeldQuery, author: Author) -> HeldPage:
    """Return a page of the records of a lab that wait for a confirmation."""
    held = records.held(author.lab_id, after=query.after, limit=query.limit + 1)
    items = tuple(map(HeldItem.of, held[: query.limit]))
    following = items[-1].record_id if len(held) > query.limit else None
    return HeldPage(items=items, limit=query.limit, next=following)


def retracted(store: Store, records: LabRecords, record_id: str, why: str, author: Author) -> Outcome:
    """Take a record of a lab back.

    Raises:
        NotFoundError: the lab has none of this identifier.
    """
    from hstore_workflows.measure.mending import retract

    with mending():
        changed = retract(store, records, record_id, why=why, author=author)
    return Outcome(record_id=record_id, changed=changed)


def confirmed(store: Store, records: LabRecords, record_id: str, author: Author) -> Outcome:
    """Store a record of a lab that was held, because it is true.

    Raises:
        NotFoundError: the lab has none of this identifier that was held.
    """
    from hstore_workflows.measure.mending import confirm

    with mending():
        changed = confirm(store, records, record_id, author=author)
    return Outcome(record_id=record_id, changed=changed)


def discarded(store: Store, records: LabRecords, record_id: str, author: Author) -> Outcome:
    """Drop a record of a lab that waits for a confirmation.

    Raises:
        NotFoundError: the lab has none of this identifier that waits.
    """
    from hstore_workflows.measure.mending import discard

    with mending():
        discard(store, records, record_id, author=author)
    return Outcome(record_id=record_id, changed=True)


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
