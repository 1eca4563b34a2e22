"""Readers on tiny sets: units, rejected rows, layouts."""

from __future__ import annotations

import gzip
import math
import re

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hstore.errors import DataError, UnknownNameError
from hstore_data.readers import READERS, read
from hstore_data.readers.hydride import listed_numbers
from hstore_data.readers.sheet import Sheet

CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=12)


def rejected(table):
    return {reject.row: reject.cause for reject in table.rejects}


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_row_is_used_or_rejected_once(name, mirrored):
    table = read(name, mirrored)
    rows = [*table.frame["row"], *(reject.row for reject in table.rejects)]
    assert sorted(rows) == list(range(1, len(rows) + 1))
    assert table.rejects
    assert all(reject.cause for reject in table.rejects)
    assert not table.frame["reference"].isna().any()


def test_ml_hydpark_units_and_rejects(mirrored):
    table = read("ml_hydpark", mirrored)
    lani5 = table.frame.iloc[0]
    assert lani5["temperature_k"] == pytest.approx(298.15)
    assert lani5["pressure_bar"] == pytest.approx(1.01325)
    assert lani5["ln_plateau_pressure_25c"] == pytest.approx(math.log(1.01325))
    assert lani5["composition"] == "LaNi5"
    assert table.frame["chemical_system"].tolist() == ["La-Ni", "Mg-Ni"]
    causes = rejected(table)
    assert "TiFe1-yNiy" in causes[2]
    assert "h2_wt_pct is not a number: heavy" in causes[4]
    assert "3740.0 kJ/mol H2 lies outside [-150, 400]" in causes[5]


def test_hystor_strips_phase_notes_and_refuses_mischmetal_and_negative_kelvin(mirrored):
    table = read("hystor", mirrored)
    assert table.frame["composition"].tolist() == ["CuHf2"]
    causes = rejected(table)
    assert "mischmetal" in causes[2]
    assert "temperature_k must be positive" in causes[3]


def test_doe_temperatures_are_kelvin_and_zero_celsius_is_a_temperature(mirrored):
    frame = read("doe_hydride", mirrored).frame
    assert frame["temperature_k"].tolist() == pytest.approx([610.15, 273.15])
    assert frame["pressure_bar"].isna().tolist() == [True, False]
    assert frame.loc[0, "reference"] == "Lupu, 1982 (US DOE HydPARK, ref. 419)"


def test_obelix_keeps_detection_limits_apart(mirrored):
    table = read("obelix", mirrored)
    assert table.frame["log10_conductivity_s_per_cm"].tolist() == pytest.approx([-6, -10])
    assert table.frame["censored"].tolist() == [False, True]
    assert table.frame["split"].tolist() == ["train", "test"]
    assert table.frame["formula_units"].tolist() == [1, 2]
    assert "positive number of S/cm: 0" in rejected(table)[3]
    assert "neither train.csv nor test.csv" in rejected(table)[4]


def test_liverpool_needs_a_temperature(mirrored):
    table = read("liverpool_liion", mirrored)
    assert table.frame["temperature_k"].tolist() == pytest.approx([298.15])
    assert table.frame["in_obelix_test"].tolist() == [True]
    assert rejected(table) == {2: "temp_C is empty"}


def test_mof_set_states_its_swing(mirrored):
    row = read("mof_h2_usable", mirrored).frame.iloc[0]
    states = [f"{state}_{what}" for state in ("charge", "discharge") for what in ("pressure_bar", "temperature_k")]
    swing = [row[state] for state in states]
    assert swing == [100, 77, 5, 77]
    assert row["usable_capacity_wt_pct"] == 13.35


