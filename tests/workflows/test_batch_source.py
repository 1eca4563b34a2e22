"""Tables as the candidates of a batch: any stretch of rows, from any number of files."""

from __future__ import annotations

import pandas as pd
import pytest

from hstore.errors import InputError
from hstore_workflows.batch.source import open_source, reopen_source
from hstore_workflows.batch.spec import FilesSource


@pytest.fixture
def folder(tmp_path):
    """Three tables: Parquet in several row groups, plain CSV, and gzipped CSV with a column of its own."""
    pool = tmp_path / "pool"
    pool.mkdir()
    pd.DataFrame({"formula": [f"LaNi{n}" for n in range(1, 26)]}).to_parquet(pool / "a.parquet", row_group_size=4)
    pd.DataFrame({"formula": ["MgH2", "TiFe"], "temperature_k": ["300", ""]}).to_csv(pool / "b.csv", index=False)
    pd.DataFrame({"formula": ["ZrV2"], "note": ["mine"]}).to_csv(pool / "c.csv.gz", index=False)
    return tmp_path


def opened(folder, *files):
    return open_source(FilesSource(kind="files", files=files), folder, folder / "scratch")


def test_stretches_cross_row_groups_and_files(folder):
    source, _ = opened(folder, "pool/*")
    formulas = [*(f"LaNi{n}" for n in range(1, 26)), "MgH2", "TiFe", "ZrV2"]
    assert len(source) == len(formulas)
    for start, stop in ((0, 28), (3, 5), (23, 27), (25, 28), (27, 28)):
        assert source.read(start, stop)["formula"].tolist() == formulas[start:stop]
    rows = source.read(24, 28)
    assert rows["note"].tolist()[-1] == "mine"
    assert rows["temperature_k"].tolist()[1] == "300"


def test_it_is_opened_again_without_reading_the_tables_again(folder):
    spec = FilesSource(kind="files", files=("pool/b.csv", "pool/c.csv.gz"))
    source, fingerprint = open_source(spec, folder, folder / "scratch")
    for path in (folder / "pool").glob("*.csv*"):
        path.unlink()
    again = reopen_source(spec, fingerprint)
    pd.testing.assert_frame_equal(again.read(0, 3), source.read(0, 3))


def test_what_changed_has_another_fingerprint(folder):
    _, before = opened(folder, "pool/b.csv")
    (folder / "pool" / "b.csv").write_text("formula\nMgH2\n")
    _, after = opened(folder, "pool/b.csv")
    assert before["sha256"] != after["sha256"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "no file 'missing.csv'"),
        ("notes.txt", "formula\nMgH2\n", "neither Parquet nor CSV"),
        ("broken.parquet", "not Parquet", "cannot be read as Parquet"),
        ("uneven.csv", "formula,x\nMgH2\n", "cannot be read as a CSV"),
        ("empty.csv", "formula\n", "has no rows"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        opened(tmp_path, name)
