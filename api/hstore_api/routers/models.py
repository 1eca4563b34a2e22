"""The models: versions, cards, held-out values, comparisons, and which version is in use."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query

from hstore.errors import InputError, ModelError
from hstore.keys import Permission
from hstore_api.access import (
    AnyCaller,
    Caller,
    ScopeDep,
    note_write,
)
from hstore_api.dependencies import PredictorDep, ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError, problems
from hstore_api.model_schemas import (
    CompareQuery,
    HeldOutPage,
    HeldOutQuery,
    HeldOutRow,
    ModelList,
    ModelOverview,
    ModelSchema,
    ModelVersion,
    PromotionRequest,
    ReleaseEntry,
    ReleaseResponse,
    RollbackRequest,
    VerdictSchema,
    VersionSummary,
)
from hstore_api.schemas import Text

if TYPE_CHECKING:
    import pandas as pd

    from hstore.records import Scope
    from hstore_api.cards import Cards
    from hstore_api.dependencies import Service
    from hstore_models.card import ModelCard
    from hstore_models.ledger import Promotion
    from hstore_models.verdict import Verdict

router = APIRouter(prefix="/v1/models", tags=["models"])

Name = Annotated[Text, Path(description="Name of the model.", examples=["hydride_capacity"])]
Version = Annotated[Text, Path(description="Version.", examples=["hydride_capacity-0f3a5b7c9d1e"])]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _linked(operation: str, model: str, version: str = "") -> dict[int | str, dict[str, Any]]:
    """Say, for the contract, which question follows from an answer."""
    parameters = {"model": model} | ({"model_id": version} if version else {})
    return {200: {"links": {operation: {"operationId": operation, "parameters": parameters}}}}


@router.get(
    "",
    responses={
        **_linked("get_model_version", "$response.body#/items/0/model", "$response.body#/items/0/model_id"),
        **problems(),
    },
)
def list_models(predictor: PredictorDep, scope: ScopeDep) -> ModelList:
    """List the versions of all models with their scores on held-out groups, baselines beside them."""
    cards = predictor.cards
    found = [ModelSchema.of(card, current=_is_current(cards, card, scope)) for card in cards.visible(scope)]
    return ModelList(items=tuple(found))


@router.get(
    "/{model}",
    responses={
        **_linked("get_model_version", "$response.body#/model", "$response.body#/versions/0/model_id"),
        **problems(404, 422),
    },
)
def get_model(model: Name, predictor: PredictorDep, scope: ScopeDep) -> ModelOverview:
    """Return a model with its versions, newest first, and the history of what was in use."""
    from hstore_models.registry import Registry

    cards = sorted(_versions(predictor.cards, model, scope), key=_saved, reverse=True)
    history = Registry(predictor.models.folder).history(model, scope)
    return ModelOverview(
        model=model,
        properties=cards[0].properties,
        current=predictor.cards.in_use(model, scope),
        versions=tuple(
            VersionSummary.of(card, current=_is_current(predictor.cards, card, scope)) for card in cards
        ),
        history=tuple(map(ReleaseEntry.of, history)),
    )


@router.get(
    "/{model}/versions/{model_id}",
    responses={
        **_linked("get_held_out", "$response.body#/model", "$response.body#/model_id"),
        **problems(404, 422),
    },
)
def get_model_version(model: Name, model_id: Version, predictor: PredictorDep, scope: ScopeDep) -> ModelVersion:
    """Return the whole card of a version."""
    card = _card(predictor.cards, model, model_id, scope)
    return ModelVersion.of(card, current=_is_current(predictor.cards, card, scope))


@router.get("/{model}/versions/{model_id}/held-out", responses=problems(404, 422))
def get_held_out(
    model: Name,
    model_id: Version,
    query: Annotated[HeldOutQuery, Query()],
    predictor: PredictorDep,
    scope: ScopeDep,
) -> HeldOutPage:
    """Return known values and the predictions made with their group held out, by pages or sampled for a plot."""
    card = _card(predictor.cards, model, model_id, scope)
    table = predictor.models.held_out(card, scope)
    table = table.assign(row=range(len(table)))
    if query.property is not None:
        table = table[table["property"] == query.property]
    total, following = len(table), None
    if query.sample is not None:
        table = _sampled(table, query.sample)
    else:
        table = table[table["row"] > (-1 if query.after is None else query.after)]
        more, table = len(table) > query.limit, table.head(query.limit)
        following = int(table["row"].iloc[-1]) if more else None
    records = table[list(HeldOutRow.model_fields)].fillna({"family": ""}).to_dict("records")
    items = tuple(HeldOutRow.model_validate(record) for record in records)
    return HeldOutPage(model_id=model_id, total=total, items=items, next=following)


@router.get("/{model}/versions/{model_id}/compare", responses=problems(404, 409, 422))
def compare_versions(
    model: Name,
    model_id: Version,
    query: Annotated[CompareQuery, Query()],
    predictor: PredictorDep,
    scope: ScopeDep,
) -> VerdictSchema:
    """Compare a version with another, or with the one in use: row by row on what both answered held out."""
    card = _card(predictor.cards, model, model_id, scope)
    other = query.champion or predictor.cards.in_use(model, scope)
    if other is None:
        raise ConflictError(f"no version of {model} is in use to compare with; name one as `with`")
    if other == model_id:
        raise ConflictError(f"{model_id} cannot be compared with itself; name another version as `with`")
    champion = _card(predictor.cards, model, other, scope)
    return _verdict(predictor.models.compared(champion, card, scope))


@router.post("/{model}/promote", responses=problems(400, 404, 408, 409, 413, 422))
def promote_model(
    model: Name, request: PromotionRequest, service: ServiceDep, caller: AnyCaller
) -> ReleaseResponse:
    """Put a version into use, for the caller's lab or for everybody, where the gate finds it better.

    A version that is not better is refused with the reasons of the gate, unless `force` gives one to use it all
    the same. Needs the scope `train`; for everybody, `admin`.
    """
    from hstore_models.registry import owner
    from hstore_workflows.releases import Releases

    lab_id = _release_for(caller, everybody=request.for_everybody)
    card = _card(service.predictor.cards, model, request.model_id, caller.scope)
    if request.for_everybody and owner(card.access) is not None:
        raise ConflictError(f"{card.model_id} has learned from unpublished rows and is its lab's alone")
    try:
        release = Releases.of(service.settings).promote(
            card.model_id, why=request.reason or None, force=request.force, lab_id=lab_id
        )
    except (InputError, ModelError) as error:  # in use already, not better, or its files are refused
        raise ConflictError(_told(error, service)) from error
    _note(service, caller, "models.promote", model, release.entry)
    verdict = release.verdict
    return ReleaseResponse(
        entry=ReleaseEntry.of(release.entry), verdict=None if verdict is None else _verdict(verdict)
    )


@router.post("/{model}/rollback", responses=problems(400, 404, 408, 409, 413, 422))
def roll_back_model(
    model: Name, request: RollbackRequest, service: ServiceDep, caller: AnyCaller
) -> ReleaseResponse:
    """Put the version that was in use before back into use, for the caller's lab or for everybody.

    Needs the scope `train`; for everybody, `admin`.
    """
    from hstore_workflows.releases import Releases

    lab_id = _release_for(caller, everybody=request.for_everybody)
    _versions(service.predictor.cards, model, caller.scope)
    try:
        entry = Releases.of(service.settings).rollback(model, request.reason, lab_id)
    except ModelError as error:
        raise ConflictError(_told(error, service)) from error
    _note(service, caller, "models.rollback", model, entry)
    return ReleaseResponse(entry=ReleaseEntry.of(entry), verdict=None)


def _versions(cards: Cards, model: str, scope: Scope) -> list[ModelCard]:
    """Return the versions of a model.

    Raises:
        NotFoundError: the scope sees none.
    """
    found = [card for card in cards.visible(scope) if card.model == model]
    if not found:
        raise NotFoundError(f"no model {model!r} that you may see; /v1/models lists those there are")
    return found


def _card(cards: Cards, model: str, model_id: str, scope: Scope) -> ModelCard:
    """Return the card of a version.

    Raises:
        NotFoundError: the scope sees none of that name.
    """
    card = cards.find(model_id, scope, model=model)
    if card is None:
        raise NotFoundError(
            f"no version {model_id!r} of {model!r} that you may see; /v1/models lists those there are"
        )
    return card


def _is_current(cards: Cards, card: ModelCard, scope: Scope) -> bool:
    return cards.in_use(card.model, scope) == card.model_id


def _saved(card: ModelCard) -> tuple[datetime, str]:
    return card.created or _LONG_AGO, card.model_id


def _sampled(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return rows evenly over the range of known values of each property, in the order of the table."""
    import numpy as np

    ordered = table.sort_values(["property", "measured", "row"])
    places = np.unique(np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int))
    return ordered.iloc[places].sort_values("row")


