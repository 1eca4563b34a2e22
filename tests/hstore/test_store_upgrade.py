"""A store of the first schema, with rows of that time, brought to today's and read by today's code."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from sqlalchemy import MetaData, inspect, select, text

from hstore.errors import StoreError
from hstore.records import (
    PUBLIC_SCOPE,
    Access,
    Basis,
    Conditions,
    Family,
    Material,
    Measurement,
    Prediction,
    PropertyValue,
    Provenance,
    Scope,
    Screen,
)
from hstore.store import migration, open_store
from hstore.store.engine import for_writing, make_engine
from hstore.store.optimade.entries import Wanted as OptimadeWanted
from hstore.store.schema import Base
from hstore.store.search import NumberRange, Wanted

FIRST = (Path(__file__).parent / "first_store.sql").read_text(encoding="utf-8")
NOBODY = Scope(today=date(2025, 5, 31))
NORTH = Scope(lab_id="north", today=date(2025, 5, 31))
EVERYTHING = Scope(everything=True)
IN_POSTGRESQL = {
    r"\bDOUBLE\b": "DOUBLE PRECISION",
    r"\bDATETIME\b": "TIMESTAMP WITH TIME ZONE",
    r"\b((?:\w+_id|replaces)) VARCHAR": r'\1 VARCHAR COLLATE "C"',
    "%": "%%",  # psycopg's
}
"""What the first schema said in SQLite -> what it said in PostgreSQL."""

PAPER = Provenance(
    source="ml_hydpark", reference="10.1016/0022-5088(82)90125-X", licence="CC-BY-4.0",
    retrieved=date(2025, 3, 1), note="first plateau",
)  # fmt: skip
FROM_NORTH = Provenance(source="north")
FROM_MODEL = Provenance(source="model")
OF_LAB = Access(lab_id="north", visibility="lab")
UNTIL_JULY = Access(lab_id="north", visibility="lab", embargo_until=date(2025, 6, 30))


def cubic(*sites):
    """Return the plain form of a crystal in a cube of 3 angstrom, from symbol and coordinate of each site."""
    lattice = {"matrix": [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], "pbc": [True] * 3, "volume": 27.0}
    lattice |= dict.fromkeys("abc", 3.0) | dict.fromkeys(("alpha", "beta", "gamma"), 90.0)
    plain = {"@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0, "lattice": lattice}
    return plain | {
        "properties": {},
        "sites": [
            {"species": [{"element": symbol, "occu": 1}], "abc": [at] * 3, "properties": {}, "label": symbol,
             "xyz": [3 * at] * 3}
            for symbol, at in sites
        ],
    }  # fmt: skip


def value(name, number, kind="measured", provenance=PAPER, **fields):
    return PropertyValue(property=name, value=number, kind=kind, provenance=provenance, **fields)


MATERIALS = [
    Material(
        material_id="LaNi5", formula="LaNi5", family="interstitial", known=True, reason="the classic AB5",
        provenance=PAPER,
    ),
    Material(
        material_id="MOF-5 ünïcode", formula="Zn4O13C24H12", name="MOF-5", family="sorbent",
        descriptors={"void_fraction": 0.81, "surface_area_m2_per_g": 3800.0},
        provenance=Provenance(source="mof_h2_usable"),
    ),
    Material(
        material_id="TiFe", formula="TiFe", family="interstitial", structure=cubic(("Ti", 0.0), ("Fe", 0.5)),
        descriptors={"density_g_per_cm3": 6.38}, known=True, provenance=PAPER,
    ),
    Material(
        material_id="north-1", formula="Mg2Ni0.9Fe0.1", family="interstitial", reason="iron for nickel",
        provenance=FROM_NORTH, access=OF_LAB,
    ),
    Material(
        material_id="north-2", formula="Li6PS5Cl", family="electrolyte", provenance=FROM_NORTH, access=UNTIL_JULY
    ),
]  # fmt: skip
MEASUREMENTS = [
    Measurement(
        measurement_id="m1", material_id="LaNi5", measured_on=date(2025, 2, 3),
        value=value(
            "h2_capacity_wt_pct", 1.49, standard_deviation=0.02,
            basis=Basis(capacity_definition="reversible", mass_basis="hydrogenated_material"),
            conditions=Conditions(temperature_k=298.15, pressure_bar=10),
        ),
    ),
    Measurement(
        measurement_id="m2", material_id="north-1", measured_on=date(2025, 4, 1), access=OF_LAB,
        value=value("desorption_enthalpy_kj_per_mol_h2", 63.1, provenance=FROM_NORTH),
    ),
    Measurement(
        measurement_id="m3", material_id="north-1", measured_on=date(2025, 4, 1), replaces="m2", access=OF_LAB,
        value=value(
            "desorption_enthalpy_kj_per_mol_h2", 61.3,
            provenance=Provenance(source="north", note="baseline corrected"),
        ),
    ),
    Measurement(
        measurement_id="m4", material_id="MOF-5 ünïcode",
        value=value(
            "h2_uptake_wt_pct", 5.1, basis=Basis(mass_basis="sorbent", uptake_kind="excess"),
            conditions=Conditions(temperature_k=77, pressure_bar=40),
        ),
    ),
]  # fmt: skip
PREDICTIONS = [
    Prediction(
        material_id="TiFe", model_id="hydride_capacity-1a2b3c", in_domain=True,
        value=value(
            "h2_capacity_wt_pct", 1.8, "predicted", FROM_MODEL, standard_deviation=0.2, lower=1.4, upper=2.1
        ),
    ),
    Prediction(
        material_id="north-2", model_id="conductivity-9f8e7d", in_domain=False, access=UNTIL_JULY,
        reason="no chloride thiophosphate among its training rows",
        value=value(
            "log10_conductivity_s_per_cm", -2.9, "predicted", FROM_MODEL, lower=-4.0, upper=-2.0,
            conditions=Conditions(temperature_k=298.15),
        ),
    ),
]  # fmt: skip
SCREENS = [
    Screen(
        screen_id="s2", target="electrolyte", created_at=datetime(2025, 5, 2, tzinfo=UTC), n_candidates=1,
        n_rejected=0, manifest={}, access=OF_LAB,
    ),
    Screen(
        screen_id="s1", target="onboard", created_at=datetime(2025, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC),
        n_candidates=2, n_rejected=1, manifest={"command": "hstore screen onboard", "seed": 0},
        top=({"formula": "TiFe", "rank": 1},),
    ),
]  # fmt: skip


@pytest.fixture
def engine(database_url):
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def first(engine):
    """The engine of a database as the first release left it."""
    script = FIRST
    with for_writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
            for pattern, name in IN_POSTGRESQL.items():
                script = re.sub(pattern, name, script)
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    return engine


def content(engine):
    """Everything that a database holds: tables with their columns, constraints and indexes, and all rows."""
    with engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        return shape(connection), {
            table.name: sorted(map(repr, connection.execute(select(table)))) for table in metadata.sorted_tables
        }


def shape(connection):
    """Tables of a database, with all that it says of them."""
    look = inspect(connection)
    return {
        name: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)],
            "key": look.get_pk_constraint(name),
            "foreign": sorted(map(repr, look.get_foreign_keys(name))),
            "unique": sorted(map(repr, look.get_unique_constraints(name))),
            "checks": sorted(c["name"] for c in look.get_check_constraints(name)),
            "indexes": sorted(map(repr, look.get_indexes(name))),
        }
        for name in look.get_table_names()
    }


def revisions(connection):
    """All revisions, the oldest first."""
    scripts = ScriptDirectory.from_config(migration.alembic_config(connection)).walk_revisions()
    return [script.revision for script in scripts][::-1]


def assert_everything_is_there(store):
    assert list(store.materials(scope=EVERYTHING)) == MATERIALS
    assert list(store.measurements(scope=EVERYTHING, include_replaced=True)) == MEASUREMENTS
    assert [m.measurement_id for m in store.measurements(scope=EVERYTHING)] == ["m1", "m3", "m4"]
    assert list(store.predictions(scope=EVERYTHING)) == PREDICTIONS
    assert store.screens(scope=EVERYTHING) == SCREENS


def test_the_first_revision_still_makes_what_it_made_then(first, tmp_path, engine):
    with for_writing(engine).begin() as connection:
        found = shape(connection)
        for name in ("screens", "predictions", "measurements", "material_elements", "materials"):
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text(f"DELETE FROM {migration.VERSION_TABLE}"))
        migration.upgrade_to(connection, "0001")
        assert shape(connection) == found


def test_step_by_step_every_revision_keeps_every_row(first):
    with for_writing(first).begin() as connection:
        steps = revisions(connection)
        counts = [
            "SELECT count(*) FROM materials", "SELECT count(*) FROM measurements",
            "SELECT count(*) FROM predictions", "SELECT count(*) FROM screens",
        ]  # fmt: skip
    assert steps[0] == "0001"
    assert steps[-1] == migration.HEAD
    for revision in steps[1:]:
        with for_writing(first).begin() as connection:
            migration.upgrade_to(connection, revision)
        with first.connect() as connection:
            assert migration.current_revision(connection) == revision
            assert [connection.scalar(text(count)) for count in counts] == [5, 4, 2, 2]
    with open_store(first.url.render_as_string(hide_password=False)) as store:
        assert_everything_is_there(store)


def test_opening_brings_it_up_and_every_row_is_read(first, database_url):
    with open_store(database_url) as store:
        assert store.schema_version() == migration.HEAD
        assert_everything_is_there(store)
    with first.connect() as connection:
        options = {"version_table": migration.VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_what_later_revisions_added_is_filled_from_the_old_rows(first, database_url):
    def found(scope, **wanted):
        page = store.search.page(Wanted(**wanted), scope=scope, limit=10)
        return [row["material_id"] for row in page.rows]

    with open_store(database_url) as store:
        assert found(EVERYTHING, elements=("Fe",)) == ["TiFe", "north-1"]
        assert found(NOBODY, elements=("Fe",)) == ["TiFe"]
        assert found(NORTH, family=Family.ELECTROLYTE) == ["north-2"]
        capacities = (NumberRange("h2_capacity_wt_pct", low=1.4, high=1.6),)
        assert found(NOBODY, ranges=capacities) == ["LaNi5"], "measured"
        surfaces = (NumberRange("surface_area_m2_per_g", low=3000.0),)
        assert found(NOBODY, ranges=surfaces) == ["MOF-5 ünïcode"], "a descriptor"
        assert found(NOBODY, text="mof") == ["MOF-5 ünïcode"]
        entries = store.optimade.structures(OptimadeWanted(10), scope=NOBODY).entries
        assert {entry.material_id: entry.nsites for entry in entries} == {
            "LaNi5": None,
            "MOF-5 ünïcode": None,
            "TiFe": 2,
        }
        [work] = store.optimade.references(OptimadeWanted(10), scope=NOBODY).entries
        assert work.doi == "10.1016/0022-5088(82)90125-x"


def test_who_may_see_what_is_as_it_was(first, database_url):
    with open_store(database_url) as store:
        seen = {
            scope: [material.material_id for material in store.materials(scope=scope)]
            for scope in (NOBODY, NORTH, PUBLIC_SCOPE)
        }
        assert store.screen("s2", scope=NOBODY) is None
    public = ["LaNi5", "MOF-5 ünïcode", "TiFe"]
    assert seen[NOBODY] == public
    assert seen[NORTH] == [*public, "north-1", "north-2"]
    assert seen[PUBLIC_SCOPE] == [*public, "north-2"], "its embargo is over"


def test_it_takes_new_records_and_merges(first, database_url):
    again = MATERIALS[0].model_copy(update={"material_id": "db-17", "provenance": Provenance(source="db")})
    correction = MEASUREMENTS[2].model_copy(update={"measurement_id": "m5", "replaces": "m3"})
    with open_store(database_url) as store:
        store.merge_materials({"LaNi5": [again]})
        store.add_measurements([correction])
        assert store.material("db-17", scope=EVERYTHING).material_id == "LaNi5"
        assert [m.measurement_id for m in store.measurements(scope=NORTH, material_id="north-1")] == ["m5"]


@pytest.mark.parametrize("where", ["hstore.store.numbers.rebuild", "hstore.store.optimade.index.rebuild"])
def test_an_upgrade_that_fails_midway_leaves_the_old_store(first, database_url, monkeypatch, where):
    def fail(_):
        raise RuntimeError("the disk is full")

    before = content(first)
    with monkeypatch.context() as broken:
        broken.setattr(where, fail)
        with pytest.raises(RuntimeError, match="the disk is full"):
            open_store(database_url)
    assert content(first) == before
    with open_store(database_url) as store:
        assert_everything_is_there(store)


def test_a_newer_store_is_refused_with_what_to_do_and_left_alone(first, database_url, monkeypatch, tmp_path):
    from hstore_workflows.cli import main

    with for_writing(first).begin() as connection:
        connection.execute(text(f"UPDATE {migration.VERSION_TABLE} SET version_num = '9999'"))
    before = content(first)
    said = rf"schema '9999', newer than this hstore knows \(up to '{migration.HEAD}'\); update hstore, or choose "
    with pytest.raises(StoreError, match=said + "another HSTORE_DATABASE_URL"):
        open_store(database_url)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HSTORE_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["keys", "list"])
    assert done.exit_code == 1
    assert re.match(f"error: .*{said}", done.output)
    assert content(first) == before
