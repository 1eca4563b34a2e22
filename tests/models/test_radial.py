"""Radial distribution function: physics, invariances, agreement with matminer."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.radial import PAIR_CORRELATION, RADIAL_DISTRIBUTION, radial_distribution

SHELL_VOLUMES = 4 / 3 * np.pi * np.diff((np.arange(201) * 0.1) ** 3)


STRUCTURES = {
    "copper": Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6149), ["Cu"], [[0, 0, 0]]),
    "magnesium hydride": Structure.from_spacegroup(
        136, Lattice.tetragonal(4.5168, 3.0205), ["Mg", "H"], [[0, 0, 0], [0.3045, 0.3045, 0]]
    ),
    "LaNi5": Structure.from_spacegroup(
        191, Lattice.hexagonal(5.0228, 3.9826), ["La", "Ni", "Ni"], [[0, 0, 0], [1 / 3, 2 / 3, 0], [0.5, 0, 0.5]]
    ),
    "triclinic": Structure(
        Lattice.from_parameters(4.713, 5.337, 6.129, 83.3, 97.1, 104.7),
        ["Li", "P", "S", "S", "H"],
        np.random.default_rng(3).random((5, 3)),
    ),
}


@pytest.mark.filterwarnings("ignore")  # those of importing matminer
@pytest.mark.parametrize("name", STRUCTURES)
def test_equals_matminer(name):
    from matminer.featurizers.structure.rdf import RadialDistributionFunction

    structure = STRUCTURES[name]
    ours = RADIAL_DISTRIBUTION.compute(Geometry(Crystal.from_pymatgen(structure)))
    np.testing.assert_allclose(ours, RadialDistributionFunction().featurize(structure), rtol=1e-9)


@pytest.mark.parametrize("featurizer", [RADIAL_DISTRIBUTION, PAIR_CORRELATION], ids=lambda f: f.name)
def test_columns_name_every_bin(featurizer):
    values = featurizer.compute(Geometry(Crystal.from_pymatgen(STRUCTURES["copper"])))
    assert values.shape == (len(featurizer.columns),) == (200,)
    assert featurizer.columns[np.flatnonzero(values)[0]].endswith("_2.5_2.6_A")  # a / sqrt(2) = 2.556 A


def test_matminers_function_grows_with_the_cell_and_g_does_not():
    one = Geometry(Crystal.from_pymatgen(STRUCTURES["magnesium hydride"]))
    two = Geometry(Crystal.from_pymatgen(STRUCTURES["magnesium hydride"] * (1, 2, 1)))
    np.testing.assert_allclose(PAIR_CORRELATION.compute(two), PAIR_CORRELATION.compute(one), rtol=1e-9)
    np.testing.assert_allclose(RADIAL_DISTRIBUTION.compute(two), 2 * RADIAL_DISTRIBUTION.compute(one), rtol=1e-9)


def test_first_shell_of_copper_holds_twelve_atoms():
    structure = STRUCTURES["copper"]
    density = len(structure) / structure.volume
    counts = radial_distribution(Crystal.from_pymatgen(structure)) * SHELL_VOLUMES * density
    assert not counts[:25].any()
    assert counts[25] == pytest.approx(12)  # a / sqrt(2) = 2.556 A


@pytest.mark.parametrize("name", STRUCTURES)
def test_counts_every_neighbour_once(name):
    structure = STRUCTURES[name]
    density = len(structure) / structure.volume
    counts = radial_distribution(Crystal.from_pymatgen(structure)) * SHELL_VOLUMES * density
    neighbours = np.mean([len(around) for around in structure.get_all_neighbors(20.0)])
    assert counts.sum() == pytest.approx(neighbours)


@pytest.mark.parametrize("name", STRUCTURES)
def test_tends_to_one_at_large_distance(name):
    values = radial_distribution(Crystal.from_pymatgen(STRUCTURES[name]))
    assert np.average(values[100:], weights=SHELL_VOLUMES[100:]) == pytest.approx(1.0, abs=0.02)


def test_distances_on_an_edge_go_to_the_bin_above_however_they_are_rounded():
    lattice = Lattice.cubic(4.0)  # neighbours at 4, 8, 12, ... A lie on edges
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    plain = radial_distribution(Crystal(lattice.matrix, np.array([[0.0, 0, 0]]), np.array([84])))
    turned = radial_distribution(Crystal(lattice.matrix @ turn, np.array([[0.13, 0.71, 0.37]]), np.array([84])))
    np.testing.assert_allclose(plain, turned, rtol=1e-9)
    assert plain[39] == 0
    assert plain[40] * SHELL_VOLUMES[40] / 64 == pytest.approx(6)


@pytest.mark.parametrize("name", ["magnesium hydride", "triclinic"])
def test_does_not_depend_on_cell_order_or_origin(name):
    structure = STRUCTURES[name]
    values = radial_distribution(Crystal.from_pymatgen(structure))
    larger = Crystal.from_pymatgen(structure * (2, 1, 2))
    order = np.random.default_rng(1).permutation(len(larger))
    other = Crystal(larger.lattice_angstrom, larger.fractional[order] + 0.3, larger.numbers[order])
    np.testing.assert_allclose(radial_distribution(other), values, rtol=1e-9)


def test_refuses_a_cell_too_dense_for_memory():
    dense = Crystal(np.eye(3) * 0.4, np.random.default_rng(0).random((50, 3)), np.ones(50))
    with pytest.raises(InputError, match="check the lattice"):
        radial_distribution(dense)
