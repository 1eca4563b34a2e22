"""The notebooks of the documentation run from top to bottom, offline and in a new folder, and are kept small."""

from __future__ import annotations

import os
import re
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
MOST_BYTES = 300_000
MOST_SECONDS = 300
"""Seconds that one cell may take; a whole notebook takes half a minute to a minute and a half on two cores."""
NEEDS = {"mof": "raspalib"}
"""Notebook -> package without which it does not run."""

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
"""Remarks of the machinery that runs notebooks on itself; what the cells warn of is asked for below."""


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def texts(notebook):
    """All that the outputs say in words."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        yield output.get("text", "")
        yield from (text for kind, text in output.get("data", {}).items() if kind.startswith("text/"))


def test_there_are_nine():
    names = [
        "campaign",
        "electrolytes",
        "families",
        "mof",
        "new_property",
        "pct_curves",
        "retrain_hydrides",
        "screen",
    ]
    assert [path.stem for path in NOTEBOOKS] == [*names, "service"]


@notebooks
def test_outputs_are_there_and_small(path):
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run once from top to bottom"
    assert {output.output_type for cell in code for output in cell.outputs} <= {
        "stream", "execute_result", "display_data",
    }  # fmt: skip
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert path.stat().st_size < MOST_BYTES


@notebooks
def test_nothing_of_the_machine_is_in_them(path):
    notebook = read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in notebook.cells)
    assert not [text for text in texts(notebook) if re.search(r"/(tmp|home|root|work|Users)/|site-packages", text)]


def outputs_of(notebook):
    """Return the kinds of outputs of each cell; what is printed counts once, in however many pieces it came."""
    return [
        [kind for kind, _ in groupby(o.get("name", o["output_type"]) for o in cell.get("outputs", []))]
        for cell in notebook.cells
    ]


@notebooks
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):  # threads that wait for a busy core spin: 20 times slower
        monkeypatch.setenv(name, "1")
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    notebook = read(path)
    kept = outputs_of(notebook)
    client = NotebookClient(
        notebook, timeout=MOST_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises at the first cell that fails, with its traceback
    assert outputs_of(notebook) == kept, "the outputs kept are those of the cells"
    assert not [o.text for cell in notebook.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    assert not (tmp_path / "home").exists(), "they keep to a folder of their own"
