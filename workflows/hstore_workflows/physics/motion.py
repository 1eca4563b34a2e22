"""Diffusion in a structure at several temperatures, each in a worker with limits of time and memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.workers import Limits, run
from hstore_models.physics.diffusion import HAVEN_RATIO, TARGET_K, Diffusion, Extrapolation, extrapolate, move
from hstore_models.physics.potential import load_potential
from hstore_workflows.physics.relaxed_files import crystals_of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore_models.physics.diffusion import MotionSettings
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
    runs: tuple[Diffusion, ...]
    """Runs by rising temperature."""
    line: Extrapolation | None
    """Arrhenius' line; None where it cannot be drawn."""
    notes: tuple[str, ...]
    """What failed and why."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON; numbers that are none become null."""
        return {
            "reference": self.reference,
            "runs": [_without_nan(one.as_json()) for one in self.runs],
            "arrhenius": None if self.line is None else self.line.as_json(),
            "notes": list(self.notes),
        }

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        for one in self.runs:
            told = f"{self.reference}: {one.formula}  {one.temperature_k:.0f} K, {one.picoseconds:.1f} ps"
            if one.d_cm2_per_s:
                low, high = one.as_json()["d_interval_cm2_per_s"]
                told += f"  D = {one.median_cm2_per_s:.2e} cm2/s ({low:.2e} to {high:.2e})"
            yield told + (f"  {one.cause}" if one.cause else "")
        if self.line is not None:
            line = self.line
            (low, high), (least, most) = line.activation_energy_interval_ev, line.conductivity_interval_s_per_cm
            yield f"  activation energy {line.activation_energy_ev:.3f} eV (90 %: {low:.3f} to {high:.3f})"
            yield (
                f"  at {line.target_k:g} K, extrapolated: {line.conductivity_s_per_cm:.2e} S/cm ({least:.2e} to "
                f"{most:.2e}) with an assumed Haven ratio of {line.haven_ratio:g}"
            )
        yield from (f"  note: {note}" for note in self.notes)


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
        MissingExtraError, ModelError: the potential cannot be loaded.
    """
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
    runs: list[Diffusion] = []
    notes: list[str] = []
    for kelvin, outcome in zip(sorted(temperatures_k), outcomes, strict=True):
        if outcome.value is None:
            notes.append(f"{kelvin:g} K: {outcome.cause}")
        else:
            runs.append(outcome.value)
    line: Extrapolation | None = None
    try:
        line = extrapolate(runs, target_k=target_k, haven_ratio=haven_ratio)
    except InputError as error:
        notes.append(str(error))
    return MotionFit(reference, tuple(runs), line, tuple(notes))


def _moved(
    kelvin: float, *, crystal: Crystal, ion: str, loading: Callable[[], Potential], settings: MotionSettings
) -> Diffusion:
    return move(crystal, ion, kelvin, loading(), settings)


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }
