"""Diffusion through the door: a run that fails is a record with its cause, and the rest goes on."""

from __future__ import annotations

import json
import math
import sys

import pytest
from ase.build import bulk
from click.testing import CliRunner

from hstore_models.physics.diffusion import Diffusion, extrapolate
from hstore_workflows.cli import main
from hstore_workflows.physics.motion import MotionFit
from hstore_workflows.physics.row import Row

EMT = "ase.calculators.emt:EMT"


def diffusion(kelvin, d_cm2_per_s=(), cause=""):
    """Return a run as it would come out at a temperature, K."""
    msd = math.nan if cause else 20.0
    return Diffusion("Li3N", "Li", "p:1", kelvin, kelvin, 20.0, msd, 0.05, tuple(d_cm2_per_s), 1.0, cause)


def fit(*rows):
    """Return the fit of some runs, with the line where it can be drawn."""
    sound = [row.found for row in rows if row.found is not None]
    return MotionFit("a.cif", rows, extrapolate(sound), "")


def test_a_run_that_fails_stands_beside_the_others():
    samples = [[1e-6 * factor * scale for scale in (0.9, 1.0, 1.1)] for factor in (1, 3)]
    rows = [Row(f"a.cif at {k} K", diffusion(k, d)) for k, d in zip((600, 800), samples, strict=True)]
    found = fit(*rows, Row("a.cif at 1000 K", None, "took longer than 5 s"))
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [run.get("cause") for run in told["runs"]] == ["", "", "took longer than 5 s"]
    assert told["runs"][0]["d_cm2_per_s"] == pytest.approx(1e-6)
    assert told["arrhenius"]["activation_energy_ev"] == pytest.approx(0.227, abs=0.01)
    text = list(found.text())
    assert text[2] == "a.cif at 1000 K: took longer than 5 s"
    assert "D = 1.00e-06 cm2/s" in text[0]
    assert not found.failed


def test_a_run_without_numbers_is_told_in_json_without_nan():
    row = Row("a.cif at 600 K", diffusion(600, cause="the run exploded"))
    found = MotionFit("a.cif", (row,), None, "a line needs diffusion at two temperatures")
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["runs"][0]["msd_angstrom2"] is None
    assert list(found.text())[1] == "  no line: a line needs diffusion at two temperatures"


def test_without_kinisi_the_command_names_the_extra_at_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kinisi.analyze", None)
    monkeypatch.setitem(sys.modules, "scipp", None)
    bulk("Cu", "fcc", cubic=True).write(tmp_path / "Cu.cif")
    asked = ["--ion", "Cu", "--temperature-k", "600", "--potential", EMT]
    told = CliRunner().invoke(main, ["physics", "diffusion", str(tmp_path / "Cu.cif"), *asked])
    assert told.exit_code != 0
    assert "pip install 'hstore[mlip]'" in told.output


def test_copper_hardly_moves(tmp_path):
    pytest.importorskip("kinisi", reason="the extra mlip is not installed")
    bulk("Cu", "fcc", cubic=True).write(tmp_path / "Cu.cif")
    asked = ["--ion", "Cu", "--temperature-k", "300", "--potential", EMT, "--ps", "0.5", "--edge", "3", "--json"]
    told = CliRunner().invoke(main, ["physics", "diffusion", str(tmp_path / "Cu.cif"), *asked])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    (run,) = found["runs"]
    assert "angstrom only" in run["cause"]
    assert run["reference"].endswith("at 300 K")
    assert "two temperatures" in found["cause"]
