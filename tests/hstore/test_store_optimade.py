"""The index of what OPTIMADE asks: written with the records, filled for older stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.records import Provenance, Scope
from hstore.store.optimade import index
from hstore.store.optimade.conditions import Compare
from hstore.store.optimade.entries import Sort, Wanted
from hstore.store.schema import MaterialOptimadeRow, MaterialPublicationRow, PublicationRow

EVERYTHING = Scope(everything=True)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def entry(store):
    """Read the entry of a material."""

    def read(name="m1"):
        (found,) = store.optimade.structures(Wanted(1, Compare("id", "=", name)), scope=EVERYTHING).entries
        return found

    return read


@pytest.fixture
def backdate(store):
    """Make all changes lie long ago."""

    def change():
        with store.database.writing("times") as connection:
            connection.execute(update(MaterialOptimadeRow).values(last_modified=LONG_AGO))

    return change


def cited(store):
    with store.database.connected("read") as connection:
        links = connection.execute(
            select(MaterialPublicationRow.material_id, PublicationRow.doi).join_from(
                MaterialPublicationRow, PublicationRow
            )
        )
        return sorted(map(tuple, links))


def test_only_a_change_counts_as_one(store, build, entry, backdate):
    store.add_materials([build.material(), build.material("m2")])
    assert datetime.now(UTC) - entry().last_modified < timedelta(minutes=10)
    assert entry().last_modified.microsecond == 0
    backdate()
    store.add_materials([build.material(), build.material("m2", known=True)])
    assert entry("m1").last_modified == LONG_AGO
    assert entry("m2").last_modified > LONG_AGO


def test_a_prediction_of_somebody_does_not_show_as_a_change(store, build, entry, backdate):
    store.add_materials([build.material()])
    backdate()
    store.add_predictions([build.prediction(access=build.of("north"))])
    store.add_measurements([build.measurement("x", access=build.of("north"))])
    assert entry().last_modified == LONG_AGO


def test_works_are_found_in_references_and_merged_records(store, build, backdate, entry):
    def of(name, reference):
        return build.material(name, provenance=Provenance(source="s", reference=reference))

    store.add_materials(
        [
            of("a", "doi:10.1021/JA0649217."),
            of("b", "Smith, 1999 (https://doi.org/10.1016/0167-2738(86)90179-7)"),
            of("c", "mp-1234"),
        ]
    )
    assert cited(store) == [("a", "10.1021/ja0649217"), ("b", "10.1016/0167-2738(86)90179-7")]
    backdate()
    store.merge_materials({"c": [of("d", "10.1000/merged")]})
    assert ("c", "10.1000/merged") in cited(store)
    assert entry("c").last_modified > LONG_AGO
    store.add_materials([of("a", None)])
    assert [name for name, _ in cited(store)] == ["b", "c"]


def test_the_index_can_be_rebuilt(store, build, entry):
    structure = {
        "lattice": {"matrix": [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]},
        "sites": [{"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0, 0]}],
    }
    materials = [build.material(f"m{n:04}", f"LaNi{n}") for n in range(1, 1005)]
    store.add_materials([*materials, build.material("fe", "Fe2", structure=structure)])
    before = store.optimade.structures(Wanted(2000), scope=EVERYTHING)
    with store.database.writing("the index") as connection:
        for table in (MaterialPublicationRow, MaterialOptimadeRow):
            connection.execute(table.__table__.delete())
        index.rebuild(connection)
    after = store.optimade.structures(Wanted(2000), scope=EVERYTHING)
    assert [e.chemical_formula_reduced for e in after.entries] == [
        e.chemical_formula_reduced for e in before.entries
    ]
    assert entry("fe").nsites == 1
    assert parse_amounts(entry("fe").chemical_formula_hill) == {"Fe": 1}


def test_a_position_of_another_order_is_refused(store, build):
    store.add_materials([build.material()])
    with pytest.raises(InputError, match=r"follow links\.next"):
        store.optimade.structures(Wanted(1, sort=(Sort("nsites"),), after=("m1",)), scope=EVERYTHING)
