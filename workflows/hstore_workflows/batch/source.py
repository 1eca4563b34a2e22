"""The candidates of a batch by their number, so that a shard reads its own and no others."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from hstore.errors import InputError
from hstore_data.catalog import file_sha256
from hstore_workflows.batch.grid import Grid, count_grid
from hstore_workflows.batch.spec import FilesSource, GridSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

_BLOCK_BYTES = 1 << 22


class Source(Protocol):
    """Candidates, numbered from 0."""

    def __len__(self) -> int:
        """Return how many there are."""

    def read(self, start: int, stop: int) -> pd.DataFrame:
        """Return the candidates with the numbers from ``start`` to before ``stop``, one row each."""


@dataclass(frozen=True)
class GridRows:
    """The compositions of a grid."""

    grid: Grid
    """The grid."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.grid)

    def read(self, start: int, stop: int) -> pd.DataFrame:
        """Return a column ``formula``."""
        return pd.DataFrame({"formula": self.grid.formulas(start, stop)})


@dataclass(frozen=True)
class FileRows:
    """The rows of some Parquet files, one file after the other."""

    files: tuple[Path, ...]
    """The files."""
    ends: tuple[int, ...]
    """Number behind the last row of each."""

    def __len__(self) -> int:
        """Return how many there are."""
        return self.ends[-1]

    def read(self, start: int, stop: int) -> pd.DataFrame:
        """Return the columns of the files; of one that some lack, their rows have none."""
        parts = []
        for place in range(bisect_right(self.ends, start), len(self.files)):
            first = self.ends[place - 1] if place else 0
            if first >= stop:
                break
            parts.append(_slice(self.files[place], max(start, first) - first, min(stop, self.ends[place]) - first))
        return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def open_source(spec: GridSource | FilesSource, folder: Path, scratch: Path) -> tuple[Source, dict[str, Any]]:
    """Return the candidates of a specification, and what tells whether they are still the same.

    CSV files are copied to Parquet, for theirs cannot be read from the middle.

    Args:
        spec: where they come from.
        folder: of the specification, from which its paths go.
        scratch: folder for the copies.

    Raises:
        InputError: a grid is too fine, or a file is missing, empty or cannot be read.
    """
    if isinstance(spec, GridSource):
        grid = Grid.of(spec.sites)
        assert len(grid) == count_grid(spec.sites)
        return GridRows(grid), {"kind": "grid", "rows": len(grid)}
    found = list(_files(spec, folder))
    digests = [file_sha256(path) for path in found]
    files = tuple(
        path if path.suffix == ".parquet" else _as_parquet(path, scratch / f"{digest}.parquet")
        for path, digest in zip(found, digests, strict=True)
    )
    return _file_rows(files), {"kind": "files", "sha256": digests, "files": [str(path) for path in files]}


def reopen_source(spec: GridSource | FilesSource, fingerprint: Mapping[str, Any]) -> Source:
    """Return the candidates that were opened before, without reading them again."""
    from pathlib import Path

    if isinstance(spec, GridSource):
        return GridRows(Grid.of(spec.sites))
    return _file_rows(tuple(Path(name) for name in fingerprint["files"]))


def _files(spec: FilesSource, folder: Path) -> Iterator[Path]:
    for pattern in spec.files:
        found = sorted(folder.glob(pattern)) if not pattern.startswith("/") else []
        if not found and (folder / pattern).is_file():
            found = [folder / pattern]
        if not found:
            raise InputError(f"no file {pattern!r} in {folder}; correct [source] files")
        for path in found:
            if path.suffix not in {".parquet", ".csv", ".gz"}:
                raise InputError(f"{path} is neither Parquet nor CSV; batches read .parquet, .csv and .csv.gz")
            yield path.resolve()


def _file_rows(files: Sequence[Path]) -> FileRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ends: list[int] = []
    for path in files:
        try:
            rows = pq.ParquetFile(path).metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} cannot be read as Parquet ({error}); write it again") from error
        if not rows:
            raise InputError(f"{path} has no rows; leave it out")
        ends.append(rows + (ends[-1] if ends else 0))
    return FileRows(tuple(files), tuple(ends))


def _slice(path: Path, start: int, stop: int) -> pd.DataFrame:
    """Return some rows of a Parquet file, reading the row groups they are in."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups: list[int] = []
        first = begin = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if first < stop and first + rows > start:
                begin = first if not groups else begin
                groups.append(number)
            first += rows
    table = _row_groups(path, tuple(groups))
    frame: pd.DataFrame = table.slice(start - begin, stop - start).to_pandas()
    return frame


@lru_cache(maxsize=1)
def _row_groups(path: Path, groups: tuple[int, ...]) -> pa.Table:
    """Read row groups; the next chunk is mostly in the same."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read_row_groups(list(groups), use_threads=False)


def _as_parquet(path: Path, copy: Path) -> Path:
    """Copy a CSV to Parquet, all cells as text, a block at a time; a copy of the same content is used again.

    Raises:
        InputError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    if copy.is_file():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    scratch = copy.with_name(f".{copy.name}.part")
    names = pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns
    options = pc.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    try:
        reader = pc.open_csv(path, pc.ReadOptions(block_size=_BLOCK_BYTES), convert_options=options)
        with pq.ParquetWriter(scratch, reader.schema) as writer:
            for block in reader:
                writer.write_batch(block)
        scratch.replace(copy)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read as a CSV ({error}); give UTF-8 with commas") from error
    finally:
        scratch.unlink(missing_ok=True)
    return copy
