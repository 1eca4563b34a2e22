"""Space group and what follows from it.

Found by moyo (https://spglib.github.io/moyo), which does spglib's work several times faster. Both leave room
where a structure is as far from a symmetry as the tolerance; matminer's numbers, found by spglib at the same
tolerance, differ for such structures only (one of the 288 AFLOW prototypes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.geometry import SYMMETRY_TOLERANCE_ANGSTROM

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

_FIRST_GROUPS = ((195, 1), (168, 2), (143, 3), (75, 4), (16, 5), (3, 6), (1, 7))
"""First space group of each crystal system: cubic 1, hexagonal 2, trigonal 3 ... triclinic 7, as in matminer."""
_CENTROSYMMETRIC = (
    (2, 2), (10, 15), (47, 74), (83, 88), (123, 142), (147, 148), (162, 167), (175, 176), (191, 194), (200, 206),
    (221, 230),
)  # fmt: skip
"""Space groups of the eleven Laue classes, International Tables for Crystallography A."""


def crystal_system(space_group: int) -> int:
    """Return the crystal system of a space group, numbered from 1 for cubic down to 7 for triclinic."""
    return next(system for first, system in _FIRST_GROUPS if space_group >= first)


def is_centrosymmetric(space_group: int) -> bool:
    """Say whether a space group holds an inversion."""
    return any(first <= space_group <= last for first, last in _CENTROSYMMETRIC)


def _compute(geometry: Geometry) -> FloatArray:
    found = geometry.symmetry
    number = int(found.number)
    return np.array(
        [number, crystal_system(number), is_centrosymmetric(number), len(found.operations)], dtype=float
    )


SYMMETRY = StructureFeaturizer(
    name="symmetry",
    tier=1,
    columns=("space_group", "crystal_system", "is_centrosymmetric", "symmetry_operations"),
    compute=_compute,
    summary="Space group, crystal system (1 cubic to 7 triclinic), inversion, number of operations of the cell",
    source="International Tables for Crystallography A, doi 10.1107/97809553602060000114",
    matminer="matminer.featurizers.structure.symmetry:GlobalSymmetryFeatures()",
    tolerance=0.0,
    parameters=(("tolerance_angstrom", SYMMETRY_TOLERANCE_ANGSTROM),),
    packages=("moyopy",),
    preload=("moyopy",),
)
