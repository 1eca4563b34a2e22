"""Reactions, H2, corrections, hull and steps: balances, signs, limits and refusals."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hstore.errors import InputError
from hstore_models.physics.corrections import Footing, correction_ev, shift_ev
from hstore_models.physics.h2_reference import h2_thermal_kj_per_mol
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import (
    KJ_PER_MOL_EV,
    PhaseEnergy,
    by_product_gases,
    into_elements,
    parse_reaction,
    reaction_energy,
)

H2 = PhaseEnergy(-6.0, "p:1")


def energies(**values):
    return {name: PhaseEnergy(value, "p:1") for name, value in values.items()}


def test_a_reaction_is_read_with_its_fractions():
    found = parse_reaction("NaAlH4 -> 1/3 Na3AlH6 + 2/3 Al + H2")
    assert found.h2 == 1
    assert found.products == {"AlH6Na3": Fraction(1, 3), "Al": Fraction(2, 3)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MgH2 -> Mg + 2 H2", "not balanced"),
        ("Mg + H2 -> MgH2", "releases no H2"),
        ("MgH2 = Mg + H2", "arrow"),
        ("MgH2 -> Mg + half H2", "no amount and formula"),
    ],
)
def test_what_does_not_add_up_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_reaction(text)


def test_all_hydrogen_goes_where_elements_are_left():
    assert into_elements("Mg2FeH6").h2 == 3
    assert into_elements("Li8N8H16").text == "LiNH2 -> Li + N + H2"  # the content of a cell
    with pytest.raises(InputError, match="no hydrogen"):
        into_elements("MgO")


def test_energy_is_per_mole_of_h2_and_positive_where_release_costs():
    reaction = parse_reaction("Mg2FeH6 -> 2 Mg + Fe + 3 H2")
    bound = energies(FeH6Mg2=-30.0, Mg=-1.5, Fe=-8.0)
    found = reaction_energy(reaction, bound, H2)
    assert found.kj_per_mol_h2 == pytest.approx((-11.0 + 30.0) / 3 * KJ_PER_MOL_EV - 6.0 * KJ_PER_MOL_EV)
    assert found.potential == "p:1"


def test_energies_of_two_potentials_do_not_mix():
    mixed = energies(H2Mg=-9.0) | {"Mg": PhaseEnergy(-1.5, "q:2")}
    with pytest.raises(InputError, match="one potential"):
        reaction_energy(parse_reaction("MgH2 -> Mg + H2"), mixed, H2)
    with pytest.raises(InputError, match="one potential"):
        Hull(mixed, H2)


def test_a_missing_phase_is_named():
    with pytest.raises(InputError, match="Mg"):
        reaction_energy(parse_reaction("MgH2 -> Mg + H2"), energies(H2Mg=-9.0), H2)


def test_by_products_are_flagged():
    assert parse_reaction("2 LiBH4 -> 2 Li + B2H6 + H2").gases == ("B2H6",)
    assert by_product_gases(["LiBH4", "LiNH2"]) == ("B2H6", "NH3")
    assert by_product_gases(["MgH2"]) == ()


def test_warm_hydrogen_follows_the_tables():
    """H(T) - H(298.15 K) of JANAF: 5.882 kJ/mol at 500 K and 11.749 at 700 K."""
    at_298 = h2_thermal_kj_per_mol()
    assert at_298 - h2_thermal_kj_per_mol(0) == pytest.approx(8.467)
    assert h2_thermal_kj_per_mol(500) - at_298 == pytest.approx(5.882, rel=0.01)
    assert h2_thermal_kj_per_mol(700) - at_298 == pytest.approx(11.749, rel=0.01)
    with pytest.raises(InputError, match="1000 K"):
        h2_thermal_kj_per_mol(2000)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_corrections_are_those_of_mp2020():
    from pymatgen.core import Composition
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedEntry

    parameters = {"hubbards": {}, "run_type": "GGA", "potcar_symbols": []}
    scheme = MaterialsProject2020Compatibility(check_potcar=False)
    for formula in ("LiH", "MgH2", "NaAlH4", "LaNi5H6", "LiBH4", "PdH", "Ti2PdH2", "Li2O"):
        entry = ComputedEntry(Composition(formula), -10.0, parameters=parameters, data={})
        (done,) = scheme.process_entries([entry], on_error="raise")
        ours = correction_ev({str(el): n for el, n in Composition(formula).items()})
        assert ours == pytest.approx(done.correction, abs=1e-6), formula
    assert correction_ev({"Mg": 1.0}) == 0.0


def test_footings_undo_each_other():
    amounts = {"Mg": 1.0, "H": 2.0}
    assert shift_ev(amounts, Footing.MP2020, corrected=True) == 0.0
    assert shift_ev(amounts, Footing.UNCORRECTED, corrected=False) == 0.0
    assert shift_ev(amounts, Footing.UNCORRECTED, corrected=True) == -shift_ev(
        amounts, Footing.MP2020, corrected=False
    )
    assert shift_ev(amounts, Footing.AS_TRAINED, corrected=True) == 0.0


ALANATES = energies(AlH4Na=-1.00, AlH6Na3=-2.55, HNa=-0.60, AlH3=-0.05, Na=0.0, Al=0.0)
"""Formation energies, eV a formula unit, near those of the sodium alanates."""


def test_a_hull_names_products_and_how_far_above_them():
    hull = Hull(ALANATES, PhaseEnergy(0.0, "p:1"))
    found = hull.decomposition("NaAlH4")
    assert set(found.products) == {"AlH6Na3", "Al", "H2"} or set(found.products) == {"AlH6Na3", "AlH3"}
    assert found.energy_ev_per_atom < 0
    assert hull.decomposition("AlH3").energy_ev_per_atom == pytest.approx(-0.05 / 4)


def test_release_goes_in_steps_of_rising_enthalpy():
    hull = Hull(ALANATES, PhaseEnergy(0.0, "p:1"))
    steps = hull.release_steps("NaAlH4")
    assert len(steps) == 3
    assert steps[0].kj_per_mol_h2 == pytest.approx(0.15 * KJ_PER_MOL_EV)
    costs = [step.kj_per_mol_h2 for step in steps]
    assert costs == sorted(costs)
    assert steps[1].kj_per_mol_h2 == pytest.approx((2.55 - 1.80) / 1.5 * KJ_PER_MOL_EV)
    assert steps[2].kj_per_mol_h2 == pytest.approx(1.2 * KJ_PER_MOL_EV)
    assert set(steps[0].reaction.products) == {"AlH6Na3", "Al"}


def test_a_hull_without_the_elements_says_so():
    with pytest.raises(InputError, match="add the elements"):
        Hull(energies(H2Mg=-0.8), PhaseEnergy(0.0, "p:1")).decomposition("MgH2")


BORANES = energies(BH4Li=-2.0, HLi=-1.0, Li=0.0, B=0.0)


def test_the_cheapest_release_of_a_gas_leaves_no_hydrogen_gas():
    found = Hull(BORANES, PhaseEnergy(0.0, "p:1")).gas_release("LiBH4", "B2H6", PhaseEnergy(0.5, "p:1"))
    assert found.text == "2 LiBH4 -> 2 LiH + B2H6"
    assert found.kj_per_mol_gas == pytest.approx((0.5 - 2.0 + 4.0) * KJ_PER_MOL_EV)


@pytest.mark.parametrize(
    ("phases", "gas", "cause"),
    [
        (energies(BH4Li=-2.0, Li=0.0), "B2H6", "no solids that are left"),
        (BORANES, "NH3", "no solids that are left"),
        (BORANES | energies(BH5=-9.0), "B2H6", "falls apart into solids"),
    ],
    ids=["missing", "element", "unstable"],
)
def test_a_gas_that_cannot_be_given_off_has_its_cause(phases, gas, cause):
    with pytest.raises(InputError, match=cause):
        Hull(phases, PhaseEnergy(0.0, "p:1")).gas_release("LiBH4", gas, PhaseEnergy(0.5, "p:1"))


def test_a_gas_of_another_potential_is_refused():
    with pytest.raises(InputError, match="one potential"):
        Hull(BORANES, PhaseEnergy(0.0, "p:1")).gas_release("LiBH4", "B2H6", PhaseEnergy(0.5, "q:2"))
