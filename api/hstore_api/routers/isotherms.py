"""Isotherms of labs: told, retracted, published, and read."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic_core import to_json

from hstore.formula import canonical_formula, parse_amounts
from hstore.licences import Mix, stated
from hstore.store.isotherms import IsothermFilter
from hstore_api.access import MeasureCaller, ReadCaller, ScopeDep  # noqa: TC001 - FastAPI reads annotations
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
    published,
    retracted,
    sharing_of,
)
from hstore_api.measurement_schemas import (
    MAX_ISOTHERMS,
    HeldPage,
    HeldQuery,
    IsothermDetail,
    IsothermForm,
    IsothermInput,
    IsothermItem,
    IsothermPage,
    IsothermsRequest,
    Outcome,
    PublishRequest,
    PublishResponse,
    RecordEvent,
    RecordId,
    RecordQuery,
    SharingQuery,
    TakenResponse,
    Why,
)
from hstore_api.representation import CSV, JSON, chosen_form, csv_text, declared, licence_headers
from hstore_api.uploads import Sent, accepts, sent

router = APIRouter(prefix="/v1/isotherms", tags=["isotherms"])

IsothermId = Annotated[RecordId, Path(description="Identifier of the isotherm.")]
Isotherms = Annotated[Sent[IsothermsRequest], Depends(sent(IsothermsRequest))]

_FORMS = {"json": JSON, "csv": CSV}
_TABLE = (
    "isotherm_id", "material_id", "formula", "temperature_k", "uptake_kind", "mass_basis", "branch", "measured_on",
    "sample", "instrument", "note", "reference", "licence",
)  # fmt: skip
"""What the rows of an isotherm as CSV share."""
_EXAMPLE = """# formula: Zn4O13C24H12
# temperature_k: 77
# uptake_kind: excess
pressure_bar,uptake_mmol_g
0.1,4.5
1.0,12.9
10.0,29.8
"""


@router.post(
    "",
    response_model=TakenResponse,
    openapi_extra=accepts(IsothermsRequest, _EXAMPLE),
    responses=problems(400, 409, 413, 415, 422, 501),
)
def send_isotherms(
    caller: MeasureCaller, body: Isotherms, sharing: Annotated[SharingQuery, Query()], once: Once, store: StoreDep
) -> Response:
    """Take isotherms of the own lab, as JSON or as CSV with a point in a row.

    Every isotherm gets a verdict, and a bad one does not stop the others. They stay with the own lab until they
    are published. In a CSV, lines such as `# temperature_k: 77` above the header hold for all points; rows that
    agree in all but pressure and uptake are one isotherm.
    """
    from hstore_workflows.measure.isotherm_tables import read_isotherms
    from hstore_workflows.measure.isotherms import take_isotherms

    if body.model is not None:
        sharing = sharing_of(body.model, sharing)
        told: list[Any] = [_told(one) for one in body.model.isotherms]
    else:
        assert body.table is not None
        told = read_isotherms(body.table, most=MAX_ISOTHERMS)
    access, author = access_of(caller, sharing), author_of(caller)
    return once.write(
        body.model or body.digest(),
        lambda: Answer(
            TakenResponse.of(take_isotherms(store, told, access=access, author=author, scope=caller.scope))
        ),
    )


@router.get("", responses=problems(422))
def list_isotherms(query: Annotated[RecordQuery, Query()], caller: ReadCaller, store: StoreDep) -> IsothermPage:
    """List isotherms that you may see, without their points, in the order of their identifiers."""
    wanted = IsothermFilter(
        material_id=query.material_id,
        composition=canonical_formula(parse_amounts(query.formula)) if query.formula else None,
        lab_id=(caller.lab_id or "") if query.lab else None,
        include_replaced=query.include_replaced,
    )
    found = store.isotherms.page(wanted, scope=caller.scope, after=query.after, limit=query.limit + 1)
    items = tuple(map(IsothermItem.of, found[: query.limit]))
    following = items[-1].isotherm_id if len(found) > query.limit else None
    return IsothermPage(items=items, limit=query.limit, next=following)


@router.get("/held", responses=problems(422))
def list_held_isotherms(query: Annotated[HeldQuery, Query()], caller: MeasureCaller, store: StoreDep) -> HeldPage:
    """List the isotherms of the own lab that can hardly be true and wait for a confirmation."""
    return held_page(store.isotherms, query, author_of(caller))


@router.delete("/held/{isotherm_id}", responses=problems(404, 422))
def discard_held_isotherm(isotherm_id: IsothermId, caller: MeasureCaller, store: StoreDep) -> Outcome:
    """Drop an isotherm that waits for a confirmation."""
    return discarded(store, store.isotherms, isotherm_id, author_of(caller))


@router.post("/publish", response_model=PublishResponse, responses=problems(400, 409, 413, 422))
def publish_isotherms(request: PublishRequest, caller: MeasureCaller, once: Once, store: StoreDep) -> Response:
    """Let everybody see isotherms of the own lab, at once or from a day on; this cannot be undone."""
    return once.write(request, lambda: Answer(published(store, store.isotherms, request, author_of(caller))))


@router.get(
    "/{isotherm_id:record}",
    response_model=IsothermDetail,
    responses={**declared(_FORMS, "The isotherm."), **NOT_MODIFIED, **problems(404, 406, 422)},
)
def get_isotherm(
    isotherm_id: IsothermId,
    request: Request,
    query: Annotated[IsothermForm, Query()],
    store: StoreDep,
    scope: ScopeDep,
) -> Response:
    """Return an isotherm with its points and history; as CSV with a point in a row, as it can be sent."""
    form = chosen_form(request.headers.get("accept"), query.format, _FORMS)
    found = store.isotherms.get(isotherm_id, scope=scope)
    if found is None:
        raise NotFoundError(f"no isotherm {isotherm_id!r} that you may see; /v1/isotherms lists those there are")
    if form == "json":
        events = tuple(map(RecordEvent.of, store.isotherms.events([isotherm_id])))
        return answer(request, to_json(IsothermDetail.with_events(found, events)), JSON)
    shared = IsothermItem.of(found).model_dump(mode="json", include=set(_TABLE))
    shared["licence"] = stated(shared["licence"])
    rows = [shared | {"pressure_bar": p, "uptake_wt_pct": u} for p, u in found.isotherm.points]
    headers = licence_headers(Mix.of([shared["licence"]] * len(rows)))
    return answer(request, csv_text([*_TABLE, "pressure_bar", "uptake_wt_pct"], rows), CSV, headers=headers)


@router.post("/{isotherm_id}/retraction", response_model=Outcome, responses=problems(400, 404, 409, 413, 422))
def retract_isotherm(
    isotherm_id: IsothermId, request: Why, caller: MeasureCaller, once: Once, store: StoreDep
) -> Response:
    """Take an isotherm of the own lab back: lists leave it out, its history stays."""
    author = author_of(caller)
    return once.write(request, lambda: Answer(retracted(store, store.isotherms, isotherm_id, request.why, author)))


@router.post("/{isotherm_id}/confirmation", responses=problems(404, 409, 422))
def confirm_isotherm(isotherm_id: IsothermId, caller: MeasureCaller, store: StoreDep) -> Outcome:
    """Store an isotherm of the own lab that was held, because it is true."""
    return confirmed(store, store.isotherms, isotherm_id, author_of(caller))


def _told(given: IsothermInput) -> Any:
    """Return an isotherm in the words of the workflow, whose fields have the same names."""
    from hstore_workflows.measure.isotherms import ToldIsotherm

    return ToldIsotherm(**{field.name: getattr(given, field.name) for field in fields(ToldIsotherm)})
