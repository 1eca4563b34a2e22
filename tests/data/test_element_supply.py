"""Prices and hazards of the elements."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest

from hstore.elements import SYMBOLS
from hstore.errors import DataError
from hstore_data.check import find_problems
from hstore_data.curated import card, curated_table
from hstore_data.element_supply import CATEGORY_1, RADIOACTIVE, element_supply, hazard_class
from hstore_data.table import DataTable


def test_every_element_has_an_entry_in_order():
    assert tuple(element_supply()) == SYMBOLS


def test_every_element_a_store_may_hold_has_a_price_with_its_year():
    for symbol, entry in element_supply().items():
        assert (entry.price_usd_per_kg > 0) == (entry.price_year is not None)
        assert entry.price_usd_per_kg > 0 or entry.hazard_class == RADIOACTIVE, symbol


@pytest.mark.parametrize(
    ("statements", "level"),
    [("", 0), ("H302", 1), ("H317 H351 H372", 2), ("H302 H350", CATEGORY_1), ("radioactive", RADIOACTIVE)],
)
def test_class_is_that_of_the_worst_statement(statements, level):
    assert hazard_class(statements) == level


def test_a_code_that_is_no_health_hazard_is_refused():
    with pytest.raises(DataError, match="H260 is no GHS health hazard statement"):
        hazard_class("H350 H260")


def test_screens_rank_down_only_what_they_note():
    discounted = {symbol for symbol, entry in element_supply().items() if entry.screen_discount}
    assert discounted >= {"Be", "Cd", "Pb", "Hg", "Tl", "As", "U"}
    assert "Co" not in discounted
    assert all(element_supply()[symbol].screen_note for symbol in discounted)


def test_prices_rank_like_those_of_pymatgen():
    """An independent list of 2013; single prices differ up to a hundredfold (see the card), the order less."""
    from scipy.stats import spearmanr

    text = files("pymatgen.analysis").joinpath("costdb_elements.csv").read_text(encoding="utf-8")
    theirs = {row[0]: float(row[1]) for row in csv.reader(text.splitlines(), quotechar="|")}
    ours = {symbol: entry.price_usd_per_kg for symbol, entry in element_supply().items()}
    both = [symbol for symbol in ours if symbol in theirs and np.isfinite(ours[symbol])]
    assert len(both) > 80
    assert spearmanr([ours[s] for s in both], [theirs[s] for s in both]).statistic > 0.75


def test_wrong_cells_are_found():
    ours = curated_table("element_supply")
    frame = ours.frame.copy()
    frame.loc[2, "price_basis"] = ""
    frame.loc[3, "screen_note"] = ""
    frame.loc[4, "hazard_statements"] = "H999"
    frame.loc[5, "element"] = "Xx"
    frame.loc[6, "hazard_citation"] = ""
    frame.loc[7, "hazard_quality"] = "hearsay"
    problems = "\n".join(find_problems(DataTable(ours.name, frame, ours.rejects, ours.sha256), card(ours.name)))
    for expected in (
        "row 3 (Li): price, year and basis go together",
        "row 4 (Be): hazards of class 3 and above",
        "row 5 (B): H999 is no GHS",
        "each once in order of atomic number; differing: ['C', 'Xx']",
        "row 7 (N): hazard_citation is empty",
        "row 8: hazard_quality must be one of memory, read, got 'hearsay'",
    ):
        assert expected in problems
