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

from hstore_models.physics.relaxing import Relaxed

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.relaxing import RelaxSettings

FORMAT = 1
"""Raised when what a relaxation means changes."""


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
        return cls(home.home / "physics" / potential.replace(":", "-").replace("/", "-"), potential, settings)

    def read(self, crystal: Crystal) -> Relaxed | None:
        """Return the kept record of a crystal, or None."""
        try:
            return Relaxed.from_json(json.loads(self._path(crystal).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError):  # absent, or cut off by a full disk: computed anew
            return None

    def write(self, crystal: Crystal, found: Relaxed) -> None:
        """Keep a record; it appears whole or not at all."""
        path = self._path(crystal)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(found.as_json()), encoding="utf-8")
        draft.replace(path)

    def _path(self, crystal: Crystal) -> Path:
        content = json.dumps([FORMAT, crystal.key, self.potential, self.settings.as_json()], sort_keys=True)
        name = hashlib.sha256(content.encode()).hexdigest()
        return self.folder / name[:2] / f"{name[:32]}.json"
