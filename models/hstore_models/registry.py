"""Trained models on disk: immutable, content-addressed, without pickle.

``FOLDER/<model>/<model_id>/`` holds ``model.skops`` and ``card.json``; ``FOLDER/<model>/current`` names the
model in use. A model file is loaded only when its checksum matches its card and it holds nothing but arrays,
numbers, our own dataclasses and scikit-learn forests.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from hstore.errors import ModelError
from hstore_models.card import ModelCard
from hstore_models.conductivity import Conductivity
from hstore_models.domain import Domain
from hstore_models.forest import CalibratedForest
from hstore_models.hydride import HydrideCapacity, HydrideThermodynamics
from hstore_models.sorbent import SorbentUptake, TextureIsotherm

PropertyModel = HydrideThermodynamics | HydrideCapacity | SorbentUptake | Conductivity
"""Any model the registry can hold."""

_CLASSES = {
    cls.__name__: cls
    for cls in (
        CalibratedForest,
        Conductivity,
        Domain,
        HydrideCapacity,
        HydrideThermodynamics,
        SorbentUptake,
        TextureIsotherm,
    )
}
_KIND = "hstore class"
_TRUSTED = frozenset({"sklearn.tree._tree.Tree"})


@dataclass(frozen=True)
class LoadedModel:
    """A model together with its card."""

    model: PropertyModel
    """The model."""
    card: ModelCard
    """Its card."""
    held_out: pd.DataFrame
    """Known values and predictions made with the row's group held out: ``property, unit, label, source, measured,
    predicted, lower, upper``."""


@dataclass(frozen=True)
class Registry:
    """The models of one folder."""

    folder: Path
    """Folder of the models, usually ``HSTORE_HOME/models``."""

    def save(self, model: PropertyModel, card: ModelCard, held_out: pd.DataFrame) -> ModelCard:
        """Write a model and make it the current one; a model already there is not written again.

        Args:
            model: the model.
            card: its card.
            held_out: its held-out predictions, see :class:`LoadedModel`.

        Returns:
            The card, with the checksum of the model file filled in.
        """
        from zipfile import ZIP_DEFLATED

        import skops.io

        place = self.folder / card.model / card.model_id
        if not (place / "card.json").is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
            try:
                skops.io.dump(_to_state(model), scratch / "model.skops", compression=ZIP_DEFLATED, compresslevel=1)
                held_out.to_parquet(scratch / "held_out.parquet", index=False)
                digest = _sha256(scratch / "model.skops")
                text = card.model_copy(update={"model_sha256": digest}).model_dump_json(indent=2)
                (scratch / "card.json").write_text(text + "\n", encoding="utf-8")
                scratch.chmod(0o755)
                shutil.rmtree(place, ignore_errors=True)
                scratch.rename(place)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        self._point_to(card)
        return self.card(card.model, card.model_id)

    def current_id(self, name: str) -> str | None:
        """Return the id of the model in use, or None when none was trained."""
        pointer = self.folder / name / "current"
        return pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None

    def card(self, name: str, model_id: str) -> ModelCard:
        """Read a card.

        Raises:
            ModelError: no such model, or the card is damaged.
        """
        path = self.folder / name / model_id / "card.json"
        if not path.is_file():
            raise ModelError(
                f"no model {model_id!r} under {path.parent.parent}; train it with: hstore train {name}"
            )
        try:
            return ModelCard.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            raise ModelError(f"card {path} is damaged ({str(error).splitlines()[0]}); {_retrain(name)}") from error

    def load(self, name: str, model_id: str) -> LoadedModel:
        """Load a model after checking it.

        Raises:
            ModelError: missing, changed since it was saved, unreadable, or holding types that are not allowed.
        """
        import skops.io

        card = self.card(name, model_id)
        path = self.folder / name / model_id / "model.skops"
        found = _sha256(path) if path.is_file() else "no file"
        if found != card.model_sha256:
            raise ModelError(
                f"model file {path} has SHA-256 {found}, its card states {card.model_sha256}; {_retrain(name)}"
            )
        unknown = set(skops.io.get_untrusted_types(file=path)) - _TRUSTED
        if unknown:
            raise ModelError(f"model file {path} holds types that are not allowed: {', '.join(sorted(unknown))}")
        model = _from_state(skops.io.load(path, trusted=sorted(_TRUSTED)))
        if not isinstance(model, PropertyModel):
            raise ModelError(
                f"model file {path} holds a {type(model).__name__}, not a property model; {_retrain(name)}"
            )
        return LoadedModel(model, card, self._held_out(name, model_id))

    def cards(self) -> list[ModelCard]:
        """Return the cards of all models, current and earlier, by name and id."""
        found = sorted(self.folder.glob("*/*/card.json"))
        return [self.card(path.parent.parent.name, path.parent.name) for path in found]

    def _held_out(self, name: str, model_id: str) -> pd.DataFrame:
        path = self.folder / name / model_id / "held_out.parquet"
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise ModelError(f"held-out table {path} cannot be read ({error}); {_retrain(name)}") from error

    def _point_to(self, card: ModelCard) -> None:
        pointer = self.folder / card.model / "current"
        with tempfile.NamedTemporaryFile("w", dir=pointer.parent, delete=False, encoding="utf-8") as scratch:
            scratch.write(card.model_id + "\n")
        Path(scratch.name).chmod(0o644)
        Path(scratch.name).replace(pointer)


def _retrain(name: str) -> str:
    return f"retrain with: hstore train {name}"


def _to_state(value: Any) -> Any:
    """Turn nested dataclasses into dictionaries that name their class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _to_state(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {_KIND: type(value).__name__, **fields}
    if isinstance(value, dict):
        return {key: _to_state(item) for key, item in value.items()}
    return value


def _from_state(state: Any) -> Any:
    if not isinstance(state, dict):
        return state
    values = {key: _from_state(item) for key, item in state.items() if key != _KIND}
    kind = state.get(_KIND)
    if kind is None:
        return values
    if kind not in _CLASSES:
        raise ModelError(f"saved model names the class {kind!r}, which hstore does not know; retrain it")
    try:
        return _CLASSES[kind](**values)
    except TypeError as error:
        raise ModelError(f"saved {kind} does not fit this version of hstore ({error}); retrain it") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
