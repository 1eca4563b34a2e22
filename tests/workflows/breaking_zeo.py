"""Ends the process inside Zeo++ for real; workers import this."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hstore_models.physics.pores import pore_geometry


def end_unless_displaced(crystal, *, displaced_angstrom):
    """Compute the pores, but end inside Zeo++ when the atoms are where symmetry puts them."""
    if displaced_angstrom == 0:
        end_in_zeo()
    return pore_geometry(crystal, displaced_angstrom=displaced_angstrom)


def always_end(crystal, *, displaced_angstrom):
    """End inside Zeo++ at every attempt."""
    end_in_zeo()


def end_in_zeo():
    """Give Zeo++ a cell without atoms: it ends the process it is in."""
    import pyzeo.extension as zeo

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.cssr"
        path.write_text("6 6 6\n90 90 90 SPGR = 1 P 1 OPT = 1\n0 0\n0 empty : empty\n", encoding="ascii")
        network = zeo.AtomNetwork.read_from_CSSR(str(path), rad_flag=True)
        network.calculate_free_sphere_parameters(str(Path(folder) / "out"))