def _verdict(verdict: Verdict) -> VerdictSchema:
    return VerdictSchema.model_validate(verdict.record())


def _release_for(caller: Caller, *, everybody: bool) -> str | None:
    """Return the lab for which a caller may change the version in use; None for everybody.

    Raises:
        UnauthenticatedError: there is no key.
        ForbiddenError: its key does not permit it, or belongs to no lab.
    """
    needed = Permission.ADMIN if everybody else Permission.TRAIN
    if caller.key is None:
        raise UnauthenticatedError(f"this needs a key with the scope {needed.value!r}")
    if not caller.permits(needed):
        raise ForbiddenError(
            f"this needs the scope {needed.value!r}; the key has {', '.join(caller.key.permissions)}"
        )
    if everybody:
        return None
    if caller.lab_id is None:
        raise ForbiddenError("the key belongs to no lab, for which a version could be in use; see for_everybody")
    return caller.lab_id


def _told(error: Exception, service: Service) -> str:
    """Return what a caller is told of a refusal: no path of the server and no command of its operator."""
    home = str(service.settings.home)

    def is_for_all(part: str) -> bool:
        return home not in part and "hstore " not in part

    said = ("; ".join(takewhile(is_for_all, line.strip().split("; "))) for line in str(error).splitlines())
    return " ".join(filter(None, said)) or "the files of this version are refused; ask the operator"


def _note(service: Service, caller: Caller, action: str, model: str, entry: Promotion) -> None:
    detail = {
        "model": model,
        "previous": entry.previous,
        "forced": entry.forced,
        "everybody": entry.lab_id is None,
    }
    note_write(service.store, caller, action, entry.model_id, detail)
