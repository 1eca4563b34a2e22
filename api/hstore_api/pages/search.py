"""The search page: filters in the address, results as one types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FormulaError, HstoreError, unknown_name
from hstore.formula import canonical_formula, parse_amounts
from hstore.records import Family
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.pages.periodic_table import places
from hstore_api.pages.rendering import is_fragment, render

if TYPE_CHECKING:
    from hstore.records import Material, Scope
    from hstore.store import Store

router = APIRouter(include_in_schema=False)

PAGE_ROWS = 25
"""Materials on a page."""

SORTS = {"": "identifier"}


class SearchQuery(BaseModel):
    """What the address of a search says; unknown parts are ignored, so that shared addresses live long."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    q: str = Field("", max_length=200)
    """Formula, name or identifier."""
    elements: str = Field("", max_length=300)
    """Symbols that must be present, joined by commas or blanks."""
    exclude: str = Field("", max_length=300)
    """Symbols that must be absent."""
    family: list[Family] = []
    """Families; all when empty."""
    known: str = Field("", pattern="^(yes|no|)$")
    """``yes`` for the literature, ``no`` for enumerated ones."""
    after: str = Field("", max_length=500)
    """Cursor of the page before."""


@dataclass(frozen=True)
class Results:
    """One page of what was found."""

    items: list[Material]
    """The materials."""
    total: int
    """How many there are on all pages."""
    next: str
    """Cursor of the next page; empty on the last."""
    problem: str = ""
    """Why the filters cannot be used; empty where they can."""


@router.get("/materials", response_class=HTMLResponse)
def search_page(
    request: Request, query: Annotated[SearchQuery, Query()], caller: ReadCaller, store: StoreDep
) -> HTMLResponse:
    """Search; htmx gets the results alone."""
    try:
        found = _find(store, query, caller.scope)
    except HstoreError as error:
        found = Results([], 0, "", str(error))
    template = "search_results.html" if is_fragment(request) else "search.html"
    return render(
        request,
        template,
        caller=caller,
        query=query,
        found=found,
        elements=places(),
        required=_symbols(query.elements),
        excluded=_symbols(query.exclude),
        families=list(Family),
        address=lambda **changes: _address(query, **changes),
    )


def _find(store: Store, query: SearchQuery, scope: Scope) -> Results:
    filters: dict[str, Any] = {
        "family": query.family[0] if query.family else None,
        "elements": _checked(query.elements),
        "known": {"yes": True, "no": False}.get(query.known),
    }
    if query.q.strip():
        try:
            filters["composition"] = canonical_formula(parse_amounts(query.q.strip()))
        except FormulaError:
            pass
    found = list(store.materials(scope=scope, **filters, limit=PAGE_ROWS + 1, after=query.after or None))
    items = found[:PAGE_ROWS]
    more = items[-1].material_id if len(found) > PAGE_ROWS else ""
    return Results(items, store.count_materials(scope=scope, **filters), more)


def _symbols(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def _checked(text: str) -> list[str]:
    symbols = _symbols(text)
    for symbol in symbols:
        if symbol not in ATOMIC_MASS_G_PER_MOL:
            raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)
    return symbols


def _address(query: SearchQuery, **changes: Any) -> str:
    values = query.model_dump(mode="json") | changes
    return f"/materials?{urlencode({k: v for k, v in values.items() if v}, doseq=True)}"
