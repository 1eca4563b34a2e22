"""Phase diagrams built from entries: hull, decomposition, agreement with what the source says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.errors import FetchError, InputError
from hstore_workflows.cli import main
from hstore_workflows.sources.materials_project import MPAccess
from hstore_workflows.sources.mp_phase_diagram import fetch_phase_diagram, sub_systems
from hstore_workflows.sources.mp_transport import ClientPolicy
from hstore_workflows.sources.phase_diagram import Entry, build_phase_diagram
from tests.workflows.mp_server import KEY, VERSION, MPServer, thermo

QUICK = ClientPolicy(timeout_s=2.0, retries=0, backoff_s=0.01)
ELEMENTS = [thermo("mp-h", "H2", -3.4), thermo("mp-la", "La", -4.9), thermo("mp-ni", "Ni", -5.5)]
COMPOUNDS = [
    thermo("mp-lani5", "LaNi5", -5.6, correction=-0.3, energy_above_hull=0.0),
    thermo("mp-lah2", "LaH2", -4.6, energy_above_hull=0.0),
    thermo("mp-lani5h6", "LaNi5H6", -4.6, energy_above_hull=0.0),
    thermo("mp-nih", "NiH", -4.4, energy_above_hull=0.05),
]


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.setenv("HSTORE_MP_API_KEY", KEY)
    with MPServer([], ELEMENTS + COMPOUNDS) as running:
        yield running


def fetch(server, home, system="La-Ni-H", **options):
    return fetch_phase_diagram(system, MPAccess(KEY, home, endpoint=server.url, policy=QUICK), **options)


def entry(name, amounts, energy_ev_per_atom, **more):
    return Entry(name, amounts, energy_ev_per_atom * sum(amounts.values()), **more)


def binary(*compounds):
    return build_phase_diagram(
        [entry("a", {"Li": 1}, -1.0), entry("b", {"Mg": 2}, -2.0), *compounds], ["Li", "Mg"]
    )


def test_a_binary_hull_is_what_the_lever_rule_says():
    diagram = binary(entry("ab", {"Li": 1, "Mg": 1}, -1.9), entry("a3b", {"Li": 3, "Mg": 1}, -1.3))
    found = {phase.identifier: phase for phase in diagram.phases}
    assert found["ab"].formation_energy_ev_per_atom == pytest.approx(-0.4)
    assert found["ab"].stable
    assert found["ab"].decomposes_to == ()
    # at 3:1 the hull between Li and LiMg lies at half of -0.4
    assert found["a3b"].energy_above_hull_ev_per_atom == pytest.approx(-0.05 + 0.2)
    parts = {(p.formula, round(p.atom_fraction, 12)) for p in found["a3b"].decomposes_to}
    assert parts == {("Li", 0.5), ("LiMg", 0.5)}
    assert [phase.stable for phase in diagram.phases] == [True, True, True, False]


@settings(max_examples=25, deadline=None)
@given(
    energies=st.lists(st.floats(-3, 1), min_size=1, max_size=6),
    amounts=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=6, max_size=6),
)
def test_every_hull_obeys_its_definition(energies, amounts):
    compounds = [
        entry(f"c{k}", {"Li": float(n), "Mg": float(m)}, energy)
        for k, (energy, (n, m)) in enumerate(zip(energies, amounts, strict=False))
    ]
    diagram = binary(*compounds)
    formation = {phase.identifier: phase.formation_energy_ev_per_atom for phase in diagram.phases}
    for phase in diagram.phases:
        above = phase.energy_above_hull_ev_per_atom
        assert above >= 0
        if phase.decomposes_to:
            assert sum(p.atom_fraction for p in phase.decomposes_to) == pytest.approx(1)
            mixture = sum(p.atom_fraction * formation[p.identifier] for p in phase.decomposes_to)
            assert formation[phase.identifier] - mixture == pytest.approx(above, abs=1e-6)
        else:
            assert formation[phase.identifier] <= 1e-8 or phase.identifier in {"a", "b"}


def test_an_entry_that_is_not_listed_shapes_the_hull_all_the_same():
    diagram = binary(entry("ab", {"Li": 1, "Mg": 1}, -1.9), entry("ab", {"Li": 1, "Mg": 1}, -2.0, listed=False))
    (listed,) = [phase for phase in diagram.phases if phase.identifier == "ab"]
    assert listed.energy_above_hull_ev_per_atom == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("amounts", "energy", "message"),
    [
        ({}, 0.0, "known elements"),
        ({"Xx": 1}, 0.0, "Xx"),
        ({"Li": 0}, 0.0, "Li"),
        ({"Li": float("nan")}, 0.0, "Li"),
        ({"Li": float("inf")}, 0.0, "Li"),
        ({"Li": 1}, float("nan"), "finite"),
    ],
)
def test_entries_that_make_no_hull_are_refused(amounts, energy, message):
    with pytest.raises(InputError, match=message):
        Entry("x", amounts, energy)


def test_strange_elements_and_missing_references_are_refused():
    with pytest.raises(InputError, match="Na"):
        build_phase_diagram([entry("a", {"Na": 1}, 0.0)], ["Li"])
    with pytest.raises(InputError, match="no entry of pure Mg"):
        build_phase_diagram([entry("a", {"Li": 1}, 0.0)], ["Li", "Mg"])


def test_a_system_is_fetched_with_all_its_sub_systems(server, tmp_path):
    fetched = fetch(server, tmp_path)
    assert fetched.total == fetched.received == 7
    assert fetched.database_version == VERSION
    assert fetched.diagram.system == "H-La-Ni"
    (sent,) = server.searches
    assert sent["chemsys"].split(",") == ["H", "La", "Ni", "H-La", "H-Ni", "La-Ni", "H-La-Ni"]
    assert sent["thermo_types"] == "GGA_GGA+U"
    found = {phase.identifier: phase for phase in fetched.diagram.phases}
    assert found["mp-lani5"].formation_energy_ev_per_atom == pytest.approx(-5.6 + (4.9 + 5 * 5.5) / 6)
    assert found["mp-nih"].energy_above_hull_ev_per_atom == pytest.approx(0.05)
    assert found["mp-nih"].agrees
    assert fetched.diagram.disagreements == ()
    assert not list((tmp_path / "fetch").iterdir())


def test_a_hull_value_served_otherwise_is_reported(server, tmp_path):
    server.thermo = [*ELEMENTS, *COMPOUNDS[:3], thermo("mp-nih", "NiH", -4.4, energy_above_hull=0.2)]
    fetched = fetch(server, tmp_path)
    assert [phase.identifier for phase in fetched.diagram.disagreements] == ["mp-nih"]
    assert fetched.to_dict()["disagreements"] == ["mp-nih"]
    assert fetched.to_dict()["compared"] == 4


def test_a_document_without_entries_gives_its_energy(server, tmp_path):
    server.thermo = [doc | {"entries": None} for doc in ELEMENTS + COMPOUNDS]
    energies = {p.identifier: p.formation_energy_ev_per_atom for p in fetch(server, tmp_path).diagram.phases}
    server.thermo = ELEMENTS + COMPOUNDS
    for phase in fetch(server, tmp_path).diagram.phases:
        assert energies[phase.identifier] == pytest.approx(phase.formation_energy_ev_per_atom)


def test_adjustments_stand_in_for_a_missing_correction(server, tmp_path):
    changed = json.loads(json.dumps(COMPOUNDS[0]))
    held = changed["entries"]["GGA"]
    del held["correction"]
    held["energy_adjustments"] = [{"value": -0.1}, {"adj_per_atom": -0.05, "n_atoms": 4}]
    server.thermo = [*ELEMENTS, changed]
    found = {p.identifier: p for p in fetch(server, tmp_path).diagram.phases}
    assert found["mp-lani5"].formation_energy_ev_per_atom == pytest.approx(-5.6 + (4.9 + 5 * 5.5) / 6)


def test_several_calculations_of_one_material_make_one_row(server, tmp_path):
    both = json.loads(json.dumps(COMPOUNDS[0]))
    both["entries"]["GGA+U"] = both["entries"]["GGA"] | {"energy": both["entries"]["GGA"]["energy"] - 0.6}
    server.thermo = [*ELEMENTS, both]
    (row,) = [p for p in fetch(server, tmp_path).diagram.phases if p.identifier == "mp-lani5"]
    assert row.energy_above_hull_ev_per_atom == pytest.approx(0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"material_id": None},
        {"thermo_type": "R2SCAN"},
        {"entries": {"GGA": {"energy": 1.0}}},
        {"entries": {"GGA": {"composition": {"La": 1}, "energy": "low"}}},
        {"entries": {"GGA": {"composition": {"La": -1}, "energy": 1.0}}},
        {"entries": {"GGA": {"composition": {"La": 1}, "energy": 1.0, "energy_adjustments": [7]}}},
        {"entries": {}, "energy_per_atom": None},
        {"energy_above_hull": "0.1"},
    ],
)
def test_documents_that_cannot_be_used_are_rejected_and_the_rest_goes_on(server, tmp_path, change):
    server.thermo = [*ELEMENTS, *COMPOUNDS[:3], COMPOUNDS[3] | change]
    server.answer = _any_thermo_type(server)
    fetched = fetch(server, tmp_path)
    assert fetched.received == 7
    assert len(fetched.rejected) == 1
    assert fetched.rejected[0].cause
    assert len(fetched.diagram.phases) == 6


def _any_thermo_type(server):
    answer = server.answer
    return lambda path, query, headers: answer(
        path, {name: value for name, value in query.items() if name != "thermo_types"}, headers
    )


def test_a_missing_element_is_said_with_the_count(server, tmp_path):
    server.thermo = ELEMENTS[1:] + COMPOUNDS
    with pytest.raises(FetchError, match="6 thermo documents were received, but there is no entry of pure H"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("system", ["La-Xx", "", "*", "La-*", "H-Li-Be-B-C-N-O-F-Na-Mg"])
def test_systems_that_make_no_diagram_are_refused(server, tmp_path, system):
    with pytest.raises(InputError, match="phase diagram needs"):
        fetch(server, tmp_path, system)


def test_the_mixed_type_is_refused_with_the_reason(server, tmp_path):
    with pytest.raises(InputError, match="different hulls"):
        fetch(server, tmp_path, thermo_type="GGA_GGA+U_R2SCAN")


def test_nine_elements_have_511_sub_systems_that_are_asked_for_in_pieces(server, tmp_path):
    elements = ["H", "Li", "Be", "B", "C", "N", "O", "F", "Na"]
    assert len(sub_systems(elements)) == len(set(sub_systems(elements))) == 511
    server.thermo = [thermo(f"mp-{el}", el, -1.0) for el in elements]
    assert len(fetch(server, tmp_path, "-".join(elements)).diagram.phases) == 9
    assert len(server.searches) > 1
    asked = [system for query in server.searches for system in query["chemsys"].split(",")]
    assert sorted(asked) == sorted(sub_systems(elements))


def run(server, *arguments):
    return CliRunner().invoke(main, ["fetch", "mp", "--endpoint", server.url, *arguments])


def test_the_command_prints_a_table_and_writes_files(server, tmp_path):
    files = [tmp_path / "pd.json", tmp_path / "pd.html"]
    out = [word for path in files for word in ("--phase-diagram-out", str(path))]
    result = run(server, "--chemsys", "La-Ni-H", "--phase-diagram", *out)
    assert result.exit_code == 0, result.output
    for word in ("LaNi5H6", "stable", "0.500 H2", "7 of 7", "4 of 4 served hull values agree"):
        assert word in result.stdout
    written = json.loads(files[0].read_text())
    assert written["thermo_type"] == "GGA_GGA+U"
    assert len(written["phases"]) == 7
    assert files[1].stat().st_size > 3e6, "the plot brings its library with it"
    printed = run(server, "--chemsys", "La-Ni-H", "--phase-diagram", "--json")
    assert json.loads(printed.stdout) == written
    assert not (tmp_path / "hstore.sqlite").exists(), "nothing is stored"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--phase-diagram"], "one chemical system"),
        (["--phase-diagram", "--chemsys", "La-Ni,La-H"], "one chemical system"),
        (["--phase-diagram", "--chemsys", "La-Ni", "--limit", "3"], "leave out --limit"),
        (["--phase-diagram", "--chemsys", "La-Ni", "--phase-diagram-out", "x.png"], "x.png"),
    ],
)
def test_bad_usage_is_said_before_anything_is_asked(server, arguments, message):
    result = run(server, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert server.requests == []
