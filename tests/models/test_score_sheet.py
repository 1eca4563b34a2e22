"""Score sheets: which families and rows fared worst, and where their values are from."""

import numpy as np
import pandas as pd
import pytest

from hstore.errors import UnknownNameError
from hstore_data.curated import curated_table
from hstore_models.score import FamilyScore
from hstore_models.score_sheet import LEAST_FAMILY_ROWS, citations, missed, score_sheets

NAME = "desorption_enthalpy_kj_per_mol_h2"


@pytest.fixture
def sheets(loaded):
    model = loaded("hydride_thermodynamics")
    return model, score_sheets(model.card, model.held_out)


def test_there_is_a_sheet_for_each_property_that_was_scored(sheets):
    model, found = sheets
    assert [sheet.property_name for sheet in found] == list(model.card.scores)
    assert {sheet.model_id for sheet in found} == {model.card.model_id}


def test_misses_are_the_rows_of_largest_error_and_agree_with_the_table(sheets):
    model, (sheet, *_) = sheets
    rows = model.held_out[model.held_out["property"] == sheet.property_name]
    error = (rows["predicted"] - rows["measured"]).abs().sort_values(ascending=False)
    assert [abs(miss.error) for miss in sheet.misses] == pytest.approx(error.head(10).tolist())
    worst = rows.loc[error.index[0]]
    first = sheet.misses[0]
    assert (first.label, first.group, first.measured) == (worst["label"], worst["group"], worst["measured"])
    assert first.inside == (worst["lower"] <= worst["measured"] <= worst["upper"])


def test_families_and_fifths_hold_every_row_once_and_agree_with_the_card(sheets):
    model, found = sheets
    for sheet in found:
        score = model.card.scores[sheet.property_name]
        assert sum(part.n for part in sheet.ranges) == score.n
        assert sum(part.n for _, part in sheet.families) == score.n
        mean = sum(part.mae * part.n for part in sheet.ranges) / score.n
        assert mean == pytest.approx(score.mae, abs=1e-3)
        assert sheet.n_groups <= score.n


def test_worst_families_are_sorted_and_not_those_of_a_few_rows(sheets):
    for sheet in sheets[1]:
        errors = [part.mae for _, part in sheet.worst_families]
        assert errors == sorted(errors, reverse=True)
        assert all(part.n >= LEAST_FAMILY_ROWS for _, part in sheet.worst_families)
        assert len(errors) <= 5


def test_a_value_of_a_curated_table_has_the_citation_of_its_row():
    table = curated_table("hydrides").frame
    row = table[table[NAME].notna()].iloc[0]
    assert citations("hydrides", row["host_formula"], NAME, float(row[NAME])) == (row["citation"],)


def test_a_name_with_a_state_finds_its_sorbent():
    table = curated_table("sorbents").frame
    row = table.iloc[0]
    label = f"{row['name']}, {row['temperature_k']:g} K, {row['pressure_bar']:g} bar"
    value = float(row["h2_uptake_wt_pct"])
    assert citations("sorbents", label, "h2_uptake_wt_pct", value) == (row["citation"],)


def test_a_value_that_is_in_no_row_has_the_citations_of_the_material():
    table = curated_table("hydrides").frame
    known = table[table["host_formula"] == "LaNi5"]["citation"].unique()
    assert set(citations("hydrides", "LaNi5", NAME, -1.0)) == set(known)


@pytest.mark.parametrize("data_set", ["ml_hydpark", "added:mine"])
def test_other_data_sets_have_no_citation(data_set):
    assert citations(data_set, "LaNi5", NAME, 30.0) == ()


def test_coverage_is_judged_only_where_there_are_rows_enough():
    few = FamilyScore(n=5, n_groups=5, mae=1, median_error=1, coverage=0.2, mean_width=1, p_below_90=0.0005)
    assert not missed(few)
    assert missed(few.model_copy(update={"n": 20}))
    assert not missed(few.model_copy(update={"n": 20, "p_below_90": 0.05}))


def test_a_card_without_its_rows_is_refused(loaded):
    model = loaded("hydride_thermodynamics")
    empty = pd.DataFrame({"property": np.array([], dtype=object)})
    with pytest.raises(UnknownNameError, match="held-out rows"):
        score_sheets(model.card, empty)
