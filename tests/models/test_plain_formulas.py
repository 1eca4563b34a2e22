"""What the compiled loop reads is what the parser of single formulas reads, and it leaves the rest to it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import FormulaError
from hstore.formula import parse_formula
from hstore_models.features.composition import SYMBOLS, CompositionBatch
from hstore_models.features.plain_formulas import read_plain

PLAIN = ["La1Ni5", "Ti0.95Zr0.05Mn1.55V.45", "LaNi5.", "Mg2NiH4", "Ni2Ni3La", "La.5Ni4.9999999", "O2", "Na1"]
LEFT = [
    "", " ", "LaNi", "NaN", "UNKNOWN", "UNKNoWN", "Ca(BH4)2", "CuSO4.5H2O", "Ca0.5H2O", "Mg-5 wt% Ni", "Hf2Cu (M)",
    "La1e3", "La1.2.3", "La..5", "Ni5La.", "LaNi5Zr0", "La1000001", "Ni999999Ni2", "La0.000000001Ni", "Xx3", "Zz",
    "lani5", "5Ni", "La 1", "LaNi\u2085", "\uff2ca1", "La0.3333333333333333Ni", "Ni1" + "0" * 400,
    "Ni1" * 200, "H2O\n",
]  # fmt: skip
terms = st.tuples(
    st.sampled_from([*SYMBOLS[1:], "X", "n", "(", ".", " ", "e"]),
    st.one_of(
        st.just(""),
        st.integers(0, 10**7).map(str),
        st.decimals(0, 1000, places=6, allow_nan=False).map(str),
        st.floats(0, 1e7).map(repr),
    ),
)
texts = st.lists(terms, max_size=6).map(lambda parts: "".join(a + b for a, b in parts))


def rows_of(*formulas):
    """Rows of some formulas, read with enough others to be read at all."""
    return read_plain([*formulas, *["La1Ni5"] * 100]).rows()[: len(formulas)]


@pytest.mark.parametrize("formula", PLAIN)
def test_plain_formulas_are_read_as_one_by_one_to_the_last_bit(formula):
    (row,) = rows_of(formula)
    assert list(row.items()) == list(parse_formula(formula).amounts.items())


@pytest.mark.parametrize("formula", LEFT, ids=lambda text: ascii(text[:20]))
def test_what_is_more_than_symbols_and_numbers_is_left(formula):
    assert rows_of("Ti1Fe1", formula, "Mg2Ni1") == [{"Ti": 1.0, "Fe": 1.0}, {}, {"Mg": 2.0, "Ni": 1.0}]


@given(st.lists(texts, max_size=8))
def test_whatever_is_read_is_what_the_parser_reads_without_a_note(formulas):
    for formula, row in zip(formulas, rows_of(*formulas), strict=True):
        if row:
            parsed = parse_formula(formula)
            assert list(row.items()) == list(parsed.amounts.items())
            assert parsed.notes == ()


def test_few_formulas_are_left_and_cells_that_are_no_text():
    assert read_plain(["La1Ni5"] * 3).rows() == [{}, {}, {}]
    assert read_plain([]).rows() == []
    assert rows_of(None, 5.0, float("nan")) == [{}, {}, {}]


def test_a_batch_of_many_is_that_of_few():
    formulas = [*PLAIN, *LEFT, "Ca(BH4)2", "La0.5Ni0.3Al0.2Mn0.1Co0.1Fe0.1"] * 5
    many, rejected = CompositionBatch.from_formulas(formulas)
    few = [CompositionBatch.from_formulas([formula]) for formula in formulas]
    read = [one.amounts[0].tolist() for one, _ in few if len(one)]
    assert len(many) == len(read)
    assert len(many) + len(rejected) == len(formulas)
    for row, amounts in zip(many.amounts, read, strict=True):
        assert row[: len(amounts)].tolist() == amounts
        assert not row[len(amounts) :].any()
    causes = [(place, bad[0].cause) for place, (_, bad) in enumerate(few) if bad]
    assert [(one.index, one.cause) for one in rejected] == causes
    assert np.array_equal(many.counts, [int(one.counts[0]) for one, _ in few if len(one)])


def test_what_is_left_is_refused_as_before():
    with pytest.raises(FormulaError):
        parse_formula("UNKNOWN")
    _, rejected = CompositionBatch.from_formulas(["UNKNOWN", *["La1Ni5"] * 100])
    assert "missing value" in rejected[0].cause
