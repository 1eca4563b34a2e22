from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.records import Family, Material, Provenance
from hstore_workflows.sources import rules
from hstore_workflows.sources.enumeration import (
    cost_notes,
    enumerate_pool,
    hydrides,
    intermetallics,
    mobile_ion,
    pool_summary,
    safety_notes,
)
from hstore_workflows.sources.enumeration.candidate import formula_key
from hstore_workflows.sources.enumeration.electrolytes import (
    Substitution,
    load_frameworks,
    species_charges,
    substitute,
)
from hstore_workflows.sources.enumeration.hazards import load_costs, load_safety
from hstore_workflows.sources.enumeration.sorbents import descriptors
from hstore_workflows.sources.prototypes.decoration import HYDROGEN_DISTANCE_LEAST_ANGSTROM, Misfit, decorate
from hstore_workflows.sources.prototypes.hydride_types import load_prototypes
from hstore_workflows.sources.prototypes.radii import radius_sum

HYDRIDES = (Family.IONIC, Family.COMPLEX)


@pytest.fixture(scope="module")
def pool():
    return list(enumerate_pool())


@pytest.fixture(scope="module")
def structures(pool):
    from pymatgen.core import Structure

    return {m.material_id: (m, Structure.from_dict(m.structure)) for m in pool if m.structure}


def digest(materials):
    text = "\n".join(material.model_dump_json() for material in materials)
    return hashlib.sha256(text.encode()).hexdigest()


def find(pool, formula, family):
    key = formula_key(formula)
    return [m for m in pool if m.family is family and formula_key(m.formula) == key]


def test_the_pool_is_large_enough_in_every_family(pool):
    counts = Counter(material.family for material in pool)
    assert len(pool) >= 6000
    assert counts[Family.INTERSTITIAL] >= 3500
    assert counts[Family.IONIC] + counts[Family.COMPLEX] >= 600
    assert counts[Family.SORBENT] >= 100
    assert counts[Family.ELECTROLYTE] >= 1500
    assert min(counts[Family.IONIC], counts[Family.COMPLEX]) >= 100


def test_two_runs_give_the_same_bytes(pool):
    assert digest(enumerate_pool()) == digest(pool)


def test_the_seed_changes_only_drawn_high_entropy_alloys(pool):
    other = list(enumerate_pool([Family.INTERSTITIAL], seed=1))
    before = {m.material_id for m in pool if m.family is Family.INTERSTITIAL}
    changed = before ^ {m.material_id for m in other}
    assert changed
    assert {name.split(":")[1] for name in changed} == {"hea"}


def test_one_family_asked_alone_is_the_same_as_in_the_whole_pool(pool):
    alone = list(enumerate_pool([Family.ELECTROLYTE]))
    assert digest(alone) == digest(m for m in pool if m.family is Family.ELECTROLYTE)
    assert list(enumerate_pool([])) == []


def test_identifiers_are_unique_and_readable(pool):
    assert len({m.material_id for m in pool}) == len(pool)
    assert all(re.fullmatch(r"hstore:[a-z0-9_]+:\S+", m.material_id) for m in pool)
    assert "hstore:ab5:LaNi4.5Al0.5" in {m.material_id for m in pool}


def test_compositions_repeat_only_as_polymorphs_with_structures(pool):
    places: dict[tuple[Family, object], list[Material]] = {}
    for material in pool:
        if material.family is not Family.SORBENT:
            places.setdefault((material.family, formula_key(material.formula)), []).append(material)
    repeated = [group for group in places.values() if len(group) > 1]
    assert repeated
    for group in repeated:
        assert all(m.structure for m in group), [m.material_id for m in group]
        assert not any(m.known for m in group), [m.material_id for m in group]


