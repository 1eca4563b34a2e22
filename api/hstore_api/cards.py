"""The cards of the models, read once and again where their file has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.errors import ModelError
from hstore.records import Scope

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore_models.card import ModelCard

_EVERYTHING = Scope(everything=True)


class Cards:
    """The cards of all versions.

    Every question looks at the files of all of them, so a version that is hidden takes as long as one that is not
    there.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.models_dir
        self._known: dict[tuple[str, str], tuple[tuple[int, int], ModelCard | None]] = {}

    def visible(self, scope: Scope) -> list[ModelCard]:
        """Return the cards a scope may see, in use and not, by name and id; refused ones are left out."""
        return [card for card in self._all() if scope.allows(card.access)]

    def find(self, model_id: str, scope: Scope, *, model: str | None = None) -> ModelCard | None:
        """Return the card of a version; None where the scope sees none of that id, or it is of another model."""
        found = [c for c in self.visible(scope) if c.model_id == model_id and model in {None, c.model}]
        return found[0] if found else None

    def in_use(self, model: str, scope: Scope) -> str | None:
        """Return the version in use for a scope: its lab's, else the public one; None where there is none."""
        from hstore_models.registry import Registry

        return Registry(self._folder).current_id(model, scope.lab_id)

    def _all(self) -> list[ModelCard]:
        from hstore_models.integrity import CARD_FILE
        from hstore_models.registry import Registry

        registry, found = Registry(self._folder), []
        for place in registry.versions():
            try:
                file = self._folder.joinpath(*place, CARD_FILE).stat()
            except OSError:  # removed meanwhile
                continue
            stamp = (file.st_mtime_ns, file.st_size)
            known = self._known.get(place)
            if known is None or known[0] != stamp:
                try:
                    known = stamp, registry.card(*place, _EVERYTHING)
                except ModelError:
                    known = stamp, None
                self._known[place] = known
            found.append(known[1])
        return [card for card in found if card is not None]
