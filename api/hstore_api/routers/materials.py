"""Candidate materials."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic_core import to_json

from hstore.errors import InputError
from hstore.licences import Mix
from hstore.store.search import MOST_COUNTED
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.cursor import next_link
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.etag import NOT_MODIFIED, answer
from hstore_api.material_query import Asked, read_query
from hstore_api.material_schemas import (
    MAX_ROWS,
    MAX_VALUES,
    MaterialDetail,
    MaterialPage,
    MaterialQuery,
    MaterialValue,
    StructureQuery,
)
from hstore_api.representation import (
    CSV,
    JSON,
    PARQUET,
    TABLE_TYPES,
    chosen_form,
    csv_text,
    declared,
    licence_headers,
    parquet_bytes,
    schema_of,
    stream_csv,
    stream_parquet,
)
from hstore_api.schemas import Text
from hstore_api.structure_forms import STRUCTURE_TYPES, written_structure

if TYPE_CHECKING:
    from hstore.records import Material, Scope
    from hstore.store import Store

_CHUNK_ROWS = 2000

CUT_HEADER = "X-Results-Cut"
"""Header of a table of all results: whether there are more than it may have."""

router = APIRouter(prefix="/v1/materials", tags=["materials"])

Identifier = Annotated[Text, Path(description="Identifier, which may hold slashes.")]


@router.get(
    "",
    response_model=MaterialPage,
    responses={**declared(TABLE_TYPES, "The materials."), **NOT_MODIFIED, **problems(406, 422)},
)
def list_materials(
    request: Request, query: Annotated[MaterialQuery, Query()], store: StoreDep, scope: ScopeDep
) -> Response:
    """Search materials, a page at a time, as JSON, CSV or Parquet.

    Pages are stable while others write: a material that stays as it is comes exactly once.
    """
    form = chosen_form(request.headers.get("accept"), query.format, TABLE_TYPES)
    if query.all and form == "json":
        raise InputError("all=true needs format=csv or format=parquet; JSON comes in pages, each names the next")
    asked = read_query(query, store, scope)
    if query.all:
        return _all_rows(request, asked, form, store, scope)
    page = store.search.page(
        asked.wanted,
        scope=scope,
        order=asked.order,
        after=asked.after,
        limit=query.limit,
        columns=asked.columns if form == "json" else tuple({*asked.columns, "provenance"}),
        numbers=asked.numbers,
    )
    following = None if page.next is None else asked.cursor(page.next)
    headers = {} if following is None else {"Link": next_link(request, following)}
    if form == "json":
        body = {
            "items": asked.items(page),
            "limit": query.limit,
            "next": following,
            **_total(query, asked, store, scope),
        }
        return answer(request, to_json(body), JSON, headers=headers)
    columns, rows = asked.table_columns(), asked.table_rows(page)
    licences = Mix.of(row["licence"] for row in rows)
    headers |= licence_headers(licences)
    if form == "csv":
        return answer(request, csv_text(list(columns), rows), CSV, headers=headers)
    return answer(request, parquet_bytes(schema_of(columns, licences), rows), PARQUET, headers=headers)


@router.get(
    "/{material_id:path}/structure",
    responses={**declared(STRUCTURE_TYPES, "The structure."), **NOT_MODIFIED, **problems(404, 406, 422)},
    response_model=dict[str, Any],
)
def get_structure(
    material_id: Identifier,
    request: Request,
    query: Annotated[StructureQuery, Query()],
    store: StoreDep,
    scope: ScopeDep,
) -> Response:
    """Return the crystal structure of a material as CIF, pymatgen's JSON, POSCAR or XYZ."""
    form = chosen_form(request.headers.get("accept"), query.format, STRUCTURE_TYPES)
    material = _found(store, material_id, scope)
    if material.structure is None:
        raise NotFoundError(f"no structure is known of material {material_id!r}")
    return answer(request, written_structure(material.structure, form), STRUCTURE_TYPES[form])


@router.get("/{material_id:path}", response_model=MaterialDetail, responses={**NOT_MODIFIED, **problems(404, 422)})
def get_material(material_id: Identifier, request: Request, store: StoreDep, scope: ScopeDep) -> Response:
    """Return one material with its structure, sources and values.

    The identifier of a merged record gives what it was merged into.
    """
    material = _found(store, material_id, scope)
    own = material.material_id
    measured = [
        MaterialValue.measured(record)
        for record in islice(store.measurements(scope=scope, material_id=own), MAX_VALUES + 1)
    ]
    predicted = [
        MaterialValue.predicted(record)
        for record in islice(store.predictions(scope=scope, material_id=own), MAX_VALUES + 1)
    ]
    values = (*measured[:MAX_VALUES], *predicted[:MAX_VALUES])
    detail = MaterialDetail.of(material, values, more_values=len(values) < len(measured) + len(predicted))
    return answer(request, to_json(detail), JSON)


def _found(store: Store, material_id: str, scope: Scope) -> Material:
    material = store.material(material_id, scope=scope)
    if material is None:
        raise NotFoundError(f"no material {material_id!r} that you may see; /v1/materials lists those there are")
    return material


def _total(query: MaterialQuery, asked: Asked, store: Store, scope: Scope) -> dict[str, Any]:
    if not query.count:
        return {"total": None, "total_is_exact": None}
    found = store.search.count(asked.wanted, scope=scope, order=asked.order, most=MOST_COUNTED + 1)
    return {"total": min(found, MOST_COUNTED), "total_is_exact": found <= MOST_COUNTED}


def _all_rows(request: Request, asked: Asked, form: str, store: Store, scope: Scope) -> StreamingResponse:
    """Stream all results; whether they are cut, and how to go on, is known before the first row."""
    end = store.search.position(asked.wanted, scope=scope, order=asked.order, after=asked.after, rows=MAX_ROWS)
    licences = Mix.of(
        store.search.licences(asked.wanted, scope=scope, order=asked.order, after=asked.after, limit=MAX_ROWS)
    )
    headers = {
        CUT_HEADER: "false" if end is None else "true",
        **licence_headers(licences),
        "Content-Disposition": f'attachment; filename="materials.{form}"',
    }
    if end is not None:
        headers["Link"] = next_link(request, asked.cursor(end))
    columns = asked.table_columns()
    pages = store.search.pages(
        asked.wanted,
        scope=scope,
        order=asked.order,
        after=asked.after,
        limit=MAX_ROWS,
        size=_CHUNK_ROWS,
        columns=asked.columns,
        numbers=asked.numbers,
    )
    chunks = map(asked.table_rows, pages)
    schema = schema_of(columns, licences)
    body = stream_csv(list(columns), chunks) if form == "csv" else stream_parquet(schema, chunks)
    return StreamingResponse(body, media_type=TABLE_TYPES[form], headers=headers)
