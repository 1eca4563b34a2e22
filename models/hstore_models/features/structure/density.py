"""Mass density, volume for each atom, and the share of the cell that spheres of the atoms' size would fill.

Atomic radii are those of :func:`~hstore_models.features.structure.radii.atomic_radii_angstrom`. Spheres of
neighbours overlap, so the packing fraction can exceed 1. Where an element has no radius (He, Ne, Kr, Xe, Rn, At,
Fr, Cm and beyond) the packing fraction is NaN; matminer gives no value of the group then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.radii import atomic_radii_angstrom

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

G_PER_CM3 = 1.66053906660
"""One dalton for each cubic angstrom, g/cm3 (CODATA 2018)."""


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    volume = crystal.volume_angstrom3
    spheres = 4 / 3 * np.pi * float(np.sum(atomic_radii_angstrom()[crystal.numbers] ** 3))
    return np.array([crystal.mass_g_per_mol / volume * G_PER_CM3, volume / len(crystal), spheres / volume])


DENSITY = StructureFeaturizer(
    name="density",
    tier=1,
    columns=("density_g_per_cm3", "volume_a3_per_atom", "packing_fraction"),
    compute=_compute,
    summary="Mass density, volume for each atom, packing fraction of spheres of the atomic radii",
    source="radii: Slater 1964, doi 10.1063/1.1725697",
    matminer="matminer.featurizers.structure.order:DensityFeatures()",
    tolerance=1e-8,
)
