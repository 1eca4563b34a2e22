"""Windows from a table, a fetched phase diagram and the store; kinds of energies are kept apart."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hstore.errors import InputError
from hstore.records import Family, Material, Provenance, Scope
from hstore.store import open_store
from hstore_workflows.cli import main
from hstore_workflows.physics.entries import entries_of_file, entries_of_store

TABLE = """formula,formation_energy_ev_per_atom,energy_kind
Li2S,-1.4667,PBE
P2S5,-0.2857,PBE
Li3PS4,-1.025,PBE
Li3P,-0.9,PBE
"""


@pytest.fixture
def table(tmp_path):
    (file := tmp_path / "phases.csv").write_text(TABLE)
    return file


def test_the_command_tells_windows_and_causes(table):
    told = CliRunner().invoke(
        main, ["physics", "window", "Li3PS4", "LiBr", "--ion", "Li", "--entries", str(table)]
    )
    assert told.exit_code == 0, told.output
    assert "Li3PS4: 1.88 V to 2.40 V against Li, on the hull (4 phases, PBE)" in told.output
    assert "LiBr: there are no phases" in told.output
    told = CliRunner().invoke(
        main, ["physics", "window", "Li3PS4", "--ion", "Li", "--entries", str(table), "--json"]
    )
    (row,) = json.loads(told.output)["rows"]
    assert row["oxidation_v"] == pytest.approx(2.4, abs=1e-3)
    assert row["steps"][0]["products"] == ["Li2S", "Li3P"]


def test_a_table_of_two_kinds_is_refused(table):
    table.write_text(TABLE + "LiP,-0.65,PBE with corrections\n")
    told = CliRunner().invoke(main, ["physics", "window", "Li3PS4", "--ion", "Li", "--entries", str(table)])
    assert told.exit_code == 1
    assert "no common scale" in told.output


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("formula,formation_energy_ev_per_atom\nLi2S,-1\n", "lacks energy_kind"),
        (TABLE + "LiP,much,PBE\n", "row 5"),
    ],
    ids=["kind", "number"],
)
def test_a_row_that_cannot_be_used_stops_all_for_the_hull_would_change(table, text, cause):
    table.write_text(text)
    with pytest.raises(InputError, match=cause):
        entries_of_file(table)


def test_a_fetched_phase_diagram_is_read(tmp_path):
    diagram = {
        "thermo_type": "GGA_GGA+U",
        "database_version": "2026.1",
        "phases": [{"material_id": "mp-1", "formula": "LiCl", "formation_energy_ev_per_atom": -2.0}],
    }
    (file := tmp_path / "diagram.json").write_text(json.dumps(diagram))
    (entry,) = entries_of_file(file)
    assert entry.energy_kind == "Materials Project, GGA_GGA+U, 2026.1"
    told = CliRunner().invoke(main, ["physics", "window", "LiCl", "--ion", "Li", "--entries", str(file), "--json"])
    assert json.loads(told.output)["rows"][0]["oxidation_v"] == pytest.approx(4.0)
    file.write_text("{}")
    with pytest.raises(InputError, match="no phase diagram"):
        entries_of_file(file)


def material(name, formula, energy, note):
    return Material(
        material_id=name,
        formula=formula,
        family=Family.ELECTROLYTE,
        descriptors={"formation_energy_ev_per_atom": energy},
        provenance=Provenance(source="Materials Project", note=note),
    )


def test_phases_of_the_store_are_those_of_the_system_and_of_one_scale(tmp_path):
    pooled, mixed = "energies of thermo type GGA_GGA+U", "energies of the summary document"
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.add_materials(
            [
                material("a", "LiCl", -2.0, pooled),
                material("b", "NaCl", -2.1, pooled),
                material("c", "Li", 0.0, pooled),
            ]
        )
        found = entries_of_store(store, {"Li", "Cl"}, scope=Scope())
        assert sorted(entry.identifier for entry in found) == ["a", "c"]
        assert {entry.energy_kind for entry in found} == {f"Materials Project, {pooled}"}
        store.add_materials([material("d", "LiCl", -2.2, mixed)])
        with pytest.raises(InputError, match="differs between chemical systems"):
            entries_of_store(store, {"Li", "Cl"}, scope=Scope())
