"""Barriers of files: each structure that fails is a record with its cause, and the rest goes on."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from hstore_models.physics.barriers import Barriers
from hstore_workflows.cli import main
from hstore_workflows.physics.barriers import barriers_in_words, barriers_of_files
from hstore_workflows.physics.row import Row

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import barriers as known

pytestmark = pytest.mark.skipif(find_spec("bvlain") is None, reason="the extra barriers is not installed")

DISORDERED = """data_mixed
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 5.3
_cell_length_b 5.3
_cell_length_c 5.3
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Li1 Li 0 0 0 1
Cl1 Cl 0.5 0.5 0.5 0.5
Br1 Br 0.5 0.5 0.5 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("structures")
    for name in ("Li3N", "LiH"):
        known.crystal(name).to_pymatgen().to(filename=str(made / f"{name}.cif"))
    (made / "mixed.cif").write_text(DISORDERED)
    return made


def test_the_command_tells_barriers_causes_and_what_does_not_apply(folder):
    files = [str(folder / name) for name in ("mixed.cif", "Li3N.cif", "LiH.cif")]
    told = CliRunner().invoke(main, ["physics", "barrier", *files, "--ion", "Li", "--json"])
    assert told.exit_code == 0, told.output
    mixed, nitride, hydride = json.loads(told.output)["rows"]
    assert "occupied" in mixed["cause"]
    assert nitride["dimension"] == 3
    assert 0 < nitride["barrier_3d_ev"] < 0.4
    assert hydride["applicable"] is False
    assert "hydride" in hydride["reason"]


def test_a_structure_that_takes_too_long_is_stopped(folder):
    row, other = barriers_of_files([folder / "Li3N.cif", folder / "LiH.cif"], "Li", seconds=0.05)
    assert row.found is None
    assert "longer than 0.05 s" in row.text(barriers_in_words)
    assert other.reference.startswith("LiH")


def test_where_nothing_can_be_read_the_command_fails(folder):
    told = CliRunner().invoke(main, ["physics", "barrier", str(folder / "mixed.cif"), "--ion", "Li"])
    assert told.exit_code == 1
    assert "occupied" in told.output


def test_words_for_people():
    row = Row("a.cif", Barriers("LiFePO4", "Li1+", (0.44, 3.33, None)))
    told = row.text(barriers_in_words)
    assert told.startswith("a.cif: LiFePO4")
    assert "1D 0.44 eV  2D 3.33 eV  3D above the highest looked for  moves in 1 dimension" in told
    unfit = Row("a.cif", Barriers("LiH", "Li1+", not_applicable="none"))
    assert unfit.text(barriers_in_words).endswith("not applicable: none")
