"""Structure searches with a quick potential: what is found, what is kept, what a kill leaves, what limits end."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError
from hstore.settings import load_settings
from hstore.workers import Limits, run
from hstore_models.physics.relaxing import OUT_OF_TIME, Relaxed, RelaxSettings
from hstore_workflows.batch.spec import Work
from hstore_workflows.batch.work import work_rows
from hstore_workflows.cli import main
from hstore_workflows.physics.phases import phase
from hstore_workflows.physics.search.distinct import told_apart
from hstore_workflows.physics.search.known_types import group_weights, known_types, novelty, topology_apart
from hstore_workflows.physics.search.report import report, space_group, text_of
from hstore_workflows.physics.search.search import Found, counts_within, random_tasks, search
from hstore_workflows.physics.search.settings import COARSE
from hstore_workflows.physics.search.stage import random_try, structure_search
from hstore_workflows.physics.search.tries import RANDOM, Draw, Task, Try, do
from tests.workflows.small_search import EMT, QUICK, SMALL, TIGHT

needs_pyxtal = pytest.mark.skipif(not find_spec("pyxtal"), reason="the extra search (pyxtal) is not installed")


def ended(number, crystal, energy_ev_per_atom, cause="", kind=RANDOM):
    relaxed = Relaxed("x", "p:0", energy_ev_per_atom * len(crystal), crystal, 1.0, 0.01, 9, 1.0, cause)
    return Try(kind, number, "made", relaxed, 1.0, cause)


def strained(crystal, by):
    return Crystal(crystal.lattice_angstrom * (1 + by), crystal.fractional, crystal.numbers)


# what is known


def test_known_types_hold_the_composition_and_touch():
    found = known_types("MgH2")
    assert len(found) > 50
    for one in found:
        assert one.crystal.amounts["H"] == 2 * one.crystal.amounts["Mg"]
    labels = " ".join(one.label for one in found)
    for name in ("Rutile", "Fluorite", "Cotunnite"):
        assert name in labels


@pytest.mark.parametrize("formula", ["LiH", "TiH2", "CaH2"])
def test_a_known_phase_is_known_whatever_its_size(formula):
    found = novelty(strained(phase(formula), 0.2), formula)
    assert found.known
    assert found.distance < 0.02
    assert found.topological_distance < 0.02


def test_a_random_arrangement_is_new():
    cell = Crystal(4.3 * np.eye(3), np.random.default_rng(0).random((12, 3)), [12] * 4 + [1] * 8)
    found = novelty(cell, "MgH2")
    assert not found.known
    assert found.distance > 0.1
    assert found.topological_distance > 0.1


def test_a_composition_that_no_type_holds_is_new():
    found = novelty(
        Crystal(9.0 * np.eye(3), np.random.default_rng(0).random((18, 3)), [3] * 7 + [1] * 11), "Li7H11"
    )
    assert found.as_json() == {
        "nearest_type": None, "distance": None, "topological_distance": None, "known_type": False
    }  # fmt: skip


def test_topology_sees_what_moves_and_not_the_cell():
    rutile = phase("MgH2")
    doubled = Crystal(
        rutile.lattice_angstrom * [[2.0], [1.0], [1.0]],
        [*(rutile.fractional * [0.5, 1, 1]), *(rutile.fractional * [0.5, 1, 1] + [0.5, 0, 0])],
        [*rutile.numbers, *rutile.numbers],
    )
    assert topology_apart(rutile, strained(doubled, 0.3)) == pytest.approx(0, abs=1e-6)
    by = 0.05 * np.random.default_rng(1).uniform(-1, 1, size=rutile.fractional.shape)
    moved = Crystal(
        rutile.lattice_angstrom, rutile.fractional + by @ np.linalg.inv(rutile.lattice_angstrom), rutile.numbers
    )
    farthest = 2 * np.linalg.norm(by, axis=1).max() / np.cbrt(rutile.volume_angstrom3 / len(rutile))
    assert 0 < topology_apart(rutile, moved) <= farthest


def test_every_space_group_has_a_chance_and_common_ones_a_larger():
    weights = group_weights()
    assert len(weights) == 230
    assert min(weights) > 0
    assert weights[62 - 1] > 10 * weights[89 - 1]


# telling apart


def test_structures_are_told_apart_and_ranked():
    rutile, fluorite = phase("MgH2"), phase("TiH2")
    fluorite = Crystal(fluorite.lattice_angstrom, fluorite.fractional, np.where(fluorite.numbers == 22, 12, 1))
    tries = [
        ended(0, fluorite, -1.0),
        ended(1, rutile, -1.2),
        ended(2, strained(rutile, 0.01), -1.1, f"{OUT_OF_TIME} 9 steps"),
        ended(3, rutile, -9.0, "the cell collapsed"),
    ]
    first, second = told_apart(tries)
    assert first.found_by == ["random 1", "random 2"]
    assert second.found_by == ["random 0"]
    assert [one.best.number for one in told_apart(tries, most=1)] == [1]


def test_space_groups_are_told_within_their_tolerance():
    rutile = phase("MgH2")
    shaken = rutile.fractional + 0.004 * np.random.default_rng(0).standard_normal(rutile.fractional.shape)
    assert space_group(Crystal(rutile.lattice_angstrom, shaken, rutile.numbers)) == 136


# settings


def test_whole_atoms_are_asked_for():
    assert counts_within("Mg2H4", SMALL) == {"Mg": 1, "H": 2}
    with pytest.raises(InputError, match="whole"):
        counts_within("TiH1.5", SMALL)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"units": ()}, "units"),
        ({"units": (0,)}, "units"),
        ({"draws": 0}, "draws"),
        ({"tries": -1}, "negative"),
        ({"tries": 0}, "without tries"),
        ({"core_hours": 0.0}, "core hours"),
    ],
)
def test_settings_that_find_nothing_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        replace(SMALL, **change)


def test_large_cells_are_refused():
    with pytest.raises(InputError, match="at most 60"):
        search("Cu3Au", replace(SMALL, units=(20,)))


@pytest.mark.skipif(bool(find_spec("pyxtal")), reason="the extra search is installed")
def test_an_absent_package_ends_the_search_and_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"hstore\[search\]"):
        search("Cu3Au", SMALL)


# tries


def test_hydrogen_too_near_is_a_cause():
    crystal = Crystal(6.0 * np.eye(3), [[0, 0, 0], [0, 0, 0.2], [0.5, 0.5, 0.5]], [1, 1, 13])
    still = RelaxSettings(force_most_ev_per_angstrom=1e9, steps=1, rattle_angstrom=0.0, strain=0.0)
    found = do(Task(RANDOM, 0, "made", crystal, still), name=EMT, key="k", folder=None, weights=None, sha256=None)
    assert "as near as 1.20 A" in found.cause
    assert not found.usable


def test_a_record_survives_and_its_name_follows_what_decides_it(tmp_path):
    task = Task(RANDOM, 3, "made", phase("LiH"), QUICK)
    found = ended(3, phase("LiH"), -2.0)
    assert Try.from_json(json.loads(json.dumps(found.as_json()))).as_json() == found.as_json()
    assert task.name("a:1") != task.name("b:1")
    assert task.name("a:1") != replace(task, settings=TIGHT).name("a:1")
    draw = Draw({"Li": 1, "H": 1}, group_weights(), 4, (0, 0, 3))
    names = {replace(task, start=replace(draw, seed=seed)).name("a:1") for seed in ((0, 0, 3), (1, 0, 3))}
    assert len(names) == 2


# searches


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return search("Cu3Au", SMALL, folder=folder / "tries"), folder


@needs_pyxtal
def test_ordered_copper_gold_is_found_from_its_composition(found):
    result, _ = found
    lowest = result.structures[0]
    assert space_group(lowest.crystal) == 221
    assert novelty(lowest.crystal, "Cu3Au").known
    assert any(one.startswith("random") for one in lowest.found_by)
    energies = [one.energy_ev_per_atom for one in result.structures]
    assert energies == sorted(energies)


@needs_pyxtal
def test_the_report_has_energies_symmetry_and_files_with_both(found, tmp_path, monkeypatch):
    from pymatgen.core import Structure

    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    result, _ = found
    told = report(result, SMALL, home=load_settings(), folder=tmp_path)
    assert json.loads((tmp_path / "search.json").read_text(encoding="utf-8")) == json.loads(json.dumps(told))
    row = told["structures"][0]
    text = (tmp_path / row["cif"]).read_text(encoding="utf-8")
    assert float(re.search(r"_hstore_energy_ev_per_atom\s+(\S+)", text)[1]) == pytest.approx(
        row["energy_ev_per_atom"], abs=1e-6
    )
    assert re.search(r"_hstore_space_group_number\s+221", text)
    assert result.potential.key in text
    assert Structure.from_file(str(tmp_path / row["cif"])).composition.reduced_formula == "Cu3Au"
    assert told["known_phase"] is None
    lines = list(text_of(told))
    assert lines[0].startswith(result.formula)
    assert any("space group 221" in line for line in lines)


@needs_pyxtal
def test_a_second_run_reads_its_records(found, monkeypatch):
    result, folder = found
    before = {path: path.stat().st_mtime_ns for path in (folder / "tries").iterdir()}

    def refuse(*_, **__):
        raise AssertionError("done again")

    monkeypatch.setattr("hstore_workflows.physics.search.tries.do", refuse)
    again = search("Cu3Au", SMALL, folder=folder / "tries")
    assert [one.as_json() for one in again.tries] == [one.as_json() for one in result.tries]
    assert {path: path.stat().st_mtime_ns for path in (folder / "tries").iterdir()} == before


@needs_pyxtal
def test_limits_end_a_search_and_the_best_so_far_are_still_relaxed(found):
    result, folder = found
    first = next(one for one in result.tries if one.steps)
    limited = search("Cu3Au", replace(SMALL, optimizer_steps=first.steps), folder=folder / "tries")
    assert "optimizer steps" in limited.ended_early
    assert {one.kind for one in limited.tries} == {"random", "refined"}
    assert sum(one.kind == RANDOM for one in limited.tries) < SMALL.tries
    assert limited.structures


def test_known_types_begin_a_search():
    settings = replace(SMALL, tries=0, substitutions=3, basin_steps=0)
    result = search("CuAu", settings)
    assert [one.kind for one in result.tries[:3]] == ["substituted"] * 3
    assert "on" in result.tries[0].origin
    assert result.structures


@pytest.mark.long
@needs_pyxtal
def test_a_killed_search_goes_on_and_ends_with_the_same_result(found, tmp_path):
    straight, _ = found
    records = tmp_path / "tries"
    begun = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("small_search.py")), str(records)],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while len(list(records.glob("*.json"))) < 2 and begun.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    kept = {path: path.read_bytes() for path in records.glob("*.json")}
    assert 2 <= len(kept) < len(straight.tries)
    resumed = search("Cu3Au", SMALL, folder=records)
    assert all(path.read_bytes() == content for path, content in kept.items())  # none was done again
    assert [_timeless(one) for one in resumed.tries] == [_timeless(one) for one in straight.tries]
    assert [one.found_by for one in resumed.structures] == [one.found_by for one in straight.structures]


def _timeless(one):
    record = one.as_json()
    del record["seconds"]
    if record["relaxed"] is not None:
        del record["relaxed"]["seconds"]
    return record


@pytest.mark.long
@needs_pyxtal
def test_the_command_goes_through_formulas_and_tells_what_cannot_be_searched(settings, tmp_path):
    asked = ["physics", "search", "CuAu", "TiH1.5", "--units", "1", "--tries", "1", "--substitutions", "0"]
    asked += ["--best", "1", "--basin-steps", "0", "--potential", EMT, "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    gold, strange = json.loads(done.stdout)
    assert gold["tries"] == 2
    assert (tmp_path / "out" / "CuAu" / gold["structures"][0]["cif"]).is_file()
    assert strange["formula"] == "TiH1.5"
    assert "whole" in strange["cause"]


def test_the_command_says_what_units_are():
    done = CliRunner().invoke(main, ["physics", "search", "MgH2", "--units", "one"])
    assert done.exit_code == 2
    assert "such as 1,2,4" in done.output


@needs_pyxtal
def test_tries_done_by_a_batch_are_those_of_the_search(found, tmp_path):
    straight, _ = found
    asked = {"folder": str(tmp_path), "potential": EMT, "units": "1", "draws": 4}
    work = Work(function="hstore_workflows.physics.search.stage:random_try", arguments=asked)
    rows = pd.DataFrame({"formula": ["Cu3Au", "PtXe"], "try": [2, 0]})
    answered, rejected = work_rows(work, rows, 0, {})
    assert list(rejected["formula"]) == ["PtXe"]
    told = answered.iloc[0]
    one = next(one for one in straight.tries if one.label == "random 2")
    again = next((tmp_path / "Cu3Au" / "tries").iterdir())
    task = random_tasks({"Cu": 3, "Au": 1}, replace(SMALL, coarse=COARSE))[2]
    assert again.stem == task.name(straight.potential.key)
    assert (
        told["score"] == -told["energy_ev_per_atom"] == pytest.approx(-one.structure.energy_ev_per_atom, abs=0.01)
    )
    with pytest.raises(InputError, match="column try"):
        random_try({"formula": "Cu3Au"}, **asked)


@pytest.mark.long
@needs_pyxtal
def test_a_stage_of_a_funnel_searches_a_candidate(settings, tmp_path):
    asked = {"potential": EMT, "units": "1", "tries": 2, "substitutions": 0, "basin_steps": 0, "best": 1}
    work = partial(structure_search, folder=str(tmp_path), **asked)
    outcomes = [*run(work, [{"formula": "CuAu"}, {"formula": "PtXe"}], workers=1, limits=Limits(300.0))]
    told = outcomes[0].value
    assert told is not None, outcomes[0].cause
    assert "found no structure" in outcomes[1].cause
    kept = json.loads((tmp_path / "CuAu" / "search.json").read_text(encoding="utf-8"))
    assert told["score"] == -kept["structures"][0]["energy_above_other_phases_ev_per_atom"]
    assert told["energy_ev_per_atom"] == kept["structures"][0]["energy_ev_per_atom"]
    with pytest.raises(InputError, match="cannot be set so"):
        structure_search({"formula": "CuAu"}, attempts=3)


def test_causes_that_differ_by_numbers_are_one():
    crystal = phase("LiH")
    tries = [ended(n, crystal, -1.0, f"hydrogen left as H2 (H-H 0.9{n} A): no") for n in range(2)]
    tries += [ended(n, crystal, -1.0, f"Li and H came as near as 0.{n}5 A") for n in range(2)]
    found = Found("LiH", None, (), tuple(tries), "")
    assert found.failures == {"hydrogen left as H2": 2, "Li and H came as near as .. A": 2}


@needs_pyxtal
def test_failures_are_counted_by_cause_and_the_rest_goes_on(tmp_path):
    found = search("PtXe", replace(SMALL, tries=2, basin_steps=0), folder=tmp_path)  # EMT has no xenon
    assert found.failures == {"the potential failed": 2}
    assert not found.structures
    assert all(math.isfinite(one.seconds) for one in found.tries)
