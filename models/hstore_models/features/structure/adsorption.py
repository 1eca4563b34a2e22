"""What a framework does to one molecule of hydrogen: Henry constants, heats, and how much room is how deep.

Energies of a molecule are computed on a grid over the cell, with the force field of ``hstore physics uptake``. The
share of the volume by depth is the histogram of Bucior et al. 2019 (doi 10.1039/C8ME00050F). No simulation is
needed, and pockets that no path leads to count like other room.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hstore.units import GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.compiled import PRELOAD
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.physics.force_field import HELIUM, ForceField, framework_potentials
from hstore_models.physics.void_grid import SPACING_ANGSTROM, energy_grids

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

_FIELD = ForceField(hydrogen="fischer-77k")
_COLD_K, _WARM_K = 77.0, 298.15
_DEPTHS_KJ_PER_MOL = tuple(range(1, 11))
_GRAMS_PER_LITRE_BAR = 100.0 * H2_MOLAR_MASS_G_PER_MOL
"""g/(L bar) of a mol/(m3 Pa)."""
_LEAST_HENRY = 1e-12
"""Henry constants below it, g/(L bar), count as it: nothing goes in."""
_COLUMNS = (
    "helium_void_fraction",
    "deepest_kj_per_mol",
    "log10_henry_77k_g_per_l_bar",
    "heat_at_zero_77k_kj_per_mol",
    "log10_henry_298k_g_per_l_bar",
    "heat_at_zero_298k_kj_per_mol",
    *(f"volume_share_below_minus_{depth}_kj_per_mol" for depth in _DEPTHS_KJ_PER_MOL),
)


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    elements = set(crystal.symbols)
    helium = {symbol: HELIUM.with_other(atom) for symbol, atom in framework_potentials(elements).items()}
    void, hydrogen = energy_grids(crystal, [helium, _FIELD.framework_pairs(elements, _COLD_K)])
    depth = -1e-3 * GAS_CONSTANT_J_PER_MOL_K * hydrogen.energy_k
    values = [void.boltzmann_mean(_WARM_K), float(depth.max())]
    for temperature in (_COLD_K, _WARM_K):
        henry = _GRAMS_PER_LITRE_BAR * hydrogen.henry_mol_per_m3_pa(temperature)
        values += [math.log10(max(henry, _LEAST_HENRY)), hydrogen.heat_at_zero_kj_per_mol(temperature)]
    return np.array([*values, *(float((depth > least).mean()) for least in _DEPTHS_KJ_PER_MOL)])


ADSORPTION = StructureFeaturizer(
    name="adsorption",
    tier=3,
    columns=_COLUMNS,
    compute=_compute,
    summary="One molecule of H2 in the framework: Henry constants, heats, and the share of volume by depth",
    source="doi 10.1039/C8ME00050F",
    seconds=60.0,
    parameters=(
        ("spacing_angstrom", SPACING_ANGSTROM),
        ("framework", _FIELD.framework),
        ("hydrogen", _FIELD.hydrogen),
    ),
    preload=PRELOAD,
)