def test_every_formula_is_read_and_interstitial_hosts_hold_no_hydrogen(pool):
    for material in pool:
        amounts = parse_amounts(material.formula)
        assert all(amount > 0 for amount in amounts.values())
        if material.family is Family.INTERSTITIAL:
            assert "H" not in amounts, material.material_id
        if material.family in HYDRIDES:
            assert amounts.get("H", 0) > 0, material.material_id


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("LaNi5", Family.INTERSTITIAL),
        ("TiFe", Family.INTERSTITIAL),
        ("ZrMn2", Family.INTERSTITIAL),
        ("Mg2Ni", Family.INTERSTITIAL),
        ("TiVZrNbHf", Family.INTERSTITIAL),
        ("MgH2", Family.IONIC),
        ("NaH", Family.IONIC),
        ("NaMgH3", Family.IONIC),
        ("NaAlH4", Family.COMPLEX),
        ("LiBH4", Family.COMPLEX),
        ("Mg2FeH6", Family.COMPLEX),
        ("Mg2NiH4", Family.COMPLEX),
        ("Ca(BH4)2", Family.COMPLEX),
        ("Li7La3Zr2O12", Family.ELECTROLYTE),
        ("Li10GeP2S12", Family.ELECTROLYTE),
        ("Li6PS5Cl", Family.ELECTROLYTE),
        ("Na3Zr2Si2PO12", Family.ELECTROLYTE),
    ],
)
def test_known_materials_are_there_once_and_marked(pool, formula, family):
    (material,) = find(pool, formula, family)
    assert material.known
    assert material.provenance.reference


def test_known_sorbents_are_there_by_name(pool):
    names = {m.material_id: m for m in pool if m.family is Family.SORBENT}
    assert all(m.known for m in names.values())
    mof5 = names["hstore:mof:MOF-5"]
    assert set(mof5.descriptors) == {
        "gsa_m2_g", "vsa_m2_cm3", "pore_volume_cm3_g", "density_g_cm3", "void_fraction",
    }  # fmt: skip
    assert 0.7 < mof5.descriptors["void_fraction"] < 0.9
    assert all(0 < m.descriptors.get("void_fraction", 0.5) < 1 for m in names.values())


def test_new_alloys_are_not_marked_known(pool):
    (material,) = find(pool, "LaNi4.25Al0.75", Family.INTERSTITIAL)
    assert not material.known
    assert material.provenance == Provenance(source="hstore enumeration", licence="CC-BY-4.0")


def test_every_curated_hydride_and_electrolyte_is_in_the_pool(pool):
    from hstore_data.curated import curated_table

    known = {(m.family, formula_key(m.formula)) for m in pool if m.known}
    for row in curated_table("hydrides").frame.to_dict("records"):
        family = Family(row["family"])
        formula = row["host_formula"] if family is Family.INTERSTITIAL else row["formula"]
        assert (family, formula_key(formula)) in known, formula
    for formula in curated_table("electrolytes").frame["formula"]:
        assert (Family.ELECTROLYTE, formula_key(formula)) in known, formula


def test_reasons_are_specific(pool):
    reasons = [m.reason for m in pool if not m.known]
    assert all(re.search(r"\d", reason) and len(reason) > 40 for reason in reasons)
    assert len(set(reasons)) > 0.9 * len(reasons)
    (laves,) = find(pool, "Zr0.8Ti0.2Mn2", Family.INTERSTITIAL) or [None]
    assert laves is not None
    assert "C14/C15 Laves: r_A/r_B 1.24 within 1.05-1.40" in laves.reason
    assert "Ti for 20 % of Zr in ZrMn2" in laves.reason


def test_summary_agrees_with_the_pool(pool):
    summary = pool_summary()
    assert summary["all"]["total"] == len(pool)
    assert summary["all"]["known"] == sum(m.known for m in pool)
    assert summary["complex"]["with_structure"] == sum(
        m.structure is not None for m in pool if m.family is Family.COMPLEX
    )
    assert sum(summary[family]["total"] for family in Family) == len(pool)


def test_structures_hold_the_composition_they_claim(structures):
    assert len(structures) >= 350
    for material, structure in structures.values():
        assert formula_key(structure.composition.formula.replace(" ", "")) == formula_key(material.formula)
        assert structure.volume / len(structure) > 3


