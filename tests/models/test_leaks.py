"""Every near-duplicate across a split is named, nothing else is, and ten thousand rows take about a second."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError, LeakError
from hstore.formula import parse_amounts
from hstore_models.invariants import fingerprint
from hstore_models.leaks import (
    NEAR_COMPOSITION,
    SAME_COMPOSITION,
    SAME_DESCRIPTORS,
    SAME_STRUCTURE,
    Side,
    audit,
    refuse,
)


def formulas(*names):
    return Side(list(names), [parse_amounts(name) for name in names])


def kinds(leaks):
    return {(pair.scored, pair.trained): pair.kind for pair in leaks.pairs}


@pytest.mark.parametrize(
    ("scored", "trained", "kind"),
    [
        ("LaNi5", "LaNi5", SAME_COMPOSITION),
        ("La2Ni10", "LaNi5H6", SAME_COMPOSITION),
        ("LiBH4", "LiBH4", SAME_COMPOSITION),
        ("Ti1.1Fe", "Ti1.1FeB0.001", NEAR_COMPOSITION),
        ("LaNi4.99Al0.01", "LaNi5", NEAR_COMPOSITION),
        ("LaNi4.98Al0.02", "LaNi5", None),  # differs by 2 x 0.33 at.%
        ("LiB", "LiBH4", None),
        ("TiFe", "TiMn2", None),
    ],
)
def test_compositions_of_hydrides(scored, trained, kind):
    leaks = audit(formulas(scored), formulas(trained))
    assert kinds(leaks) == ({(0, 0): kind} if kind else {})
    assert bool(leaks) == (kind is not None)


def test_hydrogen_of_an_electrolyte_is_no_absorbed_hydrogen():
    assert not audit(formulas("Li2OHCl"), formulas("Li2OCl"), hydrogen=True)
    assert audit(formulas("Li2OHCl"), formulas("Li4O2H2Cl2"), hydrogen=True).counts == {SAME_COMPOSITION: 1}


def test_the_threshold_is_the_total_difference_of_fractions():
    one, other = formulas("Ti50Fe50"), formulas("Ti51Fe49")  # 0.02 in all
    assert not audit(one, other, near=0.0199)
    assert audit(one, other, near=0.0201)


def test_pairs_agree_with_the_plain_double_loop():
    rng = np.random.default_rng(1)
    rows = [
        {el: float(x) for el, x in zip(("Ti", "Zr", "Mn", "V"), rng.uniform(0.98, 1.02, 4).round(2), strict=True)}
        for _ in range(120)
    ]
    one, other = Side([""] * 60, rows[:60]), Side([""] * 60, rows[60:])

    def parts(row):
        return np.array(list(row.values())) / sum(row.values())

    expected = {
        (i, j)
        for i, a in enumerate(rows[:60])
        for j, b in enumerate(rows[60:])
        if np.abs(parts(a) - parts(b)).sum() <= 0.005 + 1e-9
    }
    assert set(kinds(audit(one, other))) == expected
    assert 10 < len(expected) < 3600


def test_masks_and_summary_name_both_sides():
    leaks = audit(formulas("LaNi5", "TiFe", "Mg2Ni"), formulas("Mg2NiH4", "ZrMn2", "LaNi5H6", "LaNi5"))
    assert leaks.scored.tolist() == [True, False, True]
    assert leaks.trained.tolist() == [True, False, True, True]
    assert leaks.of_kind(SAME_COMPOSITION).tolist() == [True, False, True]
    assert not leaks.of_kind(NEAR_COMPOSITION).any()
    summary = leaks.summary()
    assert (summary["scored_rows"], summary["training_rows"], summary["pairs"]) == (2, 3, {SAME_COMPOSITION: 3})
    assert summary["named"][0] == "LaNi5 ~ LaNi5H6 in training (same composition)"


def test_refusal_names_the_first_ten_and_says_what_to_do():
    names = [f"TiFe{1 + i / 10:g}" for i in range(13)]
    with pytest.raises(LeakError, match="13 of 14 rows") as caught:
        refuse(audit(formulas(*names, "Mg2Ni"), formulas(*names)))
    message = str(caught.value)
    assert message.count(" ~ ") == 10
    assert "and 3 more pairs" in message
    assert "--leaks drop" in message
    assert isinstance(caught.value, InputError)
    refuse(audit(formulas("Mg2Ni"), formulas("TiFe")))


def test_descriptors_are_equal_within_rounding_or_a_part_in_a_thousand():
    here = np.array([[0.48, 6108.18, 8.42], [0.24, 7697.77, 12.42], [1.10, 900.00, np.nan]])
    there = np.array([[0.49, 6110.10, 8.42], [0.24, 7720.00, 12.42], [1.10, 900.00, 5.0], [0.48, 6108.18, 8.44]])
    leaks = audit(Side(["a", "b", "c"], None, here), Side(list("wxyz"), None, there))
    assert kinds(leaks) == {(0, 0): SAME_DESCRIPTORS}


def test_only_descriptors_that_both_sides_know_are_compared():
    here = np.array([[0.6, 3669.0, 1.32, 15.2], [0.4, 4000.0, 1.9, 10.0]])
    there = np.array([[0.6, 3669.0, 1.32, np.nan], [0.4, np.nan, 1.9, np.nan]])
    leaks = audit(Side(["a", "b"], None, here), Side(["x", "y"], None, there))
    assert kinds(leaks) == {(0, 0): SAME_DESCRIPTORS}
    one_column = Side(["x"], None, np.array([[np.nan, 3669.0, np.nan, np.nan]]))
    assert not audit(Side(["a", "b"], None, here), one_column)


def test_structures_of_the_same_elements_are_compared_by_fingerprint():
    def rocksalt(first, second, length):
        cell = length * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        return fingerprint(Crystal(cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([first, second])))

    scored = Side(["NaCl"], [{"Na": 1, "Cl": 1.5}], fingerprints=[rocksalt(11, 17, 5.64)])
    trained = Side(
        ["strained", "swollen", "other elements", "none"],
        [{"Na": 1, "Cl": 1}, {"Na": 1, "Cl": 1}, {"K": 1, "Cl": 1}, {"Na": 1, "Cl": 1}],
        fingerprints=[rocksalt(11, 17, 5.68), rocksalt(11, 17, 6.2), rocksalt(19, 17, 5.64), None],
    )
    assert kinds(audit(scored, trained, hydrogen=True)) == {(0, 0): SAME_STRUCTURE}


@pytest.mark.parametrize("empty", [Side([], []), Side([], None, np.empty((0, 2)))])
def test_an_empty_side_has_no_leak(empty):
    leaks = audit(empty, formulas("LaNi5"))
    assert not leaks
    assert leaks.trained.tolist() == [False]
    assert not audit(Side(["a"], [{}]), formulas("LaNi5"))


def test_ten_thousand_rows_take_seconds_at_most():
    rng = np.random.default_rng(0)
    elements = np.array(["La", "Ni", "Al", "Mg", "Ti", "Fe", "Mn", "V", "Zr", "Cr", "Co", "Cu"])
    rows = [
        dict(zip(rng.choice(elements, 4, replace=False).tolist(), rng.uniform(0.05, 3, 4).tolist(), strict=True))
        for _ in range(10_000)
    ]
    side = Side([str(i) for i in range(10_000)], rows)
    started = time.process_time()
    leaks = audit(side, side)
    assert time.process_time() - started < 20
    assert leaks.counts[SAME_COMPOSITION] >= 10_000
