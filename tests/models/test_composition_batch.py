import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from hstore.errors import FormulaError, InputError
from hstore_models.features.composition import SYMBOLS, CompositionBatch, divide, row_sum

amounts = st.dictionaries(
    st.sampled_from(SYMBOLS[1:]), st.floats(1e-3, 1e3, allow_subnormal=False), min_size=1, max_size=10
)


@given(st.lists(amounts, min_size=1, max_size=5))
def test_fractions_are_bit_for_bit_those_of_pymatgen(rows):
    batch = CompositionBatch.from_amounts(rows)
    for line, row in enumerate(rows):
        composition = Composition(row)
        theirs = [composition.get_atomic_fraction(symbol) for symbol in row]
        assert batch.fractions[line, : len(row)].tolist() == theirs
        assert not batch.fractions[line, len(row) :].any()


@given(st.lists(amounts, min_size=1, max_size=5))
def test_amounts_survive_the_round_trip_in_order(rows):
    batch = CompositionBatch.from_amounts(rows)
    for line, row in enumerate(rows):
        symbols = [SYMBOLS[z] for z in batch.atomic_numbers[line] if z]
        assert dict(zip(symbols, batch.amounts[line], strict=False)) == row
        assert symbols == list(row)


def test_atomic_numbers_agree_with_pymatgen():
    from pymatgen.core import Element

    assert [Element(symbol).Z for symbol in SYMBOLS[1:]] == list(range(1, len(SYMBOLS)))


def test_unreadable_formulas_are_rejected_with_cause_and_the_rest_goes_on():
    batch, rejected = CompositionBatch.from_formulas(["LaNi5", "Xx2", "", "TiFe", "Mg2Ni1-yBey"])
    assert batch.formulas() == ["LaNi5", "TiFe"]
    assert [(r.index, r.formula) for r in rejected] == [(1, "Xx2"), (2, ""), (4, "Mg2Ni1-yBey")]
    assert all(r.cause for r in rejected)


@pytest.mark.parametrize(
    ("row", "message"),
    [({"Xx": 1.0}, "unknown element 'Xx'"), ({"H": 0.0}, "at least 1e-08"), ({"H": float("nan")}, "finite"),
     ({"H": float("inf")}, "finite"), ({"H": -1.0}, "at least"), ({}, "no element")],
    ids=["unknown", "zero", "nan", "infinite", "negative", "empty"],
)  # fmt: skip
def test_amounts_that_mean_nothing_are_refused_with_the_row(row, message):
    with pytest.raises(FormulaError, match=message) as caught:
        CompositionBatch.from_amounts([{"Ni": 1.0}, row])
    assert "row 1" in str(caught.value)


def test_taking_elements_out_keeps_the_others_in_order():
    batch = CompositionBatch.from_amounts([{"Ca": 1, "B": 2, "H": 8}, {"H": 2}, {"H": 4, "Mg": 2, "Ni": 1}])
    host = batch.without(["H"])
    assert host.formulas() == ["CaB2", "", "Mg2Ni"]
    assert host.counts.tolist() == [2, 0, 2]
    assert host.fractions.sum(axis=1) == pytest.approx([1, 0, 1])


def test_fraction_of_counts_each_element_once():
    batch = CompositionBatch.from_amounts([{"La": 1, "Ni": 5}, {"Ti": 1, "Fe": 1}])
    assert batch.fraction_of(["Ni", "Fe", "Ni"]) == pytest.approx([5 / 6, 1 / 2])
    with pytest.raises(InputError, match="'Qq' is not an element"):
        batch.fraction_of(["Qq"])


def test_chunks_put_together_are_the_whole():
    batch = CompositionBatch.from_amounts([{"Ni": float(n)} for n in range(1, 12)])
    pieces = list(batch.chunks(4))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate([p.amounts for p in pieces]), batch.amounts)


def test_row_sums_do_not_depend_on_padding():
    values = np.random.default_rng(0).random((50, 11))
    padded = np.concatenate([values, np.zeros((50, 30))], axis=1)
    np.testing.assert_array_equal(row_sum(values), row_sum(padded))


def test_division_by_zero_is_undefined():
    np.testing.assert_array_equal(divide(np.array([1.0, 2.0]), np.array([0.0, 4.0])), [np.nan, 0.5])


def test_the_compiled_mean_is_the_plain_one():
    from hstore_models.features.composition import weighted_deviation, weighted_mean

    rng = np.random.default_rng(0)
    weights, values = rng.random((40, 5)) * (rng.random((40, 5)) > 0.3), rng.normal(size=(40, 5))
    weights[0], values[1], weights[2, 0], values[2, 0] = 0.0, np.nan, 0.0, np.nan
    for row, (mean, spread) in enumerate(
        zip(weighted_mean(weights, values), weighted_deviation(weights, values), strict=True)
    ):
        counted = weights[row] > 0
        if not counted.any() or np.isnan(values[row][counted]).any():
            assert np.isnan(mean)
            continue
        expected = np.average(values[row][counted], weights=weights[row][counted])
        assert mean == pytest.approx(expected, rel=1e-12)
        squares = (values[row][counted] - expected) ** 2
        assert spread == pytest.approx(np.sqrt(np.average(squares, weights=weights[row][counted])), rel=1e-9)
    assert np.isnan(weighted_mean(weights, values)[:2]).all()
    assert np.isfinite(weighted_mean(weights, values)[2]) == (weights[2] > 0).any()
