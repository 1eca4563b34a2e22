"""Hydride models on the embedded table: consistency, known materials, words of the domain."""

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.pairing import anion_class, host_amounts
from hstore.thermo import plateau_pressure_bar
from hstore_models.calibration import NORMAL_QUANTILE
from hstore_models.hydride_thermodynamics import fit_thermodynamics
from hstore_models.prediction import Query
from hstore_models.representation import (
    hydride_density_g_per_l,
    molecular_hydrogen_ratio,
    stoichiometric_capacity_wt_pct,
)

ENTHALPY, ENTROPY = "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k"


def ask(*formulas, **columns):
    return Query.of([parse_amounts(f) for f in formulas], pd.DataFrame(columns) if columns else None)


@pytest.fixture(scope="module")
def thermodynamics(loaded):
    return loaded("hydride_thermodynamics").model


@pytest.fixture(scope="module")
def capacity(loaded):
    return loaded("hydride_capacity").model


@pytest.mark.parametrize("temperature_k", [250.0, 298.15, 400.0, 600.0])
def test_enthalpy_entropy_and_pressure_agree_exactly(thermodynamics, temperature_k):
    query = ask("LaNi4.5Al0.5", "TiFe0.9Mn0.1", "Mg2Ni", "Zr0.7Ti0.3Mn2", temperature_k=[temperature_k] * 4)
    enthalpy, entropy, pressure = (
        thermodynamics.predict(p, query) for p in (ENTHALPY, ENTROPY, "plateau_pressure_bar")
    )
    expected = plateau_pressure_bar(enthalpy.mean, entropy.mean, temperature_k)
    assert pressure.mean == pytest.approx(expected, rel=1e-12)


def test_pressure_rises_with_temperature_for_an_endothermic_release(thermodynamics):
    query = ask("LaNi5", "LaNi5", "LaNi5", temperature_k=[280.0, 320.0, 360.0])
    assert np.all(np.diff(thermodynamics.predict("plateau_pressure_bar", query).mean) > 0)


def test_pressure_is_at_25_degc_where_no_temperature_is_stated(thermodynamics):
    stated = thermodynamics.predict("plateau_pressure_bar", ask("TiFe", temperature_k=[298.15]))
    assert thermodynamics.predict("plateau_pressure_bar", ask("TiFe")).mean == pytest.approx(stated.mean)


def test_interval_of_the_pressure_keeps_its_form_at_other_temperatures(thermodynamics):
    alloy = "LaNi4.6Sn0.4"
    answer = thermodynamics.predict("plateau_pressure_bar", ask(alloy, alloy, temperature_k=[298.15, 360.0]))
    above, below = np.log(answer.upper / answer.mean), np.log(answer.mean / answer.lower)
    assert above[0] / below[0] == pytest.approx(above[1] / below[1])
    assert (above + below) / (2 * NORMAL_QUANTILE) == pytest.approx(answer.std)


def test_what_is_unlike_the_training_rows_is_so_for_all_three_answers(thermodynamics):
    query = ask("LaNi5", "MgH2", "TiFe", "Zr2Ni", "CeAl2", "Li3Pd")
    flags = [thermodynamics.predict(p, query).in_domain for p in (ENTHALPY, ENTROPY, "plateau_pressure_bar")]
    np.testing.assert_array_equal(flags[0], flags[1])
    np.testing.assert_array_equal(flags[0], flags[2])


def test_alloy_and_its_hydride_are_one_material(thermodynamics):
    answer = thermodynamics.predict(ENTHALPY, ask("LaNi5", "LaNi5H6"))
    assert answer.mean[0] == answer.mean[1]


def test_known_hydrides_are_recovered(thermodynamics):
    answer = thermodynamics.predict(ENTHALPY, ask("LaNi5", "MgH2"))
    assert answer.mean == pytest.approx([31.0, 75.0], abs=3.0)


def test_unseen_element_is_outside_the_domain_in_words(thermodynamics):
    answer = thermodynamics.predict(ENTHALPY, ask("LaNi5", "AcNi5"))
    assert answer.in_domain.tolist() == [True, False]
    assert "no training material contains Ac" in answer.reason[1]


def test_too_few_complete_rows_are_refused():
    rows = pd.DataFrame(
        {
            "amounts": [{"La": 1.0, "Ni": 5.0}] * 5,
            "chemical_system": ["La-Ni"] * 5,
            ENTHALPY: 30.0,
            ENTROPY: 110.0,
            "ln_plateau_pressure_25c": 1.0,
        }
    )
    with pytest.raises(InputError, match="5 rows have enthalpy, entropy and pressure; at least 30"):
        fit_thermodynamics(rows)


def test_capacity_of_a_hydride_never_exceeds_its_stoichiometry(capacity):
    formulas = ["MgH2", "LiBH4", "NaAlH4", "Mg(NH2)2", "LaNi5H6"]
    answer = capacity.predict("h2_capacity_wt_pct", ask(*formulas))
    limits = [stoichiometric_capacity_wt_pct(parse_amounts(f)) for f in formulas]
    assert np.all(answer.mean <= np.array(limits) + 1e-9)
    assert np.all(answer.mean > 0.5 * np.array(limits))


def test_capacity_of_lani5_is_near_the_measured(capacity):
    answer = capacity.predict("h2_capacity_wt_pct", ask("LaNi5"))
    assert answer.mean[0] == pytest.approx(1.45, abs=0.2)
    assert answer.lower[0] < 1.4 < answer.upper[0]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("LiBH4", "borohydride"),
        ("NaAlH4", "alanate"),
        ("Na3AlH6", "alanate"),
        ("LiNH2", "amide"),
        ("Mg2FeH6", ""),
        ("MgH2", ""),
        ("LaNi4AlH4", ""),
        ("LaNi5", ""),
        ("AlH3", ""),
    ],
)
def test_anions_are_recognized(formula, expected):
    assert anion_class(parse_amounts(formula)) == expected


def test_molecular_hydrogen_counts_only_in_anions():
    assert molecular_hydrogen_ratio(parse_amounts("LiBH4")) == pytest.approx(2.0)
    assert molecular_hydrogen_ratio(parse_amounts("MgH2")) == 0.0


def test_hydrogen_alone_has_no_host():
    with pytest.raises(InputError, match="hydrogen without a host"):
        host_amounts({"H": 2.0})


@pytest.mark.parametrize(
    ("formula", "wt_pct", "g_per_l"), [("LaNi5", 1.37, 90.0), ("MgH2", 7.66, 110.0), ("TiFe", 1.86, 105.0)]
)
def test_hydrogen_density_is_near_the_crystallographic_one(formula, wt_pct, g_per_l):
    """Densities from the lattice parameters of LaNi5H6, MgH2 and TiFeH2, within 15 %."""
    density = hydride_density_g_per_l(ask(formula), np.array([wt_pct]))
    assert density[0] == pytest.approx(g_per_l, rel=0.15)


def test_hydrogen_density_is_unknown_where_the_estimate_does_not_hold():
    densities = hydride_density_g_per_l(ask("LiBH4", "CaH2"), np.array([18.0, 4.8]))
    assert np.isnan(densities).all()
