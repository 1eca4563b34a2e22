"""Effort of candidates: synthesis, price, supply risk, toxicity, and what a lab can make."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import FormulaError, InputError, UnknownNameError
from hstore_models.features.composition import CompositionBatch
from hstore_workflows.campaign.effort import EffortWeights, effort, makeable
from hstore_workflows.campaign.supply import (
    dear_elements,
    hazard_class,
    price_usd_per_kg,
    supply_concentration,
)
from hstore_workflows.campaign.synthesis import synthesis

POOL = ["TiFe", "LaNi5", "Mg2Ni", "TiVNbSc", "NaAlH4", "Li6PS5Cl", "Li7La3Zr2O12", "C8H4O5Zn", "MgNb", "UCo"]


def batch(*formulas):
    return CompositionBatch.from_formulas(formulas)[0]


def work(formula, part):
    return float(synthesis(batch(formula)).parts[part][0])


def test_effort_is_positive_has_mean_one_and_is_the_sum_of_its_parts():
    found = effort(POOL)
    assert found.relative.shape == (len(POOL),)
    assert (found.relative > 0).all()
    assert found.relative.mean() == pytest.approx(1.0)
    assert np.allclose(sum(found.parts.values()), found.relative)
    assert set(found.parts) == {"base", "synthesis", "price", "supply", "toxicity"}


def test_a_row_does_not_depend_on_how_the_pool_is_padded_or_scaled():
    alone, wide = effort(["Ti2Fe2", "LaNi5"]), effort(["TiFe", "LaNi5"])
    assert np.allclose(alone.relative, wide.relative)
    parts = synthesis(batch(*POOL, "LaCePrNdNiCoMnAl")).work[: len(POOL)]
    assert np.array_equal(parts, synthesis(batch(*POOL)).work)


@pytest.mark.parametrize("materials", [POOL, CompositionBatch.from_formulas(POOL)[0]], ids=["formulas", "batch"])
def test_formulas_and_batches_give_the_same(materials):
    assert np.array_equal(effort(materials).relative, effort(POOL).relative)


def test_price_is_weighted_by_mass():
    price = price_usd_per_kg(batch("LaNi5", "Pd", "Sc"))
    la, ni = 138.90547, 5 * 58.6934
    assert price[0] == pytest.approx((4.85 * la + 13.9 * ni) / (la + ni))
    assert price[1:].tolist() == [49500.0, 3460.0]


def test_what_is_not_traded_is_as_dear_as_the_dearest():
    assert price_usd_per_kg(batch("Pu"))[0] == price_usd_per_kg(batch("Pm"))[0] == 460000.0


def test_supply_is_low_for_common_elements_and_high_for_concentrated_ones():
    steel, rare, niobium, hydrogen = supply_concentration(batch("TiFe", "LaCe", "Nb", "H2"))
    assert hydrogen == 0
    assert steel < 0.2 < rare < niobium < 1


@pytest.mark.parametrize(
    ("formula", "level"),
    [("TiFe", 0), ("Li7La3Zr2O12", 1), ("LaNi5", 2), ("SmCo5", 3), ("UCo", 4), ("La100Ni500Be0.01", 2)],
    ids=["plain", "corrosive", "suspected", "category 1", "radioactive", "a trace does not count"],
)
def test_hazard_is_that_of_the_worst_element_above_the_limit(formula, level):
    assert hazard_class(batch(formula)).tolist() == [level]


@pytest.mark.parametrize(
    ("easier", "harder"),
    [
        ("LaNi5", "Mg2Ni"),
        ("Mg2Ni", "MgNb"),
        ("TiFe", "TiMn2"),
        ("TiFe0.9Mn0.1", "TiMn2"),
        ("LaNi5", "YbNi5"),
    ],
)
def test_volatile_metals_in_hot_melts_cost_more(easier, harder):
    assert work(easier, "boiling") < work(harder, "boiling") <= 1.0


def test_nothing_boils_off_where_nothing_is_melted_together():
    assert [work(f, "boiling") for f in ("Mg", "MgH2", "LiBH4", "Li2MgZrO4", "Li3YCl6")] == [0.0] * 5
    assert work("LaNi5", "boiling") == 0.0


def test_refractory_metals_and_distant_melting_points_are_remelted():
    assert work("TiVCr", "melting") == 0.0
    assert work("Nb", "melting") == pytest.approx(0.3)
    assert work("CeW", "melting") > work("MoW", "melting") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("formula", "air", "milling", "framework"),
    [
        ("TiFe", False, False, False),
        ("LaNi5H6", False, False, False),
        ("CaNi5", True, False, False),
        ("NaAlH4", True, True, False),
        ("Mg(BH4)2", False, True, False),
        ("Li6PS5Cl", True, False, False),
        ("Li2OHCl", True, False, False),
        ("Li7La3Zr2O12", False, False, False),
        ("SiO2", False, False, False),
        ("LiF", False, False, False),
        ("C8H4O5Zn", False, False, True),
        ("C", False, False, True),
    ],
)
def test_the_route_is_read_from_the_composition(formula, air, milling, framework):
    found = [work(formula, part) > 0 for part in ("air", "milling", "framework")]
    assert found == [air, milling, framework]


def test_every_element_beyond_the_second_counts_and_hydrogen_does_not():
    assert work("LaNi5", "elements") == work("LaNi5H6", "elements") == 0.0
    assert work("LaNi4.7Al0.3", "elements") == work("LaNi4.7Al0.3H6", "elements") == pytest.approx(0.15)


def test_no_element_makes_nan():
    from hstore.elements import SYMBOLS

    found = effort([*SYMBOLS, *(f"{symbol}Ni" for symbol in SYMBOLS if symbol != "Ni")])
    assert np.isfinite(found.relative).all()


def test_reasons_name_what_makes_a_candidate_laborious():
    found = effort(POOL)
    words = {formula: found.reason(row) for row, formula in enumerate(POOL)}
    assert words["TiFe"].endswith("x the pool's mean effort")
    assert "Sc makes it" in words["TiVNbSc"]
    assert "dearer than the pool's median" in words["TiVNbSc"]
    assert "Mg boils off where Ni melts" in words["Mg2Ni"]
    assert "made in a glove box; milled under hydrogen" in words["NaAlH4"]
    assert "Nb comes from few countries" in words["MgNb"]
    assert "radioactive: no stable isotope; cobalt" in words["UCo"]
    assert "framework" in words["C8H4O5Zn"]


def test_the_dearest_element_is_named_even_when_many_share_the_price():
    pool = batch("Ru", "RuPdPtIrRh")
    assert dear_elements(pool, 0, share=0.25) == ["Ru"]
    assert dear_elements(pool, 1, share=0.9) == ["Rh"]


def test_weights_of_zero_leave_a_part_out():
    plain = effort(POOL, weights=EffortWeights(0, 0, 0, 0))
    assert np.allclose(plain.relative, 1.0)
    assert np.ptp(effort(POOL, weights=EffortWeights(price=5)).relative) > np.ptp(effort(POOL).relative)


def test_weights_are_read_and_written():
    weights = EffortWeights.parse("price=2, supply=0")
    assert weights == EffortWeights(price=2.0, supply=0.0)
    assert EffortWeights.parse(str(weights)) == weights
    assert EffortWeights.parse("") == EffortWeights()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("prise=2", UnknownNameError, "did you mean 'price'"),
        ("price=much", InputError, "must read PART=WEIGHT"),
        ("price", InputError, "must read PART=WEIGHT"),
        ("price=-1", InputError, "weight of price must be a finite number of at least 0, got -1"),
        ("price=nan", InputError, "got nan"),
    ],
)
def test_wrong_weights_are_refused(text, error, message):
    with pytest.raises(error, match=message):
        EffortWeights.parse(text)


def test_a_labs_own_figures_take_the_place_of_base_and_synthesis():
    hours = np.linspace(1.0, 10.0, len(POOL))
    found = effort(POOL, own=hours, weights=EffortWeights(price=0, supply=0, toxicity=0))
    assert np.allclose(found.relative, hours / hours.mean())
    assert np.allclose(effort(POOL, own=1000 * hours).relative, effort(POOL, own=hours).relative)
    mixed = effort(POOL, own=hours)
    assert mixed.parts["base"].mean() == pytest.approx(
        (effort(POOL).parts["base"] + effort(POOL).parts["synthesis"]).mean()
    )
    assert "glove box" not in mixed.reason(POOL.index("NaAlH4"))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (np.ones(3), "one value per candidate, 10, got shape"),
        (np.array([1.0] * 9 + [np.nan]), r"got nan \(row 9\); 1 rows need one"),
        (np.array([0.0, -1.0] + [1.0] * 8), r"got 0.0 \(row 0\); 2 rows"),
    ],
)
def test_own_figures_must_be_positive_and_complete(own, message):
    with pytest.raises(InputError, match=message):
        effort(POOL, own=own)


def test_no_candidate_and_unreadable_formulas_are_refused():
    with pytest.raises(InputError, match="at least one candidate"):
        effort([])
    with pytest.raises(FormulaError, match=r"row 1 \('Xx2'\)"):
        effort(["TiFe", "Xx2"])


@pytest.mark.parametrize(
    ("at_hand", "without", "expected"),
    [
        (None, (), [True] * 4),
        (None, ("Ni",), [True, False, True, True]),
        (("Ti", "Fe", "Na", "Al"), (), [True, False, True, False]),
        (("Ti", "Fe", "Na", "Al"), ("H",), [True, False, False, False]),
        (("Li", "La", "Zr"), (), [False, False, False, True]),
        ((), (), [False] * 4),
    ],
    ids=["everything", "no nickel", "a shelf", "no hydrogen line", "gases and air are understood", "nothing"],
)
def test_a_lab_makes_what_it_has_the_elements_for(at_hand, without, expected):
    pool = ["TiFe", "LaNi5", "NaAlH4", "Li7La3Zr2O12"]
    found = makeable(pool, at_hand, without)
    assert found.dtype == bool
    assert found.tolist() == expected


def test_a_lab_cannot_have_an_element_that_is_none():
    with pytest.raises(InputError, match="'Unobtainium' is not an element"):
        makeable(["TiFe"], ["Unobtainium"])


def test_big_pools_are_estimated_in_pieces_alike(monkeypatch):
    from hstore_workflows.campaign import effort as module
    from hstore_workflows.campaign import synthesis as rules

    whole = effort(POOL)
    monkeypatch.setattr(module, "_CHUNK_ROWS", 3)
    monkeypatch.setattr(rules, "_CHUNK_ROWS", 3)
    assert np.array_equal(effort(POOL).relative, whole.relative)
