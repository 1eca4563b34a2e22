"""The data sets that models learn from: cards with licence, citation and checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dataset_schemas import DatasetDetail, DatasetList, DatasetSummary
from hstore_api.dependencies import PredictorDep, SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.schemas import Text  # noqa: TC001 - FastAPI reads annotations

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore_api.cards import Cards

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])


@router.get(
    "",
    responses={
        200: {
            "links": {
                "get_dataset": {
                    "operationId": "get_dataset",
                    "parameters": {"name": "$response.body#/items/0/name"},
                }
            }
        },
        **problems(),
    },
)
def list_datasets(settings: SettingsDep, predictor: PredictorDep, scope: ScopeDep) -> DatasetList:
    """List the data sets with licence, citation, and whether they are here."""
    from hstore_data.catalog import datasets, present

    here, used = set(present(settings)), _used(predictor.cards, scope)
    items = [
        DatasetSummary.of(card, present=card.tier.value == "curated" or name in here, used_by=used.get(name, ()))
        for name, card in datasets().items()
    ]
    return DatasetList(items=tuple(items))


@router.get("/{name}", responses=problems(404, 422))
def get_dataset(
    name: Annotated[Text, Path(description="Name of the data set.", examples=["hydrides"])],
    settings: SettingsDep,
    predictor: PredictorDep,
    scope: ScopeDep,
) -> DatasetDetail:
    """Return the card of a data set: sources, columns with units, cleaning, known defects."""
    from hstore_data.catalog import datasets, present

    card = datasets().get(name)
    if card is None:
        raise NotFoundError(f"no data set {name!r}; /v1/datasets lists those there are")
    here = card.tier.value == "curated" or name in present(settings)
    return DatasetDetail.of(card, present=here, used_by=_used(predictor.cards, scope).get(name, ()))


def _used(cards: Cards, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Return data set -> versions in use for a scope that have learned from it."""
    found: dict[str, tuple[str, ...]] = {}
    for card in cards.visible(scope):
        if cards.in_use(card.model, scope) == card.model_id:
            for name in {file.partition("/")[0] for file in card.checksums}:
                found[name] = (*found.get(name, ()), card.model_id)
    return found
