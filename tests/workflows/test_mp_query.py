"""What can be asked of the Materials Project: criteria, family presets, refusals; the family of a record."""

from __future__ import annotations

import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.records import Family
from hstore_workflows.sources.materials_project import MPAccess, fetch_materials
from hstore_workflows.sources.mp_query import MPQuery
from hstore_workflows.sources.mp_records import family_of
from tests.workflows.mp_server import FORMULAS, KEY, MPServer, many

CONDUCTORS = ["Na3PS4", "MgSc2Se4", "LiAl", "LiBH4", "Li2B12H12", "LiTiH3", "LiOH"]


@pytest.fixture(scope="module")
def server():
    with MPServer(many(42, FORMULAS + CONDUCTORS)) as running:
        yield running


def fetch(server, home, **query):
    server.requests.clear()
    fetched = fetch_materials(MPQuery(**query), MPAccess(KEY, home, endpoint=server.url))
    materials = list(fetched.items())
    fetched.forget()
    return materials


def test_criteria_reach_the_server_and_fields_are_named(server, tmp_path):
    materials = fetch(
        server, tmp_path, chemical_systems=("La-Ni-H",), energy_above_hull_max=0.02, family="hydride"
    )
    assert {m.formula for m in materials} == {"LaNi5H6"}
    assert max(m.descriptors["energy_above_hull_ev_per_atom"] for m in materials) <= 0.02
    sent = server.searches[0]
    assert sent["chemsys"] == "La-Ni-H"
    assert sent["exclude_elements"] == "C,O"
    assert "_all_fields" not in sent
    assert set(sent["_fields"].split(",")) >= {"material_id", "structure", "deprecated"}


@pytest.mark.parametrize(
    ("family", "formulas", "families"),
    [
        ("hydride", {"LaNi5H6", "MgH2", "NaAlH4", "LiBH4", "Li2B12H12", "LiTiH3"}, None),
        ("hydride_electrolyte", {"LiBH4", "Li2B12H12"}, {Family.ELECTROLYTE}),
        ("alloy_host", {"LaNi5", "TiFe", "LiAl"}, {Family.INTERSTITIAL}),
        ("electrolyte", {"Li3PS4", "LiAl"}, {Family.ELECTROLYTE, Family.INTERSTITIAL}),
        ("li_conductor", {"Li3PS4", "LiAl"}, {Family.ELECTROLYTE, Family.INTERSTITIAL}),
        ("na_conductor", {"Na3PS4"}, {Family.ELECTROLYTE}),
        ("mg_conductor", {"MgSc2Se4"}, {Family.ELECTROLYTE}),
    ],
)
def test_family_presets(server, tmp_path, family, formulas, families):
    materials = fetch(server, tmp_path, family=family)
    assert {m.formula for m in materials} == formulas
    assert families is None or {m.family for m in materials} == families


def test_an_electrolyte_preset_keeps_the_ion_that_is_named(server, tmp_path):
    assert {m.formula for m in fetch(server, tmp_path, family="electrolyte", elements=("Na",))} == {"Na3PS4"}
    assert {m.formula for m in fetch(server, tmp_path, family="hydride_electrolyte", elements=("Na",))} == {
        "NaAlH4"
    }
    held = fetch(server, tmp_path, family="hydride_electrolyte", elements=("Ti",))
    assert {m.formula for m in held} == {"LiTiH3"}, "what is asked for by name is not excluded"


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("LaNi5H6", Family.INTERSTITIAL), ("TiFeH2", Family.INTERSTITIAL), ("PdH", Family.INTERSTITIAL),
        ("LaNi4AlH6", Family.INTERSTITIAL), ("TiH2", Family.INTERSTITIAL), ("ZrV2", Family.INTERSTITIAL),
        ("MgH2", Family.IONIC), ("CaH2", Family.IONIC), ("KMgH3", Family.IONIC),
        ("NaAlH4", Family.COMPLEX), ("LiBH4", Family.COMPLEX), ("LiNH2", Family.COMPLEX),
        ("Y(BH4)3", Family.COMPLEX), ("Mg2FeH6", Family.COMPLEX), ("Mg2NiH4", Family.COMPLEX),
        ("Li4B3H12Cl", Family.COMPLEX),
        ("Li3PS4", Family.ELECTROLYTE), ("LiOH", Family.ELECTROLYTE), ("Li7La3Zr2O12", Family.ELECTROLYTE),
    ],
)  # fmt: skip
def test_families_of_well_known_materials(formula, family):
    assert family_of(parse_amounts(formula)) is family


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "whole database"),
        ({"energy_above_hull_max": 0.1}, "whole database"),
        ({"thermo_type": "R2SCAN", "fields": ("band_gap",), "limit": 5}, "whole database"),
        ({"elements": ("Xx",)}, "'Xx' is not an element"),
        ({"chemical_systems": ("La-",)}, "'' is not an element"),
        ({"elements": ("La", "O"), "exclude_elements": ("O",)}, "O is asked for and excluded"),
        ({"chemical_systems": ("La-Ni-H",), "family": "alloy_host"}, "H is asked for and excluded"),
        ({"elements": ("La",), "energy_above_hull_max": float("nan")}, "finite"),
        ({"elements": ("La",), "energy_above_hull_max": -0.1}, "at least 0"),
        ({"elements": ("La",), "limit": 0}, "at least 1"),
        ({"elements": ("La",), "family": "hydrides"}, "did you mean 'hydride'"),
        ({"elements": ("La",), "thermo_type": "GGA"}, "unknown thermo type"),
        ({"ids": ("mp-1", "mp-2,mp-3")}, "no comma"),
        ({"ids": ("",)}, "identifier"),
        ({"ids": ("mp-1\n",)}, "identifier"),
    ],
)
def test_queries_that_cannot_be_meant_are_refused(query, message):
    with pytest.raises(InputError, match=message):
        MPQuery(**query)


def test_a_limit_of_zero_above_the_hull_is_a_limit():
    exact = MPQuery(elements=("La",), energy_above_hull_max=0.0)
    assert exact.criteria()["energy_above_hull"] == (0.0, 0.0)
    assert exact.text() != MPQuery(elements=("La",)).text()


def test_equal_queries_have_equal_texts():
    assert MPQuery(elements=("La", "Ni")).text() == MPQuery(elements=("La", "Ni"), ids=()).text()
    assert MPQuery(elements=("La", "Ni")).text() != MPQuery(elements=("La",), exclude_elements=("Ni",)).text()
