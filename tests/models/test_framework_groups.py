"""Physics as groups of descriptors: pores, one molecule of hydrogen, barriers of ions."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.menu import groups_of
from hstore_models.physics.adsorption import look_into
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.pores import pore_geometry

FRAMEWORK = Crystal(
    np.diag([7.5, 8.0, 8.5]), [[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]], [6, 6, 6, 8]
)


def values_of(name: str, crystal: Crystal) -> dict[str, float]:
    (group,) = groups_of([name])
    return dict(zip(group.columns, group.compute(Geometry(crystal)).tolist(), strict=True))


def test_pores_are_those_of_zeo_within_the_displacement():
    pytest.importorskip("pyzeo")
    found, plain = values_of("pores", FRAMEWORK), pore_geometry(FRAMEWORK)
    assert found["lcd_A"] == pytest.approx(plain.lcd_A, abs=1e-3)
    assert found["pld_A"] == pytest.approx(plain.pld_A, abs=1e-3)
    assert found["density_g_cm3"] == plain.density_g_cm3
    assert "displaced_angstrom" not in found


def test_adsorption_is_what_a_simulation_starts_from():
    found = values_of("adsorption", FRAMEWORK)
    void = look_into(FRAMEWORK, 77.0, ForceField(hydrogen="fischer-77k"))
    assert void.pockets == 0
    assert found["helium_void_fraction"] == pytest.approx(void.helium_void_fraction)
    assert 10 ** found["log10_henry_77k_g_per_l_bar"] == pytest.approx(void.henry_g_per_l_bar)
    assert found["heat_at_zero_77k_kj_per_mol"] == pytest.approx(void.heat_at_zero_kj_per_mol)
    assert found["log10_henry_298k_g_per_l_bar"] < found["log10_henry_77k_g_per_l_bar"]
    shares = [found[f"volume_share_below_minus_{depth}_kj_per_mol"] for depth in range(1, 11)]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[0] < 1
    deeper = np.arange(1, 11) > found["deepest_kj_per_mol"]
    assert (np.array(shares)[deeper] == 0).all()
    assert (np.array(shares)[~deeper] > 0).all()


def test_a_framework_without_room_takes_nothing():
    dense = Crystal(np.eye(3) * 2.0, [[0.0, 0.0, 0.0]], [26])
    found = values_of("adsorption", dense)
    assert found["helium_void_fraction"] == pytest.approx(0.0, abs=1e-12)
    assert found["log10_henry_77k_g_per_l_bar"] == -12.0
    assert found["deepest_kj_per_mol"] < 0


def test_barriers_are_those_of_the_mobile_ion_and_hydrides_are_told():
    pytest.importorskip("bvlain")
    # Rock salt LiI, a = 6.0 angstrom
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    anions = [[x + 0.5, y, z] for x, y, z in places]
    iodide = Crystal(np.eye(3) * 6.0, places + anions, [3] * 4 + [53] * 4)
    found = values_of("barriers", iodide)
    assert 0.1 < found["barrier_1d_ev"] <= found["barrier_2d_ev"] <= found["barrier_3d_ev"] < 2
    assert found["dimension"] == 3
    with pytest.raises(InputError, match="no bond-valence parameters for hydride"):
        values_of("barriers", Crystal(np.eye(3) * 4.08, places + anions, [3] * 4 + [1] * 4))
    with pytest.raises(InputError, match="holds no mobile ion"):
        values_of("barriers", Crystal(np.eye(3) * 2.87, [[0, 0, 0]], [26]))
