"""Filters of OPTIMADE against the same question asked in Python, and filters that mean harm."""

from __future__ import annotations

import operator
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optimade.exceptions import BadRequest, NotImplementedResponse
from optimade.filterparser import LarkParser

from hstore.errors import InputError
from hstore.records import Scope
from hstore.store.optimade.catalogue import STRUCTURE_FIELDS
from hstore.store.optimade.entries import Wanted
from hstore.store.optimade.fields import UnsupportedFilterError
from hstore_api.optimade.filters import MAX_CHARACTERS, _parser, read_filter
from hstore_api.optimade.properties import undefined
from hstore_api.optimade.resources import structure_resource
from tests.api.optimade_pool import fill

COMPARED = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
TEXTS = ("chemical_formula_reduced", "chemical_formula_hill", "chemical_formula_anonymous", "id", "_hstore_family",
         "_hstore_composition", "chemical_formula_descriptive")  # fmt: skip
LOOSE_TEXTS = ("_hstore_name", "_hstore_reason")
NUMBERS = ("nelements", "nsites", "nperiodic_dimensions", "_hstore_h2_capacity_wt_pct",
           "_hstore_formation_energy_ev_per_atom")  # fmt: skip
LISTS = {
    "elements": ("H", "Mg", "Ni", "Fe", "Li", "C", "Xx"),
    "structure_features": ("disorder", "implicit_atoms", "assemblies"),
}
COUNTED = ("elements", "elements_ratios", "species_at_sites", "dimension_types", "structure_features")
KNOWABLE = (
    *TEXTS,
    *LOOSE_TEXTS,
    *NUMBERS,
    "last_modified",
    "species",
    "lattice_vectors",
    "elements",
    "immutable_id",
)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ask(filter_text, *, warn=lambda _: None):
    return read_filter(filter_text, STRUCTURE_FIELDS, undefined("structures"), warn)


class Pool:
    """The pool in a database, and as entries that Python can ask."""

    def __init__(self, store, scope):
        self.store, self.scope = store, scope
        self.entries = {entry["id"]: {"id": entry["id"], **entry["attributes"]} for entry in self.all()}
        self.values = {
            name: sorted({e[name] for e in self.entries.values() if e[name] is not None})
            for name in (*TEXTS, *LOOSE_TEXTS, *NUMBERS)
        }

    def all(self, filter_text=""):
        found = self.store.optimade.structures(Wanted(10_000, ask(filter_text)), scope=self.scope)
        assert found.matching == len(found.entries)
        return [structure_resource(entry) for entry in found.entries]

    def names(self, filter_text):
        return [entry["id"] for entry in self.all(filter_text)]


@pytest.fixture
def filled(store):
    """The pool as the lab ``north`` sees it."""
    fill(store, 120)
    return Pool(store, Scope(lab_id="north"))


@st.composite
def comparisons(draw, pool):
    name = draw(st.sampled_from((*TEXTS, *NUMBERS)))
    value = draw(st.sampled_from(pool.values[name] or [0]))
    number = name in NUMBERS
    if number:
        value = draw(st.sampled_from([value, int(value), 2, -1.5e3]))
    sign = draw(st.sampled_from(sorted(COMPARED)))
    text = repr(value) if number else quoted(value)
    question = f"{text} {REVERSED[sign]} {name}" if draw(st.booleans()) else f"{name} {sign} {text}"
    return question, lambda e: None if e[name] is None else COMPARED[sign](e[name], value)


@st.composite
def matches(draw, pool):
    name = draw(st.sampled_from((*TEXTS, *LOOSE_TEXTS)))
    whole = draw(st.sampled_from(pool.values[name]))
    start = draw(st.integers(0, len(whole)))
    parts = [whole[start : start + 3], whole, whole[:2], whole[-2:], "%", "_", "h2", "\\", ""]
    part = draw(st.sampled_from(parts))
    kinds = [
        ("CONTAINS", lambda v: part in v),
        ("STARTS WITH", lambda v: v.startswith(part)),
        ("ENDS", lambda v: v.endswith(part)),
    ]
    words, test = draw(st.sampled_from(kinds))
    return f"{name} {words} {quoted(part)}", lambda e: None if e[name] is None else test(e[name])


