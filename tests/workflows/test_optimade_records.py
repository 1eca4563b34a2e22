"""What an OPTIMADE answer is turned into: records, rejections, queries; and agreement with the library."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.crystal import Crystal
from hstore.errors import FetchError, InputError, UnknownNameError
from hstore.records import Material
from hstore_workflows.sources.intake import Rejected
from hstore_workflows.sources.optimade.documents import EntryReader
from hstore_workflows.sources.optimade.energies import energies
from hstore_workflows.sources.optimade.fetch import settle
from hstore_workflows.sources.optimade.page import About, Page
from hstore_workflows.sources.optimade.providers import known, resolve_providers, trusted
from hstore_workflows.sources.optimade.query import OptimadeQuery
from hstore_workflows.sources.optimade.structures import crystal_of
from tests.workflows.optimade_server import OptimadeServer, entry, fetch, fetch_one, reference_server


@pytest.fixture
def home(tmp_path):
    return tmp_path


# entries that cannot be used


def spoiled(**attributes):
    made = entry(1)
    made["attributes"] |= attributes
    return made


NAN = float("nan")
X_SPECIES = [{"name": "Mg", "chemical_symbols": ["X"], "concentration": [1.0]}]
MIXED = [
    {"name": "Mg", "chemical_symbols": ["Mg", "Ca"], "concentration": [0.5, 0.5]},
    {"name": "H", "chemical_symbols": ["H"], "concentration": [1.0]},
]
VACANT = [
    {"name": "Mg", "chemical_symbols": ["Mg"], "concentration": [1.0]},
    {"name": "H", "chemical_symbols": ["H", "vacancy"], "concentration": [0.9, 0.1]},
]
METHYL = [
    *VACANT[:1],
    {"name": "H", "chemical_symbols": ["H"], "concentration": [1.0], "attached": ["H"], "nattached": [3]},
]
UNEVEN = [*VACANT[:1], {"name": "H", "chemical_symbols": ["H"], "concentration": [0.5, 0.5]}]
BAD = {
    "no attributes": ({"id": "t/1", "type": "structures"}, "attributes must be an object"),
    "no identifier": ({**entry(1), "id": None}, "no identifier"),
    "no object": ("text", "no identifier"),
    "molecule": (spoiled(dimension_types=[0, 0, 0], nperiodic_dimensions=0), "periodic in three"),
    "slab": (spoiled(dimension_types=[1, 1, 0], nperiodic_dimensions=2), r"dimension_types is \[1, 1, 0\]"),
    "no dimensions": (spoiled(dimension_types=None, nperiodic_dimensions=None), "dimension_types is missing"),
    "no lattice": (spoiled(lattice_vectors=None), "lattice_vectors must be a list"),
    "two vectors": (spoiled(lattice_vectors=[[1, 0, 0], [0, 1, 0]]), "3 rows of 3"),
    "flat lattice": (spoiled(lattice_vectors=[[1, 0, 0], [0, 1, 0], [1, 1, 0]]), "no volume"),
    "null vector": (spoiled(lattice_vectors=[[1, 0, 0], [0, 1, 0], [None] * 3]), "finite"),
    "nan lattice": (spoiled(lattice_vectors=[[1, 0, 0], [0, 1, 0], [0, 0, NAN]]), "finite"),
    "huge lattice": (spoiled(lattice_vectors=[[1, 0, 0], [0, 1, 0], [0, 0, 1e300]]), "within"),
    "nan position": (spoiled(cartesian_site_positions=[[0, 0, 0], [1, 1, NAN], [2, 2, 2]]), "finite"),
    "text position": (spoiled(cartesian_site_positions=[[0, 0, 0], [1, 1, "a"], [2, 2, 2]]), "numbers in threes"),
    "short positions": (spoiled(cartesian_site_positions=[[0, 0, 0]]), "3 rows of 3 numbers"),
    "no positions": (spoiled(cartesian_site_positions=None), "cartesian_site_positions must be a list"),
    "wrong nsites": (spoiled(nsites=4), "nsites is 4"),
    "no names": (spoiled(species_at_sites=None), "species_at_sites must be a list"),
    "number as name": (spoiled(species_at_sites=["Mg", 1, "H"]), "species_at_sites must be a list"),
    "no species": (spoiled(species=None), "species must be a list"),
    "unknown name": (spoiled(species_at_sites=["Mg", "H", "D"]), "names D"),
    "uneven species": (spoiled(species=UNEVEN), "does not follow OPTIMADE"),
    "species twice": (spoiled(species=[*VACANT[:1], *VACANT[:1]]), "describes 'Mg' twice"),
    "dummy": (spoiled(species=X_SPECIES), "no element"),
    "mixed": (spoiled(species=MIXED, structure_features=["disorder"]), "shared by Mg 0.5, Ca 0.5"),
    "atoms in one place": (spoiled(cartesian_site_positions=[[0, 0, 0], [0, 0, 0.1], [2, 2, 2]]), "closer than"),
    "methyl": (spoiled(species=METHYL), "attached"),
    "implicit": (spoiled(structure_features=["implicit_atoms"]), "no position"),
    "assemblies": (
        spoiled(assemblies=[{"sites_in_groups": [[0], [1]], "group_probabilities": [0.5, 0.5]}]),
        "together or not at all",
    ),
    "other formula": (spoiled(chemical_formula_reduced="CaH2"), "formula says"),
    "energy of text": (spoiled(_oqmd_stability="low"), "_oqmd_stability must be a finite number"),
    "energy beyond belief": (spoiled(_oqmd_delta_e=-900.0), "formation_energy"),
}


@pytest.mark.parametrize(("bad", "cause"), BAD.values(), ids=BAD.keys())
def test_one_bad_entry_is_recorded_and_the_rest_goes_on(home, bad, cause):
    with OptimadeServer([entry(0), bad, entry(2)]) as server:
        server.mangle = lambda _, answer: (
            answer
            | {
                "data": server.entries,
                "meta": {"data_returned": 3},
                "links": {},
            }
        )
        fetched, items = fetch_one(home, server)
    assert fetched.cause == ""
    assert fetched.received == 3
    assert [type(item) is Rejected for item in items] == [False, True, False]
    with pytest.raises(ValueError, match=cause):
        raise ValueError(items[1].cause)
    assert items[1].reference.startswith("optimade:127.0.0.1:")
    assert (fetched.usable, fetched.rejected) == (2, 1)


def test_vacancies_are_ordered_by_rule_and_say_so(home):
    made = spoiled(
        species=VACANT,
        structure_features=["disorder"],
        chemical_formula_reduced="H9Mg5",
        lattice_vectors=[[4.5, 0, 0], [0, 4.5, 0], [0, 0, 4.5]],
        cartesian_site_positions=[[0, 0, 0], [1.5, 1.5, 1.5], [3, 3, 3]],
    )
    with OptimadeServer([made]) as server:
        _, (item,) = fetch_one(home, server)
    assert "ordered by rule (vacancies spread)" in item.provenance.note
    amounts = Crystal.from_dict(item.structure).amounts
    assert amounts["H"] / amounts["Mg"] == pytest.approx(1.8, abs=0.1)


def test_a_formula_that_cannot_be_read_does_not_cost_the_structure(home):
    with OptimadeServer([spoiled(chemical_formula_reduced="?", elements=["H", "Mg"])]) as server:
        _, (item,) = fetch_one(home, server)
    assert item.composition == "H2Mg"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["Mg", "H", "X", ""])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "id", "next"]), inner),
    max_leaves=8,
)
FIELDS = [*entry(0)["attributes"], "assemblies"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3), JSON)
def test_whatever_an_entry_holds_it_is_a_record_or_a_rejection(attributes, identifier):
    reader = EntryReader(resolve_providers(["oqmd"])[0], About(prefix="oqmd"))
    made = spoiled(**attributes)
    for each in (made, made | {"id": identifier}, made | {"attributes": identifier}, identifier):
        assert isinstance(reader.read("page 1 row 1", each, retrieved=date(2025, 1, 1)), Material | Rejected)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["data", "links", "meta", "errors"]), JSON | st.lists(JSON)), JSON, JSON)
def test_whatever_a_page_holds_it_is_read_or_refused(answer, announced, link):
    for each in (answer, answer | {"meta": {"data_returned": announced, "request_delay": announced}, "data": []}):
        for links in (each, each | {"links": {"next": link}}):
            try:
                page = Page.read(links, "http://127.0.0.1/v1/structures")
            except FetchError:
                continue
            assert page.announced is None or page.announced >= 0
            assert page.next is None or isinstance(page.next, str)


# agreement with the library


@pytest.fixture(scope="module")
def library_data():
    from optimade.server.data import structures

    return structures


@pytest.mark.filterwarnings("ignore:Accessing the 'model_fields':DeprecationWarning")  # the library's own models
def test_the_library_server_is_read_completely(home, library_data, monkeypatch, tmp_path):
    monkeypatch.setenv("OPTIMADE_LOG_DIR", str(tmp_path))
    monkeypatch.setenv("OPTIMADE_LOG_LEVEL", "error")
    query = OptimadeQuery("nsites>=1 AND nelements<=20")
    with reference_server(library_data) as url:
        (fetched,) = fetch(home, url, query=query, page_rows=4)
        small = list(fetched.items())
        settle([fetched])
        (refused,) = fetch(home, url, query=query, page_rows=1000)  # answered with 403
        (some,) = fetch(home, url, query=OptimadeQuery('elements HAS ALL "Ag","Br"'))
        (wrong,) = fetch(home, url, query=OptimadeQuery("nonsense=1"))
    assert (fetched.cause, refused.cause, some.cause) == ("", "", "")
    assert fetched.harvest.total == fetched.received == len(library_data) == 17
    assert len(fetched.harvest.urls) == 5
    assert len(refused.harvest.urls) == 1
    assert list(refused.items()) == small
    assert "nonsense" in wrong.cause
    assert {_id(item) for item in small} == {raw["task_id"] for raw in library_data}
    wanted = {raw["task_id"] for raw in library_data if {"Ag", "Br"} <= set(raw["elements"])}
    assert {_id(item) for item in some.items()} == wanted
    assert wanted
    assert any(isinstance(item, Material) for item in small)


def _id(item):
    return (item.reference if isinstance(item, Rejected) else item.material_id).rsplit(":", 1)[1]


def test_structures_agree_with_the_library_adapter(library_data):
    from optimade.adapters.structures.pymatgen import _get_structure
    from optimade.models import StructureResource

    thin = 0
    for raw in library_data:
        expected = _get_structure(StructureResource.model_construct(attributes=_Attributes(raw)))
        if min(expected.lattice.d_hkl(plane) for plane in ((1, 0, 0), (0, 1, 0), (0, 0, 1))) < 0.5:
            thin += 1  # made-up numbers; no crystal has such a cell
            with pytest.raises(InputError, match="thick"):
                crystal_of(raw)
            continue
        got = crystal_of(raw)
        assert [*got.occupancies] == [dict(site.species.as_dict()) for site in expected]
        np.testing.assert_allclose(got.lattice_angstrom, expected.lattice.matrix, atol=1e-12)
        np.testing.assert_allclose(got.fractional @ got.lattice_angstrom, expected.cart_coords, atol=1e-9)
    assert thin < len(library_data) / 2


class _Attributes:
    """What the adapter reads of an entry, without the rest of the specification."""

    def __init__(self, attributes):
        from optimade.models.structures import Species

        self.__dict__ |= attributes
        self.species = [Species(**species) for species in attributes["species"]]


# queries and providers


def test_the_filter_is_made_of_its_parts():
    query = OptimadeQuery("nsites<9 OR nsites>20", ("Mg",), ("Mg-H", "La-Ni-H"))
    assert query.filter == (
        '(nsites<9 OR nsites>20) AND (elements HAS ALL "Mg") AND '
        '((elements HAS ALL "H","Mg" AND nelements=2) OR (elements HAS ALL "H","La","Ni" AND nelements=3))'
    )
    assert OptimadeQuery(elements=("Mg", "H")).filter == 'elements HAS ALL "Mg","H"'


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "whole database"),
        ({"expression": "  "}, "whole database"),
        ({"elements": ("Mq",)}, "'Mq' is not an element"),
        ({"chemical_systems": ("Mg-",)}, "'' is not an element"),
        ({"elements": ("Mg",), "limit": 0}, "at least 1"),
    ],
)
def test_queries_that_make_no_sense_are_refused(parts, words):
    with pytest.raises(InputError, match=words):
        OptimadeQuery(**parts)


@pytest.mark.parametrize(
    ("given", "name", "base_url"),
    [
        ("http://127.0.0.1:80/", "127.0.0.1:80", "http://127.0.0.1:80/v1"),
        ("https://example.org/optimade", "example.org/optimade", "https://example.org/optimade/v1"),
        ("https://example.org/optimade/v1/", "example.org/optimade", "https://example.org/optimade/v1"),
        ("https://example.org/v1.2/structures", "example.org", "https://example.org/v1.2"),
        ("oqmd", "oqmd", "https://oqmd.org/optimade/v1"),
        ("https://oqmd.org/optimade/", "oqmd", "https://oqmd.org/optimade/v1"),
    ],
)
def test_providers_are_named_and_versioned(given, name, base_url):
    (provider,) = resolve_providers([given, given])
    assert (provider.name, provider.base_url) == (name, base_url)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([], InputError, "no provider"),
        (["oqm"], UnknownNameError, "did you mean 'oqmd'"),
        (["ftp://example.org"], InputError, "http or https"),
        (["https://example.org/v0"], InputError, "version 1"),
        (["https://example.org?x=1"], InputError, "without a query"),
        (["https://me:secret@example.org"], InputError, "must not hold a password"),
        (["http://example.org:port"], InputError, "no URL"),
    ],
)
def test_providers_that_cannot_be_asked_are_refused(given, error, words):
    with pytest.raises(error, match=words) as raised:
        resolve_providers(given)
    assert "secret" not in str(raised.value)


def test_the_shipped_list_holds_base_urls():
    assert {"mp", "oqmd", "cod", "nomad", "alexandria", "mc3d", "jarvis"} <= set(known())
    for name, provider in known().items():
        assert resolve_providers([provider.base_url]) == resolve_providers([name]) == (provider,)


@pytest.mark.parametrize(
    ("base", "link", "followed"),
    [
        ("https://a.org/v1", "https://a.org/v1?p=2", "https://a.org/v1?p=2"),
        ("https://a.org/v1", "http://a.org/v1?p=2", "https://a.org/v1?p=2"),
        ("http://a.org/v1", "https://a.org/v1", "https://a.org/v1"),
        ("https://www.example.org", "https://api.example.org/x", "https://api.example.org/x"),
        ("https://a.ac.uk", "https://b.ac.uk", None),
        ("https://x.a.ac.uk", "https://y.a.ac.uk", "https://y.a.ac.uk"),
        ("https://a.org", "https://b.org", None),
        ("https://a.org", "https://a.org.evil.com", None),
        ("https://a.org", "http://a.org:8080/", None),
        ("https://a.org", "https://me@a.org/", None),
        ("http://127.0.0.1:80", "http://127.0.0.1:81/", None),
        ("http://127.0.0.1:5000", "http://10.0.0.1:5000/", None),
        ("http://10.0.0.1", "http://10.9.0.1", None),
        ("http://a.org", "gopher://a.org", None),
    ],
)
def test_links_are_followed_within_the_registrable_domain(base, link, followed):
    assert trusted(base, link) == followed


def test_energies_are_read_where_their_meaning_is_plain():
    scheme = {"energy_above_hull": 0.02, "formation_energy_per_atom": -1.5}
    attributes = {
        "_mp_stability": {"gga_gga+u_r2scan": scheme, "r2scan": {"energy_above_hull": 9.0}},
        "_oqmd_stability": -0.4,
        "_alexandria_hull_distance": 0.1,
    }
    assert energies(attributes, "mp") == {
        "energy_above_hull_ev_per_atom": 0.02,
        "formation_energy_ev_per_atom": -1.5,
    }
    assert energies(attributes, "oqmd") == {"energy_above_hull_ev_per_atom": 0.0}
    assert energies(attributes, "alexandria") == {"energy_above_hull_ev_per_atom": 0.1}
    assert energies(attributes, "cod") == {}
    assert energies({"_mp_stability": None}, "mp") == {}
