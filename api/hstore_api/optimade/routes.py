"""Addresses of OPTIMADE below a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from optimade.exceptions import NotFound, NotImplementedResponse
from optimade.models import (
    EntryInfoResource,
    EntryInfoResponse,
    InfoResponse,
    LinksResponse,
    ReferenceResponseMany,
    ReferenceResponseOne,
    StructureResponseMany,
    StructureResponseOne,
)

from hstore.store.optimade.conditions import Compare
from hstore.store.optimade.entries import Wanted
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.optimade.answers import API_VERSION, BASE, PROVIDER, JsonApiResponse, meta
from hstore_api.optimade.paging import position_text
from hstore_api.optimade.parameters import EntryParameters, Listing, ListingParameters, Single
from hstore_api.optimade.properties import ENTRY_TYPES, described
from hstore_api.optimade.queries import Notes, check_common, check_names, read_fields, read_listing
from hstore_api.optimade.resources import reference_resource, structure_resource

if TYPE_CHECKING:
    from hstore.store import Store
    from hstore.store.optimade.entries import Found

router = APIRouter()


@router.get("/info", response_model=InfoResponse, tags=["info"])
def get_info(request: Request, _: ScopeDep) -> JsonApiResponse:
    """Say what is served."""
    attributes = {
        "api_version": API_VERSION,
        "available_api_versions": [{"url": f"{_base_url(request)}/v1/", "version": API_VERSION}],
        "formats": ["json"],
        "entry_types_by_format": {"json": list(ENTRY_TYPES)},
        "available_endpoints": ["info", "links", *ENTRY_TYPES],
        "is_index": False,
    }
    return _answer(request, {"id": "/", "type": "info", "attributes": attributes}, returned=1, available=1)


@router.get("/info/{entry_type}", response_model=EntryInfoResponse, tags=["info"])
def get_entry_info(request: Request, entry_type: str, _: ScopeDep) -> JsonApiResponse:
    """Describe the fields of a type of entries.

    Raises:
        NotFound: there are no entries of that type.
    """
    if entry_type not in ENTRY_TYPES:
        raise NotFound(f"there are no entries of type {entry_type!r}; {' and '.join(ENTRY_TYPES)} are served")
    properties = described(entry_type)
    found = EntryInfoResource.model_validate(
        {
            "id": entry_type,
            "type": "info",
            "formats": ["json"],
            "description": _DESCRIPTIONS[entry_type],
            "properties": properties,
            "output_fields_by_format": {"json": list(properties)},
        }
    )
    return _answer(request, found.model_dump(mode="json", exclude_unset=True), returned=1, available=1)


@router.get("/links", response_model=LinksResponse, tags=["links"])
def get_links(request: Request, params: Listing, _: ScopeDep) -> JsonApiResponse:
    """Name this database, and where other providers are found.

    Raises:
        NotImplementedResponse: the links are to be filtered or sorted.
    """
    notes = _noted(request, params, listing=True)
    if params.filter or params.sort:
        raise NotImplementedResponse("links cannot be filtered or sorted; there are two")
    links = [
        _link("hstore", PROVIDER.name, PROVIDER.description, _base_url(request), "root"),
        _link("optimade", "OPTIMADE", "The providers of OPTIMADE", "https://providers.optimade.org", "providers"),
    ]
    return _answer(request, links, returned=len(links), available=len(links), warnings=notes.warnings)


@router.get("/structures", response_model=StructureResponseMany, tags=["structures"])
def list_structures(request: Request, params: Listing, store: StoreDep, scope: ScopeDep) -> JsonApiResponse:
    """List materials, in the order of their identifiers or another, a page at a time."""
    notes = _noted(request, params, listing=True)
    fields = read_fields("structures", params.response_fields, notes)
    wanted = read_listing("structures", params, request.query_params, fields, notes)
    found = store.optimade.structures(wanted, scope=scope)
    data = [fields.of(structure_resource(entry)) for entry in found.entries]
    return _page(request, found, wanted, data, _included(store, data, params.include), notes)


@router.get("/structures/{entry_id:path}", response_model=StructureResponseOne, tags=["structures"])
def get_structure(
    request: Request, entry_id: str, params: Single, store: StoreDep, scope: ScopeDep
) -> JsonApiResponse:
    """Return a material; null where there is none that the reader may see."""
    notes = _noted(request, params, listing=False)
    fields = read_fields("structures", params.response_fields, notes)
    wanted = Wanted(1, Compare("id", "=", _plain(entry_id)), with_structures=fields.need_sites)
    found = store.optimade.structures(wanted, scope=scope)
    data = [fields.of(structure_resource(entry)) for entry in found.entries]
    return _one(request, found, data, _included(store, data, params.include), notes)


@router.get("/references", response_model=ReferenceResponseMany, tags=["references"])
def list_references(request: Request, params: Listing, store: StoreDep, scope: ScopeDep) -> JsonApiResponse:
    """List the works that materials refer to, a page at a time."""
    notes = _noted(request, params, listing=True)
    fields = read_fields("references", params.response_fields, notes)
    wanted = read_listing("references", params, request.query_params, fields, notes)
    found = store.optimade.references(wanted, scope=scope)
    return _page(
        request, found, wanted, [fields.of(reference_resource(entry)) for entry in found.entries], [], notes
    )


@router.get("/references/{entry_id:path}", response_model=ReferenceResponseOne, tags=["references"])
def get_reference(
    request: Request, entry_id: str, params: Single, store: StoreDep, scope: ScopeDep
) -> JsonApiResponse:
    """Return a work; null where no material that the reader may see refers to it."""
    notes = _noted(request, params, listing=False)
    fields = read_fields("references", params.response_fields, notes)
    found = store.optimade.references(Wanted(1, Compare("id", "=", _plain(entry_id))), scope=scope)
    return _one(request, found, [fields.of(reference_resource(entry)) for entry in found.entries], [], notes)


_DESCRIPTIONS = {
    "structures": "Materials: compositions, those with a crystal structure among them, and what is known of them.",
    "references": "Works that materials refer to.",
}


def _noted(request: Request, params: EntryParameters, *, listing: bool) -> Notes:
    """Check what all requests have; parameters that are not known are ignored where one entry is asked for."""
    notes = Notes()
    check_common(params, request.query_params, notes)
    if listing:
        check_names(ListingParameters.model_fields, request.query_params, notes)
    return notes


def _page(
    request: Request,
    found: Found[Any],
    wanted: Wanted,
    data: list[dict[str, Any]],
    included: list[dict[str, Any]],
    notes: Notes,
) -> JsonApiResponse:
    following = None
    if found.more and found.last is not None:
        kept = {name: text for name, text in request.query_params.items() if name not in _PLACES}
        place = position_text(found.last, ordered=bool(wanted.sort))
        following = f"{_base_url(request)}{_below(request)}?{urlencode({**kept, 'page_above': place})}"
    return _answer(
        request,
        data,
        returned=found.matching,
        available=found.available,
        more=found.more,
        warnings=notes.warnings,
        links={"next": following},
        included=included,
    )


def _one(
    request: Request,
    found: Found[Any],
    data: list[dict[str, Any]],
    included: list[dict[str, Any]],
    notes: Notes,
) -> JsonApiResponse:
    return _answer(
        request,
        data[0] if data else None,
        returned=len(data),
        available=found.available,
        warnings=notes.warnings,
        links={"next": None},
        included=included,
    )


def _answer(
    request: Request,
    data: Any,
    *,
    links: dict[str, Any] | None = None,
    included: list[dict[str, Any]] | None = None,
    **told: Any,
) -> JsonApiResponse:
    body: dict[str, Any] = {"data": data, "meta": meta(request, **told)}
    if links is not None:
        body["links"] = links
    if included is not None:
        body["included"] = included
    return JsonApiResponse(body)


def _included(store: Store, data: list[dict[str, Any]], include: str) -> list[dict[str, Any]]:
    """Return the works that entries refer to, each once, where they are asked for."""
    if "references" not in include.split(","):
        return []
    relations = [entry.get("relationships", {}).get("references", {}).get("data", ()) for entry in data]
    return [
        reference_resource(entry)
        for entry in store.optimade.cited({r["id"] for related in relations for r in related})
    ]


def _link(name: str, title: str, description: str, base_url: str, kind: str) -> dict[str, Any]:
    attributes = {
        "name": title,
        "description": description,
        "base_url": base_url,
        "homepage": None,
        "link_type": kind,
    }
    return {"id": name, "type": "links", "attributes": attributes}


def _plain(entry_id: str) -> str:
    """Return an identifier that a database takes; one with a NUL character names nothing."""
    return "" if "\x00" in entry_id else entry_id


def _base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{BASE}"


def _below(request: Request) -> str:
    return request.url.path.removeprefix(BASE)


_PLACES = frozenset({"page_offset", "page_number", "page_above", "page_cursor", "page_below"})