def test_no_atoms_collide_in_any_structure(structures):
    for name, (_, structure) in structures.items():
        distances = structure.distance_matrix + 99 * np.eye(len(structure))
        hydrogen = np.array([site.specie.symbol == "H" for site in structure])
        assert distances[hydrogen][:, ~hydrogen].min() > 1.15, name
        metals = distances[~hydrogen][:, ~hydrogen]
        assert metals.size == 0 or metals.min() > 2.2, name


def test_hydrogen_of_different_anions_keeps_its_distance(structures):
    for name, (_, structure) in structures.items():
        near = min(
            (n.nn_distance for site in structure if site.specie.symbol == "H"
             for n in structure.get_neighbors(site, 2.0) if n.specie.symbol == "H"),
            default=2.0,
        )  # fmt: skip
        same_anion = any(f"[{anion}H" in structures[name][0].reason for anion in ("B", "Al", "Ga", "Be"))
        assert near >= (1.55 if same_anion else HYDROGEN_DISTANCE_LEAST_ANGSTROM), name


@pytest.mark.parametrize(
    ("formula", "family", "volume_a3"),
    [
        # measured cells: volume per formula unit; none of these compounds scales its own prototype
        ("KBH4", Family.COMPLEX, 76.1),
        ("BaLiH3", Family.IONIC, 65.1),
        ("NaMgH3", Family.IONIC, 56.9),
        ("SrH2", Family.IONIC, 45.3),
        ("YH3", Family.IONIC, 38.2),
        ("Ca2FeH6", Family.COMPLEX, 87.1),
        ("Ca2RuH6", Family.COMPLEX, 94.4),
        ("K2NaAlH6", Family.COMPLEX, 133.7),
        ("KAlH4", Family.COMPLEX, 94.9),
    ],
)
def test_cells_are_near_measured_ones(pool, structures, formula, family, volume_a3):
    (material,) = find(pool, formula, family)
    structure = structures[material.material_id][1]
    units = structure.composition.get_reduced_composition_and_factor()[1]
    assert structure.volume / units == pytest.approx(volume_a3, rel=0.15)


@pytest.mark.parametrize(
    ("slug", "elements", "charges", "bond", "measured"),
    [
        ("rutile", {"A": "Mg"}, {"A": 2}, 0.0, 30.8),
        ("naalh4", {"A": "Na", "M": "Al"}, {"A": 1}, 1.63, 71.0),
        ("k2ptcl6", {"A": "Mg", "M": "Fe"}, {"A": 2}, 1.56, 66.9),
        ("mg2nih4", {"A": "Mg", "M": "Ni"}, {"A": 2}, 1.55, 68.2),
    ],
)
def test_a_reference_compound_gets_its_own_cell_back(slug, elements, charges, bond, measured):
    made = decorate(load_prototypes()[slug], elements, charges, bond)
    units = made.structure().composition.get_reduced_composition_and_factor()[1]
    assert made.structure().volume / units == pytest.approx(measured, rel=0.02)


def test_radii_reproduce_the_reference_lattices_within_a_tenth():
    for prototype in load_prototypes().values():
        if prototype.in_pool:
            assert all(0.9 < factor < 1.12 for factor in prototype.calibration.values()), prototype.slug


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib, called by pymatgen
def test_prototypes_have_the_symmetry_and_bonds_of_their_type():
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    loaded = load_prototypes()
    made = decorate(loaded["naalh4"], {"A": "Na", "M": "Al"}, {"A": 1}, 1.63)
    structure = made.structure()
    assert SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_symbol() == "I4_1/a"
    aluminium = next(i for i, site in enumerate(structure) if site.specie.symbol == "Al")
    bonds = sorted(n.nn_distance for n in structure.get_neighbors(structure[aluminium], 2.2))
    assert bonds == pytest.approx([1.63] * 4)


def test_a_cation_that_would_rattle_is_refused():
    perovskite = load_prototypes()["perovskite"]
    assert decorate(perovskite, {"A": "Li", "B": "Ba"}, {"A": 1, "B": 2}) is Misfit.RATTLES


def test_a_missing_radius_is_refused_with_advice():
    with pytest.raises(InputError, match=r"no Shannon radius of Fe with charge \+7"):
        radius_sum("Fe", 7, 6)


