"""Migration barriers of structures in files, each in a worker with limits of time and memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hstore.crystal import Crystal
from hstore.workers import Limits, run
from hstore_models.physics.barriers import (
    PRELOAD,
    BarrierSettings,
    element_of_ion,
    migration_barriers,
)
from hstore_workflows.physics.relaxed_files import crystals_of_files
from hstore_workflows.physics.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hstore_models.physics.barriers import Barriers

MEMORY_MIB = 6144
"""Memory that one structure may take, MiB: a cell of 1000 angstrom^3 takes 1 GiB on the usual grid."""


def barriers_of_files(
    paths: Sequence[Path],
    ion: str,
    *,
    settings: BarrierSettings | None = None,
    seconds: float = 120.0,
    workers: int = 1,
) -> Iterator[Row[Barriers]]:
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
            yield Row(reference, None, crystal)
        else:
            outcome = next(outcomes)
            yield Row(reference, outcome.value, outcome.cause)


def barriers_in_words(found: Barriers) -> str:
    """Return the barriers of one structure in words."""
    if found.not_applicable:
        return f"{found.formula}  not applicable: {found.not_applicable}"
    barriers = "  ".join(
        f"{dimension}D {'above the highest looked for' if barrier is None else f'{barrier:.2f} eV'}"
        for dimension, barrier in enumerate(found.barriers_ev, 1)
    )
    return (
        f"{found.formula}  {found.ion}  {barriers}  "
        f"moves in {found.dimension} dimension{'' if found.dimension == 1 else 's'}"
    )
