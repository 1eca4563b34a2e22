"""Potentials by name and relaxations: what identifies them, what ends them, what becomes of failures."""

from __future__ import annotations

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError, ModelError, UnknownNameError
from hstore_models.physics.potential import Potential, load_potential, one_potential
from hstore_models.physics.relaxing import OUT_OF_TIME, Relaxed, RelaxSettings, relax

EMT = "ase.calculators.emt:EMT"
ALLOY = Crystal(2.0 * np.array([[0, 1, 1], [1, 0, 1], [2, 2, 0]]), [[0, 0, 0], [0.5, 0.5, 0.25]], [29, 79])
TRAINED = find_spec("torch") and find_spec("chgnet") and find_spec("sevenn")
needs_mlip = pytest.mark.skipif(not TRAINED, reason="the extra mlip (torch, chgnet, sevenn) is not installed")


class Made(Calculator):
    """A calculator whose energy, force and stress follow from a function of the atoms."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces, stress = self.answer(self.atoms)
        self.results = {"energy": energy, "forces": forces, "stress": stress}


def potential(answer):
    return Potential("made", "made", "test 0", "0" * 64, Made(answer))


def test_a_foreign_calculator_is_identified_by_its_source():
    emt = load_potential(EMT)
    source = Path(find_spec("ase.calculators.emt").origin)
    assert emt.weights_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert emt.key == f"{EMT}:{emt.weights_sha256[:12]}"


def test_weights_identify_a_potential_and_are_handed_to_its_factory(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    with pytest.raises(ModelError, match="not 00"):
        load_potential(EMT, weights=weights, sha256="00")
    with pytest.raises(InputError, match="is not there"):
        load_potential(EMT, weights=tmp_path / "absent")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UnknownNameError, match="chgnet"):
        load_potential("chgnett")
    with pytest.raises(InputError, match="module:factory"):
        load_potential("ase.no_such_module:Thing")


@pytest.mark.skipif(bool(TRAINED), reason="the extra mlip is installed")
def test_an_absent_package_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"hstore\[mlip\]"):
        load_potential("chgnet")


def test_two_potentials_do_not_mix():
    assert one_potential(["a:1", "a:1"]) == "a:1"
    with pytest.raises(InputError, match="a:1 and b:2"):
        one_potential(["a:1", "b:2"])
    with pytest.raises(InputError, match="none"):
        one_potential([])


def test_relaxing_reaches_the_bottom_and_repeats_itself():
    settings = RelaxSettings(force_most_ev_per_angstrom=0.01, seed=3)
    first, second = (relax(ALLOY, load_potential(EMT), settings) for _ in range(2))
    assert first.converged
    assert first.force_most_ev_per_angstrom <= 0.01
    assert first.energy_ev == second.energy_ev
    other = relax(ALLOY, load_potential(EMT), RelaxSettings(force_most_ev_per_angstrom=0.01, seed=4))
    assert other.energy_ev == pytest.approx(first.energy_ev, abs=5e-3)
    assert other.energy_ev != first.energy_ev


def test_a_record_survives_json():
    found = relax(ALLOY, load_potential(EMT))
    again = Relaxed.from_json(found.as_json())
    assert again.as_json() == found.as_json()


def test_too_many_atoms_are_refused():
    with pytest.raises(InputError, match="primitive cell"):
        relax(ALLOY, load_potential(EMT), RelaxSettings(atoms=1))


def test_settings_that_cannot_end_are_refused():
    with pytest.raises(InputError, match="above 0"):
        RelaxSettings(steps=0)
    with pytest.raises(InputError, match="not be negative"):
        RelaxSettings(rattle_angstrom=-0.1)


def test_an_energy_that_is_no_number_is_the_cause():
    def answer(atoms):
        return math.nan, np.zeros((len(atoms), 3)), np.zeros(6)

    found = relax(ALLOY, potential(answer))
    assert "no number" in found.cause
    assert found.as_json()["energy_ev"] is None


def test_a_cell_under_tension_explodes_and_says_so():
    def answer(atoms):
        pull = 5.0 * (16.0 / atoms.get_volume()) ** 2
        return 0.0, np.zeros((len(atoms), 3)), -pull * np.array([1.0, 1, 1, 0, 0, 0])

    found = relax(ALLOY, potential(answer))
    assert "exploded" in found.cause
    assert found.volume_ratio > 2.2


def test_hydrogen_that_leaves_as_a_molecule_is_the_cause():
    crystal = Crystal(np.eye(3) * 5, [[0, 0, 0], [0, 0, 0.36], [0.5, 0.5, 0.5]], [1, 1, 46])

    def answer(atoms):
        pull = np.zeros((3, 3))
        apart = atoms.positions[1] - atoms.positions[0]
        pull[0], pull[1] = apart, -apart
        return float(np.linalg.norm(apart)), pull, np.zeros(6)

    assert "H2" in relax(crystal, potential(answer), RelaxSettings(fixed_cell=True)).cause


def test_a_calculator_that_fails_is_the_cause():
    def answer(_atoms):
        raise ValueError("isolated atom")

    assert relax(ALLOY, potential(answer)).cause == "the potential failed: ValueError: isolated atom"


def test_limits_of_steps_and_of_time_are_told():
    def forever(atoms):
        return 0.0, np.ones((len(atoms), 3)) * 0.2, np.zeros(6)

    found = relax(ALLOY, potential(forever), RelaxSettings(steps=10))
    assert found.cause == f"{OUT_OF_TIME} 10 steps"
    slow = relax(ALLOY, potential(forever), RelaxSettings(seconds=1e-6))
    assert slow.cause.startswith(f"{OUT_OF_TIME} 1e-06 s")


@needs_mlip
@pytest.mark.parametrize("name", ["chgnet", "sevennet"])
def test_trained_potentials_relax_and_know_their_weights(name, capsys):
    crystal = Crystal(2.04 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [[0, 0, 0], [0.5, 0.5, 0.5]], [3, 1])
    trained = load_potential(name)
    found = relax(crystal, trained)
    assert found.converged
    assert found.potential.startswith(f"{name}:{trained.weights_sha256[:12]}")
    assert found.crystal.volume_angstrom3 == pytest.approx(4.083**3 / 4, rel=0.06)
    assert capsys.readouterr().out == ""
