"""Lennard-Jones force fields for hydrogen in frameworks: parameters, combination and quantum correction.

Hydrogen is one uncharged site; framework atoms take generic parameters by element. Unlike pairs combine by
Lorentz and Berthelot (mean size, geometric mean depth). Charges are left out: a single site has no quadrupole.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import checked
from hstore.errors import InputError, unknown_name
from hstore.units import AVOGADRO_PER_MOL, GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL, KJ_PER_KCAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from hstore.arrays import FloatArray

CUTOFF_ANGSTROM = 12.8
"""Distance beyond which a pair counts by the tail correction only, angstrom."""

_K_PER_KCAL_PER_MOL = 1e3 * KJ_PER_KCAL / GAS_CONSTANT_J_PER_MOL_K
_MINIMUM_PER_SIGMA = 2 ** (1 / 6)
_HBAR_J_S = 1.054571817e-34
"""Reduced Planck constant, CODATA 2018, J s."""
_SQUARE_ANGSTROM_PER_M2 = 1e20


@dataclass(frozen=True)
class LennardJones:
    """A pair potential 4 e ((s/r)^12 - (s/r)^6)."""

    depth_k: float
    """Depth of the well over Boltzmann's constant, K, above 0."""
    sigma_angstrom: float
    """Distance at which the energy is 0, angstrom, above 0."""

    def __post_init__(self) -> None:
        """Refuse what is no potential."""
        checked("depth_k", self.depth_k, above=0)
        checked("sigma_angstrom", self.sigma_angstrom, above=0)

    def energy_k(self, distance_angstrom: ArrayLike) -> FloatArray:
        """Return the energy over Boltzmann's constant, K, at distances in angstrom."""
        sixth = (self.sigma_angstrom / np.asarray(distance_angstrom, float)) ** 6
        return np.asarray(4 * self.depth_k * (sixth**2 - sixth))

    def with_other(self, other: LennardJones) -> LennardJones:
        """Return the potential between unlike sites by the rules of Lorentz and Berthelot."""
        depth = math.sqrt(self.depth_k * other.depth_k)
        return LennardJones(depth, (self.sigma_angstrom + other.sigma_angstrom) / 2)


@dataclass(frozen=True)
class HydrogenModel:
    """A single-site model of the hydrogen molecule."""

    name: str
    """Name under which it is asked for."""
    potential: LennardJones
    """Potential between two molecules."""
    source: str
    """Where the parameters come from."""
    corrected_at_k: float | None = None
    """Temperature whose Feynman-Hibbs correction the parameters hold, K; None for a model without it."""


HYDROGEN_MODELS = {
    model.name: model
    for model in (
        HydrogenModel("buch", LennardJones(34.2, 2.96), "doi 10.1063/1.466854"),
        HydrogenModel("fischer-77k", LennardJones(30.1, 3.064), "doi 10.1002/cphc.200900459", 77.0),
        HydrogenModel(
            "michels", LennardJones(36.7, 2.958), "Michels, de Graaff and Ten Seldam, Physica 26 (1960) 393"
        ),
    )
}
"""Models of hydrogen: Buch 1994, of clusters; Michels, de Graaff and Ten Seldam 1960, of the gas; and Fischer,
Hoffmann and Froba 2009, which holds the Feynman-Hibbs correction of 77 K in it ("pseudo-Feynman-Hibbs")."""

FRAMEWORK_SOURCES = {"uff": "doi 10.1021/ja00051a040", "dreiding": "doi 10.1021/j100389a010"}
"""Generic parameters of framework atoms by name. ``dreiding`` has hydrogen and the main group from boron on, and
takes metals from ``uff``, also the four that DREIDING has too (Na, Ca, Fe, Zn)."""

HELIUM = LennardJones(10.9, 2.64)
"""Helium, whose void fraction gives the pore volume of excess uptakes (Talu and Myers 2001, doi
10.1002/aic.690470521)."""


