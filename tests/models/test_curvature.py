"""Curvature of carbon sheets: known surfaces, Gauss and Bonnet, rings, and what has no curvature."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from ase.build import graphene, molecule, nanotube
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.carbon_network import CarbonNetwork
from hstore_models.features.structure.curvature import CURVATURE, curvature_of
from hstore_models.features.structure.geometry import Geometry
from hstore_workflows.cli import main
from hstore_workflows.sources.carbon.building import BOND_ANGSTROM, build_on
from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource
from hstore_workflows.sources.carbon.surfaces import Surface

RADIUS_10_10 = math.sqrt(3) * 10 * math.sqrt(3) * 1.42 / (2 * math.pi)


def crystal_of(atoms):
    atoms.pbc = True
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(wrap=False), atoms.numbers)


@pytest.fixture(scope="module")
def fullerene():
    atoms = molecule("C60")
    atoms.center(vacuum=6)
    return crystal_of(atoms)


@pytest.fixture(scope="module")
def schwarzites():
    return {name: build_on(Surface(name), edge) for name, edge in (("p", 30.0), ("d", 44.0), ("random", 30.0))}


def summary(crystal):
    return dict(zip(CURVATURE.columns, CURVATURE.compute(Geometry(crystal)), strict=True))


def test_a_fullerene_is_a_sphere(fullerene):
    found = CURVATURE.sites(Geometry(fullerene))
    centred = fullerene.cartesian_angstrom - fullerene.cartesian_angstrom.mean(axis=0)
    radius = np.linalg.norm(centred, axis=1).mean()
    assert np.mean(found["gaussian_curvature_per_a2"]) == pytest.approx(radius**-2, rel=0.01)
    assert np.mean(found["mean_curvature_per_a"]) == pytest.approx(1 / radius, rel=0.01)
    told = summary(fullerene)
    assert told["gaussian_integral_over_2pi"] == pytest.approx(2, rel=0.07)
    assert (told["euler_characteristic"], told["genus"]) == (2, 0)
    assert (told["ring_5_share"], told["ring_6_share"]) == (12 / 32, 20 / 32)


def test_graphene_is_flat():
    network = CarbonNetwork.of(Geometry(crystal_of(graphene(size=(3, 3, 1), vacuum=8))))
    found = curvature_of(network)
    assert np.abs(found.gaussian_per_a2).max() < 1e-9
    assert np.abs(found.mean_per_a).max() < 1e-9
    assert found.area_a2 == pytest.approx(network.vector_angstrom[0] @ network.vector_angstrom[0] * 0.75 * 3**0.5)
    assert set(network.rings) == {6}


def test_a_nanotube_is_a_cylinder():
    found = CURVATURE.sites(Geometry(crystal_of(nanotube(10, 10, length=2, vacuum=8))))
    assert np.abs(found["gaussian_curvature_per_a2"]).max() < 1e-9
    assert found["mean_curvature_per_a"] == pytest.approx(1 / (2 * RADIUS_10_10), rel=0.01)


@pytest.mark.parametrize(("name", "euler"), [("p", -4), ("d", -16)])
def test_schwarzites_are_saddles(schwarzites, name, euler):
    """Of genus 3 and, for the D surface in its cubic cell of four translations, 9."""
    told = summary(schwarzites[name])
    assert told["gaussian_mean_per_a2"] < 0
    assert told["euler_characteristic"] == euler
    assert told["genus"] == 1 - euler / 2
    assert told["gaussian_integral_over_2pi"] == pytest.approx(euler, rel=0.1)
    assert told["saddle_share"] > 0.8
    bonds = np.linalg.norm(CarbonNetwork.of(Geometry(schwarzites[name])).vector_angstrom, axis=1)
    assert bonds.mean() == pytest.approx(BOND_ANGSTROM)
    assert bonds.std() < 0.02


def test_the_ring_rule_holds_exactly(fullerene, schwarzites):
    for crystal in (fullerene, *schwarzites.values()):
        network = CarbonNetwork.of(Geometry(crystal))
        assert network.closed
        assert np.sum(6 - network.rings) == 6 * network.euler_characteristic


def test_curvature_does_not_depend_on_how_the_crystal_is_told(schwarzites):
    crystal = schwarzites["p"]
    before = summary(crystal)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(crystal))
    turn = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    moved = np.mod(crystal.fractional[order] + generator.uniform(size=3), 1.0)
    after = summary(Crystal(crystal.lattice_angstrom @ turn.T, moved, crystal.numbers))
    assert after == pytest.approx(before, abs=1e-7)


def test_a_supercell_has_twice_the_surface():
    tube = nanotube(6, 3, length=1, vacuum=6)
    once, twice = summary(crystal_of(tube)), summary(crystal_of(tube.repeat((1, 1, 2))))
    for name in ("bending_integral", "gaussian_integral_over_2pi"):
        assert twice.pop(name) == pytest.approx(2 * once.pop(name))
    assert twice == pytest.approx(once, abs=1e-7)


def test_edges_have_no_curvature_and_leave_that_of_the_rest():
    flake = graphene(size=(6, 6, 1), vacuum=10)
    flake.cell[0, 0] += 20
    flake.cell[1] += [0, 20, 0]
    told = summary(crystal_of(flake))
    assert 0.2 < told["atoms_with_curvature_share"] < 0.9
    assert told["euler_characteristic"] == 1, "a disc"
    assert math.isnan(told["genus"])
    assert told["gaussian_max_per_a2"] == pytest.approx(0, abs=1e-9)


def test_what_is_no_sheet_says_so(fullerene):
    diamond = Crystal(3.567 / 2 * (1 - np.eye(3)), np.array([[0.0, 0, 0], [0.25, 0.25, 0.25]]), np.array([6, 6]))
    with pytest.raises(InputError, match="no carbon atom has three neighbours"):
        CURVATURE.compute(Geometry(diamond))
    with pytest.raises(InputError, match="has 4 bonds"):
        _ = CarbonNetwork.of(Geometry(diamond)).rings
    salt = Crystal(np.eye(3) * 4, np.array([[0.0, 0, 0]]), np.array([3]))
    with pytest.raises(InputError, match="curvature is that of carbon sheets"):
        CURVATURE.compute(Geometry(salt))
    one_sided = _moebius()
    with pytest.raises(InputError, match="one side only"):
        CURVATURE.compute(Geometry(one_sided))


def _moebius(turns=40, width=2):
    """Make a strip of hexagons that is closed after half a turn."""
    cell = BOND_ANGSTROM * np.array([[0, 0], [3**0.5 / 2, 0.5], [3**0.5 / 2, 1.5], [0, 2.0]])
    along, across = np.meshgrid(np.arange(turns), np.arange(width), indexing="ij")
    steps = BOND_ANGSTROM * np.stack([3**0.5 * along.ravel(), 3.0 * across.ravel()], axis=1)
    position, offset = (cell + steps[:, None]).reshape(-1, 2).T
    length = 3**0.5 * BOND_ANGSTROM * turns
    angle, radius = 2 * np.pi * position / length, length / (2 * np.pi)
    outwards = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
    half, from_middle = angle[:, None] / 2, (offset - offset.mean())[:, None]
    points = radius * outwards + from_middle * (np.cos(half) * [0.0, 0, 1] + np.sin(half) * outwards)
    size = 2 * radius + 30
    return Crystal(np.eye(3) * size, points / size + 0.5, np.full(len(points), 6))


def test_ten_thousand_atoms_have_a_surface_too():
    network = CarbonNetwork.of(Geometry(crystal_of(graphene(size=(71, 71, 1), vacuum=8))))
    assert np.isfinite(curvature_of(network).gaussian_per_a2).all()


def test_thirty_two_rings_on_a_sphere_are_a_fullerene():
    cage = build_on(Surface("sphere"), 10.5, rings=32)
    rings = CarbonNetwork.of(Geometry(cage)).rings
    assert (len(cage), np.sum(rings == 5), np.sum(rings == 6)) == (60, 12, 20)


def test_what_cannot_be_built_becomes_a_record():
    found = list(CarbonSource(CarbonQuery(("p", "sphere"), (3.0, 12.0), sheet=True, tubes=((6, 3),))))
    assert [getattr(one, "material_id", getattr(one, "reference", None)) for one in found] == [
        "carbon:sheet", "carbon:tube:6,3",
        "carbon:p:3:0", "carbon:p:12:0", "carbon:sphere:3:0", "carbon:sphere:12:0",
    ]  # fmt: skip
    assert "12 to 20000 can be built" in found[2].cause
    with pytest.raises(InputError, match="nothing to build"):
        CarbonQuery()
    with pytest.raises(InputError, match="3 <= n"):
        CarbonQuery(tubes=((4, 5),))


def test_the_same_seed_builds_the_same():
    one, two, other = (build_on(Surface("sphere"), 12.0, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.fractional, two.fractional)
    assert len(other) != len(one) or not np.allclose(other.fractional, one.fractional)


def test_commands_build_and_describe(tmp_path):
    environment = {"HSTORE_HOME": str(tmp_path / "home")}
    asked = ["fetch", "carbon", "--sheet", "--tube", "10,10", "--features", "curvature", "--json"]
    built = CliRunner().invoke(main, asked, env=environment)
    assert built.exit_code == 0, built.output
    assert json.loads(built.stdout.splitlines()[-1])["described"] == 2
    atoms = molecule("C60")
    atoms.center(vacuum=6)
    atoms.pbc = True
    atoms.write(tmp_path / "c60.cif")
    asked = ["describe", str(tmp_path / "c60.cif"), "--features", "curvature", "--json"]
    told = CliRunner().invoke(main, asked, env=environment)
    (material,) = json.loads(told.stdout)["materials"]
    sites = material["sites"]["curvature"]
    assert set(sites) == {"gaussian_curvature_per_a2", "mean_curvature_per_a", "area_a2"}
    assert len(sites["area_a2"]) == 60
    assert material["features"]["curvature.euler_characteristic"] == 2
