"""Gravimetric and volumetric capacity from composition, and the mass bases they are given on.

A weight percentage means nothing without its basis. Two are in use: per mass of the *host* (alloy, salt or
sorbent without hydrogen) and per mass of the *hydrogenated* material (host plus hydrogen). hstore states
capacities per hydrogenated mass unless told otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, checked
from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FormulaError, unknown_name
from hstore.formula import formula_text, molar_mass_g_per_mol
from hstore.units import AVOGADRO_PER_MOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

MASS_BASES = {"hydrogenated_material": True, "sorbent_plus_h2": True, "host": False, "sorbent": False}
"""Names of the mass bases, as in :class:`hstore.records.Basis`, and whether they include the hydrogen."""

MOST_H_PER_METAL = 4.5
"""Hydrogen atoms per metal atom of BaReH9; no hydride has more."""

_CM3_PER_CUBIC_ANGSTROM = 1e-24
_G_PER_L_PER_WT_PCT_G_PER_CM3 = 10.0


def gravimetric_capacity_wt_pct(hydride_amounts: Mapping[str, float]) -> float:
    """Return the mass of hydrogen per mass of the hydride, wt%.

    All hydrogen in the formula counts as releasable, so this is the upper limit of any reversible capacity
    (NaAlH4: 7.5 wt% here, 5.6 wt% in the two steps that are reversible in practice).

    Args:
        hydride_amounts: amounts of the elements in the hydride, as read by
            :func:`hstore.formula.parse_amounts`.

    Raises:
        FormulaError: an element is unknown, an amount is not positive, or the formula is empty.
    """
    _refuse_unweighable(hydride_amounts)
    hydrogen = hydride_amounts.get("H", 0.0) * ATOMIC_MASS_G_PER_MOL["H"]
    return 100.0 * hydrogen / molar_mass_g_per_mol(dict(hydride_amounts))


def hydrogen_to_metal(amounts: Mapping[str, float]) -> float:
    """Return H/M: hydrogen atoms per atom of all other elements.

    Raises:
        FormulaError: there is no element other than hydrogen, or the formula cannot be weighed.
    """
    _refuse_unweighable(amounts)
    host = sum(n for element, n in amounts.items() if element != "H")
    if host == 0:
        raise FormulaError("H/M needs an element other than hydrogen, got H alone; give the host as well")
    return amounts.get("H", 0.0) / host


def hydride_amounts_from(host_amounts: Mapping[str, float], h2_wt_pct: float) -> dict[str, float]:
    """Return the amounts of the hydride which a host forms at a capacity.

    Args:
        host_amounts: amounts of the elements in the host; hydrogen already in it stays and is not counted
            in the capacity.
        h2_wt_pct: hydrogen taken up, wt% of the hydrogenated mass, 0 to below 100.

    Returns:
        The host's elements in their order, and hydrogen where there is any.

    Raises:
        FormulaError: the host cannot be weighed.
        InputError: the capacity is outside its range.
    """
    _refuse_unweighable(host_amounts)
    per_host = float(per_host_mass(h2_wt_pct)) / 100.0
    host = dict(host_amounts)
    hydrogen = per_host * molar_mass_g_per_mol(host) / ATOMIC_MASS_G_PER_MOL["H"]
    total = host.get("H", 0.0) + hydrogen
    return {**host, "H": total} if total > 0 else host


def hydride_formula_from(host_amounts: Mapping[str, float], h2_wt_pct: float) -> str:
    """Return the formula of the hydride which a host forms at a capacity (six significant digits).

    Arguments and errors as in :func:`hydride_amounts_from`.
    """
    return formula_text(hydride_amounts_from(host_amounts, h2_wt_pct))


def per_hydrogenated_mass(wt_pct_host: ArrayLike) -> FloatArray:
    """Convert wt% of the host (or sorbent) into wt% of host plus hydrogen: w / (1 + w/100).

    Args:
        wt_pct_host: 100 x mass H2 / mass of host, above -100 (a measured excess uptake may be negative).

    Raises:
        InputError: a value is outside its range.
    """
    host = checked("wt_pct_host", wt_pct_host, above=-100)
    return np.asarray(host / (1 + host / 100))[()]


def per_host_mass(wt_pct_hydrogenated: ArrayLike) -> FloatArray:
    """Convert wt% of host plus hydrogen into wt% of the host (or sorbent): w / (1 - w/100).

    Args:
        wt_pct_hydrogenated: 100 x mass H2 / mass of host plus hydrogen, below 100.

    Raises:
        InputError: a value is 100 or more, which leaves no host.
    """
    hydrogenated = checked("wt_pct_hydrogenated", wt_pct_hydrogenated, high=np.nextafter(100.0, 0.0))
    return np.asarray(hydrogenated / (1 - hydrogenated / 100))[()]


def convert_mass_basis(wt_pct: ArrayLike, *, given: str, wanted: str) -> FloatArray:
    """Convert a weight percentage between named mass bases (:data:`MASS_BASES`).

    Args:
        wt_pct: weight percentages on the given basis.
        given: basis they are on, such as ``"sorbent"``.
        wanted: basis to convert to, such as ``"sorbent_plus_h2"``.

    Raises:
        UnknownNameError: a basis is not known.
        InputError: a value is outside the range of its basis.
    """
    for name in (given, wanted):
        if name not in MASS_BASES:
            raise unknown_name("mass basis", name, MASS_BASES)
    if MASS_BASES[given] == MASS_BASES[wanted]:
        return np.asarray(checked("wt_pct", wt_pct))[()]
    return per_hydrogenated_mass(wt_pct) if MASS_BASES[wanted] else per_host_mass(wt_pct)


def volumetric_density_g_per_l(h2_wt_pct: ArrayLike, density_g_per_cm3: ArrayLike) -> FloatArray:
    """Return the mass of hydrogen per volume of the hydrogenated material, g/L.

    Args:
        h2_wt_pct: capacity per hydrogenated mass, wt%, 0 to 100.
        density_g_per_cm3: density of the *hydrogenated* material, g/cm3, above 0. Hosts expand by 10 to 30 %
            on uptake, so the density of the empty host overstates the result. A crystal density leaves out
            the voids of a powder bed.

    Raises:
        InputError: a value is outside its range.
    """
    capacity = checked("h2_wt_pct", h2_wt_pct, low=0, high=100)
    density = checked("density_g_per_cm3", density_g_per_cm3, above=0)
    return np.asarray(_G_PER_L_PER_WT_PCT_G_PER_CM3 * capacity * density)[()]


def density_g_per_cm3(
    amounts: Mapping[str, float],
    formula_units: float,
    cell_volume_A3: float,  # noqa: N803 - the unit is an angstrom, as in the columns lcd_A and pld_A
) -> float:
    """Return the crystal density from the contents of a unit cell, g/cm3.

    Args:
        amounts: amounts of the elements in one formula unit.
        formula_units: formula units per cell (Z), above 0.
        cell_volume_A3: volume of the cell, cubic angstrom, above 0.

    Raises:
        FormulaError: the formula cannot be weighed.
        InputError: Z or the volume is not positive.
    """
    _refuse_unweighable(amounts)
    units = float(checked("formula_units", formula_units, above=0))
    volume = float(checked("cell_volume_A3", cell_volume_A3, above=0)) * _CM3_PER_CUBIC_ANGSTROM
    return units * molar_mass_g_per_mol(dict(amounts)) / (AVOGADRO_PER_MOL * volume)


def _refuse_unweighable(amounts: Mapping[str, float]) -> None:
    if not amounts:
        raise FormulaError("amounts are empty; give at least one element, such as {'Mg': 1, 'H': 2}")
    for element, amount in amounts.items():
        if element not in ATOMIC_MASS_G_PER_MOL:
            raise FormulaError(f"unknown element {element!r}; use symbols such as Mg")
        if not 0 < amount < np.inf:
            raise FormulaError(f"the amount of {element} must be positive and finite, got {amount}")
