"""Grand-canonical Monte Carlo of hydrogen in a rigid framework, by RASPA (raspalib), until the error is small.

Molecules are put in, taken out and moved at given temperature and fugacity; the mean number in the cell is the
total uptake. The run goes on in pieces until the number is known to an error target, or until a limit of cycles
that makes it a result that says it did not converge.

RASPA: Dubbeldam et al., doi 10.1080/08927022.2015.1010082; version 3: Ran et al., doi 10.1063/5.0226249.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.arrays import checked
from hstore.errors import InputError, MissingExtraError
from hstore.gas import h2_fugacity_bar
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.series import LEAST_SAMPLES, Average, average, block_error, relative_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal

MOST_ATOMS = 40_000
"""Atoms of the repeated cell that are still simulated."""
_PIECE_CYCLES = 300
"""Cycles between two looks at the error; a cycle is as many moves as there are molecules, at least 20."""
_SAMPLE_EVERY = 5
_GROWTH_CYCLES = 100
"""Cycles before the first sample; what else is not settled is left out by looking at the samples."""
_HEAT_BLOCKS = 5
_LEAST_EFFECTIVE = 15.0
"""Independent samples below which an error is not believed."""
_CRITICAL = (33.145, 1.2964e6, -0.219)
"""Critical temperature, K, and pressure, Pa, and acentric factor of hydrogen (doi 10.1063/1.3160306): asked for by
RASPA, and without effect because the fugacity is given."""
_WHOLE = False
"""No atom is a fractional one."""
_WEIGHTS = {"translation_probability": 1.0, "swap_cbmc_probability": 2.0}
"""Moves: two exchanges with the gas, each with several trial places, for each displacement."""
_CORE_ENERGY_PER_KT = 40.0
"""Where one atom alone repels a molecule by this much, RASPA is told that nothing is: it then need not compute the
energy of most trial places. In narrow pores this settled in a third of the time."""


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
    most_cycles: int = 20_000
    """Cycles after which the result is given as not converged."""
    seed: int = 0
    """Seed of the random numbers."""

    def __post_init__(self) -> None:
        """Refuse targets that nothing meets."""
        checked("error target of the Monte Carlo", self.error, above=0, high=1)
        checked("least_molecules", self.least_molecules, low=0)
        checked("exchanges", self.exchanges, low=0)
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
    """Cycles done after the first hundred."""
    settled_after: int
    """Cycles left out of the mean because the number had not settled."""
    repeats: tuple[int, int, int]
    """Cells simulated along each axis."""
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
) -> Loading:
    """Simulate one state of hydrogen in a framework.

    Args:
        crystal: ordered framework without solvent.
        pressure_bar: pressure of the gas, bar, above 0.
        temperature_k: temperature, K, above 0.
        force_field: potentials; the default when None.
        effort: error target and limits; the default when None.
        blocked: spheres that molecules are kept out of: fractional coordinates and radius, angstrom.

    Raises:
        MissingExtraError: raspalib is not installed.
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
    run = _Run(raspa(), crystal, pressure_bar, temperature_k, field, spend.seed, repeats, list(blocked))
    return run.until(spend)


