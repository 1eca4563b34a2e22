"""The page on crates: its commands run word for word, one after the other, and do what the page says of them."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from hstore.licences import Mix

PAGE = Path(__file__).parents[2] / "docs/how-to/crates.md"


def commands():
    """Lines of the shell blocks of the page, in order, without the installation."""
    blocks = PAGE.read_text(encoding="utf-8").split("```sh\n")[1:]
    lines = "\n".join(block.split("```")[0] for block in blocks).splitlines()
    return [line for line in lines if line and not line.startswith("pip ")]


@pytest.fixture
def home(trained, loaded, tmp_path):
    """A home of the test's own with the one model that the page uses."""
    card = loaded("sorbent_uptake").card
    shutil.copytree(trained.models_dir / card.model, tmp_path / "home/models" / card.model)
    shutil.copy(trained.models_dir / "registry.key", tmp_path / "home/models")
    return tmp_path / "home"


def test_the_commands_of_the_page_run_word_for_word(hstore, home, monkeypatch, tmp_path):
    monkeypatch.setenv("HSTORE_HOME", str(home))
    said = {}
    for line in commands():
        name, *words = shlex.split(line)
        if name == "export":
            monkeypatch.setenv(*words[0].split("="))
            continue
        assert name == "hstore"
        done = hstore(*words)
        assert done.exit_code == 0, f"{line}: {done.output}"
        said.setdefault(line, []).append(done.stdout)
    shown = next(text for line, (text, *_) in said.items() if line.endswith("show cryo.zip"))
    assert "files, every one as its SHA-256 says" in shown
    assert "Josiah Carberry (https://orcid.org/0000-0002-1825-0097)" in shown
    run, again = tmp_path / "runs/cryo", tmp_path / "elsewhere-cryo"
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in run.iterdir()
    }
    first, second = said["hstore campaign propose sorbents --n 3"]
    assert first != second, "the second is the next batch, elsewhere"
    monkeypatch.setenv("HSTORE_HOME", str(home))
    assert hstore("campaign", "propose", "sorbents", "--n", "3").stdout == second, "and the same as here"


def test_the_page_quotes_what_is_said():
    mix = Mix.of(["CC-BY-4.0", "CC-BY-4.0 AND CC-BY-NC-4.0", "CC-BY-4.0 AND LicenseRef-not-stated"])
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f'"{mix.words().split(". ", 1)[0]}. ..."' in text
