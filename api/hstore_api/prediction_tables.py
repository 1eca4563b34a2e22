"""Predictions for tables: a CSV comes in as the rows of a request, and answers go out as CSV."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from hstore_api.representation import csv_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from starlette.responses import Response
    from starlette.types import Message

    from hstore_api.prediction_schemas import PredictionResponse

TABLE = "text/csv"
"""Media type of a table that comes in."""

ADDED = ("property", "mean", "std", "lower", "upper", "unit", "in_domain", "reason", "error", "note", "model_id")
"""Columns that an answer adds."""

_OF_ROW = ("mean", "std", "lower", "upper", "in_domain", "reason", "error", "note")


class TableRoute(APIRoute):
    """A route that takes a CSV where it takes JSON: its lines are ``rows``, the query says the rest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which turns a CSV into the JSON it stands for."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() == TABLE:
                request = await _as_json(request)
            return await handler(request)

        return handle


async def _as_json(request: Request) -> Request:
    body = await request.body()
    content = await run_in_threadpool(_content, body, request.query_params.multi_items())

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    scope = {**request.scope, "headers": list(request.scope["headers"])}
    MutableHeaders(scope=scope)["content-type"] = "application/json"
    return Request(scope, receive)


def _content(body: bytes, query: Sequence[tuple[str, str]]) -> bytes:
    """Return the JSON request that a CSV and a query stand for.

    Raises:
        InputError: it is no CSV.
    """
    from hstore_workflows.measure.csv_rows import check_csv, csv_rows

    stream = io.BytesIO(body)
    check_csv(stream)
    rows = [{column: cell for column, cell in row.items() if cell} for row in csv_rows(stream)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    given: dict[str, Any] = {name: value for name, value in query if name != "property"}
    names = [value for name, value in query if name == "property"]
    given |= {"properties": names} if len(names) > 1 else {"property": next(iter(names), None)}
    # Every row has every column, so that a cell which is empty everywhere else is not a column of one row alone.
    return json.dumps(
        {**given, "rows": [{column: row.get(column) for column in columns} for row in rows]}
    ).encode()


def as_csv(answers: Sequence[PredictionResponse], given: Sequence[Mapping[str, Any]] | None) -> bytes:
    """Write answers as CSV, one line for each material and property.

    Args:
        answers: property by property.
        given: rows of the request that the answers belong to, whose columns go before; None where it had none or
            others besides.
    """
    inputs = list(dict.fromkeys(column for row in given or () for column in row))
    leading = [column for column in inputs if column not in ADDED] or ["formula", "name"]
    lines = []
    for answer in answers:
        shared = {name: getattr(answer, name) for name in ("property", "unit", "model_id")}
        for place, row in enumerate(answer.rows):
            cells = {name: _as_number(cell) for name, cell in given[place].items()} if given else {}
            lines.append(row.model_dump() | cells | shared | {name: getattr(row, name) for name in _OF_ROW})
    return csv_text([*leading, *ADDED], lines)


def _as_number(cell: Any) -> Any:
    """Return text that is a negative number as one, which a spreadsheet may read."""
    if isinstance(cell, str) and cell.startswith(("-", "+")):
        try:
            return float(cell)
        except ValueError:
            return cell
    return cell
