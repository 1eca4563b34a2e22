"""Lennard-Jones parameters, their combination, and the Feynman-Hibbs correction."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.physics.force_field import (
    FeynmanHibbs,
    ForceField,
    LennardJones,
    feynman_hibbs_square_angstrom2,
    framework_potentials,
)


def test_carbon_of_uff_is_that_of_the_paper():
    carbon = framework_potentials({"C"})["C"]
    assert carbon.depth_k == pytest.approx(0.105 * 503.22, rel=1e-4)  # kcal/mol over k
    assert carbon.energy_k(3.851) == pytest.approx(-carbon.depth_k)


def test_dreiding_takes_metals_from_uff():
    both = framework_potentials({"C", "Zn", "Br"}, "dreiding")
    assert both["Zn"] == framework_potentials({"Zn"})["Zn"]
    assert both["C"] != framework_potentials({"C"})["C"]
    assert both["Br"].depth_k == pytest.approx(0.37 * 503.22, rel=1e-4)
    assert both["Br"].energy_k(3.95) == pytest.approx(-both["Br"].depth_k)


def test_combination_is_that_of_lorentz_and_berthelot():
    mixed = LennardJones(40.0, 3.0).with_other(LennardJones(90.0, 4.0))
    assert (mixed.depth_k, mixed.sigma_angstrom) == (60.0, 3.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"framework": "ufff"}, "did you mean 'uff'"), ({"hydrogen": "buchh"}, "did you mean 'buch'")],
)
def test_unknown_names_list_the_known(settings, message):
    with pytest.raises(UnknownNameError, match=message):
        ForceField(**settings)


def test_a_model_with_the_correction_is_not_corrected_again():
    with pytest.raises(InputError, match="holds the quantum correction already"):
        ForceField(hydrogen="fischer-77k", quantum=True)


def test_an_element_without_parameters_is_named():
    with pytest.raises(InputError, match="no parameters for Og"):
        framework_potentials({"Og", "C"})


def test_the_correction_is_the_radial_laplacian():
    pair, square, step = LennardJones(34.2, 2.96), 0.026, 1e-4
    r = np.array([2.7, 3.0, 3.3, 5.0])
    slope = (pair.energy_k(r + step) - pair.energy_k(r - step)) / (2 * step)
    curvature = (pair.energy_k(r + step) - 2 * pair.energy_k(r) + pair.energy_k(r - step)) / step**2
    expected = pair.energy_k(r) + square * (curvature + 2 * slope / r)
    assert FeynmanHibbs(pair, square).energy_k(r) == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_the_length_of_the_correction_is_that_of_its_formula():
    hbar, amu, boltzmann = 1.054571817e-34, 1.66053906660e-27, 1.380649e-23
    expected = 1e20 * hbar**2 / (24 * 1.008 * amu * boltzmann * 77.0)
    assert feynman_hibbs_square_angstrom2(77.0, 1.008) == pytest.approx(expected, rel=1e-6)


def test_refitting_keeps_the_zero_and_the_attraction():
    exact = FeynmanHibbs(LennardJones(34.2, 2.96), feynman_hibbs_square_angstrom2(77.0, 1.008))
    refitted = exact.refitted()
    assert exact.energy_k(refitted.sigma_angstrom) == pytest.approx(0.0, abs=1e-6)
    r = np.linspace(refitted.sigma_angstrom, 200.0, 2_000_001)
    attraction = [np.trapezoid(pair.energy_k(r) * r**2, r) for pair in (exact, refitted)]
    assert attraction[1] == pytest.approx(attraction[0], rel=1e-4)


def test_refitting_comes_near_the_published_parameters():
    """Fischer et al. give 30.1 K and 3.064 A for hydrogen at 77 K."""
    pair = ForceField(quantum=True).gas_pair(77.0)
    assert pair.depth_k == pytest.approx(30.1, rel=0.06)
    assert pair.sigma_angstrom == pytest.approx(3.064, rel=0.01)


def test_the_correction_vanishes_when_hot():
    hot = ForceField(quantum=True).framework_pairs({"C"}, 5000.0)["C"]
    plain = ForceField().framework_pairs({"C"}, 5000.0)["C"]
    assert hot.depth_k == pytest.approx(plain.depth_k, rel=2e-3)
    assert hot.depth_k < plain.depth_k
    assert ForceField(quantum=True).framework_pairs({"C"}, 77.0)["C"].depth_k < hot.depth_k
