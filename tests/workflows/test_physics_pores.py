"""``hstore physics pores``: a process that Zeo++ ends, and a structure that cannot be, are records with causes."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.records import Family, Material, Provenance
from hstore_workflows.cli import main
from hstore_workflows.physics.pores import pores_of

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
import breaking_zeo

pytestmark = pytest.mark.skipif(find_spec("pyzeo") is None, reason="the extra gcmc is not installed")

COLUMNS = {"density_g_cm3", "gsa_m2_g", "vsa_m2_cm3", "void_fraction", "pore_volume_cm3_g", "lcd_A", "pld_A"}
CIF = """data_{name}
_cell_length_a 9
_cell_length_b 9
_cell_length_c 9
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
C1 C 0 0 0 {first}
C2 {other} 0.17 0 0 {second}
"""


def material(name, edge):
    crystal = Crystal(np.eye(3) * edge, [[0.0, 0, 0]], [6])
    return Material(
        material_id=name,
        formula="C",
        family=Family.SORBENT,
        structure=crystal.to_dict(),
        provenance=Provenance(source="test"),
    )


def test_a_process_ended_inside_zeo_is_tried_again_displaced():
    one, other = pores_of(
        [material("a", 9.0), material("b", 11.0)], workers=1, compute=breaking_zeo.end_unless_displaced
    )
    assert (one.attempts, other.attempts) == (2, 2)
    assert one.geometry.displaced_angstrom > 0
    assert one.geometry.lcd_A == pytest.approx(9 * 3**0.5 - 3.4, abs=0.01)
    assert other.geometry.lcd_A == pytest.approx(11 * 3**0.5 - 3.4, abs=0.01)


def test_a_process_ended_at_every_attempt_is_a_record():
    (found,) = pores_of([material("a", 9.0)], workers=1, compute=breaking_zeo.always_end)
    assert found.geometry is None
    assert "its worker process ended with status" in found.cause
    assert found.attempts == 4


def test_disorder_is_a_record_and_the_rest_goes_on(tmp_path):
    (tmp_path / "disordered.cif").write_text(CIF.format(name="d", first=0.5, other="C", second=0.5))
    (tmp_path / "good.cif").write_text(CIF.format(name="g", first=1, other="N", second=1))
    (tmp_path / "none.cif").write_text("this is no CIF\n")
    files = [str(tmp_path / name) for name in ("disordered.cif", "none.cif", "good.cif")]
    table = tmp_path / "pores.csv"
    done = CliRunner().invoke(main, ["physics", "pores", *files, "--workers", "1", "--json", "--out", str(table)])
    assert done.exit_code == 0, done.output
    bad, none, good = json.loads(done.stdout)
    assert "disorder" in bad["cause"] or "occup" in bad["cause"]
    assert none["cause"]
    assert good["cause"] == ""
    assert good.keys() >= COLUMNS
    assert 0 < good["pld_A"] <= good["lcd_A"]
    written = pd.read_csv(table)
    assert list(written["name"]) == [good["name"]]
    assert written["lcd_A"].tolist() == pytest.approx([good["lcd_A"]])


def test_nothing_usable_is_a_failure(tmp_path):
    (tmp_path / "none.cif").write_text("this is no CIF\n")
    done = CliRunner().invoke(main, ["physics", "pores", str(tmp_path / "none.cif"), "--workers", "1"])
    assert done.exit_code == 1
