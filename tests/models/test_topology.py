"""Persistent homology of crystals: known voids, counts, invariance, stability, other ways to the same numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.ndimage import label
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.topology import FILTERS, TOPOLOGY, TOPOLOGY_IMAGES
from hstore_models.topology.alpha import alpha_complex
from hstore_models.topology.inverse import most_persistent
from hstore_models.topology.persistence import persistence_of, torus_persistence
from hstore_models.topology.union import endless_components, join
from hstore_models.topology.vectors import landscape
from hstore_workflows.cli import main

TOLERANCE_ANGSTROM = 1e-4
"""Radii may differ by so much after a change that leaves the crystal the same."""
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SITES = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
SKEW = np.array([[6.1, 0.2, -0.1], [1.3, 5.4, 0.3], [-0.7, 1.1, 7.2]])


def features(lattice, fractional, seed=0):
    return persistence_of(alpha_complex(np.asarray(lattice, float), np.asarray(fractional, float), seed=seed))


def random_sites(count, seed=3):
    """Return sites of a liquid: random, but not nearer than 1.3 angstrom."""
    rng = np.random.default_rng(seed)
    shifts = (np.indices((3, 3, 3)).reshape(3, -1).T - 1) @ SKEW
    kept = []
    while len(kept) < count:
        new = rng.random(3)
        away = ((new - np.array(kept).reshape(-1, 3)) @ SKEW)[:, None] + shifts
        if not kept or np.linalg.norm(away, axis=2).min() > 1.3:
            kept.append(new)
    return np.array(kept)


def supercell(lattice, fractional, matrix):
    """Return the crystal in the cell with the vectors ``matrix @ lattice``, and which site each site was."""
    matrix = np.asarray(matrix)
    reach = int(np.abs(matrix).sum()) + 1
    shifts = np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    places = (fractional[:, None] + shifts[None]).reshape(-1, 3) @ np.linalg.inv(matrix)
    inside = ((places > -1e-9) & (places < 1 - 1e-9)).all(axis=1)
    assert inside.sum() == len(fractional) * round(abs(np.linalg.det(matrix)))
    return matrix @ lattice, places[inside], np.repeat(np.arange(len(fractional)), len(shifts))[inside]


def bottleneck(one, other):
    """Return the bottleneck distance of two sets of finite intervals, by bisection over an assignment problem."""
    a, b = (np.stack([i.birth_angstrom, i.death_angstrom], axis=1) for i in (one, other))
    a, b = (points[points[:, 1] - points[:, 0] > 1e-4] for points in (a, b))
    n, m = len(a), len(b)
    cost = np.zeros((n + m, m + n))
    cost[:n, :m] = np.abs(a[:, None] - b[None]).max(axis=2)
    cost[:n, m:] = ((a[:, 1] - a[:, 0]) / 2)[:, None]
    cost[n:, :m] = ((b[:, 1] - b[:, 0]) / 2)[None]
    low, high = 0.0, float(cost.max(initial=0.0))
    for _ in range(30):
        middle = 0.5 * (low + high)
        rows, columns = linear_sum_assignment(cost > middle)
        low, high = (low, middle) if not (cost > middle)[rows, columns].any() else (middle, high)
    return high


def same(one, other, copies=1):
    for first, second in zip(one.intervals, other.intervals, strict=True):
        for values in ("birth_angstrom", "death_angstrom"):
            living_first = first.lifetime_angstrom > 1e-3
            living_second = second.lifetime_angstrom > 1e-3
            expected = np.sort(np.repeat(getattr(first, values)[living_first], copies))
            assert np.sort(getattr(second, values)[living_second]) == pytest.approx(
                expected, abs=TOLERANCE_ANGSTROM
            )
    assert other.hop_angstrom == pytest.approx(one.hop_angstrom, abs=TOLERANCE_ANGSTROM)
    assert other.channel_radius_angstrom == pytest.approx(one.channel_radius_angstrom, abs=TOLERANCE_ANGSTROM)


def test_simple_cubic_has_one_component_two_squares_and_one_void_for_each_atom():
    found = features(3.0 * np.eye(3), [[0.1, 0.2, 0.3]])
    living = [i.lifetime_angstrom > 1e-3 for i in found.intervals]
    zero, one, two = (
        np.stack([i.birth_angstrom, i.death_angstrom], axis=1)[kept]
        for i, kept in zip(found.intervals, living, strict=True)
    )
    assert zero == pytest.approx(np.array([[0, 1.5]]), abs=1e-5)
    assert one == pytest.approx(np.array([[1.5, 1.5 * math.sqrt(2)]] * 2), abs=1e-5)
    assert two == pytest.approx(np.array([[1.5 * math.sqrt(2), 1.5 * math.sqrt(3)]]), abs=1e-5)
    assert found.hop_angstrom == pytest.approx([3.0] * 3, abs=1e-5)
    assert found.channel_radius_angstrom == pytest.approx([1.5 * math.sqrt(2)] * 3, abs=1e-5)


@pytest.mark.parametrize(("lattice", "sites"), [(4.05 * FCC, [[0, 0, 0]]), (4.05 * np.eye(3), SITES)])
def test_fcc_has_one_octahedral_and_two_tetrahedral_voids_for_each_atom(lattice, sites):
    voids = features(lattice, sites).intervals[2]
    radii = np.sort(voids.death_angstrom[voids.lifetime_angstrom > 1e-3])
    expected = [4.05 * math.sqrt(3) / 4] * 2 * len(sites) + [4.05 / 2] * len(sites)
    assert radii == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 7, 24])
def test_the_torus_has_betti_numbers_1_3_3_1(count):
    found = torus_persistence(alpha_complex(SKEW, random_sites(count)))
    assert [int(np.isinf(i.death_angstrom).sum()) for i in found] == [1, 3, 3, 1]
    assert (np.diff(np.sort(found[1].birth_simplex)) > 0).all()


@pytest.mark.parametrize("count", [1, 3, 24])
def test_alternating_sums_are_the_euler_characteristic_at_every_radius(count):
    complex_ = alpha_complex(SKEW, random_sites(count))
    endless, torus = persistence_of(complex_), torus_persistence(complex_)
    for radius in np.linspace(0, 5, 90):
        expected = complex_.euler_characteristic(radius)
        zero, one, two = endless.betti(radius)
        assert zero - one + two == expected
        living = [int(((i.birth_angstrom <= radius) & (radius < i.death_angstrom)).sum()) for i in torus]
        assert living[0] - living[1] + living[2] - living[3] == expected


def test_a_shift_a_turn_another_order_and_another_cell_change_nothing():
    sites = random_sites(16)
    plain = features(SKEW, sites)
    same(plain, features(SKEW, sites + np.array([0.31, -0.77, 2.5])))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    same(plain, features(SKEW @ turn, sites))
    same(plain, features(SKEW, sites[::-1], seed=5))
    cell = np.array([[1, 2, -1], [0, 1, 3], [0, 0, 1]])
    same(plain, features(*supercell(SKEW, sites, cell)[:2]))


@pytest.mark.parametrize("matrix", [np.diag([2, 1, 1]), [[2, 1, 0], [0, 1, 0], [0, -1, 3]]], ids=["2", "6"])
@pytest.mark.parametrize("count", [1, 5])
def test_a_supercell_has_every_interval_as_often_as_it_has_cells(matrix, count):
    sites = random_sites(count)
    copies = round(abs(np.linalg.det(matrix)))
    same(features(SKEW, sites), features(*supercell(SKEW, sites, matrix)[:2]), copies)


def test_named_numbers_and_images_of_a_supercell_are_those_of_the_cell():
    sites = random_sites(8)
    numbers = np.array([3, 3, 3, 1, 1, 1, 8, 22])
    lattice, places, origin = supercell(SKEW, sites, [[1, 1, 0], [-1, 1, 0], [0, 0, 2]])
    small, large = Crystal(SKEW, sites, numbers), Crystal(lattice, places, numbers[origin])
    for group in (TOPOLOGY, TOPOLOGY_IMAGES):
        one, other = (group.compute(Geometry(crystal)) for crystal in (small, large))
        assert len(one) == len(group.columns)
        assert np.isfinite(one).all()
        assert other == pytest.approx(one, rel=1e-3, abs=1e-3)


def test_noise_moves_intervals_by_no_more_than_the_atoms_move():
    sites, rng = random_sites(16), np.random.default_rng(8)
    moved = rng.normal(size=(16, 3))
    moved *= 0.01 / np.linalg.norm(moved, axis=1)[:, None]
    one, other = features(SKEW, sites), features(SKEW, sites + moved @ np.linalg.inv(SKEW))
    for first, second in zip(one.intervals, other.intervals, strict=True):
        assert 1e-5 < bottleneck(first, second) <= 0.01 + 1e-5
    assert np.abs(one.hop_angstrom - other.hop_angstrom).max() <= 0.02 + 1e-5
    assert np.abs(one.channel_radius_angstrom - other.channel_radius_angstrom).max() <= 0.01 + 1e-5


def test_the_largest_void_is_where_a_fine_grid_finds_the_farthest_place():
    sites = random_sites(10)
    grid = np.indices((56, 56, 56)).reshape(3, -1).T / 56
    shifts = np.indices((5, 5, 5)).reshape(3, -1).T - 2
    distance, _ = cKDTree((sites[:, None] + shifts).reshape(-1, 3) @ SKEW).query(grid @ SKEW)
    found = features(SKEW, sites)
    largest = found.intervals[2].death_angstrom.max()
    step = max(np.linalg.norm(SKEW, axis=1)) / 56 * math.sqrt(3) / 2
    assert distance.max() <= largest + 1e-5
    assert largest - distance.max() < step
    void = next(v for v in most_persistent(found, np.arange(10), dimension=2) if v.death_angstrom > largest - 1e-4)
    farthest = grid[distance.argmax()] - void.centre
    assert np.linalg.norm((farthest - np.round(farthest)) @ SKEW) < 4 * step


def repeats(labels):
    """Tell whether a component of 3 x 3 x 3 cells holds a place of the middle cell and its image next to it."""
    n = labels.shape[0] // 3
    middle = labels[n : 2 * n, n : 2 * n, n : 2 * n]
    for step in np.indices((3, 3, 3)).reshape(3, -1).T[14:]:  # one of each pair of opposite neighbours
        a, b, c = n * step
        further = labels[a : a + n, b : b + n, c : c + n]
        if ((middle > 0) & (middle == further)).any():
            return True
    return False


def test_channels_open_where_a_grid_of_distances_says_they_do():
    sites = random_sites(9, seed=5)
    found = features(SKEW, sites)
    grid = np.indices((28, 28, 28)).reshape(3, -1).T / 28
    shifts = np.indices((5, 5, 5)).reshape(3, -1).T - 2
    distance, _ = cKDTree((sites[:, None] + shifts).reshape(-1, 3) @ SKEW).query(grid @ SKEW)
    tiled = np.tile(distance.reshape(28, 28, 28), (3, 3, 3))
    bottleneck_radius = found.channel_radius_angstrom[0]
    assert repeats(label(tiled > bottleneck_radius - 0.15, np.ones((3, 3, 3)))[0])
    assert not repeats(label(tiled > bottleneck_radius + 0.02, np.ones((3, 3, 3)))[0])


def test_hops_reach_where_a_graph_of_neighbours_says_they_do():
    sites = random_sites(7, seed=11)
    shifts = np.indices((5, 5, 5)).reshape(3, -1).T
    points = (sites[None] + shifts[:, None]).reshape(-1, 3) @ SKEW
    middle = np.flatnonzero((shifts == 2).all(axis=1))[0]
    hop = features(SKEW, sites).hop_angstrom[0]
    for length, expected in ((hop + 1e-4, True), (hop - 1e-4, False)):
        pairs = cKDTree(points).query_pairs(length, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)
        _, component = connected_components(graph, directed=False)
        component = component.reshape(len(shifts), len(sites))
        others = np.delete(component, middle, axis=0)
        assert (others == component[middle]).any() == expected


def test_atoms_of_a_void_are_as_far_from_its_centre_as_it_is_wide():
    sites = np.arange(100, 104)
    (octahedral, tetrahedral) = most_persistent(features(4.0 * np.eye(3), SITES), sites, dimension=2)
    assert (octahedral.count, tetrahedral.count) == (4, 8)
    assert (len(octahedral.atoms), len(tetrahedral.atoms)) == (6, 4)
    assert set(octahedral.atoms) <= set(sites)
    for void in (octahedral, tetrahedral):
        away = np.linalg.norm(4.0 * (void.places - void.centre), axis=1)
        assert away == pytest.approx([void.death_angstrom] * len(away), abs=1e-4)
        on_site = void.places - SITES[void.atoms - 100]
        assert on_site == pytest.approx(np.round(on_site), abs=1e-4)


def test_straight_channels_are_counted_across_an_area_and_nets_as_such():
    # a honeycomb of tightly spaced rods: one channel for each hexagon, along c
    a = 12.0
    lattice = np.array([[a, 0, 0], [-a / 2, a * math.sqrt(3) / 2, 0], [0, 0, 1.6]])
    edge = [[x, 0, 0] for x in np.linspace(0, 1, 8, endpoint=False)]
    edge += [[0, x, 0] for x in np.linspace(0, 1, 8, endpoint=False)[1:]]
    edge += [[x, x, 0] for x in np.linspace(0, 1, 8, endpoint=False)[1:]]
    found = features(lattice, edge)
    assert found.channel_radius_angstrom[0] > 2.5 > found.channel_radius_angstrom[1]
    lines, layers, nets = found.channels(2.5)
    area_nm2 = abs(np.linalg.det(lattice[:2, :2])) / 100
    assert (layers, nets) == (0, 0)
    assert lines * area_nm2 == pytest.approx(2, abs=1e-4)  # the cell holds two triangles of rods
    assert found.channels(found.channel_radius_angstrom[2] - 0.01)[2] == 1


def test_two_nets_inside_each_other_are_two():
    links = np.array([[0, 0]] * 3)
    both = join(1, links, 2 * np.eye(3, dtype=np.int64) - [[0, 0, 0], [0, 1, 0], [0, 0, 1]], endless_die=False)
    assert endless_components(both, np.eye(3)) == (0.0, 0.0, 2)
    assert both.first_link.tolist() == [0, 1, 2]


def test_few_links_are_joined_without_numba_in_the_same_way():
    import numba  # noqa: F401 - once it is loaded, links are joined by compiled code

    from hstore_models.topology.union import _join

    rng = np.random.default_rng(0)
    ends, shifts = rng.integers(12, size=(80, 2)), rng.integers(-1, 2, size=(80, 3))
    for endless_die in (True, False):
        compiled = join(12, ends, shifts, endless_die=endless_die)
        for one, other in zip(_join(12, ends, shifts, endless_die), compiled, strict=True):
            assert np.array_equal(one, other)


def test_a_layered_sublattice_hops_farther_from_layer_to_layer():
    found = features(np.diag([3.0, 3.0, 7.0]), [[0, 0, 0]])
    assert found.hop_angstrom == pytest.approx([3, 3, 7], abs=1e-4)
    assert found.channel_radius_angstrom[2] < found.channel_radius_angstrom[1]
    lines, layers, nets = found.channels(found.channel_radius_angstrom[1] - 0.01)
    assert (lines, nets) == (0, 0)
    assert layers == pytest.approx(10 / 7, abs=1e-4)


def test_levels_of_landscapes_count_intervals_for_each_atom():
    loops = features(3.0 * np.eye(3), [[0, 0, 0]]).intervals[1]
    middle = 0.75 * (1 + math.sqrt(2))
    top = 0.75 * (math.sqrt(2) - 1)
    found = landscape(loops, 1, levels=(0.0, 1.0, 2.0), radii=np.array([middle, 1.0]))
    assert found == pytest.approx(np.array([[top, 0], [top, 0], [0, 0]]), abs=1e-5)
    with pytest.raises(InputError, match=r"0 or more, got -1"):
        landscape(loops, 1, levels=(-1.0,), radii=np.array([1.0]))


def test_filters_without_atoms_are_empty_and_those_alike_have_the_same():
    crystal = Crystal(4.05 * np.eye(3), SITES, np.full(4, 13))
    values = dict(zip(TOPOLOGY.columns, TOPOLOGY.compute(Geometry(crystal)), strict=True))
    by_filter = {f: [v for name, v in values.items() if name.startswith(f"{f}_")] for f in FILTERS}
    assert np.isnan(by_filter["hydrogen"]).all()
    assert np.isnan(by_filter["mobile"]).all()
    assert by_filter["metal"] == by_filter["all"]
    assert TOPOLOGY.sites(Geometry(crystal))["void_radius_angstrom"] == pytest.approx([4.05 / 2] * 4, abs=1e-4)


@pytest.mark.parametrize("apart", [0.0, 1e-5])
def test_sites_that_coincide_are_named(apart):
    with pytest.raises(InputError, match=r"sites 0 and 1 are .* A apart; remove one"):
        features(4.0 * np.eye(3), [[0, 0, 0], [0, 0, apart]])


def test_the_command_tells_which_atoms_make_the_voids(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    path = tmp_path / "al.vasp"
    path.write_text("Al\n1.0\n4.05 0 0\n0 4.05 0\n0 0 4.05\nAl\n4\nDirect\n0 0 0\n.5 .5 0\n.5 0 .5\n0 .5 .5\n")
    ran = CliRunner().invoke(
        main, ["describe", str(path), "--features", "topology", "--json", "--no-cache", "--workers", "1"]
    )
    assert ran.exit_code == 0, ran.output
    (material,) = json.loads(ran.output)["materials"]
    assert material["features"]["topology.all_void_largest_radius_angstrom"] == pytest.approx(2.025, abs=1e-4)
    void = material["details"]["topology"]["all"][0]
    assert (void["dimension"], len(void["atoms"]), void["count"]) == (2, 6, 4)
    assert void["death_angstrom"] == pytest.approx(2.025, abs=1e-4)


def test_gudhi_agrees_on_a_large_torus():
    gudhi = pytest.importorskip("gudhi", reason="gudhi is not installed; its wheel holds GPL code")
    sites = random_sites(12)
    lattice, places, _ = supercell(SKEW, sites, np.diag([5, 5, 5]))
    points = places @ lattice
    tree = gudhi.AlphaComplex(points=points).create_simplex_tree()
    voids = np.sqrt([death for dim, (_, death) in tree.persistence() if dim == 2 and np.isfinite(death)])
    inside = features(SKEW, sites).intervals[2]
    for radius in inside.death_angstrom[inside.lifetime_angstrom > 0.05]:
        assert (np.abs(voids - radius) < 1e-4).sum() >= 27  # in the cells that are not at a face