@pytest.mark.parametrize(
    "anions", [hydrides.HEXAHYDRIDES_4, hydrides.TETRAHYDRIDES_4, hydrides.HEXAHYDRIDES_3[2:]]
)
def test_transition_metal_anions_obey_the_18_electron_rule(anions):
    assert {anion.electrons for anion in anions} == {18}


def oxidation_states():
    import warnings

    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {el.symbol: set(el.common_oxidation_states) | {*el.icsd_oxidation_states} for el in Element}


def test_every_hydride_with_a_structure_is_charge_neutral(structures):
    states = oxidation_states()
    centres = {"Fe": 2, "Ru": 2, "Os": 2, "Ni": 0, "Pd": 0, "Pt": 0, "Rh": 3, "Ir": 3, "Co": 3}
    for name, (material, _) in structures.items():
        amounts = parse_amounts(material.formula)
        hydrogen = amounts.pop("H")
        options = [
            {*states[element], centres.get(element, 99)} - {99}
            if material.family is Family.COMPLEX
            else states[element]
            for element in amounts
        ]
        balanced = any(
            sum(n * q for n, q in zip(amounts.values(), charges, strict=True)) == hydrogen
            for charges in itertools.product(*options)
        )
        assert balanced, name


def species_of(formula):
    found = re.findall(r"(\([A-Za-z0-9]+\)|[A-Z][a-z]?)(\d*\.?\d*)", formula)
    return [(species, float(amount) if amount else 1.0) for species, amount in found]


def test_every_enumerated_electrolyte_is_charge_neutral(pool):
    groups = {"(BH4)": {-1}, "(B12H12)": {-2}, "(CB11H12)": {-1}, "(B10H10)": {-2}, "(CB9H10)": {-1}, "(OH)": {-1}}
    states = oxidation_states() | groups
    checked = [m for m in pool if m.family is Family.ELECTROLYTE and "(doi:" in m.reason]
    assert len(checked) > 1500
    for material in checked:
        species = species_of(material.formula)
        balanced = any(
            abs(sum(n * q for (_, n), q in zip(species, charges, strict=True))) < 2e-3
            for charges in itertools.product(*(states[name] for name, _ in species))
        )
        assert balanced, material.formula


def test_assumed_charges_are_oxidation_states_the_elements_have():
    states = oxidation_states()
    assert all(charge in states[name] for name, charge in species_charges().items() if "(" not in name)


def test_parents_are_neutral_as_written():
    charges = species_charges()
    for framework in load_frameworks():
        assert sum(n * charges[name] for name, n in framework.base.items()) == pytest.approx(0, abs=1e-9)


def test_substitution_is_balanced_by_the_mobile_ion_or_refused():
    garnet = load_frameworks()[0]
    assert substitute(garnet, (Substitution("Zr", "Ta", 0.6),))["Li"] == pytest.approx(6.4)
    assert substitute(garnet, (Substitution("Li", "Al", 0.2),)) == {
        "Li": 6.4, "Al": 0.2, "La": 3.0, "Zr": 2.0, "O": 12.0,
    }  # fmt: skip
    assert substitute(garnet, (Substitution("Zr", "W", 1.5),)) is None


def test_mobile_ions_are_named(pool):
    ions = {mobile_ion(m) for m in pool if m.family is Family.ELECTROLYTE}
    assert {"Li+", "Na+", "F-", "O2-"} <= ions
    assert mobile_ion(find(pool, "Na3Zr2Si2PO12", Family.ELECTROLYTE)[0]) == "Na+"
    with pytest.raises(InputError, match="names no mobile ion"):
        mobile_ion(find(pool, "LaNi5", Family.INTERSTITIAL)[0])


