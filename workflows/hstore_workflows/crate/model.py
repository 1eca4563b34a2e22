"""A version of a model as a crate, and back: the same identifier, the same bytes, the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hstore.errors import InputError, ModelError
from hstore_models.card import data_licences
from hstore_models.golden import Drift, Golden, check_golden
from hstore_models.integrity import CARD_FILE, GOLDEN_FILE, MODEL_FILE, ForeignVersion, first_of, read_foreign
from hstore_models.property_model import PropertyModel
from hstore_models.registry import Registry, owner
from hstore_models.serialization import from_bytes
from hstore_workflows.crate.content import Content, Made
from hstore_workflows.crate.parts import check_private, dataset_pieces, sets_of, version_pieces
from hstore_workflows.releases import Releases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_workflows.crate.reading import ReadCrate


@dataclass(frozen=True)
class CheckedVersion:
    """A version in a crate, asked its golden predictions."""

    version: ForeignVersion
    """The version."""
    drift: Drift
    """What became of its answers."""


def model_content(name: str, settings: Settings, *, lab_id: str | None = None, private: bool = False) -> Content:
    """Gather what goes into the crate of a model.

    Args:
        name: id of a version, or name of a model for the version in use.
        settings: where the models are.
        lab_id: lab whose version in use is meant by a name.
        private: True to let a version of a lab out.

    Raises:
        UnknownNameError: no such version.
        InputError: it belongs to a lab.
        ModelError: its files are refused.
    """
    card = Releases.of(settings).find(name, lab_id)
    check_private([card], private=private)
    datasets = sorted(sets_of([card]))
    saved = "" if card.created is None else card.created.isoformat(timespec="seconds")
    return Content(
        kind="model",
        name=card.model_id,
        title=f"Model {card.model_id} of {', '.join(card.properties)}",
        description=_words(card),
        pieces=(*version_pieces(settings, card, role="result"), *dataset_pieces(datasets)),
        rows=data_licences(card.rows_by_source),
        datasets=tuple(datasets),
        versions={**card.versions, **({"python": card.python} if card.python else {})},
        made=Made(f"Training of {card.model}", f"hstore train {card.model}", saved),
        access=card.access,
        models=(f"{card.model}/{card.model_id}",),
    )


def checked_versions(crate: ReadCrate, *, allow_moved: bool = False) -> list[CheckedVersion]:
    """Check the versions in a crate: whole, loadable without running code of theirs, answering as when saved.

    Args:
        crate: an open crate.
        allow_moved: True to take versions whose answers moved.

    Raises:
        InputError: one is none of these; nothing is written.
    """
    return [_checked(crate, place, allow_moved=allow_moved) for place in crate.about.models]


def _checked(crate: ReadCrate, place: str, *, allow_moved: bool) -> CheckedVersion:
    if f"models/{place}/{CARD_FILE}" not in crate.sha256:
        raise InputError(f"{crate.path} names the model {place!r} and does not hold it; ask for the crate again")
    try:
        version = read_foreign(crate.folder / "models" / place)
        model = from_bytes(version.contents[MODEL_FILE], f"{place}/{MODEL_FILE}")
        golden = Golden.model_validate_json(version.contents[GOLDEN_FILE])
    except ModelError as error:
        raise InputError(f"the model {place} in {crate.path} cannot be taken: {error}") from error
    except ValidationError as error:
        raise InputError(
            f"golden predictions of {place} in {crate.path} cannot be read ({first_of(error)}); ask for the crate "
            "again"
        ) from error
    if not isinstance(model, PropertyModel):
        raise InputError(f"{place} in {crate.path} is a {type(model).__name__}, not a property model")
    drift = check_golden(model, golden, version.card.versions)
    if drift.moved and not allow_moved:
        raise InputError(
            f"{version.card.model_id} does not answer here as on the day it was saved: {drift}\ninstall the "
            "libraries it was saved with, or take it with --allow-moved"
        )
    return CheckedVersion(version, drift)


def take_versions(found: Sequence[CheckedVersion], settings: Settings) -> dict[str, bool]:
    """Put versions into the registry.

    Returns:
        Id -> True where it was not here yet.

    Raises:
        InputError: a name is not allowed.
    """
    registry = Registry(settings.models_dir)
    return {one.version.card.model_id: registry.adopt(one.version) for one in found}


def _words(card: ModelCard) -> str:
    rows = ", ".join(f"{name} ({count:,})" for name, count in card.rows_by_source.items())
    scores = "; ".join(
        f"{name}: mean absolute error {score.mae:.3g} {score.unit}, mean predictor {score.mae_mean_predictor:.3g}"
        for name, score in card.scores.items()
    )
    lab = owner(card.access)
    private = (
        f" It is private to lab {lab}: trained on unpublished rows of {', '.join(card.labs) or lab}."
        if lab
        else ""
    )
    return f"{card.summary} Training rows: {rows}. Held-out scores: {scores or 'none'}.{private}"
