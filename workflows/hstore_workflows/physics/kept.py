"""Relaxations that are done once: records under ``HSTORE_HOME/physics``, one small file for each.

The name of a file is a checksum over crystal, potential (with its weights) and settings, so a record is found
again exactly when the same would be computed again. Several processes may write at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore_models.physics.relaxing import OUT_OF_TIME, Relaxed

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.relaxing import RelaxSettings

FORMAT = 1
"""Raised when what a relaxation means changes."""
_LIMITS = ("steps", "seconds", "atoms")
"""Settings that do not change a relaxation that converged."""


@dataclass(frozen=True)
class Kept:
    """The folder of finished relaxations of one potential under one set of settings."""

    folder: Path
    """Where the records are."""
    potential: str
    """Key of the potential."""
    settings: RelaxSettings
    """How crystals are relaxed."""

    @classmethod
    def of(cls, home: Settings, potential: str, settings: RelaxSettings) -> Kept:
        """Return the folder for a potential below the home folder; it is made when first written."""
        return cls(home.physics_dir / potential.replace(":", "-").replace("/", "-"), potential, settings)

    def read(self, crystal: Crystal) -> Relaxed | None:
        """Return the kept record of a crystal, or None; one that ended at lower limits does not count."""
        try:
            record = json.loads(self._path(crystal).read_text(encoding="utf-8"))
            found = Relaxed.from_json(record)
        except (OSError, ValueError, KeyError):  # absent, or cut off by a full disk: computed anew
            return None
        limited = found.cause.startswith(OUT_OF_TIME)
        lower = record["limits"][0] < self.settings.steps or record["limits"][1] < self.settings.seconds
        return None if limited and lower else found

    def write(self, crystal: Crystal, found: Relaxed) -> None:
        """Keep a record; it appears whole or not at all."""
        path = self._path(crystal)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        limits = [self.settings.steps, self.settings.seconds]
        draft.write_text(json.dumps({**found.as_json(), "limits": limits}), encoding="utf-8")
        draft.replace(path)

    def _path(self, crystal: Crystal) -> Path:
        settings = {name: value for name, value in self.settings.as_json().items() if name not in _LIMITS}
        content = json.dumps([FORMAT, crystal.key, self.potential, settings], sort_keys=True)
        name = hashlib.sha256(content.encode()).hexdigest()
        return self.folder / name[:2] / f"{name[:32]}.json"
