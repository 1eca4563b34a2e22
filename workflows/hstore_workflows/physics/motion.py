"""Diffusion in a structure at several temperatures, each in a worker with limits of time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.workers import Limits, run
from hstore_models.physics.diffusion import HAVEN_RATIO, TARGET_K, extrapolate, move, require_kinisi
from hstore_models.physics.potential import load_potential
from hstore_workflows.physics.relaxed_files import crystals_of_files
from hstore_workflows.physics.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore_models.physics.diffusion import Diffusion, Extrapolation, MotionSettings
    from hstore_models.physics.potential import Potential

MEMORY_MIB = 4096
"""Memory a worker may take beyond its potential, MiB."""

_GRACE_SECONDS = 1800.0
"""Beyond its own time limit, a run may take this long to load its potential, to warm up and to be analysed."""


@dataclass(frozen=True)
class MotionFit:
    """Diffusion of one structure."""

    reference: str
    """File, and structure in it."""
    runs: tuple[Row[Diffusion], ...]
    """Runs by rising temperature."""
    line: Extrapolation | None
    """Arrhenius' line; None where it cannot be drawn."""
    cause: str
    """Why there is no line; empty where there is one."""

    @property
    def failed(self) -> bool:
        """Whether no run came to an end."""
        return all(row.found is None for row in self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "reference": self.reference,
            "runs": [row.as_json() for row in self.runs],
            "arrhenius": None if self.line is None else self.line.as_json(),
            "cause": self.cause,
        }

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        yield from (row.text(run_in_words) for row in self.runs)
        if self.line is None:
            yield f"  no line: {self.cause}"
            return
        line = self.line
        (low, high), (least, most) = line.activation_energy_interval_ev, line.conductivity_interval_s_per_cm
        yield f"  activation energy {line.activation_energy_ev:.3f} eV (90 %: {low:.3f} to {high:.3f})"
        yield (
            f"  at {line.target_k:g} K, extrapolated: {line.conductivity_s_per_cm:.2e} S/cm ({least:.2e} to "
            f"{most:.2e}) with an assumed Haven ratio of {line.haven_ratio:g}"
        )


def run_in_words(run: Diffusion) -> str:
    """Return one run in words."""
    told = f"{run.formula}  {run.picoseconds:.1f} ps"
    if run.d_cm2_per_s:
        low, high = run.as_json()["d_interval_cm2_per_s"]
        told += f"  D = {run.median_cm2_per_s:.2e} cm2/s ({low:.2e} to {high:.2e})"
    return told + (f"  {run.cause}" if run.cause else "")


def motion_in_file(
    path: Path,
    ion: str,
    temperatures_k: Sequence[float],
    potential: str,
    settings: MotionSettings,
    *,
    target_k: float = TARGET_K,
    haven_ratio: float = HAVEN_RATIO,
    workers: int = 1,
    weights: Path | None = None,
    sha256: str | None = None,
) -> MotionFit:
    """Run molecular dynamics at several temperatures and extrapolate.

    Args:
        path: a file with one structure, best relaxed with the same potential.
        ion: the mobile ion, such as Li.
        temperatures_k: temperatures, K.
        potential: name, as :func:`~hstore_models.physics.potential.load_potential` takes it.
        settings: of a run.
        target_k: temperature to extrapolate to, K.
        haven_ratio: Haven ratio that is assumed.
        workers: processes, one thread each.
        weights: weights of a ``module:factory``.
        sha256: checksum that the weights must have.

    Raises:
        InputError: the file holds no or several structures, or the ion cannot be used.
        MissingExtraError, ModelError: kinisi is not installed, or the potential cannot be loaded.
    """
    require_kinisi()
    loading = partial(load_potential, potential, weights=weights, sha256=sha256)
    loading()  # says what is wrong before anything is read
    read = crystals_of_files([path])
    if len(read) != 1:
        raise InputError(f"{path} holds {len(read)} structures; give a file with one")
    reference, crystal = read[0]
    if isinstance(crystal, str):
        raise InputError(f"{reference}: {crystal}")
    outcomes = run(
        partial(_moved, crystal=crystal, ion=ion, loading=loading, settings=settings),
        sorted(temperatures_k),
        workers=workers,
        limits=Limits(settings.seconds + _GRACE_SECONDS, MEMORY_MIB, items_per_worker=20),
        piece=1,
    )
    runs = tuple(
        Row(f"{reference} at {kelvin:g} K", outcome.value, outcome.cause)
        for kelvin, outcome in zip(sorted(temperatures_k), outcomes, strict=True)
    )
    try:
        found = [row.found for row in runs if row.found is not None]
        line, cause = extrapolate(found, target_k=target_k, haven_ratio=haven_ratio), ""
    except InputError as error:
        line, cause = None, str(error)
    return MotionFit(reference, runs, line, cause)


def _moved(
    kelvin: float, *, crystal: Crystal, ion: str, loading: Callable[[], Potential], settings: MotionSettings
) -> Diffusion:
    return move(crystal, ion, kelvin, loading(), settings)