def raspa() -> Any:
    """Return raspalib, loaded without what it says about graphics cards.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import raspalib
    except ImportError as error:
        raise MissingExtraError(
            "Monte Carlo of adsorption needs raspalib, which is not installed; run: pip install 'hstore[gcmc]'"
        ) from error
    return raspalib


class _Run:
    """One simulation under way."""

    def __init__(
        self,
        library: Any,
        crystal: Crystal,
        pressure_bar: float,
        temperature_k: float,
        field: ForceField,
        seed: int,
        repeats: tuple[int, int, int],
        blocked: list[tuple[float, float, float, float]],
    ) -> None:
        self._temperature_k = temperature_k
        self._repeats = repeats
        self._cells = math.prod(repeats)
        potentials = _potentials(library, crystal, field, temperature_k)
        framework = _framework(library, potentials, crystal, repeats)
        fugacity = float(h2_fugacity_bar(pressure_bar, temperature_k))
        hydrogen = library.Component(
            potentials,
            "hydrogen",
            *_CRITICAL,
            [library.Atom((0.0, 0.0, 0.0), 0.0, 1.0, 0, 0, 0, 0, _WHOLE)],
            particle_probabilities=library.MCMoveProbabilities(**_WEIGHTS),
            fugacity_coefficient=fugacity / pressure_bar,
            blocking_pockets=[*blocked, *_cores(crystal, field, temperature_k)],
        )
        system = library.System(
            potentials,
            external_temperature=temperature_k,
            external_pressure=pressure_bar * 1e5,
            framework_components=framework,
            components=[hydrogen],
            initial_number_of_molecules=[0],
        )
        self._carlo = library.MonteCarlo(
            number_of_cycles=_PIECE_CYCLES,
            number_of_initialization_cycles=_GROWTH_CYCLES,
            systems=[system],
            random_seed=seed,
        )
        self._numbers: list[float] = []
        self._energies_k: list[float] = []

    def until(self, effort: Effort) -> Loading:
        """Go on until the error is small enough or the limit is reached."""
        self._carlo.setup()
        self._carlo.initialize()
        cycles = 0
        while True:
            for number in range(_PIECE_CYCLES):
                self._carlo.cycle()
                if number % _SAMPLE_EVERY == 0:
                    self._sample()
            cycles += _PIECE_CYCLES
            found = self._judge(cycles, effort)
            if found.converged or cycles >= effort.most_cycles:
                return found

    def _sample(self) -> None:
        system = self._carlo.systems[0]
        self._numbers.append(float(system.number_of_molecules_per_component[0]))
        self._energies_k.append(float(system.compute_total_energies().potential_energy()))

    def _judge(self, cycles: int, effort: Effort) -> Loading:
        numbers, energies = np.array(self._numbers), np.array(self._energies_k)
        seen = average(numbers)
        heat, heat_error = _heat(numbers[seen.start :], energies[seen.start :], self._temperature_k)
        return Loading(
            molecules=seen.mean / self._cells,
            error_95=seen.error_95 / self._cells,
            heat_kj_per_mol=heat,
            heat_error_95=heat_error,
            cycles=cycles,
            settled_after=seen.start * _SAMPLE_EVERY,
            repeats=self._repeats,
            cause=_why_not(seen, numbers[seen.start :], cycles, effort),
        )


def _why_not(seen: Average, settled: FloatArray, cycles: int, effort: Effort) -> str:
    """Say why a mean is not to be trusted; nothing where it is."""
    if seen.mean == 0.0 and len(settled) >= LEAST_SAMPLES:
        return ""  # nothing came in all the time: a framework without room
    allowed = effort.error * max(seen.mean, effort.least_molecules)
    if not seen.error_95 <= allowed:
        share = f"{100 * seen.error_95 / seen.mean:.2g} %" if math.isfinite(seen.error_95) else "not known"
        reason = f"the 95 % error is {share} of the uptake, and {100 * effort.error:g} % was asked for"
    elif seen.effective < _LEAST_EFFECTIVE:
        reason = (
            f"the samples are worth {seen.effective:.1f} independent ones, and {_LEAST_EFFECTIVE:g} are needed"
        )
    elif (exchanged := float(np.abs(np.diff(settled)).sum()) / seen.mean) < effort.exchanges:
        reason = f"the molecules were exchanged {exchanged:.2g} times, and {effort.exchanges:g} are needed"
    elif abs(drift := relative_drift(settled)) > effort.error:
        reason = f"the uptake still changes by {100 * drift:.2g} % from the first to the last third"
    else:
        return ""
    return f"not converged after {cycles} cycles: {reason}; allow more cycles or a larger error"


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


def _potentials(library: Any, crystal: Crystal, field: ForceField, temperature_k: float) -> Any:
    """RASPA's force field whose combination rule gives exactly the pairs that are wanted.

    Atoms of the rigid framework meet hydrogen only, so a self-potential is free to be what makes the pair right.
    """
    gas = field.gas_pair(temperature_k)
    atoms = [library.PseudoAtom("H2", framework_type=False, mass=H2_MOLAR_MASS_G_PER_MOL, charge=0.0)]
    parameters = [library.VDWParameters(gas.depth_k, gas.sigma_angstrom)]
    for symbol, pair in field.framework_pairs(set(crystal.symbols), temperature_k).items():
        atoms.append(library.PseudoAtom(f"framework-{symbol}", framework_type=True, mass=1.0, charge=0.0))
        depth = pair.depth_k**2 / gas.depth_k
        parameters.append(library.VDWParameters(depth, 2 * pair.sigma_angstrom - gas.sigma_angstrom))
    cutoff = field.cutoff_angstrom
    rule = library.ForceField.MixingRule.LORENTZ_BERTHELOT
    return library.ForceField(
        atoms,
        parameters,
        rule,
        *(cutoff, cutoff, cutoff),
        shifted=False,
        tail_corrections=field.tail,
        use_charge=False,
    )


def _cores(crystal: Crystal, field: ForceField, temperature_k: float) -> list[tuple[float, float, float, float]]:
    """Return spheres around the atoms in which no molecule ever is: fractional coordinates, radius in angstrom."""
    from scipy.optimize import brentq

    radii = {
        symbol: float(
            brentq(
                lambda r, pair=pair: float(pair.energy_k(r)) - _CORE_ENERGY_PER_KT * temperature_k,
                0.1 * pair.sigma_angstrom,
                pair.sigma_angstrom,
            )
        )
        for symbol, pair in field.framework_pairs(set(crystal.symbols), temperature_k).items()
    }
    places = (crystal.fractional % 1.0).tolist()
    return [(x, y, z, radii[s]) for s, (x, y, z) in zip(crystal.symbols, places, strict=True)]


def _framework(library: Any, potentials: Any, crystal: Crystal, repeats: tuple[int, int, int]) -> Any:
    kinds = sorted(set(crystal.symbols))
    atoms = [
        library.Atom(tuple(place), 0.0, 1.0, 0, 1 + kinds.index(symbol), 0, 0, _WHOLE)
        for symbol, place in zip(crystal.symbols, (crystal.fractional % 1.0).tolist(), strict=True)
    ]
    box = library.SimulationBox(*_lengths_and_angles(crystal.lattice_angstrom))
    return library.Framework(potentials, "framework", box, 1, atoms, list(repeats))


def _lengths_and_angles(lattice: FloatArray) -> tuple[float, ...]:
    """Return lengths, angstrom, and angles alpha, beta, gamma, rad."""
    lengths = np.linalg.norm(lattice, axis=1)
    cosines = [float(lattice[i] @ lattice[j] / (lengths[i] * lengths[j])) for i, j in ((1, 2), (0, 2), (0, 1))]
    return (*(float(x) for x in lengths), *(math.acos(c) for c in cosines))
