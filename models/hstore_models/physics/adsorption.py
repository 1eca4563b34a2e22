"""Uptake of a framework from Monte Carlo: excess, absolute and total, each per mass and per volume, with errors.

The simulation counts all molecules in the pores: the *total* uptake. Subtracting the gas that the helium volume of
the pores would hold gives the *excess* that a balance shows (Talu and Myers 2001, doi 10.1002/aic.690470521).
Adding the gas of the adsorbed phase alone gives the *absolute* uptake; the adsorbed phase is taken as the part of
the helium volume where the framework holds a molecule by more than kT. In narrow pores at 77 K that is nearly all
of it, in wide ones or at room temperature little.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.capacity import convert_mass_basis
from hstore.gas import h2_density_g_per_l
from hstore.sorption import absolute_from_excess, excess_from_total
from hstore.units import AVOGADRO_PER_MOL, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.physics.force_field import HELIUM, ForceField, framework_potentials
from hstore_models.physics.void_grid import EnergyGrid, Pair, energy_grids, find_access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.crystal import Crystal
    from hstore_models.physics.monte_carlo import Loading

HELIUM_TEMPERATURE_K = 298.15
"""Temperature at which the volume of pores is measured with helium, K."""
_CM3_ANGSTROM3 = 1e24


@dataclass(frozen=True)
class Void:
    """What a grid of energies says of a framework at one temperature."""

    density_g_per_cm3: float
    """Density of the crystal, g/cm3."""
    helium_void_fraction: float
    """Share of the volume that helium finds at 298.15 K, without pockets that are blocked."""
    adsorbed_fraction: float
    """Share of the volume that is helium void and attracts hydrogen by more than kT."""
    pockets: int
    """Cavities that no channel leads to."""
    pocket_fraction: float
    """Their share of the volume open to hydrogen."""
    blocked: tuple[tuple[float, float, float, float], ...]
    """Spheres over pockets that molecules are kept out of: fractional coordinates, and radius, angstrom."""
    henry_g_per_l_bar: float
    """Henry constant, g of hydrogen in a litre of crystal for each bar."""
    heat_at_zero_kj_per_mol: float
    """Isosteric heat of the first molecules, kJ/mol."""
    refit_ratio: float
    """Henry constant as simulated over that with the exact quantum correction; 1 without correction."""

    @property
    def pore_volume_cm3_per_g(self) -> float:
        """Helium volume of the pores, cm3/g."""
        return self.helium_void_fraction / self.density_g_per_cm3

    @property
    def adsorbed_volume_cm3_per_g(self) -> float:
        """Volume of the adsorbed phase, cm3/g."""
        return self.adsorbed_fraction / self.density_g_per_cm3


def look_into(crystal: Crystal, temperature_k: float, force_field: ForceField, *, blocking: bool = True) -> Void:
    """Compute what the uptakes of a framework need beside the simulation.

    Args:
        crystal: ordered framework without solvent.
        temperature_k: temperature, K.
        force_field: potentials.
        blocking: whether molecules are kept out of cavities that no channel leads to; else these count as pores.

    Raises:
        InputError: an element has no parameters, or the cell is too large for a grid.
    """
    elements = set(crystal.symbols)
    atoms = framework_potentials(elements, force_field.framework)
    helium = {symbol: HELIUM.with_other(atom) for symbol, atom in atoms.items()}
    pairs = force_field.framework_pairs(elements, temperature_k)
    sets: list[Mapping[str, Pair]] = [helium, pairs]
    if force_field.quantum:
        sets.append(force_field.exact_pairs(elements, temperature_k))
    grids = energy_grids(crystal, sets)
    access = find_access(grids[1], temperature_k)
    open_points = access.open_points if blocking else None
    henry = _henry(grids[1], temperature_k, open_points)
    exact = _henry(grids[-1], temperature_k, open_points)
    factors = np.exp(-grids[0].energy_k / HELIUM_TEMPERATURE_K)
    if blocking:
        factors[access.pocket_points] = 0.0
    attracted = np.where(grids[1].energy_k < -temperature_k, factors, 0.0)
    return Void(
        density_g_per_cm3=_CM3_ANGSTROM3 * crystal.mass_g_per_mol / AVOGADRO_PER_MOL / crystal.volume_angstrom3,
        helium_void_fraction=float(factors.mean()),
        adsorbed_fraction=float(attracted.mean()),
        pockets=access.pockets,
        pocket_fraction=access.pocket_fraction,
        blocked=access.spheres if blocking else (),
        henry_g_per_l_bar=henry,
        heat_at_zero_kj_per_mol=grids[1].heat_at_zero_kj_per_mol(temperature_k, open_points),
        refit_ratio=henry / exact if exact > 0 else math.nan,
    )


def _henry(grid: EnergyGrid, temperature_k: float, open_points: Any) -> float:
    """Henry constant, g/(L bar); mol/(m3 Pa) is 1e5/1e3 mol/(L bar)."""
    return 100.0 * H2_MOLAR_MASS_G_PER_MOL * grid.henry_mol_per_m3_pa(temperature_k, open_points)


@dataclass(frozen=True)
class Uptake:
    """Uptake of a framework in one state; every wt% and g/L stands for one of three uptakes."""

    total_wt_pct: float
    """All hydrogen in the pores, 100 x g / g of framework and this hydrogen."""
    total_wt_pct_host: float
    """The same, 100 x g / g of framework."""
    total_g_per_l: float
    """The same, g in a litre of crystal."""
    excess_wt_pct: float
    """Hydrogen beyond what gas in the helium volume would be, 100 x g / g of framework and this hydrogen."""
    excess_wt_pct_host: float
    """The same, 100 x g / g of framework."""
    excess_g_per_l: float
    """The same, g in a litre of crystal."""
    absolute_wt_pct: float
    """Hydrogen in the adsorbed phase, 100 x g / g of framework and this hydrogen."""
    absolute_wt_pct_host: float
    """The same, 100 x g / g of framework."""
    absolute_g_per_l: float
    """The same, g in a litre of crystal."""
    error_95_wt_pct: float
    """Half-width of the 95 % interval of ``total_wt_pct``: of the sampling, not of the force field."""
    error_95_g_per_l: float
    """Half-width of the 95 % interval of any of the three in g/L."""
    heat_kj_per_mol: float
    """Isosteric heat, kJ/mol, positive; NaN where the simulation cannot tell it."""
    heat_error_95: float
    """Half-width of its 95 % interval, kJ/mol."""
    converged: bool
    """Whether the error met its target."""
    cycles: int
    """Monte Carlo cycles, of all starts."""
    starts: int
    """2 where pores fill slowly: from an empty and from an overfull framework; else 1."""
    cause: str
    """Why it is not to be trusted; empty when it converged."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; what cannot be told is None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def uptake_from(
    loading: Loading, crystal: Crystal, void: Void, *, pressure_bar: float, temperature_k: float
) -> Uptake:
    """Return the uptakes of a simulated state.

    Args:
        loading: what the simulation counted.
        crystal: the framework.
        void: of the framework at this temperature.
        pressure_bar: pressure of the gas, bar.
        temperature_k: temperature, K.
    """
    host = 100.0 * loading.molecules * H2_MOLAR_MASS_G_PER_MOL / crystal.mass_g_per_mol
    host_error = host * loading.error_95 / loading.molecules if loading.molecules > 0 else 0.0
    state = {"pressure_bar": pressure_bar, "temperature_k": temperature_k}
    excess = float(excess_from_total(host, void.pore_volume_cm3_per_g, **state))
    absolute = float(absolute_from_excess(excess, void.adsorbed_volume_cm3_per_g, **state))
    litre = 10.0 * void.density_g_per_cm3
    return Uptake(
        total_wt_pct=_of_all(host),
        total_wt_pct_host=host,
        total_g_per_l=litre * host,
        excess_wt_pct=_of_all(excess),
        excess_wt_pct_host=excess,
        excess_g_per_l=litre * excess,
        absolute_wt_pct=_of_all(absolute),
        absolute_wt_pct_host=absolute,
        absolute_g_per_l=litre * absolute,
        error_95_wt_pct=host_error / (1.0 + host / 100.0) ** 2,
        error_95_g_per_l=litre * host_error,
        heat_kj_per_mol=loading.heat_kj_per_mol,
        heat_error_95=loading.heat_error_95,
        converged=loading.converged,
        cycles=loading.cycles,
        starts=loading.starts,
        cause=loading.cause,
    )


