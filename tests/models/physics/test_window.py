"""Electrochemical windows: energies put in by hand give the potentials that follow by hand."""

from __future__ import annotations

import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore_models.physics.entry import Computed
from hstore_models.physics.window import electrochemical_window

# Made-up formation energies, eV for each formula unit, near those of the compounds.
ENERGIES = {
    "Li2S": -4.4, "Li3P": -3.6, "LiP": -1.3, "P2S5": -2.0, "Li3PS4": -8.2, "LiCl": -4.0, "PCl5": -3.5,
    "Li6PS5Cl": -16.35,
}  # fmt: skip


def phase(formula, energy_ev, kind="made up"):
    amounts = parse_amounts(formula)
    return Computed(formula, amounts, energy_ev / sum(amounts.values()), kind)


PHASES = [phase(*item) for item in ENERGIES.items()]


def test_a_binary_is_oxidised_at_its_formation_energy_and_lives_with_the_metal():
    window = electrochemical_window(PHASES, "LiCl", "Li")
    assert (window.reduction_v, window.oxidation_v) == pytest.approx((0.0, 4.0))
    assert window.against_metal_ev_per_atom == 0.0
    assert electrochemical_window(PHASES, "Li2S", "Li").oxidation_v == pytest.approx(4.4 / 2)


def test_limits_are_reaction_energies_by_ion_and_charge():
    window = electrochemical_window(PHASES, "Li3PS4", "Li")
    # Li3PS4 + 5 Li -> 4 Li2S + P, and 2 Li3PS4 -> P2S5 + 3 S + 6 Li.
    assert window.reduction_v == pytest.approx(-(4 * -4.4 + 8.2) / 5)
    assert window.oxidation_v == pytest.approx((-2.0 / 2 + 8.2) / 3)
    assert window.width_v == pytest.approx(window.oxidation_v - window.reduction_v)
    # Li3PS4 + 8 Li -> 4 Li2S + Li3P.
    assert window.against_metal_ev_per_atom == pytest.approx((4 * -4.4 - 3.6 + 8.2) / 8)
    assert window.steps[0].ions_taken_up == pytest.approx(8)
    assert window.steps[0].products == ("Li2S", "Li3P")
    assert window.steps[-1].to_v is None


def test_a_compound_above_the_hull_has_the_window_of_its_products():
    window = electrochemical_window(PHASES, "Li6PS5Cl", "Li")
    assert window.energy_above_hull_ev_per_atom == pytest.approx(0.25 / 13)
    assert window.decomposes_to == ("Li2S", "Li3PS4", "LiCl")
    assert window.oxidation_v == pytest.approx(2.2)  # of Li2S
    assert window.reduction_v == pytest.approx(1.88)  # of Li3PS4


def test_a_composition_without_an_entry_is_told():
    window = electrochemical_window(PHASES, "LiPS3", "Li")
    assert window.energy_above_hull_ev_per_atom is None
    assert window.against_metal_ev_per_atom is None
    assert window.decomposes_to == ("Li3PS4", "P2S5")


def test_twice_the_formula_is_the_same_compound():
    one, two = (electrochemical_window(PHASES, formula, "Li") for formula in ("Li3PS4", "Li6P2S8"))
    assert [step.ions_taken_up for step in one.steps] == pytest.approx([step.ions_taken_up for step in two.steps])
    assert one.against_metal_ev_per_atom == pytest.approx(two.against_metal_ev_per_atom)


def test_ions_of_two_charges_halve_the_potential():
    window = electrochemical_window([phase("MgO", -6.0)], "MgO", "Mg")
    assert window.oxidation_v == pytest.approx(3.0)


def test_energies_of_two_kinds_are_refused():
    with pytest.raises(InputError, match="2 kinds have no common scale"):
        electrochemical_window([*PHASES, phase("LiPS3", -5.0, "another")], "Li3PS4", "Li")


def test_phases_of_other_elements_do_not_count():
    other = phase("Na2S", -3.5, "another")
    assert electrochemical_window([*PHASES, other], "Li3PS4", "Li").entries == 5


@pytest.mark.parametrize(
    ("formula", "ion", "cause"),
    [
        ("Li3PS4", "H", "must be one of"),
        ("Li", "Li", "nothing but Li"),
        ("NaBr", "Na", "no phases"),
    ],
    ids=["ion", "metal", "none"],
)
def test_what_has_no_window_says_why(formula, ion, cause):
    with pytest.raises(InputError, match=cause):
        electrochemical_window(PHASES, formula, ion)


def test_an_energy_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="finite number"):
        phase("LiCl", float("nan"))
