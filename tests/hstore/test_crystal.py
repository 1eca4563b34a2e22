"""Crystals as arrays, against pymatgen and against what can be written down."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.crystal import Crystal
from hstore.errors import InputError

NACL = {
    "lattice_angstrom": np.eye(3) * 5.64,
    "fractional": np.array(
        [[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    )
    / 2,
    "numbers": [11] * 4 + [17] * 4,
}


def test_it_goes_to_pymatgen_and_back_unchanged():
    from pymatgen.core import Structure

    crystal = Crystal(**NACL)
    structure = crystal.to_pymatgen()
    assert structure.composition.reduced_formula == "NaCl"
    assert structure.density == pytest.approx(crystal.mass_g_per_mol / crystal.volume_angstrom3 / 0.602214076)
    assert Crystal.from_pymatgen(structure).key == crystal.key
    assert Crystal.from_dict(structure.as_dict()).key == crystal.key
    assert Crystal.from_dict(crystal.to_dict()).key == crystal.key
    assert Structure.from_dict(crystal.to_dict()) == structure


def test_what_it_says_of_itself():
    crystal = Crystal(**NACL)
    assert len(crystal) == 8
    assert crystal.amounts == {"Na": 4.0, "Cl": 4.0}
    assert crystal.formula == "Na4Cl4"
    assert crystal.volume_angstrom3 == pytest.approx(5.64**3)
    assert crystal.cartesian_angstrom[4] == pytest.approx([2.82] * 3)


def test_the_key_follows_the_arrays():
    crystal = Crystal(**NACL)
    moved = np.array(NACL["fractional"], dtype=float)
    assert Crystal(**NACL | {"fractional": moved + 1e-10}).key == crystal.key
    assert Crystal(**NACL | {"fractional": moved + 1e-6}).key != crystal.key
    assert Crystal(**NACL | {"fractional": -0.0 * moved + moved}).key == crystal.key
    assert Crystal(**NACL | {"numbers": [19] * 4 + [17] * 4}).key != crystal.key


@given(
    st.lists(st.floats(-3, 3), min_size=9, max_size=9),
    st.lists(st.tuples(*[st.floats(-2, 2)] * 3, st.integers(1, 103)), min_size=1, max_size=5),
)
@settings(max_examples=60)
def test_any_cell_is_a_crystal_or_refused(lattice, sites):
    matrix = np.reshape(lattice, (3, 3))
    fractional, numbers = [s[:3] for s in sites], [s[3] for s in sites]
    if abs(np.linalg.det(matrix)) < 1e-3:
        with pytest.raises(InputError, match="no volume"):
            Crystal(matrix, fractional, numbers)
        return
    crystal = Crystal(matrix, fractional, numbers)
    assert Crystal.from_dict(crystal.to_dict()).key == crystal.key


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lattice_angstrom": np.zeros((3, 3))}, "no volume"),
        ({"lattice_angstrom": np.full((3, 3), np.nan)}, "finite"),
        ({"fractional": [[np.inf, 0, 0]] * 8}, "finite"),
        ({"fractional": [[0, 0, 0]]}, "coordinates for n sites"),
        ({"numbers": [0] * 8}, "atomic numbers go from 1"),
        ({"numbers": [104] * 8}, "atomic numbers go from 1"),
        ({"numbers": [], "fractional": np.empty((0, 3))}, "at least one site"),
    ],
)
def test_what_is_no_crystal_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        Crystal(**NACL | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("lattice"), "lacks"),
        (lambda d: d["sites"][0].update(species=[{"element": "Na", "occu": 0.5}]), "Na 0.5"),
        (lambda d: d["sites"][0].update(species=[]), "nothing"),
        (lambda d: d["sites"][0].update(species=[{"element": "X", "occu": 1}]), "'X' is no element"),
        (lambda d: d["sites"][0].update(abc=["a", 0, 0]), "structure"),
        (lambda d: d["sites"][0].update(abc=[0, 0]), "structure"),
        (lambda d: d.update(sites=None), "lacks"),
    ],
)
def test_a_dictionary_that_is_no_ordered_structure_is_refused(change, said):
    structure = Crystal(**NACL).to_dict()
    change(structure)
    with pytest.raises(InputError, match=said):
        Crystal.from_dict(structure)
