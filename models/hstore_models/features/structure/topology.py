"""Persistent homology of the atoms of a crystal, and of its metals, its hydrogen and its mobile ion alone.

Radii are distances from the centres of atoms: a void of radius r holds no centre. All numbers are for each atom,
for an area, or extremes, so that a supercell has the same. See :mod:`hstore_models.topology`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.compiled import PRELOAD
from hstore_models.features.electrolyte import MOBILE_IONS
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.hydrogen import NONMETALS

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.topology.persistence import Intervals, Persistence

FILTERS = ("all", "metal", "hydrogen", "mobile")
"""All atoms; metals as in the group ``hydrogen``; hydrogen; the ion that may move, first of ``MOBILE_IONS``."""
CHANNEL_SHARE = 0.9
"""Channels are counted at this share of the radius at which the first endless one opens."""
BIRTH_EDGES_ANGSTROM = np.linspace(0.0, 6.0, 13)
LIFETIME_EDGES_ANGSTROM = np.linspace(0.0, 3.0, 7)
WIDTH_ANGSTROM = 0.25
"""Standard deviation of the Gaussian by which images are blurred."""
DEATH_EDGES_ANGSTROM = np.linspace(0.0, 3.0, 13)
LEVELS = (0.0, 0.5, 1.0)
"""Landscapes of the most persistent feature and of those at so many for each atom."""
LANDSCAPE_RADII_ANGSTROM = np.linspace(0.5, 6.0, 12)
DETAILS = 6
"""Features of each dimension that are told with their atoms."""

_NUMBERS = (
    "hop_mean_angstrom",
    *(f"hop_{d}d_angstrom" for d in (1, 2, 3)),
    "ring_lifetime_max_angstrom",
    "ring_lifetime_sum_angstrom_per_atom",
    "rings_effective_per_atom",
    "ring_radius_mean_angstrom",
    "void_largest_radius_angstrom",
    "void_lifetime_max_angstrom",
    "void_lifetime_sum_angstrom_per_atom",
    "voids_effective_per_atom",
    "void_radius_mean_angstrom",
    *(f"channel_{d}d_radius_angstrom" for d in (1, 2, 3)),
    "channels_1d_per_nm2",
    "channels_2d_per_nm",
    "channels_3d",
)


def persistence_by_filter(crystal: Crystal) -> dict[str, tuple[Persistence, IntArray]]:
    """Return the features of each filter that has atoms, and which sites these are.

    Raises:
        InputError: sites coincide, or the cell is too large or too empty.
    """
    from hstore_models.topology.alpha import alpha_complex
    from hstore_models.topology.persistence import persistence_of

    found: dict[str, tuple[Persistence, IntArray]] = {}
    known: dict[bytes, tuple[Persistence, IntArray]] = {}
    for name, sites in sites_of(crystal).items():
        if not len(sites):
            continue
        key = sites.tobytes()
        if key not in known:
            complex_ = alpha_complex(crystal.lattice_angstrom, crystal.fractional[sites])
            known[key] = persistence_of(complex_), sites
        found[name] = known[key]
    return found


def sites_of(crystal: Crystal) -> dict[str, IntArray]:
    """Return the sites of each filter, possibly none."""
    mobile = next((ion for ion in MOBILE_IONS if ion in crystal.amounts), "")
    chosen = {
        "all": [True] * len(crystal),
        "metal": [symbol != "H" and symbol not in NONMETALS for symbol in crystal.symbols],
        "hydrogen": [symbol == "H" for symbol in crystal.symbols],
        "mobile": [symbol == mobile for symbol in crystal.symbols],
    }
    return {name: np.flatnonzero(kept) for name, kept in chosen.items()}


def _numbers(found: Persistence) -> FloatArray:
    atoms = len(found.complex.home)
    components, loops, voids = found.intervals
    return np.array([
        2 * components.death_angstrom.mean(),
        *found.hop_angstrom,
        *_of_intervals(loops, atoms),
        voids.death_angstrom.max(),
        *_of_intervals(voids, atoms),
        *found.channel_radius_angstrom,
        *found.channels(CHANNEL_SHARE * float(found.channel_radius_angstrom[0])),
    ])  # fmt: skip


def _of_intervals(intervals: Intervals, atoms: int) -> tuple[float, float, float, float]:
    """Return longest and summed lifetime, how many intervals matter, and the mean radius at which they end.

    The effective number is exp of the entropy of the shares in the summed lifetime (Chintakunta et al.,
    doi 10.1016/j.patcog.2014.06.023).
    """
    lifetime = intervals.lifetime_angstrom
    total = float(lifetime.sum())
    share = lifetime[lifetime > 0] / total
    entropy = float(-(share @ np.log(share)))
    mean = float(lifetime @ intervals.death_angstrom) / total
    return float(lifetime.max()), total / atoms, float(np.exp(entropy)) / atoms, mean


def _compute(geometry: Geometry) -> FloatArray:
    found = geometry.topology
    absent = np.full(len(_NUMBERS), np.nan)
    return np.concatenate([_numbers(found[name][0]) if name in found else absent for name in FILTERS])


def _images(found: Persistence) -> FloatArray:
    from hstore_models.topology.vectors import death_density, landscape, persistence_image

    atoms = len(found.complex.home)
    parts = [death_density(found.intervals[0], atoms, edges=DEATH_EDGES_ANGSTROM, width=WIDTH_ANGSTROM)]
    for intervals in found.intervals[1:]:
        image = persistence_image(
            intervals,
            atoms,
            birth_edges=BIRTH_EDGES_ANGSTROM,
            lifetime_edges=LIFETIME_EDGES_ANGSTROM,
            width=WIDTH_ANGSTROM,
        )
        curves = landscape(intervals, atoms, levels=LEVELS, radii=LANDSCAPE_RADII_ANGSTROM)
        parts += [image.ravel(), curves.ravel()]
    return np.concatenate(parts)


def _image_columns() -> tuple[str, ...]:
    names = [f"components_at_{edge:.2f}" for edge in DEATH_EDGES_ANGSTROM[:-1]]
    for what in ("ring", "void"):
        names += [
            f"{what}_image_{birth:.1f}_{lifetime:.1f}"
            for birth in BIRTH_EDGES_ANGSTROM[:-1]
            for lifetime in LIFETIME_EDGES_ANGSTROM[:-1]
        ]
        names += [
            f"{what}_landscape_{level:.1f}_at_{radius:.1f}"
            for level in LEVELS
            for radius in LANDSCAPE_RADII_ANGSTROM
        ]
    return tuple(names)


_IMAGE_COLUMNS = _image_columns()


def _compute_images(geometry: Geometry) -> FloatArray:
    found = geometry.topology
    absent = np.full(len(_IMAGE_COLUMNS), np.nan)
    return np.concatenate([_images(found[name][0]) if name in found else absent for name in FILTERS])


def _sites(geometry: Geometry) -> dict[str, FloatArray]:
    """Return the radius of the largest void that each atom bounds, angstrom."""
    found, _ = geometry.topology["all"]
    simplices = found.complex.simplices
    widest = np.zeros(len(geometry.crystal))
    np.maximum.at(widest, simplices[3].atoms, simplices[3].radius_angstrom[:, None])
    return {"void_radius_angstrom": widest}


def _details(geometry: Geometry) -> dict[str, Any]:
    from hstore_models.topology.inverse import most_persistent

    return {
        name: [
            feature.record()
            for dimension in (2, 1)
            for feature in most_persistent(found, sites, dimension=dimension, most=DETAILS)
        ]
        for name, (found, sites) in geometry.topology.items()
    }


_SOURCE = "arXiv:1003.0434; doi 10.1145/174462.156635"

TOPOLOGY = StructureFeaturizer(
    name="topology",
    tier=2,
    columns=tuple(f"{name}_{number}" for name in FILTERS for number in _NUMBERS),
    compute=_compute,
    sites=_sites,
    details=_details,
    summary="Voids, channels, rings and hops of all atoms, of metals, hydrogen and the mobile ion",
    source=_SOURCE,
    parameters=(("channel_share", CHANNEL_SHARE),),
    packages=("scipy", "moyopy"),
    preload=(*PRELOAD, "scipy.spatial", "moyopy"),
)

TOPOLOGY_IMAGES = StructureFeaturizer(
    name="topology_images",
    tier=2,
    columns=tuple(f"{name}_{column}" for name in FILTERS for column in _IMAGE_COLUMNS),
    compute=_compute_images,
    summary="Persistence images and landscapes of the same, on fixed grids",
    source=f"{_SOURCE}; J. Mach. Learn. Res. 18, 8 (2017) and 16, 77 (2015)",
    parameters=(("width_angstrom", WIDTH_ANGSTROM),),
    packages=("scipy", "moyopy"),
    preload=(*PRELOAD, "scipy.spatial", "scipy.special", "moyopy"),
)
