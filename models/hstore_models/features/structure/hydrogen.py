"""Where hydrogen sits: distances to itself and to the host, its coordination, and how densely it is packed.

The host of a hydride are all atoms but hydrogen; ``metal`` here means its elements other than
:data:`NONMETALS`, so the B, Al and Si that hold hydrogen in complex hydrides are among them.

Hydrogen atoms in metals keep 2.1 angstrom apart (Switendick, Z. Phys. Chem. N. F. 117, 89 (1979),
doi 10.1524/zpch.1979.117.117.089); borohydrides and other molecular anions do not follow this rule, nor do a few
stannides and indides. A metal counts as neighbour of a hydrogen atom up to 1.25 times the sum of its atomic
radius and 0.40 angstrom, the size of the smallest hole that hydrogen fills (Westlake, J. Less-Common Met. 91, 1
(1983), doi 10.1016/0022-5088(83)90091-7). The first shells of the binary hydrides from LiH to CsH and PdH lie
within, their second shells outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL, SYMBOLS
from hstore_models.compiled import PRELOAD
from hstore_models.features.structure.close_pairs import close_pairs
from hstore_models.features.structure.density import G_PER_CM3
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.radii import atomic_radii_angstrom

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.composition import BoolArray
    from hstore_models.features.structure.geometry import Geometry

HYDROGEN_APART_ANGSTROM = 2.1
"""Least distance of two hydrogen atoms in a metal."""
HYDROGEN_SIZE_ANGSTROM = 0.40
"""Least radius of a hole that hydrogen fills."""
COORDINATION_REACH = 1.25
"""A metal is a neighbour up to this multiple of its atomic radius and hydrogen's size together."""
NONMETALS = frozenset({
    "He", "C", "N", "O", "F", "Ne", "P", "S", "Cl", "Ar", "As", "Se", "Br", "Kr", "Te", "I", "Xe", "At", "Rn",
})  # fmt: skip
"""Elements that do not count as metals beside hydrogen."""
METAL_CLASSES = ("s_block", "early", "late", "p_block")
"""Groups 1 and 2; groups 3 to 5 with lanthanides and actinides; groups 6 to 12; metals of groups 13 to 16."""

_CUTOFF_ANGSTROM = 3.8
"""Reaches the farthest neighbour of the largest metal, Cs."""
_EARLY = frozenset({"Sc", "Ti", "V", "Y", "Zr", "Nb", "Hf", "Ta"})
_S_BLOCK = frozenset({"Li", "Be", "Na", "Mg", "K", "Ca", "Rb", "Sr", "Cs", "Ba", "Fr", "Ra"})
_P_BLOCK = frozenset({"B", "Al", "Si", "Ga", "Ge", "In", "Sn", "Sb", "Tl", "Pb", "Bi", "Po"})
_NONMETAL, _HYDROGEN = 4, 5


def _kind(symbol: str, number: int) -> int:
    if symbol == "H":
        return _HYDROGEN
    if symbol in NONMETALS:
        return _NONMETAL
    if symbol in _S_BLOCK:
        return 0
    if symbol in _EARLY or 57 <= number <= 71 or number >= 89:
        return 1
    return 3 if symbol in _P_BLOCK else 2


_KIND = np.array([-1, *(_kind(symbol, z) for z, symbol in enumerate(SYMBOLS, start=1))])
"""By atomic number: place in METAL_CLASSES, or one of the two above."""


_COLUMNS = (
    "hydrogen_per_metal",
    "hydrogen_atoms_per_nm3",
    "hydrogen_g_per_l",
    "volume_a3_per_metal",
    "metal_metal_shortest_angstrom",
    "hydrogen_hydrogen_shortest_angstrom",
    "hydrogen_closer_than_2_1_fraction",
    "keeps_2_1_rule",
    "nonmetal_hydrogen_shortest_angstrom",
    "metal_hydrogen_shortest_angstrom",
    *(f"{name}_hydrogen_mean_angstrom" for name in METAL_CLASSES),
    "hydrogen_coordination_mean",
    "hydrogen_coordination_min",
    "hydrogen_coordination_max",
)


