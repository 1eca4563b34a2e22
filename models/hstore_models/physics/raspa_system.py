"""A framework with hydrogen as RASPA (raspalib) wants it, and one walk of its Monte Carlo.

RASPA: Dubbeldam et al., doi 10.1080/08927022.2015.1010082; version 3: Ran et al., doi 10.1063/5.0226249.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import MissingExtraError, unknown_name
from hstore.gas import h2_fugacity_bar
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal
    from hstore_models.physics.compiled_walk import CompiledWalk
    from hstore_models.physics.force_field import ForceField

SAMPLE_EVERY = 5
"""Cycles between two samples; a cycle is as many moves as there are molecules, at least 20."""
_K_PER_ENERGY = 10.0 / GAS_CONSTANT_J_PER_MOL_K
"""RASPA counts in g angstrom^2 / (mol ps^2), which is 10 J/mol, and only prints in K."""
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

SAMPLERS = ("raspa", "compiled")
"""RASPA, with several trial places for each insertion, and a compiled walk of our own with one."""
Position = tuple[float, float, float]
"""Cartesian coordinates, angstrom, in the axes of the sampler."""


@dataclass(frozen=True)
class FilledFramework:
    """A framework in a gas of hydrogen."""

    crystal: Crystal
    """Ordered framework without solvent."""
    pressure_bar: float
    """Pressure of the gas, bar, above 0."""
    temperature_k: float
    """Temperature, K, above 0."""
    field: ForceField
    """Potentials."""
    repeats: tuple[int, int, int]
    """Cells along each axis."""
    blocked: tuple[tuple[float, float, float, float], ...] = ()
    """Spheres that molecules are kept out of: fractional coordinates and radius, angstrom."""
    sampler: str = "raspa"
    """One of :data:`SAMPLERS`."""

    def __post_init__(self) -> None:
        """Refuse an unknown sampler.

        Raises:
            UnknownNameError: there is no such sampler.
        """
        if self.sampler not in SAMPLERS:
            raise unknown_name("sampler of Monte Carlo", self.sampler, SAMPLERS)

    @property
    def cells(self) -> int:
        """Cells that are simulated."""
        return math.prod(self.repeats)

    def walk(
        self, seed: int, *, grow_cycles: int = 0, start: Sequence[Position] = (), fugacity_times: float = 1.0
    ) -> Walk | CompiledWalk:
        """Begin a walk.

        Args:
            seed: seed of the random numbers.
            grow_cycles: cycles before the first sample.
            start: places of the molecules, of an earlier walk; an empty framework when there are none.
            fugacity_times: factor on the fugacity of the gas.

        Raises:
            MissingExtraError: raspalib is not installed.
            InputError: the state is outside the range of the equation of state, or an element has no parameters.
        """
        if self.sampler == "raspa":
            return Walk(self, seed, grow_cycles=grow_cycles, start=start, fugacity_times=fugacity_times)
        from hstore_models.physics.compiled_walk import CompiledWalk

        return CompiledWalk(self, seed, grow_cycles=grow_cycles, start=start, fugacity_times=fugacity_times)


class Walk:
    """One Monte Carlo run of RASPA under way: what it counted so far."""

    def __init__(
        self,
        filled: FilledFramework,
        seed: int,
        *,
        grow_cycles: int = 0,
        start: Sequence[Position] = (),
        fugacity_times: float = 1.0,
    ) -> None:
        """Take molecules in and grow what there is to grow; arguments as of :meth:`FilledFramework.walk`."""
        system = _system(filled, start, fugacity_times)
        self._carlo = raspa().MonteCarlo(1, grow_cycles, systems=[system], random_seed=seed)
        self._carlo.setup()
        self._carlo.initialize()
        self.cycles = 0
        """Cycles after the growth."""
        self._numbers: list[float] = []
        self._energies_k: list[float] = []

    def go_on(self, cycles: int) -> None:
        """Do so many more cycles, and sample each fifth."""
        for _ in range(cycles):
            self._carlo.cycle()
            self.cycles += 1
            if self.cycles % SAMPLE_EVERY == 0:
                energy = float(self._carlo.systems[0].compute_total_energies().potential_energy())
                self._numbers.append(float(self.molecules))
                self._energies_k.append(_K_PER_ENERGY * energy)

    @property
    def molecules(self) -> int:
        """Molecules in all cells now."""
        return int(self._carlo.systems[0].number_of_molecules_per_component[0])

    @property
    def places(self) -> list[Position]:
        """Where they are."""
        atoms = self._carlo.systems[0].atom_data
        return [tuple(atom.position) for atom in atoms[len(atoms) - self.molecules :]]

    @property
    def numbers(self) -> FloatArray:
        """Molecules in all cells, shape (samples,)."""
        return np.array(self._numbers)

    @property
    def energies_k(self) -> FloatArray:
        """Energies over Boltzmann's constant, K, shape (samples,)."""
        return np.array(self._energies_k)


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


def _system(filled: FilledFramework, start: Sequence[Position], fugacity_times: float) -> Any:
    library, crystal, temperature = raspa(), filled.crystal, filled.temperature_k
    potentials = _potentials(library, crystal, filled.field, temperature)
    fugacity = fugacity_times * float(h2_fugacity_bar(filled.pressure_bar, temperature))
    hydrogen = library.Component(
        potentials,
        "hydrogen",
        *_CRITICAL,
        [library.Atom((0.0, 0.0, 0.0), 0.0, 1.0, 0, 0, 0, 0, _WHOLE)],
        particle_probabilities=library.MCMoveProbabilities(**_WEIGHTS),
        fugacity_coefficient=fugacity / filled.pressure_bar,
        blocking_pockets=[*filled.blocked, *_cores(crystal, filled.field, temperature)],
    )
    return library.System(
        potentials,
        external_temperature=temperature,
        external_pressure=filled.pressure_bar * 1e5,
        framework_components=_framework(library, potentials, crystal, filled.repeats),
        components=[hydrogen],
        initial_positions=[list(start)],
        # molecules beyond those at the given places; raspalib 3.1 ends the process when it is left out
        initial_number_of_molecules=[0],
    )


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
