"""Barriers of ion migration: fast conductors below slow ones, and hydrides not at all."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError
from hstore_models.physics.barriers import Barriers, BarrierSettings, element_of_ion, migration_barriers

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import barriers as known

pytestmark = pytest.mark.skipif(find_spec("bvlain") is None, reason="the extra barriers is not installed")

COARSE = BarrierSettings(resolution_angstrom=0.3)


@pytest.fixture(scope="module")
def found():
    names = ("Li3N", "Li6PS5Cl", "LiI", "gamma-Li3PS4", "LiFePO4", "LiH")
    return {name: migration_barriers(known.crystal(name), "Li", COARSE) for name in names}


def test_fast_conductors_lie_below_slow_ones(found):
    first = {name: one.barriers_ev[0] for name, one in found.items() if name != "LiH"}
    for fast in ("Li3N", "Li6PS5Cl"):
        for slow in ("LiI", "gamma-Li3PS4", "LiFePO4"):
            assert first[fast] < first[slow], (fast, slow, first)


def test_lithium_moves_in_one_dimension_in_the_olivine_and_in_three_in_the_nitride(found):
    one, two, three = found["LiFePO4"].barriers_ev
    assert found["LiFePO4"].dimension == 1
    assert two - one > 2
    assert three >= two
    assert found["Li3N"].dimension == 3


def test_more_dimensions_never_need_less(found):
    for name, one in found.items():
        if not one.not_applicable:
            assert one.barriers_ev[0] <= one.barriers_ev[1] <= one.barriers_ev[2], name


def test_barriers_are_those_of_bvlain_itself(found):
    # Documented by BVlain for LiFePO4 of the Materials Project at 0.2 angstrom: 0.44, 3.33 and 3.36 eV.
    fine = migration_barriers(known.crystal("LiFePO4"), "Li")
    assert fine.barriers_ev == pytest.approx((0.4395, 3.3301, 3.3594), abs=0.03)


def test_a_hydride_is_not_applicable(found):
    assert found["LiH"].dimension is None
    assert "no bond-valence parameters for hydride ions" in found["LiH"].not_applicable
    hydride_ions = migration_barriers(known.crystal("LiH"), "H", COARSE)
    assert "hydride ions" in hydride_ions.not_applicable
    assert hydride_ions.as_json()["applicable"] is False


def test_what_has_no_balance_of_charges_is_not_applicable():
    alloy = Crystal(3.0 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([3, 13]))
    assert "charges" in migration_barriers(alloy, "Li", COARSE).not_applicable


def test_an_ion_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="holds no Na"):
        migration_barriers(known.crystal("Li3N"), "Na")


@pytest.mark.parametrize(("ion", "element"), [("Li", "Li"), ("Li+", "Li"), ("O2-", "O"), (" Na1+ ", "Na")])
def test_ions_are_read(ion, element):
    assert element_of_ion(ion) == element


@pytest.mark.parametrize("ion", ["", "lithium", "Xx", "Li+-"])
def test_what_is_no_ion_is_refused(ion):
    with pytest.raises(InputError, match="such as Li"):
        element_of_ion(ion)


def test_paths_above_the_highest_barrier_looked_for_are_none():
    closed = Barriers("X", "Li1+", (None, None, None))
    assert closed.dimension == 0
    assert closed.as_json()["barrier_1d_ev"] is None


def test_a_grid_that_is_no_grid_is_refused():
    with pytest.raises(InputError, match=r"0\.05 to 0\.5"):
        BarrierSettings(resolution_angstrom=2.0)


def test_without_bvlain_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bvlain", None)
    with pytest.raises(MissingExtraError, match=r"hstore\[barriers\]"):
        migration_barriers(known.crystal("Li3N"), "Li")
