"""Query parameters of OPTIMADE, checked and brought into the words of the store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optimade.exceptions import BadRequest, Forbidden
from optimade.models import Warnings

from hstore.store.optimade.entries import Sort, Wanted
from hstore_api.optimade.filters import read_filter
from hstore_api.optimade.paging import read_position
from hstore_api.optimade.parameters import PAGE_LIMIT
from hstore_api.optimade.properties import (
    SEARCHED,
    SITE_FIELDS,
    TOP_LEVEL,
    described,
    is_foreign,
    is_sortable,
    undefined,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore_api.optimade.parameters import EntryParameters, ListingParameters

MAX_PAGE_LIMIT = 500
"""Most entries of a page."""

MAX_OFFSET = 10_000
"""Most entries that can be skipped; ``links.next`` goes on beyond without skipping."""

_UNUSED = ("page_cursor", "page_below")
_PAGING = ("page_offset", "page_number", "page_above")
_FIELD = re.compile(r"[a-z_][a-z_0-9]*(\.[a-z_0-9]+)?")


@dataclass
class Notes:
    """What a reader should know of the answer to one request."""

    warnings: list[Warnings] = field(default_factory=list)
    """Warnings, in the order in which they arose."""

    def add(self, title: str, detail: str) -> None:
        """Add a warning, once."""
        warning = Warnings(title=title, detail=detail)
        if warning not in self.warnings:
            self.warnings.append(warning)


@dataclass(frozen=True)
class Fields:
    """Which attributes an answer has."""

    chosen: frozenset[str] | None
    """Names asked for; None for all there are."""

    def of(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Return an entry with the attributes that were asked for; null for those it has none of."""
        if self.chosen is None:
            return resource
        given = resource["attributes"]
        return {**resource, "attributes": {name: given.get(name) for name in sorted(self.chosen)}}

    @property
    def need_sites(self) -> bool:
        """Whether structures must be read."""
        return self.chosen is None or not self.chosen.isdisjoint(SITE_FIELDS)


def check_common(params: EntryParameters, given: Mapping[str, str], notes: Notes) -> None:
    """Check what all requests for entries have.

    Raises:
        BadRequest: a format or relation is not served, or a value has a NUL character.
    """
    if any("\x00" in text for item in given.items() for text in item):
        raise BadRequest("a query parameter holds a NUL character; leave it out")
    if params.response_format != "json":
        raise BadRequest(f"response_format {params.response_format!r} is not served; json is")
    unknown = [name for name in params.include.split(",") if name not in {"", "references", "structures"}]
    if unknown:
        raise BadRequest(f"include names {unknown[0]!r}, which is no relation of entries; references is")
    if params.api_hint:
        notes.add("QueryParamNotUsed", "api_hint is for addresses without a version; this one has one")


def check_names(known: Iterable[str], given: Iterable[str], notes: Notes) -> None:
    """Refuse query parameters of a listing that are not known; those of other providers have no effect.

    Raises:
        BadRequest: a parameter is not known.
    """
    for name in given:
        if name in known:
            continue
        if not is_foreign(name):
            raise BadRequest(f"the query parameter {name!r} is not known; see /optimade/v1/openapi.json")
        notes.add(
            "UnknownProviderQueryParameter", f"the query parameter {name!r} is of another provider: no effect"
        )


def read_fields(entry_type: str, text: str, notes: Notes) -> Fields:
    """Read ``response_fields``.

    Raises:
        BadRequest: a field is not known.
    """
    if not text:
        return Fields(None)
    known = {*described(entry_type), *undefined(entry_type), *TOP_LEVEL}
    chosen = text.split(",")
    for name in chosen:
        _check_field(name, known, notes, "response_fields")
    return Fields(frozenset(chosen) - set(TOP_LEVEL))


def read_listing(
    entry_type: str, params: ListingParameters, given: Mapping[str, str], fields: Fields, notes: Notes
) -> Wanted:
    """Read what entries are wanted, and which page.

    Raises:
        BadRequest: filter, order or place of the page cannot be read.
        NotImplementedResponse: the filter uses a part of the language that is left out.
        Forbidden: the page is larger than any.
    """
    if params.page_limit > MAX_PAGE_LIMIT:
        raise Forbidden(f"page_limit is at most {MAX_PAGE_LIMIT}, got {params.page_limit}; follow links.next")
    limit = params.page_limit or PAGE_LIMIT
    for name in _UNUSED:
        if name in given:
            notes.add("QueryParamNotUsed", f"{name} is not supported and has no effect; follow links.next")
    paging = [name for name in _PAGING if name in given]
    if len(paging) > 1:
        notes.add("QueryParamNotUsed", f"of {', '.join(paging)} only the first has an effect")
    chosen = paging[0] if paging else None
    sort = read_sort(entry_type, params.sort, notes)
    return Wanted(
        limit=limit,
        condition=read_filter(
            params.filter,
            SEARCHED[entry_type],
            undefined(entry_type),
            lambda detail: notes.add("UnknownProviderProperty", detail),
        ),
        sort=sort,
        after=read_position(params.page_above, sort, SEARCHED[entry_type]) if chosen == "page_above" else None,
        offset=_offset(chosen, params, limit, notes),
        with_structures=fields.need_sites,
    )


def read_sort(entry_type: str, text: str, notes: Notes) -> tuple[Sort, ...]:
    """Read ``sort``.

    Raises:
        BadRequest: a field is not known, or entries cannot be sorted by it.
    """
    found: list[Sort] = []
    for part in text.split(",") if text else ():
        name = part.removeprefix("-")
        known = {*described(entry_type), *undefined(entry_type)}
        if not _check_field(name, known, notes, "sort"):
            continue
        if not is_sortable(entry_type, name):
            raise BadRequest(f"entries cannot be sorted by {name!r}; /info/{entry_type} lists the sortable fields")
        found.append(Sort(name, descending=part.startswith("-")))
    return tuple(found)


def _offset(chosen: str | None, params: ListingParameters, limit: int, notes: Notes) -> int:
    offset = 0
    if chosen == "page_offset":
        offset = params.page_offset
    elif chosen == "page_number":
        number = params.page_number or 0
        if number < 1:
            notes.add("QueryParamNotUsed", f"page_number begins with 1; got {number}, taken as 1")
        offset = (max(number, 1) - 1) * limit
    if offset > MAX_OFFSET:
        raise BadRequest(f"at most {MAX_OFFSET} entries can be skipped, got {offset}; follow links.next instead")
    return offset


def _check_field(name: str, known: Iterable[str], notes: Notes, where: str) -> bool:
    """Tell whether a field is known; one of another provider is not, and has no effect.

    Raises:
        BadRequest: it is neither.
    """
    if name in known:
        return True
    if not (_FIELD.fullmatch(name) and is_foreign(name)):
        raise BadRequest(f"{where} names {name!r}, which is no field of these entries; /info lists them")
    notes.add("UnknownProviderProperty", f"{where} names {name!r} of another provider; no entry here has it")
    return False