def hydrogen_model(name: str) -> HydrogenModel:
    """Return a model of hydrogen by name.

    Raises:
        UnknownNameError: there is no such model.
    """
    if name not in HYDROGEN_MODELS:
        raise unknown_name("model of hydrogen", name, HYDROGEN_MODELS)
    return HYDROGEN_MODELS[name]


def framework_potentials(elements: Iterable[str], name: str = "uff") -> dict[str, LennardJones]:
    """Return the potential between like atoms of a framework, for each element.

    Args:
        elements: symbols.
        name: one of :data:`FRAMEWORK_SOURCES`.

    Raises:
        UnknownNameError: there is no such set.
        InputError: the set has no parameters for an element.
    """
    if name not in FRAMEWORK_SOURCES:
        raise unknown_name("force field of frameworks", name, FRAMEWORK_SOURCES)
    known = _table("uff.csv") | (_table("dreiding.csv") if name == "dreiding" else {})
    wanted = set(elements)
    missing = sorted(wanted - known.keys())
    if missing:
        raise InputError(
            f"the force field {name} has no parameters for {', '.join(missing)}; it covers H to Lr: simulate a "
            "framework of these elements"
        )
    return {symbol: known[symbol] for symbol in sorted(wanted)}


@lru_cache(maxsize=4)
def _table(file: str) -> dict[str, LennardJones]:
    """Read distances of the minimum, angstrom, and depths, kcal/mol, of a table."""
    text = resources.files("hstore_models.physics").joinpath(file).read_text(encoding="utf-8")
    return {
        row["element"]: LennardJones(
            float(row["well_kcal_per_mol"]) * _K_PER_KCAL_PER_MOL,
            float(row["distance_angstrom"]) / _MINIMUM_PER_SIGMA,
        )
        for row in csv.DictReader(text.splitlines())
    }


def feynman_hibbs_square_angstrom2(temperature_k: float, reduced_mass_g_per_mol: float) -> float:
    """Return hbar^2 / (24 m k T), square angstrom: what the curvature of a potential counts for.

    Args:
        temperature_k: temperature, K, above 0.
        reduced_mass_g_per_mol: reduced mass of the pair, g/mol, above 0.
    """
    checked("temperature_k", temperature_k, above=0)
    checked("reduced_mass_g_per_mol", reduced_mass_g_per_mol, above=0)
    mass_times_energy = reduced_mass_g_per_mol * 1e-3 * GAS_CONSTANT_J_PER_MOL_K * temperature_k
    return (_HBAR_J_S * AVOGADRO_PER_MOL) ** 2 / (24 * mass_times_energy) * _SQUARE_ANGSTROM_PER_M2


@dataclass(frozen=True)
class FeynmanHibbs:
    """A pair with the quadratic correction of Feynman and Hibbs (Quantum Mechanics and Path Integrals, 1965).

    U(r) + s (U''(r) + 2 U'(r)/r) with s = hbar^2 / (24 m k T). Good where s is small beside the square of the
    width of the well: for hydrogen above about 50 K.
    """

    potential: LennardJones
    """Potential without the correction."""
    square_angstrom2: float
    """s, square angstrom, at least 0."""

    def energy_k(self, distance_angstrom: ArrayLike) -> FloatArray:
        """Return the energy over Boltzmann's constant, K, at distances in angstrom."""
        distance = np.asarray(distance_angstrom, float)
        sixth = (self.potential.sigma_angstrom / distance) ** 6
        curvature = 4 * self.potential.depth_k * (132 * sixth**2 - 30 * sixth) / distance**2
        return np.asarray(self.potential.energy_k(distance) + self.square_angstrom2 * curvature)

    def refitted(self) -> LennardJones:
        """Return the Lennard-Jones potential of the same zero of energy and the same attraction.

        Simulation programs take Lennard-Jones potentials only. With the integral of U r^2 beyond the zero kept,
        the Henry constants of four frameworks at 77 K came out within 4 % of the exact ones; with the depth of the
        well kept instead, 12 to 23 % too high.
        """
        from scipy.optimize import brentq

        sigma = self.potential.sigma_angstrom
        zero = float(brentq(self.energy_k, 0.95 * sigma, 1.6 * sigma, xtol=1e-10))
        sixth = (sigma / zero) ** 6
        plain = sixth**2 / 9 - sixth / 3
        correction = self.square_angstrom2 / zero**2 * (12 * sixth**2 - 6 * sixth)
        return LennardJones(-4.5 * self.potential.depth_k * (plain + correction), zero)


