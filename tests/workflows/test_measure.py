"""Rows of measurements of a lab: read, placed, doubted, compared, and written once."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.records import Access, Prediction, Scope, Visibility
from hstore.store.lab_records import Author, RecordStateError
from hstore.store.measured import MeasurementFilter
from hstore_workflows.measure import mending
from hstore_workflows.measure.cells import read_day
from hstore_workflows.measure.comparing import disagreements
from hstore_workflows.measure.csv_rows import MAX_ROWS, check_csv, csv_rows
from hstore_workflows.measure.taking import take
from hstore_workflows.measure.template import template

NORTH, SOUTH = Scope(lab_id="north"), Scope(lab_id="south")
CAPACITY = "h2_capacity_wt_pct"


@pytest.fixture
def tell(store, build):
    """Tell rows in the name of a lab; the store holds a public LaNi5 and a private material of south."""
    store.add_materials(
        [build.material("pub:LaNi5"), build.material("south:secret", "TiFe", access=build.of("south"))]
    )

    def tell(*rows, lab="north", **access):
        access = Access(**({"lab_id": lab, "visibility": "lab"} | access))
        return take(store, rows, access=access, author=Author(lab, "k1"), scope=Scope(lab_id=lab))

    return tell


def the(taken):
    (verdict,) = taken.verdicts
    return verdict


def values(store, scope, **wanted):
    found = store.measured.page(MeasurementFilter(**wanted), scope=scope)
    return sorted(one.measurement.value.value for one in found)


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_day_counts_where_it_has_begun_anywhere():
    """A lab in the far east tells what it measured this morning, which UTC calls tomorrow."""
    easternmost = datetime.now(timezone(timedelta(hours=14))).date()
    assert read_day(easternmost.isoformat()) == easternmost
    with pytest.raises(InputError, match="and today"):
        read_day((easternmost + timedelta(days=1)).isoformat())


def test_long_and_wide_rows_say_the_same(store, tell):
    rows = [
        {"formula": "LaNi5", "property": CAPACITY, "value": 1.4, "standard_deviation": 0.05},
        {"formula": "LaNi5", CAPACITY: "1.4", "h2_capacity_wt_pct_std": "0.05"},
        {"formula": "LaNi5", "property": "h2_capacity", "value": "1.4", "unit": "wt%", "std": "0.05"},
        {"formula": "La2Ni10", "h2_capacity_wt_pct": 1.4, "standard_deviation": "0.05"},
    ]
    taken = tell(*rows)
    assert [v.verdict for v in taken.verdicts] == ["stored", "duplicate", "duplicate", "duplicate"]
    assert len({v.record_id for v in taken.verdicts}) == 1
    (stored,) = store.measured.page(MeasurementFilter(), scope=NORTH)
    value = stored.measurement.value
    assert (value.value, value.standard_deviation, value.kind) == (1.4, 0.05, "measured")
    assert (value.basis.capacity_definition, value.basis.mass_basis) == ("maximum", "hydrogenated_material")
    assert value.provenance.source == "lab north"
    assert stored.measurement.access == Access(lab_id="north", visibility="lab")


CONVERTED = [
    ({"desorption_enthalpy_kcal_per_mol_h2": 7.5}, "desorption_enthalpy_kj_per_mol_h2", 31.38, {}),
    ({"property": "plateau_pressure", "value": 2, "unit": "atm", "temperature_c": 25}, "plateau_pressure_bar",
     2.0265, {"temperature_k": 298.15}),
    ({"ln_peq_25C_atm": 0}, "plateau_pressure_bar", 1.01325, {"temperature_k": 298.15}),
    ({"conductivity_ms_cm": 1.0, "temperature_k": 300}, "log10_conductivity_s_per_cm", -3.0,
     {"temperature_k": 300.0}),
    ({"h2_uptake_mmol_g": 10, "temperature_k": 77, "pressure_atm": 1, "uptake_kind": "excess"},
     "h2_uptake_wt_pct", 2.01588, {"temperature_k": 77.0, "pressure_bar": 1.01325}),
    ({"usable_capacity_wt_pct": 4, "charge_pressure_mpa": 10, "charge_temperature_c": -196,
      "discharge_pressure_bar": 5, "discharge_temperature_k": 160}, "usable_capacity_wt_pct", 4.0,
     {"charge_pressure_bar": 100.0, "charge_temperature_k": 77.15}),
]  # fmt: skip


@only_sqlite
def test_units_become_canonical_and_the_verdict_says_so(store, tell):
    taken = tell(*({"formula": "C", **row} for row, *_ in CONVERTED))
    for (row, name, value, conditions), verdict in zip(CONVERTED, taken.verdicts, strict=True):
        assert (verdict.verdict, verdict.property) == ("stored", name), row
        assert verdict.value == pytest.approx(value)
        stored = store.measured.get(verdict.record_id, scope=NORTH).measurement.value.conditions.model_dump()
        assert {k: stored[k] for k in conditions} == pytest.approx(conditions)
        assert any("from" in note for note in verdict.notes), row


@only_sqlite
def test_an_uptake_in_moles_is_per_sorbent_and_what_is_not_stated_is_said(store, tell):
    row = {"formula": "C", "h2_uptake_mmol_g": 10, "temperature_k": 77, "pressure_bar": 1}
    verdict = the(tell(row))
    assert "mass_basis taken as sorbent" in verdict.notes
    assert any("uptake_kind is not stated" in note for note in verdict.notes)
    assert store.measured.page(MeasurementFilter(), scope=NORTH)[0].measurement.value.basis.mass_basis == "sorbent"


BAD_ROWS = [
    ({CAPACITY: 1.4}, "names no material"),
    ({"formula": "Xx2", CAPACITY: 1.4}, "unknown element 'Xx'"),
    ({"formula": "H2", CAPACITY: 1.4}, "hydrogen without a host"),
    ({"formula": "LaNi5"}, "tells no value"),
    ({"formula": "LaNi5", "h2_capacty": 1.4}, "not read: h2_capacty"),
    ({"formula": "LaNi5", CAPACITY: "much"}, "must be a number, got 'much'"),
    ({"formula": "LaNi5", CAPACITY: "nan"}, "must be finite"),
    ({"formula": "LaNi5", CAPACITY: 114}, r"a slip of unit would make it 0.114 .* or 1.14 \(/ 100\)"),
    ({"formula": "LaNi5", "property": "capacity of H", "value": 1}, "unknown property 'capacity of H'"),
    ({"formula": "LaNi5", "property": "h2_capacity", "value": 1}, "has no unit"),
    ({"formula": "LaNi5", "property": CAPACITY}, "has no value"),
    ({"formula": "LaNi5", "value": 1}, "has no property"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "h2_capacity_mmol_g": 7}, "two columns give h2_capacity_wt_pct"),
    ({"formula": "LaNi5", "plateau_pressure_bar": 2}, "means nothing without temperature_k"),
    ({"formula": "LaNi5", "plateau_pressure_bar": 2, "temperature_k": -3}, "at most 5000 K, got -3"),
    ({"formula": "LaNi5", "plateau_pressure_furlong": 2}, "unit that is not known"),
    ({"formula": "LaNi5", "peq_298.15K_bar": 2}, "with a whole temperature such as peq_298K_bar"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "mass_basis": "moles"}, "unknown mass_basis 'moles'"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "measured_on": "31.12.2025"}, "a day such as 2026-11-30"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "measured_on": "2999-01-01"}, "between 1900-01-01 and today"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "standard_deviation": -1}, "must be above 0, got -1"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "confirmed": "maybe"}, "must be yes or empty"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "note": "a\x00b"}, "without NUL"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "note": "a" * 2001}, "up to 2000 characters"),
    ({"formula": "LaNi5", CAPACITY: 1.4, "row_id": "a" * 201}, "row_id has 201 characters"),
    ({"material_id": "pub:LaNi5", "formula": "TiFe", CAPACITY: 1.4}, "'pub:LaNi5' is LaNi5, not 'TiFe'"),
]  # fmt: skip


@only_sqlite
def test_a_row_that_cannot_be_used_says_why_and_stops_no_other(store, tell):
    taken = tell(
        {"formula": "MgH2", CAPACITY: 7.0}, *(row for row, _ in BAD_ROWS), {"formula": "TiFe", CAPACITY: 1.5}
    )
    first, *bad, last = taken.verdicts
    assert (first.verdict, last.verdict) == ("stored", "stored")
    for (row, cause), verdict in zip(BAD_ROWS, bad, strict=True):
        assert verdict.verdict == "rejected", row
        assert re.search(cause, verdict.cause), (row, verdict.cause)
    assert values(store, NORTH) == [1.5, 7.0]


def test_told_again_nothing_is_doubled_and_a_repetition_has_a_name(store, tell):
    row = {"formula": "LaNi5", CAPACITY: 1.4, "measured_on": "2026-11-02"}
    first, again = the(tell(row)), the(tell(row))
    assert (again.verdict, again.record_id) == ("duplicate", first.record_id)
    named = [row | {"row_id": "A-1"}, row | {"row_id": "A-2"}]
    assert [v.verdict for v in tell(*named).verdicts] == ["stored", "stored"]
    changed = the(tell(row | {"row_id": "A-1", CAPACITY: 1.5}))
    assert changed.verdict == "rejected"
    assert "'A-1' was told before with other content" in changed.cause
    assert values(store, NORTH) == [1.4, 1.4, 1.4]


def test_two_labs_that_tell_the_same_know_nothing_of_each_other(store, tell):
    row = {"formula": "LaNi5", CAPACITY: 1.4, "row_id": "1"}
    north, south = the(tell(row)), the(tell(row, lab="south"))
    assert (north.verdict, south.verdict) == ("stored", "stored")
    assert north.record_id != south.record_id
    assert (north.material_id, south.material_id) == ("lab:north:LaNi5", "lab:south:LaNi5")
    assert not any("north" in note for note in south.notes)
    assert values(store, SOUTH) == [1.4]


def test_a_material_of_another_lab_is_as_if_it_were_not_there(store, tell):
    taken = tell(
        {"material_id": "south:secret", CAPACITY: 1.5}, {"material_id": "south:nothing", CAPACITY: 1.5},
        {"formula": "TiFe", CAPACITY: 1.5},
    )  # fmt: skip
    private, absent, own = taken.verdicts
    assert private.cause.replace("secret", "nothing") == absent.cause
    assert own.material_id == "lab:north:FeTi"
    assert not any("south" in note for note in own.notes)
    assert store.material("lab:north:FeTi", scope=SOUTH) is None


def test_a_private_value_may_belong_to_a_public_material(store, tell):
    verdict = the(tell({"material_id": "pub:LaNi5", CAPACITY: 1.4}))
    assert verdict.material_id == "pub:LaNi5"
    assert values(store, SOUTH) == []
    named = the(tell({"formula": "LaNi5", CAPACITY: 1.4}))
    assert named.material_id == "lab:north:LaNi5"
    assert any("same composition as pub:LaNi5" in note for note in named.notes)


@only_sqlite
def test_of_several_own_materials_the_lab_names_one(store, build, tell):
    store.add_materials([build.material(name, access=build.of("north")) for name in ("x1", "x2")])
    assert "fits 2 materials of your lab (x1, x2)" in the(tell({"formula": "LaNi5", CAPACITY: 1.4})).cause
    assert the(tell({"material_id": "x2", CAPACITY: 1.4})).material_id == "x2"


@only_sqlite
@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"formula": "LaNi5", CAPACITY: 14}, "H per metal atom"),
        ({"formula": "MgH2", CAPACITY: 8.5}, "more than all hydrogen of the formula, 7.66"),
        ({"formula": "LaNi5", "desorption_enthalpy_kj_per_mol_h2": -30}, "a change of sign would explain it"),
        ({"formula": "LaNi5", "desorption_entropy_j_per_mol_h2_k": 10}, "outside what has been measured"),
    ],
)
def test_what_can_hardly_be_true_waits_until_it_is_confirmed(store, tell, row, cause):
    held = the(tell(row))
    assert held.verdict == "held"
    assert cause in held.cause
    assert the(tell(row)).verdict == "held", "told again it waits still"
    assert values(store, NORTH) == []
    assert store.material(held.material_id, scope=NORTH) is None, "nor is its material made"
    assert mending.confirm(store, store.measured, held.record_id, author=Author("north"))
    assert len(values(store, NORTH)) == 1
    assert store.measured.held("north") == []
    assert the(tell(row)).verdict == "duplicate"
    assert not mending.confirm(store, store.measured, held.record_id, author=Author("north"))
    assert [event.action for event in store.measured.events([held.record_id])] == ["confirmed"]


@only_sqlite
def test_a_row_may_confirm_itself_and_a_held_one_may_be_dropped(store, tell):
    row = {"formula": "LaNi5", CAPACITY: 14}
    held = the(tell(row))
    mending.discard(store, store.measured, held.record_id, author=Author("north"))
    with pytest.raises(UnknownNameError, match="nothing held"):
        mending.discard(store, store.measured, held.record_id, author=Author("north"))
    assert the(tell(row)).record_id == held.record_id
    assert the(tell(row | {"confirmed": "yes"})).verdict == "stored"
    assert store.measured.held("north") == []


@only_sqlite
def test_nobody_confirms_for_another_lab(store, tell):
    held = the(tell({"formula": "LaNi5", CAPACITY: 14}))
    with pytest.raises(UnknownNameError):
        mending.confirm(store, store.measured, held.record_id, author=Author("south"))


@only_sqlite
def test_a_value_far_from_what_was_predicted_or_measured_is_held(store, build, tell):
    value = build.value(1.4, kind="predicted", lower=1.2, upper=1.6)
    store.add_predictions([Prediction(material_id="pub:LaNi5", value=value, model_id="m", in_domain=True)])
    assert "from what was predicted (1.4)" in the(tell({"material_id": "pub:LaNi5", CAPACITY: 3.0})).cause
    row = {"formula": "TiFe", "plateau_pressure_bar": 4.1, "temperature_k": 300}
    tell(row)
    slip = the(tell(row | {"plateau_pressure_bar": 4100}))
    assert slip.verdict == "held"
    assert "4.1 (/ 1000)" in slip.cause
    assert the(tell(row | {"plateau_pressure_bar": 41000, "temperature_k": 500})).verdict == "held", (
        "no store has it"
    )
    assert the(tell(row | {"plateau_pressure_bar": 400, "temperature_k": 500})).verdict == "stored", (
        "another state"
    )


@only_sqlite
def test_differences_are_noted_from_what_the_lab_may_see_alone(store, tell):
    tell({"formula": "TiFe", CAPACITY: 1.2}, lab="south")
    quiet = the(tell({"formula": "TiFe", CAPACITY: 1.6}))
    assert not any("differs" in note for note in quiet.notes)
    assert disagreements(store, scope=NORTH) == []
    for record in store.measured.page(MeasurementFilter(), scope=SOUTH):
        store.measured.publish(Author("south"), [record.measurement.measurement_id])
    loud = the(tell({"formula": "TiFe", CAPACITY: 1.7}))
    assert any("differs from" in note and "lab south" in note for note in loud.notes)
    (conflict,) = disagreements(store, scope=NORTH)
    assert (conflict.composition, sorted(v.value for v in conflict.values)) == ("FeTi", [1.2, 1.6, 1.7])
    assert disagreements(store, scope=SOUTH) == [], "what north measured is not public"
    assert disagreements(store, scope=NORTH, composition="LaNi5") == []


@only_sqlite
def test_noise_comes_from_repetitions_that_agree(store, tell):
    tell(*({"formula": "LaNi5", CAPACITY: v} for v in (1.40, 1.42)))
    tell(*({"formula": "TiFe", CAPACITY: v} for v in (1.2, 1.9)))
    (conflict,) = disagreements(store, scope=NORTH)
    assert conflict.noise.std == pytest.approx(0.02 / 2**0.5)


def test_a_correction_takes_the_place_and_keeps_what_it_does_not_change(store, tell):
    row = {"formula": "LaNi5", CAPACITY: 1.4, "sample": "b7", "row_id": "A", "temperature_k": 298.15}
    told = the(tell(row))

    def correct(record_id, **changes):
        return mending.correct(store, record_id, changes, why="mass", author=Author("north"), scope=NORTH)

    fixed = correct(told.record_id, value=1.3, standard_deviation=0.02)
    assert values(store, NORTH) == [1.3]
    new = store.measured.get(fixed.record_id, scope=NORTH).measurement
    assert new.replaces == told.record_id
    assert (new.value.provenance.sample, new.value.conditions.temperature_k) == ("b7", 298.15)
    assert correct(told.record_id, value=1.3, standard_deviation=0.02).verdict == "duplicate"
    with pytest.raises(RecordStateError, match=f"corrected by '{fixed.record_id}'"):
        correct(told.record_id, value=1.2)
    with pytest.raises(InputError, match="says what is stored"):
        correct(fixed.record_id, note="")
    celsius = correct(fixed.record_id, temperature_c=100)
    found = store.measured.get(celsius.record_id, scope=NORTH).measurement.value
    assert (found.value, found.conditions.temperature_k) == (1.3, 373.15)
    again = the(tell(row))
    assert again.verdict == "duplicate"
    assert "corrected by" in again.cause
    with pytest.raises(UnknownNameError):
        mending.correct(store, told.record_id, {"value": 2}, why="", author=Author("south"), scope=SOUTH)


@only_sqlite
def test_a_correction_that_can_hardly_be_true_is_held_and_may_be_confirmed(store, tell):
    told = the(tell({"formula": "LaNi5", CAPACITY: 1.4}))
    author = Author("north")
    held = mending.correct(store, told.record_id, {"value": 14}, why="x", author=author, scope=NORTH)
    assert (held.verdict, values(store, NORTH)) == ("held", [1.4])
    mending.confirm(store, store.measured, held.record_id, author=author)
    assert values(store, NORTH) == [14.0]
    second = mending.correct(store, held.record_id, {"value": 15}, why="x", author=author, scope=NORTH)
    mending.retract(store, store.measured, held.record_id, why="no", author=author)
    with pytest.raises(RecordStateError, match="retracted meanwhile"):
        mending.confirm(store, store.measured, second.record_id, author=author)
    with pytest.raises(RecordStateError, match="was retracted"):
        mending.correct(store, held.record_id, {"value": 1}, why="x", author=author, scope=NORTH)


def test_embargo_and_publication_open_the_material_too(store, tell):
    day = datetime.now(UTC).date() + timedelta(days=30)
    verdict = the(tell({"formula": "TiFe", CAPACITY: 1.5}, embargo_until=day))
    later = Scope(lab_id="south", today=day)
    assert values(store, SOUTH) == []
    assert values(store, later, composition="FeTi") == [1.5]
    assert store.material(verdict.material_id, scope=later).formula == "TiFe"
    tell({"formula": "TiFe", CAPACITY: 1.6, "note": "open"}, visibility=Visibility.PUBLIC)
    assert values(store, SOUTH, composition="FeTi") == [1.6]
    with pytest.raises(InputError, match="must lie in the future"):
        tell({"formula": "TiFe", CAPACITY: 1.5}, embargo_until=date(2020, 1, 1))


@only_sqlite
def test_every_write_is_in_the_audit_log_and_no_other_request(store, tell):
    told = the(tell({"formula": "LaNi5", CAPACITY: 1.4}))
    tell({"formula": "LaNi5", CAPACITY: 1.4})
    author = Author("north", "k1", "r9")
    mending.publish(store, store.measured, [told.record_id], on=None, author=author)
    mending.publish(store, store.measured, [told.record_id], on=None, author=author)
    mending.retract(store, store.measured, told.record_id, why="x", author=author)
    entries = store.audit.entries()
    actions = ["measurements.retract", "measurements.publish", "measurements.create"]
    assert [entry.action for entry in entries] == actions
    assert {(entry.lab_id, tuple(entry.subjects)) for entry in entries} == {("north", (told.record_id,))}
    assert entries[0].request_id == "r9"


@only_sqlite
def test_thousands_of_rows_are_written_in_chunks_and_a_retry_writes_what_is_missing(store, tell):
    rows = [{"formula": "LaNi5", CAPACITY: 1.4, "row_id": str(place)} for place in range(1103)]
    broken = iter([*rows[:1050], None])
    with pytest.raises(AttributeError):  # the sender goes away in the middle
        tell(*broken)
    taken = tell(*rows[:1002])
    assert taken.counts["duplicate"] + taken.counts["stored"] == 1002
    assert tell(*rows).counts == {"stored": 101, "duplicate": 1002, "held": 0, "rejected": 0}
    found = store.measured.page(MeasurementFilter(), scope=NORTH, limit=2000)
    assert len(found) == 1103


@only_sqlite
def test_a_lab_is_needed(store):
    with pytest.raises(InputError, match="belong to a lab"):
        take(store, [{}], access=Access(), author=Author("north"), scope=NORTH)


def csv(text):
    return io.BytesIO(text if isinstance(text, bytes) else text.encode())


def test_a_csv_is_read_as_it_stands():
    table = csv('\ufeffformula, note\r\nLaNi5,"a, ""b"""\r\n\r\nTiFe,x,more\r\n')
    check_csv(table)
    assert list(csv_rows(table)) == [
        {"formula": "LaNi5", "note": 'a, "b"'}, {"formula": "TiFe", "note": "x", "surplus_cells": "more"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no column names"),
        ("formula\n", "no data rows"),
        ("formula,formula\nA,B\n", "'formula' stands twice"),
        ("# formula: x\nA\n", "is a remark"),
        (b"formula\n\xff\xfe\n", "not UTF-8"),
        ("formula\n" + "a" * 200_000, "line 2 is no CSV"),
        (",".join(f"c{i}" for i in range(201)) + "\nx\n", "201 columns"),
        ("a\n" + "1\n" * (MAX_ROWS + 1), "over 50,000 rows"),
    ],
    ids=["empty", "no rows", "twice", "remark", "latin", "long", "wide", "many"],
)
def test_a_csv_that_cannot_be_read_is_refused_as_a_whole(text, cause):
    with pytest.raises(InputError, match=cause):
        check_csv(csv(text))


