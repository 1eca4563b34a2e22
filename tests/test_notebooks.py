"""The notebooks of the documentation run from top to bottom, offline and in a new folder, and are kept small.

``make notebooks`` keeps the outputs of the run (``HSTORE_TEST_RENEW``); read the text around them then.
"""

from __future__ import annotations

import math
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
LEAST_AGREEMENT = 0.9
"""Share of the figures that a run must print as they are kept; the others are times and draws of a machine."""
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


def texts(cells):
    """All that the outputs of cells say in words."""
    for output in (output for cell in cells for output in cell.get("outputs", [])):
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
    assert not [
        text for text in texts(notebook.cells) if re.search(r"/(tmp|home|root|work|Users)/|site-packages", text)
    ]


def outputs_of(notebook):
    """Return the kinds of outputs of each cell; what is printed counts once, in however many pieces it came."""
    return [
        [kind for kind, _ in groupby(o.get("name", o["output_type"]) for o in cell.get("outputs", []))]
        for cell in notebook.cells
    ]


def figures_of(notebook):
    """Return all printed numbers, cell after cell and sorted in each; those in identifiers are left out."""
    found = []
    for cell in notebook.cells:  # outputs of one cell come in any order
        printed = re.sub(r"[\w-]*[0-9a-f]{8,}[\w-]*", "", " ".join(texts([cell])))
        found += sorted(map(float, re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?", printed)))
    return found


def agreement(kept, printed):
    """Return the share of figures that are the same to 2 %, or to 0.02."""
    same = sum(
        math.isclose(one, other, rel_tol=0.02, abs_tol=0.02) for one, other in zip(kept, printed, strict=False)
    )
    return same / max(len(kept), len(printed), 1)


def renewed(path, notebook):
    """Keep the outputs of a run, and nothing of the machine."""
    import nbformat

    metadata = read(path).metadata
    for cell in notebook.cells:
        cell.metadata.clear()
        pieces = cell.get("outputs", [])
        for place in reversed(range(1, len(pieces))):  # what is printed at once comes in pieces
            before, piece = pieces[place - 1 : place + 1]
            if before.get("name") == piece.get("name") is not None:
                before.text += pieces.pop(place).text
    notebook.metadata = metadata
    nbformat.write(notebook, path)


def test_figures_agree_where_few_differ():
    assert agreement([1.0, 200.0, -3e-5], [1.0, 203.0, 0.0]) == 1
    assert agreement([1.0, 2.0], [1.0, 3.0]) == 0.5
    assert agreement([1.0], [1.0, 3.0]) == 0.5
    printed = {"output_type": "stream", "text": "model-0a1b2c3d4e5f has 8.07 (+0.4) of LaNi4.5Al0.5, 1e-05"}
    cell = {"cell_type": "code", "outputs": [printed]}
    import nbformat

    assert figures_of(nbformat.from_dict({"cells": [cell]})) == [1e-05, 0.4, 8.07]


@notebooks
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    asked = {name for name in os.environ if name.startswith("HSTORE_")}
    for name in asked:
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
    kept, figures = outputs_of(notebook), figures_of(notebook)
    client = NotebookClient(
        notebook, timeout=MOST_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises at the first cell that fails, with its traceback
    if "HSTORE_TEST_RENEW" in asked:
        renewed(path, notebook)
        return
    assert outputs_of(notebook) == kept, "the outputs kept are those of the cells"
    assert agreement(figures, figures_of(notebook)) >= LEAST_AGREEMENT, "the outputs kept are old: make notebooks"
    assert not [o.text for cell in notebook.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    assert not (tmp_path / "home").exists(), "they keep to a folder of their own"
