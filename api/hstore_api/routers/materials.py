"""Candidate materials."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import unknown_name
from hstore.formula import canonical_formula, parse_amounts
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.schemas import MaterialDetail, MaterialPage, MaterialQuery, MaterialSummary, Text

router = APIRouter(prefix="/v1/materials", tags=["materials"])


@router.get("", responses=problems(422))
def list_materials(query: Annotated[MaterialQuery, Query()], store: StoreDep, scope: ScopeDep) -> MaterialPage:
    """List materials in the order of their identifiers, a page at a time."""
    found = store.materials(scope=scope, **_filters(query), limit=query.limit + 1, after=query.after)
    items = [MaterialSummary.of(material) for material in islice(found, query.limit)]
    more = next(found, None) is not None
    return MaterialPage(items=tuple(items), limit=query.limit, next=items[-1].material_id if more else None)


@router.get("/{material_id:path}", responses=problems(404, 422))
def get_material(
    material_id: Annotated[Text, Path(description="Identifier, which may hold slashes.")],
    store: StoreDep,
    scope: ScopeDep,
) -> MaterialDetail:
    """Return one material with its structure and sources; a merged identifier gives what it was merged into."""
    material = store.material(material_id, scope=scope)
    if material is None:
        raise NotFoundError(f"no material {material_id!r} that you may see; /v1/materials lists those there are")
    return MaterialDetail.of(material)


def _filters(query: MaterialQuery) -> dict[str, Any]:
    """Return the filters in the words of the store.

    Raises:
        UnknownNameError: a symbol is no element.
        FormulaError: the formula cannot be read.
    """
    return {
        "family": query.family,
        "elements": _symbols(query.elements, ","),
        "chemical_system": "-".join(_symbols(query.chemical_system, "-")) or None,
        "composition": canonical_formula(parse_amounts(query.formula)) if query.formula else None,
        "known": query.known,
    }


def _symbols(text: str | None, separator: str) -> list[str]:
    symbols = [part.strip() for part in text.split(separator)] if text else []
    for symbol in symbols:
        if symbol not in ATOMIC_MASS_G_PER_MOL:
            raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)
    return symbols
