"""Grand-canonical Monte Carlo of hydrogen in a rigid framework, by RASPA (raspalib), until the error is small.

Molecules are put in, taken out and moved at given temperature and fugacity; the mean number in the cell is the
total uptake. The run goes on in pieces until the number is known to an error target, or until a limit of cycles
that makes it a result that says it did not converge. Pores that fill slowly are simulated twice, from an empty
and from an overfull framework, and the two must meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import checked
from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.raspa_system import SAMPLE_EVERY, FilledFramework
from hstore_models.physics.series import LEAST_SAMPLES, Average, average, block_error, relative_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal
    from hstore_models.physics.compiled_walk import CompiledWalk
    from hstore_models.physics.raspa_system import Position, Walk

MOST_ATOMS = 40_000
"""Atoms of the repeated cell that are still simulated."""
_PIECE_CYCLES = 300
"""Cycles between two looks at the error."""
_GROWTH_CYCLES = 100
"""Cycles before the first sample; what else is not settled is left out by looking at the samples."""
_HEAT_BLOCKS = 5
_LEAST_EFFECTIVE = 15.0
"""Independent samples below which an error is not believed."""
_OVERFILL_TIMES = 20.0
"""Factor on the fugacity, 3 kT, that fills a framework beyond what it holds."""
_OVERFILL_CYCLES = 300
_OVERFULL = 1.1
"""Molecules over those of the settled run at which a framework counts as overfull, and filling ends. Pores that
are full to the brim take no more; they then begin as full as they can be."""


@dataclass(frozen=True)
class Effort:
    """How well the uptake is to be known, and what may be spent on it."""

    error: float = 0.02
    """Half-width of the 95 % interval of the number of molecules, as a share of it, above 0."""
    least_molecules: float = 0.5
    """An uptake below this number in the repeated cell needs no smaller error than ``error`` times this."""
    exchanges: float = 2.0
    """How often the molecules must have been exchanged with the gas, at least: a pore that fills slowly looks
    settled long before it is."""
    sure_exchanges: float = 10.0
    """How often they must have been exchanged for one start to be believed; a run that met its error target with
    fewer is repeated from an overfull framework. 0 always believes one start."""
    most_cycles: int = 20_000
    """Cycles of one start after which the result is given as not converged."""
    seed: int = 0
    """Seed of the random numbers."""

    def __post_init__(self) -> None:
        """Refuse targets that nothing meets."""
        checked("error target of the Monte Carlo", self.error, above=0, high=1)
        checked("least_molecules", self.least_molecules, low=0)
        checked("exchanges", self.exchanges, low=0)
        checked("sure_exchanges", self.sure_exchanges, low=0)
        if self.most_cycles < 1:
            raise InputError(f"most_cycles must be at least 1, got {self.most_cycles}; 20000 is the default")


@dataclass(frozen=True)
class Loading:
    """What a simulation of one state says, for one cell of the crystal as given."""

    molecules: float
    """Mean number of molecules in one cell."""
    error_95: float
    """Half-width of its 95 % interval; infinite where it cannot be told."""
    heat_kj_per_mol: float
    """Isosteric heat of adsorption from fluctuations, kJ/mol, positive; NaN where it cannot be told."""
    heat_error_95: float
    """Half-width of its 95 % interval, kJ/mol."""
    cycles: int
    """Cycles done after the growth, of all starts."""
    settled_after: int
    """Cycles left out of the mean because the number had not settled, of all starts."""
    repeats: tuple[int, int, int]
    """Cells simulated along each axis."""
    starts: int = 1
    """1, from an empty framework; 2, from an empty and from an overfull one."""
    cause: str = ""
    """Why it is not to be trusted; empty when it converged."""

    @property
    def converged(self) -> bool:
        """Whether the error met its target."""
        return not self.cause


def cells_needed(lattice_angstrom: FloatArray, cutoff_angstrom: float) -> tuple[int, int, int]:
    """Return how often a cell is repeated so that each height is at least twice the cut-off.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        cutoff_angstrom: cut-off, angstrom.
    """
    volume = abs(float(np.linalg.det(lattice_angstrom)))
    faces = [np.cross(lattice_angstrom[(i + 1) % 3], lattice_angstrom[(i + 2) % 3]) for i in range(3)]
    first, second, third = (
        max(1, math.ceil(2 * cutoff_angstrom * float(np.linalg.norm(face)) / volume - 1e-9)) for face in faces
    )
    return first, second, third


def simulate(
    crystal: Crystal,
    *,
    pressure_bar: float,
    temperature_k: float,
    force_field: ForceField | None = None,
    effort: Effort | None = None,
    blocked: Sequence[tuple[float, float, float, float]] = (),
    sampler: str = "raspa",
) -> Loading:
    """Simulate one state of hydrogen in a framework.

    Args:
        crystal: ordered framework without solvent.
        pressure_bar: pressure of the gas, bar, above 0.
        temperature_k: temperature, K, above 0.
        force_field: potentials; the default when None.
        effort: error target and limits; the default ones when None.
        blocked: spheres that molecules are kept out of: fractional coordinates and radius, angstrom.
        sampler: ``raspa``, or ``compiled`` for a walk of our own that does not need raspalib.

    Raises:
        MissingExtraError: raspalib is not installed.
        UnknownNameError: there is no such sampler.
        InputError: a state is outside the range of the equation of state, the cell is too large, or an element
            has no parameters.
    """
    checked("pressure_bar", pressure_bar, above=0)
    field, spend = force_field or ForceField(), effort or Effort()
    repeats = cells_needed(crystal.lattice_angstrom, field.cutoff_angstrom)
    atoms = len(crystal) * math.prod(repeats)
    if atoms > MOST_ATOMS:
        raise InputError(
            f"{crystal.formula} needs {' x '.join(map(str, repeats))} cells, {atoms} atoms, for a cut-off of "
            f"{field.cutoff_angstrom:g} A; at most {MOST_ATOMS} are simulated: give the primitive cell"
        )
    filled = FilledFramework(crystal, pressure_bar, temperature_k, field, repeats, tuple(blocked), sampler)
    return _until_known(filled, spend)


def _until_known(filled: FilledFramework, effort: Effort) -> Loading:
    """Go on until the error is small enough or the limit is reached; start twice where the first start is slow."""
    empty = _Start(filled, filled.walk(effort.seed, grow_cycles=_GROWTH_CYCLES), effort)
    while empty.may_go_on and empty.cause:
        empty.go_on()
    seen = empty.seen
    if empty.cause or seen.mean == 0.0 or empty.exchanged >= effort.sure_exchanges:
        return _loading(filled, [empty], empty.cause)
    places = _overfull_places(filled, empty.walk, seen.mean, effort.seed + 1)
    full = _Start(filled, filled.walk(effort.seed + 2, start=places), effort)
    while full.may_go_on and full.cause:
        full.go_on()
    starts = [empty, full]
    while (apart := _why_apart(starts, effort)) and any(start.may_go_on for start in starts):
        max((s for s in starts if s.may_go_on), key=lambda start: start.seen.error_95).go_on()
    return _loading(filled, starts, full.cause or empty.cause or apart)


def _overfull_places(filled: FilledFramework, walk: Walk | CompiledWalk, mean: float, seed: int) -> list[Position]:
    """Return where molecules are after a time at a fugacity that puts in more than the framework holds."""
    filling = filled.walk(seed, start=walk.places, fugacity_times=_OVERFILL_TIMES)
    for _ in range(_OVERFILL_CYCLES // SAMPLE_EVERY):
        if filling.molecules >= _OVERFULL * mean:
            break
        filling.go_on(SAMPLE_EVERY)
    return filling.places


class _Start:
    """A walk from one start, and what it says so far."""

    def __init__(self, filled: FilledFramework, walk: Walk | CompiledWalk, effort: Effort) -> None:
        self.walk = walk
        self._temperature_k = filled.temperature_k
        self._effort = effort
        self.go_on()

    def go_on(self) -> None:
        """Do one more piece and judge."""
        self.walk.go_on(_PIECE_CYCLES)
        numbers = self.walk.numbers
        self.seen: Average = average(numbers)
        self.settled: FloatArray = numbers[self.seen.start :]
        self.cause: str = self._why_not()

    @property
    def may_go_on(self) -> bool:
        """Whether the limit of cycles is not reached."""
        return self.walk.cycles < self._effort.most_cycles

    @property
    def exchanged(self) -> float:
        """How often the molecules were exchanged since the number settled."""
        return float(np.abs(np.diff(self.settled)).sum()) / self.seen.mean

    def heat(self) -> tuple[float, float]:
        """Isosteric heat and the half-width of its 95 % interval, kJ/mol."""
        return _heat(self.settled, self.walk.energies_k[self.seen.start :], self._temperature_k)

    def _why_not(self) -> str:
        """Say why the mean is not to be trusted; nothing where it is."""
        seen, effort = self.seen, self._effort
        if seen.mean == 0.0 and len(self.settled) >= LEAST_SAMPLES:
            return ""  # nothing came in all the time: a framework without room
        if reason := _why_wide(seen.mean, seen.error_95, effort):
            pass
        elif seen.effective < _LEAST_EFFECTIVE:
            reason = (
                f"the samples are worth {seen.effective:.1f} independent ones, and {_LEAST_EFFECTIVE:g} are needed"
            )
        elif self.exchanged < effort.exchanges:
            reason = (
                f"the molecules were exchanged {self.exchanged:.2g} times, and {effort.exchanges:g} are needed"
            )
        elif abs(drift := relative_drift(self.settled)) > effort.error:
            reason = f"the uptake still changes by {100 * drift:.2g} % from the first to the last third"
        return _not_converged(self.walk.cycles, reason)


def _why_wide(mean: float, error_95: float, effort: Effort) -> str:
    """Say that an error misses its target; nothing where it does not."""
    if error_95 <= effort.error * max(mean, effort.least_molecules):
        return ""
    share = f"{100 * error_95 / mean:.2g} %" if math.isfinite(error_95) else "not known"
    return f"the 95 % error is {share} of the uptake, and {100 * effort.error:g} % was asked for"


def _not_converged(cycles: int, reason: str) -> str:
    if not reason:
        return ""
    return f"not converged after {cycles} cycles: {reason}; allow more cycles or a larger error"


def _mean_of(starts: Sequence[_Start]) -> tuple[float, float]:
    """Return the mean over starts and its error: that of the sampling, and half of what lies between them."""
    means = [start.seen.mean for start in starts]
    sampling = math.hypot(*(start.seen.error_95 for start in starts)) / len(starts)
    return sum(means) / len(means), math.hypot(sampling, (max(means) - min(means)) / 2)


def _why_apart(starts: Sequence[_Start], effort: Effort) -> str:
    """Say that two starts do not meet within the error target; nothing where they do."""
    mean, error_95 = _mean_of(starts)
    if not (reason := _why_wide(mean, error_95, effort)):
        return ""
    empty, full = (start.seen.mean for start in starts)
    apart = f"the means from an empty and an overfull start differ by {100 * (full - empty) / mean:.2g} %, and "
    return _not_converged(sum(start.walk.cycles for start in starts), apart + reason)


def _loading(filled: FilledFramework, starts: Sequence[_Start], cause: str) -> Loading:
    mean, error_95 = _mean_of(starts)
    heats, heat_errors = zip(*(start.heat() for start in starts), strict=True)
    return Loading(
        molecules=mean / filled.cells,
        error_95=error_95 / filled.cells,
        heat_kj_per_mol=float(np.mean(heats)),
        heat_error_95=math.hypot(*heat_errors) / len(starts),
        cycles=sum(start.walk.cycles for start in starts),
        settled_after=sum(start.seen.start for start in starts) * SAMPLE_EVERY,
        repeats=filled.repeats,
        starts=len(starts),
        cause=cause,
    )


def _heat(numbers: FloatArray, energies_k: FloatArray, temperature_k: float) -> tuple[float, float]:
    """Isosteric heat RT - (<UN> - <U><N>)/(<N^2> - <N>^2), kJ/mol, and its error from blocks."""

    def of(n: FloatArray, u: FloatArray) -> float:
        spread = float(np.mean((n - n.mean()) ** 2))
        if spread == 0.0:
            return math.nan
        slope = float(np.mean((n - n.mean()) * (u - u.mean()))) / spread
        return 1e-3 * GAS_CONSTANT_J_PER_MOL_K * (temperature_k - slope)

    if len(numbers) < LEAST_SAMPLES:
        return math.nan, math.inf
    blocks = [
        of(n, u)
        for n, u in zip(
            np.array_split(numbers, _HEAT_BLOCKS), np.array_split(energies_k, _HEAT_BLOCKS), strict=True
        )
    ]
    return of(numbers, energies_k), block_error(np.array(blocks))
