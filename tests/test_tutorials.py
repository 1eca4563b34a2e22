"""The tutorials work word for word: every block is run as it stands, and what it prints is what the page says."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.tutorial_pages import PageError, difference, read_blocks, run_page, steps_of

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted({*(ROOT / "docs/tutorials").glob("*.md")} - {ROOT / "docs/tutorials/index.md"})


def place(folder):
    """Make a folder look like a fresh clone whose environment is made: the Makefile, and what it looks at."""
    (folder / "Makefile").symlink_to(ROOT / "Makefile")
    for name in ("pyproject.toml", "requirements/default.lock"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith("."):
            (folder / ".venv" / entry.name).symlink_to(entry)
    (folder / ".venv/.default").touch()  # newer than the lock: nothing is installed


def surroundings(folder):
    """Variables of a reader's shell: nothing of hstore or of a make around it, and an empty folder of data."""
    foreign = ("HSTORE_", "XDG_", "MAKE", "MFLAGS")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads that wait for busy cores spin
    return own | one_thread | {"HOME": str(folder), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.long
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_works_word_for_word(path, tmp_path):
    place(tmp_path)
    run_page(path.read_text(encoding="utf-8"), tmp_path, surroundings(tmp_path))


def test_there_is_a_tutorial_for_each_kind_of_user():
    tours = [f"tour-{name}" for name in ("agent", "data-scientist", "hpc", "partner-lab")]
    assert {"first-screen", *tours} <= {path.stem for path in TUTORIALS}


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_shows_what_it_does(path):
    steps = steps_of(path.read_text(encoding="utf-8"))
    assert sum(bool(step.command) for step in steps) > 3
    assert sum(bool(step.printed) for step in steps) > 2
    assert not re.search(r"/(tmp|home|root|work|Users)/", path.read_text(encoding="utf-8"))


def run(page, folder):
    """Run a page and return what its commands printed."""
    return [said.strip() for step, said in run_page(page, folder, surroundings(folder)) if step.command]


PAGE = """
Save this as `table.csv`:

<!-- file: table.csv -->
```csv
formula
LaNi5
```

```sh
shown=4.00   # the shell is the same for the whole page
```

```console
$ wc -l < table.csv
2
$ echo "$shown wt% of \\
    LaNi5"
4.0 wt% of LaNi5
$ ls
table.csv
```

```python
print("one", "7,123")
```

<!-- tolerance: 5 % -->
```text
one 7,000
```

<!-- exit: 3 -->
```console
$ (echo no; exit 3)
no
```

<!-- not run: needs a cluster -->
```sh
sbatch job.sh
```
"""


def test_a_page_is_run_from_top_to_bottom(tmp_path):
    assert run(PAGE, tmp_path)[-2:] == ["one 7,123", "no"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("4.0 wt%", "4.2 wt%"), "the page has '4.2 wt% of LaNi5', printed is '4.00 wt% of LaNi5'"),
        (("4.0 wt%", "4.0 kg"), "the page has '4.0 kg of LaNi5'"),
        (("7,000", "7,600"), "the page has 'one 7,600'"),
        (("LaNi5\n$ ls", "LaNi5\nmore\n$ ls"), "the page has 'more', printed is 'nothing more'"),
        (("table.csv\n```\n\n```python", "```\n\n```python"), "the page does not have 'table.csv'"),
        (("shown=4.00", "false"), "ended with 1"),
        (("exit 3)", "exit 4)"), "ended with 1"),
        (("exit 3)", "exit 0)"), "ended with 1"),
        (("`table.csv`", "something"), "does not say to save it as `table.csv`"),
        ((": needs a cluster", ""), "say why it is not run"),
        (("not run", "not rum"), "marks are exit, file"),
        (("```python", "```toml"), "neither run nor a file"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_page_that_is_wrong_fails(tmp_path, change, told):
    assert change[0] in PAGE
    with pytest.raises(PageError, match=re.escape(told)):
        run(PAGE.replace(*change), tmp_path)


@pytest.mark.parametrize(
    ("said", "expected", "fits"),
    [
        ("MAE 0.2614 kg", "MAE 0.261 kg", True),
        ("MAE 0.2714 kg", "MAE 0.261 kg", False),
        ("38 rows", "39 rows", False),
        ("6,995 rows", "6,950 rows", True),
        ("1.3e-08 bar", "1.31e-8 bar", True),
        ("-0.5", "0.5", False),
        ("version a1b2c3 of 4", "version ... of 4", True),
        ("version a1b2c3 of 5", "version ... of 4", False),
        ("a\nb\nc 1\nd", "a\n...\nc 1\nd", True),
        ("a\nb\nc 1\nd", "a\n...\nc 2\nd", False),
        ("a\nb", "...", True),
        ("┏━━━━┓\n┃ a  ┃", "┏━━━━━━┓\n┃ a ┃", True),
    ],
)  # fmt: skip
def test_what_is_printed_is_compared_by_words_and_by_size(said, expected, fits):
    assert (difference(said, tuple(expected.splitlines()), 0.01) == "") is fits


@pytest.mark.long
def test_addresses_are_those_of_the_service_that_was_started(tmp_path):
    page = (
        "<!-- service -->\n```sh\nexport HSTORE_HOME=$PWD/home\nhstore serve --port 8000 --no-worker\n```\n\n"
        "```console\n$ curl -s http://127.0.0.1:8000/healthz | cut -c1-12\n...\n"
        "$ echo http://127.0.0.1:8000\nhttp://127.0.0.1:8000\n```\n"
    )
    health, address = run(page, tmp_path)
    assert health.startswith('{"')
    assert address == "http://127.0.0.1:8000"


def test_a_block_knows_its_line_and_its_marks():
    (first, *_) = read_blocks(PAGE)
    assert (first.line, first.marks) == (5, {"file": "table.csv"})
