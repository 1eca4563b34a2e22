"""Ordering of partial occupancies: each rule, its limits, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.partial import PartialCrystal, close_pairs, element_of
from hstore_workflows.sources.occupancy import (
    ALTERNATIVE,
    DOMINANT,
    MOST_CHANGE,
    SPREAD,
    WHOLE,
    difference,
    ordered,
)


def crystal(rows, cell=5.0):
    places = np.array([place for place, _ in rows], dtype=float)
    return PartialCrystal(np.eye(3) * cell, places, tuple(shares for _, shares in rows))


def test_an_ordered_crystal_stays_as_it_is():
    given_ = crystal([((0, 0, 0), {"Mg": 1.0}), ((0.5, 0.5, 0.5), {"O": 1.0})])
    result = ordered(given_)
    assert (result.rules, result.change, result.cells) == ((), 0.0, 1)
    assert result.crystal.symbols == ("Mg", "O")
    assert np.array_equal(result.crystal.fractional, given_.fractional)


@pytest.mark.parametrize(
    ("share", "count"), [(0.985, 2), (1.015, 2), (0.015, 1)], ids=["full", "rounded", "empty"]
)
def test_occupancies_near_one_and_zero_are_rounded(share, count):
    rows = [((x / 10, y / 2, z / 2), {"Ni": 1.0}) for x in range(10) for y in range(2) for z in range(2)]
    result = ordered(crystal([*rows, ((0.05, 0.25, 0.25), {"H": share})], cell=9.0))
    assert result.rules == (WHOLE,)
    assert len(set(result.crystal.symbols)) == count


def test_a_dominant_element_takes_the_position():
    rows = [((x / 5, 0, 0), {"Fe": 1.0}) for x in range(4)]
    result = ordered(crystal([*rows, ((0.8, 0, 0), {"Fe": 0.95, "Cr": 0.05})], cell=12.0))
    assert result.rules == (DOMINANT,)
    assert result.crystal.amounts == {"Fe": 5.0}
    assert result.change == pytest.approx(0.01)


def test_without_a_dominant_element_the_composition_is_named():
    with pytest.raises(InputError, match=r"Ti 0\.6, V 0\.4.*composition Ti0\.6V0\.4Fe can be screened by formula"):
        ordered(crystal([((0, 0, 0), {"Ti": 0.6, "V": 0.4}), ((0.5, 0.5, 0.5), {"Fe": 1.0})]))


def test_different_elements_on_a_split_position_count_as_sharing_it():
    rows = [((0, 0, 0), {"Na": 0.5}), ((0.02, 0, 0), {"K": 0.5}), ((0.5, 0.5, 0.5), {"Cl": 1.0})]
    with pytest.raises(InputError, match="one place shared"):
        ordered(crystal(rows))


def test_alternative_positions_keep_the_one_occupied_most():
    rows = [((0, 0, 0), {"Li": 0.7}), ((0.12, 0, 0), {"Li": 0.3}), ((0.5, 0.5, 0.5), {"F": 1.0})]
    result = ordered(crystal(rows))
    assert result.rules == (ALTERNATIVE,)
    assert result.crystal.amounts == {"Li": 1.0, "F": 1.0}
    assert result.crystal.fractional[0] == pytest.approx([0, 0, 0])


def test_two_orientations_of_a_tetrahedron_become_one():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.22 / 3**0.5 / 6.0
    rows = [((0.5, 0.5, 0.5), {"B": 1.0}), ((0, 0, 0), {"Na": 1.0})]
    rows += [(tuple(0.5 + corner), {"H": 0.5}) for corner in (*corners, *-corners)]
    result = ordered(crystal(rows, cell=6.0))
    hydrogen = result.crystal.cartesian_angstrom[result.crystal.numbers == 1]
    apart = np.linalg.norm(hydrogen[:, None] - hydrogen, axis=2)[np.triu_indices(4, 1)]
    assert len(hydrogen) == 4
    assert apart == pytest.approx(1.22 * (8 / 3) ** 0.5, rel=1e-6)  # edges of a regular tetrahedron


def test_vacancies_are_spread_in_the_smallest_supercell():
    result = ordered(crystal([((0, 0, 0), {"Li": 0.5}), ((0.5, 0.5, 0.5), {"Cl": 1.0})], cell=3.5))
    assert (result.rules, result.cells, result.change) == ((SPREAD,), 2, 0.0)
    assert result.crystal.amounts == {"Li": 1.0, "Cl": 2.0}


def test_half_of_a_row_of_positions_is_filled_alternately():
    rows = [((x / 8, 0, 0), {"Li": 0.5}) for x in range(8)] + [((x / 8, 0.5, 0.5), {"Cl": 1.0}) for x in range(8)]
    lattice = np.diag([24.0, 8.0, 8.0])
    given_ = PartialCrystal(lattice, np.array([p for p, _ in rows]), tuple(s for _, s in rows))
    result = ordered(given_)
    filled = np.sort(result.crystal.fractional[result.crystal.numbers == 3][:, 0])
    assert np.diff(filled) == pytest.approx(0.25)


def test_hydrogen_atoms_keep_their_distance():
    rows = [((x / 6, 0, 0), {"H": 0.5}) for x in range(6)] + [((0.5, 0.5, 0.5), {"Zr": 1.0})]
    lattice = np.diag([6.0, 6.0, 6.0])  # positions 1.0 angstrom apart
    result = ordered(PartialCrystal(lattice, np.array([p for p, _ in rows]), tuple(s for _, s in rows)))
    hydrogen = result.crystal.fractional[result.crystal.numbers == 1]
    _, distances = close_pairs(result.crystal.lattice_angstrom, hydrogen, 1.45)
    assert len(hydrogen) == 3
    assert not len(distances)


def test_atoms_that_cannot_keep_their_distance_are_refused():
    rows = [((x / 6, 0, 0), {"H": 0.8}) for x in range(6)] + [((0.5, 0.5, 0.5), {"Zr": 1.0})]
    with pytest.raises(InputError, match="without touching each other"):
        ordered(crystal(rows, cell=6.0))


def test_a_composition_that_no_small_cell_holds_is_refused():
    rows = [((0, 0, 0), {"Li": 0.0501}), ((0.5, 0.5, 0.5), {"Cl": 1.0})]
    with pytest.raises(InputError, match="no cell of at most 8 times"):
        ordered(crystal(rows))


def test_too_much_exchange_is_refused():
    with pytest.raises(InputError, match=r"exchange 8\.0 % of the atoms"):
        ordered(crystal([((0, 0, 0), {"Fe": 0.92, "Cr": 0.08})], cell=2.8))


@pytest.mark.parametrize("shares", [{"Li": -0.1}, {"Li": float("nan")}, {"Li": 0.7, "Na": 0.5}, {"Li": 3.0}])
def test_impossible_occupancies_are_refused(shares):
    with pytest.raises(InputError, match=r"occupancies|in one place"):
        ordered(crystal([((0, 0, 0), shares), ((0.5, 0.5, 0.5), {"Cl": 1.0})]))


def test_a_pymatgen_dictionary_is_read_and_isotopes_become_elements():
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4.08), ["Li+", {"H-": 0.99}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert ordered(structure.as_dict()).crystal.amounts == {"H": 1.0, "Li": 1.0}
    assert element_of("D") == element_of("H1-") == "H"
    assert element_of("FE3+") == "Fe"


@pytest.mark.parametrize("text", ["X", "Va", "", "Wat", "M1", "12", "O" * 50])
def test_what_is_no_element_is_refused(text):
    with pytest.raises(InputError, match="is no element"):
        element_of(text)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.tuples(*[st.floats(0, 0.999)] * 3),
            st.dictionaries(
                st.sampled_from(["H", "Li", "Na", "O", "S", "Zr"]), st.floats(0.01, 1.0), min_size=1, max_size=2
            ),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_is_ordered_keeps_its_composition_and_its_positions(rows):
    given_ = crystal(rows, cell=7.0)
    try:
        result = ordered(given_)
    except InputError:
        return
    assert difference(given_.amounts, result.crystal.amounts) <= MOST_CHANGE + 0.02  # sums above 1 are scaled down
    again = ordered(given_)
    assert again.crystal.key == result.crystal.key
    folded = result.crystal.cartesian_angstrom / 7.0
    for place in folded:
        away = given_.fractional - place
        assert np.abs(away - np.rint(away)).max(axis=1).min() < 1e-9
