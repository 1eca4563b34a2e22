"""CrystalNN fingerprints: ideal shells, invariances, agreement with pymatgen and matminer."""

from __future__ import annotations

import itertools
import os
import tarfile
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ase.spacegroup import crystal
from pymatgen.core import Element, Lattice, Structure

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError, UnknownNameError
from hstore_models.features.structure import crystal_nn
from hstore_models.features.structure.coordination import voronoi_faces
from hstore_models.features.structure.crystal_nn import CRYSTAL_NN, PROPERTIES, bonds, coordination, fingerprints
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.order_parameters import MOTIFS, order_parameters
from hstore_models.features.structure.site_statistics import site_statistics, statistic_columns

CUBE = PROPERTIES.index("cn_8_body_centered_cubic")
"""matminer's value depends on the order in which qhull lists equivalent neighbours; see the test of its own."""


def ring(count: int) -> np.ndarray:
    turn = np.arange(count) * 2 * np.pi / count
    return np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], axis=1)


def bent(degrees: float) -> np.ndarray:
    return np.array([[1, 0, 0], [np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0]])


NORTH, SOUTH = np.array([[0.0, 0, 1]]), np.array([[0.0, 0, -1]])
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
IDEAL = {
    "L-shaped": bent(90),
    "water-like": bent(104.45),
    "bent 120 degrees": bent(120),
    "bent 150 degrees": bent(150),
    "linear": bent(180),
    "trigonal planar": ring(3),
    "trigonal non-coplanar": TETRAHEDRON[:3],
    "T-shaped": ring(4)[:3],
    "square co-planar": ring(4),
    "tetrahedral": TETRAHEDRON,
    "rectangular see-saw-like": np.concatenate([ring(4)[:2], NORTH, SOUTH]),
    "see-saw-like": np.concatenate([ring(3)[:2], NORTH, SOUTH]),
    "trigonal pyramidal": np.concatenate([ring(3), NORTH]),
    "pentagonal planar": ring(5),
    "square pyramidal": np.concatenate([ring(4), NORTH]),
    "trigonal bipyramidal": np.concatenate([ring(3), NORTH, SOUTH]),
    "hexagonal planar": ring(6),
    "octahedral": np.concatenate([ring(4), NORTH, SOUTH]),
    "pentagonal pyramidal": np.concatenate([ring(5), NORTH]),
    "hexagonal pyramidal": np.concatenate([ring(6), NORTH]),
    "pentagonal bipyramidal": np.concatenate([ring(5), NORTH, SOUTH]),
    "body-centered cubic": np.array(list(itertools.product((-1, 1), repeat=3))) / np.sqrt(3),
    "hexagonal bipyramidal": np.concatenate([ring(6), NORTH, SOUTH]),
    "cuboctahedral": np.array([v for v in itertools.product((-1, 0, 1), repeat=3) if np.abs(v).sum() == 2])
    / np.sqrt(2),
}
LAYER = ring(12)[1::4] / np.sqrt(3)
HCP = np.concatenate([ring(6), LAYER + NORTH * np.sqrt(2 / 3), LAYER + SOUTH * np.sqrt(2 / 3)])
NEAR_CUBE = np.array([v for v in itertools.product((-1.0, 0, 1), repeat=3) if any(v)])


def turned(vectors: np.ndarray, seed: int) -> np.ndarray:
    return vectors @ np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]


