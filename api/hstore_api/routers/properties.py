"""The properties hstore speaks of, and the models that predict them."""

from __future__ import annotations

from fastapi import APIRouter

from hstore.properties import PROPERTIES
from hstore_api.dependencies import SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.predictor import FROM_DESCRIPTORS
from hstore_api.schemas import ModelList, ModelSchema, PropertyList, PropertySchema

router = APIRouter(prefix="/v1", tags=["properties"])


@router.get("/properties", responses=problems())
def list_properties() -> PropertyList:
    """List the properties with their units, and what each is predicted from."""
    from hstore_models.training import MODELS

    predicted_from = {
        name: "descriptors" if model in FROM_DESCRIPTORS else "formula"
        for model, names in MODELS.items()
        for name in names
    }
    items = [PropertySchema.of(p, predicted_from.get(p.name)) for p in PROPERTIES.values()]
    return PropertyList(items=tuple(items))


@router.get("/models", responses=problems())
def list_models(settings: SettingsDep) -> ModelList:
    """List the trained models with their scores on held-out groups."""
    from hstore_models.registry import Registry

    registry = Registry(settings.models_dir)
    items = [
        ModelSchema.of(card, current=registry.current_id(card.model) == card.model_id) for card in registry.cards()
    ]
    return ModelList(items=tuple(items))
