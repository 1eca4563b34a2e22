"""Barriers of the mobile ion as a group of descriptors, by bond-valence site energies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.features.electrolyte import MOBILE_IONS
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.physics.barriers import PRELOAD, BarrierSettings, migration_barriers

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

_SETTINGS = BarrierSettings(resolution_angstrom=0.25)


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    ion = next((ion for ion in MOBILE_IONS if ion in crystal.symbols), "")
    if not ion:
        raise InputError(f"{crystal.formula} holds no mobile ion of {', '.join(MOBILE_IONS)}")
    found = migration_barriers(crystal, ion, _SETTINGS)
    if found.not_applicable:
        raise InputError(found.not_applicable)
    return np.array([*(np.nan if barrier is None else barrier for barrier in found.barriers_ev), found.dimension])


BARRIERS = StructureFeaturizer(
    name="barriers",
    tier=3,
    columns=("barrier_1d_ev", "barrier_2d_ev", "barrier_3d_ev", "dimension"),
    compute=_compute,
    summary="Energies at which paths of the mobile ion open in one, two and three dimensions (bond valences)",
    source="doi 10.1002/pssa.201001116",
    seconds=60.0,
    parameters=(("resolution_angstrom", _SETTINGS.resolution_angstrom), ("most_ev", _SETTINGS.most_ev)),
    packages=("bvlain", "pymatgen"),
    extra="barriers",
    preload=PRELOAD,
)
