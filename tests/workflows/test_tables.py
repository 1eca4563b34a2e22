"""Tables as users bring them: what cannot be used is named row by row, the rest is kept as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore_workflows.tables import SURPLUS_COLUMN, check_destination, check_table, read_table, write_table

cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@pytest.fixture
def csv(tmp_path):
    """Read a CSV given as text or bytes."""

    def read(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path)

    return read


def causes(frame, **options):
    return {reject.row: reject.cause for reject in check_table(frame, **options).rejects}


@pytest.mark.parametrize(
    ("formula", "cause"),
    [
        ("LaXx5", "unknown element 'Xx'"),
        ("La(Ni5", "unbalanced bracket"),
        ("", "formula is empty"),
        ("   ", "formula is empty"),
        ("NaN", "missing value"),
        ("La0Ni0", "all amounts are zero"),
        ("LaNi5" * 2000, "10000 characters"),
        ("H2", "hydrogen without a host"),
        ("D2O", "unknown element 'D'"),
        ("LaNixAl5-x", "numbers instead of variables"),
    ],
)
def test_bad_formula_is_rejected_with_its_cause_and_neighbours_stay(formula, cause):
    table = check_table(pd.DataFrame({"formula": ["LaNi5", formula, "TiFe"], "lab": ["a", "b", "c"]}))
    (reject,) = table.rejects
    assert reject.row == 2
    assert cause in reject.cause
    assert len(reject.formula) <= 80
    assert table.frame["lab"].tolist() == ["a", "c"]
    assert table.frame["row"].tolist() == [1, 3]
    assert table.amounts == [{"La": 1, "Ni": 5}, {"Ti": 1, "Fe": 1}]


@pytest.mark.parametrize("column", ["temperature_k", "charge_temperature_k", "density_g_cm3"])
@pytest.mark.parametrize("value", ["0", "-1", "warm", "inf", "-inf", "nan", "300 K", "1e99"])
def test_what_must_be_positive_is(column, value):
    frame = pd.DataFrame({"formula": ["TiFe", "TiFe", "TiFe"], column: ["300", value, None]})
    found = causes(frame)
    assert found.keys() == {2}
    assert f"{column} must be a number above 0" in found[2]
    assert value in found[2]


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [("pressure_bar", "0", "-0.1"), ("void_fraction", "1", "1.01"), ("gsa_m2_g", "0", "-1")],
)
def test_limits_themselves_are_allowed(column, good, bad):
    frame = pd.DataFrame({"formula": ["TiFe", "TiFe"], column: [good, bad]})
    assert causes(frame).keys() == {2}


def test_an_unreadable_formula_is_the_cause_that_is_told_first():
    assert "empty" in causes(pd.DataFrame({"formula": [""], "temperature_k": ["-1"]}))[1]


def test_zero_amount_is_dropped_and_noted_and_stays_a_result():
    table = check_table(pd.DataFrame({"formula": ["LaNi5Zr0", "Hf2Cu (M)"]}))
    assert table.rejects == []
    assert table.amounts[0] == {"La": 1, "Ni": 5}
    assert table.notes == ["element Zr with amount zero dropped", "phase note (M) dropped"]


def test_duplicates_stay_rows_of_their_own():
    table = check_table(pd.DataFrame({"formula": ["TiFe", "TiFe", "Ti2Fe2"]}))
    assert table.frame["row"].tolist() == [1, 2, 3]


def test_a_column_named_row_of_the_user_is_not_taken_for_ours():
    table = check_table(pd.DataFrame({"row": ["7", "8"], "formula": ["Xx", "TiFe"]}))
    assert [reject.row for reject in table.rejects] == [1]
    assert table.frame["row"].tolist() == [2]


@pytest.mark.parametrize("name", ["Formula", "composition", "Reduced Composition"])
def test_other_names_of_the_formula_column(name):
    assert check_table(pd.DataFrame({name: ["TiFe"]})).frame["formula"].tolist() == ["TiFe"]


def test_no_formula_and_no_descriptor_are_refused():
    with pytest.raises(InputError, match=r"no formula column among alloy, t; name one of them 'formula'"):
        check_table(pd.DataFrame({"alloy": ["TiFe"], "t": ["300"]}))
    with pytest.raises(InputError, match="no descriptor among formula"):
        check_table(pd.DataFrame({"formula": ["TiFe"]}), formulas=False)


def test_descriptor_tables_need_no_formula_and_are_checked_row_by_row():
    frame = pd.DataFrame({"gsa_m2_g": ["3000", "x", ""], "formula": ["not read", "", ""]})
    frame["gsa_m2_g"] = frame["gsa_m2_g"].replace("", None)
    table = check_table(frame, formulas=False)
    assert [(reject.row, reject.cause.split(" ")[0]) for reject in table.rejects] == [(2, "gsa_m2_g")]
    assert table.frame["row"].tolist() == [1, 3]
    assert table.amounts == [{}, {}]


@pytest.mark.parametrize(
    "content",
    [
        "formula,temperature_k\nLaNi5,300\nTiFe,310\n",
        "formula,temperature_k\r\nLaNi5,300\r\nTiFe,310",
        b"\xef\xbb\xbfformula,temperature_k\nLaNi5,300\nTiFe,310\n",
        '"formula", temperature_k \n"LaNi5",300\nTiFe,"310"\n',
        "formula,temperature_k\nLaNi5,300,\nTiFe,310,,\n",
    ],
    ids=["unix", "windows", "byte order mark", "quotes and blanks in the header", "commas at the end"],
)
def test_dialects_of_csv_are_one_table(csv, content):
    frame = csv(content)
    assert list(frame) == ["formula", "temperature_k"]
    assert frame.to_numpy().tolist() == [["LaNi5", "300"], ["TiFe", "310"]]


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_row_with_too_many_cells_is_that_rows_fault_alone(csv, line):
    lines = ["LaNi5,300", "TiFe,310", "Mg2Ni,320"]
    lines[line - 1] += ",5,bar"
    frame = csv("\n".join(["formula,temperature_k", *lines]))
    assert frame["formula"].tolist() == ["LaNi5", "TiFe", "Mg2Ni"]
    assert frame[SURPLUS_COLUMN].dropna().tolist() == ["5, bar"]
    found = causes(frame)
    assert found.keys() == {line}
    assert "5, bar" in found[line]


def test_empty_lines_and_missing_cells_keep_the_row_numbers(csv):
    table = check_table(csv("formula,temperature_k\nLaNi5\n\nTiFe,warm\nMg2Ni,300\n"))
    assert {reject.row for reject in table.rejects} == {2, 3}
    assert table.frame["row"].tolist() == [1, 4]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "no column names"),
        (b"\n\n\n", "no column names"),
        (b"formula,temperature_k\n", "no data rows"),
        (bytes(range(256)) * 20, "cannot be read"),
        ("formula\nLaNi5\n".encode("utf-16"), "UTF-8"),
        (b'formula,t\n"LaNi5,300\nTiFe,300\n', "EOF inside string"),
        (b"formula,formula\nLaNi5,TiFe\n", "'formula' stands twice"),
    ],
    ids=["empty", "blank lines", "header only", "binary", "utf-16", "open quote", "header twice"],
)
def test_unreadable_file_says_why(csv, content, cause):
    with pytest.raises(InputError, match=cause):
        csv(content)


def test_what_is_no_file_and_what_is_no_parquet(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="is not a file; give a CSV or Parquet table"):
            read_table(path)
    junk = tmp_path / "junk.PARQUET"
    junk.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_table(junk)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_cells_of_a_csv_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("round") / "table.csv"
    frame = pd.DataFrame(rows, columns=["formula", "note"], dtype=str)
    write_table(frame, path)
    again = read_table(path)
    assert again.fillna("").to_numpy().tolist() == frame.to_numpy().tolist()
    write_table(again, path.with_name("again.csv"))
    assert path.with_name("again.csv").read_bytes() == path.read_bytes()


def test_parquet_keeps_types(tmp_path):
    frame = pd.DataFrame({"formula": ["TiFe"], "temperature_k": [300.0], "n": [3], "flag": [True]})
    write_table(frame, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_interrupted_write_leaves_the_old_table(tmp_path, monkeypatch, name):
    path = tmp_path / name
    write_table(pd.DataFrame({"formula": ["TiFe"]}), path)
    before = path.read_bytes()

    def half(self, place, **_):
        place.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(KeyboardInterrupt):
        write_table(pd.DataFrame({"formula": ["Mg2Ni"]}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "cause"),
    [("t.xlsx", "end the name in .csv or .parquet"), ("none/t.csv", "does not exist"), ("d.csv", "is a folder")],
)
def test_place_that_cannot_be_written_is_refused(tmp_path, name, cause):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match=cause):
        check_destination(tmp_path / name)


def test_gzipped_table_reads_as_the_plain_one(tmp_path):
    import gzip

    (tmp_path / "a.csv").write_text("formula,note\nLaNi5,x\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert read_table(tmp_path / "a.csv.gz").equals(read_table(tmp_path / "a.csv"))


@pytest.mark.parametrize("content", [b"not gzip", b"\x1f\x8b\x08\x00broken", b"\x1f\x8b"])
def test_damaged_gzip_is_refused(tmp_path, content):
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_table(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(
    ("column", "given", "kelvin"),
    [
        ("temp_C", ["25", "-300", "warm", None], [298.15, np.nan, np.nan, np.nan]),
        ("temperature_C", ["100", "0", "1e9", ""], [373.15, 273.15, np.nan, np.nan]),
        ("temp_K", ["77", "0", "300", "-5"], [77.0, np.nan, 300.0, np.nan]),
    ],
)
def test_temperatures_of_other_names_are_taken_only_when_asked(column, given, kelvin):
    frame = pd.DataFrame({"formula": ["LaNi5", "TiFe", "Mg2Ni", "ZrMn2"], column: given})
    table = check_table(frame, temperatures=True)
    np.testing.assert_allclose(table.frame["temperature_k"], kelvin)
    assert table.temperature_from == column
    assert not table.rejects, "such a column may hold remarks"
    assert table.frame[column].tolist() == given or table.frame[column].isna().any()
    plain = check_table(frame)
    assert "temperature_k" not in plain.frame
    assert plain.temperature_from == ""


def test_temperature_k_itself_is_never_replaced():
    frame = pd.DataFrame({"formula": ["LaNi5"], "temperature_k": ["350"], "temp_C": ["25"]})
    table = check_table(frame, temperatures=True)
    assert table.frame["temperature_k"].tolist() == [350.0]
    assert table.temperature_from == ""
