"""Merged records: what the kept one gains, who finds it, and what stays apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from hstore.errors import StoreError
from hstore.records import PUBLIC_SCOPE, Material, MergedRecord, Provenance, Scope
from hstore.store import open_store
from hstore.store.migration import VERSION_TABLE, alembic_config

EVERYTHING = Scope(everything=True)
LAB_A, LAB_B = Scope(lab_id="a"), Scope(lab_id="b")


def test_a_merged_record_is_kept_and_found_by_its_identifier(store, build):
    store.add_materials([build.material("kept", descriptors={"a": 1.0})])
    origin = Provenance(source="elsewhere", reference="x-1", licence="CC-BY-4.0", note="measured by hand")
    given = {"name": "alloy", "known": True, "descriptors": {"a": 2.0, "b": 3.0}}
    twin = build.material("twin", "La2Ni10", provenance=origin, **given)
    assert store.merge_materials({"kept": [twin]}) == 1
    kept = store.material("twin", scope=PUBLIC_SCOPE)
    assert (kept.material_id, kept.name, kept.known, kept.formula) == ("kept", "alloy", True, "LaNi5")
    assert kept.descriptors == {"a": 1.0, "b": 3.0}
    (record,) = kept.merged
    assert (record.formula, record.descriptors, record.supplied) == ("La2Ni10", twin.descriptors, ("b",))
    assert record.provenance == origin
    assert list(store.materials(scope=EVERYTHING)) == [kept]
    assert store.kept_ids(["twin", "kept"], scope=PUBLIC_SCOPE) == {"twin": "kept"}


def test_merging_again_replaces_what_was_merged(store, build):
    store.add_materials([build.material("kept")])
    for value in (1.0, 2.0):
        store.merge_materials({"kept": [build.material("twin", descriptors={"a": value})]})
    kept = store.material("kept", scope=PUBLIC_SCOPE)
    assert kept.descriptors == {"a": 2.0}
    assert len(kept.merged) == 1


def test_a_record_merged_elsewhere_is_moved_with_what_it_supplied(store, build):
    store.add_materials([build.material("k1"), build.material("k2")])
    twin = build.material("twin", descriptors={"a": 1.0})
    for name in ("k1", "k2"):
        store.merge_materials({name: [twin]})
    assert store.material("k1", scope=PUBLIC_SCOPE) == build.material("k1")
    assert store.material("twin", scope=PUBLIC_SCOPE).material_id == "k2"


def test_replacing_the_kept_record_keeps_what_was_merged(store, build):
    store.add_materials([build.material("kept", descriptors={"a": 1.0})])
    store.merge_materials({"kept": [build.material("twin", descriptors={"a": 5.0, "b": 2.0})]})
    store.add_materials([build.material("kept", descriptors={"c": 3.0}, reason="newer")])
    kept = store.material("kept", scope=PUBLIC_SCOPE)
    assert kept.descriptors == {"a": 5.0, "b": 2.0, "c": 3.0}
    assert kept.reason == "newer"
    assert store.material("twin", scope=PUBLIC_SCOPE) == kept


def test_storing_a_merged_record_on_its_own_takes_it_out(store, build):
    twin = build.material("twin", descriptors={"a": 1.0})
    store.add_materials([build.material("kept")])
    store.merge_materials({"kept": [twin]})
    store.add_materials([twin])
    assert store.material("twin", scope=PUBLIC_SCOPE) == twin
    assert store.material("kept", scope=PUBLIC_SCOPE) == build.material("kept")
    assert store.kept_ids(["twin"], scope=EVERYTHING) == {}


def test_records_merged_into_a_merged_record_come_along(store, build):
    inner = build.material("inner", descriptors={"b": 2.0})
    outer = build.material("outer").merged_with([MergedRecord.of(inner)])
    store.add_materials([build.material("kept")])
    store.merge_materials({"kept": [outer]})
    kept = store.material("inner", scope=PUBLIC_SCOPE)
    assert [record.material_id for record in kept.merged] == ["inner", "outer"]
    assert kept.descriptors == {"b": 2.0}


@pytest.mark.parametrize(
    ("stored", "joining"),
    [(None, "a"), ("a", None), ("a", "b")],
    ids=["a lab's into a public one", "a public one into a lab's", "one lab's into another's"],
)
def test_records_of_other_owners_are_never_merged(store, build, stored, joining):
    access = {name: {"access": build.of(name)} if name else {} for name in (stored, joining)}
    store.add_materials([build.material("kept", **access[stored])])
    with pytest.raises(StoreError, match="owner or visibility differ; store it under its own identifier"):
        store.merge_materials({"kept": [build.material("twin", **access[joining])]})
    assert store.material("kept", scope=EVERYTHING).merged == ()


def test_merged_records_of_a_lab_are_invisible_to_others(store, build):
    own = {"access": build.of("a")}
    store.add_materials([build.material("kept", **own)])
    store.merge_materials({"kept": [build.material("twin", **own)]})
    assert store.material("twin", scope=LAB_A).material_id == "kept"
    for scope in (LAB_B, PUBLIC_SCOPE):
        assert store.material("twin", scope=scope) is None
        assert store.kept_ids(["twin"], scope=scope) == {}
        assert store.identities(scope=scope, material_ids=["kept"], compositions=["LaNi5"]) == []
        assert list(store.materials_of(["kept"], scope=scope)) == []


def test_one_owner_storing_a_material_leaves_the_merges_of_others_alone(store, build):
    store.add_materials([build.material("kept")])
    store.merge_materials({"kept": [build.material("twin")]})
    store.add_materials([build.material("twin", access=build.of("a"))])
    assert store.material("twin", scope=PUBLIC_SCOPE).material_id == "kept"
    assert store.material("twin", scope=LAB_A).material_id == "twin"


def test_what_is_stored_or_missing_is_refused_and_nothing_is_merged(store, build):
    store.add_materials([build.material("m1"), build.material("m2")])
    with pytest.raises(StoreError, match="'m2' is stored under its own identifier"):
        store.merge_materials({"m1": [build.material("m2")]})
    with pytest.raises(StoreError, match=r"merged into 'm9', which is not stored; add it first"):
        store.merge_materials({"m1": [build.material("x")], "m9": [build.material("y")]})
    assert [material.merged for material in store.materials(scope=EVERYTHING)] == [(), ()]


def test_a_store_of_the_first_schema_keeps_its_materials(database_url, build):
    from alembic import command
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO materials (material_id, formula, composition, chemical_system, family, known, name, "
                "reason, descriptors, provenance, visibility) VALUES ('m1', 'LaNi5', 'LaNi5', 'La-Ni', "
                "'interstitial', :known, '', '', '{}', :provenance, 'public')"
            ),
            {"known": False, "provenance": '{"source": "test"}'},
        )
    with open_store(database_url) as store:
        assert store.material("m1", scope=PUBLIC_SCOPE) == build.material("m1")
        store.merge_materials({"m1": [build.material("twin")]})
        assert store.material("twin", scope=PUBLIC_SCOPE).material_id == "m1"
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "0001"
        assert connection.scalar(text("SELECT material_id FROM materials")) == "m1"


names = st.sampled_from("abcde")
records = st.builds(
    MergedRecord,
    material_id=names,
    formula=st.just("LaNi5"),
    name=st.sampled_from(["", "x", "y"]),
    family=st.just("interstitial"),
    known=st.booleans(),
    descriptors=st.dictionaries(st.sampled_from("pqrs"), st.floats(0, 1), max_size=3),
    provenance=st.builds(Provenance, source=names),
)


@given(st.lists(records, unique_by=lambda record: record.material_id), st.randoms())
def test_the_order_of_merging_makes_no_difference(merged, random):
    fields = {"family": "interstitial", "provenance": Provenance(source="test")}
    own = Material(material_id="m1", formula="LaNi5", descriptors={"p": 0.5}, name="own", known=True, **fields)
    together = own.merged_with(merged)
    shuffled = random.sample(merged, len(merged))
    one_by_one = own
    for record in shuffled:
        one_by_one = one_by_one.merged_with([record])
    assert one_by_one == together == together.merged_with(merged)
    assert together.own_descriptors() == own.descriptors
    assert together.descriptors["p"] == 0.5
    taken_out = together.merged_with((), without=[record.material_id for record in merged])
    assert taken_out == own
