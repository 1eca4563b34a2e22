"""What the READMEs promise works: the example runs, commands parse, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = [page for page in ROOT.glob("docs/**/*.md") if ROOT / "docs/generated" not in page.parents]
PAGES = sorted(
    [*ROOT.glob("*.md"), *WRITTEN, *(ROOT / f"{name}/README.md" for name in ("api", "data"))]
    + [ROOT / f"{name}/README.md" for name in ("hstore", "models", "workflows")]
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
SPAN = re.compile(r"`(hstore [a-z][^`]*)`")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, *languages):
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def shell_lines(page):
    """Lines of the shell blocks, prompts taken off, continued lines joined."""
    text = "\n".join(blocks(page, "sh", "bash", "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ").strip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def example():
    """The first example of the README."""
    return blocks(ROOT / "README.md", "python")[0]


def test_the_example_of_the_readme_runs_as_a_script(example, loaded, trained, tmp_path):
    """A new interpreter in a new folder; the home is the one whose models are trained already."""
    loaded("hydride_thermodynamics")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=tmp_path, env=environment | {"HSTORE_HOME": str(trained.home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["formula", "mean", "std", "lower", "upper", "in_domain", "reason"]
    assert len(rows) == 4
    assert "rejected" in rows[-1], "the last line is no formula, and says so"
    assert list(tmp_path.iterdir()) == [tmp_path / "example.py"]


def test_the_first_screen_of_the_readme_is_short(example):
    assert len(example.splitlines()) < 40
    first_list = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[1]
    assert 0 < len(re.findall(r"^- ", first_list, re.MULTILINE)) <= 8


@pages
def test_commands_in_shell_blocks_parse(page, parse_command):
    for line in shell_lines(page):
        for command in re.split(r"\s(?:&&|\||;)\s", line):
            if command.startswith("hstore "):
                parse_command(re.sub(r"\s>.*", "", command))


@pages
def test_commands_in_the_text_exist(page):
    from hstore_workflows.cli import main

    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for span in SPAN.findall(text):
        words, command = shlex.split(span)[1:], main
        while isinstance(command, click.Group) and words:
            command = command.get_command(click.Context(command), words.pop(0))
            assert command, f"`{span}` of {page.name} names no command"
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, span


@pages
def test_links_lead_to_files(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pages
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"^(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert {first or second for first, second in named} <= targets


def test_commands_beside_the_scores_parse(parse_command):
    from hstore_models.training import model_of
    from hstore_models.training_data import PUBLIC_SETS

    spans = re.findall(r"`(\w+ --cross-validate [^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert spans
    for span in spans:
        asked = parse_command(f"hstore evaluate {span}").params
        assert asked["data_set"] in PUBLIC_SETS[model_of(asked["property_name"])]


def test_the_spec_of_the_docs_trains_and_predicts(hstore, tmp_path, monkeypatch):
    """The page's table, its spec, and its commands, in a home of their own."""
    page = ROOT / "docs/reference/specs.md"
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    from hstore_models.training import ensure

    monkeypatch.setattr("hstore_workflows.predict.ensure", ensure)
    (making,) = blocks(page, "python")
    exec(compile(making, str(page), "exec"), {})
    (spec,) = blocks(page, "toml")
    (tmp_path / "release.toml").write_text(spec, encoding="utf-8")
    (tmp_path / "alloys.csv").write_text("formula\nLaNi5\nMgH2\n", encoding="utf-8")
    for line in shell_lines(page)[:3]:
        done = hstore(*shlex.split(line)[1:])
        assert done.exit_code == 0, f"{line}: {done.output}"
    means = pd.read_csv(tmp_path / "predicted.csv")["mean"]
    assert 230 < means[0] < 340, "LaNi5 releases near room temperature"
    assert 400 < means[1] < 650, "MgH2 near 560 K"


def test_every_field_of_a_spec_is_in_the_docs():
    from hstore_models import spec

    text = (ROOT / "docs/reference/specs.md").read_text(encoding="utf-8")
    parts = (spec.Spec, spec.DataSpec, spec.SplitSpec, spec.TargetSpec, spec.LearnerSpec, spec.TuningSpec)
    named = set(re.findall(r"`(\w+)`", text)) | {"data", "split", "targets", "tuning"}
    assert [name for part in parts for name in part.model_fields if name not in named] == []
    assert [name for name in (*spec.KINDS, *spec.METRICS) if f"`{name}`" not in text] == []


def test_every_command_is_in_the_readme():
    from hstore_workflows.cli import main

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text += (ROOT / "models/README.md").read_text(encoding="utf-8")
    missing = [name for name in main.list_commands(click.Context(main)) if f"hstore {name}" not in text]
    assert missing == []


def test_every_shipped_target_is_in_the_readme():
    from hstore_workflows.target import shipped_targets

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in shipped_targets() if f"hstore screen {name} " not in text] == []


def test_every_output_file_is_in_the_readme():
    from hstore_workflows.screen import OUTPUT_FILES

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in OUTPUT_FILES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda p: p.parent.name)
def test_every_python_block_is_python(page):
    for text in blocks(page, "python"):
        compile(text, str(page), "exec")
