"""Curated tables: typed columns, their cards, and the comparison with public sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.errors import UnknownNameError
from hstore_data.card import Outlier
from hstore_data.check import check_curated, check_table, find_problems
from hstore_data.compare import compare
from hstore_data.curated import COLUMNS, card, curated_table
from hstore_data.table import DataTable

HYDRIDE = {
    "row": 1, "formula": "LaNi5H6", "host_formula": "LaNi5", "composition": "H6LaNi5",
    "host_composition": "LaNi5", "h2_capacity_wt_pct": 1.4, "desorption_enthalpy_kj_per_mol_h2": 30.8,
    "desorption_entropy_j_per_mol_h2_k": 108.0,
}  # fmt: skip
ELECTROLYTE = {
    "row": 1, "formula": "Li3PS4", "composition": "Li3PS4", "temperature_k": 298.15, "censored": False,
    "conductivity_s_per_cm": 1e-4, "log10_conductivity_s_per_cm": -4.0,
}  # fmt: skip


def table(name, *records):
    return DataTable(name, pd.DataFrame(list(records)), [], {})


def compare_hydride(theirs, outliers=()):
    ours = card("hydrides").model_copy(update={"outliers": tuple(outliers)})
    found = compare(ours, table("hydrides", HYDRIDE), table("ml_hydpark", {"row": 7, **theirs}))
    return {item.column: item for item in found}


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_curated_tables_match_their_cards_and_have_no_wrong_cell(name):
    assert list(find_problems(curated_table(name), card(name))) == []


@pytest.mark.parametrize("name", ["hydrides", "electrolytes", "sorbents"])
def test_curated_values_are_numbers_and_text_is_never_missing(name):
    frame = curated_table(name).frame
    kinds = COLUMNS[name]
    for column, kind in kinds.items():
        if kind == "text" and column != "censored":
            assert not frame[column].isna().any()
        elif kind != "text":
            assert frame[column].dtype == np.float64


def test_a_hydride_holds_the_hydrogen_its_formula_says():
    frame = curated_table("hydrides").frame
    with_h = frame["chemical_system"].str.split("-").map(lambda elements: "H" in elements)
    assert with_h.mean() > 0.95


def test_electrolyte_logarithm_is_that_of_the_conductivity():
    frame = curated_table("electrolytes").frame
    assert np.allclose(10 ** frame["log10_conductivity_s_per_cm"], frame["conductivity_s_per_cm"])
    assert frame["censored"].dtype == bool


def test_unknown_curated_table():
    with pytest.raises(UnknownNameError, match="did you mean 'hydrides'"):
        curated_table("hydride")


@pytest.mark.parametrize(
    ("column", "theirs", "agrees"),
    [
        ("desorption_enthalpy_kj_per_mol_h2", 35.8, True),
        ("desorption_enthalpy_kj_per_mol_h2", 35.9, False),
        ("desorption_entropy_j_per_mol_h2_k", 98.0, True),
        ("desorption_entropy_j_per_mol_h2_k", 97.0, False),
        ("h2_capacity_wt_pct", 1.7, True),
        ("h2_capacity_wt_pct", 1.05, False),
    ],
)
def test_tolerances_decide_what_agrees(column, theirs, agrees):
    result = compare_hydride({"composition": "LaNi5", column: theirs})[column]
    assert (result.n_compared, result.n_within) == (1, int(agrees))
    assert len(result.unexplained) == int(not agrees)


def test_complex_hydrides_match_by_the_formula_with_hydrogen():
    assert compare_hydride({"composition": "H6LaNi5", "h2_capacity_wt_pct": 1.4})


def test_other_materials_and_empty_values_are_not_compared():
    assert compare_hydride({"composition": "LaNi4", "h2_capacity_wt_pct": 1.4}) == {}
    assert compare_hydride({"composition": "LaNi5", "h2_capacity_wt_pct": float("nan")}) == {}


@pytest.mark.parametrize(
    ("ours", "explained_to", "theirs", "explained"),
    [
        (30.8, 40.0, 40.0, True),
        (30.8, 40.0, 38.0, True),
        (30.8, 40.0, 45.0, False),
        (30.8, 40.0, 22.0, False),
        (31.8, 45.0, 40.0, False),
    ],
    ids=["as written", "closer", "farther", "other side", "our value has changed since"],
)
def test_an_explanation_reaches_as_far_as_it_was_written(ours, explained_to, theirs, explained):
    column = "desorption_enthalpy_kj_per_mol_h2"
    outlier = Outlier(
        formula="LaNi5H6", column=column, ours=ours, theirs=explained_to, source="x", explanation="because"
    )
    result = compare_hydride({"composition": "LaNi5", column: theirs}, [outlier])[column]
    assert (result.unexplained == ()) is explained
    assert result.outliers[0].explanation == ("because" if explained else None)


@pytest.mark.parametrize(
    ("temperature_k", "log10_sigma", "censored", "expected"),
    [
        (300.0, -4.9, False, (1, 1)),
        (300.0, -5.2, False, (1, 0)),
        (304.0, -4.0, False, None),
        (298.15, -4.0, True, None),
    ],
    ids=["within a decade", "farther", "too warm", "an upper bound"],
)
def test_conductivities_are_compared_in_decades_at_the_same_temperature(
    temperature_k, log10_sigma, censored, expected
):
    theirs = {
        "row": 3, "composition": "Li3PS4", "temperature_k": temperature_k,
        "log10_conductivity_s_per_cm": log10_sigma, "censored": censored,
    }  # fmt: skip
    found = compare(card("electrolytes"), table("electrolytes", ELECTROLYTE), table("obelix", theirs))
    assert [(item.n_compared, item.n_within) for item in found] == ([expected] if expected else [])


def test_uptakes_are_interpolated_in_the_isotherm_named_and_never_extrapolated():
    points = [
        {"row": 1, "isotherm_id": "i1", "temperature_k": 77.0, "pressure_bar": 1.0, "h2_uptake_wt_pct": 1.0},
        {"row": 2, "isotherm_id": "i1", "temperature_k": 77.0, "pressure_bar": 3.0, "h2_uptake_wt_pct": 2.0},
    ]
    ours = {"row": 1, "name": "MOF-5", "seen_in": "isodb_h2: i1", "temperature_k": 77.0, "h2_uptake_wt_pct": 1.5}
    isodb = table("isodb_h2", *points)
    inside = compare(card("sorbents"), table("sorbents", {**ours, "pressure_bar": 2.0}), isodb)
    assert inside[0].median_abs_deviation == pytest.approx(0)
    assert compare(card("sorbents"), table("sorbents", {**ours, "pressure_bar": 4.0}), isodb) == []
    warmer = {**ours, "pressure_bar": 2.0, "temperature_k": 87.0}
    assert compare(card("sorbents"), table("sorbents", warmer), isodb) == []


def test_a_changed_table_is_a_problem():
    ours = curated_table("electrolytes")
    frame = ours.frame.copy()
    frame.loc[0, "citation"] = ""
    frame.loc[1, "mobile_ion"] = "Li"
    changed = DataTable("electrolytes", frame.iloc[:-1], ours.rejects, {"electrolytes.csv": "0" * 64})
    problems = "\n".join(find_problems(changed, card("electrolytes")))
    for expected in ("SHA-256 000", "rows can be used", "row 1: citation is empty", "row 2: mobile_ion must be"):
        assert expected in problems


def test_without_public_sets_the_tables_are_checked_alone(settings):
    report = check_curated(settings)
    assert report.public_sets == ()
    assert [item.name for item in report.tables] == list(COLUMNS)
    assert all(item.comparisons == () for item in report.tables)


def test_a_public_set_that_contradicts_us_fails_the_check():
    ours = curated_table("electrolytes").frame.iloc[0]
    theirs = {
        "row": 1, "composition": ours["composition"], "temperature_k": ours["temperature_k"],
        "log10_conductivity_s_per_cm": ours["log10_conductivity_s_per_cm"] - 3.7, "censored": False,
    }  # fmt: skip
    report = check_table("electrolytes", {"obelix": table("obelix", theirs)})
    assert not report.passed


@pytest.mark.mirror
def test_curated_tables_agree_with_the_public_sets(real):
    report = check_curated(real)
    unexplained = [
        (item.name, found.source, found.formula, found.column, found.ours, found.theirs)
        for item in report.tables
        for comparison in item.comparisons
        for found in comparison.unexplained
    ]
    assert unexplained == []
    compared = {item.name: sum(c.n_compared for c in item.comparisons) for item in report.tables}
    assert compared["hydrides"] > 300
    assert compared["electrolytes"] > 100
    assert compared["sorbents"] > 100
