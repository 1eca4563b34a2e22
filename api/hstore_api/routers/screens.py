"""Finished screening runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from hstore.errors import InputError
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.cursor import read_cursor, write_cursor
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.etag import NOT_MODIFIED, answer
from hstore_api.representation import (
    TABLE_TYPES,
    chosen_form,
    csv_text,
    declared,
    licence_headers,
    parquet_bytes,
    schema_of,
)
from hstore_api.schemas import Text
from hstore_api.screen_schemas import (
    ResultsQuery,
    ScreenDetail,
    ScreenPage,
    ScreenQuery,
    ScreenResults,
    ScreenSummary,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.records import Scope, Screen
    from hstore.store import Store

router = APIRouter(prefix="/v1/screens", tags=["screens"])

Identifier = Annotated[Text, Path(description="Identifier.")]


@router.get("", response_model=ScreenPage, responses={**NOT_MODIFIED, **problems(422)})
def list_screens(
    request: Request, query: Annotated[ScreenQuery, Query()], store: StoreDep, scope: ScopeDep
) -> Response:
    """List screens, newest first, a page at a time."""
    question = ("screens", query.target)
    after = None if query.after is None else _position(question, query.after)
    found = store.screens(scope=scope, target=query.target, after=after, limit=query.limit + 1)
    shown, following = found[: query.limit], None
    if len(found) > query.limit:
        following = write_cursor(question, (shown[-1].created_at.isoformat(), shown[-1].screen_id))
    page = ScreenPage(items=tuple(map(ScreenSummary.of, shown)), limit=query.limit, next=following)
    return answer(request, to_json(page), TABLE_TYPES["json"])


@router.get("/{screen_id}", response_model=ScreenDetail, responses={**NOT_MODIFIED, **problems(404, 422)})
def get_screen(screen_id: Identifier, request: Request, store: StoreDep, scope: ScopeDep) -> Response:
    """Return one screen with its best candidates."""
    return answer(request, to_json(ScreenDetail.of(_found(store, screen_id, scope))), TABLE_TYPES["json"])


@router.get(
    "/{screen_id}/results",
    response_model=ScreenResults,
    responses={**declared(TABLE_TYPES, "The best candidates."), **NOT_MODIFIED, **problems(404, 406, 422)},
)
def get_screen_results(
    screen_id: Identifier,
    request: Request,
    query: Annotated[ResultsQuery, Query()],
    store: StoreDep,
    scope: ScopeDep,
) -> Response:
    """Return the best candidates of a screen, best first, as JSON, CSV or Parquet.

    These are the rows that were published; a screen run as a job has all of its candidates among the job's files.
    """
    from hstore_workflows.licensing import LICENCE_COLUMNS, screen_licences

    form = chosen_form(request.headers.get("accept"), query.format, TABLE_TYPES)
    screen = _found(store, screen_id, scope)
    if form == "json":
        found = ScreenResults(screen_id=screen.screen_id, target=screen.target, items=screen.top)
        return answer(request, to_json(found), TABLE_TYPES[form])
    columns = _columns(screen.top)
    rows = [{name: _plain(row.get(name), kind) for name, kind in columns.items()} for row in screen.top]
    given = [next((row[name] for name in LICENCE_COLUMNS if row.get(name)), None) for row in screen.top]
    licences = screen_licences(screen.manifest, given)
    content = csv_text(list(columns), rows) if form == "csv" else parquet_bytes(schema_of(columns, licences), rows)
    return answer(request, content, TABLE_TYPES[form], headers=licence_headers(licences))


def _position(question: tuple[Any, ...], text: str) -> tuple[datetime, str]:
    at, name = read_cursor(question, text, str)
    try:
        return datetime.fromisoformat(str(at)).astimezone(UTC), name
    except (ValueError, OverflowError) as error:
        raise InputError(f"after is not the `next` of a page of screens; got {text!r}") from error


def _found(store: Store, screen_id: str, scope: Scope) -> Screen:
    screen = store.screen(screen_id, scope=scope)
    if screen is None:
        raise NotFoundError(f"no screen {screen_id!r} that you may see; /v1/screens lists those there are")
    return screen


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, type]:
    """Return the columns of rows in the order they come in, each with the type all its values have."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: _type_of(found) for name, found in values.items()}


def _type_of(values: Sequence[Any]) -> type:
    kinds = {type(value) for value in values if value is not None}
    if kinds in ({bool}, {int}, {float}):
        return kinds.pop()
    return float if kinds == {int, float} else str


def _plain(value: Any, kind: type) -> Any:
    """Return a value as its column has it; lists and objects as JSON."""
    if value is None or kind is not str:
        return value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
