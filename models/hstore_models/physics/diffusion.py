"""Diffusion of an ion from molecular dynamics with a potential, and what follows for its conductivity.

A supercell is heated and moves at constant volume and temperature (stochastic velocity rescaling: Bussi, Donadio
and Parrinello 2007, doi 10.1063/1.2408420). The tracer diffusion coefficient and its distribution come from the
mean squared displacement by kinisi, which knows how its points correlate (McCluskey, Coles and Morgan 2025, doi
10.1021/acs.jctc.4c01249). Arrhenius' line through several temperatures is drawn for each sample of the
distributions. The conductivity is that of Nernst and Einstein, with the Haven ratio as a stated assumption.
Simulations are hot, short and of a perfect crystal: extrapolating to room temperature assumes that nothing changes
on the way.
"""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore.units import BOLTZMANN_EV_PER_K
from hstore_models.calibration import COVERAGE
from hstore_models.physics.barriers import element_of_ion
from hstore_models.physics.migration import repeats
from hstore_models.physics.window import CHARGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.physics.potential import Potential

HAVEN_RATIO = 1.0
"""Haven ratio unless stated: ions that move independently. Concerted motion has 0.3 to 0.6."""
TARGET_K = 300.0
"""Temperature that is extrapolated to, K."""

_ELECTRON_C = 1.602176634e-19
"""Charge of an electron, C: exact in the SI of 2019."""
_ANGSTROM3_PER_CM3 = 1e24
_MOVED_ANGSTROM2 = 4.0
"""Mean squared displacement below which ions have hardly left their sites."""
_SAMPLES = 1000
_FRAMES = 1000
_INTERVALS = 60
"""Times over which displacements are averaged; the time to analyse them grows with the square of their number."""


@dataclass(frozen=True)
class MotionSettings:
    """How the ions are followed."""

    picoseconds: float = 20.0
    """Length of the run that counts, ps."""
    equilibrate_ps: float = 1.0
    """Time before it, ps."""
    step_fs: float = 2.0
    """Time step, fs; 1 fs at most with hydrogen."""
    least_edge_angstrom: float = 9.0
    """Thickness of the supercell at least, angstrom."""
    atoms: int = 300
    """Atoms of the supercell at most."""
    seconds: float = 3600.0
    """Wall time of one temperature at most, s; a run that ends there counts as far as it came."""
    seed: int = 0
    """Seed of velocities, thermostat and samples."""

    def __post_init__(self) -> None:
        """Refuse runs that could not be analysed."""
        if min(self.picoseconds, self.step_fs, self.least_edge_angstrom, self.atoms, self.seconds) <= 0:
            raise InputError(f"all settings of a run must be above 0, got {self}")
        if self.picoseconds < 200 * self.step_fs / 1000:
            raise InputError(
                f"a run of {self.picoseconds:g} ps has fewer than 200 steps of {self.step_fs:g} fs; make it longer"
            )


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Frames of a run."""

    fractional: FloatArray
    """Fractional coordinates, shape ``(frames, atoms, 3)``."""
    lattice_angstrom: FloatArray
    """Cell vectors in rows, shape (3, 3), angstrom."""
    numbers: IntArray
    """Atomic numbers, shape ``(atoms,)``."""
    frame_ps: float
    """Time between frames, ps."""


@dataclass(frozen=True)
class Diffusion:
    """Diffusion at one temperature."""

    formula: str
    """Content of the supercell."""
    ion: str
    """Element that diffuses."""
    potential: str
    """Key of the potential."""
    temperature_k: float
    """Temperature of the thermostat, K."""
    mean_temperature_k: float
    """Mean of the run, K."""
    picoseconds: float
    """Length of the run, ps."""
    msd_angstrom2: float
    """Mean squared displacement over half the run, angstrom^2."""
    ions_per_angstrom3: float
    """Diffusing ions in a volume, 1/angstrom^3."""
    d_cm2_per_s: tuple[float, ...]
    """Samples of the tracer diffusion coefficient, cm2/s; empty where there is none."""
    seconds: float
    """Wall time, s."""
    cause: str = ""
    """Why there is no coefficient, or what speaks against it."""

    @property
    def median_cm2_per_s(self) -> float | None:
        """Median, cm2/s."""
        return float(np.median(self.d_cm2_per_s)) if self.d_cm2_per_s else None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, without the samples; numbers that are none become null."""
        told = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
            if name != "d_cm2_per_s"
        }
        interval = None if not self.d_cm2_per_s else list(_interval(np.asarray(self.d_cm2_per_s)))
        return told | {"d_cm2_per_s": self.median_cm2_per_s, "d_interval_cm2_per_s": interval}


