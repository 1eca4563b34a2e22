"""Models in memory: which version serves whom, and no more of them than memory allows."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from hstore.records import Scope
    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_models.registry import LoadedModel, Registry
    from hstore_models.verdict import Verdict

MEMORY_BYTES = 1 << 30
"""Memory that the arrays of loaded models may take together; those asked for longest ago are dropped first."""

_MOST_VERDICTS = 200

_log = logging.getLogger(__name__)


class LoadedModels:
    """The models of one process, loaded on first use.

    The files that say which version is in use are read for every request, so a promotion by whichever process
    counts at once. What is loaded serves on when its files are damaged.
    """

    def __init__(self, settings: Settings, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self.folder = settings.models_dir
        """Folder of the models."""
        self._memory_bytes = memory_bytes
        self._by_id: OrderedDict[str, tuple[LoadedModel, int]] = OrderedDict()
        self._serving: dict[tuple[str, str | None], tuple[tuple[str | None, str | None], str, str]] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def serving(self, name: str, scope: Scope) -> LoadedModel:
        """Return what answers a scope: its lab's champion, else the public one, else an earlier one with a note.

        Raises:
            ModelError: nothing is in use, or nothing in use can be used.
        """
        found = self._resolved(name, scope)
        if found is None:
            with self._loading:
                found = self._resolved(name, scope) or self._resolve(name, scope)
        return found

    def version(self, card: ModelCard, scope: Scope) -> LoadedModel:
        """Return a version by its card.

        Raises:
            ModelError: its files are refused, or its answers are not those of the day it was saved.
        """
        found = self._kept(card.model_id)
        if found is None:
            with self._loading:
                found = self._kept(card.model_id) or self._load(card.model, card.model_id, scope)
        return found

    def held_out(self, card: ModelCard, scope: Scope) -> pd.DataFrame:
        """Return the held-out values of a version (see :class:`~hstore_models.registry.LoadedModel`).

        Raises:
            ModelError: its files are refused.
        """
        kept = self._kept(card.model_id)
        return kept.held_out if kept else self._registry().held_out(card.model, card.model_id, scope)

    def compared(self, champion: ModelCard, challenger: ModelCard, scope: Scope) -> Verdict:
        """Return the verdict of the gate, reckoned once for each pair.

        Raises:
            ModelError: files of one are refused.
        """
        from hstore_models.gate import compare

        pair = champion.model_id, challenger.model_id
        if pair not in self._verdicts:
            loaded = [self._registry().load(card.model, card.model_id, scope) for card in (champion, challenger)]
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            self._verdicts[pair] = compare(*loaded, metric=str(challenger.spec.get("metric", "mae")))
        return self._verdicts[pair]

    def bytes_in_memory(self) -> int:
        """Return the memory of the arrays of all that is loaded, bytes."""
        with self._lock:
            return sum(size for _, size in self._by_id.values())

    def _registry(self) -> Registry:
        from hstore_models.registry import Registry

        return Registry(self.folder)

    def _pointers(self, name: str, scope: Scope) -> tuple[str | None, str | None]:
        """Return what is in use for a scope, and for everybody."""
        registry = self._registry()
        public = registry.current_id(name)
        return (public if scope.lab_id is None else registry.current_id(name, scope.lab_id)), public

    def _resolved(self, name: str, scope: Scope) -> LoadedModel | None:
        known = self._serving.get((name, scope.lab_id))
        if known is None or known[0] != self._pointers(name, scope):
            return None
        found = self._kept(known[1])
        return dataclasses.replace(found, note=known[2]) if found and known[2] else found

    def _resolve(self, name: str, scope: Scope) -> LoadedModel:
        pointers = self._pointers(name, scope)
        found = self._choose(name, scope, pointers)
        self._serving[name, scope.lab_id] = pointers, found.card.model_id, found.note
        return found

    def _choose(self, name: str, scope: Scope, pointers: tuple[str | None, str | None]) -> LoadedModel:
        own, public = pointers
        if own is None:
            return self._registry().serving(name, scope)  # which says that nothing is in use
        try:
            return self._kept(own) or self._load(name, own, scope)
        except ModelError as error:
            _log.error("%s cannot serve: %s", own, error)
        loaded = self._registry().serving(name, scope)
        if loaded.card.model_id == own:  # its files are sound, but it answers other than when it was saved
            if public in {None, own}:
                raise ModelError(f"{own} answers other than when it was saved; retrain it: hstore train {name}")
            loaded = self._load(name, str(public), scope)
        note = f"{loaded.card.model_id} serves in place of the version in use, which is refused; see the log"
        return dataclasses.replace(self._keep(loaded), note=note)

    def _load(self, name: str, model_id: str, scope: Scope) -> LoadedModel:
        """Load a version and ask it its golden predictions, which also compiles what it runs."""
        from hstore_models.golden import check_golden
        from hstore_models.training import code_version, versions

        registry = self._registry()
        loaded = registry.load(name, model_id, scope)
        drift = check_golden(loaded.model, registry.golden(name, model_id, scope), loaded.card.versions)
        if drift.moved:
            same = (loaded.card.code_version, loaded.card.versions) == (code_version(), versions())
            _log.warning("%s: %s", model_id, drift)
            if not same:
                raise ModelError(
                    f"{model_id} was made by other code or libraries and answers other than then; retrain it: "
                    f"hstore train {name}"
                )
        return self._keep(loaded)

    def _kept(self, model_id: str) -> LoadedModel | None:
        with self._lock:
            if model_id not in self._by_id:
                return None
            self._by_id.move_to_end(model_id)
            return self._by_id[model_id][0]

    def _keep(self, loaded: LoadedModel) -> LoadedModel:
        kept = dataclasses.replace(loaded, note="")
        size = sum(array.nbytes for array in _arrays(kept.model)) + int(
            kept.held_out.memory_usage(deep=True, index=True).sum()
        )
        with self._lock:
            self._by_id[kept.card.model_id] = kept, size
            total = sum(size for _, size in self._by_id.values())
            while total > self._memory_bytes and len(self._by_id) > 1:
                _, (_, freed) = self._by_id.popitem(last=False)
                total -= freed
        return loaded


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Find the arrays within nested dataclasses and containers."""
    if isinstance(value, np.ndarray):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part in dataclasses.fields(value):
            yield from _arrays(getattr(value, part.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)
