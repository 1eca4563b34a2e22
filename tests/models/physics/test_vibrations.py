"""Vibrations against oscillators that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator, all_changes

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.units import BOLTZMANN_EV_PER_K
from hstore_models.physics.potential import Potential
from hstore_models.physics.vibrations import PLANCK_EV_PER_THZ, Vibrations, energy_of, vibrational_energy

STIFFNESS = 3.0
CRYSTAL = Crystal(np.eye(3) * 4, [[0, 0, 0], [0.5, 0.5, 0.5]], [46, 1])


class Springs(Calculator):
    """Every atom on a spring to its own place."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        apart = self.atoms.positions - CRYSTAL.cartesian_angstrom
        self.results = {"energy": STIFFNESS * (apart**2).sum() / 2, "forces": -STIFFNESS * apart}


SPRINGS = Potential("springs", "springs", "test 0", "0" * 64, Springs())


def test_hydrogen_on_a_spring_has_its_zero_point():
    angular = np.sqrt(STIFFNESS / 1.008) * units._hbar / units._e * units.s
    found = vibrational_energy(CRYSTAL, SPRINGS, Vibrations.EINSTEIN, temperature_k=0)
    assert found.zero_point_ev == pytest.approx(1.5 * angular, rel=1e-4)
    assert found.warming_ev == 0.0


def test_a_host_has_no_vibrations_of_hydrogen():
    host = Crystal(np.eye(3) * 4, [[0, 0, 0], [0.5, 0.5, 0.5]], [46, 46])
    assert vibrational_energy(host, SPRINGS, Vibrations.EINSTEIN).enthalpy_ev == 0.0


def test_oscillators_warm_to_the_classical_limit():
    frequencies, weights = np.full(3, 5.0), np.ones(3)
    hot = energy_of(frequencies, weights, 50_000.0)
    assert hot.zero_point_ev == pytest.approx(1.5 * 5.0 * PLANCK_EV_PER_THZ)
    assert hot.enthalpy_ev == pytest.approx(3 * BOLTZMANN_EV_PER_K * 50_000.0, rel=1e-3)
    cold = energy_of(frequencies, weights, 1.0)
    assert cold.warming_ev == pytest.approx(0.0, abs=1e-12)


def test_imaginary_frequencies_are_counted_and_left_out():
    found = energy_of(np.array([-3.0, 5.0]), np.ones(2), 300.0)
    assert found.imaginary_share == 0.5
    assert found.zero_point_ev == pytest.approx(5.0 * PLANCK_EV_PER_THZ / 2)


def test_none_adds_nothing_and_negative_temperatures_are_refused():
    assert vibrational_energy(CRYSTAL, SPRINGS, Vibrations.NONE).enthalpy_ev == 0.0
    with pytest.raises(InputError, match="at least 0"):
        vibrational_energy(CRYSTAL, SPRINGS, Vibrations.EINSTEIN, temperature_k=-1)
