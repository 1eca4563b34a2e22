"""Hulls of entries, entries beside a potential, and by-products that compete or not."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.settings import load_settings
from hstore_data.computed import computed_hydrides
from hstore_models.physics.entry import Computed
from hstore_models.physics.gases import Gas
from hstore_models.physics.hull import Hull
from hstore_models.physics.potential import Potential
from hstore_models.physics.reaction import KJ_PER_MOL_EV, PhaseEnergy
from hstore_models.physics.relaxing import Relaxed
from hstore_workflows.cli import main
from hstore_workflows.physics import by_products, enthalpy
from hstore_workflows.physics.by_products import ByProducts, by_products_in_words
from hstore_workflows.physics.entries import entries_of_set
from hstore_workflows.physics.phases import phase
from hstore_workflows.physics.pricing import PhaseRecord, PricedPhases, Pricing

TABLE = """formula,formation_energy_ev_per_atom,energy_kind
NaAlH4,-0.1667,PBE
Na3AlH6,-0.255,PBE
NaH,-0.30,PBE
AlH3,-0.0125,PBE
MgH2,-0.3,PBE
"""
KIND = "set:000000000000, uncorrected, einstein 298.15 K"


def run(*arguments):
    return CliRunner().invoke(main, ["physics", *arguments])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    return load_settings()


def test_the_steps_of_an_alanate_follow_from_formation_energies(tmp_path):
    (table := tmp_path / "phases.csv").write_text(TABLE)
    told = run("hull", "NaAlH4", "XeH2", "--entries", str(table), "--json")
    assert told.exit_code == 0, told.output
    alanate, absent = json.loads(told.output)["rows"]
    assert [step["reaction"] for step in alanate["steps"]] == [
        "NaAlH4 -> 1/3 Na3AlH6 + 2/3 Al + H2",
        "2/3 Na3AlH6 -> 2/3 Al + 2 NaH + H2",
        "2 NaH -> 2 Na + H2",
    ]
    first = (6 * 0.1667 - 10 * 0.255 / 3) * KJ_PER_MOL_EV
    assert alanate["steps"][0]["raw_kj_per_mol_h2"] == pytest.approx(first)
    assert (alanate["energy_kind"], alanate["entries"]) == ("PBE", 4)
    assert "no entry has the composition XeH2" in absent["cause"]
    words = run("hull", "NaAlH4", "--entries", str(table)).output
    assert "step 3: 2 NaH -> 2 Na + H2  115.8 raw" in words


def test_where_nothing_can_be_placed_the_command_fails(home):
    empty = run("hull", "MgH2")
    assert empty.exit_code == 1
    assert "no entry has the composition MgH2" in empty.output


@pytest.mark.parametrize("formula", ["Mg3H7", "MgH2"], ids=["another", "the same"])
def test_energies_of_several_kinds_are_refused(tmp_path, formula):
    (table := tmp_path / "phases.csv").write_text(f"{TABLE}{formula},-0.31,other\n")
    told = run("hull", "MgH2", "--entries", str(table))
    assert told.exit_code == 1
    assert "2 kinds have no common scale" in told.output


def test_the_shipped_set_makes_a_hull_without_a_potential():
    frame = computed_hydrides()
    frame = frame[(frame["cause"] == "") & (frame["formula"] == "MgH2")]
    lowest = frame.loc[frame["enthalpy_to_elements_kj_per_mol_h2"].idxmax()]
    (row,) = json.loads(run("hull", "MgH2", "--entries", "set", "--json").output)["rows"]
    assert row["entry"] == lowest["material_id"]
    (step,) = row["steps"]
    assert step["raw_kj_per_mol_h2"] == pytest.approx(lowest["first_step_raw_kj_per_mol_h2"], abs=0.01)
    assert row["energy_kind"].endswith(", uncorrected, static")
    assert len(entries_of_set()) > 1000


class Set(PricedPhases):
    """A potential whose energies are formation energies, eV a formula unit; elements are 0."""

    energies: ClassVar[dict[str, float]] = {"BH4Li": -2.0, "HLi": -1.0, "Li": 0.0, "B": 0.0}

    def __init__(self, pricing, home):
        self.pricing, self.home, self.phases = pricing, home, {}
        self.potential = Potential("set", "Set", "test 0", "0" * 64, None)
        self.h2 = PhaseEnergy(0.0, self.potential.key)

    def add(self, crystals):
        for name, crystal in crystals.items():
            energy = self.energies[name]
            cell = energy * len(crystal) / sum(parse_amounts(name).values())
            relaxed = Relaxed(name, self.potential.key, cell, crystal, 1.0, 0.0, 1, 0.1)
            self.phases[name] = PhaseRecord(name, relaxed, None, PhaseEnergy(energy, self.potential.key), "")


def desk(monkeypatch, home, **options):
    monkeypatch.setattr(enthalpy, "PricedPhases", Set)
    return enthalpy.EnthalpyDesk(Pricing("set"), home, calibrate=False, **options)


def made(formula, energy_ev):
    crystal = phase("LiBH4")
    relaxed = Relaxed(formula, "set:000000000000", energy_ev, crystal, 1.0, 0.0, 1, 0.1)
    return Gas(formula, relaxed, 0.0)


def test_an_entry_of_the_same_kind_changes_the_products(monkeypatch, home):
    asked = enthalpy.Asked("LiBH4", "LiBH4")
    plain = desk(monkeypatch, home).record(asked)
    assert plain["decomposition_products"] == pytest.approx({"B": 1.0, "LiH": 1.0, "H2": 1.5})
    assert plain["energy_kind"] == KIND
    low = Computed("low", {"Li": 2.0, "B": 12.0, "H": 12.0}, -0.3, KIND)
    other = desk(monkeypatch, home, entries=[low]).record(asked)
    assert "LiB6H6" in other["decomposition_products"]
    assert "LiB6H6" in other["rivals"]
    assert other["energy_above_products_ev_per_atom"] > plain["energy_above_products_ev_per_atom"]


def test_an_entry_of_another_kind_is_refused_before_anything_is_computed(monkeypatch, home):
    with pytest.raises(InputError, match="hold energies of the kind 'PBE'"):
        desk(monkeypatch, home, entries=[Computed("one", {"Li": 1.0, "H": 1.0}, -0.4, "PBE")])


def test_a_rival_given_as_a_structure_is_on_the_hull(monkeypatch, home):
    monkeypatch.setitem(Set.energies, "BLi", -1.5)
    rival = Crystal(3.0 * Crystal([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 0]], [3]).lattice_angstrom,
                    [[0, 0, 0], [0.5, 0.5, 0.5]], [3, 5])  # fmt: skip
    found = desk(monkeypatch, home, rivals=[rival]).record(enthalpy.Asked("LiBH4", "LiBH4"))
    assert "LiB" in found["rivals"]
    assert found["steps"][0]["reaction"] == "1/2 LiBH4 -> 1/2 LiB + H2"


@pytest.mark.parametrize(
    ("gas_ev", "competes"),
    [(-2.0, "yes"), (1.0, "no"), (-0.6, "undecided")],
    ids=["strong", "weak", "between"],
)
def test_whether_a_gas_competes_depends_on_its_energy_and_error(monkeypatch, home, gas_ev, competes):
    monkeypatch.setattr(by_products, "gas", lambda _potential, name: made(name, gas_ev))
    monkeypatch.setattr(by_products, "h2_energy", lambda potential: PhaseEnergy(0.0, potential.key))
    monkeypatch.setattr(ByProducts, "formation_error_kj_per_mol", lambda _self, _name: -60.0)
    found = desk(monkeypatch, home, by_products=True).record(enthalpy.Asked("LiBH4", "LiBH4"))
    (row,) = found["by_products"]
    assert row["reaction"] == "2 LiBH4 -> 2 LiH + B2H6"
    assert row["raw_kj_per_mol_gas"] == pytest.approx((gas_ev + 2.0) * KJ_PER_MOL_EV)
    assert row["competes"] == competes
    assert row["bar_at_that_temperature"] > 0
    assert any("B2H6: 2 LiBH4" in line for line in enthalpy.lines(found))


def test_the_error_of_a_gas_is_that_of_its_formation(monkeypatch, home):
    """A potential without elements' energies: 2 B + 3 H2 lie at the thermal part of H2 alone."""
    monkeypatch.setattr(by_products, "gas", lambda _potential, name: made(name, 1.0))
    monkeypatch.setattr(by_products, "h2_energy", lambda potential: PhaseEnergy(0.0, potential.key))
    phases = Set(Pricing("set"), home)
    hydrogen = 3 * by_products.h2_thermal_kj_per_mol(298.15)
    error = ByProducts(phases).formation_error_kj_per_mol("B2H6")
    assert error == pytest.approx(KJ_PER_MOL_EV - hydrogen - 41.003, abs=1e-6)