def test_isodb_points_know_their_isotherm_and_volumetric_units_are_rejected(mirrored):
    table = read("isodb_h2", mirrored)
    assert table.frame["name"].tolist() == ["MOF-5", "MOF-5"]
    assert table.frame["temperature_k"].tolist() == [77, 77]
    assert table.frame["suspect"].dtype == bool
    causes = rejected(table)
    assert causes[3] == "pressure_bar is negative"
    assert causes[4] == "no uptake per mass; published in g/l"
    assert causes[5] == "isotherm_id is not in isotherms.csv.gz"


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("Mg2Ni1-yBey", "range|variable"),
        ("MmNi5", "mischmetal"),
        ("Xx2O", "unknown element"),
        ("La(Ni5", "bracket"),
        ("", "empty"),
        ("nan", "missing value"),
        ("Li" * 300, "characters"),
        ("Mg-14Al", "atomic or weight"),
        ("=SUM(A1)", "unexpected"),
    ],
)
def test_wild_formulas_become_rejects_with_their_reason(tmp_path, formula, reason):
    path = tmp_path / "a.csv"
    path.write_text(f'formula\nLaNi5\n"{formula}"\n')
    sheet = Sheet(path, ["formula"], label="formula")
    frame, rejects = sheet.finish(dict(sheet.compositions("formula")))
    assert frame["composition"].tolist() == ["LaNi5"]
    (reject,) = rejects
    assert reject.row == 2
    assert reject.formula == formula
    assert re.search(reason, reject.cause)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, min_size=1))
def test_no_cell_stops_the_reading_of_a_file(tmp_path, cells):
    path = tmp_path / "a.csv"
    lines = ['"' + cell.replace('"', '""') + '",1.5' for cell in cells]
    path.write_text("\n".join(["formula,x", *lines]) + "\n", encoding="utf-8")
    sheet = Sheet(path, ["formula", "x"], label="formula")
    frame, rejects = sheet.finish({"x": sheet.number("x"), **sheet.compositions("formula")})
    assert len(frame) + len(rejects) == len(cells)
    assert not (frame["composition"] == "").any()


@pytest.mark.parametrize("name", sorted(READERS))
def test_another_layout_is_refused_naming_the_missing_columns(name, mirrored, tiny_mirror):
    for path in (tiny_mirror / name).iterdir():
        text = b"something,else\n1,2\n"
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    with pytest.raises(DataError, match=r"lacks the columns .*it has something, else"):
        read(name, mirrored)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00bad", b'formula,x\n"open', b"formula,x\n1,2,3,4\n5\n"],
    ids=["empty", "not text", "open quote", "ragged"],
)
def test_a_damaged_file_is_a_data_error(mirrored, tiny_mirror, content):
    (tiny_mirror / "hystor" / "hystor.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"hystor\.csv"):
        read("hystor", mirrored)


def test_a_cut_off_gzip_file_is_a_data_error(mirrored, tiny_mirror):
    path = tiny_mirror / "mof_h2_usable" / "mof_h2_usable.csv.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read("mof_h2_usable", mirrored)


def test_unknown_and_curated_names_are_refused(mirrored):
    with pytest.raises(UnknownNameError, match="known: doe_hydride"):
        read("hydrides", mirrored)


def test_another_copy_is_read_with_a_warning_and_its_real_checksum(mirrored):
    table = read("hystor", mirrored)
    assert table.sha256["hystor.csv"] in table.warnings[0]
    assert "card states" in table.warnings[0]


def test_ml_hydpark_is_read_in_its_upstream_layout(mirrored, tiny_mirror):
    path = tiny_mirror / "ml_hydpark" / "ml_hydpark.csv"
    ours = read("ml_hydpark", mirrored)
    text = path.read_text()
    for old, new in (
        ("material_class,formula,h2_wt_pct", "Material_Class,Composition_Formula,Hydrogen_Weight_Percent"),
        ("enthalpy_kJ_molH2,temp_C", "Heat_of_Formation_kJperMolH2,Temperature_oC"),
        ("pressure_atm,entropy_J_molH2_K", "Pressure_Atmospheres_Absolute,Entropy_of_Formation_JperMolH2perK"),
        ("peq_25C_atm,ln_peq_25C_atm", "Equilibrium_Pressure_25C,LnEquilibrium_Pressure_25C"),
        ("h_to_m,reference", "HtoM,Reference"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    theirs = read("ml_hydpark", mirrored)
    assert theirs.frame.equals(ours.frame)
    assert rejected(theirs).keys() == rejected(ours).keys()


def test_listed_numbers_take_midpoints_and_refuse_what_a_spreadsheet_destroyed():
    cells = pd.Series(["3.9", "71 - 80", "5-Mar", "", "-12", "abc"])
    assert listed_numbers(cells, ranges=True).dropna().tolist() == [3.9, 75.5, -12]
    assert listed_numbers(cells, ranges=False).dropna().tolist() == [3.9, -12]