def test_the_command_takes_a_table_and_says_what_became_of_it(hstore, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_DATABASE_URL", f"sqlite:///{tmp_path / 'own.sqlite'}")
    path = tmp_path / "results.csv"
    path.write_text(hstore("measure", "template").stdout)
    assert path.read_text() == template()
    with path.open("a") as table:
        table.write("LaNi5,h2_capacity,14,wt%,,298,20,2026-11-02,,,,B\n")
    done = hstore("measure", path, "--lab", "North", "--publish-on", "2999-01-01", "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["counts"]) == (0, {"stored": 2, "duplicate": 0, "held": 1, "rejected": 0})
    assert {v["material_id"] for v in answer["verdicts"]} == {"lab:north:LaNi5"}
    words = hstore("measure", path, "--lab", "north")
    assert "2 duplicate: told before" in words.stdout
    assert "row 3 (LaNi5) held: h2_capacity_wt_pct 14 would be" in words.stderr
    path.write_text("formula\nLaNi5\n")
    assert hstore("measure", path).exit_code == 1
    assert hstore("measure", tmp_path / "none.csv").exit_code == 2


def test_the_command_takes_isotherms(hstore, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_DATABASE_URL", f"sqlite:///{tmp_path / 'own.sqlite'}")
    path = tmp_path / "iso.csv"
    path.write_text(hstore("measure", "template", "--isotherms").stdout)
    done = hstore("measure", path, "--isotherms")
    assert (done.exit_code, "1 stored" in done.stdout) == (0, True)
