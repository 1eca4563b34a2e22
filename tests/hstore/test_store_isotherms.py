"""What labs told, in both databases: who sees it, what becomes of it, and what waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from hstore.errors import StoreError, UnknownNameError
from hstore.records import PUBLIC_SCOPE, Branch, MeasuredIsotherm, Provenance, Scope
from hstore.store.isotherms import IsothermFilter
from hstore.store.lab_records import Author, Held, RecordStateError
from hstore.store.measured import MeasurementFilter

NORTH, SOUTH = Scope(lab_id="north"), Scope(lab_id="south")
AUTHOR = Author("north", "k1", "r1")
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
POINTS = ((0.1, 0.5), (1.0, 1.2), (10.0, 3.4))


def isotherm(name="i1", material_id="m1", lab="north", **fields):
    fields = {"temperature_k": 77.0, "branch": Branch.ADSORPTION, "uptake_kind": "excess", "mass_basis": "sorbent",
              "points": POINTS, "provenance": Provenance(source="test", sample="a")} | fields  # fmt: skip
    access = {"lab_id": lab, "visibility": "lab"}
    return MeasuredIsotherm(isotherm_id=name, material_id=material_id, access=access, **fields)


@pytest.fixture
def put(store, build):
    """Write isotherms of materials m1 (public) and m2 (of north)."""
    store.add_materials([build.material("m1"), build.material("m2", "MgH2", access=build.of("north"))])

    def write(*isotherms):
        with store.database.writing("isotherms") as connection:
            store.isotherms.put(connection, isotherms)

    return write


def test_an_isotherm_comes_back_as_it_went_in_and_only_to_its_lab(store, put):
    told = isotherm(measured_on=date(2026, 11, 2))
    put(told, isotherm("i2", lab="south"))
    stored = store.isotherms.get("i1", scope=NORTH)
    assert stored.isotherm == told
    assert stored.formula == "LaNi5"
    assert datetime.now(UTC) - stored.state.recorded_at < timedelta(minutes=1)
    for scope in (SOUTH, PUBLIC_SCOPE):
        assert store.isotherms.get("i1", scope=scope) is None
    assert [s.isotherm.isotherm_id for s in store.isotherms.page(IsothermFilter(), scope=SOUTH)] == ["i2"]


def test_pages_of_isotherms_follow_each_other_and_filter(store, put):
    put(*(isotherm(f"i{place}", "m2" if place == 3 else "m1") for place in range(5)))
    first = store.isotherms.page(IsothermFilter(), scope=NORTH, limit=2)
    rest = store.isotherms.page(IsothermFilter(), scope=NORTH, after=first[-1].isotherm.isotherm_id)
    assert [s.isotherm.isotherm_id for s in (*first, *rest)] == ["i0", "i1", "i2", "i3", "i4"]
    for wanted in (IsothermFilter(material_id="m2"), IsothermFilter(composition="H2Mg")):
        assert [s.isotherm.isotherm_id for s in store.isotherms.page(wanted, scope=NORTH)] == ["i3"]
    assert store.isotherms.page(IsothermFilter(lab_id="south"), scope=NORTH) == []


def test_what_cannot_be_an_isotherm_is_no_record():
    with pytest.raises(ValidationError, match=r"pressures must rise.*1.0 bar before 1.0 bar"):
        isotherm(points=((0.5, 0), (1.0, 1), (1.0, 2)))
    for points in (POINTS[:2], ((0.0, 0.0), *POINTS)):
        with pytest.raises(ValidationError):
            isotherm(points=points)


def test_an_isotherm_needs_its_material_and_is_never_changed(store, put):
    put(isotherm())
    with pytest.raises(StoreError, match="'nothing'"):
        put(isotherm("i2", "nothing"))
    with pytest.raises(StoreError, match="'i1' is stored already"):
        put(isotherm(temperature_k=87.0))


def test_publishing_shows_the_record_and_the_material_it_needs(store, put):
    put(isotherm("i1", "m2"), isotherm("i2", "m2"))
    assert store.material("m2", scope=SOUTH) is None
    words = store.isotherms.publish(AUTHOR, ["i1", "i9"], on=TOMORROW)
    assert words == {"i1": "scheduled"}
    assert store.isotherms.get("i1", scope=SOUTH) is None
    later = Scope(lab_id="south", today=TOMORROW)
    assert store.isotherms.get("i1", scope=later).formula == "MgH2"
    assert store.isotherms.publish(AUTHOR, ["i1"]) == {"i1": "published"}
    assert store.material("m2", scope=SOUTH).access.lab_id == "north"
    assert store.isotherms.publish(AUTHOR, None) == {"i2": "published"}
    assert store.isotherms.publish(AUTHOR, ["i1"], on=TOMORROW) == {"i1": "public"}, "it cannot be undone"
    assert [event.action for event in store.isotherms.events(["i1"])] == ["scheduled", "published"]


def test_nobody_publishes_or_retracts_what_belongs_to_others(store, put):
    put(isotherm())
    south = Author("south")
    assert store.isotherms.publish(south, ["i1"]) == {}
    assert store.isotherms.publish(south, None) == {}
    with pytest.raises(UnknownNameError) as private:
        store.isotherms.retract(south, "i1", "no")
    with pytest.raises(UnknownNameError) as absent:
        store.isotherms.retract(south, "i7", "no")
    assert str(private.value).replace("i1", "i7") == str(absent.value)


def test_a_retracted_record_stays_and_is_left_out(store, put):
    put(isotherm(), isotherm("i2"))
    assert store.isotherms.retract(AUTHOR, "i1", "leak")
    assert not store.isotherms.retract(AUTHOR, "i1", "again"), "once is enough"
    assert [s.isotherm.isotherm_id for s in store.isotherms.page(IsothermFilter(), scope=NORTH)] == ["i2"]
    everything = store.isotherms.page(IsothermFilter(include_replaced=True), scope=NORTH)
    assert [s.state.retracted_at is None for s in everything] == [False, True]
    assert store.isotherms.events(["i1"])[0].detail == {"why": "leak"}


def test_a_corrected_measurement_is_retracted_by_its_correction(store, build):
    store.add_materials([build.material()])
    own = build.of("north")
    store.add_measurements(
        [build.measurement("a", access=own), build.measurement("b", 1.5, replaces="a", access=own)]
    )
    with pytest.raises(RecordStateError, match="corrected by 'b'"):
        store.measured.retract(AUTHOR, "a", "no")
    assert store.measured.retract(AUTHOR, "b", "no")
    assert store.measured.page(MeasurementFilter(), scope=NORTH) == []
    assert list(store.measurements(scope=NORTH)) == []
    assert store.measured.chain("b", scope=NORTH) == store.measured.chain("a", scope=NORTH) == ["a", "b"]


def test_a_published_value_brings_its_correction_along(store, build):
    store.add_materials([build.material()])
    own = build.of("north")
    store.add_measurements(
        [build.measurement("a", access=own), build.measurement("b", 1.5, replaces="a", access=own)]
    )
    assert store.measured.publish(AUTHOR, ["a"]) == {"a": "published", "b": "published"}
    assert [s.measurement.measurement_id for s in store.measured.page(MeasurementFilter(), scope=SOUTH)] == ["b"]
    assert store.measured.get("a", scope=SOUTH).state.corrected_by == "b"


def test_numbers_of_materials_follow_what_labs_do(store, build):
    store.add_materials([build.material()])
    store.add_measurements([build.measurement("a", access=build.of("north"))])
    seen = store.measured.known_values({"LaNi5"}, {"h2_capacity_wt_pct"}, scope=SOUTH)[0]
    assert seen == []
    store.measured.publish(AUTHOR, ["a"])
    assert [
        known.value for known in store.measured.known_values({"LaNi5"}, {"h2_capacity_wt_pct"}, scope=SOUTH)[0]
    ] == [1.4]
    with store.database.connected("read") as connection:
        rows = connection.exec_driver_sql("SELECT origin, visibility FROM material_numbers").all()
    assert [tuple(row) for row in rows] == [("a", "public")]
    store.measured.retract(AUTHOR, "a", "no")
    with store.database.connected("read") as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM material_numbers").scalar() == 0


def test_held_records_wait_for_their_lab_alone(store):
    held = Held("i9", "isotherms", datetime.now(UTC), "too much", {"x": 1}, None)
    with store.database.writing("held") as connection:
        store.isotherms.hold(connection, AUTHOR, [held])
        store.isotherms.hold(connection, AUTHOR, [held])
    assert store.isotherms.held("north") == [held]
    assert store.isotherms.held("south") == store.measured.held("north") == []
    assert store.isotherms.held_record("south", "i9") is None
    with store.database.writing("held") as connection:
        assert store.isotherms.discard(connection, "south", ["i9"]) == 0
        assert store.isotherms.discard(connection, "north", ["i9"]) == 1
    assert store.isotherms.held("north") == []
