"""Measurements of labs: told, corrected, retracted, published, and read."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic_core import to_json

from hstore.formula import canonical_formula, parse_amounts
from hstore.licences import Mix, stated
from hstore.properties import get_property
from hstore.store.measured import MeasurementFilter
from hstore_api.access import MeasureCaller, ReadCaller, ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.cursor import next_link
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.etag import NOT_MODIFIED, answer
from hstore_api.idempotency import Answer, Once
from hstore_api.lab_writes import (
    access_of,
    author_of,
    confirmed,
    discarded,
    held_page,
    mending,
    published,
    retracted,
    sharing_of,
)
from hstore_api.measurement_schemas import (
    MEASUREMENT_COLUMNS,
    ConflictItem,
    ConflictPage,
    ConflictQuery,
    CorrectionRequest,
    HeldPage,
    HeldQuery,
    MeasurementDetail,
    MeasurementItem,
    MeasurementPage,
    MeasurementQuery,
    MeasurementsRequest,
    Outcome,
    PublishRequest,
    PublishResponse,
    RecordEvent,
    RecordId,
    SharingQuery,
    TakenResponse,
    ValueVerdict,
    Why,
)
from hstore_api.representation import (
    TABLE_TYPES,
    chosen_form,
    csv_text,
    declared,
    licence_headers,
    parquet_bytes,
    schema_of,
)
from hstore_api.uploads import Sent, accepts, sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore.store import Store
    from hstore_api.access import Caller

router = APIRouter(prefix="/v1/measurements", tags=["measurements"])

MeasurementId = Annotated[RecordId, Path(description="Identifier of the measurement.")]
Rows = Annotated[Sent[MeasurementsRequest], Depends(sent(MeasurementsRequest))]

_EXAMPLE = "formula,h2_capacity_wt_pct,measured_on,row_id\nLaNi5,1.4,2026-11-02,A-17\n"
_WRITE = problems(400, 404, 409, 413, 422)


@router.post(
    "",
    response_model=TakenResponse,
    openapi_extra=accepts(MeasurementsRequest, _EXAMPLE),
    responses=problems(400, 409, 413, 415, 422),
)
def send_measurements(
    caller: MeasureCaller, body: Rows, sharing: Annotated[SharingQuery, Query()], once: Once, store: StoreDep
) -> Response:
    """Take measurements of the own lab, as JSON (1,000 rows) or CSV (20 MB, 50,000 rows).

    Every value gets a verdict, and a bad row does not stop the others. They stay with the own lab until they are
    published. Told again, a row is a duplicate: by its `row_id`, or by all that it says. A CSV is written a
    thousand rows at a time; where its answer was lost, what was written is a duplicate when it is sent again.
    """
    if body.model is not None:
        request = body.model
        sharing = sharing_of(request, sharing)
        return once.write(request, lambda: Answer(_taken(store, caller, request.rows, sharing)))
    from hstore_workflows.measure.csv_rows import check_csv, csv_rows

    table = body.table
    assert table is not None
    check_csv(table)
    return once.write_elsewhere(body.digest(), lambda _: Answer(_taken(store, caller, csv_rows(table), sharing)))


@router.get(
    "",
    response_model=MeasurementPage,
    responses={**declared(TABLE_TYPES, "The measurements."), **NOT_MODIFIED, **problems(406, 422)},
)
def list_measurements(
    request: Request, query: Annotated[MeasurementQuery, Query()], caller: ReadCaller, store: StoreDep
) -> Response:
    """List measurements that you may see in the order of their identifiers, a page at a time, also as a table.

    The header `Link` names the next page.
    """
    form = chosen_form(request.headers.get("accept"), query.format, TABLE_TYPES)
    wanted = MeasurementFilter(
        material_id=query.material_id,
        composition=canonical_formula(parse_amounts(query.formula)) if query.formula else None,
        property=get_property(query.property).name if query.property else None,
        lab_id=(caller.lab_id or "") if query.lab else None,
        measured_from=query.measured_from,
        measured_to=query.measured_to,
        include_replaced=query.include_replaced,
    )
    found = store.measured.page(wanted, scope=caller.scope, after=query.after, limit=query.limit + 1)
    items = tuple(map(MeasurementItem.of, found[: query.limit]))
    following = items[-1].measurement_id if len(found) > query.limit else None
    headers = {} if following is None else {"Link": next_link(request, following)}
    if form == "json":
        page = MeasurementPage(items=items, limit=query.limit, next=following)
        return answer(request, to_json(page), TABLE_TYPES[form], headers=headers)
    rows = [item.model_dump(mode="json") | {"licence": stated(item.licence)} for item in items]
    licences = Mix.of(row["licence"] for row in rows)
    schema = schema_of(MEASUREMENT_COLUMNS, licences)
    content = (
        csv_text(list(MEASUREMENT_COLUMNS), rows)
        if form == "csv"
        else parquet_bytes(schema, [{c: r[c] for c in MEASUREMENT_COLUMNS} for r in rows])
    )
    return answer(request, content, TABLE_TYPES[form], headers=headers | licence_headers(licences))


@router.get("/conflicts", responses=problems(422))
def list_conflicts(query: Annotated[ConflictQuery, Query()], store: StoreDep, scope: ScopeDep) -> ConflictPage:
    """List where values that you may see disagree by more than repeating explains, with the noise of repeating."""
    from hstore_workflows.measure.comparing import disagreements

    composition = canonical_formula(parse_amounts(query.formula)) if query.formula else None
    name = get_property(query.property).name if query.property else None
    found = disagreements(store, scope=scope, composition=composition, property_name=name)
    items = [ConflictItem.of(one, get_property(one.property).unit) for one in islice(found, query.limit)]
    return ConflictPage(items=tuple(items), limit=query.limit)


@router.get("/held", responses=problems(422))
def list_held(query: Annotated[HeldQuery, Query()], caller: MeasureCaller, store: StoreDep) -> HeldPage:
    """List the values of the own lab that can hardly be true and wait for a confirmation."""
    return held_page(store.measured, query, author_of(caller))


@router.delete("/held/{measurement_id}", responses=problems(404, 422))
def discard_held(measurement_id: MeasurementId, caller: MeasureCaller, store: StoreDep) -> Outcome:
    """Drop a value that waits for a confirmation."""
    return discarded(store, store.measured, measurement_id, author_of(caller))


@router.post("/publish", response_model=PublishResponse, responses=problems(400, 409, 413, 422))
def publish_measurements(request: PublishRequest, caller: MeasureCaller, once: Once, store: StoreDep) -> Response:
    """Let everybody see measurements of the own lab, at once or from a day on; this cannot be undone.

    The materials they belong to become visible with them, where they are the lab's own. A published measurement
    that turns out to be wrong is corrected or retracted, and its history stays visible.
    """
    return once.write(request, lambda: Answer(published(store, store.measured, request, author_of(caller))))


@router.get("/{measurement_id:record}", responses=problems(404, 422))
def get_measurement(measurement_id: MeasurementId, store: StoreDep, scope: ScopeDep) -> MeasurementDetail:
    """Return a measurement with its history: what it corrects, what corrects it, when it was published."""
    found = store.measured.get(measurement_id, scope=scope)
    if found is None:
        raise NotFoundError(
            f"no measurement {measurement_id!r} that you may see; /v1/measurements lists those there are"
        )
    chain = store.measured.chain(measurement_id, scope=scope)
    history = tuple(map(MeasurementItem.of, store.measured.some(chain, scope=scope)))
    events = tuple(map(RecordEvent.of, store.measured.events(chain)))
    return MeasurementDetail(**MeasurementItem.of(found).model_dump(), history=history, events=events)


@router.post("/{measurement_id}/correction", response_model=ValueVerdict, responses=_WRITE)
def correct_measurement(
    measurement_id: MeasurementId, request: CorrectionRequest, caller: MeasureCaller, once: Once, store: StoreDep
) -> Response:
    """Put a corrected value in the place of a measurement of the own lab; both stay in its history."""
    from hstore_workflows.measure.mending import correct

    def write() -> Answer:
        verdict = correct(
            store,
            measurement_id,
            request.changes,
            why=request.why,
            author=author_of(caller),
            scope=caller.scope,
        )
        return Answer(ValueVerdict.of(verdict))

    with mending():
        return once.write(request, write)


@router.post("/{measurement_id}/retraction", response_model=Outcome, responses=_WRITE)
def retract_measurement(
    measurement_id: MeasurementId, request: Why, caller: MeasureCaller, once: Once, store: StoreDep
) -> Response:
    """Take a measurement of the own lab back: lists leave it out, its history stays."""
    author = author_of(caller)
    return once.write(
        request, lambda: Answer(retracted(store, store.measured, measurement_id, request.why, author))
    )


@router.post("/{measurement_id}/confirmation", responses=problems(404, 409, 422))
def confirm_measurement(measurement_id: MeasurementId, caller: MeasureCaller, store: StoreDep) -> Outcome:
    """Store a value of the own lab that was held, because it is true; confirming it again changes nothing."""
    return confirmed(store, store.measured, measurement_id, author_of(caller))


def _taken(
    store: Store, caller: Caller, rows: Iterable[Mapping[str, Any]], sharing: SharingQuery
) -> TakenResponse:
    from hstore_workflows.measure.taking import take

    access, author = access_of(caller, sharing), author_of(caller)
    return TakenResponse.of(take(store, rows, access=access, author=author, scope=caller.scope))
