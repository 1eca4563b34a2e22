"""Predictions for formulas."""

from __future__ import annotations

from fastapi import APIRouter

from hstore.properties import get_property
from hstore_api.dependencies import PredictorDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.predictor import complete_conditions
from hstore_api.schemas import PredictionRequest, PredictionResponse

router = APIRouter(prefix="/v1/predictions", tags=["predictions"])


@router.post("", responses=problems(400, 413, 422))
def predict(request: PredictionRequest, predictor: PredictorDep) -> PredictionResponse:
    """Predict a property for up to a thousand formulas, with 90 % intervals.

    The first request for a property may train its model, which takes up to a minute.
    """
    conditions = complete_conditions(request.property, request.conditions())
    answer = predictor.predict(request.property, request.formulas, conditions)
    return PredictionResponse(
        property=request.property,
        unit=get_property(request.property).unit,
        conditions=conditions,
        model_id=answer.model_id,
        rows=tuple(answer.rows),
        n_errors=sum(row.error is not None for row in answer.rows),
    )
