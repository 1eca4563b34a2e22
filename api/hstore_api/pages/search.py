"""The search page: filters in the address, results as one types."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FormulaError, InputError, unknown_name
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import PROPERTIES
from hstore.records import Family
from hstore.store.search import BY_IDENTIFIER, MOST_COUNTED, NumberRange, Order, Wanted
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.material_query import check_numbers, read_position, write_position
from hstore_api.pages.periodic_table import places
from hstore_api.pages.rendering import is_fragment, render
from hstore_api.schemas import WITHOUT_NUL

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore.store import Store
    from hstore.store.search import BestNumber, Position

router = APIRouter(include_in_schema=False)

PAGE_ROWS = 25
"""Materials on a page."""

RANGES = 2
"""Ranges of properties that the form offers."""

_COLUMNS = ("formula", "name", "family", "known", "reason", "provenance", "lab_id", "visibility")
_Bound = Annotated[str, Field(max_length=30)]
_Name = Annotated[str, Field(max_length=200, pattern=WITHOUT_NUL)]


class SearchQuery(BaseModel):
    """What the address of a search says; unknown parts are ignored, so that shared addresses live long."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    q: str = Field("", max_length=200, pattern=WITHOUT_NUL)
    """Formula, or part of a formula or a name."""
    elements: str = Field("", max_length=300)
    """Symbols that must be present, joined by commas or blanks."""
    exclude: str = Field("", max_length=300)
    """Symbols that must be absent."""
    family: Family | str = Field("", max_length=30)
    """Family; all when empty."""
    known: str = Field("", pattern="^(yes|no|)$")
    """``yes`` for the literature, ``no`` for enumerated ones."""
    structure: str = Field("", pattern="^(yes|)$")
    """``yes`` for those whose structure is known."""
    number: tuple[_Name, ...] = Field((), max_length=8)
    """Names of numbers, each with its bounds at the same place below."""
    low: tuple[_Bound, ...] = Field((), max_length=8)
    """Least values; empty for none."""
    high: tuple[_Bound, ...] = Field((), max_length=8)
    """Greatest values; empty for none."""
    sort: str = Field("", max_length=210, pattern=WITHOUT_NUL)
    """Name of a number to order by, with ``-`` in front from the greatest; the identifier when empty."""
    after: str = Field("", max_length=1000)
    """Where the page before ended."""


@dataclass(frozen=True)
class Hit:
    """One material that was found."""

    material_id: str
    """Identifier."""
    columns: dict[str, Any]
    """What is shown of it."""
    numbers: dict[str, BestNumber]
    """The numbers asked for, by name."""


@dataclass(frozen=True)
class Results:
    """One page of what was found."""

    hits: list[Hit]
    """The materials."""
    total: int
    """How many there are on all pages, counted up to a limit."""
    next: str
    """Where the next page begins; empty on the last."""
    names: tuple[str, ...] = ()
    """Numbers that are shown."""
    problem: str = ""
    """Why the filters cannot be used; empty where they can."""


@router.get("/materials", response_class=HTMLResponse)
def search_page(
    request: Request, query: Annotated[SearchQuery, Query()], caller: ReadCaller, store: StoreDep
) -> HTMLResponse:
    """Search; htmx gets the results alone."""
    try:
        found = _find(store, query, caller.scope)
    except InputError as error:
        found = Results([], 0, "", problem=str(error))
    context: dict[str, Any] = {
        "query": query,
        "found": found,
        "most_counted": MOST_COUNTED,
        "address": lambda **changes: _address("/materials", query, **changes),
        "download": _download(query),
        "ordered": lambda name: _address("/materials", query, sort=_turned(query.sort, name), after=""),
    }
    if is_fragment(request):
        return render(request, "search_results.html", caller=caller, **context)
    return render(
        request,
        "search.html",
        caller=caller,
        elements=places(),
        families=list(Family),
        names=_ordered_names(store.search.number_names(scope=caller.scope)),
        ranges=[_at(query, place) for place in range(RANGES)],
        **context,
    )


