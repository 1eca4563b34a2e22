"""Barriers of hops for structures in files, each hop in a worker with limits of time and memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore.workers import Limits, run
from hstore_models.physics.barriers import element_of_ion
from hstore_models.physics.migration import HopSettings, hop_barrier, hop_paths
from hstore_models.physics.potential import load_potential
from hstore_workflows.physics.relaxed_files import crystals_of_files
from hstore_workflows.physics.row import Row

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator, Sequence

    from hstore.crystal import Crystal
    from hstore_models.physics.migration import Hop, Path
    from hstore_models.physics.potential import Potential

MEMORY_MIB = 4096
"""Memory a worker may take beyond its potential, MiB."""

_GRACE_SECONDS = 60.0


def hops_of_files(
    paths: Sequence[pathlib.Path],
    ion: str,
    potential: str,
    *,
    settings: HopSettings | None = None,
    workers: int = 1,
    weights: pathlib.Path | None = None,
    sha256: str | None = None,
) -> Iterator[Row[Hop]]:
    """Compute the distinct hops of every structure of some files, in their order.

    Args:
        paths: structure files, best relaxed with the same potential.
        ion: the mobile ion, such as Li.
        potential: name, as :func:`~hstore_models.physics.potential.load_potential` takes it.
        settings: of a band; the default when None.
        workers: processes, one thread each.
        weights: weights of a ``module:factory``.
        sha256: checksum that the weights must have.

    Raises:
        InputError, MissingExtraError, ModelError: the ion or the potential cannot be used.
    """
    element_of_ion(ion)
    loading = partial(load_potential, potential, weights=weights, sha256=sha256)
    loading()  # says what is wrong before anything is read
    how = settings or HopSettings()
    planned: list[tuple[str, Crystal | None, Path | None, str]] = []
    for reference, crystal in crystals_of_files(paths):
        if isinstance(crystal, str):
            planned.append((reference, None, None, crystal))
            continue
        try:
            planned += [(reference, crystal, path, "") for path in hop_paths(crystal, ion, how)]
        except InputError as error:
            planned.append((reference, None, None, str(error)))
    outcomes = run(
        partial(_hop, loading=loading, settings=how),
        [(crystal, path) for _, crystal, path, _ in planned if crystal is not None],
        workers=workers,
        limits=Limits(how.seconds + _GRACE_SECONDS, MEMORY_MIB, items_per_worker=50),
        piece=1,
    )
    for reference, _, path, cause in planned:
        if path is None:
            yield Row(reference, None, cause)
        else:
            outcome = next(outcomes)
            yield Row(reference, outcome.value, outcome.cause)


def hop_in_words(hop: Hop) -> str:
    """Return one hop in words."""
    told = f"{hop.formula}  {hop.ion} hops {hop.distance_angstrom:.2f} A"
    if hop.barrier_ev is None or hop.backward_ev is None:
        return f"{told}  failed: {hop.cause}"
    return f"{told}  barrier {hop.barrier_ev:.2f} eV, back {hop.backward_ev:.2f} eV  ({hop.atoms} atoms)"


def _hop(item: tuple[Crystal, Path], *, loading: Callable[[], Potential], settings: HopSettings) -> Hop:
    crystal, path = item
    return hop_barrier(crystal, path, loading(), settings)
