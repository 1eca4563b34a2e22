"""Trained models on disk: immutable, content-addressed, signed, without pickle.

``FOLDER/<model>/<model_id>/`` holds ``model.zip``, ``held_out.parquet``, ``golden.json`` and ``card.json``. The
card states length and SHA-256 of the others and is signed with ``FOLDER/registry.key``. ``current`` and
``history.jsonl`` (:mod:`hstore_models.ledger`) say which version is in use and which were before.

Whoever reads states a scope. A model trained on a lab's unpublished rows is visible to that lab alone; for
everybody else it does not exist. A lab may have a champion of its own, and sees the public one while it has none.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import ValidationError

from hstore.errors import InputError, ModelError
from hstore.records import PUBLIC_SCOPE, Scope, Visibility
from hstore_models.golden import Golden, golden_predictions
from hstore_models.integrity import (
    CARD_FILE,
    GOLDEN_FILE,
    HELD_OUT_FILE,
    MODEL_FILE,
    VERSION_FILES,
    first_of,
    read_card,
    read_checked,
    retrain,
    sealed,
)
from hstore_models.ledger import Ledger, Promotion
from hstore_models.property_model import PropertyModel
from hstore_models.serialization import from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Access
    from hstore_models.card import ModelCard
    from hstore_models.integrity import ForeignVersion

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EVERYTHING = Scope(everything=True)


@dataclass(frozen=True)
class LoadedModel:
    """A model together with its card."""

    model: PropertyModel
    """The model."""
    card: ModelCard
    """Its card."""
    held_out: pd.DataFrame
    """Known values and predictions made with the row's group held out: ``property, unit, label, source, group,
    family, measured, predicted, lower, upper, fold``, and ``parent_predicted`` where a champion was asked too."""
    note: str = ""
    """Why it serves in place of the champion; empty where it is the champion or was asked for by its id."""


@dataclass(frozen=True)
class RefusedModel:
    """A version whose files are not what was saved."""

    model: str
    """Name of the model."""
    model_id: str
    """Version."""
    reason: str
    """What was found, what was expected, and what to do."""


@dataclass(frozen=True)
class Registry:
    """The models of one folder."""

    folder: Path
    """Folder of the models, usually ``HSTORE_HOME/models``."""

    def save(
        self, model: PropertyModel, card: ModelCard, held_out: pd.DataFrame, golden: Golden | None = None
    ) -> ModelCard:
        """Write a version; where nothing is in use, it becomes the champion.

        A version already there is kept as it is, unless its files are refused: then it is written anew.

        Args:
            model: the model.
            card: its card; time, files and signature are filled in.
            held_out: its held-out predictions, see :class:`LoadedModel`.
            golden: its golden predictions; those of the fixed probes when None.

        Returns:
            The card as saved.

        Raises:
            InputError: the model holds a type that could not be read back safely; nothing is written then.
        """
        _check_names(card)
        contents = {
            MODEL_FILE: to_bytes(model),
            HELD_OUT_FILE: held_out.to_parquet(index=False),
            GOLDEN_FILE: (golden or golden_predictions(model)).model_dump_json(indent=1).encode(),
        }
        self._keep(card, contents)
        return self.card(card.model, card.model_id, _EVERYTHING)

    def files(self, name: str, model_id: str, scope: Scope = PUBLIC_SCOPE) -> dict[str, bytes]:
        """Return the files of a version, its card among them, to be adopted by another registry.

        Raises:
            ModelError: as for :meth:`load`.
        """
        card = self.card(name, model_id, scope)
        return {**self._contents(card), CARD_FILE: (self._place(name, model_id) / CARD_FILE).read_bytes()}

    def adopt(self, version: ForeignVersion) -> bool:
        """Keep a version of another registry byte for byte, its card signed by this one.

        Where nothing is in use, it becomes the champion, of its lab where it belongs to one.

        Args:
            version: what :func:`~hstore_models.integrity.read_foreign` has checked.

        Returns:
            False where that version was here already, which stays as it is.

        Raises:
            InputError: its name is not allowed.
        """
        _check_names(version.card)
        return self._keep(version.card, version.contents)

    def promote(
        self,
        name: str,
        model_id: str,
        why: str,
        *,
        lab_id: str | None = None,
        forced: bool = False,
        scope: Scope = _EVERYTHING,
    ) -> Promotion:
        """Put a version into use.

        Args:
            name: name of the model.
            model_id: the version.
            why: reason, kept in the history.
            lab_id: lab whose champion it becomes; None for the public one, or for the lab that owns the version.
            forced: noted in the history: the gate was against it.
            scope: in whose name; the operator's when not given.

        Returns:
            The entry of the history.

        Raises:
            ModelError: no such version, its files are refused, or it belongs to another lab.
        """
        card = self._verified(name, model_id, scope)
        lab = owner(card.access)
        if lab is not None and lab_id not in {None, lab}:
            raise ModelError(f"{model_id} belongs to another lab than {lab_id!r}; promote a public one for it")
        with self._ledger(name).locked():
            return self._promote(name, model_id, why, lab_id=lab_id or lab, forced=forced)

    def rollback(self, name: str, why: str = "rolled back", *, lab_id: str | None = None) -> Promotion:
        """Put the champion before the present one back into use; versions whose files are refused are passed over.

        Returns:
            The entry of the history.

        Raises:
            ModelError: there is no earlier champion that can be used.
        """
        ledger = self._ledger(name)
        if not ledger.folder.is_dir():
            raise self._unknown(name, "")
        with ledger.locked():
            line = ledger.champions(lab_id)
            target = next((model_id for model_id in line[1:] if not self.refusal(name, model_id)), None)
            if target is None:
                raise ModelError(
                    f"{name} has no earlier champion to roll back to{_of(lab_id)}; see: hstore models list, and "
                    "promote another version with: hstore models promote ID"
                )
            entry = Promotion(model_id=target, previous=line[0], reason=why, action="rollback", lab_id=lab_id)
            ledger.record(entry)
        return entry

    def serving(self, name: str, scope: Scope = PUBLIC_SCOPE) -> LoadedModel:
        """Load the champion; where its files are refused, the newest earlier champion that can be used.

        Args:
            name: name of the model.
            scope: in whose name; a lab is served its own champion where it has one.

        Returns:
            The model; its ``note`` says why another than the champion serves.

        Raises:
            ModelError: nothing is in use, or no champion, past or present, can be used.
        """
        refused = []
        for model_id in self._line(name, scope):
            try:
                loaded = self.load(name, model_id, scope)
            except ModelError as error:
                refused.append(f"{model_id}: {error}")
                continue
            if not refused:
                return loaded
            note = f"{model_id} serves in place of the champion, which is refused ({refused[0]})"
            return LoadedModel(loaded.model, loaded.card, loaded.held_out, note)
        if refused:
            raise ModelError(f"no version of {name} can be used; {refused[0]}")
        raise ModelError(f"no version of {name} is in use under {self.folder}; train it with: hstore train {name}")

    def usable(self, name: str, scope: Scope = PUBLIC_SCOPE) -> LoadedModel | None:
        """Load what serves, as :meth:`serving` does; None where nothing is in use or can be used."""
        try:
            return self.serving(name, scope)
        except ModelError:
            return None

    def current_id(self, name: str, lab_id: str | None = None) -> str | None:
        """Return the id of the version in use for a lab, or of the public one; None when none is."""
        if not _NAME.fullmatch(name):
            return None
        own = None if lab_id is None else self._ledger(name).current(lab_id)
        return own or self._ledger(name).current()

    def pointers(self, name: str) -> dict[str | None, str]:
        """Return lab (None: everybody) -> version in use."""
        return self._ledger(name).pointers()

    def history(self, name: str, scope: Scope = PUBLIC_SCOPE) -> list[Promotion]:
        """Return the promotions and roll-backs of a model that a scope may see, oldest first."""
        entries = self._ledger(name).history() if _NAME.fullmatch(name) else []
        return [e for e in entries if e.lab_id is None or scope.everything or e.lab_id == scope.lab_id]

    def card(self, name: str, model_id: str, scope: Scope = PUBLIC_SCOPE) -> ModelCard:
        """Read a card and check its signature.

        Raises:
            ModelError: no such model in this scope, or the card is damaged, changed, or of another version.
        """
        path = self._place(name, model_id) / CARD_FILE
        if not path.is_file():
            raise self._unknown(name, model_id)
        card = read_card(path, self.folder)
        if (card.model, card.model_id) != (name, model_id):
            raise ModelError(f"card {path} is that of {card.model_id}, copied or renamed; {retrain(name)}")
        if not scope.allows(card.access):
            raise self._unknown(name, model_id)
        return card

    def load(self, name: str, model_id: str, scope: Scope = PUBLIC_SCOPE) -> LoadedModel:
        """Load a version after checking it.

        Raises:
            ModelError: no such model in this scope, changed since it was saved, of another version of hstore, or
                holding types that are not allowed.
        """
        card = self.card(name, model_id, scope)
        contents = self._contents(card)
        path = self._place(name, model_id) / MODEL_FILE
        model = from_bytes(contents[MODEL_FILE], str(path))
        if not isinstance(model, PropertyModel):
            raise ModelError(
                f"model file {path} holds a {type(model).__name__}, not a property model; {retrain(name)}"
            )
        return LoadedModel(model, card, _held_out(card, contents[HELD_OUT_FILE]))

    def held_out(self, name: str, model_id: str, scope: Scope = PUBLIC_SCOPE) -> pd.DataFrame:
        """Read the held-out predictions of a version, without the model (see :class:`LoadedModel`).

        Raises:
            ModelError: as for :meth:`load`.
        """
        card = self.card(name, model_id, scope)
        return _held_out(card, self._contents(card)[HELD_OUT_FILE])

    def golden(self, name: str, model_id: str, scope: Scope = PUBLIC_SCOPE) -> Golden:
        """Read the golden predictions of a version.

        Raises:
            ModelError: as for :meth:`load`.
        """
        content = self._contents(self.card(name, model_id, scope))[GOLDEN_FILE]
        try:
            return Golden.model_validate_json(content)
        except ValidationError as error:
            raise ModelError(
                f"golden predictions of {model_id} cannot be read ({first_of(error)}); {retrain(name)}"
            ) from error

    def cards(self, scope: Scope = PUBLIC_SCOPE) -> list[ModelCard]:
        """Return the cards a scope may see, in use and not, by name and id.

        Cards that are refused are left out; files beside them are not read (see :meth:`refused`).
        """
        found = []
        for name, model_id in self.versions():
            try:
                found.append(self.card(name, model_id, scope))
            except ModelError:
                continue  # hidden from this scope, or refused
        return found

    def refused(self) -> list[RefusedModel]:
        """Return the versions that are not what was saved, with the reason; for the operator."""
        reasons = [(name, model_id, self.refusal(name, model_id)) for name, model_id in self.versions()]
        return [RefusedModel(name, model_id, reason) for name, model_id, reason in reasons if reason]

    def refusal(self, name: str, model_id: str) -> str:
        """Say why a version cannot be used (missing, damaged, changed, of another version); empty where it can."""
        try:
            self._verified(name, model_id, _EVERYTHING)
        except ModelError as error:
            return str(error)
        return ""

    def _verified(self, name: str, model_id: str, scope: Scope) -> ModelCard:
        card = self.card(name, model_id, scope)
        self._contents(card)
        return card

    def versions(self) -> list[tuple[str, str]]:
        """Return model name and id of each version, refused ones included, in alphabetical order."""
        paths = sorted(self.folder.glob(f"*/*/{CARD_FILE}"))
        places = [(path.parent.parent.name, path.parent.name) for path in paths]
        return [place for place in places if all(map(_NAME.fullmatch, place))]

    def _place(self, name: str, model_id: str) -> Path:
        if not (_NAME.fullmatch(name) and _NAME.fullmatch(model_id)):  # nothing outside the folder is looked at
            raise self._unknown(name, model_id)
        return self.folder / name / model_id

    def _ledger(self, name: str) -> Ledger:
        if not _NAME.fullmatch(name):
            raise self._unknown(name, "")
        return Ledger(self.folder / name)

    def _unknown(self, name: str, model_id: str) -> ModelError:
        return ModelError(f"no model {model_id!r} under {self.folder / name}; train it with: hstore train {name}")

    def _line(self, name: str, scope: Scope) -> list[str]:
        """Return what may serve a scope, best first: the lab's champions, then the public ones."""
        ledger = self._ledger(name)
        own = [] if scope.lab_id is None else ledger.champions(scope.lab_id)
        return list(dict.fromkeys([*own, *ledger.champions()]))

    def _serves_anything(self, card: ModelCard) -> bool:
        scope = Scope(lab_id=owner(card.access), everything=True)
        return any(not self.refusal(card.model, model_id) for model_id in self._line(card.model, scope))

    def _promote(
        self, name: str, model_id: str, why: str, *, lab_id: str | None, forced: bool = False
    ) -> Promotion:
        ledger = self._ledger(name)
        previous = ledger.current(lab_id)
        entry = Promotion(model_id=model_id, previous=previous, reason=why, lab_id=lab_id, forced=forced)
        ledger.record(entry)
        return entry

    def _keep(self, card: ModelCard, contents: Mapping[str, bytes]) -> bool:
        """Write a version unless a whole one of that id is there; tell whether it was written."""
        with self._ledger(card.model).locked():
            missing = bool(self.refusal(card.model, card.model_id))
            if missing:
                self._write(card, contents)
            if not self._serves_anything(card):
                self._promote(card.model, card.model_id, "nothing else is in use", lab_id=owner(card.access))
        return missing

    def _write(self, card: ModelCard, contents: Mapping[str, bytes]) -> None:
        """Write a version beside its place and move it there whole; the caller holds the lock."""
        place = self._place(card.model, card.model_id)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
        try:
            for file, content in contents.items():
                (scratch / file).write_bytes(content)
            (scratch / CARD_FILE).write_text(sealed(card, contents, self.folder), encoding="utf-8")
            scratch.chmod(0o755)
            shutil.rmtree(place, ignore_errors=True)
            scratch.rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _contents(self, card: ModelCard) -> dict[str, bytes]:
        place = self._place(card.model, card.model_id)
        return {file: read_checked(place / file, card) for file in VERSION_FILES}


def _check_names(card: ModelCard) -> None:
    for part in (card.model, card.model_id):
        if not _NAME.fullmatch(part):
            raise InputError(f"a model's name and id are letters, digits, '.', '_' and '-', got {part!r}")


def _held_out(card: ModelCard, content: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"held-out table of {card.model_id} cannot be read ({error}); {retrain(card.model)}"
        ) from error


def owner(access: Access) -> str | None:
    """Return the lab that alone may see and use a version; None for a public one."""
    return access.lab_id if access.visibility is Visibility.LAB else None


def _of(lab_id: str | None) -> str:
    return "" if lab_id is None else f" for lab {lab_id!r}"
