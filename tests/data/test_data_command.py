"""The `hstore data` command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hstore_data.catalog import datasets
from hstore_workflows.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty home folder without a mirror."""
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(main, ["data", *map(str, arguments)])


@pytest.mark.parametrize("name", ["list", "show", "pull", "check"])
def test_every_command_has_help_with_an_example(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: hstore data {name}" in result.output


def test_list_names_every_set_and_where_it_is(run, tiny_mirror):
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert rows.keys() == datasets().keys()
    assert rows["hydrides"]["present"]
    assert not rows["obelix"]["present"]
    mirrored = {row["name"]: row for row in json.loads(run("list", "--json", "--mirror", tiny_mirror).output)}
    assert mirrored["obelix"]["folder"] == str(tiny_mirror / "obelix")
    assert "sorbmeta_h2_gcmc" in run("list").output


def test_show_prints_licence_defects_and_columns(run):
    output = run("show", "obelix").output
    assert "CC-BY-4.0" in output
    assert "censored" in output
    assert "Reduced Composition" in output
    assert json.loads(run("show", "hydrides", "--json").output)["tier"] == "curated"


def test_unknown_name_is_bad_usage_with_the_close_match(run):
    for name in ("show", "pull"):
        result = run(name, "obelics")
        assert result.exit_code == 2
        assert "did you mean 'obelix'" in result.output


def test_pull_shows_the_licence_and_the_set_is_present_afterwards(run, tiny_mirror):
    result = run("pull", "hystor", "--mirror", tiny_mirror)
    assert result.exit_code == 0
    assert "licence: MIT" in result.output
    assert "warning" in result.output
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert rows["hystor"]["present"]


def test_one_set_that_cannot_be_pulled_does_not_keep_the_others_away(run, tiny_mirror):
    (tiny_mirror / "hystor" / "hystor.csv").unlink()
    result = run("pull", "hystor", "nasicon_na", "--mirror", tiny_mirror, "--json")
    assert result.exit_code == 1
    failed, pulled = json.loads(result.stdout)
    assert "HSTORE_DATA_MIRROR" in failed["error"]
    assert pulled["files"][0]["path"] == "nasicon_na_train.csv"


def test_check_reports_every_table_and_fails_on_a_contradiction(run, tiny_mirror):
    result = run("check", "--json", "--mirror", tiny_mirror)
    report = json.loads(result.output)
    assert {table["name"] for table in report["tables"]} >= {"hydrides", "sorbents", "electrolytes"}
    assert result.exit_code == (0 if report["passed"] else 1)
    assert "obelix" in report["public_sets"]


def test_the_example_of_the_readme_runs(monkeypatch, tiny_mirror, capsys):
    monkeypatch.setenv("HSTORE_DATA_MIRROR", str(tiny_mirror))
    readme = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(example, {})
    assert "obelix 2 usable rows, 2 rejected" in capsys.readouterr().out
