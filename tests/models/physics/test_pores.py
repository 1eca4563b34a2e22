"""Pore geometry by Zeo++, on cells whose geometry is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import MissingExtraError
from hstore_models.physics.pores import pore_geometry

EDGE = 9.0
SIMPLE = Crystal(np.eye(3) * EDGE, [[0.0, 0.0, 0.0]], [6])
CARBON_RADIUS = 1.7
"""Radius of carbon in Zeo++, angstrom."""


def test_a_simple_cubic_cell_has_the_diameters_of_its_geometry():
    pytest.importorskip("pyzeo")
    found = pore_geometry(SIMPLE)
    assert found.lcd_A == pytest.approx(EDGE * 3**0.5 - 2 * CARBON_RADIUS, abs=1e-3)
    assert found.pld_A == pytest.approx(EDGE * 2**0.5 - 2 * CARBON_RADIUS, abs=1e-3)
    atom = 4 / 3 * np.pi * CARBON_RADIUS**3
    assert found.void_fraction == pytest.approx(1 - atom / EDGE**3, abs=0.01)
    probe = 4 * np.pi * (CARBON_RADIUS + 1.86) ** 2
    assert found.vsa_m2_cm3 == pytest.approx(1e4 * probe / EDGE**3, rel=0.02)
    assert found.gsa_m2_g == pytest.approx(found.vsa_m2_cm3 / found.density_g_cm3, rel=1e-3)
    assert found.density_g_cm3 == pytest.approx(12.011 / 0.602214 / EDGE**3, rel=1e-4)
    assert found.pore_volume_cm3_g == pytest.approx(found.void_fraction / found.density_g_cm3)


def test_a_displacement_changes_diameters_by_no_more():
    pytest.importorskip("pyzeo")
    moved = pore_geometry(SIMPLE, displaced_angstrom=0.01)
    assert moved.displaced_angstrom == 0.01
    assert moved.lcd_A == pytest.approx(pore_geometry(SIMPLE).lcd_A, abs=0.05)


def test_nothing_is_printed(capfd):
    pytest.importorskip("pyzeo")
    pore_geometry(SIMPLE)
    assert capfd.readouterr() == ("", "")


def test_an_absent_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyzeo", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hstore\[gcmc\]'"):
        pore_geometry(SIMPLE)
