"""Materials side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from hstore.properties import PROPERTIES
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.pages.materials import values_of
from hstore_api.pages.rendering import render
from hstore_api.pages.shown import PropertyRow, Shown
from hstore_api.schemas import Text  # noqa: TC001 - FastAPI reads annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.records import Material

router = APIRouter(include_in_schema=False)

MOST = 4
"""Materials that fit side by side."""

_APART = 1.5
"""Two predictions differ when neither mean lies in the interval of the other; two plain values, by this factor."""


@dataclass(frozen=True)
class Line:
    """One property of several materials."""

    name: str
    """Canonical name."""
    cells: tuple[PropertyRow, ...]
    """Values of each material, in order, all on one scale."""
    best: Shown | None
    """The value that stands for each material and is the largest; None where they do not differ clearly."""


@router.get("/compare", response_class=HTMLResponse)
def compare_page(
    request: Request,
    caller: ReadCaller,
    service: ServiceDep,
    ids: Annotated[list[Text], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies defaults
) -> HTMLResponse:
    """Show two to four materials side by side; those that cannot be seen are said to be missing."""
    wanted = list(dict.fromkeys(ids))[:MOST]
    found = {name: service.store.material(name, scope=caller.scope) for name in wanted}
    materials = [material for material in found.values() if material is not None]
    values = [values_of(service, request, material, caller.scope, predict=True) for material in materials]
    shown = [held.shown for held in values]
    return render(
        request,
        "compare.html",
        caller=caller,
        materials=materials,
        lines=_lines(shown),
        lacking=next((held.lacking for held in values if held.lacking), ""),
        missing=[name for name, material in found.items() if material is None],
        elements=_element_lines(materials),
        too_many=len(dict.fromkeys(ids)) > MOST,
    )


def _lines(values: Sequence[Sequence[Shown]]) -> list[Line]:
    order = {name: place for place, name in enumerate(PROPERTIES)}
    names = sorted({v.property for held in values for v in held}, key=lambda n: (order.get(n, len(order)), n))
    lines = []
    for name in names:
        cells = [tuple(v for v in held if v.property == name) for held in values]
        every = tuple(v for cell in cells for v in cell)
        lines.append(Line(name, tuple(PropertyRow(name, cell, every) for cell in cells), _best(cells)))
    return lines


def _best(cells: Sequence[Sequence[Shown]]) -> Shown | None:
    """Return the largest of the values that stand for the materials, where it is clearly apart from the others."""
    standing = [_standing(cell) for cell in cells if cell]
    if len(standing) < 2:
        return None
    first, second = sorted(standing, key=lambda v: -v.value)[:2]
    return first if _differ(first, second) else None


def _standing(cell: Sequence[Shown]) -> Shown:
    """Return the value that stands for a material: measured before computed before predicted."""
    order = {"measured": 0, "computed": 1, "predicted": 2}
    return min(cell, key=lambda v: order[v.kind])


def _differ(one: Shown, other: Shown) -> bool:
    spans = [v for v in (one, other) if v.lower is not None and v.upper is not None]
    if spans:
        return all(
            not (v.lower or 0) <= w.value <= (v.upper or 0) for v, w in ((one, other), (other, one)) if v in spans
        )
    low, high = sorted((abs(one.value), abs(other.value)))
    return high > _APART * low


def _element_lines(materials: Sequence[Material]) -> list[tuple[str, list[float]]]:
    """Return element -> atomic fraction in each material, in percent, of the elements that not all share alike."""
    from hstore.formula import parse_amounts

    shares = []
    for material in materials:
        amounts = parse_amounts(material.formula)
        total = sum(amounts.values())
        shares.append({element: 100 * amount / total for element, amount in amounts.items()})
    elements = sorted({element for held in shares for element in held})
    return [(element, [held.get(element, 0.0) for held in shares]) for element in elements]