def test_rules_give_textbook_numbers():
    assert rules.mean_radius({"La": 1}) / rules.mean_radius({"Ni": 5}) == pytest.approx(1.51, abs=0.01)
    assert rules.valence_electron_concentration({"La": 1, "Ni": 5}) == pytest.approx(53 / 6)
    assert rules.valence_electron_concentration({"Al": 1, "Ce": 1}) == 3
    assert rules.size_mismatch_pct({"Ti": 2}) == 0
    assert rules.mixing_enthalpy_kj_per_mol({"Ti": 1, "V": 1}) == pytest.approx(-2)
    assert rules.mixing_enthalpy_kj_per_mol({"Zr": 1, "Ni": 1}) == pytest.approx(-49)
    assert rules.tolerance_factor(1.44, 0.605, 1.40) == pytest.approx(1.0, abs=0.01)  # SrTiO3


def test_mixing_enthalpy_agrees_with_matminer():
    from matminer.utils.data import MixingEnthalpy
    from pymatgen.core import Element

    theirs = MixingEnthalpy(impute_nan=False)
    for pair in itertools.combinations(("Ti", "V", "Cr", "Nb", "Mo", "Zr"), 2):
        wanted = theirs.get_mixing_enthalpy(*(Element(e) for e in pair))
        assert rules.mixing_enthalpy_kj_per_mol(dict.fromkeys(pair, 1.0)) == pytest.approx(wanted)


def test_alloys_outside_their_window_are_refused():
    assert intermetallics.make_alloy(intermetallics.AB5, {"Ti": 1.0}, {"Ni": 5.0}) is None  # r_A/r_B 1.19
    assert intermetallics.make_alloy(intermetallics.AB2, {"La": 1.0}, {"Ni": 2.0}) is None  # r_A/r_B 1.51
    assert intermetallics.make_alloy(intermetallics.AB5, {"La": 1.0}, {"Ni": 5.0}) is not None


def test_unknown_pairs_and_elements_are_named():
    with pytest.raises(InputError, match="no mixing enthalpy is tabulated for Ti-He"):
        rules.mixing_enthalpy_kj_per_mol({"Ti": 1, "He": 1})
    with pytest.raises(InputError, match="no metallic or atomic radius"):
        rules.metallic_radius("Ne")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("BeH2", "beryllium"),
        ("UCo", "radioactive"),
        ("Zn(BH4)2", "B2H6"),
        ("LiNH2", "NH3"),
        ("Li6PS5Cl", "H2S"),
        ("TlBH4", "thallium"),
        ("ZrTe2", "tellurium"),
    ],
)
def test_hazards_are_named(formula, words):
    assert words in "; ".join(safety_notes(parse_amounts(formula)))


@pytest.mark.parametrize(
    "formula", ["LaNi5", "TiFe", "MgH2", "LiBH4", "NaBH4", "Na2B12H12", "Li7La3Zr2O12", "C8H4O5Zn"]
)
def test_ordinary_materials_carry_no_hazard_note(formula):
    assert safety_notes(parse_amounts(formula)) == []


def test_costs_are_classes_with_their_elements():
    assert cost_notes(parse_amounts("MgH2")) == []
    assert cost_notes(parse_amounts("LiPd")) == ["precious metal: Pd", "critical raw material: Li"]
    assert "heavy rare earth" in cost_notes({"Dy": 1.0, "Ni": 5.0})[0]


def test_every_note_has_a_source_and_real_elements():
    from hstore.elements import ATOMIC_MASS_G_PER_MOL

    for entry in (*load_safety(), *load_costs()):
        assert entry.source
        assert set(entry.elements) <= set(ATOMIC_MASS_G_PER_MOL)


def test_sorbent_descriptors_leave_out_what_is_missing():
    row = {"bet_area_m2_g": float("nan"), "pore_volume_cm3_g": 0.5, "density_g_cm3": float("nan")}
    assert descriptors(row) == {"pore_volume_cm3_g": 0.5}


def test_importing_loads_no_heavy_library():
    code = (
        "import sys, hstore_workflows.sources.enumeration;"
        "print([m for m in ('pymatgen', 'pandas', 'matminer', 'ase') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_prints_the_counts():
    from click.testing import CliRunner

    from hstore_workflows.sources.enumeration.__main__ import main

    result = CliRunner().invoke(main)
    assert result.exit_code == 0
    assert result.output.split()[:4] == ["family", "total", "known", "structure"]
