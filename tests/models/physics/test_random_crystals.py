"""Random crystals: what they hold, that they repeat themselves, and that their atoms keep apart."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from hstore.errors import InputError, MissingExtraError
from hstore_models.physics.random_crystals import (
    GROUPS,
    HYDROGEN_APART_ANGSTROM,
    PlacingError,
    distances_least,
    random_crystals,
)

needs_pyxtal = pytest.mark.skipif(not find_spec("pyxtal"), reason="the extra search (pyxtal) is not installed")
MGH2 = {"Mg": 2, "H": 4}


def only(*groups):
    return [float(group in groups) for group in range(1, GROUPS + 1)]


def drawn(counts, seed, **options):
    return random_crystals(counts, np.random.default_rng(seed), **options)


@pytest.mark.skipif(bool(find_spec("pyxtal")), reason="the extra search is installed")
def test_an_absent_package_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"hstore\[search\]"):
        drawn(MGH2, 0)


@needs_pyxtal
@pytest.mark.parametrize("seed", range(6))
def test_the_composition_is_kept_and_atoms_keep_apart(seed):
    found = drawn(MGH2, seed, number=2)
    least = distances_least(("Mg", "H"))
    for crystal in found.crystals:
        amounts = crystal.amounts
        assert amounts["H"] == 2 * amounts["Mg"]
        structure = crystal.to_pymatgen()
        for i, j, _, apart in zip(*structure.get_neighbor_list(3.0), strict=True):
            assert apart > least[crystal.symbols[i], crystal.symbols[j]] - 1e-3


@needs_pyxtal
def test_equal_seeds_give_equal_crystals():
    one, same, other = drawn(MGH2, 5), drawn(MGH2, 5), drawn(MGH2, 6)
    assert one.crystals[0].key == same.crystals[0].key
    assert one.space_group == same.space_group
    assert one.crystals[0].key != other.crystals[0].key


@needs_pyxtal
@pytest.mark.parametrize("group", [62, 136, 225])
def test_the_space_group_is_that_of_the_weights(group):
    import moyopy

    counts = {62: {"Ca": 4, "H": 8}, 136: MGH2, 225: {"Ti": 1, "H": 2}}[group]
    for crystal in drawn(counts, 1, number=3, weights=only(group)).crystals:
        cell = moyopy.Cell(
            crystal.lattice_angstrom.tolist(), crystal.fractional.tolist(), crystal.numbers.tolist()
        )
        found = moyopy.MoyoDataset(cell, symprec=1e-3)
        assert len(found.operations) >= len(moyopy.operations_from_number(group, primitive=True))


@needs_pyxtal
def test_all_crystals_of_a_draw_share_their_space_group_and_differ():
    found = drawn(MGH2, 2, number=4, weights=only(136))
    assert found.space_group == 136
    assert len({crystal.key for crystal in found.crystals}) > 1


@needs_pyxtal
def test_a_composition_that_fits_no_space_group_given_is_told():
    with pytest.raises(PlacingError, match="formula units"):
        drawn({"Mg": 1, "H": 1, "Li": 1}, 0, weights=only(227))  # its cells hold at least 2 of each


def test_hydrogen_keeps_apart_as_in_hydrides():
    least = distances_least(("Mg", "H"))
    assert least["H", "H"] == HYDROGEN_APART_ANGSTROM
    assert least["Mg", "H"] == least["H", "Mg"] < 1.95  # the shortest distance in MgH2
    assert least["Mg", "Mg"] < 3.0


@pytest.mark.parametrize(
    ("counts", "weights"),
    [
        ({}, None),
        ({"Mg": 0}, None),
        ({"Xx": 1}, None),
        (MGH2, [1.0]),
        (MGH2, [0.0] * GROUPS),
        (MGH2, [-1.0] * 230),
    ],
    ids=["nothing", "no atom", "no element", "too few", "all zero", "negative"],
)
def test_what_cannot_be_drawn_is_refused(counts, weights):
    with pytest.raises(InputError, match="got"):
        drawn(counts, 0, weights=weights)
