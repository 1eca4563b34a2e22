"""Files that several kinds of crates hold: cards of models and data sets, versions of models, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.errors import InputError, ModelError
from hstore.licences import OWN_DATA, Mix
from hstore.records import Scope
from hstore_data.catalog import datasets, get_card
from hstore_models.card import data_licences
from hstore_models.integrity import CARD_FILE, GOLDEN_FILE, HELD_OUT_FILE, MODEL_FILE
from hstore_models.registry import Registry, owner
from hstore_workflows.crate.content import Piece, json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from hstore.settings import Settings
    from hstore_models.card import ModelCard

OPERATOR = Scope(everything=True)
"""The command line sees the models of all labs."""

CSV, PARQUET, JSON, HTML, TOML, ZIP = (
    "text/csv", "application/vnd.apache.parquet", "application/json", "text/html", "application/toml",
    "application/zip",
)  # fmt: skip
"""Media types."""


def cards_of(settings: Settings, model_ids: Iterable[str]) -> tuple[list[ModelCard], list[str]]:
    """Return the cards of versions, and the ids of those that are not here, or whose files are refused."""
    registry = Registry(settings.models_dir)
    names = {model_id: name for name, model_id in registry.versions()}
    found, missing = [], []
    for model_id in dict.fromkeys(model_ids):
        try:
            found.append(registry.card(names.get(model_id, model_id), model_id, OPERATOR))
        except ModelError:
            missing.append(model_id)
    return found, missing


def card_piece(card: ModelCard) -> Piece:
    """Return the card of a version as a file; it may be private, but no row of anybody is in it."""
    content = json_bytes(card.model_dump(mode="json", exclude={"signature"}))
    return Piece(
        f"cards/{card.model_id}.json", content, f"Card of the model {card.model_id}", JSON, Mix.of([card.licence]),
        role="about",
    )  # fmt: skip


def version_pieces(settings: Settings, card: ModelCard, *, role: Any = "object") -> list[Piece]:
    """Return all files of a version, as they are in the registry.

    Raises:
        ModelError: they are refused.
    """
    files = Registry(settings.models_dir).files(card.model, card.model_id, OPERATOR)
    held_out = Registry(settings.models_dir).held_out(card.model, card.model_id, OPERATOR)
    whole = Mix.of([card.licence])
    known = {
        MODEL_FILE: (f"The model {card.model_id}", ZIP, whole),
        HELD_OUT_FILE: (
            "Known values and predictions made with each row's group held out",
            PARQUET,
            _of(held_out),
        ),
        GOLDEN_FILE: ("Golden predictions, to see whether it answers as on the day it was saved", JSON, whole),
        CARD_FILE: (f"Card of the model {card.model_id}, with its checksums", JSON, whole),
    }
    return [
        Piece(f"{version_folder(card)}/{file}", files[file], name, media_type, licences, role=role)
        for file, (name, media_type, licences) in known.items()
    ]


def version_folder(card: ModelCard) -> str:
    """Return the folder of a version in a crate."""
    return f"models/{card.model}/{card.model_id}"


def dataset_pieces(names: Iterable[str]) -> list[Piece]:
    """Return the cards of data sets as files."""
    return [
        Piece(
            f"data/{name}.json",
            json_bytes(get_card(name).model_dump(mode="json", exclude_none=True)),
            f"Card of the data set {name}: source, licence, citation, checksums, known defects",
            JSON,
            Mix.of([OWN_DATA]),
            role="about",
        )
        for name in names
    ]


def check_private(cards: Iterable[ModelCard], *, private: bool) -> None:
    """Refuse versions that belong to a lab unless that is asked for.

    Raises:
        InputError: one does.
    """
    for card in cards:
        lab = owner(card.access)
        if lab is not None and not private:
            raise InputError(
                f"{card.model_id} was trained on unpublished rows of {', '.join(card.labs) or lab} and belongs to "
                f"lab {lab}; --private exports it all the same, the crate says so, and where it is imported only "
                "that lab sees it"
            )


def sets_of(cards: Iterable[ModelCard]) -> set[str]:
    """Return the data sets that versions were trained on, those that hstore has cards of."""
    return {name for card in cards for name in card.rows_by_source if name in datasets()}


def _of(held_out: pd.DataFrame) -> Mix:
    return data_licences({str(name): int(rows) for name, rows in held_out["source"].value_counts().items()})
