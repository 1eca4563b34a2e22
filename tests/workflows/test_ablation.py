"""Comparisons of descriptors: shipped questions on few rows, and a table of one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import UnknownNameError
from hstore_models import ablation
from hstore_models.learners import Learner
from hstore_workflows.ablation.comparison import own_question
from hstore_workflows.ablation.questions import QUESTIONS, question, system_of
from hstore_workflows.cli import main

FEW_TREES = (
    Learner("extra_trees", {"n_estimators": 40, "min_samples_leaf": 2}),
    Learner("boosting", {"max_iter": 50}),
)
ELEMENTS = ("Mg", "Al", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Zr")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rock salts of twelve metals, four sizes each, whose target is their density; two rows are useless."""
    from pymatgen.core import Lattice, Structure

    folder = tmp_path_factory.mktemp("salts")
    metal = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    places = np.concatenate([metal, metal + 0.5])
    lines = ["formula,structure,density"]
    for symbol in ELEMENTS:
        for edge in (4.0, 4.4, 4.8, 5.2):
            structure = Structure(Lattice.cubic(edge), [symbol] * 4 + ["H"] * 4, places)
            crystal = Crystal.from_pymatgen(structure)
            name = f"{symbol}-{edge}.cif"
            structure.to(filename=str(folder / name))
            density = 1.66054 * crystal.mass_g_per_mol / crystal.volume_angstrom3
            lines.append(f"{symbol}H,{name},{density:.5f}")
    lines += ["TiH,Ti-4.0.cif,much", "FeH,absent.cif,4.0"]
    path = folder / "salts.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of the test's own; learners of few trees, which tell a descriptor that says all."""
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(ablation, "LEARNERS", FEW_TREES)


@pytest.mark.long
def test_density_helps_to_predict_density_where_composition_cannot(table):
    arguments = ["explain", "ablation", "--in", str(table), "--target", "density", "--add", "density,symmetry"]
    result = CliRunner().invoke(main, [*arguments, "--workers", "1", "--json"])
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)
    assert (told["rows"], told["groups"]) == (48, 12)
    verdicts = {tuple(v["blocks"]): v["verdict"] for v in told["variants"]}
    assert verdicts["magpie",] == "base"
    assert verdicts["magpie", "density"] == "better"
    assert verdicts["magpie", "symmetry"] != "better"
    assert any("no number in density" in doubt for doubt in told["doubts"])
    assert any("absent.cif" in doubt for doubt in told["doubts"])


def test_the_words_are_a_table_of_the_same_verdicts(table):
    asked = ["--target", "density", "--base", "symmetry", "--add", "density", "--workers", "1"]
    result = CliRunner().invoke(main, ["explain", "ablation", "--in", str(table), *asked])
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("| symmetry + density |")]
    assert "better" in row


def test_a_question_that_makes_no_sense_is_told(table):
    result = CliRunner().invoke(main, ["explain", "ablation", "--in", str(table)])
    assert result.exit_code == 2
    result = CliRunner().invoke(main, ["explain", "ablation", "--in", str(table), "--target", "mass"])
    assert result.exit_code == 2
    assert "no column 'mass'" in result.output
    with pytest.raises(UnknownNameError, match="mof-uptake"):
        question("mof-uptak")
    with pytest.raises(UnknownNameError):
        own_question(table, target="density", group="", base=["magpie"], added=["densty"])


def test_shipped_questions_have_rows_of_whole_chemical_systems(settings):
    for name in ("hydride-enthalpy", "computed-enthalpy"):
        asked = QUESTIONS[name]
        rows = asked.rows(settings, 40)
        assert len(rows.crystals) == len(rows.values) == len(rows.groups) == 40
        assert np.isfinite(rows.values).all()
        for crystal, group in zip(rows.crystals, rows.groups, strict=True):
            assert system_of(crystal.formula) == group
        assert set(asked.base) <= {*asked.described, *rows.blocks}
