"""The properties hstore speaks of, and the models that predict them."""

from __future__ import annotations

from fastapi import APIRouter

from hstore.properties import PROPERTIES
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import PredictorDep, SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.model_schemas import ModelList, ModelSchema, PropertyList, PropertySchema
from hstore_api.served import own_properties, shipped_properties

router = APIRouter(prefix="/v1", tags=["properties"])


@router.get("/properties", responses=problems())
def list_properties(predictor: PredictorDep, scope: ScopeDep) -> PropertyList:
    """List the properties with their units, and what each is predicted from.

    Those that only a model of the operator's own predicts come last.
    """
    own = own_properties(predictor.cards, scope)
    served = {**shipped_properties(), **own}
    items = [PropertySchema.of(p, served.get(p.name)) for p in PROPERTIES.values()]
    items += [PropertySchema.of_own(found) for name, found in own.items() if name not in PROPERTIES]
    return PropertyList(items=tuple(items))


@router.get("/models", responses=problems())
def list_models(settings: SettingsDep, scope: ScopeDep) -> ModelList:
    """List the trained models with their scores on held-out groups, baselines beside them."""
    from hstore_models.registry import Registry

    registry = Registry(settings.models_dir)
    items = [
        ModelSchema.of(card, current=registry.current_id(card.model) == card.model_id)
        for card in registry.cards(scope)
    ]
    return ModelList(items=tuple(items))
