"""Formulas and structures in the forms of OPTIMADE, against the models of its library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimade.models.utils import anonymize_formula, reduce_formula

from hstore.elements import SYMBOLS
from hstore.formula import canonical_formula, parse_amounts, parse_formula
from hstore.interchange import (
    Placement,
    anonymous_formula,
    descriptive_formula,
    hill_formula,
    integer_amounts,
    reduced_formula,
)

amounts = st.dictionaries(
    st.sampled_from(SYMBOLS),
    st.one_of(st.integers(1, 400).map(float), st.floats(0.001, 50), st.integers(1, 5000).map(lambda n: n / 1000)),
    min_size=1,
    max_size=26,
)


def integers(given):
    return integer_amounts(given, canonical_formula(given))


@given(amounts)
def test_reduced_and_anonymous_formulas_are_what_the_library_makes_of_them(given):
    parts = integers(given)
    assert parts.keys() == given.keys()
    reduced = reduced_formula(parts)
    assert reduce_formula(reduced) == reduced
    assert anonymous_formula(parts) == anonymize_formula(reduced)


@given(amounts)
def test_rounding_keeps_the_proportions(given):
    parts, whole = integers(given), sum(given.values())
    total = sum(parts.values())
    assert all(abs(parts[el] / total - n / whole) < 2e-3 for el, n in given.items())


@pytest.mark.parametrize(
    ("formula", "reduced", "anonymous", "hill"),
    [
        ("LaNi5", "LaNi5", "A5B", "LaNi5"),
        ("La2Ni10", "LaNi5", "A5B", "La2Ni10"),
        ("Ca(BH4)2", "B2CaH8", "A8B2C", "B2CaH8"),
        ("C24H12O13Zn4", "C24H12O13Zn4", "A24B13C12D4", "C24H12O13Zn4"),
        ("Ca1.34Mg0.66Co7", "Ca67Co350Mg33", "A350B67C33", None),
        ("LaNi4.8Al0.2", "AlLa5Ni24", "A24B5C", None),
        ("Fe", "Fe", "A", "Fe"),
    ],
)
def test_forms(formula, reduced, anonymous, hill):
    given = parse_amounts(formula)
    parts = integers(given)
    assert (reduced_formula(parts), anonymous_formula(parts), hill_formula(given)) == (reduced, anonymous, hill)


def test_more_elements_than_letters_have_no_anonymous_formula():
    assert anonymous_formula(dict.fromkeys(SYMBOLS[:26], 1)) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert anonymous_formula(dict.fromkeys(SYMBOLS[:27], 1)) is None


@pytest.mark.parametrize(
    ("formula", "shown"), [("Ca(BH4)2", "Ca(BH4)2"), ("Hf2Cu (M)", "Hf2Cu"), ("NaAlH4·H2O", "NaAlH6O")]
)
def test_a_formula_of_the_source_is_shown_as_it_is_where_optimade_allows(formula, shown):
    assert descriptive_formula(formula, parse_formula(formula)) == shown


def cell(*sites):
    return {
        "lattice": {"matrix": [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]},
        "sites": [
            {"species": [{"element": el, "occu": n} for el, n in held.items()], "abc": [0.3 * k, 0.0, 0.5]}
            for k, held in enumerate(sites)
        ],
    }


@pytest.mark.parametrize(
    ("structure", "formula", "disordered", "unplaced"),
    [
        (cell({"Fe": 1}, {"Ti": 1}), "FeTi", False, ()),
        (cell({"Fe": 1}, {"Ti": 1}), "Fe4Ti4", False, ()),
        (cell({"Fe": 1}, {"Ti": 1}), "FeTiH2", False, ("H",)),
        (cell({"Fe": 0.5, "Ti": 0.5}), "FeTi", True, ()),
        (cell({"Fe": 0.5}, {"Ti": 0.5}), "FeTi", True, ()),
        (cell({"Fe": 1}, {"Ti": 1}, {}), "FeTi", False, ()),
        (cell({"Fe": 1}, {"Ti": 1}, {"Ti": 1}), "Fe2Ti2", False, ("Fe",)),
    ],
)
def test_what_a_structure_says_of_a_formula(structure, formula, disordered, unplaced):
    placed = Placement.of(structure, parse_amounts(formula))
    assert (placed.disordered, placed.unplaced) == (disordered, unplaced)


@pytest.mark.parametrize(
    "structure",
    [
        None,
        {},
        {"lattice": {"a": 1.0}, "sites": []},
        cell(),
        cell({"Fe": 1}, {"Ni": 1}),
        cell({"Fe": 0.8, "Ti": 0.8}),
        cell({"Fe": -1, "Ti": 1}),
        cell({"X": 1}),
        cell({}),
    ],
)
def test_what_is_no_structure_of_the_formula_is_none(structure):
    assert Placement.of(structure, {"Fe": 1.0, "Ti": 1.0}) is None
