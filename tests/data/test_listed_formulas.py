"""Formulas as the US DOE listing and HyStor write them: what is assumed is noted, what is unclear stays."""

from __future__ import annotations

import pytest

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.formula import molar_mass_g_per_mol, parse_amounts
from hstore_data.readers import read
from hstore_data.readers.hydride import MISCHMETAL, listed_formula


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("Mg-25Ni (M)", {"Ni": 25}),
        ("Mg–23.5Ni–15La", {"Ni": 23.5, "La": 15}),
        ("75Mg-3.0Ca-22.0Ni", {"Mg": 75, "Ca": 3, "Ni": 22}),
        ("Mg-10%Ni", {"Ni": 10}),
    ],
)
def test_bare_percentages_of_magnesium_are_weight_percent(text, shares):
    formula, note = listed_formula(text)
    amounts = parse_amounts(formula)
    whole = molar_mass_g_per_mol(amounts)
    for element, percent in shares.items():
        assert 100 * amounts[element] * ATOMIC_MASS_G_PER_MOL[element] / whole == pytest.approx(percent)
    assert note == "percentages taken as weight percent"


@pytest.mark.parametrize("text", ["MmNi5", "Mm2Ni7", "TiFe (1 w/o Mm)", "Mg-30MmNi4.6Al0.4"])
def test_mischmetal_is_read_where_asked_with_a_note(text):
    formula, note = listed_formula(text, mischmetal=True)
    assert {"La", "Ce", "Nd", "Pr"} <= parse_amounts(formula).keys()
    assert MISCHMETAL in note
    assert MISCHMETAL not in listed_formula(text)[0]


def test_mischmetal_in_brackets_keeps_its_amount():
    amounts = parse_amounts(listed_formula("Mm.5Ca.5Ni5", mischmetal=True)[0])
    assert sum(amounts[el] for el in ("La", "Ce", "Nd", "Pr")) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "text",
    ["LaNi5", "Mg-5 at% VC", "Ti-10Cr-18Mn-32V", "75Mg-6.0Ca-44.0Ni", "Mg-5Tm", "Mg-Ca-Al", "Mg-xNd", "LmNi5",
     "Mg-30CFMmNi5", "MmB5", "Mm(Ni,B)5", "MmNi5-yCuy", "Zr1-xMmxFe1.4Cr.6"],
)  # fmt: skip
def test_what_is_plain_or_unclear_stays_as_it_is(text):
    assert listed_formula(text, mischmetal=True) == (text, "")


@pytest.mark.mirror
def test_the_real_listings_leave_few_formulas_unread_and_state_definitions(mirror):
    listing, hystor = read("doe_hydride", mirror), read("hystor", mirror)
    assert len(listing.rejects) < 320
    assert len(hystor.rejects) < 15
    assert set(hystor.frame["capacity_definition"]) == {"maximum"}
    counts = listing.frame["capacity_definition"].value_counts()
    assert 0 < counts["reversible"] < 30
    assumed = listing.frame[listing.frame["note"] != ""]
    assert len(assumed) > 100
