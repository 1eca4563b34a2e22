"""Voronoi tessellation: known polyhedra, sum rules, invariances, extreme cells, agreement with pymatgen."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import QhullError
from scipy.spatial.transform import Rotation

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure import voronoi as module
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.voronoi import tessellate
from hstore_models.features.structure.voronoi_images import CompactCell, Images, ridges_of

CUBIC = {"sc": np.eye(3), "fcc": (np.ones((3, 3)) - np.eye(3)) / 2, "bcc": (np.ones((3, 3)) - 2 * np.eye(3)) / 2}
A = 3.6


def lattice_of(name: str) -> Crystal:
    return Crystal(A * CUBIC[name], np.zeros((1, 3)), np.array([29]))


def rutile() -> Crystal:
    """MgH2: two formula units, shared corners where rounding errors could split them."""
    u = 0.304
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]]
    return Crystal(np.diag([4.517, 4.517, 3.021]), np.array(places), np.array([12, 12, 1, 1, 1, 1]))


def random_crystal(seed: int, sites: int, *, skew: float = 0.6) -> Crystal:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(2.0, 9.0, 3)) + rng.uniform(-skew, skew, (3, 3)) * 3
    return Crystal(lattice, rng.uniform(-2, 3, (sites, 3)), rng.integers(1, 90, sites))


def supercell(crystal: Crystal, times: tuple[int, int, int]) -> Crystal:
    """Repeat a crystal; the copies of one site are as many places apart as the crystal has sites."""
    cells = np.stack(np.meshgrid(*map(np.arange, times), indexing="ij"), axis=-1).reshape(-1, 3)
    fractional = ((crystal.fractional[None] + cells[:, None]) / times).reshape(-1, 3)
    lattice = crystal.lattice_angstrom * np.array(times)[:, None]
    return Crystal(lattice, fractional, np.tile(crystal.numbers, len(cells)))


def nothing_coincides(crystal: Crystal) -> bool:
    pairs = Geometry(crystal).neighbours(0.3)
    return not len(pairs.centre)


crystals = st.builds(random_crystal, st.integers(0, 2**31), st.integers(1, 9))


@pytest.mark.parametrize(
    ("name", "edges", "areas", "reach"),
    [
        ("sc", {4: 6}, {4: 1.0}, np.sqrt(3) / 2),
        ("fcc", {4: 12}, {4: np.sqrt(2) / 8}, 0.5),
        ("bcc", {4: 6, 6: 8}, {4: 1 / 8, 6: 3 * np.sqrt(3) / 16}, np.sqrt(5) / 4),
    ],
    ids=["cube", "rhombic dodecahedron", "truncated octahedron"],
)
@pytest.mark.parametrize("times", [(1, 1, 1), (3, 2, 4)], ids=str)
def test_known_polyhedra(name, edges, areas, reach, times):
    crystal = supercell(lattice_of(name), times)
    voronoi = tessellate(crystal)
    counts = {int(k): int(n) for k, n in enumerate(np.bincount(voronoi.edges)) if n}
    assert counts == {k: n * len(crystal) for k, n in edges.items()}
    for k, area in areas.items():
        np.testing.assert_allclose(voronoi.area_angstrom2[voronoi.edges == k], area * A**2, rtol=1e-12)
    np.testing.assert_allclose(voronoi.reach_angstrom, reach * A, rtol=1e-12)
    np.testing.assert_allclose(voronoi.site_volume_angstrom3, crystal.volume_angstrom3 / len(crystal), rtol=1e-12)


def test_faces_of_a_cube_each_take_a_sixth_of_the_sphere():
    np.testing.assert_allclose(tessellate(lattice_of("sc")).solid_angle_sr, 4 * np.pi / 6, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(crystals)
def test_sum_rules(crystal):
    assume(crystal.volume_angstrom3 > 2 and nothing_coincides(crystal))
    voronoi = tessellate(crystal)
    assert voronoi.site_volume_angstrom3.sum() == pytest.approx(crystal.volume_angstrom3, rel=1e-9)
    np.testing.assert_allclose(voronoi.sum_over_facets(voronoi.solid_angle_sr), 4 * np.pi, rtol=1e-9)
    for name in ("area_angstrom2", "solid_angle_sr", "face_distance_angstrom", "edges"):
        values = getattr(voronoi, name)
        np.testing.assert_allclose(values[voronoi.reverse], values, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(voronoi.reverse[voronoi.reverse], np.arange(len(voronoi.centre)))
    normal = _vectors(crystal, voronoi) / (2 * voronoi.face_distance_angstrom[:, None])
    closed = [voronoi.sum_over_facets(voronoi.area_angstrom2 * axis) for axis in normal.T]
    np.testing.assert_allclose(closed, 0.0, atol=1e-8)  # a closed surface has no net area


@settings(max_examples=60, deadline=None)
@given(crystals)
def test_no_site_is_nearer_than_half_way(crystal):
    """Facets lie half way along the vector that other and shift describe, and the nearest site always has one."""
    assume(crystal.volume_angstrom3 > 2 and nothing_coincides(crystal))
    voronoi = tessellate(crystal)
    length = np.linalg.norm(_vectors(crystal, voronoi), axis=1)
    np.testing.assert_allclose(length, 2 * voronoi.face_distance_angstrom, rtol=1e-9)
    least = 2 * voronoi.smallest_over_facets(voronoi.face_distance_angstrom)
    pairs = Geometry(crystal).neighbours(float(least.max()) * 1.001)
    nearest = np.full(len(crystal), np.inf)
    np.minimum.at(nearest, pairs.centre, pairs.distance_angstrom)
    np.testing.assert_allclose(least, nearest, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    crystals,
    st.tuples(*[st.integers(1, 2)] * 3),
    st.integers(0, 2**31),
    st.lists(st.tuples(st.permutations(range(3)), st.integers(-4, 4)), max_size=3),
)
def test_same_crystal_in_another_cell_has_the_same_polyhedra(crystal, times, seed, shears):
    assume(crystal.volume_angstrom3 > 2 and nothing_coincides(crystal))
    other = _elsewhere(supercell(crystal, times), seed, shears)
    one, two, cells = tessellate(crystal), tessellate(other), int(np.prod(times))
    np.testing.assert_allclose(
        two.site_volume_angstrom3, np.tile(one.site_volume_angstrom3, cells), rtol=1e-8, atol=1e-9
    )
    np.testing.assert_allclose(two.reach_angstrom, np.tile(one.reach_angstrom, cells), rtol=1e-7)
    assert two.area_angstrom2.sum() == pytest.approx(cells * one.area_angstrom2.sum(), rel=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_symmetric_crystal_in_another_cell_has_the_same_facets(seed):
    """Where many polyhedra meet at a corner, how qhull splits it must not show."""
    rng = np.random.default_rng(seed)
    shears = [(rng.permutation(3), int(rng.integers(-3, 4))) for _ in range(3)]
    for crystal in (lattice_of("fcc"), rutile()):
        one, two = tessellate(crystal), tessellate(_elsewhere(supercell(crystal, (2, 3, 2)), seed, shears))
        np.testing.assert_array_equal(np.diff(two.starts), np.tile(np.diff(one.starts), 12))
        np.testing.assert_array_equal(np.bincount(two.edges), 12 * np.bincount(one.edges))


@pytest.mark.parametrize(
    ("lattice", "places", "reach"),
    [
        (np.diag([60.0, 60.0, 2.5]), np.zeros((1, 3)), 42.4448),
        (np.diag([2.0, 2.0, 1000.0]), np.zeros((1, 3)), 500.002),
        (100 * np.eye(3), np.zeros((1, 3)), 86.6025),
        (np.diag([3.0, 3.0, 120.0]), np.array([[0, 0, 0.02 * k] for k in range(8)]), 51.6436),
        (np.array([[3.0, 0, 0], [2900.0, 3, 0], [1500, 700, 3]]), np.zeros((1, 3)), 2.3537),
        (0.2 * np.eye(3), np.zeros((1, 3)), 0.1732),
    ],
    ids=["needle", "column", "lone atom", "slab", "skewed", "dense"],
)
def test_extreme_cells(lattice, places, reach):
    crystal = Crystal(lattice, places, np.full(len(places), 6))
    voronoi = tessellate(crystal)
    assert voronoi.reach_angstrom.max() == pytest.approx(reach, rel=1e-4)
    assert voronoi.site_volume_angstrom3.sum() == pytest.approx(crystal.volume_angstrom3, rel=1e-9)


def test_pore_is_divided_among_the_atoms_around_it():
    """A shell of sites around an empty core: every corner in the core is as far from four of them."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (4000, 3))
    crystal = Crystal(30 * np.eye(3), points[np.linalg.norm(points, axis=1) > 0.42][:400], np.full(400, 6))
    voronoi = tessellate(crystal)
    assert voronoi.reach_angstrom.max() > 10
    assert voronoi.site_volume_angstrom3.sum() == pytest.approx(crystal.volume_angstrom3, rel=1e-9)


