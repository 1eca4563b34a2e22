"""Send measurements from a file, and see what became of each row."""

from __future__ import annotations

import csv
from datetime import date
from http import HTTPStatus
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from hstore.errors import InputError
from hstore.records import Visibility
from hstore.store.measured import MeasurementFilter
from hstore_api.access import Caller, MeasureCaller, ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.lab_writes import access_of, author_of, confirmed, discarded, published
from hstore_api.measurement_schemas import PublishRequest, SharingQuery
from hstore_api.pages.forms import SAID, filled
from hstore_api.pages.rendering import render
from hstore_api.pages.shown import shown_value
from hstore_api.schemas import WITHOUT_NUL

if TYPE_CHECKING:
    from hstore.store import Store
    from hstore.store.lab_records import Held
    from hstore_workflows.measure.verdicts import Taken

router = APIRouter(include_in_schema=False)

EXAMPLE = """formula,h2_capacity_wt_pct,desorption_enthalpy_kj_per_mol_h2,measured_on,sample,note
LaNi4.7Al0.3,1.34,34.1,2026-11-02,A-17,after five cycles
"""
"""A table to begin with."""

MeasurementId = Annotated[str, Form(max_length=500, pattern=WITHOUT_NUL)]

_LISTED = 100
_MOST_CHARACTERS = 900_000


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
    table: Annotated[str, Form(max_length=_MOST_CHARACTERS)] = "",
    embargo_until: Annotated[str, Form(max_length=10)] = "",
    public: Annotated[bool, Form()] = False,
) -> Response:
    """Take a table; every row gets a verdict, and a bad one does not stop the others."""
    from hstore_workflows.measure.csv_rows import check_csv, csv_rows
    from hstore_workflows.measure.taking import take

    author = author_of(caller)
    try:
        sharing = filled(
            SharingQuery,
            visibility=Visibility.PUBLIC if public else Visibility.LAB,
            embargo_until=None if public else _day(embargo_until),
        )
        stream = with_commas(file.file.read() if file is not None and file.filename else table.encode())
        check_csv(stream)
        access = access_of(caller, sharing)
        taken = take(service.store, csv_rows(stream), access=access, author=author, scope=caller.scope)
    except SAID as error:
        return _page(request, caller, service.store, problem=str(error), table=table)
    return _page(request, caller, service.store, taken=taken)


@router.post("/measure/confirm")
def confirm(caller: MeasureCaller, store: StoreDep, measurement_id: MeasurementId) -> Response:
    """Store a value of the lab that was held, because it is true."""
    confirmed(store, store.measured, measurement_id, author_of(caller))
    return RedirectResponse("/measure#own", HTTPStatus.SEE_OTHER)


@router.post("/measure/discard")
def discard(caller: MeasureCaller, store: StoreDep, measurement_id: MeasurementId) -> Response:
    """Drop a value of the lab that was held."""
    discarded(store, store.measured, measurement_id, author_of(caller))
    return RedirectResponse("/measure#own", HTTPStatus.SEE_OTHER)


@router.post("/measure/publish")
def publish(caller: MeasureCaller, store: StoreDep, measurement_id: MeasurementId) -> Response:
    """Let everybody see a measurement of the lab."""
    published(store, store.measured, filled(PublishRequest, ids=(measurement_id,)), author_of(caller))
    return RedirectResponse("/measure#own", HTTPStatus.SEE_OTHER)


def with_commas(content: bytes) -> BytesIO:
    """Return a table as CSV with commas; spreadsheets of many countries write semicolons, and pasting gives tabs.

    What is no text, or no table, is left for the reader of CSV to refuse.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return BytesIO(content)
    head = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=head.count)
    if separator == ",":
        return BytesIO(content)
    written = StringIO()
    csv.writer(written).writerows(csv.reader(StringIO(text), delimiter=separator))
    return BytesIO(written.getvalue().encode())


def _page(
    request: Request,
    caller: Caller,
    store: Store,
    *,
    problem: str = "",
    table: str = "",
    taken: Taken | None = None,
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
        own=[(stored, shown_value(stored.measurement.value)) for stored in own],
        held=[(row, _formula(row)) for row in store.measured.held(caller.lab_id)] if caller.lab_id else [],
        example=EXAMPLE,
        words=WORDS,
    )


def _formula(held: Held) -> str:
    """Name the material of a value that is held: by its formula where it is new, else by its identifier."""
    new: dict[str, str] = held.material or {}
    return new.get("formula") or str(held.record["material_id"])


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(f"an embargo ends on a day such as 2027-06-30, got {text!r}") from error
