"""Structure types decorated with elements: known compounds, cells, rules, the grid and the command."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import InputError, UnknownNameError
from hstore.formula import canonical_formula, parse_amounts
from hstore.records import PUBLIC_SCOPE, Family
from hstore.settings import load_settings
from hstore.store import open_store
from hstore_workflows.cli import main
from hstore_workflows.sources.enumeration import enumerate_pool
from hstore_workflows.sources.enumeration.grids import GridSource
from hstore_workflows.sources.prototypes import aflow, metals
from hstore_workflows.sources.prototypes.hydride_types import load_prototypes
from hstore_workflows.sources.prototypes.ions import cation_charges
from hstore_workflows.sources.prototypes.made import Made
from hstore_workflows.sources.prototypes.source import PrototypeQuery, PrototypeSource, list_types

BINARY_REVIEW = "10.1021/acscombsci.7b00050"
COMPLEX_REVIEW = "10.2533/chimia.1998.613"
CUBIC = [
    # type, compound, formula units in the cubic cell, measured edge (angstrom), source
    ("metal-halite", "NiH", 4, 3.740, BINARY_REVIEW),
    ("metal-fluorite", "VH2", 4, 4.271, BINARY_REVIEW),
    ("metal-fluorite", "NbH2", 4, 4.563, BINARY_REVIEW),
    ("metal-fluorite", "ScH2", 4, 4.783, BINARY_REVIEW),
    ("metal-fluorite", "YH2", 4, 5.205, BINARY_REVIEW),
    ("metal-fluorite", "LaH2", 4, 5.667, BINARY_REVIEW),
    ("metal-fluorite", "CeH2", 4, 5.580, BINARY_REVIEW),
    ("metal-fluorite", "GdH2", 4, 5.303, BINARY_REVIEW),
    ("metal-fluorite", "ErH2", 4, 5.123, BINARY_REVIEW),
    ("perovskite", "RbCaH3", 1, 4.547, COMPLEX_REVIEW),
    ("perovskite", "CsCaH3", 1, 4.609, COMPLEX_REVIEW),
    ("perovskite", "BaLiH3", 1, 4.024, COMPLEX_REVIEW),
    ("k2ptcl6", "Mg2RuH6", 4, 6.651, COMPLEX_REVIEW),
    ("k2ptcl6", "Mg2OsH6", 4, 6.683, COMPLEX_REVIEW),
    ("k2ptcl6", "Ca2FeH6", 4, 7.036, COMPLEX_REVIEW),
    ("k2ptcl6", "Ca2RuH6", 4, 7.226, COMPLEX_REVIEW),
    ("k2ptcl6", "Sr2RuH6", 4, 7.600, COMPLEX_REVIEW),
    ("k2ptcl6", "K2PtH6", 4, 8.141, COMPLEX_REVIEW),
    ("k2ptcl6", "Cs2PtH6", 4, 8.998, COMPLEX_REVIEW),
    ("k2ptcl6", "Na2PtH6", 4, 7.342, COMPLEX_REVIEW),
    ("nabh4", "KBH4", 4, 6.727, "10.1063/1.1740085"),
    ("nabh4", "RbBH4", 4, 7.029, "10.1063/1.1740085"),
    ("nabh4", "CsBH4", 4, 7.419, "10.1063/1.1740085"),
]
TOO_SMALL = [("halite", "NaH", 4, 4.880), ("halite", "KH", 4, 5.704), ("halite", "CsH", 4, 6.376)]
"""Rock-salt hydrides of the heavier alkali metals: the radius of H- is that of the other hydrides."""


@pytest.fixture(scope="module")
def hydrides():
    source = PrototypeSource(PrototypeQuery())
    return source, {(slug(m), m.composition): m for m in source}


def slug(material):
    return material.material_id.split(":")[1]


def find(materials, kind, formula):
    return materials.get((kind, canonical_formula(parse_amounts(formula))))


def edge(material, formula, units):
    crystal = Crystal.from_dict(material.structure)
    per_unit = crystal.volume_angstrom3 * sum(parse_amounts(formula).values()) / len(crystal)
    return (units * per_unit) ** (1 / 3)


def test_the_hydride_types_give_thousands_of_materials_and_count_what_they_rule_out(hydrides):
    source, materials = hydrides
    assert len(materials) > 3000
    assert len({m.material_id for m in materials.values()}) == len(materials)
    assert source.tried >= len(materials) + sum(source.ruled_out.values())
    assert len(source.ruled_out) >= 5
    families = Counter(m.family for m in materials.values())
    assert min(families[f] for f in (Family.INTERSTITIAL, Family.IONIC, Family.COMPLEX)) > 100
    assert Family.ELECTROLYTE not in families


def test_known_compounds_are_recovered_and_marked(hydrides):
    _, materials = hydrides
    examples = [(p.slug, formula) for p in load_prototypes().values() for formula in p.examples]
    found = [find(materials, *example) for example in examples]
    missing = [e for e, m in zip(examples, found, strict=True) if m is None]
    assert missing == [("hoh3", "LuH3"), ("thh2", "ThH2")]  # Lu just too small; no radioactive elements
    assert all(material.known for material in found if material)
    assert sum(m.known for m in materials.values()) == len(found) - 2


def test_the_known_structures_of_the_shipped_pool_are_recovered(hydrides):
    _, materials = hydrides
    pool = [m for m in enumerate_pool([Family.IONIC, Family.COMPLEX]) if m.structure and m.known]
    assert len(pool) >= 75
    assert [m.formula for m in pool if (slug(m), m.composition) not in materials] == ["LuH3"]


@pytest.mark.parametrize(("kind", "formula", "units", "measured", "doi"), CUBIC, ids=[row[1] for row in CUBIC])
def test_cells_are_within_five_percent_of_measured_ones(hydrides, kind, formula, units, measured, doi):
    assert doi.startswith("10.")
    assert edge(find(hydrides[1], kind, formula), formula, units) == pytest.approx(measured, rel=0.05)


def test_cells_are_within_two_and_a_half_percent_on_average(hydrides):
    rows = [row[:4] for row in CUBIC] + TOO_SMALL
    errors = [abs(edge(find(hydrides[1], kind, f), f, n) / measured - 1) for kind, f, n, measured in rows]
    assert np.mean(errors) < 0.025
    assert max(errors) < 0.08


def test_every_structure_holds_its_composition_and_no_atoms_collide(hydrides):
    for material in islice(hydrides[1].values(), 0, None, 23):
        crystal = Crystal.from_dict(material.structure)
        assert canonical_formula(crystal.amounts) == material.composition
        distances = crystal.to_pymatgen().distance_matrix + 99 * np.eye(len(crystal))
        hydrogen = crystal.numbers == 1
        assert distances[hydrogen][:, ~hydrogen].min() > 0.9, material.material_id
        metals_only = distances[~hydrogen][:, ~hydrogen]
        assert metals_only.min(initial=99) > 1.9, material.material_id
        if material.family is not Family.COMPLEX:
            assert distances[hydrogen][:, hydrogen].min() >= 1.999, material.material_id


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib, called by pymatgen
@pytest.mark.parametrize(
    ("kind", "elements", "symbol"),
    [
        ("rutile", "Mg", "P4_2/mnm"),
        ("k2ptcl6", "Mg,Fe", "Fm-3m"),
        ("laves-c15", "Zr,V", "I4_1/a"),
        ("tifeh2", "Ti,Fe", "Cmmm"),
        ("zrnih3", "Zr,Ni", "Cmcm"),
        ("cacu5", "La,Ni", "P-6m2"),
        ("beh2", "Be", "Ibam"),
        ("mg2coh5", "Mg,Co", "P4/nmm"),
        ("linh2", "Li,N", "I-4"),
    ],
)
def test_decoration_keeps_the_symmetry_of_the_type(kind, elements, symbol):
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    (material,) = PrototypeSource(PrototypeQuery(types=(kind,), elements=tuple(elements.split(","))))
    structure = Crystal.from_dict(material.structure).to_pymatgen()
    assert SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_symbol() == symbol


def test_salts_are_neutral_and_their_cations_electropositive():
    query = PrototypeQuery(types=("perovskite", "rutile", "B1"), elements=("Na", "Mg", "Ca", "Fe", "Y"))
    for material in PrototypeSource(query):
        if material.family is Family.IONIC:
            amounts = parse_amounts(material.formula)
            charges = cation_charges("H")
            assert "Fe" not in amounts
            assert sum(n * charges[el][0] for el, n in amounts.items() if el != "H") == amounts["H"]


def test_elements_families_and_limits_are_kept():
    query = PrototypeQuery(elements=("Mg", "Na", "Al", "B", "Fe"), exclude_elements=("Ti",))
    for material in PrototypeSource(query):
        assert set(parse_amounts(material.formula)) <= {"Mg", "Na", "Al", "B", "Fe", "H"}
    assert len(list(PrototypeSource(PrototypeQuery(limit=7)))) == 7
    only = PrototypeSource(PrototypeQuery(family=Family.COMPLEX, exclude_elements=("Al", "B"), limit=50))
    assert all(m.family is Family.COMPLEX and not {"Al", "B"} & set(parse_amounts(m.formula)) for m in only)


def test_two_runs_give_the_same_bytes():
    query = PrototypeQuery(types=("k2ptcl6", "C15"), elements=("Mg", "Ca", "Fe", "Zr", "V", "Ti"))
    first, second = (["".join(m.model_dump_json() for m in PrototypeSource(query))] for _ in range(2))
    assert first == second
    assert len(first[0]) > 1000


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"types": ("rutil",)}, UnknownNameError, "did you mean 'rutile'"),
        ({"elements": ("Xx",)}, InputError, "unknown element 'Xx'"),
        ({"elements": ("Mg",), "exclude_elements": ("Mg",)}, InputError, "in both"),
        ({"family": Family.SORBENT}, InputError, "no sorbent"),
        ({"limit": 0}, InputError, "at least 1"),
    ],
)
def test_queries_that_make_no_sense_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        PrototypeQuery(**given)


def test_damaged_entries_of_the_aflow_file_are_left_out():
    entries = aflow.load_entries()
    assert len(entries) >= 280
    good = [entry for entry in entries.values() if aflow.usable(entry)]
    assert len(good) >= 200
    compounds = {entry.compound for entry in good}
    assert {"CaCu5", "ClCs", "Cu2Mg", "MgZn2"} <= compounds
    assert not {"MgNi2", "Mg2Ni", "NiTi"} & compounds  # atoms overlap there, in the file


@pytest.mark.parametrize(
    ("alias", "elements", "measured_per_atom"),
    [
        # measured volume per atom, cubic angstrom: a 7.44; 5.017, 3.987; 2.976; 4.827, 7.915 angstrom
        ("C15", {"Zr", "V"}, 7.44**3 / 24),
        ("D2_d", {"La", "Ni"}, 86.9 / 6),
        ("B11", {"Ti", "Cu"}, 3.107**2 * 5.919 / 4),
        ("C14", {"Ti", "Mn"}, 4.827**2 * 7.915 * 0.866 / 12),
    ],
)
def test_known_hosts_come_out_of_the_aflow_types(alias, elements, measured_per_atom):
    query = PrototypeQuery(types=(alias,), elements=tuple(sorted(elements)), family=Family.INTERSTITIAL)
    (material,) = PrototypeSource(query)  # the other way round the sizes do not fit
    assert set(parse_amounts(material.formula)) == elements
    crystal = Crystal.from_dict(material.structure)
    assert crystal.volume_angstrom3 / len(crystal) == pytest.approx(measured_per_atom, rel=0.17)
    assert material.provenance.reference == "10.1016/j.commatsci.2017.01.017"


def test_sites_that_symmetry_makes_one_are_decorated_once():
    caesium_chloride = next(e for e in aflow.load_entries().values() if e.compound == "ClCs")
    host = aflow.host_type(caesium_chloride)
    assert host.twins == {("A", "B"), ("B", "A")}
    assert len(aflow.salt_types(caesium_chloride)) == 1
    made = [m for m in metals.hosts(host, {"Ti", "Fe"}.__contains__) if isinstance(m, Made)]
    assert [m.elements for m in made] == [{"A": "Ti", "B": "Fe"}]
    laves = aflow.host_type(next(e for e in aflow.load_entries().values() if e.compound == "Cu2Mg"))
    assert not laves.twins


def test_electrolytes_are_made_on_demand_with_a_mobile_ion():
    query = PrototypeQuery(
        types=("B1", "perovskite"), elements=("Li", "Na", "Cl", "O", "Ti"), family=Family.ELECTROLYTE
    )
    found = list(PrototypeSource(query))
    assert {"LiCl", "NaCl"} <= {m.formula for m in found}
    assert all({"Li", "Na"} & set(parse_amounts(m.formula)) for m in found)
    rock_salt = next(m for m in found if m.formula == "NaCl")
    assert edge(rock_salt, "NaCl", 4) == pytest.approx(5.640, rel=0.03)


def test_every_type_names_its_source():
    lines = list_types()
    assert len(lines) >= 230
    assert all(line.source for line in lines)
    assert len({line.name for line in lines}) == len(lines)


def test_radii_reproduce_the_reference_cells_of_the_further_types():
    for prototype in load_prototypes().values():
        if not prototype.in_pool:
            assert all(0.9 < factor < 1.15 for factor in prototype.calibration.values()), prototype.slug


def test_metallic_types_obey_the_hydrogen_rules_in_their_own_compound():
    for prototype in load_prototypes().values():
        if prototype.alloy_class:
            assert prototype.frame.hydrogen.shortest(1.0, 0.0) > 2.0, prototype.slug
            elements = prototype.reference or {"A": "Zr", "B": "Pd" if "a2b" in prototype.slug else "V"}
            assert metals._volume(prototype, elements) > 0


@pytest.mark.parametrize(
    ("grid", "formula"),
    [("ab5", "LaNi4.5Al0.5"), ("ab2", "TiMnCr"), ("bcc", "V0.4Ti0.3Cr0.3")],
)
def test_grids_hold_their_best_known_alloys_and_keep_to_their_limits(grid, formula):
    elements = tuple(parse_amounts(formula))
    found = {m.composition: m for m in GridSource(grid, step=0.1, elements=elements)}
    assert canonical_formula(parse_amounts(formula)) in found
    assert all(set(parse_amounts(m.formula)) <= set(elements) for m in found.values())
    assert all(m.family is Family.INTERSTITIAL and m.structure is None for m in found.values())


def test_a_grid_knows_reported_hosts_and_substitution_limits():
    found = {m.composition: m for m in GridSource("ab5", step=0.1, elements=("La", "Ni", "Al"))}
    assert found[canonical_formula({"La": 1, "Ni": 5})].known
    shares = [parse_amounts(m.formula).get("Al", 0) / 5 for m in found.values()]
    assert max(shares) == pytest.approx(0.2)


def test_a_grid_streams_without_growing():
    import tracemalloc

    source = iter(GridSource("ab5", step=0.1, most=3))
    list(islice(source, 200))
    tracemalloc.start()
    for _ in islice(source, 3000):
        pass
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 500_000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"step": 0.3}, "divide 1"),
        ({"step": 0.001}, "divide 1"),
        ({"most": 9}, "1 to 4"),
        ({"grid": "ab7"}, "ab5"),
    ],
)
def test_grids_that_make_no_sense_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        GridSource(**{"grid": "ab5", **given})


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    return lambda *words: CliRunner().invoke(main, ["fetch", "prototypes", *words])


def test_the_command_stores_and_counts(run):
    result = run("--types", "rutile,k2ptcl6", "--elements", "Mg,Ca,Sr,Fe,Ru", "--json")
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout.splitlines()[-1])
    assert counts["total"] == counts["received"] == counts["stored"] + counts["merged"]
    assert counts["rejected"] == 0
    assert sum(counts["ruled_out"].values()) > 0
    with open_store(load_settings().store_url) as store:
        assert store.material("prototype:k2ptcl6:Mg2FeH6", scope=PUBLIC_SCOPE).known
    again = json.loads(
        run("--types", "rutile,k2ptcl6", "--elements", "Mg,Ca,Sr,Fe,Ru", "--json").stdout.splitlines()[-1]
    )
    assert again["received"] == counts["received"]


def test_the_command_makes_grids(run):
    result = run("--grid", "bcc", "--step", "0.25", "--elements", "Ti,V,Cr", "--json")
    assert json.loads(result.stdout.splitlines()[-1])["stored"] >= 3


def test_the_command_lists_types(run):
    result = run("--list")
    assert "Mg2FeH6" in result.output
    assert "C15" in result.output
    listed = json.loads(run("--list", "--json").output)
    assert {"name", "title", "kind", "examples", "source"} == set(listed[0])


@pytest.mark.parametrize(
    "words",
    [("--types", "nothing"), ("--grid", "ab5", "--family", "ionic"), ("--grid", "ab9"), ("--elements", "Q")],
)
def test_bad_usage_ends_with_two(run, words):
    result = run(*words)
    assert result.exit_code == 2
    assert "rror" in result.output