def test_facets_are_found_by_their_sites():
    crystal = rutile()
    voronoi = tessellate(crystal)
    rows = np.arange(len(voronoi.centre))
    np.testing.assert_array_equal(voronoi.find(voronoi.centre, voronoi.other, voronoi.shift), rows)
    np.testing.assert_array_equal(voronoi.find(voronoi.centre, voronoi.other, voronoi.shift + 7), -1)


@pytest.mark.parametrize(("shear", "facets"), [(0.0, 6), (1e-9, 6), (1e-3, 8)])
def test_facets_narrower_than_rounding_errors_are_none(shear, facets):
    """Cubes that touch along their edges share a facet as soon as they are sheared."""
    lattice = 3 * np.eye(3)
    lattice[1, 0] = shear
    assert len(tessellate(Crystal(lattice, np.zeros((1, 3)), np.array([6]))).centre) == facets


def test_sites_in_one_place_are_refused():
    with pytest.raises(InputError, match=r"another atom .* A away; remove one"):
        tessellate(Crystal(3 * np.eye(3), np.array([[0, 0, 0], [1.0, 0, 1e-5]]), np.array([1, 1])))


def test_next_qhull_options_are_tried_when_the_first_fail(monkeypatch):
    tried = []

    def failing(images, options):
        tried.append(options)
        if len(tried) < 3:
            raise QhullError("QH6271 topology error\nand a long explanation")
        return ridges_of(images, options)

    monkeypatch.setattr(module, "ridges_of", failing)
    assert (tessellate(lattice_of("sc")).edges == 4).all()
    assert len(set(tried)) == 3
    monkeypatch.setattr(module, "_QHULL_OPTIONS", ("Qc",))
    tried.clear()
    with pytest.raises(InputError, match=r"of 1 sites in 46.656 A\^3: QH6271 topology error; look for"):
        tessellate(lattice_of("sc"))


