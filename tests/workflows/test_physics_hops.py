"""Hops of files: each that fails is a record with its cause, and the rest goes on."""

from __future__ import annotations

import json

from ase.build import bulk
from click.testing import CliRunner

from hstore_workflows.cli import main

EMT = "ase.calculators.emt:EMT"


def test_the_command_tells_hops_and_causes(tmp_path):
    for element in ("Cu", "Ni"):
        bulk(element, "fcc", cubic=True).write(tmp_path / f"{element}.cif")
    options = ["--ion", "Cu", "--potential", EMT, "--edge", "7", "--longest", "3", "--images", "1", "--json"]
    files = [str(tmp_path / "Ni.cif"), str(tmp_path / "Cu.cif")]
    told = CliRunner().invoke(main, ["physics", "hop", *files, *options])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    nickel, copper = found["rows"]
    assert "holds no Cu" in nickel["cause"]
    assert 0.5 < copper["barrier_ev"] < 1.0
    assert copper["potential"] == found["potential"]["key"]