@pytest.mark.parametrize("motif", IDEAL)
def test_ideal_shell_has_order_one_however_turned(motif):
    shell = IDEAL[motif]
    values = order_parameters(np.stack([shell, turned(shell, 1), turned(shell[::-1], 2)]))
    names = list(MOTIFS[len(shell)])
    np.testing.assert_allclose(values[:, names.index(motif)], 1.0, atol=1e-9)
    np.testing.assert_allclose(values, values[:1].repeat(3, axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("shell", "q4", "q6"), [(IDEAL["cuboctahedral"], 0.19094, 0.57452), (HCP, 0.09722, 0.48476)]
)
def test_steinhardt_parameters_of_close_packings(shell, q4, q6):
    values = dict(zip(MOTIFS[12], order_parameters(shell[None])[0], strict=True))
    assert values["q4"] == pytest.approx(q4, abs=1e-5)
    assert values["q6"] == pytest.approx(q6, abs=1e-5)


class Place:
    """What pymatgen's order parameters ask of a site."""

    def __init__(self, coords: np.ndarray) -> None:
        self.coords = coords


@cache
def pymatgen_motifs(count: int) -> list:
    from pymatgen.core.local_env import CN_OPT_PARAMS, LocalStructOrderParams

    motifs = []
    for name in MOTIFS[count]:
        kind, *parameters = CN_OPT_PARAMS.get(count, {}).get(name, [name])
        motifs.append(LocalStructOrderParams([kind], parameters=[parameters[0] if parameters else None]))
    return motifs


def pymatgen_order_parameters(shell: np.ndarray) -> list[float]:
    places = [Place(np.zeros(3)), *map(Place, shell)]
    indices = list(range(1, len(places)))
    return [m.get_order_parameters(places, 0, indices_neighs=indices)[0] or 0 for m in pymatgen_motifs(len(shell))]


@pytest.mark.parametrize("count", MOTIFS)
def test_order_parameters_equal_pymatgen(count):
    rng = np.random.default_rng(count)
    anyhow = rng.normal(size=(6, count, 3))
    regular = np.stack([NEAR_CUBE[rng.permutation(26)[:count]] for _ in range(12)])
    bent_a_little = regular + rng.normal(0, 0.05, regular.shape)
    shells = np.concatenate([anyhow, regular, bent_a_little])
    shells /= np.linalg.norm(shells, axis=-1, keepdims=True)
    ranks = np.arange(count)[None].repeat(len(shells), axis=0)
    expected = np.array([pymatgen_order_parameters(shell) for shell in shells])
    np.testing.assert_allclose(order_parameters(shells, ranks), expected, atol=1e-7)
    assert count == 1 or np.ptp(expected, axis=0).min() > 0.05


def test_cube_averages_over_the_order_of_equivalent_neighbours():
    shell = np.random.default_rng(5).normal(size=(8, 3))
    shell /= np.linalg.norm(shell, axis=1, keepdims=True)
    column = list(MOTIFS[8]).index("body-centered cubic")
    orders = np.random.default_rng(6).permuted(np.arange(8)[None].repeat(200, axis=0), axis=1)
    both = np.concatenate([orders, orders[:, ::-1]])
    ranked = order_parameters(shell[both], np.arange(8)[None].repeat(400, axis=0))[:, column]
    assert np.ptp(ranked) > 1e-3
    assert order_parameters(shell[None])[0, column] == pytest.approx(ranked.mean(), abs=1e-12)


def make(group: int, lattice: Lattice, symbols: list[str], places: list[list[float]]) -> Structure:
    """Expand sites by ASE: pymatgen takes seconds for the groups here."""
    atoms = crystal(symbols, places, spacegroup=group, cellpar=lattice.parameters)
    return Structure(lattice, atoms.get_chemical_symbols(), atoms.get_scaled_positions())


@cache
def crystal_types() -> dict[str, Structure]:
    cubic = Lattice.cubic
    return {
        "Cu": make(225, cubic(3.61), ["Cu"], [[0, 0, 0]]),
        "W": make(229, cubic(3.16), ["W"], [[0, 0, 0]]),
        "Mg": make(194, Lattice.hexagonal(3.2, 5.2), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
        "NaCl": make(225, cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "CsCl": make(221, cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "ZnS": make(216, cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
        "CaF2": make(225, cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
        "SrTiO3": make(221, cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
        "MgH2": make(136, Lattice.tetragonal(4.52, 3.02), ["Mg", "H"], [[0, 0, 0], [0.304, 0.304, 0]]),
        "LaNi5": make(
            191, Lattice.hexagonal(5.02, 3.98), ["La", "Ni", "Ni"], [[0, 0, 0], [1 / 3, 2 / 3, 0], [0.5, 0, 0.5]]
        ),
        "K2PtCl6": make(225, cubic(9.7), ["K", "Pt", "Cl"], [[0.25] * 3, [0, 0, 0], [0.24, 0, 0]]),
        "graphene in a box": Structure(
            Lattice.hexagonal(2.46, 20), ["C", "C"], [[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]
        ),
        "H2 in a box": Structure(Lattice.cubic(12), ["H", "H"], [[0, 0, 0], [0.0617, 0, 0]]),
        "helium and xenon": Structure(Lattice.cubic(4), ["He", "Xe"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "without symmetry": Structure(
            Lattice.from_parameters(4.7, 5.3, 6.1, 83, 97, 104),
            ["Li", "P", "S", "S", "H", "O"],
            np.random.default_rng(8).random((6, 3)),
        ),
    }


def fingerprint_of(structure: Structure) -> np.ndarray:
    return fingerprints(Geometry(Crystal.from_pymatgen(structure)))


def matminer_fingerprint(structure: Structure) -> np.ndarray:
    from matminer.featurizers.site import CrystalNNFingerprint

    featurizer = CrystalNNFingerprint.from_preset("ops")
    return np.array([featurizer.featurize(structure, site) for site in range(len(structure))])


@pytest.mark.filterwarnings("ignore")  # those of matminer: no oxidation states
@pytest.mark.parametrize("name", crystal_types())
def test_fingerprints_equal_matminer(name):
    structure = crystal_types()[name]
    ours, theirs = fingerprint_of(structure), matminer_fingerprint(structure)
    np.testing.assert_allclose(np.delete(ours, CUBE, 1), np.delete(theirs, CUBE, 1), atol=1e-6)
    np.testing.assert_allclose(ours[:, CUBE], theirs[:, CUBE], atol=0.02)


@pytest.mark.filterwarnings("ignore")  # those of matminer: no oxidation states
@pytest.mark.parametrize("name", ["W", "CsCl", "CaF2", "SrTiO3"])
def test_cube_equals_matminer_where_no_neighbours_are_equivalent(name):
    structure = crystal_types()[name]
    moved = structure.cart_coords + np.random.default_rng(4).normal(0, 0.05, (len(structure), 3))
    structure = Structure(structure.lattice, structure.species, moved, coords_are_cartesian=True)
    np.testing.assert_allclose(fingerprint_of(structure), matminer_fingerprint(structure), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # those of matminer: no oxidation states
@pytest.mark.parametrize("name", ["MgH2", "K2PtCl6", "without symmetry"])
def test_statistics_equal_matminer(name):
    from matminer.featurizers.structure.sites import SiteStatsFingerprint

    structure = crystal_types()[name]
    peer = SiteStatsFingerprint.from_preset(
        "CrystalNNFingerprint_ops", stats=("mean", "std_dev", "minimum", "maximum")
    )
    ours = CRYSTAL_NN.compute(Geometry(Crystal.from_pymatgen(structure)))
    assert len(ours) == len(CRYSTAL_NN.columns) == len(peer.feature_labels())
    chosen = np.array(["body_centered_cubic" not in column for column in CRYSTAL_NN.columns])
    np.testing.assert_allclose(ours[chosen], np.array(peer.featurize(structure))[chosen], atol=1e-6)


@pytest.mark.long
@pytest.mark.mirror
@pytest.mark.filterwarnings("ignore")  # those of matminer and of reading the files
def test_fingerprints_equal_matminer_on_real_electrolytes():
    folder = os.environ.get("HSTORE_DATA_MIRROR")
    if not folder:
        pytest.skip("HSTORE_DATA_MIRROR is not set")
    structures = []
    with tarfile.open(Path(folder) / "obelix" / "all_cifs.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".cif") else None
            if content is None or len(structures) == 12:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                structure = Structure.from_str(content.read().decode(), fmt="cif")
            if structure.is_ordered and len(structure) <= 24:
                structures.append(structure.remove_oxidation_states())
    assert len(structures) == 12
    for structure in structures:
        ours, theirs = fingerprint_of(structure), matminer_fingerprint(structure)
        np.testing.assert_allclose(np.delete(ours, CUBE, 1), np.delete(theirs, CUBE, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "site", "number", "motif"),
    [
        ("NaCl", 0, 6, "octahedral"),
        ("ZnS", 0, 4, "tetrahedral"),
        ("CaF2", 0, 8, "body_centered_cubic"),
        ("CaF2", 4, 4, "tetrahedral"),
        ("Cu", 0, 12, "cuboctahedral"),
        ("graphene in a box", 0, 3, "trigonal_planar"),
        ("H2 in a box", 0, 1, "sgl_bd"),
    ],
)
def test_known_coordination(name, site, number, motif):
    values = dict(zip(PROPERTIES, fingerprint_of(crystal_types()[name])[site], strict=True))
    assert values[f"cn_{number}_probability"] > 0.9
    assert values[f"cn_{number}_{motif}"] == pytest.approx(values[f"cn_{number}_probability"])


def test_probabilities_of_a_site_add_to_one_or_less():
    for structure in crystal_types().values():
        found = bonds(Geometry(Crystal.from_pymatgen(structure)))
        shells = coordination(found)
        assert (shells.probability > 0).all()
        total = np.bincount(shells.site, shells.probability)
        assert (total < 1 + 1e-12).all()
        strongest = found.weight[np.flatnonzero(np.diff(found.centre, prepend=-1))]
        np.testing.assert_allclose(total[strongest == 1], 1)


def test_faces_close_the_cells_and_fill_the_crystal():
    for name in ("Cu", "MgH2", "LaNi5", "without symmetry"):
        structure = crystal_types()[name]
        faces = voronoi_faces(Geometry(Crystal.from_pymatgen(structure)), range(len(structure)), 7.0)
        np.testing.assert_allclose(np.bincount(faces.centre, faces.solid_angle), 4 * np.pi)
        distance = np.linalg.norm(faces.vector_angstrom, axis=1)
        assert (faces.area_angstrom2 * distance / 6).sum() == pytest.approx(structure.volume)


@pytest.mark.parametrize("name", ["SrTiO3", "LaNi5", "without symmetry"])
def test_statistics_do_not_depend_on_turn_origin_order_or_cell(name):
    structure = crystal_types()[name]
    plain = CRYSTAL_NN.compute(Geometry(Crystal.from_pymatgen(structure)))
    larger = Crystal.from_pymatgen(structure * (1, 2, 1))
    order = np.random.default_rng(2).permutation(len(larger))
    other = Crystal(turned(larger.lattice_angstrom, 3), larger.fractional[order] + 0.37, larger.numbers[order])
    np.testing.assert_allclose(CRYSTAL_NN.compute(Geometry(other)), plain, atol=1e-6)


def test_some_sites_have_the_fingerprints_they_have_among_all():
    geometry = Geometry(Crystal.from_pymatgen(crystal_types()["LaNi5"]))
    np.testing.assert_array_equal(fingerprints(geometry, np.array([1, 4])), fingerprints(geometry)[[1, 4]])


@pytest.mark.filterwarnings("ignore")  # pymatgen warns of elements without electronegativity
def test_element_table_equals_pymatgen():
    from pymatgen.core.molecule_structure_comparator import CovalentRadius

    radius, electronegativity = crystal_nn._element_columns()
    for number, symbol in enumerate(SYMBOLS, start=1):
        np.testing.assert_allclose(radius[number], CovalentRadius.radius.get(symbol, np.nan), err_msg=symbol)
        np.testing.assert_allclose(electronegativity[number], Element(symbol).X, err_msg=symbol)


def test_refuses_what_has_no_fingerprint():
    californium = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([98]))
    with pytest.raises(InputError, match="no covalent radius is known for Cf"):
        fingerprints(Geometry(californium))
    twice = Crystal(np.eye(3) * 4, np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 0.5, 0.5]]), np.array([1, 1, 3]))
    with pytest.raises(InputError, match="at the same place"):
        fingerprints(Geometry(twice))


STATISTICS = (
    "mean", "std_dev", "minimum", "maximum", "range", "avg_dev", "geom_std_dev",
    *(f"holder_mean::{power}" for power in range(-4, 5)),
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # those of importing matminer
@pytest.mark.parametrize("sites", [1, 2, 7])
def test_statistics_of_sites_equal_matminer(sites):
    from matminer.featurizers.utils.stats import PropertyStats

    values = np.random.default_rng(sites).uniform(0.5, 3, (sites, 3))
    expected = [[PropertyStats.calc_stat(column, name) for name in STATISTICS] for column in values.T]
    np.testing.assert_allclose(site_statistics(values, STATISTICS), np.ravel(expected), rtol=1e-12)
    assert statistic_columns(["a", "b"], ("mean", "holder_mean::-2"))[1:3] == ("a_holder_mean_-2", "b_mean")


def test_statistics_of_sites_keep_gaps_and_name_what_they_know():
    gaps = site_statistics(np.array([[1.0, np.nan], [3.0, 2.0]]), STATISTICS).reshape(2, -1)
    assert np.isfinite(gaps[0]).all()
    assert np.isnan(gaps[1]).all()
    with pytest.raises(UnknownNameError, match="median"):
        site_statistics(np.ones((2, 1)), ["median"])
