"""Predictions for formulas, structures and rows of tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

import hstore
from hstore.errors import InputError
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import PredictorDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.etag import NOT_MODIFIED, matches, tag_of
from hstore_api.limits import take_predictions
from hstore_api.prediction_schemas import (
    PredictionRequest,
    PredictionResponse,
    PredictionSet,
    SinglePrediction,
    StatedConditions,
)
from hstore_api.prediction_tables import TABLE, TableRoute, as_csv
from hstore_api.predictor import check_kinds
from hstore_api.representation import CSV, JSON, chosen_form, declared
from hstore_api.subjects import Subject, of_formula, of_rows

if TYPE_CHECKING:
    from hstore_api.prediction_schemas import OutOfDomain
    from hstore_api.predictor import Answer, Predictor
    from hstore_api.served import ServedProperty

router = APIRouter(prefix="/v1/predictions", tags=["predictions"], route_class=TableRoute)

_TABLE: dict[str, Any] = {"schema": {"type": "string"}, "example": "formula,temperature_k\nLaNi5,298.15\n"}
_OF_TABLE: dict[str, Any] = {
    "name": "property",
    "in": "query",
    "required": False,
    "description": "With a table: what to predict. Any other field of a request may stand beside it.",
    "schema": {"type": "array", "items": {"type": "string"}, "examples": [["h2_capacity_wt_pct"]]},
}
_FORMS = {"json": JSON, "csv": CSV}


@router.post(
    "",
    response_model=PredictionResponse | PredictionSet,
    responses={**declared(_FORMS, "The predictions."), **problems(400, 406, 408, 413, 422)},
    openapi_extra={"requestBody": {"content": {TABLE: _TABLE}}, "parameters": [_OF_TABLE]},
)
def predict(
    request: PredictionRequest, http: Request, predictor: PredictorDep, store: StoreDep, caller: ReadCaller
) -> PredictionResponse | PredictionSet | Response:
    """Predict properties for up to a thousand materials, with 90 % intervals.

    Materials are given as formulas, structures, or rows of a table. What is outside the domain of the model is
    flagged with a reason, or comes without numbers where `out_of_domain` is `refuse`; what cannot be read gets its
    cause, and the others their answer. With `properties` in place of `property` the answer is a list.

    A table can be sent as `text/csv`; `property` (several times for several), conditions, `model_id` and
    `out_of_domain` are then parameters of the query. With `Accept: text/csv` the answer is a table too.
    """
    form = chosen_form(http.headers.get("accept"), None, _FORMS)
    served = [predictor.served(name, caller.scope) for name in request.names]
    conditions, subjects = _shares(served, request.conditions()), _Subjects(request, predictor)
    for wanted in served:
        check_kinds(wanted, subjects.of(wanted))
    loaded = [predictor.model(wanted.name, caller.scope, request.model_id) for wanted in served]
    take_predictions(store, caller, request.n_subjects * len(served))
    refuse = request.out_of_domain == "refuse"
    answers = []
    for wanted, model, stated in zip(served, loaded, conditions, strict=True):
        answer = predictor.answer(wanted, model, subjects.of(wanted), stated, refuse=refuse)
        answers.append(_response(answer, request.out_of_domain))
    if form == "csv":
        alone = request.rows is not None and len(request.rows) == request.n_subjects
        return Response(as_csv(answers, request.rows if alone else None), media_type=CSV)
    return answers[0] if request.property is not None else PredictionSet(items=tuple(answers))


@router.get("", response_model=PredictionResponse, responses={**NOT_MODIFIED, **problems(422)})
def predict_one(
    query: Annotated[SinglePrediction, Query()],
    http: Request,
    response: Response,
    predictor: PredictorDep,
    store: StoreDep,
    caller: ReadCaller,
) -> PredictionResponse | Response:
    """Predict a property for one formula; an answer that the caller has already is not computed again.

    The `ETag` changes when another version of the model comes into use.
    """
    served = predictor.served(query.property, caller.scope)
    check_kinds(served, [of_formula(query.formula)])
    loaded = predictor.model(served.name, caller.scope, query.model_id)
    headers = {"ETag": _etag(query, loaded.card.model_id, loaded.note), "Cache-Control": "private, no-cache"}
    if matches(http.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    take_predictions(store, caller, 1)
    subjects, refuse = [of_formula(query.formula)], query.out_of_domain == "refuse"
    answer = predictor.answer(served, loaded, subjects, query.conditions(), refuse=refuse)
    response.headers.update(headers)
    return _response(answer, query.out_of_domain)


class _Subjects:
    """The materials of a request, read once for each way of reading them."""

    def __init__(self, request: PredictionRequest, predictor: Predictor) -> None:
        self._request = request
        self._formulas = [of_formula(text) for text in request.formulas or ()]
        self._structures = predictor.structures.read(request.structures) if request.structures else []
        self._rows: dict[bool, list[Subject]] = {}

    def of(self, served: ServedProperty) -> list[Subject]:
        """Return the materials as a property is predicted from them."""
        formulas = served.predicted_from == "formula" or served.own
        return [*self._formulas, *self._structures, *self._read(formulas=formulas)]

    def _read(self, *, formulas: bool) -> list[Subject]:
        if self._request.rows and formulas not in self._rows:
            self._rows[formulas] = of_rows(self._request.rows, formulas=formulas)
        return self._rows.get(formulas, [])


def _shares(served: list[ServedProperty], given: StatedConditions) -> list[StatedConditions]:
    """Return the conditions that go to each property: of several, those it depends on.

    Raises:
        InputError: a condition belongs to none of several.
    """
    if len(served) == 1:
        return [given]
    stated = given.model_dump(exclude_none=True)
    foreign = sorted(set(stated) - {name for wanted in served for name in wanted.allowed})
    if foreign:
        raise InputError(f"none of these properties depends on {', '.join(foreign)}; leave it out")
    return [StatedConditions(**{n: v for n, v in stated.items() if n in wanted.allowed}) for wanted in served]


def _response(answer: Answer, out_of_domain: OutOfDomain) -> PredictionResponse:
    return PredictionResponse(
        property=answer.served.name,
        unit=answer.served.unit,
        conditions=answer.conditions,
        model_id=answer.model_id,
        note=answer.note,
        out_of_domain=out_of_domain,
        rows=tuple(answer.rows),
        n_out_of_domain=sum(bool(row.reason) for row in answer.rows),
        n_errors=sum(row.error is not None for row in answer.rows),
    )


def _etag(query: SinglePrediction, model_id: str, note: str) -> str:
    """Return what an answer depends on, as a tag."""
    content = [query.model_dump(), model_id, note, hstore.__version__]
    return tag_of(json.dumps(content, sort_keys=True).encode())