def test_a_gas_the_potential_does_not_know_has_its_cause(monkeypatch, home):
    def fail(_potential, _name):
        raise InputError("set gives no B2H6 molecule (it broke); take another potential")

    monkeypatch.setattr(by_products, "gas", fail)
    phases = Set(Pricing("set"), home)
    energies = {name: PhaseEnergy(energy, phases.potential.key) for name, energy in Set.energies.items()}
    (row,) = ByProducts(phases).records("LiBH4", Hull(energies, phases.h2), 50.0)
    assert "it broke" in row["cause"]
    assert list(by_products_in_words([row])) == [f"  B2H6: {row['cause']}"]


EMT = "ase.calculators.emt:EMT"
CIF = """data_NiH
_cell_length_a 3.7
_cell_length_b 3.7
_cell_length_c 3.7
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Ni1 Ni 0 0 0 1
H1 H 0.5 0.5 0.5 1
"""


def test_the_command_refuses_entries_of_another_kind_and_rivals_it_cannot_read(tmp_path, home):
    (hydride := tmp_path / "NiH.cif").write_text(CIF)
    (table := tmp_path / "phases.csv").write_text(TABLE)
    asked = ["enthalpy", str(hydride), "--potential", EMT, "--vibrations", "none", "--raw"]
    mixed = run(*asked, "--entries", str(table))
    assert mixed.exit_code == 2
    assert "'PBE'" in mixed.output
    assert "uncorrected, static'" in mixed.output
    (broken := tmp_path / "broken.cif").write_text("data_broken\n_cell_length_a 3.7\n")
    unread = run(*asked, "--rival", str(broken))
    assert unread.exit_code == 2
    assert "broken.cif" in unread.output