@st.composite
def holdings(draw, _):
    name = draw(st.sampled_from(sorted(LISTS)))
    values = draw(st.lists(st.sampled_from(LISTS[name]), min_size=1, max_size=4))
    kinds = [
        ("HAS ALL", lambda held: set(values) <= held),
        ("HAS ANY", lambda held: bool(set(values) & held)),
        ("HAS ONLY", lambda held: held <= set(values)),
    ]
    words, test = draw(st.sampled_from(kinds))
    return f"{name} {words} {','.join(map(quoted, values))}", lambda e: test(set(e[name]))


@st.composite
def lengths(draw, _):
    name, sign, n = (
        draw(st.sampled_from(COUNTED)),
        draw(st.sampled_from(sorted(COMPARED))),
        draw(st.integers(0, 9)),
    )
    return f"{name} LENGTH {sign} {n}", lambda e: None if e[name] is None else COMPARED[sign](len(e[name]), n)


@st.composite
def others(draw, _):
    name, known, sign = draw(st.sampled_from(KNOWABLE)), draw(st.booleans()), draw(st.sampled_from(["=", "!="]))
    kinds = [
        (f"{name} IS {'KNOWN' if known else 'UNKNOWN'}", lambda e: (e[name] is not None) == known),
        (f"_hstore_known {sign} {str(known).upper()}", lambda e: COMPARED[sign](e["_hstore_known"], known)),
        ("_mp_x = 1", lambda _: None),
        ("_mp_x IS UNKNOWN", lambda _: True),
    ]
    return draw(st.sampled_from(kinds))


def leaves(pool):
    """A question and what answers it in Python: True, False, or None where the value is unknown."""
    return st.one_of(part(pool) for part in (comparisons, matches, holdings, lengths, others))


def negated(answer):
    return None if answer is None else not answer


def both(answers):
    return False if False in answers else None if None in answers else True


def either(answers):
    return True if True in answers else None if None in answers else False


@st.composite
def filters(draw, pool, depth=2):
    """A filter of some depth and what answers it in Python, by three-valued logic."""
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        question, answer = draw(leaves(pool))
    else:
        parts = draw(st.lists(filters(pool, depth=depth - 1), min_size=1, max_size=3))
        word, join = draw(st.sampled_from([(" AND ", both), (" OR ", either)]))
        question = "(" + word.join(text for text, _ in parts) + ")"
        answer = lambda e: join([one(e) for _, one in parts])  # noqa: E731 - built from what was drawn
    if draw(st.booleans()):
        return f"NOT {question}", lambda e: negated(answer(e))
    return question, answer


def test_filters_find_what_python_finds(filled):
    earley, everybody = LarkParser(), Pool(filled.store, Scope())

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def check(data):
        question, answer = data.draw(filters(filled))
        pool = data.draw(st.sampled_from([filled, everybody]))
        expected = [name for name, entry in pool.entries.items() if answer(entry) is True]
        assert pool.names(question) == expected, question
        if len(question) < 100:  # the library's parser takes its time
            assert _parser().parse(question) == earley.parse(question)

    check()


def test_each_value_is_found_by_itself(filled):
    """No value of a field, however odd, breaks out of its quotes."""
    for name in (*TEXTS, *LOOSE_TEXTS):
        for value in filled.values[name][:25]:
            expected = [key for key, entry in filled.entries.items() if entry[name] == value]
            assert filled.names(f"{name} = {quoted(value)}") == expected


def test_instants(filled):
    first = next(iter(filled.entries.values()))["last_modified"]
    assert filled.names(f'last_modified >= "{first}"')
    assert filled.names(f'last_modified = "{first[:-1]}+00:00"')
    assert filled.names('"1990-01-01T00:00:00Z" < last_modified') == list(filled.entries)
    assert filled.names('last_modified < "1990-01-01T00:00:00.5+05:30"') == []
    for wrong in (
        "yesterday",
        "2026-01-01",
        "2026-13-01T00:00:00Z",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
    ):
        with pytest.raises(InputError, match="RFC 3339"):
            filled.names(f'last_modified > "{wrong}"')


