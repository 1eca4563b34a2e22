"""By-product gases by a potential: thermal part of the ideal gas, and shapes that are no minimum."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from hstore.errors import InputError, UnknownNameError
from hstore.units import BOLTZMANN_EV_PER_K
from hstore_models.physics.gases import MOLECULES, gas
from hstore_models.physics.potential import Potential, load_potential
from hstore_models.physics.vibrations import PLANCK_EV_PER_THZ, molecule_thz

EMT = "ase.calculators.emt:EMT"


def test_nitrogen_has_its_zero_point_and_seven_halves_kt():
    found = gas(load_potential(EMT), "N2", temperature_k=300.0)
    stretch = molecule_thz(found.relaxed.crystal, load_potential(EMT)).max()
    assert found.thermal_ev == pytest.approx(
        PLANCK_EV_PER_THZ * stretch / 2 + 3.5 * BOLTZMANN_EV_PER_K * 300, rel=0.01
    )
    cold = gas(load_potential(EMT), "N2", temperature_k=0.0)
    assert cold.thermal_ev == pytest.approx(PLANCK_EV_PER_THZ * stretch / 2)


def test_a_molecule_has_six_motions_without_force():
    found = gas(load_potential(EMT), "NH3", temperature_k=0.0)
    frequencies = np.abs(molecule_thz(found.relaxed.crystal, load_potential(EMT)))
    assert (np.sort(frequencies)[:6] < 2).all()
    inner = np.sort(frequencies)[6:]
    assert found.thermal_ev == pytest.approx(PLANCK_EV_PER_THZ * inner.sum() / 2)


class Hill(Calculator):
    """Atoms on the top of a hill: no force at the start, imaginary frequencies everywhere."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if not hasattr(self, "rest"):
            self.rest = atoms.get_positions()
        away = atoms.get_positions() - self.rest
        self.results = {"energy": -0.5 * float((away**2).sum()), "forces": away}


def test_a_shape_that_is_no_minimum_is_refused():
    with pytest.raises(InputError, match="imaginary"):
        gas(Potential("hill", "Hill", "test 0", "0" * 64, Hill()), "B2H6")


def test_what_no_potential_holds_and_what_is_unknown():
    with pytest.raises(InputError, match="no B2H6 molecule"):
        gas(load_potential(EMT), "B2H6")
    with pytest.raises(UnknownNameError, match="NH3"):
        gas(load_potential(EMT), "NH4")


def test_measured_formation_is_of_the_elements_named():
    for formula, molecule in MOLECULES.items():
        counts = {symbol: molecule.symbols.count(symbol) for symbol in molecule.symbols}
        parts = {"N2": {"N": 2}, "H2": {"H": 2}, "B": {"B": 1}}
        made: dict[str, float] = {}
        for name, n in molecule.elements.items():
            for symbol, count in parts[name].items():
                made[symbol] = made.get(symbol, 0.0) + n * count
        assert made == pytest.approx(counts), formula
