"""Coordination fingerprints of sites by CrystalNN, and their statistics over a crystal.

CrystalNN (Pan et al., Inorg. Chem. 60, 1590 (2021), doi 10.1021/acs.inorgchem.0c02996) weighs the Voronoi
neighbours of a site by solid angle, distance and electronegativity difference, and turns the weights into
probabilities of the coordination numbers. The fingerprint (Zimmermann and Jain, RSC Adv. 10, 6063 (2020),
doi 10.1039/C9RA07755C) holds these probabilities and, times them, the order parameters of the motifs of each
number.

The sites carry elements only, no oxidation states, so that bond lengths are judged by covalent radii.

Values equal those of matminer with one exception. The order parameter of the cube depends on the order of the
neighbours, and the order of equivalent ones is in matminer whatever qhull returns, so that equivalent sites differ
by up to 0.01; here it is the mean over both orders.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import SYMBOLS
from hstore.errors import InputError
from hstore_models.features.structure.coordination import Faces, voronoi_faces
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.order_parameters import MOTIFS, order_parameters
from hstore_models.features.structure.site_statistics import site_statistics, statistic_columns

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_models.features.structure.geometry import Geometry

SEARCH_ANGSTROM = 7.0
_LARGEST_COORDINATION = 24
_FULL_WEIGHT_ANGSTROM, _NO_WEIGHT_ANGSTROM = 0.5, 1.0
"""Bonds longer than the sum of the covalent radii by less than the first have full weight, by more than the second
none."""
_ELECTRONEGATIVITY_FACTOR = 3.0
_LARGEST_DIFFERENCE = 3.3
"""Between F and Fr, Pauling scale."""
_DECIMALS = 3
"""Weights that agree to so many decimals belong to one shell."""
_SAME_WEIGHT = 1e-6
"""Bonds whose weights differ less have no order among them."""
_SYMMETRY_ANGSTROM = 1e-5
"""Sites are taken as equivalent within this, so tight that their fingerprints agree to 1e-6."""

STATISTICS = ("mean", "std_dev", "minimum", "maximum")


@dataclass(frozen=True, eq=False)
class Bonds:
    """Neighbours that CrystalNN finds, those of a site together and by descending weight."""

    centre: IntArray
    """Site, shape (bonds,), ascending."""
    other: IntArray
    """Neighbour, shape (bonds,)."""
    vector_angstrom: FloatArray
    """From the site to the neighbour, shape (bonds, 3), angstrom."""
    weight: FloatArray
    """Share of the largest weight at the site before lengths were judged, shape (bonds,), in (0, 1]."""
    rank: IntArray
    """Counts up along the bonds wherever the weight falls; equal for bonds of the same weight, shape (bonds,)."""


@dataclass(frozen=True, eq=False)
class Coordination:
    """Possible coordination numbers of the sites; number n means the n first bonds of the site."""

    site: IntArray
    """Site, shape (shells,)."""
    first_bond: IntArray
    """Row of the site's first bond, shape (shells,)."""
    number: IntArray
    """Coordination number, at least 1, shape (shells,)."""
    probability: FloatArray
    """Probability of the number, shape (shells,); what the numbers of a site lack to 1 is that of zero."""


def bonds(geometry: Geometry, sites: IntArray | None = None) -> Bonds:
    """Find the neighbours of sites and their weights.

    Args:
        geometry: the crystal.
        sites: indices, ascending; None for all.

    Raises:
        InputError: an element has no covalent radius, sites coincide, or a site has no closed Voronoi cell.
    """
    crystal = geometry.crystal
    radius, electronegativity = _element_columns()
    unknown = sorted({crystal.symbols[i] for i in np.flatnonzero(np.isnan(radius[crystal.numbers]))})
    if unknown:
        raise InputError(
            f"no covalent radius is known for {', '.join(unknown)}; leave such crystals out (H to Cm have one)"
        )
    chosen = np.arange(len(crystal)) if sites is None else sites
    faces = voronoi_faces(geometry, chosen.tolist(), SEARCH_ANGSTROM)
    one, two = crystal.numbers[faces.centre], crystal.numbers[faces.other]
    weight = faces.solid_angle**2 / faces.area_angstrom2
    difference = np.nan_to_num(np.abs(electronegativity[one] - electronegativity[two]))
    weight *= 1.0 + _ELECTRONEGATIVITY_FACTOR * np.sqrt(difference / _LARGEST_DIFFERENCE)
    largest = np.zeros(len(crystal))
    np.maximum.at(largest, faces.centre, weight)
    weight *= _length_factor(faces, radius[one] + radius[two]) / largest[faces.centre]
    return _ordered(faces, weight)


def coordination(found: Bonds) -> Coordination:
    """Turn weights into probabilities of coordination numbers.

    A number n is as likely as the area under the unit quarter circle between the weight of the n-th bond and the
    next smaller one, over that of the whole quarter.
    """
    start = np.flatnonzero(np.diff(found.centre, prepend=-1))
    first = np.repeat(start, np.diff(start, append=len(found.centre)))
    number = np.arange(len(found.centre)) - first + 1
    same_site = np.diff(found.centre, append=-1) == 0
    following = np.where(same_site, np.append(found.weight[1:], 0.0), 0.0)
    last = following < found.weight
    probability = _quarter_circle(found.weight) - _quarter_circle(following)
    return Coordination(found.centre[last], first[last], number[last], probability[last])


