"""Reading formulas: grammar, refusals, canonical form, and whole public tables."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from hstore.elements import ATOMIC_MASS_G_PER_MOL, SYMBOLS
from hstore.errors import FormulaError
from hstore.formula import (
    MAX_CANONICAL_AMOUNT,
    MAX_FORMULA_LENGTH,
    canonical_formula,
    formula_text,
    molar_mass_g_per_mol,
    parse_amounts,
    parse_formula,
    written_formula,
)

symbols = st.sampled_from(sorted(ATOMIC_MASS_G_PER_MOL))
decimals = st.integers(1, 9999).map(lambda n: n / 1000)
compositions = st.dictionaries(symbols, st.one_of(st.integers(1, 60).map(float), decimals), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("LaNi5", {"La": 1, "Ni": 5}),
        ("Ti0.95Zr0.05Mn1.55V0.45", {"Ti": 0.95, "Zr": 0.05, "Mn": 1.55, "V": 0.45}),
        ("Mg2Ni.75Fe.25", {"Mg": 2, "Ni": 0.75, "Fe": 0.25}),
        ("Ca(BH4)2", {"Ca": 1, "B": 2, "H": 8}),
        ("[Ca{BH4}2]", {"Ca": 1, "B": 2, "H": 8}),
        ("(Ti0.98Zr0.02)V0.43", {"Ti": 0.98, "Zr": 0.02, "V": 0.43}),
        ("((Ti0.5V0.5)2Fe)2", {"Ti": 2, "V": 2, "Fe": 2}),
        ("CH3NH2BH3", {"C": 1, "H": 8, "N": 1, "B": 1}),
        ("MgCl2·6H2O", {"Mg": 1, "Cl": 2, "H": 12, "O": 6}),
        ("LiAlH4.NaH", {"Li": 1, "Al": 1, "H": 5, "Na": 1}),
        ("2LiBH4*MgH2", {"Li": 2, "B": 2, "H": 10, "Mg": 1}),
        ("LaNi₅H₆", {"La": 1, "Ni": 5, "H": 6}),
        ("Mg_2NiH_4", {"Mg": 2, "Ni": 1, "H": 4}),
        ("Mg$_{2}$NiH$_{4}$", {"Mg": 2, "Ni": 1, "H": 4}),
        ("Ti_{0.5}V_{0.5}", {"Ti": 0.5, "V": 0.5}),
        (" 'Mg2 Ni' ", {"Mg": 2, "Ni": 1}),
        ("Mg1e-05Ni", {"Mg": 1e-5, "Ni": 1}),
        ("CoCO3", {"Co": 1, "C": 1, "O": 3}),
        ("MgCl2 . 6H2O", {"Mg": 1, "Cl": 2, "H": 12, "O": 6}),
        ("CuSO4.5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("Na0.5H2O", {"Na": 0.5, "H": 2, "O": 1}),
        ("LiOH⋅H2O", {"Li": 1, "O": 2, "H": 3}),
        ("Ti₀.₅V₀.₅", {"Ti": 0.5, "V": 0.5}),
        ("Zr(Cro.8Mo0.2)2", {"Zr": 1, "Cr": 1.6, "Mo": 0.4}),
        ("La0.9 Ceo. 1 Ni5", {"La": 0.9, "Ce": 0.1, "Ni": 5}),
        ("Co.5Ni.5", {"Co": 0.5, "Ni": 0.5}),
        ("(La0.8Nd0.2)2Mg", {"La": 1.6, "Nd": 0.4, "Mg": 1}),
        ("Li (NH2)", {"Li": 1, "N": 1, "H": 2}),
        ("Mg(Cd2)", {"Mg": 1, "Cd": 2}),
        ("Na", {"Na": 1}),
        ("No", {"No": 1}),
    ],
)
def test_the_grammar(text, amounts):
    assert parse_amounts(text) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Hf2Cu (M)", "phase note (M) dropped"),
        ("TiCr2 (C14)", "phase note (C14) dropped"),
        ("Mg(Am)", "phase note (Am) dropped"),
        ("Zr.7Ce.3Mn2 (M?)", "phase note (M?) dropped"),
        ("LaNi5 (CaCu5)", "prototype (CaCu5) dropped"),
        ("LaNi5(CaCu5)", "prototype (CaCu5) dropped"),
        ("ZrMn2 (MgZn2-type)", "prototype (MgZn2-type) dropped"),
        ("ZrMn2 (P63/mmc)", "space group (P63/mmc) dropped"),
        ("TiFe (as-cast) (M)", "remark (as-cast) dropped"),
        ("TiFe, annealed", "remark annealed dropped"),
        ("Mg2Ni nanocrystalline powder", "remark nanocrystalline powder dropped"),
        ("CuSO4.5H2O", "dot before the water read as a hydrate dot, not as a decimal point"),
        ("Zr(Cro.8Mo0.2)2", "letter o behind Cr read as zero"),
        ("Mg + 5% Ni", "percentages that do not say of what read as atomic percent of the whole"),
        ("FeTi0", "element Ti with amount zero dropped"),
        ("Mg-5 at.% Ni", "percentages read as atomic percent of the whole"),
        ("NaAlH4 + 2 mol% Ti", "percentages read as mole percent of the whole"),
    ],
)
def test_whatever_is_dropped_or_interpreted_is_noted(text, note):
    assert note in parse_formula(text).notes


def test_atomic_percent():
    assert parse_amounts("Mg-5 at.% Ni") == pytest.approx({"Mg": 0.95, "Ni": 0.05})
    assert parse_amounts("50 at.% Ti 50 at.% V") == pytest.approx({"Ti": 0.5, "V": 0.5})
    # 20 atoms of the compound in 100, one of which is La
    assert parse_amounts("Mg-20 at.% LaNi5")["La"] == pytest.approx(0.2 / 6)


def test_weight_percent_gives_the_stated_masses():
    amounts = parse_amounts("Ti-20 wt% V")
    share = amounts["V"] * ATOMIC_MASS_G_PER_MOL["V"] / molar_mass_g_per_mol(amounts)
    assert share == pytest.approx(0.20)
    whole = parse_amounts("70 wt% Mg-30 wt% LaNi5")
    host = {el: n for el, n in whole.items() if el != "Mg"}
    assert molar_mass_g_per_mol(host) / molar_mass_g_per_mol(whole) == pytest.approx(0.30)
    assert host["Ni"] / host["La"] == pytest.approx(5)


@pytest.mark.parametrize(
    "text",
    ["Mg + 5 wt% Ni", "Mg-5wt%Ni", "Mg/5 wt.% Ni", "Mg – 5 w/o Ni", "Mg (+5 w/o Ni)", "95Mg-5Ni (wt%)",
     "Mg-5Ni (wt.%)", "Mg95Ni5 (wt%)", "5 weight % Ni-95 weight% Mg", "Mg-5 wt.-% Ni (M)", "Mg 95 wt% Ni 5 wt%"],
)  # fmt: skip
def test_percentages_are_of_the_whole_however_they_are_written(text):
    amounts = parse_amounts(text)
    assert amounts["Ni"] * ATOMIC_MASS_G_PER_MOL["Ni"] / molar_mass_g_per_mol(amounts) == pytest.approx(0.05)
    assert amounts.keys() == {"Mg", "Ni"}


def test_blanks_within_the_parts_of_a_percentage_mean_nothing():
    assert parse_amounts("MgH2 -35 wt%LaNi 5") == pytest.approx(parse_amounts("MgH2-35 wt% LaNi5"))
    assert parse_amounts("Mg þ 5 wt%LaMg 2 Ni") == pytest.approx(parse_amounts("Mg-5 wt% LaMg2Ni"))


def test_mole_percent_counts_formula_units_not_atoms():
    amounts = parse_amounts("NaAlH4-2 mol% TiCl3")
    assert amounts["Ti"] / amounts["Na"] == pytest.approx(2 / 98)
    assert amounts["H"] / amounts["Na"] == pytest.approx(4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "formula is empty", id="empty"),
        pytest.param("   ", "formula is empty", id="blank"),
        pytest.param(None, "formula is empty .got None", id="None"),
        pytest.param(5, "formula is empty .got 5", id="number"),
        pytest.param("NaN", "a word for a missing value", id="NaN is not sodium nitride"),
        pytest.param("unknown", "a word for a missing value", id="word"),
        pytest.param("Xx2", "unknown element 'Xx'", id="unknown element"),
        pytest.param("D2", "unknown element 'D'", id="deuterium"),
        pytest.param("MmNi5", "mischmetal has no fixed composition", id="mischmetal"),
        pytest.param("(Mg2E2)", "unknown element 'E'", id="capital E is no exponent"),
        pytest.param("Ca(BH4", "unbalanced bracket", id="open bracket"),
        pytest.param("CaBH4)2", "unbalanced bracket '[)]'", id="closing bracket"),
        pytest.param("Ca(BH4]2", "unbalanced bracket ']'", id="crossed brackets"),
        pytest.param("Ca()2", "empty brackets", id="empty brackets"),
        pytest.param("(" * 12 + "H" + ")" * 12, "deeper than 10", id="too deep"),
        pytest.param("H" * (MAX_FORMULA_LENGTH + 1), "has 501 characters", id="too long"),
        pytest.param("Ti0", "all amounts are zero", id="nothing left"),
        pytest.param("Fe1e7", "not a believable number", id="huge amount"),
        pytest.param("Fe1e400", "not a believable number", id="overflow"),
        pytest.param("2", "unexpected '2'", id="only a number"),
        pytest.param("Mg2Ni1-yBey", "unexpected '-'", id="variable stoichiometry"),
        pytest.param("TiFex", "unknown element 'Fex'|variable or unknown symbol", id="x is a variable"),
        pytest.param("Na+", "unexpected '[+]'", id="charge"),
        pytest.param("Ti1,5V", "unexpected ','", id="decimal comma"),
        pytest.param("Mg-25Ni", "atomic or weight percent", id="percent of what"),
        pytest.param("80Ti20V", "atomic or weight percent", id="leading percent"),
        pytest.param("Mg-120 at.% Ni", "summing to at most 100", id="too many percent"),
        pytest.param("Ti-20 wt% V-5 at% Cr", "one kind of percent", id="mixed percent"),
        pytest.param("Mg-20 wt%Ni-Y", "'-Y' behind a percentage", id="part without a share"),
        pytest.param("65 wt% MgH2-35 wt% Mg,NiH4", "',NiH4' behind a percentage", id="comma in a part"),
        pytest.param("MgH,-5 at% Ni", "unexpected ','", id="comma in the base"),
        pytest.param("75Mg-6Ca-44Ni (wt%)", "summing to at most 100", id="more than the whole"),
        pytest.param("Ti60at.%V50at.%", "summing to at most 100", id="more than the whole, behind"),
        pytest.param("Mg-5 vol% Ni", "volume percent, which needs densities", id="volume percent"),
        pytest.param("MgH2 + 10 wt%Zr-Ni alloy", "behind a percentage", id="an alloy of unknown shares"),
        pytest.param("LmNi5", "mischmetal has no fixed composition", id="lanthanum-rich mischmetal"),
        pytest.param("TiFe hydride", "unknown symbol", id="the word hydride is no remark"),
        pytest.param("TiFe (+ Mg)", "unexpected '[+]'", id="an additive is no remark"),
        pytest.param("TiFex (x = 0.1)", "unknown", id="a range is no remark"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_cause(text, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_but_never_crashes(text):
    try:
        parsed = parse_formula(text)
    except FormulaError:
        return
    assert parsed.amounts
    assert all(n > 0 for n in parsed.amounts.values())


@given(st.text(alphabet="LaNi5H.0123456789()[]{}-+%wtam *·_$e", max_size=30))
def test_near_formulas_are_read_or_refused_but_never_crash(text):
    try:
        amounts = parse_amounts(text)
    except FormulaError:
        return
    assert all(el in ATOMIC_MASS_G_PER_MOL and n > 0 for el, n in amounts.items())


@given(compositions)
def test_text_and_amounts_round_trip(amounts):
    assert parse_amounts(formula_text(amounts)) == pytest.approx(amounts)


@given(compositions)
def test_brackets_around_everything_change_nothing(amounts):
    assert parse_amounts(f"({formula_text(amounts)})") == parse_amounts(formula_text(amounts))


@given(compositions)
def test_plain_formulas_agree_with_pymatgen(amounts):
    text = formula_text(amounts)
    assert parse_amounts(text) == pytest.approx(Composition(text).get_el_amt_dict())


@pytest.mark.parametrize("text", ["Ca(BH4)2", "Al2(SO4)3", "Mg(NH3)6Cl2", "Na3Zr2Si2PO12", "Zn4O(C8H4O4)3"])
def test_formulas_with_groups_agree_with_pymatgen(text):
    assert parse_amounts(text) == pytest.approx(Composition(text).get_el_amt_dict())


@pytest.mark.parametrize(
    "texts",
    [
        ("TiFe0.5", "Ti2Fe", "Fe4Ti8", "Fe0.5Ti"),
        ("Li3PS4", "Li0.375P0.125S0.5", "P2Li6S8"),
        ("TiV", "50 at.% Ti 50 at.% V", "Ti0.5V0.5"),
        ("LaNi5H6.5", "La2Ni10H13"),
        ("Ti0.95Zr0.05Mn1.55V0.45", "Ti19ZrMn31V9", "Mn31V9ZrTi19"),
        ("Li7P3S11", "Li0.33333P0.14286S0.52381"),
    ],
)
def test_equal_compositions_have_one_canonical_formula(texts):
    assert len({parse_formula(t).reduced for t in texts}) == 1


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Ni5La", "LaNi5"),
        ("Mg2Fe0.5H4", "FeH8Mg4"),
        ("H", "H"),
        ("C400H101Zn7", "CH0.2525Zn0.0175"),
        ("MgNi1e-07", "Mg"),
        ("MgNi1e-10", "Mg"),
    ],
)
def test_canonical_formula_by_example(text, canonical):
    assert parse_formula(text).reduced == canonical


@given(compositions, st.integers(1, 12), st.randoms(use_true_random=False))
def test_canonical_formula_ignores_scale_and_order(amounts, factor, random):
    shuffled = list(amounts.items())
    random.shuffle(shuffled)
    scaled = {el: n * factor / 7 for el, n in shuffled}
    assert canonical_formula(scaled) == canonical_formula(amounts)


@given(compositions)
def test_canonical_formula_is_its_own_canonical_formula(amounts):
    text = canonical_formula(amounts)
    assert canonical_formula(parse_amounts(text)) == text


@given(compositions)
def test_canonical_formula_keeps_the_composition(amounts):
    back = parse_amounts(canonical_formula(amounts))
    largest, largest_back = max(amounts.values()), max(back.values())
    for el, n in amounts.items():
        assert back.get(el, 0.0) / largest_back == pytest.approx(n / largest, abs=1.1e-5)


@given(st.dictionaries(symbols, st.integers(1, MAX_CANONICAL_AMOUNT), min_size=1, max_size=5))
def test_integer_compositions_are_kept_exactly(amounts):
    divisor = math.gcd(*amounts.values())
    assert parse_amounts(canonical_formula(amounts)) == {el: n / divisor for el, n in amounts.items()}


def test_chemical_system():
    assert parse_formula("NiTi2H").chemical_system == "H-Ni-Ti"


def test_molar_mass():
    assert molar_mass_g_per_mol(parse_amounts("H2O")) == pytest.approx(18.015, abs=0.001)


def test_element_masses_are_those_of_pymatgen():
    assert len(ATOMIC_MASS_G_PER_MOL) == 103
    for symbol, mass in ATOMIC_MASS_G_PER_MOL.items():
        assert mass == pytest.approx(float(Element(symbol).atomic_mass), abs=1e-9), symbol


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("ml_hydpark/ml_hydpark.csv", 1.0),
        ("liverpool_liion/liverpool_liion.csv", 1.0),
        ("nasicon_na/nasicon_na_train.csv", 1.0),
        ("hystor/hystor.csv", 0.95),
        ("doe_hydride/doe_hydride.csv", 0.75),
    ],
)
def test_public_tables_can_be_read(file, least):
    mirror = os.environ.get("HSTORE_DATA_MIRROR")
    if not mirror:
        pytest.skip("HSTORE_DATA_MIRROR names no copy of the public data sets")
    with (Path(mirror) / file).open(encoding="utf-8", newline="") as handle:
        formulas = [row["formula"] for row in csv.DictReader(handle)]
    readable = 0
    for text in formulas:
        try:
            parse_formula(text)
        except FormulaError:
            continue
        readable += 1
    assert readable / len(formulas) >= least


@pytest.mark.parametrize(
    "formula",
    [
        "MgH2",
        "NaAlH4",
        "Mg2FeH6",
        "LaNi5H6",
        "TiFeH2",
        "LiBH4",
        "LiNH2",
        "NH3",
        "B2H6",
        "CH4",
        "H2O",
        "HCl",
        "Li3PS4",
    ],
)
def test_formulas_are_written_as_chemists_do(formula):
    amounts = parse_amounts(formula)
    assert written_formula(dict(sorted(amounts.items()))) == formula


def test_the_order_of_written_formulas_is_that_of_pymatgen():
    written = written_formula(dict.fromkeys(SYMBOLS, 2.0)).split("2")[:-1]
    assert written == sorted(SYMBOLS, key=lambda symbol: Element(symbol).iupac_ordering)