def _find(store: Store, query: SearchQuery, scope: Scope) -> Results:
    wanted = _wanted(query)
    order = Order(query.sort.removeprefix("-") or BY_IDENTIFIER, descending=query.sort.startswith("-"))
    sorted_by = (order.by,) if order.is_number else ()
    names = tuple(dict.fromkeys([*(found.name for found in wanted.ranges), *sorted_by]))
    check_numbers(names, store, scope)
    page = store.search.page(
        wanted,
        scope=scope,
        order=order,
        after=_position(wanted, order, query.after),
        limit=PAGE_ROWS,
        columns=_COLUMNS,
        numbers=names,
    )
    hits = [Hit(row["material_id"], row, page.numbers.get(row["material_id"], {})) for row in map(dict, page.rows)]
    following = write_position(wanted, order, page.next) if page.next else ""
    return Results(hits, store.search.count(wanted, scope=scope, order=order), following, names)


def _wanted(query: SearchQuery) -> Wanted:
    text = query.q.strip()
    composition = _composition(text)
    return Wanted(
        family=Family(query.family) if query.family in set(Family) else None,
        elements=_checked(query.elements),
        exclude_elements=_checked(query.exclude),
        known={"yes": True, "no": False}.get(query.known),
        has_structure=True if query.structure else None,
        composition=composition,
        text=None if composition else text or None,
        ranges=tuple(r for r in (_range(*_at(query, place)) for place in range(len(query.number))) if r),
    )


def _composition(text: str) -> str | None:
    """Return the canonical formula of what was typed, where it is a formula with amounts.

    Symbols alone are the beginning of a formula that is being typed, or part of a name.
    """
    try:
        return canonical_formula(parse_amounts(text)) if any(map(str.isdigit, text)) else None
    except FormulaError:
        return None


def _at(query: SearchQuery, place: int) -> tuple[str, str, str]:
    """Return name and bounds of one range, as they were typed."""
    name, low, high = (
        held[place].strip() if place < len(held) else "" for held in (query.number, query.low, query.high)
    )
    return name, low, high


def _range(name: str, low: str, high: str) -> NumberRange | None:
    if not name:
        return None
    return NumberRange(name, low=_bound(name, low), high=_bound(name, high))


def _bound(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        bound = float(_plain(text))
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise InputError(f"the bounds of {name} are numbers such as 2.5, got {text!r}")
    return bound


def _plain(text: str) -> str:
    """Return a number as programs write it: people type a comma, or copy the minus that the pages print."""
    return text.replace("−", "-").replace(",", ".")


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _checked(text: str) -> tuple[str, ...]:
    symbols = _symbols(text)
    for symbol in symbols:
        if symbol not in ATOMIC_MASS_G_PER_MOL:
            raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)
    return symbols


def _position(wanted: Wanted, order: Order, text: str) -> Position | None:
    """Read where a page ended; what is of no page of this question begins at the beginning."""
    try:
        return read_position(wanted, order, text) if text else None
    except InputError:
        return None


def _download(query: SearchQuery) -> str:
    """Return the address of all results over REST, but for their form."""
    wanted = {
        "family": query.family,
        "elements": ",".join(_symbols(query.elements)),
        "exclude_elements": ",".join(_symbols(query.exclude)),
        "known": {"yes": "true", "no": "false"}.get(query.known, ""),
        "has_structure": "true" if query.structure else "",
        "sort": query.sort,
        "all": "true",
    }
    text = query.q.strip()
    wanted |= {"formula": text} if _composition(text) else {"text": text}
    bounds = [
        f"{name}{sign}{_plain(bound)}"
        for name, low, high in (_at(query, place) for place in range(len(query.number)))
        for sign, bound in ((">=", low), ("<=", high))
        if name and bound
    ]
    return f"/v1/materials?{urlencode({k: v for k, v in {**wanted, 'where': bounds}.items() if v}, doseq=True)}"


def _turned(sort: str, name: str) -> str:
    """Return the order that a press on a heading asks for: from the greatest first, then from the least."""
    return name if sort == f"-{name}" else f"-{name}"


def _ordered_names(names: list[str]) -> list[str]:
    """Put properties before descriptors."""
    return [name for name in PROPERTIES if name in names] + [name for name in names if name not in PROPERTIES]


def _address(path: str, query: SearchQuery, **changes: Any) -> str:
    values = query.model_dump(mode="json") | changes
    kept = {name: value for name, value in values.items() if value and any(value)}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path
