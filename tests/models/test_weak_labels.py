"""Rows of low weight from plateau points: what is derived, what it weighs and what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.formula import canonical_formula, parse_amounts, parse_formula
from hstore_data.readers import read
from hstore_models.prediction import Query
from hstore_models.training_data import load_training_data
from hstore_models.weak_labels import (
    CLASS_ENTROPY_J_PER_MOL_H2_K,
    HOST_WEIGHT,
    TRUST,
    host_rows,
    weak_rows,
)

ENTHALPY, LN_PRESSURE = "desorption_enthalpy_kj_per_mol_h2", "ln_plateau_pressure_25c"
R = 8.31446261815324


def listed(*rows):
    """Rows of the listing: formula, class, enthalpy, T in K, P in bar."""
    names = ["formula", "alloy_class", ENTHALPY, "temperature_k", "pressure_bar"]
    frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], float))
    return frame.assign(
        composition=[parse_formula(text).reduced for text in frame["formula"]],
        reference="x",
        row=range(1, len(frame) + 1),
        comment="",
    )


NOTHING = listed(("LaNi5", "AB5", None, None, None)).iloc[:0]


def test_a_point_gives_an_enthalpy_by_the_entropy_of_its_class():
    row = weak_rows(listed(("LaNi5", "AB5", None, 298.15, 2.0)), NOTHING).iloc[0]
    entropy = CLASS_ENTROPY_J_PER_MOL_H2_K["AB5"][0]
    assert row[ENTHALPY] == pytest.approx(298.15 * (entropy - R * np.log(2.0)) / 1000)
    assert row[LN_PRESSURE] == pytest.approx(np.log(2.0))
    assert np.isnan(row["desorption_entropy_j_per_mol_h2_k"])
    assert row["derived"]
    assert row["weak"]


def test_enthalpy_and_pressure_of_a_derived_row_agree_by_vant_hoff():
    rows = weak_rows(listed(("Mg2Ni", "Mg", None, 573.15, 3.2), ("TiFe", "AB", None, 340.0, 9.0)), NOTHING)
    entropy = rows["alloy_class"].map({k: v[0] for k, v in CLASS_ENTROPY_J_PER_MOL_H2_K.items()})
    expected = entropy / R - 1000 * rows[ENTHALPY] / (R * 298.15)
    np.testing.assert_allclose(rows[LN_PRESSURE].astype(float), expected)


def test_the_pressure_weighs_less_the_further_the_point_is_from_25_degrees():
    points = listed(*[("LaNi5", "AB5", None, t, 2.0) for t in (298.15, 330.0, 400.0, 600.0)])
    weights = weak_rows(points, NOTHING)["pressure_weight"]
    assert weights[0] == TRUST
    assert (np.diff(weights) < 0).all()


def test_a_listed_enthalpy_is_kept_with_the_entropy_of_its_point():
    row = weak_rows(listed(("TiFe", "AB", 28.0, 298.15, 4.0)), NOTHING).iloc[0]
    assert row[ENTHALPY] == 28.0
    assert row["desorption_entropy_j_per_mol_h2_k"] == pytest.approx(28000 / 298.15 + R * np.log(4.0))
    assert not row["derived"]
    alone = weak_rows(listed(("TiFe", "AB", 28.0, None, None)), NOTHING).iloc[0]
    assert alone["pressure_weight"] == 0
    assert np.isnan(alone[LN_PRESSURE])


@pytest.mark.parametrize(
    "row",
    [
        ("NaAlH4", "Complex", None, 400.0, 1.0),
        ("TiFe", "AB", None, None, 1.0),
        ("TiFe", "AB", None, 1100.0, 1.0),
        ("TiFe", "AB", None, 300.0, 2000.0),
        ("TiFe", "AB", 300.0, 300.0, 1.0),
        ("TiFe", "AB", 5.0, 300.0, 1.0),
    ],
    ids=["complex", "no point", "too hot", "beyond ideal gas", "enthalpy too high", "impossible entropy"],
)
def test_what_cannot_be_believed_is_left_out(row):
    assert weak_rows(listed(row), NOTHING).empty


def test_marked_points_and_repeats_are_left_out():
    rows = listed(*[("TiFe", "AB", None, 300.0, 4.0)] * 3).assign(comment=["", "", "absorption?"])
    assert weak_rows(rows, NOTHING)["row"].tolist() == [1]


def test_what_a_training_row_already_says_is_left_out():
    known = listed(("Fe2Ti2", "AB", 28.0, 300.0, 4.0))
    new = listed(
        ("TiFe", "AB", None, 300.5, 4.04), ("TiFe", "AB", 28.04, None, None),
        ("TiFe", "AB", None, 320.0, 8.0), ("TiFe", "AB", 30.0, None, None), ("TiCo", "AB", None, 300.0, 4.0),
    )  # fmt: skip
    assert weak_rows(new, known)["row"].tolist() == [3, 4, 5]


@pytest.mark.mirror
def test_the_listing_gives_hundreds_of_rows_and_agrees_with_reported_values(mirror):
    data = load_training_data("hydride_thermodynamics", mirror)
    rows = data.rows[data.rows["source"] == "doe_hydride"]
    assert len(rows) > 450
    assert "doe_hydride/doe_hydride.csv" in data.checksums
    assert rows["weight"].between(0, TRUST).all()
    assert rows["pressure_weight"].between(0, TRUST).all()
    points = read("doe_hydride", mirror).frame.assign(**{ENTHALPY: np.nan})
    derived = weak_rows(points, load_training_data("hydride_thermodynamics", mirror).rows.iloc[:0])
    reported = read("ml_hydpark", mirror).frame.groupby("composition")[ENTHALPY].median().rename("reported")
    both = derived.join(reported, on="composition", how="inner")
    error = (both[ENTHALPY] - both["reported"]).abs()
    assert len(both) > 400
    assert error.median() < 4.0
    assert error[both["alloy_class"] == "AB5"].mean() < 3.5


def capacities(*rows):
    """Training rows of capacities: formula and wt%."""
    amounts = [parse_amounts(text) for text, _ in rows]
    return pd.DataFrame(
        {
            "formula": [text for text, _ in rows],
            "amounts": amounts,
            "composition": [canonical_formula(a) for a in amounts],
            "chemical_system": ["-".join(sorted(set(a) - {"H"})) for a in amounts],
            "h2_capacity_wt_pct": [value for _, value in rows],
            "reference": "x",
        }
    )


def test_a_hydride_trains_as_the_alloy_it_is_made_from():
    rows = host_rows(capacities(("Mg2NiH4", 3.6), ("MgH2", 7.66), ("LaNi5", 1.4)))
    assert rows["composition"].tolist() == ["Mg2Ni", "Mg"]
    assert [parse_amounts(text) for text in rows["formula"]] == rows["amounts"].tolist()
    assert rows["h2_capacity_wt_pct"].tolist() == [3.6, 7.66]
    assert rows["chemical_system"].tolist() == ["Mg-Ni", "Mg"]  # held out with the hydride
    assert (rows["weight"] == HOST_WEIGHT).all()
    assert rows["weak"].all()


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ((("Mg2NiH4", 3.6), ("Mg4Ni2", 3.4)), "a row has the alloy"),
        ((("LiBH4", 13.4), ("NaAlH4", 5.6), ("LiNH2", 6.5)), "no host is left"),
        ((("K2MgH4", 3.8),), "KH stays"),
        ((("AlH3", 10.08), ("YAl3H12", 3.4)), "not made from the metal and hydrogen"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_hydrides_that_leave_no_new_alloy_do_not(known, why):
    assert host_rows(capacities(*known)).empty, why


def test_alloys_that_are_known_as_hydrides_are_predicted_as_such(loaded):
    model = loaded("hydride_capacity").model
    asked = {"Mg": 7.66, "Mg2Ni": 3.6, "Mg2Co": 4.5}
    frame = pd.DataFrame(index=range(len(asked)))
    answer = model.predict("h2_capacity_wt_pct", Query.of([parse_amounts(text) for text in asked], frame))
    np.testing.assert_allclose(answer.mean, list(asked.values()), rtol=0.2)
