"""The benchmark of structure searches finds what is easy, and says what it did not find."""

from __future__ import annotations

import importlib.util
from importlib.util import find_spec
from pathlib import Path

import pytest

from hstore.formula import parse_amounts
from hstore_workflows.physics.phases import phase
from hstore_workflows.physics.search.settings import SearchSettings

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "structure_search.py"
needs_both = pytest.mark.skipif(
    not all(find_spec(name) for name in ("pyxtal", "torch", "sevenn")),
    reason="the extras search and mlip (pyxtal, torch, sevenn) are not installed",
)


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("structure_search", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_was_not_found_is_said(benchmark):
    row = {"formula": "CaH2", "found": False, "tries": 40, "seconds_of_tries": 300.4}
    assert benchmark._text(row) == "CaH2: not found in 40 tries, 300 s"


def test_every_hydride_is_published(benchmark):
    for formula, (units, tries) in benchmark.BUDGETS.items():
        atoms_of_a_unit = sum(parse_amounts(formula).values())
        assert len(phase(formula)) in {unit * atoms_of_a_unit for unit in units}
        assert tries > 0


@needs_both
def test_rock_salt_is_found_from_the_composition_alone(benchmark, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    settings = SearchSettings(units=(1,), tries=2, draws=4, substitutions=0, best=2, basin_steps=0)
    row = benchmark.measure("LiH", settings, tmp_path, 0)
    assert row["found"]
    assert row["space_group_found"] == 225
    assert abs(row["energy_gap_to_known_ev_per_atom"]) < 0.002
    assert row["tries"] == 2
    assert row["first_met"].startswith("random")
    assert benchmark._text(row).startswith("LiH: number 1")
