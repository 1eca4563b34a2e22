"""What matminer has beyond our own featurizers, computed by matminer itself within our time limits.

Columns are fixed before anything is computed: names of short groups are matminer's labels in lower case with
underscores, members of long vectors are numbered in matminer's order.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.features.magpie import PROPERTIES
from hstore_models.features.structure.featurizer import StructureFeaturizer
from hstore_models.features.structure.oxidation import oxidation_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

LEFT_OUT: Mapping[str, str] = {
    "AngularFourierSeries": "20 s and more for a crystal of 12 atoms (1600 columns)",
    "BagofBonds, BondFractions": "the columns are the bonds of the structures it was fitted to",
    "ChemicalSRO": "the columns are the elements of the structures it was fitted to",
    "CoulombMatrix": "made for molecules: it does not see the periodic images",
    "PartialRadialDistributionFunction, PartialsSiteStatsFingerprint": "as ChemicalSRO",
    "SiteElementalProperty, StructureComposition": "properties of the composition, see `magpie`",
    "CohesiveEnergy, CohesiveEnergyMP": "ask the Materials Project over the network",
}
"""Featurizers of matminer that are not on the menu, and why."""

_STATISTICS = ("mean", "std_dev", "minimum", "maximum")
_STRUCTURE, _SITE = "matminer.featurizers.structure", "matminer.featurizers.site"
_COMPOSITION = "matminer.featurizers.composition"
_WAVES = 32
_PACKAGES = ("matminer", "pymatgen")


@dataclass(frozen=True)
class Recipe:
    """How to compute a group of columns with matminer; called with the geometry of a crystal."""

    module: str
    """Module of the class."""
    name: str
    """Name of the class."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Its arguments by name."""
    preset: str = ""
    """Name of the preset it is built from, if any."""
    statistics: tuple[str, ...] = ()
    """Statistics over sites for a featurizer of sites; empty for one of structures."""
    charged: bool = False
    """Whether sites need oxidation states; those guessed from the composition are given."""
    reduction: str = ""
    """What is done to a result whose length follows the number of sites: ``eigenvalues`` or ``statistics``."""

    def __call__(self, geometry: Geometry) -> FloatArray:
        """Compute the values.

        Raises:
            InputError: oxidation states are needed and none balance.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations between matminer and pymatgen
            structure = _decorated(geometry) if self.charged else geometry.pymatgen
            values = _built(self).featurize(structure.composition if self.module == _COMPOSITION else structure)
        if self.reduction == "eigenvalues":
            return _largest_eigenvalues(np.asarray(values[0], dtype=float))
        if self.reduction == "statistics":
            sites = np.asarray(values[0], dtype=float)
            return np.array([sites.mean(), sites.std(), sites.min(), sites.max()])
        return np.asarray(values, dtype=float)


@cache
def _built(recipe: Recipe) -> Any:
    kind = getattr(import_module(recipe.module), recipe.name)
    arguments = dict(recipe.arguments)
    built = kind.from_preset(recipe.preset, **arguments) if recipe.preset else kind(**arguments)
    if not recipe.statistics:
        return built
    return import_module(_STRUCTURE).SiteStatsFingerprint(built, stats=recipe.statistics)


def _decorated(geometry: Geometry) -> Any:
    states = oxidation_states(geometry.crystal.amounts)
    if states is None:
        raise InputError(
            f"no known oxidation states balance in {geometry.crystal.formula}; this group needs charges"
        )
    structure = geometry.pymatgen.copy()
    structure.add_oxidation_state_by_element(states)
    return structure


def _largest_eigenvalues(matrix: FloatArray) -> FloatArray:
    values = np.linalg.eigvalsh(matrix)
    padded = np.zeros(_WAVES)
    order = np.argsort(-np.abs(values), kind="stable")[:_WAVES]
    padded[: len(order)] = values[order]
    return padded


def column_name(label: str) -> str:
    """Write a label of matminer as a column name: lower case, words joined by underscores."""
    return re.sub(r"[^0-9a-z.+-]+", "_", label.lower()).strip("_")


def _site_columns(statistics: Iterable[str], labels: Iterable[str]) -> tuple[str, ...]:
    statistics = tuple(statistics)
    return tuple(column_name(f"{stat} {label}") for label in labels for stat in statistics)


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{number}" for number in range(count))


_MOTIFS = (
    "sgl_bd CN_1", "L-shaped CN_2", "water-like CN_2", "bent 120 degrees CN_2", "bent 150 degrees CN_2",
    "linear CN_2", "trigonal planar CN_3", "trigonal non-coplanar CN_3", "T-shaped CN_3", "square co-planar CN_4",
    "tetrahedral CN_4", "rectangular see-saw-like CN_4", "see-saw-like CN_4", "trigonal pyramidal CN_4",
    "pentagonal planar CN_5", "square pyramidal CN_5", "trigonal bipyramidal CN_5", "hexagonal planar CN_6",
    "octahedral CN_6", "pentagonal pyramidal CN_6", "hexagonal pyramidal CN_7", "pentagonal bipyramidal CN_7",
    "body-centered cubic CN_8", "hexagonal bipyramidal CN_8",
    *(f"q{order} CN_{number}" for number in (9, 10, 11) for order in (2, 4, 6)),
    "cuboctahedral CN_12", "q2 CN_12", "q4 CN_12", "q6 CN_12",
)  # fmt: skip
_ENVIRONMENTS = (
    "S:1", "L:2", "A:2", "TL:3", "TY:3", "TS:3", "T:4", "S:4", "SY:4", "SS:4", "PP:5", "S:5", "T:5", "O:6", "T:6",
    "PP:6", "PB:7", "ST:7", "ET:7", "FO:7", "C:8", "SA:8", "SBT:8", "TBT:8", "DD:8", "DDPN:8", "HB:8", "BO_1:8",
    "BO_2:8", "BO_3:8", "TC:9", "TT_1:9", "TT_2:9", "TT_3:9", "HD:9", "TI:9", "SMA:9", "SS:9", "TO_1:9", "TO_2:9",
    "TO_3:9", "PP:10", "PA:10", "SBSA:10", "MI:10", "BS_1:10", "BS_2:10", "TBSA:10", "PCPA:11", "H:11", "DI:11",
    "I:12", "PBP:12", "TT:12", "C:12", "AC:12", "SC:12", "HP:12", "HA:12", "SH:13", "DD:20",
)  # fmt: skip
_ETAS = ("8.00e-01", "1.23e+00", "1.88e+00", "2.89e+00", "4.43e+00", "6.80e+00", "1.04e+01", "1.60e+01")
_SYMMETRY_FUNCTIONS = (
    "G2_0.05", "G2_4.0", "G2_20.0", "G2_80.0", "G4_0.005_1.0_1.0", "G4_0.005_1.0_-1.0", "G4_0.005_4.0_1.0",
    "G4_0.005_4.0_-1.0",
)  # fmt: skip
_HOLDER = (*(f"holder_mean::{power}" for power in range(-4, 5)), "std_dev", "geom_std_dev")
_PARTS = tuple(f"Interstice_{what}_{stat}" for what in ("dist", "area", "vol") for stat in _STATISTICS)
_PACKING = (
    "mean simul. packing efficiency", "mean abs simul. packing efficiency",
    *(f"dist from {number} clusters |APE| < 0.010" for number in (1, 3, 5)),
)  # fmt: skip
_WARD = ("minimum", "maximum", "range", "mean", "avg_dev")
_DE_JONG = (*(f"holder_mean::{power}" for power in range(5)), "std_dev")
_DE_JONG_PROPERTIES = ("Number", "AtomicWeight", "Column", "Row", "CovalentRadius", "Electronegativity")
_WARD_DOI, _DE_JONG_DOI, _ZIMMERMANN_DOI = (
    "doi 10.1103/PhysRevB.96.024104",
    "doi 10.1038/srep34256",
    "doi 10.3389/fmats.2017.00034",
)


def _make(
    name: str, recipe: Recipe, columns: tuple[str, ...], texts: tuple[str, str], *, seconds: float = 60.0
) -> StructureFeaturizer:
    summary, source = texts
    return StructureFeaturizer(
        name=name,
        tier=3,
        columns=columns,
        compute=recipe,
        summary=summary,
        source=source,
        seconds=seconds,
        packages=_PACKAGES,
        preload=(_STRUCTURE, _SITE, _COMPOSITION),
    )


def _structures(name: str, **options: Any) -> Recipe:
    return Recipe(_STRUCTURE, name, **options)


def _sites(name: str, **options: Any) -> Recipe:
    return Recipe(_SITE, name, statistics=_STATISTICS, **options)


def _preset(preset: str) -> Recipe:
    return _structures("SiteStatsFingerprint", preset=preset)


FEATURIZERS: tuple[StructureFeaturizer, ...] = (
    _make(
        "structural_complexity", _structures("StructuralComplexity"),
        ("structural_complexity_bits_per_atom", "structural_complexity_bits_per_cell"),
        ("Shannon information of the site occupation", "doi 10.1180/minmag.2013.077.3.05"),
    ),
    _make(
        "xrd", _structures("XRDPowderPattern"), _numbered("xrd_two_theta", 128),
        ("Powder pattern for Cu K-alpha, smoothed, at each degree of 2 theta", "pymatgen's XRDCalculator"),
    ),
    _make(
        "dimensionality", _structures("Dimensionality"), ("dimensionality",),
        ("Dimension of the bonded network (0 to 3) by CrystalNN", "doi 10.1103/PhysRevMaterials.3.034003"),
    ),
    _make(
        "global_instability", _structures("GlobalInstabilityIndex", charged=True), ("global_instability_index",),
        ("Root mean square misfit of bond-valence sums", "doi 10.1016/0022-4596(92)90094-C"),
    ),
    _make(
        "electronic_rdf",
        _structures(
            "ElectronicRadialDistributionFunction", arguments=(("cutoff", 10.0), ("dr", 0.1)), charged=True
        ),
        _numbered("redf", 101),
        ("Radial distribution weighted by charges up to 10 A", "doi 10.1107/S0108768104028344"),
    ),
    _make(
        "minimum_relative_distances",
        _structures(
            "MinimumRelativeDistances", arguments=(("flatten", False), ("include_species", False)),
            reduction="statistics",
        ),
        _site_columns(_STATISTICS, ("minimum relative distance",)),
        ("Nearest neighbour distance over the sum of radii, statistics over sites", "matminer"),
    ),
    _make(
        "sine_coulomb",
        _structures("SineCoulombMatrix", arguments=(("flatten", False),), reduction="eigenvalues"),
        _numbered("sine_coulomb", _WAVES),
        (f"The {_WAVES} largest eigenvalues of the sine Coulomb matrix", "doi 10.1002/qua.24917"),
    ),
    _make(
        "orbital_field", _structures("OrbitalFieldMatrix"), _numbered("orbital_field", 1024),
        ("Orbital field matrix, 32 by 32, mean over sites", "doi 10.1080/14686996.2017.1378060"),
    ),
    _make(
        "jarvis_cfid", _structures("JarvisCFID"), _numbered("cfid", 1557),
        ("Classical force-field inspired descriptors", "doi 10.1103/PhysRevMaterials.2.083801"),
    ),
    _make(
        "order_parameters", _preset("OPSiteFingerprint"), _site_columns(("mean", "std_dev"), _MOTIFS),
        ("Resemblance of sites to 37 coordination motifs", _ZIMMERMANN_DOI),
    ),
    _make(
        "bond_length", _preset("BondLength-dejong2016"), _site_columns(_HOLDER, ("Average bond length",)),
        ("Hoelder means of mean Voronoi bond lengths", _DE_JONG_DOI),
    ),
    _make(
        "bond_angle", _preset("BondAngle-dejong2016"), _site_columns(_HOLDER, ("Average bond angle",)),
        ("Hoelder means of mean Voronoi bond angles", _DE_JONG_DOI),
    ),
    _make(
        "local_property_difference", _preset("LocalPropertyDifference_ward-prb-2017"),
        _site_columns(_WARD, (f"local difference in {name}" for name in PROPERTIES)),
        ("Differences of elemental properties between Voronoi neighbours", _WARD_DOI),
    ),
    _make(
        "local_composition_difference", _preset("Composition-dejong2016_AD"),
        _site_columns(_DE_JONG, (f"local difference in {name}" for name in _DE_JONG_PROPERTIES)),
        ("Hoelder means of differences of six properties between neighbours", _DE_JONG_DOI),
    ),
    _make(
        "ewald_sites", _sites("EwaldSiteEnergy", arguments=(("accuracy", 4),), charged=True),
        _site_columns(_STATISTICS, ("ewald_site_energy",)),
        ("Electrostatic energy of each site, eV", "doi 10.1002/andp.19213690304"),
    ),
    _make(
        "agni", _sites("AGNIFingerprints", arguments=(("directions", (None,)),)),
        _site_columns(_STATISTICS, (f"AGNI eta={eta}" for eta in _ETAS)),
        ("Fingerprints of AGNI without direction, which would turn with the cell", "doi 10.1021/acs.jpcc.6b10908"),
    ),
    _make(
        "gaussian_symmetry", _sites("GaussianSymmFunc"), _site_columns(_STATISTICS, _SYMMETRY_FUNCTIONS),
        ("Symmetry functions of Behler and Parrinello", "doi 10.1063/1.3553717"),
    ),
    _make(
        "gaussian_rdf", _sites("GeneralizedRadialDistributionFunction", preset="gaussian"),
        _site_columns(_STATISTICS, (f"Gaussian center={place}.0 width=1.0" for place in range(10))),
        ("Radial distribution of each site in ten Gaussians", "doi 10.1103/PhysRevB.95.144110"),
    ),
    _make(
        "bond_orientation", _sites("BondOrientationalParameter"),
        _site_columns(_STATISTICS, (f"BOOP Q l={order}" for order in range(1, 11))),
        ("Bond-orientational parameters Q1 to Q10", "doi 10.1103/PhysRevB.28.784"),
    ),
    _make(
        "interstice_distribution", _sites("IntersticeDistribution"), _site_columns(_STATISTICS, _PARTS),
        ("Free length, area and volume between neighbours", "doi 10.1038/s41467-019-13511-9"),
    ),
    _make(
        "chemical_environments", _sites("ChemEnvSiteFingerprint", preset="simple"),
        _site_columns(_STATISTICS, _ENVIRONMENTS),
        ("Resemblance of sites to 61 coordination polyhedra", "doi 10.1021/acs.chemmater.7b02766"), seconds=120.0,
    ),
    _make(
        "atomic_packing", Recipe(_COMPOSITION, "AtomicPackingEfficiency"),
        tuple(column_name(label) for label in _PACKING),
        ("Packing of clusters of the composition's atoms, as in glasses", "doi 10.1038/ncomms9123"), seconds=120.0,
    ),
)  # fmt: skip
"""The featurizers of tier 3."""
