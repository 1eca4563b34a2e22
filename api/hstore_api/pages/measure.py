"""Send measurements from a file, and see what became of each row."""

from __future__ import annotations

import csv
import io
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from hstore.errors import HstoreError, InputError
from hstore.records import Visibility
from hstore.store.lab_records import Author
from hstore.store.measured import MeasurementFilter
from hstore_api.access import Caller, MeasureCaller, ReadCaller
from hstore_api.dependencies import ServiceDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import ForbiddenError
from hstore_api.pages.rendering import render
from hstore_api.pages.shown import shown_value

if TYPE_CHECKING:
    from hstore.store import Store
    from hstore_workflows.measure.verdicts import Taken

router = APIRouter(include_in_schema=False)

EXAMPLE = """formula,h2_capacity_wt_pct,desorption_enthalpy_kj_per_mol_h2,measured_on,sample,note
LaNi4.7Al0.3,1.34,34.1,2026-11-02,A-17,after five cycles
"""
"""A table to begin with."""

_LISTED = 100
_MOST_ROWS = 10_000
_MOST_BYTES = 900_000


@router.get("/measure")
def measure_page(request: Request, caller: ReadCaller, store: StoreDep) -> Response:
    """Show the form to send a table, and what the lab has told."""
    return _page(request, caller, store)


@router.post("/measure")
def send(
    request: Request,
    caller: MeasureCaller,
    service: ServiceDep,
    file: Annotated[UploadFile | None, File()] = None,
    table: Annotated[str, Form(max_length=_MOST_BYTES)] = "",
    embargo_until: Annotated[str, Form(max_length=10)] = "",
    public: Annotated[bool, Form()] = False,
) -> Response:
    """Take a table; every row gets a verdict, and a bad one does not stop the others."""
    from hstore_workflows.measure.taking import take

    author = _author(caller)
    try:
        rows = read_rows(_text(file) or table)
        visibility = Visibility.PUBLIC if public else Visibility.LAB
        access = caller.access(visibility, None if public else _day(embargo_until))
        taken = take(service.store, rows, access=access, author=author, scope=caller.scope)
    except HstoreError as error:
        return _page(request, caller, service.store, problem=str(error), table=table)
    return _page(request, caller, service.store, taken=taken, told=rows)


@router.post("/measure/publish")
def publish(
    caller: MeasureCaller, store: StoreDep, measurement_id: Annotated[str, Form(max_length=500)]
) -> Response:
    """Let everybody see a measurement of the lab."""
    store.measured.publish(_author(caller), [measurement_id])
    return RedirectResponse("/measure#own", HTTPStatus.SEE_OTHER)


def read_rows(text: str) -> list[dict[str, str]]:
    """Read a table with a line of headers; commas, semicolons or tabs part its cells.

    Raises:
        InputError: there is no row, or too many.
    """
    lines = text.lstrip("\ufeff").strip()
    if not lines:
        raise InputError("choose a CSV file, or paste a table with a line of headers")
    head = lines.splitlines()[0]
    separator = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(lines), delimiter=separator, restkey="more cells than headers", strict=True)
        rows = [_plain(row) for row in reader]
    except csv.Error as error:
        raise InputError(f"the table cannot be read as CSV: {error}; save it anew from your program") from error
    if not rows:
        raise InputError("the table has a line of headers and no row; add rows")
    if len(rows) > _MOST_ROWS:
        raise InputError(f"a page takes {_MOST_ROWS:,} rows at a time, got {len(rows):,}; send the table in parts")
    return rows


def _plain(row: dict[str, Any]) -> dict[str, str]:
    return {str(name): ", ".join(cell) if isinstance(cell, list) else cell or "" for name, cell in row.items()}


def _page(
    request: Request,
    caller: Caller,
    store: Store,
    *,
    problem: str = "",
    table: str = "",
    taken: Taken | None = None,
    told: list[dict[str, str]] | None = None,
) -> Response:
    from hstore_workflows.measure.rows import WORDS

    own = []
    if caller.lab_id is not None:
        wanted = MeasurementFilter(lab_id=caller.lab_id)
        own = store.measured.page(wanted, scope=caller.scope, limit=_LISTED)
    return render(
        request,
        "measure.html",
        caller=caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        problem=problem,
        table=table,
        taken=taken,
        told=told or [],
        own=[(stored, shown_value(stored.measurement.value)) for stored in own],
        held=store.measured.held(caller.lab_id) if caller.lab_id else [],
        example=EXAMPLE,
        words=WORDS,
    )


def _author(caller: Caller) -> Author:
    if caller.lab_id is None:
        raise ForbiddenError("measurements belong to a lab; this key has none, ask the operator for one that has")
    return Author(caller.lab_id, caller.key_id, caller.request_id)


def _text(file: UploadFile | None) -> str:
    """Return the content of an uploaded file, empty where none was chosen."""
    if file is None or not file.filename:
        return ""
    content = file.file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise InputError(f"the file is over {_MOST_BYTES:,} bytes; send it in parts")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the file is no text in UTF-8; save the table as CSV (UTF-8) from your program") from error


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(f"an embargo ends on a day such as 2027-06-30, got {text!r}") from error
