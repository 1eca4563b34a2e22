"""Make the card of a model that was just trained."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.records import Access, Visibility
from hstore.workers import peak_memory_mib
from hstore_models.baselines import baselines
from hstore_models.card import AddedRowsNote, ModelCard, data_licences
from hstore_models.noise import noise_floor
from hstore_models.spec import SHIPPED
from hstore_models.splits import split_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_models.added_rows import AddedRows
    from hstore_models.held_out import HeldOut
    from hstore_models.property_model import PropertyModel
    from hstore_models.score import Score
    from hstore_models.spec import Spec
    from hstore_models.training_data import TrainingData

_N_IMPORTANCES = 20
_GROUPINGS = {"chemical_system": "chemical system without H", "group": "framework group (measured: sorbent)"}


def make_card(
    model: PropertyModel,
    data: TrainingData,
    held_out: dict[str, HeldOut],
    spec: Spec,
    *,
    identifier: str,
    added: Sequence[AddedRows],
    seed: int,
) -> ModelCard:
    """Make the card of a model; code, versions and wall time are filled in by the caller.

    Args:
        model: the model.
        data: what it was trained on.
        held_out: property -> predictions made without the row's group.
        spec: what was trained.
        identifier: content address.
        added: rows the user added.
        seed: seed of learners and folds.

    Raises:
        InputError: unpublished rows of several labs would go into one model.
    """
    main, names = model.main, model.feature_names
    rows = list(held_out.values())
    count = sum(int(table.rows["weight"].notna().sum()) for table in added)
    return ModelCard(
        model=spec.name,
        model_id=identifier,
        properties=model.properties,
        summary=spec.summary,
        spec=spec.model_dump(mode="json"),
        rows_by_source=data.rows_by_source(),
        checksums=data.checksums,
        duplicates_removed=data.duplicates,
        formulas_unread=data.unread,
        added_rows=AddedRowsNote(count=count, suspects=tuple(line for table in added for line in table.lines())),
        grouping=_GROUPINGS.get(spec.split.group, spec.split.group.replace("_", " ")),
        split_hash=split_hash(
            [f"{name} {label}" for name, part in held_out.items() for label in part.label],
            np.concatenate([part.folds for part in rows]),
        ),
        n_folds=spec.split.n_folds,
        scores={name: _score(part, spec.kind) for name, part in held_out.items()},
        importances=_importances(model),
        n_features=len(names),
        code_version="",
        parameters={"seed": seed} | ({} if main is None else dict(main.weights)),
        domain=_domain_words(model),
        limits=spec.limits,
        licence=data_licences(data.rows_by_source()).licence,
        versions={},
        python=platform.python_version(),
        wall_time_s=0.0,
        peak_memory_mib=round(peak_memory_mib(), 1),
        access=_access(data.labs),
        labs=data.labs,
    )


def _score(held_out: HeldOut, kind: str) -> Score:
    """Score held-out predictions, with the nearest neighbour and the noise of repeats beside them.

    The plain forest would take longer than the training; ``hstore evaluate`` has it.
    """
    score, query = held_out.score(), held_out.query()
    if query is None:
        return score
    nearest = np.empty(len(held_out.truth))
    for fold in np.unique(held_out.folds):
        out = held_out.folds == fold
        model = kind if kind in SHIPPED else "hydride_capacity"
        near = baselines(model, query.take(~out), held_out.truth[~out], query.take(out), forest=False)
        nearest[out] = near.nearest_neighbour
    floor = noise_floor(held_out.label.astype(str), held_out.truth).mae if query.amounts[0] else float("nan")
    errors = {"mae_nearest_neighbour": float(np.mean(np.abs(nearest - held_out.truth))), "noise_floor_mae": floor}
    known = {name: round(value, 4) for name, value in errors.items() if np.isfinite(value)}
    return score.model_copy(update=known)


def _access(labs: tuple[str, ...]) -> Access:
    """A model that has seen unpublished rows of a lab belongs to that lab."""
    if len(labs) > 1:
        raise InputError(
            f"unpublished rows of {len(labs)} labs ({', '.join(labs)}) cannot go into one model; train each"
        )
    return Access(lab_id=labs[0], visibility=Visibility.LAB) if labs else Access()


def _importances(model: PropertyModel) -> dict[str, float]:
    if model.main is None:
        return {}
    names = model.feature_names
    shares = model.main.importances(len(names))
    order = np.argsort(-shares, kind="stable")[:_N_IMPORTANCES]
    return {names[i]: round(float(shares[i]), 5) for i in order if shares[i] > 0}


def _domain_words(model: PropertyModel) -> str:
    elements = [el for el, rows in model.domain.element_rows.items() if rows and el != "H"]
    ranges = [f"{name} {low:g} to {high:g}" for name, (low, high) in model.domain.ranges.items()]
    return "; ".join(filter(None, [f"elements {' '.join(elements)}" if elements else "", *ranges]))