@dataclass(frozen=True)
class Extrapolation:
    """Arrhenius' line through several temperatures."""

    activation_energy_ev: float
    """Median, eV."""
    activation_energy_interval_ev: tuple[float, float]
    """90 % interval, eV."""
    target_k: float
    """Temperature extrapolated to, K."""
    d_cm2_per_s: float
    """Median diffusion coefficient there, cm2/s."""
    d_interval_cm2_per_s: tuple[float, float]
    """90 % interval, cm2/s."""
    conductivity_s_per_cm: float
    """Conductivity there, S/cm, by Nernst and Einstein."""
    conductivity_interval_s_per_cm: tuple[float, float]
    """90 % interval, S/cm; that of the Haven ratio comes on top."""
    haven_ratio: float
    """Haven ratio that is assumed."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {"coverage": COVERAGE}


def move(crystal: Crystal, ion: str, temperature_k: float, potential: Potential, how: MotionSettings) -> Diffusion:
    """Follow the ions at one temperature and work out how they diffuse.

    Args:
        crystal: relaxed crystal.
        ion: the mobile ion, such as Li.
        temperature_k: temperature, K.
        potential: what computes energies and forces.
        how: length of the run, supercell and limits.

    Returns:
        The diffusion; with a cause where the run failed or the ions hardly moved.

    Raises:
        InputError: the crystal does not hold the ion, the supercell is too large, or the temperature not above 0.
        MissingExtraError: kinisi is not installed.
    """
    require_kinisi()
    element = element_of_ion(ion)
    if element not in crystal.symbols:
        raise InputError(f"{crystal.formula} holds no {element}; ask for an ion that it holds")
    if not temperature_k > 0:
        raise InputError(f"the temperature must be above 0 K, got {temperature_k:g}")
    began = time.monotonic()
    atoms = _supercell(crystal, how)
    movers = np.flatnonzero([symbol == element for symbol in atoms.get_chemical_symbols()])
    formula, volume = atoms.get_chemical_formula(), float(atoms.get_volume())
    samples: tuple[float, ...] = ()
    msd = mean = lasted = math.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and of the calculators, once for each step
            run, mean, cause = _run(atoms, temperature_k, potential, how)
        lasted = run.frame_ps * (len(run.fractional) - 1)
        msd = mean_squared_displacement(run, movers)
        if not cause:
            samples = diffusion_samples(run, element, seed=how.seed)
            if msd < _MOVED_ANGSTROM2:
                cause = f"the ions moved {math.sqrt(msd):.1f} angstrom only; heat more or run longer"
    except (ValueError, RuntimeError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
        # potentials outside their training fail in many ways; all of them are this run's cause
        cause = f"the run failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Diffusion(
        formula=formula,
        ion=element,
        potential=potential.key,
        temperature_k=temperature_k,
        mean_temperature_k=mean,
        picoseconds=lasted,
        msd_angstrom2=msd,
        ions_per_angstrom3=len(movers) / volume,
        d_cm2_per_s=samples,
        seconds=time.monotonic() - began,
        cause=cause,
    )


def mean_squared_displacement(run: Trajectory, movers: IntArray) -> float:
    """Return the mean squared displacement over half the run, angstrom^2, without the drift of the other atoms."""
    path = _unwrapped(run)
    others = np.setdiff1d(np.arange(path.shape[1]), movers)
    if len(others):
        path = path - path[:, others].mean(axis=1, keepdims=True)
    half = len(path) // 2
    steps = path[half:, movers] - path[: len(path) - half, movers]
    return float(np.mean(np.sum(steps**2, axis=-1)))


def diffusion_samples(run: Trajectory, element: str, *, seed: int) -> tuple[float, ...]:
    """Return samples of the tracer diffusion coefficient of an element, cm2/s.

    The first tenth of the longest time, in which ions rattle about their sites, is left out.

    Raises:
        MissingExtraError: kinisi is not installed.
    """
    from ase import Atoms

    analyzer, scipp = _kinisi()
    frames = [
        Atoms(numbers=run.numbers, scaled_positions=places, cell=run.lattice_angstrom, pbc=True)
        for places in run.fractional % 1.0
    ]
    steps = np.unique(np.linspace(1, len(frames) - 1, _INTERVALS).round()).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = analyzer.from_ase(
            trajectory=frames,
            specie=element,
            time_step=scipp.scalar(run.frame_ps, unit="ps"),
            step_skip=scipp.scalar(1, unit="dimensionless"),
            dt=scipp.array(dims=["time interval"], values=steps * run.frame_ps, unit="ps"),
            progress=False,
        )
        first = scipp.scalar(0.1 * run.frame_ps * (len(frames) - 1), unit="ps")
        with _seeded(seed) as state:
            found.diffusion(first, progress=False, random_state=state, n_samples=_SAMPLES)
        values = scipp.to_unit(found.D, "cm^2/s").values
    return tuple(np.asarray(values, dtype=float).ravel()[:: max(1, np.size(values) // _SAMPLES)].tolist())


def extrapolate(
    found: Sequence[Diffusion], *, target_k: float = TARGET_K, haven_ratio: float = HAVEN_RATIO
) -> Extrapolation:
    """Draw Arrhenius' line through diffusion coefficients and follow it to another temperature.

    Scatter about the line beyond what the distributions say widens the intervals.

    Args:
        found: runs of one structure with one potential; those with a cause are left out.
        target_k: temperature to extrapolate to, K.
        haven_ratio: tracer over charge diffusion coefficient, above 0.

    Raises:
        InputError: fewer than two temperatures are left, potentials are mixed, the ion has no one charge, or a
            number is not above 0.
    """
    if not (target_k > 0 and haven_ratio > 0):
        raise InputError(f"temperature and Haven ratio must be above 0, got {target_k:g} and {haven_ratio:g}")
    sound = [one for one in found if one.d_cm2_per_s and not one.cause]
    temperatures = {one.temperature_k for one in sound}
    if len(temperatures) < 2:
        raise InputError(
            f"a line needs diffusion at two temperatures at least, got {len(temperatures)}; run at more, or longer"
        )
    if len({(one.potential, one.ion) for one in sound}) > 1:
        raise InputError("a line goes through runs of one ion with one potential, got several")
    ion = sound[0].ion
    if ion not in CHARGES:
        raise InputError(f"the conductivity needs an ion of one charge: {', '.join(CHARGES)}; got {ion}")
    inverse = np.array([1.0 / one.temperature_k for one in sound])
    count = min(len(one.d_cm2_per_s) for one in sound)
    logs = np.log(np.maximum([one.d_cm2_per_s[:count] for one in sound], 1e-12))
    weights = 1.0 / np.maximum(logs.std(axis=1), 1e-3)
    design = np.column_stack([np.ones_like(inverse), inverse])
    solve = np.linalg.pinv(design * weights[:, None]) * weights
    middle = solve @ np.median(logs, axis=1)
    lines = solve @ logs
    freedom = len(sound) - 2
    if freedom:
        miss = (np.median(logs, axis=1) - design @ middle) * weights
        lines = middle[:, None] + (lines - middle[:, None]) * max(1.0, math.sqrt(float(miss @ miss) / freedom))
    energies = -lines[1] * BOLTZMANN_EV_PER_K
    there = np.exp(lines[0] + lines[1] / target_k)
    factor = nernst_einstein(1.0, sound[0].ions_per_angstrom3, CHARGES[ion], target_k) / haven_ratio
    return Extrapolation(
        activation_energy_ev=float(np.median(energies)),
        activation_energy_interval_ev=_interval(energies),
        target_k=target_k,
        d_cm2_per_s=float(np.median(there)),
        d_interval_cm2_per_s=_interval(there),
        conductivity_s_per_cm=factor * float(np.median(there)),
        conductivity_interval_s_per_cm=_interval(factor * there),
        haven_ratio=haven_ratio,
    )


def nernst_einstein(d_cm2_per_s: float, ions_per_angstrom3: float, charge: int, temperature_k: float) -> float:
    """Return the conductivity of ions that move independently, S/cm.

    Args:
        d_cm2_per_s: diffusion coefficient, cm2/s.
        ions_per_angstrom3: ions in a volume, 1/angstrom^3.
        charge: of an ion, in electron charges.
        temperature_k: temperature, K.
    """
    density = ions_per_angstrom3 * _ANGSTROM3_PER_CM3
    return density * charge**2 * _ELECTRON_C * d_cm2_per_s / (BOLTZMANN_EV_PER_K * temperature_k)


@contextmanager
def _seeded(seed: int) -> Iterator[Any]:
    """Seed numpy's global state, which the samples of emcee follow, and give it back."""
    before = np.random.get_state()  # noqa: NPY002 - the library uses no other
    try:
        np.random.seed(seed)  # noqa: NPY002 - the library follows the global state alone
        yield np.random.RandomState(seed)
    finally:
        np.random.set_state(before)  # noqa: NPY002 - given back as it was


