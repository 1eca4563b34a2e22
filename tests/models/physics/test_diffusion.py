"""Diffusion from displacements: walkers of known diffusion give it back, lines through temperatures theirs."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from ase.build import bulk

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError
from hstore.units import BOLTZMANN_EV_PER_K
from hstore_models.physics.diffusion import (
    Diffusion,
    MotionSettings,
    Trajectory,
    diffusion_samples,
    extrapolate,
    mean_squared_displacement,
    move,
    nernst_einstein,
)
from hstore_models.physics.potential import load_potential

BOX, FRAME_PS, HOP, RATE_PER_PS = 12.0, 0.1, 2.5, 0.4
TRUE_CM2_PER_S = HOP**2 * RATE_PER_PS / 6 * 1e-4


def walkers(count=40, frames=600, drift=0.0):
    """Ions that hop along the axes at random, beside others that stay; all drift together."""
    rng = np.random.default_rng(1)
    axes = np.concatenate([np.eye(3), -np.eye(3)]) * HOP
    hops = axes[rng.integers(0, 6, (frames, count))] * (rng.random((frames, count, 1)) < RATE_PER_PS * FRAME_PS)
    places = np.cumsum(hops, axis=0) + rng.random((1, count, 3)) * BOX + rng.normal(0, 0.1, (frames, count, 3))
    others = rng.random((1, 4, 3)) * BOX + rng.normal(0, 0.05, (frames, 4, 3))
    moved = np.concatenate([places, others], axis=1) + drift * np.arange(frames)[:, None, None]
    return Trajectory(moved / BOX % 1.0, BOX * np.eye(3), np.array([3] * count + [8] * 4), FRAME_PS)


def test_the_displacement_is_that_of_the_walk_without_the_drift_of_the_others():
    expected = 6 * TRUE_CM2_PER_S * 1e4 * 600 * FRAME_PS / 2
    still, drifting = (mean_squared_displacement(walkers(drift=drift), np.arange(40)) for drift in (0.0, 0.05))
    assert still == pytest.approx(expected, rel=0.35)
    assert drifting == pytest.approx(still, rel=0.01)


def test_the_interval_of_kinisi_holds_the_diffusion_put_in():
    pytest.importorskip("kinisi", reason="kinisi is not installed")
    run = walkers()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that it is given back
    samples = np.array(diffusion_samples(run, "Li", seed=0))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002 - that it is given back
    low, high = np.quantile(samples, [0.005, 0.995])
    assert low < TRUE_CM2_PER_S < high
    assert np.median(samples) == pytest.approx(TRUE_CM2_PER_S, rel=0.4)
    assert samples.tolist() == list(diffusion_samples(run, "Li", seed=0))


def diffusion(kelvin, energy_ev=0.3, spread=0.1, seed=0, **changes):
    rng = np.random.default_rng(seed)
    middle = 1e-3 * np.exp(-energy_ev / (BOLTZMANN_EV_PER_K * kelvin))
    samples = tuple((middle * np.exp(spread * rng.standard_normal(500))).tolist())
    made = Diffusion("Li54N18", "Li", "x:1", kelvin, kelvin, 20.0, 50.0, 0.06, samples, 1.0)
    return dataclasses.replace(made, **changes)


def test_the_line_gives_back_energy_and_conductivity_put_in():
    found = extrapolate([diffusion(kelvin, seed=kelvin) for kelvin in (600, 800, 1000)], haven_ratio=0.5)
    low, high = found.activation_energy_interval_ev
    assert low < 0.3 < high
    assert found.activation_energy_ev == pytest.approx(0.3, abs=0.03)
    expected = 1e-3 * np.exp(-0.3 / (BOLTZMANN_EV_PER_K * 300.0))
    assert found.d_interval_cm2_per_s[0] < expected < found.d_interval_cm2_per_s[1]
    assert found.conductivity_s_per_cm == pytest.approx(nernst_einstein(found.d_cm2_per_s, 0.06, 1, 300.0) / 0.5)


def test_scatter_about_the_line_widens_the_intervals():
    straight = [diffusion(kelvin, spread=0.02, seed=kelvin) for kelvin in (600, 800, 1000)]
    bent = [straight[0], diffusion(800, energy_ev=0.25, spread=0.02), straight[2]]
    narrow, wide = (extrapolate(runs).activation_energy_interval_ev for runs in (straight, bent))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_nernst_and_einstein_by_hand():
    # 1e22 ions in a cm3, 1e-8 cm2/s, 300 K: n e^2 D / (k T) = 1e22 x 1.602e-19 C x 1e-8 / 0.025852 V
    assert nernst_einstein(1e-8, 0.01, 1, 300.0) == pytest.approx(6.197e-4, rel=1e-3)
    assert nernst_einstein(1e-8, 0.01, 2, 300.0) == pytest.approx(4 * 6.197e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("runs", "cause"),
    [
        ([diffusion(600)], "two temperatures"),
        ([diffusion(600), diffusion(800, cause="exploded")], "two temperatures"),
        ([diffusion(600), diffusion(800, potential="y:2")], "one potential"),
        ([diffusion(600, ion="O"), diffusion(800, ion="O")], "one charge"),
    ],
    ids=["one", "failed", "potentials", "ion"],
)
def test_what_gives_no_line_says_why(runs, cause):
    with pytest.raises(InputError, match=cause):
        extrapolate(runs)


@pytest.fixture
def copper():
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)


@pytest.fixture
def emt():
    return load_potential("ase.calculators.emt:EMT")


def test_a_perfect_crystal_does_not_diffuse_and_says_so(copper, emt):
    pytest.importorskip("kinisi", reason="kinisi is not installed")
    how = MotionSettings(picoseconds=1.0, equilibrate_ps=0.2, step_fs=4.0, least_edge_angstrom=7.0)
    found = move(copper, "Cu", 600.0, emt, how)
    assert found.mean_temperature_k == pytest.approx(600, rel=0.2)
    assert found.msd_angstrom2 < 1
    assert "heat more or run longer" in found.cause
    assert found.ions_per_angstrom3 == pytest.approx(4 / 3.6**3)


def test_too_few_steps_and_too_many_atoms_are_refused(copper, emt, monkeypatch):
    with pytest.raises(InputError, match="fewer than 200 steps"):
        MotionSettings(picoseconds=0.1)
    monkeypatch.setattr("hstore_models.physics.diffusion._kinisi", lambda: (None, None))
    with pytest.raises(InputError, match="at most 10 are allowed"):
        move(copper, "Cu", 600.0, emt, MotionSettings(atoms=10))
    with pytest.raises(InputError, match="holds no Li"):
        move(copper, "Li", 600.0, emt, MotionSettings())


def test_without_kinisi_it_is_named(copper, emt, monkeypatch):
    monkeypatch.setitem(sys.modules, "kinisi.analyze", None)
    with pytest.raises(MissingExtraError, match="kinisi"):
        move(copper, "Cu", 600.0, emt, MotionSettings())
