"""Descriptors of pores: what seven texture columns say about how hydrogen fills them.

Trees split one column at a time, so products and ratios that mean something (how wide a pore is for its surface,
how heavy the skeleton is, what a monolayer and the gas of the pores hold) are columns of their own. Two measures
of void are kept apart, ``void_fraction`` as given and pore volume x density: tables take them from different
probes, and their difference tells of pockets that only the smaller one sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

PORE_DESCRIPTORS = (
    "density_g_cm3",
    "gsa_m2_g",
    "vsa_m2_cm3",
    "void_fraction",
    "pore_volume_cm3_g",
    "lcd_A",
    "pld_A",
)
"""Texture columns of sorbents, units in the names."""

MONOLAYER_MG_PER_M2 = 0.0256
"""A monolayer of hydrogen at the density of the liquid at its normal boiling point (70.8 g/L), mg/m2."""

_CHARGED_GAS_G_PER_L, _DISCHARGED_GAS_G_PER_L = 31.0, 1.58
"""Gas density at 77 K and 100 bar, and at 5 bar (Leachman et al. 2009, doi 10.1063/1.3160306)."""
_FILM_NM = 0.36
"""Thickness of a monolayer: its mass per area over the density of the liquid."""
_CHARGED_COVERAGE, _DISCHARGED_COVERAGE = 0.95, 0.55
"""Share of the monolayer filled at 100 and at 5 bar on an average wall at 77 K."""
_NARROW_A = 7.0
"""Pores about two hydrogen molecules wide hold them from both walls, and keep them at 5 bar."""
_LEAST_VOID, _LEAST_AREA, _WIDEST_A = 0.02, 1.0, 200.0


def pore_features(texture: Mapping[str, FloatArray]) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the descriptors of pores and their names.

    Args:
        texture: column of ``PORE_DESCRIPTORS`` -> values of shape ``(n,)``, NaN where not known.

    Returns:
        Values of shape ``(n, d)``, NaN where a column they need is; names of the ``d`` columns, units in them.
    """
    given = {name: np.asarray(texture[name], dtype=np.float64) for name in PORE_DESCRIPTORS}
    columns = {**given, **_void(given), **_width(given), **_surface(given), **_filling(given)}
    return np.column_stack(list(columns.values())), tuple(columns)


def pore_feature_names() -> tuple[str, ...]:
    """Return the names of the descriptors of pores, in order."""
    return pore_features({name: np.ones(1) for name in PORE_DESCRIPTORS})[1]


def _void(t: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Shares and specific volumes of void and skeleton."""
    density, void, pores = t["density_g_cm3"], t["void_fraction"], t["pore_volume_cm3_g"]
    probed = pores * density
    return {
        "framework_volume_cm3_g": 1.0 / density,
        "probe_void_fraction": probed,
        "void_difference": void - probed,
        "void_ratio": probed / np.maximum(void, _LEAST_VOID),
        "void_volume_cm3_g": void / density,
        "pore_volume_times_void_cm3_g": pores * void,
        "skeleton_density_g_cm3": density / np.maximum(1.0 - void, _LEAST_VOID),
        "probe_skeleton_density_g_cm3": density / np.maximum(1.0 - probed, _LEAST_VOID),
        "skeleton_volume_cm3_g": (1.0 - void) / density,
        "probe_skeleton_volume_cm3_g": (1.0 - probed) / density,
    }


def _width(t: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """How wide pores are, and for how much of the framework."""
    cavity, window, void, density = t["lcd_A"], t["pld_A"], t["void_fraction"], t["density_g_cm3"]
    return {
        "window_to_cavity": window / np.maximum(cavity, 1e-9),
        "cavity_minus_window_A": cavity - window,
        "cavity_times_window_A2": cavity * window,
        "void_times_cavity_A": void * cavity,
        "void_times_window_A": void * window,
        "void_per_cavity_per_A": void / np.maximum(cavity, 1e-9),
        "cavity_per_void_A": cavity / np.maximum(void, _LEAST_VOID),
        "cavity_times_density_A_g_cm3": cavity * density,
        "window_times_density_A_g_cm3": window * density,
    }


def _surface(t: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Surface per void and skeleton, and the hydraulic diameter 4 V / S beside the measured widths."""
    area, by_volume, void, pores = t["gsa_m2_g"], t["vsa_m2_cm3"], t["void_fraction"], t["pore_volume_cm3_g"]
    cavity, window = np.maximum(t["lcd_A"], 1e-9), np.maximum(t["pld_A"], 1e-9)
    wide = np.minimum(4e4 * void / np.maximum(by_volume, _LEAST_AREA), _WIDEST_A)
    probed = np.minimum(4e4 * pores / np.maximum(area, _LEAST_AREA), _WIDEST_A)
    per_void = by_volume / np.maximum(void, _LEAST_VOID)
    per_pore = area / np.maximum(pores, _LEAST_VOID)
    return {
        "hydraulic_diameter_A": wide,
        "probe_hydraulic_diameter_A": probed,
        "hydraulic_to_cavity": wide / cavity,
        "probe_hydraulic_to_window": probed / window,
        "surface_per_void_m2_cm3": per_void,
        "surface_per_pore_volume_m2_cm3": per_pore,
        "surface_per_skeleton_m2_cm3": by_volume / np.maximum(1.0 - void, _LEAST_VOID),
        "surface_times_skeleton_m2_cm3": by_volume * (1.0 - void),
        "surface_times_cavity_m2_A_cm3": by_volume * cavity,
        "surface_per_cavity_m2_g_A": area / cavity,
        "cavity_shape": 1e-4 * per_void * cavity,
        "probe_surface_per_cavity_m2_cm3_A": per_pore / cavity,
    }


def _filling(t: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """What a monolayer and the gas of the remaining void hold at 77 K, and what a swing of 100 to 5 bar frees.

    A wall of narrow pores holds more at the discharged state (cavity of a few molecules' width: the potentials of
    opposite walls add), so less of its monolayer is usable.
    """
    by_volume, void, density = t["vsa_m2_cm3"], t["void_fraction"], t["density_g_cm3"]
    film = np.minimum(1e-3 * _FILM_NM * by_volume, void)
    layer = MONOLAYER_MG_PER_M2 / (1e-3 * _FILM_NM) * film
    narrow = 1.0 / (1.0 + (t["lcd_A"] / _NARROW_A) ** 3)
    kept = _DISCHARGED_COVERAGE + (_CHARGED_COVERAGE - _DISCHARGED_COVERAGE) * narrow
    charged = _CHARGED_COVERAGE * layer + _CHARGED_GAS_G_PER_L * (void - film)
    discharged = kept * layer + _DISCHARGED_GAS_G_PER_L * (void - film)
    return {
        "core_fraction": void - film,
        "charged_g_per_l": charged,
        "charged_mg_per_g": charged / density,
        "discharged_g_per_l": discharged,
        "swing_g_per_l": charged - discharged,
        "swing_mg_per_g": (charged - discharged) / density,
        "skeleton_mass_share": 1.0 / (1.0 + 1e-3 * charged / density),
    }