def fingerprints(geometry: Geometry, sites: IntArray | None = None) -> FloatArray:
    """Compute the fingerprint of sites.

    Args:
        geometry: the crystal.
        sites: indices, ascending; None for all.

    Returns:
        Shape (sites, :data:`PROPERTIES`), the probability of each coordination number up to 24 and the order
        parameters of its motifs times it.

    Raises:
        InputError: as :func:`bonds`.
    """
    found = bonds(geometry, sites)
    shells = coordination(found)
    direction = found.vector_angstrom / np.linalg.norm(found.vector_angstrom, axis=1)[:, None]
    values = np.zeros((len(geometry.crystal), len(PROPERTIES)))
    for number in np.unique(shells.number[shells.number <= _LARGEST_COORDINATION]).tolist():
        chosen = shells.number == number
        site, probability = shells.site[chosen], shells.probability[chosen]
        values[site, _COLUMN[number]] = probability
        if number in MOTIFS:
            rows = shells.first_bond[chosen][:, None] + np.arange(number)
            order = order_parameters(direction[rows], found.rank[rows])
            start = _COLUMN[number] + 1
            values[site, start : start + order.shape[1]] = probability[:, None] * order
    return values if sites is None else values[sites]


def _length_factor(faces: Faces, radii_angstrom: FloatArray) -> FloatArray:
    excess = np.linalg.norm(faces.vector_angstrom, axis=1) - radii_angstrom
    progress = (excess - _FULL_WEIGHT_ANGSTROM) / (_NO_WEIGHT_ANGSTROM - _FULL_WEIGHT_ANGSTROM)
    return np.asarray(0.5 * (1.0 + np.cos(np.pi * np.clip(progress, 0.0, 1.0))))


def _ordered(faces: Faces, weight: FloatArray) -> Bonds:
    """Sort the neighbours of each site by weight and leave out those without."""
    order = np.lexsort((-weight, faces.centre))
    rounded = np.round(weight[order], _DECIMALS)
    order, rounded = order[rounded > 0], rounded[rounded > 0]
    falls = np.abs(np.diff(weight[order], prepend=np.inf)) > _SAME_WEIGHT
    rank = np.cumsum(falls, dtype=np.int64)
    return Bonds(faces.centre[order], faces.other[order], faces.vector_angstrom[order], rounded, rank)


def _quarter_circle(x: FloatArray) -> FloatArray:
    """Area under the unit circle from 0 to x over that of the quarter."""
    return np.asarray((x * np.sqrt(1.0 - x * x) + np.arcsin(x)) * 2.0 / np.pi)


@cache
def _element_columns() -> tuple[FloatArray, FloatArray]:
    """Read covalent radii in angstrom and Pauling electronegativities, by atomic number; NaN where unknown.

    Radii: Cordero et al., Dalton Trans. 2832 (2008), doi 10.1039/b801115j (C sp2, Mn, Fe and Co as the mean of low
    and high spin). Electronegativities: Pauling's scale as pymatgen's periodic table has it.
    """
    columns = np.full((2, len(SYMBOLS) + 1), np.nan)
    text = files("hstore_models.features").joinpath("element_bond.csv").read_text(encoding="utf-8")
    number = {symbol: z for z, symbol in enumerate(SYMBOLS, start=1)}
    for row in csv.DictReader(text.splitlines()):
        z = number[row["element"]]
        columns[0, z] = float(row["covalent_radius_pm"] or "nan") / 100
        columns[1, z] = float(row["pauling_electronegativity"] or "nan")
    columns.flags.writeable = False
    return columns[0], columns[1]


def _properties() -> tuple[tuple[str, ...], dict[int, int]]:
    names: list[str] = []
    column: dict[int, int] = {}
    for number in range(1, _LARGEST_COORDINATION + 1):
        column[number] = len(names)
        names += [f"cn_{number}_{name}" for name in ("probability", *MOTIFS.get(number, ()))]
    return tuple(name.replace(" ", "_").replace("-", "_") for name in names), column


PROPERTIES, _COLUMN = _properties()
"""Names of the site properties and the column at which each coordination number starts."""


def _compute(geometry: Geometry) -> FloatArray:
    distinct, kinds = geometry.distinct_sites(_SYMMETRY_ANGSTROM)
    return site_statistics(fingerprints(geometry, distinct)[kinds], STATISTICS)


CRYSTAL_NN = StructureFeaturizer(
    name="crystal_nn",
    tier=2,
    columns=statistic_columns(PROPERTIES, STATISTICS),
    compute=_compute,
    summary="CrystalNN coordination fingerprints of the sites: mean, standard deviation, least and largest",
    source="doi 10.1039/C9RA07755C",
    matminer=(
        "matminer.featurizers.structure.sites:SiteStatsFingerprint.from_preset('CrystalNNFingerprint_ops', "
        "stats=('mean', 'std_dev', 'minimum', 'maximum'))"
    ),
    packages=("vesin", "scipy", "moyopy"),
    preload=("vesin", "scipy.spatial", "moyopy"),
)
