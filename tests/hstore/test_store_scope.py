"""Nobody sees through the store what ``Scope.allows`` denies."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hstore.records import Access, Scope, Visibility
from hstore.store.schema import Base

TODAY = date(2025, 6, 15)

labs = st.sampled_from([None, "a", "b", "B", "", "%", "a' OR 1=1 --"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3
)
days = st.none() | st.dates(TODAY - timedelta(days=2), TODAY + timedelta(days=2)) | st.dates()
scopes = st.builds(Scope, lab_id=labs, everything=st.booleans(), today=days.filter(bool))
accesses = (
    st.tuples(labs, st.sampled_from(Visibility), days)
    .filter(lambda drawn: drawn[0] or drawn[1] is Visibility.PUBLIC)
    .map(lambda drawn: Access(lab_id=drawn[0], visibility=drawn[1], embargo_until=drawn[2]))
)

GRID = [
    Access(lab_id=lab, visibility=visibility, embargo_until=day)
    for lab in (None, "a", "b")
    for visibility in Visibility
    for day in (None, *(TODAY + timedelta(days=n) for n in (-1, 0, 1)))
    if lab or visibility is Visibility.PUBLIC
]


def fill(store, build, granted):
    """Add one record of each kind for each access; return their common names."""
    names = [f"{next(fill.numbers)}" for _ in granted]
    store.add_materials(build.material(n, access=access) for n, access in zip(names, granted, strict=True))
    store.add_measurements(
        build.measurement(n, material_id=n, access=access) for n, access in zip(names, granted, strict=True)
    )
    store.add_predictions(
        build.prediction(material_id=n, access=access) for n, access in zip(names, granted, strict=True)
    )
    for name, access in zip(names, granted, strict=True):
        store.add_screen(build.screen(name, target=names[0], access=access))
    return names


fill.numbers = itertools.count()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(granted=st.lists(accesses, min_size=1, max_size=8), scope=scopes)
@example(granted=GRID, scope=Scope(today=TODAY))
@example(granted=GRID, scope=Scope(lab_id="a", today=TODAY))
@example(granted=GRID, scope=Scope(lab_id="b", today=TODAY))
@example(granted=GRID, scope=Scope(lab_id="a", everything=True, today=TODAY))
def test_every_read_agrees_with_allows(store, build, granted, scope):
    names = fill(store, build, granted)
    allowed = {name for name, access in zip(names, granted, strict=True) if scope.allows(access)}
    assert {m.material_id for m in store.materials(scope=scope)} & set(names) == allowed
    assert {m.material_id for m in store.measurements(scope=scope)} & set(names) == allowed
    assert {m.material_id for m in store.predictions(scope=scope)} & set(names) == allowed
    assert {s.screen_id for s in store.screens(scope=scope, target=names[0], limit=100)} == allowed
    assert {n for n in names if store.material(n, scope=scope)} == allowed
    assert {n for n in names if store.screen(n, scope=scope)} == allowed
    assert store.count_materials(scope=scope) == len(list(store.materials(scope=scope)))


READS = {
    "material": ("m1",),
    "materials": (),
    "count_materials": (),
    "measurements": (),
    "predictions": (),
    "screen": ("s1",),
    "screens": (),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_read_in_nobodys_name_is_a_type_error(store, read):
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'scope'"):
        getattr(store, read)(*READS[read])


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_scope_at_all_is_not_everything(store, build, read):
    store.add_materials([build.material()])
    store.add_screen(build.screen())
    with pytest.raises(AttributeError):
        getattr(store, read)(*READS[read], scope=None)


RECORDS = {"materials", "measurements", "predictions", "screens", "isotherms", "jobs"}
BESIDE = {
    "merged_materials", "material_elements", "material_index", "material_numbers", "material_optimade",
    "material_publications", "publications", "held_records", "record_events", "job_events", "workers",
    "api_keys", "key_usage", "idempotency", "audit",
}  # fmt: skip
"""Tables that are indexes of records, reached through them, or what keys and workers did."""


def test_every_table_of_records_carries_its_access_indexed():
    tables = dict(Base.metadata.tables)
    assert tables.keys() - BESIDE == RECORDS
    for table in (tables[name] for name in RECORDS):
        assert [
            tuple(column.name for column in index.columns) for index in table.indexes if "lab_id" in index.columns
        ] == [("lab_id", "visibility", "embargo_until")]
