"""No group is on both sides of a split, whatever rows share, and a split names itself by its hash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.invariants import fingerprint
from hstore_models.split_labels import (
    broad_family,
    composition_clusters,
    fractions,
    inferred_families,
    material_key,
    paper,
    pore_clusters,
    structure_clusters,
)
from hstore_models.splits import (
    OTHER_FAMILIES,
    family_split,
    grouped_folds,
    grouped_split,
    official_split,
    split_hash,
)


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 3))
def test_no_group_is_in_two_folds(groups, n_folds, seed):
    if len(set(groups)) < 2:
        return
    keys = [str(i) for i in range(len(groups))]
    split = grouped_split("chemical_system", "letters", keys, groups, n_folds=n_folds, seed=seed)
    of_group = {}
    for group, fold in zip(groups, split.folds.tolist(), strict=True):
        assert of_group.setdefault(group, fold) == fold
    held = np.sum([rows for _, rows in split.held_out()], axis=0)
    assert (held == 1).all(), "each row is held out once"
    assert np.array_equal(split.folds, grouped_folds(groups, n_folds=n_folds, seed=seed))
    assert split.hash == split_hash(keys, split.folds)
    assert len(split) == len(groups)


def test_a_split_names_its_subset_and_hash():
    split = grouped_split("doi", "hystor, 4 rows", ["1", "2", "3", "4"], ["a", "a", "b", "c"])
    assert str(split) == f"hystor, 4 rows; split by doi, 3 folds, hash {split.hash}"
    assert "one part" in str(official_split("obelix test part", ["1"], ["a"]))


def test_the_hash_tells_splits_apart():
    keys, groups = [str(i) for i in range(40)], [str(i // 2) for i in range(40)]
    one, same, other = (grouped_split("x", "s", keys, groups, seed=seed) for seed in (0, 0, 1))
    assert one.hash == same.hash != other.hash


def test_each_large_family_is_left_out_alone_and_small_ones_together():
    families = ["ab5"] * 25 + ["ab2"] * 30 + ["mg"] * 3 + ["a2b"] * 4
    split = family_split("s", [str(i) for i in range(len(families))], families)
    members = {frozenset(split.groups[rows].tolist()) for _, rows in split.held_out()}
    assert members == {frozenset({"ab5"}), frozenset({"ab2"}), frozenset({"mg", "a2b"})}
    assert OTHER_FAMILIES not in split.groups


@pytest.mark.parametrize("families", [["ab5"] * 30, ["ab5"] * 5 + ["mg"] * 3])
def test_one_family_cannot_be_left_out(families):
    with pytest.raises(InputError, match="choose another split of chemical_system"):
        family_split("s", [str(i) for i in range(len(families))], families)


def test_one_group_cannot_be_split():
    with pytest.raises(InputError, match="3 rows of 1 group"):
        grouped_split("composition", "s", ["1", "2", "3"], ["a"] * 3)


def test_a_hydride_and_its_host_are_one_material_but_a_borohydride_is_not_a_boride():
    assert material_key({"La": 1, "Ni": 5}) == material_key({"La": 2, "Ni": 10, "H": 12})
    assert material_key({"Li": 1, "B": 1}) != material_key({"Li": 1, "B": 1, "H": 4})
    assert material_key({"Li": 1, "H": 1}, hydrogen=True) != material_key({"Li": 1}, hydrogen=True)


def test_fractions_are_those_of_the_host():
    table = fractions([{"La": 1.0, "Ni": 5.0, "H": 6.0}, {"Li": 1.0, "B": 1.0, "H": 4.0}])
    assert table[0, 57] == pytest.approx(1 / 6)
    assert table.sum(axis=1) == pytest.approx([1.0, 1.0 + 2.0])
    assert fractions([{"Li": 1.0, "O": 1.0, "H": 2.0}], hydrogen=True)[0, 1] == 0.5


def test_composition_clusters_hold_no_pair_beyond_the_threshold():
    rng = np.random.default_rng(0)
    amounts = [{"Ti": 1.0, "Fe": float(x), "Mn": 0.2} for x in rng.uniform(0.5, 2.0, 60)]
    labels = composition_clusters(amounts, threshold=0.1)
    table = fractions(amounts)
    assert len(set(labels.tolist())) > 2
    for label in set(labels.tolist()):
        inside = table[labels == label]
        assert np.abs(inside[:, None] - inside[None]).sum(axis=2).max() <= 0.1 + 1e-9
    assert len(set(composition_clusters(amounts[:1]).tolist())) == 1


def _rocksalt(first, second, length):
    cell = length * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Crystal(cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([first, second]))


def _caesium_chloride(first, second, length):
    return Crystal(length * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([first, second]))


def test_structures_of_one_type_are_one_cluster_and_rows_without_follow_their_composition():
    crystals = [_rocksalt(3, 9, 4.03), _rocksalt(11, 17, 5.64), _caesium_chloride(55, 17, 4.12)]
    prints = [*map(fingerprint, crystals), None, None]
    salts = [{"Li": 1, "F": 1}, {"Na": 1, "Cl": 1}, {"Cs": 1, "Cl": 1}]
    amounts = [*salts, {"Mg": 1, "O": 1}, {"Mg": 2, "O": 2}]
    labels = structure_clusters(prints, amounts, hydrogen=True)
    assert labels[0] == labels[1] != labels[2]
    assert labels[3] == labels[4]
    assert labels[3].startswith("composition cluster")


def test_pores_cluster_by_likeness():
    near = np.repeat([[0.5, 1000.0], [1.5, 4000.0]], 10, axis=0)
    labels = pore_clusters(near + np.random.default_rng(0).normal(0, 0.001, near.shape), n_clusters=2)
    assert len(set(labels[:10].tolist())) == len(set(labels[10:].tolist())) == 1
    assert labels[0] != labels[-1]
    assert len(pore_clusters(np.array([[1.0, np.nan], [2.0, 3.0]]))) == 2


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("https://doi.org/10.1038/SREP36770", "10.1038/srep36770"),
        ("10.1039/C3DT52917G", "10.1039/c3dt52917g"),
        ("[232]-\ufeff10.1016/j.jallcom.2022.165219", "[232]10.1016/j.jallcom.2022.165219"),
        ("Pourarian, 1985 (ref. 423)", "pourarian, 1985 (ref. 423)"),
        ("US DOE HydPARK", "no paper, La-Ni"),
        ("", "no paper, La-Ni"),
        (None, "no paper, La-Ni"),
    ],
)
def test_papers_are_named_by_their_doi(reference, name):
    assert paper(reference, "no paper, La-Ni") == name


@pytest.mark.parametrize(
    ("family", "broad"),
    [
        ("AB2(C14)", "ab2"),
        ("AB2", "ab2"),
        ("Garnet", "garnet"),
        ("garnets", "garnet"),
        ("SS", "ss"),
        ("glass", "glass"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_subclasses_and_spellings_are_one_family(family, broad):
    assert broad_family(family) == broad


def test_families_are_inferred_from_compositions():
    alloys = [{"La": 1.0, "Ni": 5.0, "H": 6.0}, {"Ti": 1.0, "Fe": 1.0}, {"Li": 1.0, "B": 1.0, "H": 4.0}]
    assert inferred_families(alloys) == ["AB5", "AB", "borohydride"]
    ions = [{"Li": 7, "La": 3, "Zr": 2, "O": 12}, {"Li": 6, "P": 1, "S": 5, "Cl": 1}, {"Li": 3, "Y": 1, "Br": 6}]
    assert inferred_families([*ions, {"Li": 1}], electrolyte=True) == ["oxide", "sulfide", "halide", "other"]
