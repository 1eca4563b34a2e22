"""``hstore screen`` as users call it: exit codes, rejects, and files that are equal byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from hstore_workflows import pool as pool_module
from hstore_workflows.cli import main
from hstore_workflows.screen import OUTPUT_FILES

BAD_ROWS = {
    3: ("LaXx5", "300", "unknown element 'Xx'"),
    111: ("La(Ni5", "300", "unbalanced bracket"),
    222: ("", "300", "formula is empty"),
    333: ("NaN", "300", "missing value"),
    444: ("La0Ni0", "300", "all amounts are zero"),
    555: ("LaNi5", "-3", "temperature_k must be a number above 0"),
    666: ("LaNi5" * 2000, "300", "10000 characters"),
    777: ("H2", "300", "hydrogen without a host"),
    888: ("LaNi5", "warm", "temperature_k must be a number above 0"),
    1000: ("LaNixAl5-x", "300", "numbers instead of variables"),
}
ZERO, TWINS = 500, (1, 2, 999)
TABLES = ("candidates.csv", "candidates.parquet", "rejected.csv")


def good_formula(number):
    """Make alloys of all kinds, each composition another one."""
    big, small = ["La", "Ce", "Ti", "Zr", "Mg", "Ca", "Y"], ["Ni", "Fe", "Mn", "Co", "Cr", "V", "Cu", "Al"]
    a, b, c = big[number % 7], small[number % 8], small[(number // 8) % 8]
    return f"{a}{b}{1 + number / 1000:g}{c}{0.5 + number / 2000:g}"


def write_thousand(path):
    rows = [(good_formula(row), "300") for row in range(1, 1001)]
    for row, (formula, temperature, _) in BAD_ROWS.items():
        rows[row - 1] = (formula, temperature)
    rows[ZERO - 1] = ("LaNi5Zr0", "300")
    for row in TWINS:
        rows[row - 1] = ("TiFe", "300")
    frame = pd.DataFrame(rows, columns=["formula", "temperature_k"])
    frame.insert(0, "sample", [f"{row:04}" for row in range(1, 1001)])
    frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def thousand(trained, tmp_path_factory):
    """A table of 1,000 rows, 10 of them bad, screened by a real process: table, process and folder."""
    here = tmp_path_factory.mktemp("thousand")
    write_thousand(here / "mine.csv")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    environment |= {"HSTORE_HOME": str(trained.home), "PYTHONHASHSEED": "1"}
    arguments = ["screen", "mine.csv", "--target", "onboard", "--out", "runs/mine"]
    done = subprocess.run(
        [sys.executable, "-m", "hstore_workflows.cli", *arguments],
        cwd=here, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return here / "mine.csv", done, here / "runs/mine"


@pytest.fixture
def no_work(monkeypatch):
    """Fail when a model is asked for, which is where the work begins."""

    def refuse(name, *_, **__):
        raise AssertionError(f"model {name} was asked for")

    return lambda: monkeypatch.setattr("hstore_workflows.screen.ensure", refuse)


def test_ten_bad_rows_of_a_thousand_are_rejected_and_the_rest_ranked(thousand):
    _, done, folder = thousand
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "warning: 10 rows were rejected; causes in runs/mine/rejected.csv" in done.stderr
    assert "990 candidates ranked. Report: runs/mine/report.html" in done.stdout
    assert {path.name for path in folder.iterdir()} == OUTPUT_FILES
    candidates = pd.read_csv(folder / "candidates.csv", dtype={"sample": str}, keep_default_na=False)
    assert len(candidates) == 990
    assert set(candidates["row"]) == set(range(1, 1001)) - BAD_ROWS.keys()
    assert candidates["sample"].tolist() == [f"{row:04}" for row in candidates["row"]]
    assert candidates["score"].is_monotonic_decreasing


def test_every_reject_has_its_row_and_cause(thousand):
    rejected = pd.read_csv(thousand[2] / "rejected.csv", keep_default_na=False)
    assert rejected["row"].tolist() == list(BAD_ROWS)
    for row, formula, cause in rejected.itertuples(index=False):
        given, _, expected = BAD_ROWS[row]
        assert expected in cause
        assert formula.startswith(given[:70])
        assert len(formula) <= 80


def test_zero_amounts_are_noted_and_duplicates_keep_their_rows(thousand):
    candidates = pd.read_csv(thousand[2] / "candidates.csv").set_index("row")
    assert "element Zr with amount zero dropped" in candidates.loc[ZERO, "reason"]
    twins = candidates.loc[list(TWINS)]
    assert len(twins) == 3
    assert len(set(twins["score"])) == 1
    assert len(set(twins["rank"])) == 3


def test_the_same_run_in_another_process_gives_the_same_bytes(thousand, hstore, tmp_path):
    """The first run had another hash seed, and its models came from disk."""
    table, _, folder = thousand
    result = hstore("screen", table, "--target", "onboard", "--out", tmp_path / "again", "--json")
    assert result.exit_code == 0, result.output
    for name in TABLES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    answer = json.loads(result.stdout)
    assert answer["manifest"]["counts"] == {"candidates": 990, "rejected": 10}
    assert [row["rank"] for row in answer["top"]] == list(range(1, 11))
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text(encoding="utf-8"))
    first = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    changing = {"command", "finished_at", "time_s", "peak_memory_mib"}
    assert {k: v for k, v in manifest.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }


def test_parquet_in_gives_what_csv_in_gives(thousand, hstore, tmp_path):
    pd.read_csv(thousand[0], dtype=str, keep_default_na=False).to_parquet(tmp_path / "mine.parquet")
    assert hstore("screen", "mine.parquet", "--out", "out").exit_code == 0
    for name in ("rejected.csv", "candidates.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (thousand[2] / name).read_bytes()


def test_shipped_target_twice_gives_the_same_bytes_and_replaces_the_first(hstore, tmp_path, monkeypatch):
    every = pool_module.enumerate_pool
    monkeypatch.setattr(pool_module, "enumerate_pool", lambda *a, **k: islice(every(*a, **k), 300))
    tables = []
    for _ in range(2):
        result = hstore("screen", "onboard", "--out", "out")
        assert result.exit_code == 0, result.output
        assert "300 candidates ranked" in result.output
        assert "warning" not in result.output
        tables.append([(tmp_path / "out" / name).read_bytes() for name in TABLES])
    assert tables[0] == tables[1]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert len(pd.read_csv(tmp_path / "out" / "rejected.csv")) == 0


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("missing.csv", None, "is not a file"),
        ("missing.parquet", None, "is not a file"),
        ("junk.csv", bytes(range(256)) * 40, "cannot be read as a table"),
        ("junk.parquet", bytes(range(256)) * 40, "cannot be read as a table"),
        ("empty.csv", b"", "no column names"),
        ("header.csv", b"formula\n", "no data rows"),
        ("quote.csv", b'formula\n"LaNi5\nTiFe\n', "cannot be read as a table"),
        ("other.csv", b"alloy,note\nLaNi5,a\n", "no formula column among alloy, note"),
        ("semicolon.csv", b"formula;note\nLaNi5;a\n", "no formula column among formula;note"),
    ],
)
def test_unreadable_file_exits_2_before_any_work_and_leaves_nothing(
    hstore, no_work, tmp_path, name, content, cause
):
    no_work()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = sorted(tmp_path.iterdir())
    result = hstore("screen", name, "--target", "onboard", "--out", "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert cause in result.stderr
    assert result.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_sorbent_table_without_descriptors_exits_2(hstore, no_work, tmp_path):
    no_work()
    (tmp_path / "mine.csv").write_text("formula\nZn4O13C24H12\n")
    result = hstore("screen", "mine.csv", "--target", "cryo-sorbent", "--out", "out")
    assert result.exit_code == 2
    assert "gsa_m2_g" in result.stderr


def test_a_table_of_bad_rows_alone_exits_2(hstore, tmp_path):
    (tmp_path / "mine.csv").write_text("formula\nXx\n\nH2\n")
    result = hstore("screen", "mine.csv", "--out", "out")
    assert result.exit_code == 2
    assert "no usable candidate in mine.csv; 3 rows were rejected" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["foreign", "foreign/notes.txt", "foreign/notes.txt/out", "web"])
def test_a_place_with_other_files_is_refused_before_any_work(hstore, no_work, tmp_path, place):
    no_work()
    (tmp_path / "mine.csv").write_text("formula\nTiFe\n")
    for name in ("foreign/notes.txt", "web/manifest.json", "web/index.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    result = hstore("screen", "mine.csv", "--out", place)
    assert result.exit_code == 2
    assert "for --out" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["onbord", "--out", "out"], "did you mean 'onboard'"),
        (["onboard"], "Missing option '--out'"),
        (["mine.csv", "--target", "stationery", "--out", "out"], "did you mean 'stationary'"),
        (["--target", "stationary", "--out", "out"], "write: hstore screen stationary"),
        (["onboard", "--seed", "-1", "--out", "out"], "'--seed'"),
        (["onboard", "--seed", "x", "--out", "out"], "'--seed'"),
        (["my.toml", "--out", "out"], "not valid TOML"),
        (["onboard", "extra", "--out", "out"], "unexpected extra argument"),
    ],
)
def test_bad_usage_exits_2_before_any_work(hstore, no_work, tmp_path, arguments, cause):
    no_work()
    (tmp_path / "mine.csv").write_text("formula\nTiFe\n")
    (tmp_path / "my.toml").write_text("title =")
    result = hstore("screen", *arguments)
    assert result.exit_code == 2
    assert cause in result.stderr
    assert not (tmp_path / "out").exists()


def test_own_target_for_a_shipped_pool_and_for_a_table(hstore, tmp_path, monkeypatch):
    every = pool_module.enumerate_pool
    monkeypatch.setattr(pool_module, "enumerate_pool", lambda *a, **k: islice(every(*a, **k), 20))
    shipped = Path(pool_module.__file__).parent / "targets" / "stationary.toml"
    (tmp_path / "winter.toml").write_bytes(shipped.read_bytes())
    (tmp_path / "mine.csv").write_text("formula\nTiFe\nLaNi5\n")
    for arguments, n in ((["winter.toml"], 20), (["mine.csv", "--target", "winter.toml"], 2)):
        result = hstore("screen", *arguments, "--out", "out", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["manifest"]["target"]["name"] == "winter"
        assert json.loads(result.stdout)["manifest"]["counts"]["candidates"] == n


def test_an_interrupted_screen_leaves_the_old_folder(hstore, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text("formula\nTiFe\n")
    assert hstore("screen", "mine.csv", "--out", "out").exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hstore_workflows.report.render_report", interrupted)
    assert hstore("screen", "mine.csv", "--target", "stationary", "--out", "out").exit_code == 1
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"mine.csv", "out"}


def test_text_of_a_table_is_printed_as_text(hstore, tmp_path):
    (tmp_path / "mine.csv").write_text('formula,name\nTiFe,"[/bold] [red]x[/red]"\nCa[BH4]2,\n')
    result = hstore("screen", "mine.csv", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "[red]" in result.stdout
    assert "[BH4]" in result.stdout


def test_home_can_be_given_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "other"))
    asked = []

    def ensure(name, settings, **_):
        asked.append(settings.home)
        raise SystemExit(0)

    monkeypatch.setattr("hstore_workflows.screen.ensure", ensure)
    arguments = ["screen", "onboard", "--home", str(tmp_path / "mine"), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert asked == [tmp_path / "mine"]
