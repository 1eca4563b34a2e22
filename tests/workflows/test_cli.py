"""What all commands share: help for everything, examples that parse, exit codes, and JSON for programs."""

from __future__ import annotations

import json
import re

import click
import pytest

from hstore import __version__
from hstore.errors import DataError, InputError, SettingsError, UnknownNameError
from hstore_workflows import cli
from hstore_workflows.cli import main

EXAMPLE = re.compile(r"hstore [a-z][^\n]*")


def commands(group=main, words=("hstore",)):
    """All commands and groups with the words that call them."""
    context = click.Context(group)
    yield words, group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


ALL = [pytest.param(words, command, id=" ".join(words)) for words, command in commands()]


def test_the_walk_finds_the_commands_of_the_design():
    names = {" ".join(parameter.values[0]) for parameter in ALL}
    assert names >= {
        "hstore screen", "hstore predict", "hstore evaluate", "hstore train", "hstore fetch mp", "hstore serve",
        "hstore data list", "hstore models show", "hstore campaign propose",
    }  # fmt: skip


@pytest.mark.parametrize(("words", "command"), ALL)
def test_everything_has_help(words, command):
    assert len(command.help) > 20
    assert command.help.strip().endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert len(parameter.help or "") > 5, f"{parameter.opts} of {' '.join(words)}"


@pytest.mark.parametrize(("words", "command"), ALL)
def test_every_example_parses(words, command, parse_command):
    examples = EXAMPLE.findall(command.epilog or "")
    assert examples, f"{' '.join(words)} has no example"
    for example in examples:
        parse_command(re.sub(r"\s>.*", "", example))
        assert example.startswith(" ".join(words)), "an example shows the command it stands under"


@pytest.mark.parametrize(("words", "command"), ALL)
def test_help_is_printed_whole(hstore, words, command):
    result = hstore(*words[1:], "--help")
    assert result.exit_code == 0
    assert re.sub(r"\s+", " ", command.epilog.replace("\b", "")).strip() in re.sub(r"\s+", " ", result.stdout)
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        assert all(option in result.stdout for option in parameter.opts if option.startswith("--"))


def test_parser_of_examples_can_fail(parse_command):
    for line in ("hstore scren x", "hstore screen --outt x", "hstore screen onboard", "hstore data"):
        with pytest.raises((AssertionError, click.UsageError)):
            parse_command(line)


def test_the_list_of_commands_says_what_their_own_help_says(hstore):
    shown = hstore("--help").stdout
    for name, line in cli._COMMANDS.items():
        assert re.search(rf"^\s+{name}\s+{re.escape(line)}$", shown, re.MULTILINE)
        assert main.get_command(click.Context(main), name).name in {name, "command"}


def test_version(hstore):
    assert hstore("--version").stdout.strip() == f"hstore, version {__version__}"


@pytest.mark.parametrize("arguments", [["scren"], ["--nope"], ["screen", "--nope"], ["data", "nope"], ["fetch"]])
def test_bad_usage_exits_2(hstore, arguments):
    result = hstore(*arguments)
    assert result.exit_code == 2
    assert "Usage: hstore" in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no"), 2),
        (UnknownNameError("no"), 2),
        (SettingsError("no"), 2),
        (DataError("no"), 1),
        (KeyboardInterrupt(), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_error_becomes_one_line_and_its_exit_code(hstore, monkeypatch, error, code):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("hstore_workflows.cli.train.load_settings", fails)
    result = hstore("train", "--all")
    assert result.exit_code == code
    assert result.stdout == ""
    if str(error):
        assert result.stderr == "error: no\n"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HSTORE_SEED", "x", "setting 'seed'"),
        ("HSTORE_SEED", "-1", "setting 'seed'"),
        ("HSTORE_CONFIG", "none.toml", "none.toml"),
    ],
)
def test_a_bad_setting_exits_2(hstore, monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    result = hstore("models", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert told in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "list", "--json"],
        ["data", "show", "hydrides", "--json"],
        ["models", "list", "--json"],
        ["models", "show", "sorbent_uptake", "--json"],
        ["train", "h2_uptake_wt_pct", "--json"],
    ],
    ids=" ".join,
)
def test_json_can_be_read_by_a_program(hstore, loaded, arguments):
    loaded("sorbent_uptake")
    result = hstore(*arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout, parse_constant=pytest.fail)


def test_models_are_listed_with_the_one_in_use_and_shown_by_name_or_id(hstore, loaded):
    model_id = loaded("sorbent_uptake").card.model_id
    assert f"* {model_id}" in hstore("models", "list").stdout
    assert hstore("models", "show", model_id).stdout == hstore("models", "show", "sorbent_uptake").stdout
    result = hstore("models", "show", "sorbent_uptak")
    assert result.exit_code == 2
    assert "did you mean 'sorbent_uptake'" in result.stderr


def test_no_models_yet(hstore, monkeypatch, tmp_path):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "new"))
    assert "hstore train --all" in hstore("models", "list").stdout
    assert json.loads(hstore("models", "list", "--json").stdout) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("arguments", [["train"], ["train", "conductivity", "--all"], ["train", "nonsense"]])
def test_train_needs_one_thing_to_train(hstore, arguments):
    result = hstore(*arguments)
    assert result.exit_code == 2


def test_train_by_model_name_tells_its_scores(hstore):
    result = hstore("train", "sorbent_uptake")
    assert result.exit_code == 0, result.output
    assert "mean predictor" in result.stdout
    assert result.stderr == "training sorbent_uptake\n"
