"""Predictions for formulas, structures and rows of tables."""

from __future__ import annotations

from fastapi import APIRouter

from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import PredictorDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.prediction_schemas import PredictionRequest, PredictionResponse

router = APIRouter(prefix="/v1/predictions", tags=["predictions"])


@router.post("", responses=problems(400, 413, 422))
def predict(request: PredictionRequest, predictor: PredictorDep, scope: ScopeDep) -> PredictionResponse:
    """Predict a property for up to a thousand formulas, with 90 % intervals.

    Formulas outside the domain of the model are flagged with a reason, or come without numbers where
    `out_of_domain` is `refuse`.
    """
    answer = predictor.predict(
        str(request.property),
        request.formulas or (),
        request.conditions(),
        scope=scope,
        refuse=request.out_of_domain == "refuse",
    )
    return PredictionResponse(
        property=answer.served.name,
        unit=answer.served.unit,
        conditions=answer.conditions,
        model_id=answer.model_id,
        note=answer.note,
        out_of_domain=request.out_of_domain,
        rows=tuple(answer.rows),
        n_out_of_domain=sum(bool(row.reason) for row in answer.rows),
        n_errors=sum(row.error is not None for row in answer.rows),
    )
