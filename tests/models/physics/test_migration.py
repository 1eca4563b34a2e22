"""Hops into a vacancy: the path is symmetric where it must be, and the barrier is that of the potential."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.physics.migration import HopSettings, Path, hop_barrier, hop_paths
from hstore_models.physics.potential import load_potential

QUICK = HopSettings(images=3, least_edge_angstrom=7.0, longest_angstrom=3.0, force_most_ev_per_angstrom=0.08)


def crystal_of(atoms):
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)


@pytest.fixture(scope="module")
def copper():
    return crystal_of(bulk("Cu", "fcc", a=3.6, cubic=True))


@pytest.fixture(scope="module")
def emt():
    return load_potential("ase.calculators.emt:EMT")


@pytest.fixture(scope="module")
def hop(copper, emt):
    (path,) = hop_paths(copper, "Cu", QUICK)
    return hop_barrier(copper, path, emt, QUICK)


def test_a_hop_between_equal_sites_is_symmetric_and_highest_in_the_middle(hop):
    assert hop.cause == ""
    energies = np.array(hop.energies_ev)
    assert energies == pytest.approx(energies[::-1], abs=0.02)
    assert hop.barrier_ev == pytest.approx(hop.backward_ev, abs=0.02)
    assert int(np.argmax(energies)) == len(energies) // 2


def test_the_barrier_is_the_energy_of_the_saddle_found_by_symmetry(hop, copper, emt):
    # The saddle of this hop lies half way by symmetry: relax everything else around the ion held there.
    from ase import Atoms
    from ase.constraints import FixAtoms
    from ase.optimize import FIRE

    whole = Atoms(
        numbers=copper.numbers, positions=copper.cartesian_angstrom, cell=copper.lattice_angstrom, pbc=True
    ).repeat((2, 2, 2))
    middle = (whole.positions[0] + whole.positions[1]) / 2
    gap = whole.copy()
    del gap[1]
    saddle = gap.copy()
    saddle.positions[0] = middle
    saddle.set_constraint(FixAtoms([0]))
    for atoms in (gap, saddle):
        atoms.calc = emt.calculator
        with FIRE(atoms, logfile=None) as path:
            path.run(fmax=0.02, steps=300)
        atoms.info["energy"] = atoms.get_potential_energy()
    assert hop.barrier_ev == pytest.approx(saddle.info["energy"] - gap.info["energy"], abs=0.03)
    assert hop.distance_angstrom == pytest.approx(3.6 / np.sqrt(2))
    assert hop.atoms == 31


def test_distinct_hops_are_told_once_with_the_shortest_first():
    nitride = Crystal(
        np.array([[3.648, 0, 0], [-1.824, 3.15926, 0], [0, 0, 3.875]]),
        np.array([[0, 0, 0], [0, 0, 0.5], [1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]]),
        np.array([7, 3, 3, 3]),
    )
    paths = hop_paths(nitride, "Li", HopSettings(longest_angstrom=3.7, hops=10))
    lengths = [path.distance_angstrom for path in paths]
    assert lengths == sorted(lengths)
    assert lengths[0] == pytest.approx(3.648 / np.sqrt(3), abs=1e-3)  # within the layer of Li2N
    assert lengths[1] == pytest.approx(np.hypot(3.648 / np.sqrt(3), 3.875 / 2), abs=1e-3)  # out of it
    assert len({round(length, 2) for length in lengths}) == len(lengths) - 1  # 3.648 within each kind of site


def test_a_hop_that_is_out_of_time_or_of_a_broken_potential_has_a_cause(copper, emt):
    (path,) = hop_paths(copper, "Cu", QUICK)
    slow = HopSettings(images=3, least_edge_angstrom=7.0, seconds=1e-6)
    assert "has not converged after 1e-06 s" in hop_barrier(copper, path, emt, slow).cause
    iron = crystal_of(bulk("Fe", "bcc", a=2.87, cubic=True))
    (path,) = hop_paths(iron, "Fe", HopSettings(longest_angstrom=2.6))
    failed = hop_barrier(iron, path, emt, QUICK)
    assert failed.barrier_ev is None
    assert "the potential failed" in failed.cause


@pytest.mark.parametrize(
    ("ion", "longest", "cause"),
    [("Li", 3.0, "holds no Li"), ("Cu", 1.0, "within 1 angstrom")],
    ids=["absent", "far"],
)
def test_what_has_no_hop_says_why(copper, ion, longest, cause):
    with pytest.raises(InputError, match=cause):
        hop_paths(copper, ion, HopSettings(longest_angstrom=longest))


def test_a_supercell_that_is_too_large_is_refused(copper, emt):
    with pytest.raises(InputError, match="at most 20 are allowed"):
        hop_barrier(copper, Path(0, 1, (1.8, 1.8, 0.0)), emt, HopSettings(atoms=20))
    with pytest.raises(InputError, match="above 0"):
        HopSettings(images=0)
