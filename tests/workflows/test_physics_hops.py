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


def test_the_potential_of_a_hop_must_have_the_checksum_asked_for(tmp_path):
    bulk("Cu", "fcc", cubic=True).write(tmp_path / "Cu.cif")
    asked = ["--ion", "Cu", "--potential", EMT, "--sha256", "0" * 64]
    told = CliRunner().invoke(main, ["physics", "hop", str(tmp_path / "Cu.cif"), *asked])
    assert told.exit_code != 0
    assert "0000" in told.output


def test_where_no_hop_is_found_the_command_fails(tmp_path):
    bulk("Ni", "fcc", cubic=True).write(tmp_path / "Ni.cif")
    told = CliRunner().invoke(
        main, ["physics", "hop", str(tmp_path / "Ni.cif"), "--ion", "Cu", "--potential", EMT]
    )
    assert told.exit_code == 1
    assert told.output.startswith("Ni.cif")
    assert "holds no Cu" in told.output