def _compute(geometry: Geometry) -> FloatArray:
    crystal = geometry.crystal
    kinds = _KIND[crystal.numbers]
    metal, hydrogen = kinds < _NONMETAL, kinds == _HYDROGEN
    n_metal, n_hydrogen, volume = int(metal.sum()), int(hydrogen.sum()), crystal.volume_angstrom3
    amounts = [
        n_hydrogen / n_metal if n_metal else np.nan,
        1000 * n_hydrogen / volume,
        1000 * n_hydrogen * ATOMIC_MASS_G_PER_MOL["H"] / volume * G_PER_CM3,
        volume / n_metal if n_metal else np.nan,
    ]
    if not n_hydrogen:
        return np.array([*amounts, _shortest(crystal, metal, metal), *[np.nan] * (len(_COLUMNS) - 5)])
    return np.array([*amounts, *_around_hydrogen(crystal, kinds)])


def _around_hydrogen(crystal: Crystal, kinds: IntArray) -> FloatArray:
    """Return the columns that need pairs of sites, for a crystal with hydrogen."""
    metal, hydrogen = kinds < _NONMETAL, kinds == _HYDROGEN
    first, second, distance = close_pairs(crystal, _CUTOFF_ANGSTROM)
    turned = kinds[first] > kinds[second]  # metals first, then nonmetals, then hydrogen
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    kind, other = kinds[first], kinds[second]
    of_hydrogen = other == _HYDROGEN

    def shortest(chosen: BoolArray, some: BoolArray, others: BoolArray) -> float:
        return float(distance[chosen].min()) if chosen.any() else _shortest(crystal, some, others)

    both = of_hydrogen & (kind == _HYDROGEN)
    close = both & (distance < HYDROGEN_APART_ANGSTROM)
    held = of_hydrogen & (kind < _NONMETAL)
    reach = COORDINATION_REACH * (atomic_radii_angstrom()[crystal.numbers[first]] + HYDROGEN_SIZE_ANGSTROM)
    near = held & (distance <= reach)
    counts = np.bincount(second[near], minlength=len(crystal))[hydrogen]
    return np.array(
        [
            shortest(other < _NONMETAL, metal, metal),
            shortest(both, hydrogen, hydrogen),
            len({*first[close].tolist(), *second[close].tolist()}) / int(hydrogen.sum()),
            not close.any(),
            shortest(of_hydrogen & (kind == _NONMETAL), kinds == _NONMETAL, hydrogen),
            shortest(held, metal, hydrogen),
            *_class_means(kind[near], distance[near]),
            counts.mean(),
            counts.min(),
            counts.max(),
        ],
        dtype=float,
    )


def _class_means(classes: IntArray, distance: FloatArray) -> FloatArray:
    """Return the mean distance for each class of metals, NaN for those that are not there."""
    counts = np.bincount(classes, minlength=len(METAL_CLASSES))
    sums = np.bincount(classes, weights=distance, minlength=len(METAL_CLASSES))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _shortest(crystal: Crystal, some: BoolArray, others: BoolArray) -> float:
    """Return the shortest distance of two kinds of sites however far apart; NaN where there are none."""
    if not (some.any() and others.any()):
        return np.nan
    cutoff = _CUTOFF_ANGSTROM
    while True:
        first, second, distance = close_pairs(crystal, cutoff, some | others)
        wanted = (some[first] & others[second]) | (some[second] & others[first])
        if wanted.any():
            return float(distance[wanted].min())
        cutoff *= 1.6


HYDROGEN = StructureFeaturizer(
    name="hydrogen",
    tier=1,
    columns=_COLUMNS,
    compute=_compute,
    summary="Distances of H to H and to the host, the 2.1 A rule, coordination of H, H and metal densities",
    source="Switendick 1979, doi 10.1524/zpch.1979.117.117.089; Westlake 1983, doi 10.1016/0022-5088(83)90091-7",
    parameters=(("coordination_reach", COORDINATION_REACH),),
    preload=PRELOAD,
)