def require_kinisi() -> None:
    """See that kinisi is there, before anything expensive starts.

    Raises:
        MissingExtraError: it is not installed.
    """
    _kinisi()


def _kinisi() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scipp, kinisi = import_module("scipp"), import_module("kinisi.analyze")  # the lock has neither
    except ImportError as error:
        raise MissingExtraError(
            "diffusion coefficients need kinisi, which is not installed; run: pip install 'hstore[mlip]'"
        ) from error
    return kinisi.DiffusionAnalyzer, scipp


def _supercell(crystal: Crystal, how: MotionSettings) -> Any:
    from ase import Atoms

    lattice = np.asarray(crystal.lattice_angstrom)
    counts = repeats(lattice, how.least_edge_angstrom)
    size = len(crystal) * int(np.prod(counts))
    if size > how.atoms:
        raise InputError(
            f"the supercell of {crystal.formula} would have {size} atoms, at most {how.atoms} are allowed; "
            "allow a thinner one or more atoms"
        )
    if "H" in crystal.symbols and how.step_fs > 1.0:
        raise InputError(f"hydrogen needs time steps of 1 fs at most, got {how.step_fs:g}")
    return Atoms(numbers=crystal.numbers, positions=crystal.cartesian_angstrom, cell=lattice, pbc=True).repeat(
        counts
    )


