"""Pores of a framework as a group of descriptors: cavities, windows, surface and void by Zeo++."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.physics.pores import PROBE_ANGSTROM, PoreGeometry, pore_geometry

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

_DISPLACED_ANGSTROM = 1e-4
"""Atoms are displaced by up to this: Zeo++ ends its process on some exactly symmetric cells."""
_COLUMNS = tuple(field.name for field in fields(PoreGeometry))[:-1]


def _compute(geometry: Geometry) -> FloatArray:
    found = pore_geometry(geometry.crystal, displaced_angstrom=_DISPLACED_ANGSTROM)
    return np.array(astuple(found)[:-1])


PORES = StructureFeaturizer(
    name="pores",
    tier=3,
    columns=_COLUMNS,
    compute=_compute,
    summary="Cavities, windows, surface and void of a framework, by Zeo++",
    source="doi 10.1016/j.micromeso.2011.08.020",
    seconds=60.0,
    parameters=(("probe_angstrom", PROBE_ANGSTROM), ("displaced_angstrom", _DISPLACED_ANGSTROM)),
    packages=("pyzeo",),
    extra="gcmc",
)
