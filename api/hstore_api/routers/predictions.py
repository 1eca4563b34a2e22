"""Predictions for formulas."""

from __future__ import annotations

from fastapi import APIRouter

from hstore_api.dependencies import PredictorDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.schemas import PredictionRequest, PredictionResponse

router = APIRouter(prefix="/v1/predictions", tags=["predictions"])


@router.post("", responses=problems(400, 413, 422))
def predict(request: PredictionRequest, predictor: PredictorDep) -> PredictionResponse:
    """Predict a property for up to a thousand formulas, with 90 % intervals.

    Formulas outside the domain of the model are flagged with a reason, or come without numbers where
    `out_of_domain` is `refuse`. The first request for a property may train its model, which takes up to a minute.
    """
    served = predictor.served(request.property)
    conditions = served.completed(request.conditions())
    answer = predictor.predict(
        request.property, request.formulas, conditions, refuse=request.out_of_domain == "refuse"
    )
    return PredictionResponse(
        property=request.property,
        unit=served.unit,
        conditions=conditions,
        model_id=answer.model_id,
        note=answer.note,
        out_of_domain=request.out_of_domain,
        rows=tuple(answer.rows),
        n_out_of_domain=sum(bool(row.reason) for row in answer.rows),
        n_errors=sum(row.error is not None for row in answer.rows),
    )