def gas_g_per_l(pressure_bar: float, temperature_k: float) -> float:
    """Return the density of the gas, g/L: what a tank without sorbent holds."""
    return float(h2_density_g_per_l(pressure_bar, temperature_k))


@dataclass(frozen=True)
class Usable:
    """Hydrogen that a framework delivers between two states, of total uptakes."""

    wt_pct: float
    """Difference of the two wt%, each per mass of framework and hydrogen in its state."""
    wt_pct_host: float
    """Delivered hydrogen, 100 x g / g of framework."""
    g_per_l: float
    """Delivered hydrogen, g in a litre of crystal."""
    error_95_g_per_l: float
    """Half-width of its 95 % interval."""


def usable_between(charged: Uptake, discharged: Uptake) -> Usable:
    """Return what is delivered between a charged and a discharged state."""
    return Usable(
        charged.total_wt_pct - discharged.total_wt_pct,
        charged.total_wt_pct_host - discharged.total_wt_pct_host,
        charged.total_g_per_l - discharged.total_g_per_l,
        math.hypot(charged.error_95_g_per_l, discharged.error_95_g_per_l),
    )


def _of_all(wt_pct_host: float) -> float:
    return float(convert_mass_basis(wt_pct_host, given="sorbent", wanted="sorbent_plus_h2"))