LEFT_OUT = """
nelements = "two"
chemical_formula_reduced = 3
elements HAS 3
elements = "H"
nsites CONTAINS "1"
_hstore_known = "TRUE"
_hstore_known > TRUE
nelements = nsites
elements HAS < "H"
5 < 7
"a" = "b"
elements:elements_ratios HAS "H":>0.5
species.name HAS "H"
elements_ratios HAS 0.5
nelements LENGTH 2
elements HAS ALL "H", > "He"
_hstore_name < "b"
species LENGTH 2
structure_features HAS 1
chemical_formula_hill CONTAINS nsites
"""
UNREADABLE = """
nelements=
nelements
=2
nelements=2 nelements=3
a=1)
(((
nelements==2
nelements=2;DROP TABLE
energy=1
_hstore_energy=1
_hstore_value_kinds.x = 1
Nelements=2
elements HAS ALL
nelements=2 and nsites=3
elements HAS
nelements = 1 -- x
'nelements' = 2
references HAS "x"
nelements=\u00b2
id="open
id="open\\"
"""
HARMFUL = {
    "nul": "nelements=2\x00",
    "nul in a text": 'id="\x00"',
    "line break in a text": 'id="a\nb"',
    "too long": "a" * 5000,
    "too deep": "(" * 31 + "nelements=2" + ")" * 31,
    "open text of tabs": 'id="' + "\t" * 3000,
    "open text of quotes": 'id="' + '\\"' * 1500,
    "many a not": "NOT " * 900 + "nelements=2",
}


@pytest.mark.parametrize("text", LEFT_OUT.strip().splitlines())
def test_what_is_left_out_is_not_implemented(text, store):
    """The specification asks for status 501, also for values of another type than the field."""
    with pytest.raises((NotImplementedResponse, UnsupportedFilterError)):
        store.optimade.structures(Wanted(1, ask(text)), scope=Scope())


@pytest.mark.parametrize(
    "text", [*UNREADABLE.strip().splitlines(), *(pytest.param(t, id=n) for n, t in HARMFUL.items())]
)
def test_what_cannot_be_read_is_refused_at_once(text):
    began = time.process_time()
    with pytest.raises(BadRequest):
        ask(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(f'id="{n}"' for n in range(330)),
        'id="' + "\\\\" * 2000 + '"',
        "elements HAS ANY " + ",".join(['"H"'] * 1000),
        "(" * 30 + "nelements=2" + ")" * 30,
        " AND ".join(["NOT (nelements=2 OR nsites=3)"] * 30),
        " OR ".join(["_hstore_h2_capacity_wt_pct > 1"] * 30),
        " AND ".join(['references.id HAS ALL "a","b"'] * 30),
        "nelements < " + "9" * 4000,
        "nelements < 1e999 AND nelements > -1e999 AND nsites != 99999999999999999999",
    ],
)  # fmt: skip
def test_the_longest_filters_are_answered(text, filled):
    assert len(text) <= MAX_CHARACTERS
    began = time.process_time()
    filled.names(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    ["x' OR '1'='1", "'; DROP TABLE materials; --", '" OR 1=1 --', "%", "_", "\\", "${7*7}", "{{x}}"],
)
def test_injected_sql_is_a_text_like_others(text, filled):
    before = list(filled.entries)
    for question in (f"id = {quoted(text)}", f"chemical_formula_reduced CONTAINS {quoted(text)}"):
        assert filled.names(question) == []
    assert filled.names("") == before
    if text in "%_\\":
        found = filled.names(f"_hstore_reason CONTAINS {quoted(text)}")
        assert found == [name for name, entry in filled.entries.items() if entry["_hstore_reason"]]


def test_a_database_is_not_asked_for_a_hundred_joins(store):
    """PostgreSQL took ten gigabytes to plan them."""
    with pytest.raises(InputError, match="at most 30"):
        store.optimade.structures(Wanted(1, ask(" AND ".join(["nsites=3"] * 31))), scope=Scope())


def test_fields_of_others_warn_and_never_match(filled):
    warnings = []
    condition = ask("_mp_gap > 1 OR NOT _mp_gap > 1", warn=warnings.append)
    found = filled.store.optimade.structures(Wanted(10, condition), scope=filled.scope)
    assert (found.entries, found.matching) == ([], 0)
    assert found.available == len(filled.entries)
    assert all("_mp_gap" in warning for warning in warnings)
    assert len(warnings) == 2


def test_a_lab_filters_by_its_own_measurements(filled):
    """A private value is nothing to others: neither found, nor counted, nor in the way of the public one."""
    everybody = Pool(filled.store, Scope())
    assert len(filled.names("_hstore_h2_capacity_wt_pct >= 9")) == 3
    assert everybody.names("_hstore_h2_capacity_wt_pct >= 9") == []
    changed = [
        name
        for name, entry in everybody.entries.items()
        if entry["_hstore_h2_capacity_wt_pct"] != filled.entries[name]["_hstore_h2_capacity_wt_pct"]
    ]
    assert len(changed) == 3
    assert (len(everybody.entries), len(filled.entries)) == (108, 120)
