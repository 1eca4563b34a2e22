"""Relax many crystals with one potential in worker processes; finished ones are read, not computed again."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from hstore.workers import Limits, run
from hstore_models.physics.potential import load_potential, potential_key
from hstore_models.physics.relaxing import Relaxed, RelaxSettings, relax
from hstore_workflows.physics.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore.settings import Settings

_GRACE_SECONDS = 60.0
"""Beyond its own time limit, a relaxation may take this long to load its potential and to end a step."""
MEMORY_MIB = 4096
"""Memory a worker may take for crystals beyond its potential, MiB."""


def relax_many(
    crystals: Iterable[Crystal],
    potential: str,
    *,
    home: Settings,
    settings: RelaxSettings | None = None,
    workers: int = 1,
    weights: Path | None = None,
    sha256: str | None = None,
) -> Iterator[Relaxed]:
    """Relax crystals, in their order; each that fails is a record with its cause.

    Args:
        crystals: any number.
        potential: name, as :func:`~hstore_models.physics.potential.load_potential` takes it.
        home: where finished relaxations are kept.
        settings: of a relaxation; the default when None.
        workers: processes, one thread each.
        weights: weights of a ``module:factory``.
        sha256: checksum that the weights must have.

    Raises:
        InputError, MissingExtraError, ModelError: the potential cannot be loaded.
    """
    limits = settings or RelaxSettings()
    if ":" in potential or sha256 is not None:
        key = load_potential(potential, weights=weights, sha256=sha256).key
    else:
        key = potential_key(potential)
    kept = Kept.of(home, key, limits)
    waiting: list[tuple[Crystal, Relaxed | None]] = [(crystal, kept.read(crystal)) for crystal in crystals]
    missing = [crystal for crystal, found in waiting if found is None]
    task = partial(_relax_and_keep, potential=potential, kept=kept, weights=weights, sha256=sha256)
    new = run(
        task,
        missing,
        workers=workers,
        limits=Limits(limits.seconds + _GRACE_SECONDS, MEMORY_MIB, items_per_worker=200),
        piece=1,
    )
    for crystal, found in waiting:
        if found is not None:
            yield found
            continue
        outcome = next(new)
        yield outcome.value or failed(crystal, key, outcome.cause)


def failed(crystal: Crystal, key: str, cause: str) -> Relaxed:
    """Return the record of a crystal whose worker ended."""
    return Relaxed(crystal.formula, key, math.nan, crystal, math.nan, math.nan, 0, 0.0, cause)


def _relax_and_keep(
    crystal: Crystal, *, potential: str, kept: Kept, weights: Path | None, sha256: str | None
) -> Relaxed:
    found = relax(crystal, load_potential(potential, weights=weights, sha256=sha256), kept.settings)
    kept.write(crystal, found)
    return found