@dataclass(frozen=True)
class ForceField:
    """Which potentials are used and how; what it says travels with every number."""

    framework: str = "uff"
    """Parameters of framework atoms, one of :data:`FRAMEWORK_SOURCES`."""
    hydrogen: str = "buch"
    """Model of hydrogen, one of :data:`HYDROGEN_MODELS`."""
    quantum: bool = False
    """Whether pairs have the Feynman-Hibbs correction, refitted to Lennard-Jones."""
    cutoff_angstrom: float = CUTOFF_ANGSTROM
    """Pairs beyond it count by the tail correction, angstrom, above 0."""
    tail: bool = True
    """Whether what lies beyond counts as a uniform medium; else as nothing."""

    def __post_init__(self) -> None:
        """Refuse unknown names and a cut-off that is none."""
        hydrogen_model(self.hydrogen)
        framework_potentials((), self.framework)
        checked("cutoff_angstrom", self.cutoff_angstrom, above=0)
        if self.quantum and hydrogen_model(self.hydrogen).corrected_at_k is not None:
            raise InputError(
                f"the model {self.hydrogen} holds the quantum correction already; take quantum=False, or another "
                "model of hydrogen"
            )

    def gas_pair(self, temperature_k: float) -> LennardJones:
        """Return the potential between two hydrogen molecules at a temperature, K."""
        plain = hydrogen_model(self.hydrogen).potential
        if not self.quantum:
            return plain
        square = feynman_hibbs_square_angstrom2(temperature_k, H2_MOLAR_MASS_G_PER_MOL / 2)
        return FeynmanHibbs(plain, square).refitted()

    def framework_pairs(self, elements: Iterable[str], temperature_k: float) -> dict[str, LennardJones]:
        """Return the potential between hydrogen and each element of a framework at a temperature, K.

        Atoms of the framework do not move, so the reduced mass is that of hydrogen.

        Raises:
            InputError: there are no parameters for an element.
        """
        exact = self.exact_pairs(elements, temperature_k)
        return {symbol: p.refitted() if isinstance(p, FeynmanHibbs) else p for symbol, p in exact.items()}

    def exact_pairs(self, elements: Iterable[str], temperature_k: float) -> dict[str, LennardJones | FeynmanHibbs]:
        """Return what :meth:`framework_pairs` refits."""
        plain = hydrogen_model(self.hydrogen).potential
        pairs = {s: plain.with_other(p) for s, p in framework_potentials(elements, self.framework).items()}
        if not self.quantum:
            return dict(pairs)
        square = feynman_hibbs_square_angstrom2(temperature_k, H2_MOLAR_MASS_G_PER_MOL)
        return {symbol: FeynmanHibbs(pair, square) for symbol, pair in pairs.items()}

    def describe(self) -> dict[str, object]:
        """Return it as plain data, with sources."""
        return {
            "framework": self.framework,
            "framework_source": FRAMEWORK_SOURCES[self.framework],
            "hydrogen": self.hydrogen,
            "hydrogen_source": hydrogen_model(self.hydrogen).source,
            "combination": "Lorentz-Berthelot",
            "quantum": "Feynman-Hibbs, refitted to Lennard-Jones" if self.quantum else "none",
            "cutoff_angstrom": self.cutoff_angstrom,
            "beyond_cutoff": "tail correction" if self.tail else "nothing",
        }