def _run(
    atoms: Any, temperature_k: float, potential: Potential, how: MotionSettings
) -> tuple[Trajectory, float, str]:
    """Return the frames, the mean temperature and why the run broke."""
    from ase import units
    from ase.md.bussi import Bussi
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    generator = np.random.default_rng(how.seed)
    atoms.calc = potential.calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature_k, rng=generator)
    Stationary(atoms)
    dynamics = Bussi(
        atoms, how.step_fs * units.fs, temperature_K=temperature_k, taut=100.0 * units.fs, rng=generator
    )
    began = time.monotonic()
    dynamics.run(max(1, round(1000.0 * how.equilibrate_ps / how.step_fs)))
    steps = round(1000.0 * how.picoseconds / how.step_fs)
    every = max(1, steps // _FRAMES)
    frames, temperatures = [atoms.get_scaled_positions(wrap=False)], []
    cause = ""
    for _ in range(steps // every):
        dynamics.run(every)
        kelvin = float(atoms.get_temperature())
        if not (math.isfinite(kelvin) and kelvin < 5.0 * temperature_k):
            cause = f"the run exploded ({kelvin:.0f} K): the potential or the time step does not hold here"
            break
        temperatures.append(kelvin)
        frames.append(atoms.get_scaled_positions(wrap=False))
        if time.monotonic() - began > how.seconds:
            if len(frames) < _FRAMES // 5:
                cause = f"only {len(frames) * every * how.step_fs / 1000:.2f} ps were done in {how.seconds:g} s"
            break
    run = Trajectory(np.array(frames), atoms.cell.array.copy(), atoms.numbers.copy(), every * how.step_fs / 1000)
    return run, float(np.mean(temperatures)) if temperatures else math.nan, cause


def _unwrapped(run: Trajectory) -> FloatArray:
    """Return Cartesian positions without jumps across the cell, angstrom, shape ``(frames, atoms, 3)``."""
    steps = np.diff(run.fractional, axis=0)
    steps -= np.round(steps)
    path = np.concatenate([run.fractional[:1], run.fractional[:1] + np.cumsum(steps, axis=0)])
    return np.asarray(path @ run.lattice_angstrom)


def _interval(values: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
    return float(low), float(high)
