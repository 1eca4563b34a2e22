"""Results of labs: every row gets a verdict, nothing is lost, and nothing is overwritten."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore_workflows.campaign import story
from hstore_workflows.campaign.config import CampaignConfig
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.result_rows import read_headers
from hstore_workflows.campaign.results import VERDICTS, Result
from hstore_workflows.measure.cells import text_cells
from hstore_workflows.measure.units import read_header, unit_conversion
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, alloys, run, write_results

PRESSURE = "plateau_pressure_bar"
SIGMA = "log10_conductivity_s_per_cm"


def tell(settings, *rows, lab="", name="alloys"):
    return story.observe(settings, name, list(rows), lab=lab).verdicts


def words(verdicts):
    return [verdict.verdict for verdict in verdicts]


def read_row(objective=COMMON, conditions=None, **cells):
    """Read one row for a campaign that looks for something."""
    config = CampaignConfig(objective, conditions=conditions or {})
    cells = text_cells({"material_id": "m", **cells})
    return read_headers(cells, config, source="rows").row(1, cells, lab="", source="rows", at="").told


def test_each_row_of_a_table_gets_its_verdict_and_none_is_lost(campaign, tmp_path):
    ids = [p.material_id for p in story.propose(campaign, "alloys", n=6, lab="north")]
    rows = [
        f"{ids[0]},1.1,30,", f"{ids[1]},,31,", f"{ids[2]},FAILED: crucible broke,,", "nobody,1.0,,",
        f"{ids[3]},nan,,",
        f"{ids[3]},,,", f"{ids[3]},about one,,", f"{ids[0]},1.1,30,", f"{ids[4]},480,,", f"{ids[3]},1.4,,fine",
        f"{ids[5]},1.2,,a,b",
    ]  # fmt: skip
    path = write_results(tmp_path / "r.csv", rows, f"material_id,value,{ENTHALPY},note")
    observed = story.observe(campaign, "alloys", path, lab="north")
    assert words(observed.verdicts) == [
        "taken", "partial", "failed", "rejected", "rejected", "rejected", "rejected", "duplicate", "held", "taken",
        "rejected",
    ]  # fmt: skip
    causes = {v.row: v.cause for v in observed.verdicts}
    for row, word in {
        2: f"still to be measured: {CAPACITY}", 4: "not in the campaign's pool", 5: "finite", 6: "no value of",
        7: "number", 8: "says the same", 9: "[0, 25]", 11: "quote cells",
    }.items():  # fmt: skip
        assert word in causes[row], row
    status = story.status(campaign, "alloys")
    assert status.counts["measured"] == 2
    assert len(status.rejected_rows) == 5
    assert next(iter(status.held_rows.values()))["cause"].startswith(CAPACITY)
    assert status.rejected_rows[0]["cells"]["value"] == "1.0"
    failed = status.standing.experiments_of(ids[2])[0]
    assert failed.failed == "crucible broke"
    assert status.standing.entries_of(ids[3])[0].told[0].notes == ("fine",)
    assert (observed.measured, observed.failed) == (3, 1)


def test_the_same_file_told_twice_changes_nothing(campaign, tmp_path):
    ids = [p.material_id for p in story.propose(campaign, "alloys", n=4)]
    rows = [f"{ids[0]},1.1", f"{ids[1]},failed", "nobody,1", f"{ids[2]},480", f"{ids[3]},1.3"]
    path = write_results(tmp_path / "r.csv", rows)
    first = story.observe(campaign, "alloys", path)
    before = story.status(campaign, "alloys")
    again = story.observe(campaign, "alloys", path)
    after = story.status(campaign, "alloys")
    assert words(first.verdicts) == ["taken", "failed", "rejected", "held", "taken"]
    assert words(again.verdicts) == ["duplicate", "duplicate", "rejected", "held", "duplicate"]
    assert len(after.standing) == len(before.standing)
    assert (after.rejected_rows, after.held_rows) == (before.rejected_rows, before.held_rows)
    assert [v.kept_row for v in again.verdicts] == [v.kept_row for v in first.verdicts]


def test_two_labs_that_tell_different_values_are_both_kept_and_shown(campaign):
    (verdict,) = tell(campaign, {"material_id": "a001", "value": 1.1}, lab="north")
    assert verdict.verdict == "taken"
    (verdict,) = tell(campaign, {"material_id": "a001", "value": 1.5}, lab="south")
    assert verdict.verdict == "conflict"
    assert "1.1 (experiment 0, north), 1.5 (experiment 1, south)" in verdict.cause
    assert "1.3 is used" in verdict.cause
    (conflict,) = story.status(campaign, "alloys").standing.conflicts()
    assert [(r.lab, r.value) for r in conflict.readings] == [("north", 1.1), ("south", 1.5)]
    assert conflict.mean == pytest.approx(1.3)
    story.retract(campaign, "alloys", 1, why="gas leak", lab="south")
    assert story.status(campaign, "alloys").standing.conflicts() == []
    assert "conflict" not in run("status", "alloys").stdout


def test_stated_uncertainties_decide_what_is_a_conflict(campaign):
    tell(campaign, {"material_id": "a001", "value": 1.1, "value_std": 0.15}, lab="north")
    assert words(tell(campaign, {"material_id": "a001", "value": 1.5, "value_std": 0.15}, lab="south")) == [
        "replicate"
    ]
    tell(campaign, {"material_id": "a002", "value": 1.10, "value_std": 0.001}, lab="north")
    assert words(tell(campaign, {"material_id": "a002", "value": 1.11, "value_std": 0.001}, lab="south")) == [
        "conflict"
    ]


def test_a_replicate_of_the_same_lab_with_the_same_value_needs_its_label(campaign):
    row = {"material_id": "a001", "value": 1.1}
    second = {**row, "replicate": "second"}
    verdicts = tell(campaign, row, row, second, second, lab="n")
    assert words(verdicts) == ["taken", "duplicate", "replicate", "duplicate"]


def test_new_columns_of_a_row_told_before_are_taken(campaign):
    tell(campaign, {"material_id": "a001", "value": 1.1}, lab="north")
    (verdict,) = tell(campaign, {"material_id": "a001", "value": 1.1, ENTHALPY: 33}, lab="north")
    assert (verdict.verdict, dict(verdict.values)) == ("taken", {ENTHALPY: 33.0})


def test_a_failure_in_one_lab_and_a_success_in_another_are_both_kept(campaign):
    assert words(tell(campaign, {"material_id": "a001", "failed": "yes"}, lab="north")) == ["failed"]
    (verdict,) = tell(campaign, {"material_id": "a001", "value": 1.2}, lab="south")
    assert verdict.verdict == "taken"
    assert "experiment 0 had failed" in verdict.cause
    (verdict,) = tell(campaign, {"material_id": "a001", "failed": "no phase"}, lab="east")
    assert verdict.verdict == "conflict"
    history = story.status(campaign, "alloys").standing.history({"a001": 1})
    assert history.results == {1: {CAPACITY: 1.2}}
    assert history.failed == []


def test_a_result_of_another_lab_leaves_the_one_under_way_alone(campaign):
    (proposal,) = story.propose(campaign, "alloys", n=1, lab="north")
    tell(campaign, {"material_id": proposal.material_id, "value": 1.2}, lab="south")
    counts = story.status(campaign, "alloys").counts
    assert (counts["pending"], counts["measured"]) == (1, 1)
    tell(campaign, {"material_id": proposal.material_id, "value": 1.21}, lab="north")
    assert story.status(campaign, "alloys").counts["pending"] == 0


def test_a_value_far_from_everything_is_held_until_it_is_confirmed(campaign):
    hundred_sigma = 1.2 + 100 * 0.15
    (verdict,) = tell(campaign, {"material_id": "a001", "value": hundred_sigma}, lab="north")
    assert verdict.verdict == "held"
    assert "standard deviations from what was predicted" in verdict.cause
    assert story.status(campaign, "alloys").standing.values("a001") == {}
    shown = run("status", "alloys").stdout
    assert f"held row {verdict.kept_row}" in shown
    done = run("confirm", "alloys", verdict.kept_row, "--json")
    assert done.exit_code == 0, done.output
    assert story.status(campaign, "alloys").standing.values("a001") == {CAPACITY: hundred_sigma}
    assert story.status(campaign, "alloys").held_rows == {}
    again = run("confirm", "alloys", verdict.kept_row)
    assert again.exit_code == 2
    assert "no row is held" in again.output


def test_a_second_lab_confirms_what_was_held_but_not_what_cannot_be(campaign):
    assert words(tell(campaign, {"material_id": "a001", "value": 15.0}, lab="north")) == ["held"]
    assert words(tell(campaign, {"material_id": "a001", "value": 15.0}, lab="north")) == ["held"], "the same lab"
    (verdict,) = tell(campaign, {"material_id": "a001", "value": 15.2}, lab="south")
    assert verdict.verdict == "replicate"
    assert "confirms row 0 that was held, now experiment 0" in verdict.cause
    assert story.status(campaign, "alloys").standing.values("a001")[CAPACITY] == pytest.approx(15.1)
    assert words(tell(campaign, {"material_id": "a002", "value": 140.0}, lab="north")) == ["held"]
    assert words(tell(campaign, {"material_id": "a002", "value": 140.0}, lab="south")) == ["held"], "a shared slip"


def test_a_held_value_is_settled_when_its_lab_tells_the_right_one(campaign):
    (held,) = tell(campaign, {"material_id": "a001", "value": 110.0}, lab="north")
    assert "a slip of unit would make it 1.1 (/ 100)" in held.cause
    assert words(tell(campaign, {"material_id": "a001", "value": 1.1}, lab="north")) == ["taken"]
    assert story.status(campaign, "alloys").held_rows == {}


def test_a_slip_of_kilocalories_is_named(campaign):
    row = alloys()[f"{ENTHALPY}_mean"].iloc[1] * 4.184 * 4.184
    (verdict,) = tell(campaign, {"material_id": "a001", ENTHALPY: row}, lab="north")
    assert verdict.verdict == "held"
    assert tell(campaign, {"material_id": "a001", ENTHALPY: 30, "unit": ""}, lab="north")[0].verdict == "partial"


def test_without_predictions_only_what_was_measured_says_what_is_far(settings, tmp_path):
    source = tmp_path / "pool.csv"
    alloys()[["material_id", "formula"]].to_csv(source, index=False)
    story.begin(settings, "own", source, Objective.maximizing("merit"))
    rows = [{"material_id": f"a{k:03d}", "merit": 1.5 + 0.01 * k} for k in range(10)]
    rows += [{"material_id": "a020", "merit": 3.0}, {"material_id": "a021", "merit": 150.0}]
    assert words(tell(settings, *rows, name="own")) == ["taken"] * 11 + ["held"]


def test_a_correction_in_a_table_names_the_experiment(campaign):
    tell(campaign, {"material_id": "a001", "value": 1.1}, lab="north")
    verdicts = tell(
        campaign,
        {"material_id": "a001", "value": 1.3, "corrects": 0, "why": "typed wrongly"},
        {"corrects": 0, "value": 1.3, "why": "told twice"},
        {"material_id": "a002", "value": 1.3, "corrects": 0},
        {"material_id": "a001", "value": 1.3, "corrects": 7},
        {"corrects": 0, "value": 20.0, "why": "measured again"},
        lab="north",
    )
    assert words(verdicts) == ["correction", "duplicate", "rejected", "rejected", "held"]
    assert "about 'a001', not 'a002'" in verdicts[2].cause
    assert "numbers go from 0 to 1" in verdicts[3].cause
    assert story.confirm(campaign, "alloys", verdicts[4].kept_row).verdict == "correction"
    assert words(tell(campaign, {"retracts": 0, "why": "wrong sample"}, lab="north")) == ["retraction"]
    assert words(tell(campaign, {"corrects": 0, "value": 1.2}, lab="north")) == ["rejected"]


def test_results_are_found_by_formula_and_unproposed_ones_are_taken(campaign):
    table = alloys()
    verdicts = tell(
        campaign,
        {"formula": table["formula"][7], "value": 1.3},
        {"formula": table["formula"][8], "value": 1.1},
        {"formula": "LaNi5", "value": 1.4},
        {"formula": "La(", "value": 1},
    )
    assert words(verdicts) == ["taken", "taken", "rejected", "rejected"]
    assert ["LaNi5" in verdicts[2].cause, "La(" in verdicts[3].cause] == [True, True]
    entries = story.status(campaign, "alloys").standing.all_entries()
    assert [e.material_id for e in entries] == ["a007", "a008"]
    assert "not proposed" in entries[0].attributes["reason"]


def test_a_formula_that_fits_two_materials_needs_an_id_unless_one_is_under_way(settings, tmp_path):
    source = tmp_path / "pool.csv"
    source.write_text("material_id,formula\nmp-1,TiFe\nmp-2,TiFe\nmp-3,LaNi5\n")
    story.begin(settings, "two", source, Objective.maximizing(CAPACITY))
    row = {"formula": "TiFe", "value": 1.8}
    assert "give the material_id" in tell(settings, row, name="two")[0].cause
    tell(settings, {"material_id": "mp-1", "value": "failed"}, name="two")
    assert tell(settings, row, name="two")[0].material_id == "mp-2", "the one without an answer"


@pytest.mark.parametrize(
    ("column", "header", "unit", "value", "expected"),
    [
        (ENTHALPY, "value", "kcal/mol", 10.0, 41.84),
        (ENTHALPY, "value", "kJ/mol H2", 30.0, 30.0),
        (ENTHALPY, "value", "kJ/mol H", 15.0, 30.0),
        (ENTHALPY, "enthalpy_kcal_per_mol_h2", "", 10.0, 41.84),
        (ENTHALPY, "Enthalpy (kJ/mol)", "", 30.0, 30.0),
        (CAPACITY, "value", "mass fraction", 0.014, 1.4),
        (CAPACITY, "value", "%", 1.4, 1.4),
        (CAPACITY, "h2_capacity_fraction", "", 0.014, 1.4),
        (PRESSURE, "value", "atm", 2.0, 2.0265),
        (PRESSURE, "plateau_pressure_atm", "", 2.0, 2.0265),
        (PRESSURE, "plateau_pressure_MPa", "", 0.2, 2.0),
        (PRESSURE, "ln_peq_25C_atm", "", math.log(2.0), 2.0265),
        (SIGMA, "value", "mS/cm", 1.0, -3.0),
        (SIGMA, "value", "S/cm", 1e-4, -4.0),
        (SIGMA, "conductivity_S_cm", "", 1e-4, -4.0),
        ("usable_capacity_g_per_l", "value", "kg/m3", 40.0, 40.0),
        ("usable_capacity_g_per_l", "usable_capacity_g_per_cm3", "", 0.04, 40.0),
        ("energy_above_hull_ev_per_atom", "value", "meV/atom", 25.0, 0.025),
        ("activation_energy_ev", "value", "kJ/mol", 96.48533, 1.0),
    ],
)
def test_units_are_converted_and_the_verdict_says_so(column, header, unit, value, expected):
    told = read_row(Objective.maximizing(column), **{header: value, **({"unit": unit} if unit else {})})
    assert told.values[column] == pytest.approx(expected, rel=1e-6)
    assert bool(told.notes) == (told.values[column] != value)


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        (ENTHALPY, {"value": 30, "unit": "furlong"}, "'furlong' is no known unit"),
        (CAPACITY, {"value": 30, "unit": "GPa"}, "'GPa' is no known unit of h2_capacity_wt_pct; known are wt%"),
        ("merit", {"value": 30, "unit": "bar"}, "column of your own; leave the unit empty"),
        (ENTHALPY, {"desorption_enthalpy_furlongs": 3}, "unit that is not known"),
        (SIGMA, {"value": -4, "unit": "S/cm"}, "has no logarithm"),
        (CAPACITY, {"value": 1.4, "value_std": 0}, "value_std must be above 0"),
        (CAPACITY, {"value": 1.4, "value_lower": 2, "value_upper": 1}, "value_lower must be below value_upper"),
        (CAPACITY, {"value": 1.4, CAPACITY: 1.5}, "two columns give"),
        (CAPACITY, {"value": float("inf")}, "finite"),
        (CAPACITY, {"value": 1.4, "corrects": "first"}, "number of an experiment"),
        (CAPACITY, {"value": 1.4, "lab": "a/b"}, "lab name"),
    ],
)
def test_what_cannot_be_meant_is_explained(column, cells, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_row(Objective.maximizing(column), **cells)


def test_uncertainties_come_as_deviations_or_intervals_in_the_unit_of_the_value():
    assert read_row(Objective.maximizing(ENTHALPY), value=10, unit="kcal/mol", value_std=1).stds == {
        ENTHALPY: pytest.approx(4.184)
    }
    told = read_row(Objective.maximizing(CAPACITY), value=1.4, value_lower=1.2, value_upper=1.6)
    assert told.stds[CAPACITY] == pytest.approx(0.2 / 1.6449, rel=1e-4)
    told = read_row(Objective.maximizing(SIGMA), conductivity_S_cm=1e-4, conductivity_S_cm_std=1e-5)
    assert told.stds[SIGMA] == pytest.approx(math.log10(1.1))


@pytest.mark.parametrize(
    ("cells", "fine"),
    [
        ({"temperature_k": 298.15}, True),
        ({"temperature_c": 25}, True),
        ({"temperature_k": 373}, False),
        ({"temp_C": 100}, False),
        ({"peq_25C_atm": 2}, True),
        ({"peq_100C_atm": 2}, False),
        ({}, True),
    ],
)
def test_results_at_other_conditions_than_the_campaigns_are_refused(cells, fine):
    held = {"temperature_k": 298.0}
    cells = cells if "peq" in " ".join(cells) else {**cells, "value": 2.0}
    if fine:
        assert read_row(Objective.maximizing(PRESSURE), held, **cells).values
    else:
        with pytest.raises(InputError, match=r"measured at temperature_k 373.*compares at 298"):
            read_row(Objective.maximizing(PRESSURE), held, **cells)


def test_programs_tell_values_with_intervals(campaign):
    fitted = Result(
        "a001", {CAPACITY: 1.2}, intervals={CAPACITY: (1.0, 1.4)}, lab="north", conditions={"temperature_k": 298.0}
    )
    failed = Result("a002", failed="", lab="north")
    assert words(tell(campaign, fitted, failed)) == ["taken", "failed"]
    told = story.status(campaign, "alloys").standing.entries_of("a001")[0].told[0]
    assert told.stds[CAPACITY] == pytest.approx(0.2 / 1.6449, rel=1e-4)
    assert dict(told.conditions) == {"temperature_k": 298.0}


def test_tables_of_every_kind_tell_the_same(campaign, tmp_path):
    frame = pd.DataFrame({"material_id": ["a001", "a002"], "value": [1.2, np.nan], ENTHALPY: [np.nan, 30.0]})
    frame.to_parquet(tmp_path / "r.parquet")
    assert words(story.observe(campaign, "alloys", tmp_path / "r.parquet").verdicts) == ["taken", "partial"]
    assert words(story.observe(campaign, "alloys", frame).verdicts) == ["duplicate", "duplicate"]


def test_columns_that_are_not_read_are_named(campaign, tmp_path):
    path = write_results(tmp_path / "r.csv", ["a001,1.2,blue"], "material_id,value,colour")
    assert story.observe(campaign, "alloys", path).ignored == ("colour",)


@pytest.mark.parametrize("columns", ["material_id,colour", "value,colour"])
def test_a_table_without_material_or_value_is_refused_whole(campaign, tmp_path, columns):
    path = write_results(tmp_path / "r.csv", ["a001,1"], columns)
    with pytest.raises(InputError, match="needs a column material_id or formula and a column value"):
        story.observe(campaign, "alloys", path)


def test_every_property_has_units_by_which_it_can_be_told():
    for name, entry in PROPERTIES.items():
        assert not unit_conversion(name, entry.unit).changes, name
        assert read_header(name, (name,)).convert(1.0).value == 1.0


NAMES = st.sampled_from(["a001", "a002", "a003", "nobody", ""])
CELLS = st.one_of(
    st.floats(), st.integers(-5, 5), st.sampled_from(["", "failed", "failed: x", "1.2", "nan", "1e400", "%", "<1"])
)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {"material_id": NAMES, "value": CELLS},
            optional={ENTHALPY: CELLS, "unit": st.sampled_from(["", "wt%", "x"]), "corrects": CELLS, "lab": NAMES},
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_told_has_a_verdict_and_only_finite_values_are_believed(campaign, rows):
    verdicts = tell(campaign, *rows, lab="fuzz")
    assert len(verdicts) == len(rows)
    assert {v.verdict for v in verdicts} <= set(VERDICTS)
    standing = story.status(campaign, "alloys").standing
    for material in standing.materials:
        assert all(math.isfinite(value) for value in standing.values(material).values())


def test_windows_that_are_no_property_are_columns_of_the_labs_own(settings, tmp_path):
    source = tmp_path / "pool.csv"
    alloys()[["material_id", "formula"]].to_csv(source, index=False)
    objective = Objective((Goal("merit"),), (Window("cost", -math.inf, 5.0),))
    story.begin(settings, "own", source, objective)
    dear, cheap = {"material_id": "a001", "merit": 2, "cost": 7}, {"material_id": "a002", "merit": 1, "cost": 2}
    tell(settings, dear, cheap, name="own")
    assert story.status(settings, "own").standing.best() == ("a002", 1.0)


def test_nobody_can_confirm_what_cannot_be(campaign):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id
    (verdict,) = story.observe(campaign, "alloys", [{"material_id": material, CAPACITY: 310.0}]).verdicts
    assert verdict.verdict == "held"
    done = run("confirm", "alloys", verdict.kept_row)
    assert done.exit_code == 2
    assert "must lie in [0, 25]" in done.output
    assert story.status(campaign, "alloys").counts["measured"] == 0
