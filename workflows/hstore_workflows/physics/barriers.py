"""Migration barriers of structures in files, each in a worker with limits of time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hstore.crystal import Crystal
from hstore.workers import Limits, run
from hstore_models.physics.barriers import (
    PRELOAD,
    Barriers,
    BarrierSettings,
    element_of_ion,
    migration_barriers,
)
from hstore_workflows.physics.relaxed_files import crystals_of_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MEMORY_MIB = 6144
"""Memory that one structure may take, MiB: a cell of 1000 angstrom^3 takes 1 GiB on the usual grid."""


@dataclass(frozen=True)
class BarrierRow:
    """What became of one structure."""

    reference: str
    """File, and structure in it."""
    found: Barriers | None
    """Barriers, or why the method does not apply; None where the structure failed."""
    cause: str = ""
    """Why it failed; empty where it did not."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        if self.found is None:
            return {"reference": self.reference, "cause": self.cause}
        return {"reference": self.reference, **self.found.as_json()}

    def text(self) -> str:
        """Return it in words."""
        if self.found is None:
            return f"{self.reference}: {self.cause}"
        if self.found.not_applicable:
            return f"{self.reference}: {self.found.formula}  not applicable: {self.found.not_applicable}"
        barriers = "  ".join(
            f"{dimension}D {'above the highest looked for' if barrier is None else f'{barrier:.2f} eV'}"
            for dimension, barrier in enumerate(self.found.barriers_ev, 1)
        )
        return (
            f"{self.reference}: {self.found.formula}  {self.found.ion}  {barriers}  "
            f"moves in {self.found.dimension} dimension{'' if self.found.dimension == 1 else 's'}"
        )


def barriers_of_files(
    paths: Sequence[Path],
    ion: str,
    *,
    settings: BarrierSettings | None = None,
    seconds: float = 120.0,
    workers: int = 1,
) -> Iterator[BarrierRow]:
    """Compute barriers for every structure of some files, in their order.

    Args:
        paths: CIF and other structure files, folders, archives.
        ion: the mobile ion, such as Li.
        settings: of the grid; the default when None.
        seconds: longest time for one structure, s.
        workers: processes.

    Raises:
        InputError: the ion is none.
        MissingExtraError: BVlain is not installed.
    """
    element_of_ion(ion)
    read = crystals_of_files(paths)
    outcomes = run(
        partial(migration_barriers, ion=ion, settings=settings),
        [crystal for _, crystal in read if isinstance(crystal, Crystal)],
        workers=workers,
        limits=Limits(seconds, MEMORY_MIB, items_per_worker=200),
        piece=1,
        preload=PRELOAD,
    )
    for reference, crystal in read:
        if isinstance(crystal, str):
            yield BarrierRow(reference, None, crystal)
        else:
            outcome = next(outcomes)
            yield BarrierRow(reference, outcome.value, outcome.cause)
