"""How a search is done and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_models.physics.relaxing import RelaxSettings

if TYPE_CHECKING:
    from pathlib import Path

COARSE = RelaxSettings(
    force_most_ev_per_angstrom=0.1, steps=120, seconds=300.0, rattle_angstrom=0.0, strain=0.0, atoms=100
)
"""Of every try: loose, and within the symmetry it was drawn in, which makes it short."""
FINE = RelaxSettings(
    force_most_ev_per_angstrom=0.02, steps=400, seconds=900.0, rattle_angstrom=0.05, strain=0.01, atoms=100
)
"""Of the best: tight, and rattled first, so that no symmetry holds them at a saddle point."""


@dataclass(frozen=True)
class SearchSettings:
    """How a search is done."""

    potential: str = "sevennet"
    """Name of the potential."""
    units: tuple[int, ...] = (1, 2, 4)
    """Formula units in the primitive cell, taken in turn."""
    tries: int = 60
    """Random crystals that are relaxed."""
    draws: int = 10
    """Crystals drawn for each try, in one space group; the one with the lowest energy as drawn is relaxed."""
    substitutions: int = 10
    """Tries that begin at a known structure type with the elements put in; 0 searches from composition alone."""
    best: int = 6
    """Distinct structures that are relaxed tightly."""
    basin_steps: int = 8
    """Steps out of the basins of the best."""
    seed: int = 0
    """Seed of all that is drawn."""
    core_hours: float | None = None
    """Processor time of tries, h, at which no further one begins; earlier runs count. None: no limit."""
    optimizer_steps: int | None = None
    """Steps of relaxations at which no further try begins; None: no limit."""
    coarse: RelaxSettings = COARSE
    """How tries are relaxed."""
    fine: RelaxSettings = FINE
    """How the best are relaxed."""
    weights: Path | None = None
    """Weights of a ``module:factory``."""
    sha256: str | None = None
    """Checksum that the weights must have."""

    def __post_init__(self) -> None:
        """Refuse a search that cannot find anything.

        Raises:
            InputError: a number is out of its range.
        """
        if not self.units or min(self.units) < 1:
            raise InputError(f"units are numbers of formula units of at least 1, got {self.units}; give 1,2,4")
        if min(self.draws, self.best) < 1:
            raise InputError(f"draws and best must be at least 1, got {self.draws} and {self.best}")
        if min(self.tries, self.substitutions, self.basin_steps, self.seed) < 0:
            raise InputError(
                "tries, substitutions, basin steps and seed must not be negative, "
                f"got {self.tries}, {self.substitutions}, {self.basin_steps}, {self.seed}"
            )
        if self.tries + self.substitutions == 0:
            raise InputError("a search without tries finds nothing; raise tries or substitutions")
        for limit in (self.core_hours, self.optimizer_steps):
            if limit is not None and not limit > 0:
                raise InputError(f"core hours and optimizer steps must be above 0, got {limit}; raise them")

    def as_json(self) -> dict[str, Any]:
        """Return what decides the result."""
        return {
            "units": list(self.units),
            "tries": self.tries,
            "draws": self.draws,
            "substitutions": self.substitutions,
            "best": self.best,
            "basin_steps": self.basin_steps,
            "seed": self.seed,
            "core_hours": self.core_hours,
            "optimizer_steps": self.optimizer_steps,
            "coarse": self.coarse.as_json(),
            "fine": self.fine.as_json(),
        }