def test_misplaced_corners_are_noticed():
    images = Images(CompactCell.of(rutile()))
    ridges, points = ridges_of(images, "Qbb Qc Qz")
    coordinates = images.cell.at(points)
    assert not ridges.misplaced(coordinates)
    assert replace(ridges, places=ridges.places + 1e-6 * np.sin(ridges.places)).misplaced(coordinates)
    corner = ridges.corners[0]
    assert replace(ridges, corners=np.where(ridges.corners == corner, -1, ridges.corners)).misplaced(coordinates)


@pytest.mark.parametrize(
    "crystal", [rutile(), random_crystal(3, 6), lattice_of("bcc")], ids=["MgH2", "random", "bcc"]
)
def test_facets_are_those_of_pymatgen(crystal):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside pymatgen are not ours
        from pymatgen.analysis.local_env import VoronoiNN

    crystal = Crystal(crystal.lattice_angstrom, crystal.fractional % 1.0, crystal.numbers)
    voronoi = tessellate(crystal)
    known = VoronoiNN(cutoff=8.0).get_all_nn_info(crystal.to_pymatgen())
    for site, facets in enumerate(known):
        rows = slice(*voronoi.starts[site : site + 2])
        ours = _sorted(
            voronoi.face_distance_angstrom[rows],
            voronoi.area_angstrom2[rows],
            voronoi.solid_angle_sr[rows],
            voronoi.volume_angstrom3[rows],
            voronoi.edges[rows],
        )
        names = ("face_dist", "area", "solid_angle", "volume", "n_verts")
        theirs = _sorted(*([facet["poly_info"][name] for facet in facets] for name in names))
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)
        assert {(f["site_index"], *map(int, f["image"])) for f in facets} == {
            (int(j), *map(int, s)) for j, s in zip(voronoi.other[rows], voronoi.shift[rows], strict=True)
        }


def _sorted(*columns) -> np.ndarray:
    table = np.column_stack(columns)
    return table[np.lexsort(np.round(table.T[::-1], 6))]


def _vectors(crystal: Crystal, voronoi) -> np.ndarray:
    apart = crystal.fractional[voronoi.other] + voronoi.shift - crystal.fractional[voronoi.centre]
    return apart @ crystal.lattice_angstrom


def _elsewhere(crystal: Crystal, seed: int, shears) -> Crystal:
    """Turn a crystal, shear its cell by lattice vectors, move its origin and put sites into other cells."""
    rng = np.random.default_rng(seed)
    change = np.eye(3, dtype=int)
    for (i, j, _), times in shears:
        change[i] += times * change[j]
    lattice = change @ crystal.lattice_angstrom @ Rotation.random(random_state=seed).as_matrix()
    moved = crystal.fractional @ np.linalg.inv(change) + rng.random(3) + rng.integers(-2, 3, (len(crystal), 3))
    return Crystal(lattice, moved, crystal.numbers)
