"""The properties hstore speaks of, and what predicts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from hstore.properties import PROPERTIES
from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import PredictorDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.model_schemas import PropertyDetail, PropertyList, PropertySchema
from hstore_api.schemas import Text  # noqa: TC001 - FastAPI reads annotations
from hstore_api.served import own_properties, shipped_properties

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore_api.cards import Cards

router = APIRouter(prefix="/v1/properties", tags=["properties"])


@router.get(
    "",
    responses={
        200: {
            "links": {
                "get_property": {
                    "operationId": "get_property",
                    "parameters": {"name": "$response.body#/items/0/name"},
                },
                "predict_one": {
                    "operationId": "predict_one",
                    "parameters": {"property": "$response.body#/items/0/name", "formula": "LaNi5"},
                },
            }
        },
        **problems(),
    },
)
def list_properties(predictor: PredictorDep, scope: ScopeDep) -> PropertyList:
    """List the properties with their units, and what each is predicted from.

    Those that only a model of the operator's own predicts come last.
    """
    return PropertyList(items=tuple(_properties(predictor.cards, scope)))


@router.get("/{name}", responses=problems(404, 422))
def get_property(
    name: Annotated[Text, Path(description="Name of the property.", examples=["plateau_pressure_bar"])],
    predictor: PredictorDep,
    scope: ScopeDep,
) -> PropertyDetail:
    """Return a property, which model predicts it for the caller, and how wrong that is, by family."""
    found = next((p for p in _properties(predictor.cards, scope) if p.name == name), None)
    if found is None:
        raise NotFoundError(f"no property {name!r} that you may see; /v1/properties lists those there are")
    in_use = predictor.cards.in_use(found.model, scope) if found.model else None
    card = predictor.cards.find(in_use, scope, model=found.model) if in_use else None
    return PropertyDetail.told(found, card)


def _properties(cards: Cards, scope: Scope) -> list[PropertySchema]:
    own = own_properties(cards, scope)
    served = {**shipped_properties(), **own}
    items = [PropertySchema.of(p, served.get(p.name)) for p in PROPERTIES.values()]
    return items + [PropertySchema.of_own(found) for name, found in own.items() if name not in PROPERTIES]
