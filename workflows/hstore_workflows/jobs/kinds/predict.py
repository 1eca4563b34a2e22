"""Predict a property for materials of the store, and keep the answers with them."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hstore.errors import InputError
from hstore.keys import Permission
from hstore.properties import PROPERTIES
from hstore.records import (
    Access,
    Conditions,
    Prediction,
    PropertyValue,
    Provenance,
    Scope,
    Visibility,
)
from hstore.records import Kind as ValueKind
from hstore_workflows.jobs.kind import Kind, Parameters, Step, Work
from hstore_workflows.jobs.rows import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hstore.records import Family, Material
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_models.card import ModelCard
    from hstore_models.prediction import Predictions
    from hstore_models.registry import LoadedModel

PIECE = 500
"""Materials predicted in one piece."""


class PredictParameters(Parameters):
    """What to predict, for which materials."""

    property: str = Field(max_length=200, examples=["desorption_enthalpy_kj_per_mol_h2"])
    """Property to predict."""
    material_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_ROWS)] | None = Field(
        None, examples=[["hstore:ab5:LaNi5"]]
    )
    """Materials to predict for; all that its owner may see and its model can answer for, where none are named."""
    conditions: Conditions = Conditions()
    """State at which it is predicted; 298.15 K where the property needs a temperature and none is given."""


def _check(asked: PredictParameters, settings: Settings, _scope: Scope) -> None:
    from hstore_models.training import model_of

    model_of(asked.property, settings)
    if asked.property not in PROPERTIES:
        raise InputError(f"values of {asked.property} are not kept with materials; ask /v1/predictions for them")
    missing = [name for name in PROPERTIES[asked.property].conditions if name not in _stated(asked)]
    if missing:
        raise InputError(f"{asked.property} depends on {', '.join(missing)}; state them in conditions")


def _stated(asked: PredictParameters) -> dict[str, float]:
    """Return the conditions that make a difference to the property, completed."""
    known = PROPERTIES[asked.property]
    given = known.customary_conditions | asked.conditions.model_dump(exclude_none=True)
    return {name: value for name, value in given.items() if name in known.conditions}


def _choose(work: Work[PredictParameters]) -> dict[str, Any]:
    """Fix the version that answers all pieces, and count the materials."""
    from hstore_models.registry import Registry
    from hstore_models.training import ensure, model_of

    asked, scope = work.parameters, work.scope
    name = model_of(asked.property, work.settings)
    registry = Registry(work.settings.models_dir)
    own = None if scope.lab_id is None else registry.current_id(name, scope.lab_id)
    if own is None or own == registry.current_id(name):
        loaded = ensure(name, work.settings, say=work.say)
    else:
        loaded = registry.serving(name, scope)
    count = _count(asked, work.store, scope)
    work.say(f"{loaded.card.model_id} answers for up to {count} materials")
    return {"model": name, "model_id": loaded.card.model_id, "n_materials": count}


def _pieces(_asked: PredictParameters, before: Mapping[str, Any]) -> int:
    return math.ceil(int(before["choose"]["n_materials"]) / PIECE)


def _predict(work: Work[PredictParameters]) -> dict[str, Any]:
    chosen = work.before["choose"]
    materials, last = _materials(work)
    loaded = _loaded(work.settings.models_dir, chosen["model"], chosen["model_id"], work.scope.lab_id)
    families = _families(chosen["model"])
    asked = [m for m in materials if families is None or m.family in families]
    counts = Counter(
        {"n_predicted": 0, "n_out_of_domain": 0, "n_unusable": 0, "n_not_asked": len(materials) - len(asked)}
    )
    if asked:
        predictions = list(_predictions(work, loaded, asked, counts))
        work.store.add_predictions(predictions)
    work.say(f"{counts['n_predicted']} of {len(materials)} predicted", 1.0)
    return {"last": last, **counts}


def _materials(work: Work[PredictParameters]) -> tuple[list[Material], str | None]:
    """Return the materials of a piece, and the last identifier that was looked at."""
    if work.parameters.material_ids is not None:
        named = sorted(set(work.parameters.material_ids))[work.piece * PIECE : (work.piece + 1) * PIECE]
        return list(work.store.materials_of(named, scope=work.scope)), named[-1]
    earlier: Sequence[dict[str, Any]] = work.before["predict"]
    after = earlier[-1]["last"] if earlier else None
    found = list(islice(work.store.materials(scope=work.scope, after=after, limit=PIECE), PIECE))
    return found, found[-1].material_id if found else after


def _predictions(
    work: Work[PredictParameters], loaded: LoadedModel, materials: Sequence[Material], counts: Counter[str]
) -> Iterator[Prediction]:
    import pandas as pd

    from hstore.formula import parse_amounts
    from hstore_models.prediction import Query
    from hstore_models.training import FROM_DESCRIPTORS

    asked, stated = work.parameters, _stated(work.parameters)
    frame = pd.DataFrame([{**material.descriptors, **stated} for material in materials])
    by_texture = loaded.card.model in FROM_DESCRIPTORS
    amounts = [{} if by_texture else parse_amounts(material.formula) for material in materials]
    answer = loaded.model.predict(asked.property, Query.of(amounts, frame))
    access = work.job.access if loaded.card.access.visibility is Visibility.PUBLIC else loaded.card.access
    for place, material in enumerate(materials):
        value = _value(asked.property, answer, place, stated, loaded.card)
        if value is None:
            counts["n_unusable"] += 1
            continue
        inside = bool(answer.in_domain[place])
        counts["n_predicted"] += 1
        counts["n_out_of_domain"] += not inside
        yield Prediction(
            material_id=material.material_id,
            value=value,
            model_id=loaded.card.model_id,
            in_domain=inside,
            reason=str(answer.reason[place]),
            access=Access.model_validate(access.model_dump()),
        )


def _value(
    name: str, answer: Predictions, place: int, stated: Mapping[str, float], card: ModelCard
) -> PropertyValue | None:
    """Return an answer as a value; None where it is not finite or beyond what can be believed."""
    mean, std, lower, upper = (float(getattr(answer, part)[place]) for part in ("mean", "std", "lower", "upper"))
    believable = PROPERTIES[name].low <= mean <= PROPERTIES[name].high
    if not believable or not all(map(math.isfinite, (std, lower, upper))):
        return None
    return PropertyValue(
        property=name,
        value=mean,
        kind=ValueKind.PREDICTED,
        standard_deviation=std,
        lower=lower,
        upper=upper,
        conditions=Conditions(**stated),
        provenance=Provenance(source=card.model_id, licence=card.licence),
    )


@lru_cache(maxsize=2)
def _loaded(folder: Path, name: str, model_id: str, lab_id: str | None) -> LoadedModel:
    """Load a version; kept from piece to piece."""
    from hstore_models.registry import Registry

    return Registry(folder).load(name, model_id, Scope(lab_id=lab_id))


def _families(model: str) -> frozenset[Family] | None:
    """Return the families a model can answer for; None for a model of the operator's own, which takes any."""
    from hstore_workflows.scoring import MODELS_OF_KIND
    from hstore_workflows.target import FAMILIES_OF_KIND

    kinds = [kind for kind, models in MODELS_OF_KIND.items() if model in models]
    return frozenset().union(*(FAMILIES_OF_KIND[kind] for kind in kinds)) if kinds else None


def _sum(work: Work[PredictParameters]) -> dict[str, Any]:
    names = ("n_predicted", "n_out_of_domain", "n_unusable", "n_not_asked")
    totals = {name: sum(piece[name] for piece in work.before["predict"]) for name in names}
    return {"property": work.parameters.property, "model_id": work.before["choose"]["model_id"], **totals}


def _count(asked: PredictParameters, store: Store, scope: Scope) -> int:
    return store.count_materials(scope=scope) if asked.material_ids is None else len(set(asked.material_ids))


PREDICT = Kind(
    name="predict",
    summary="Predicts a property for materials of the store and keeps the answers with them.",
    permission=Permission.RUN,
    parameters=PredictParameters,
    steps=(
        Step("choose", "choose the model, training it where it is missing", _choose),
        Step("predict", "predict for some materials", _predict, pieces=_pieces),
        Step("sum", "count what came of it", _sum),
    ),
    check=_check,
    n_predictions=_count,
)
