"""Whether the service has all it needs, check by check; what is said reveals nothing internal."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from hstore.errors import HstoreError, ModelError
from hstore.store.migration import HEAD
from hstore_api.health_schemas import ReadinessCheck

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_api.seeding import SeedState

_SEEDING: dict[SeedState, str] = {
    "ready": "the store is filled",
    "seeding": "the store is being filled with the embedded candidates; wait a minute",
    "failed": "the embedded candidates could not be stored; see the log of the service",
}
_log = logging.getLogger(__name__)


def readiness(
    store: Store, settings: Settings, seeding: SeedState, models: ModelCheck
) -> tuple[ReadinessCheck, ...]:
    """Look at everything the service needs.

    Args:
        store: the store.
        settings: where the models are, and whether a worker is to be there.
        seeding: state of the filling of the store.
        models: the check of the model files.
    """
    database, schema = _database(store)
    found = [database, schema, ReadinessCheck(name="materials", ok=seeding == "ready", detail=_SEEDING[seeding])]
    found.append(models.look(settings.models_dir))
    if database.ok:
        found.append(_worker(store, expected=settings.worker_expected))
    return tuple(found)


def _database(store: Store) -> tuple[ReadinessCheck, ReadinessCheck]:
    try:
        revision = store.schema_version()
    except HstoreError as error:
        _log.warning("not ready: %s", error)
        return (
            ReadinessCheck(name="database", ok=False, detail="does not answer; see the log of the service"),
            ReadinessCheck(name="schema", ok=False, detail="unknown while the database does not answer"),
        )
    current = revision == HEAD
    told = "is that of this version" if current else "is not that of this version; see the log of the service"
    if not current:
        _log.warning("not ready: the schema of the store is %s, this version needs %s", revision, HEAD)
    return (
        ReadinessCheck(name="database", ok=True, detail="answers"),
        ReadinessCheck(name="schema", ok=current, detail=told),
    )


def _worker(store: Store, *, expected: bool) -> ReadinessCheck:
    try:
        alive = store.jobs.alive()
    except HstoreError as error:
        _log.warning("not ready: %s", error)
        return ReadinessCheck(name="worker", ok=False, detail="unknown while the database does not answer")
    if alive:
        return ReadinessCheck(name="worker", ok=True, detail="is alive")
    told = "none is alive; jobs wait until one is started with: hstore worker"
    return ReadinessCheck(name="worker", ok=not expected, detail=told)


class ModelCheck:
    """Whether each trained model has a version that can be used; files that did not change are read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, bool]] = {}
        self._one_at_a_time = threading.Lock()

    def look(self, folder: Path) -> ReadinessCheck:
        """Check the models of a folder; models not trained yet are no fault, the first question trains them."""
        with self._one_at_a_time:
            trained = sorted(path.name for path in folder.glob("*") if (path / "current").exists())
            damaged = [name for name in trained if not self._usable(folder, name)]
        if damaged:
            _log.warning("not ready: no version of %s can be used; see: hstore models check", ", ".join(damaged))
            told = f"{len(damaged)} of {len(trained)} trained models cannot be used; see the log of the service"
        else:
            told = f"{len(trained)} trained; others are trained when they are first asked for"
        return ReadinessCheck(name="models", ok=not damaged, detail=told)

    def _usable(self, folder: Path, name: str) -> bool:
        files = sorted(path for path in (folder / name).rglob("*") if path.name != "lock")
        stamp = [(path.name, status.st_mtime_ns, status.st_size) for path in files if (status := _status(path))]
        known, usable = self._known.get(name, (None, False))
        if stamp != known:
            usable = any(_is_whole(card, folder) for card in sorted((folder / name).glob("*/card.json")))
            self._known[name] = stamp, usable
        return usable


def _is_whole(path: Path, folder: Path) -> bool:
    """Tell whether a version of a model is what was saved; the model itself is not loaded."""
    from hstore_models.integrity import read_card, read_checked

    try:
        card = read_card(path, folder)
        for file in card.files:
            read_checked(path.parent / file, card)
    except ModelError as error:
        _log.warning("a version of a model is refused: %s", error)
        return False
    return True


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # another process moved it away meanwhile
        return None
