"""Computed features kept on disk, so that nothing is computed twice.

Each featurizer has a shelf: a folder for its name and the versions its values depend on. A shelf holds Parquet
parts that are written once, under a name of their own, and never changed; so any number of processes may read
and add at the same time. What is looked up by is the hash of the structure (or of the composition), so the same
structure from another source, run or machine is found. When a version changes a new shelf is begun; the old one
stays and :meth:`FeatureCache.drift` compares the two.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.features.structure.featurizer import StructureFeaturizer

_STAMP = "stamp.json"
_PART = ".parquet"
_PARTS_IN_MEMORY = 8
_SMALL_PART_ROWS = 1000
_SMALL_PARTS = 64
"""So many small parts are put together into one."""
_KEY_BYTES = 32


@dataclass(frozen=True)
class Found:
    """What a shelf holds of the keys asked for."""

    present: np.ndarray[Any, np.dtype[np.bool_]]
    """Whether each key was there, shape (n,)."""
    values: FloatArray
    """Values, shape (n, columns); NaN in the rows that were not there."""
    causes: tuple[str, ...]
    """Why the featurizer gave no values, for each key; empty where it did or nothing is known."""


@dataclass(frozen=True)
class Drift:
    """How the values of one column changed between two versions, over the structures both have."""

    featurizer: str
    """Name of the featurizer."""
    column: str
    """Name of the column."""
    before: dict[str, str]
    """Versions of the older values."""
    n: int
    """Structures compared."""
    changed: int
    """Structures whose value differs by more than 1e-9 of its size."""
    largest_difference: float
    """Largest absolute difference, in the unit of the column."""


class FeatureCache:
    """Shelves of computed features below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, featurizer: StructureFeaturizer) -> Shelf:
        """Return the shelf for a featurizer at the versions installed now."""
        if featurizer.name not in self._shelves:
            stamp = stamp_of(featurizer)
            text = json.dumps(stamp, sort_keys=True)
            folder = self._folder / featurizer.name / hashlib.sha256(text.encode()).hexdigest()[:16]
            self._shelves[featurizer.name] = Shelf(folder, featurizer.columns, stamp)
        return self._shelves[featurizer.name]

    def drift(self, featurizer: StructureFeaturizer) -> list[Drift]:
        """Compare the values of today's versions with those of every older one, where both are known.

        Returns:
            One entry for each column and older version that share at least one structure; empty when there is
            nothing to compare.
        """
        now = self.shelf(featurizer)
        found: list[Drift] = []
        for folder in sorted(self._folder.glob(f"{featurizer.name}/*/{_STAMP}")):
            if folder.parent == now.folder:
                continue
            stamp = json.loads(folder.read_text(encoding="utf-8"))
            older = Shelf(folder.parent, tuple(stamp["columns"]), stamp)
            found.extend(_differences(featurizer.name, older, now))
        return found


class Shelf:
    """Values of one featurizer at one set of versions."""

    def __init__(self, folder: Path, columns: Sequence[str], stamp: dict[str, Any]) -> None:
        self.folder = folder
        self.columns = tuple(columns)
        self.stamp = stamp
        self._parts: list[str] = []
        self._open: OrderedDict[str, pa.Table] = OrderedDict()
        self._index = _Index.empty()
        self._listed = False

    def __len__(self) -> int:
        """Return the number of structures known."""
        self._refresh()
        return len(self._index.prefixes)

    def keys(self) -> list[bytes]:
        """Return all keys, 32 bytes each, in no particular order."""
        self._refresh()
        return [key for part in self._parts for key in self._table(part)["key"].to_pylist()]

    def take(self, keys: Sequence[bytes]) -> Found:
        """Look keys up, 32 bytes each.

        Raises:
            DataError: a part was damaged outside hstore.
        """
        self._refresh()
        part, row = self._index.find(keys)
        values = np.full((len(keys), len(self.columns)), np.nan)
        present = np.zeros(len(keys), dtype=bool)
        causes = [""] * len(keys)
        for number in np.unique(part[part >= 0]):
            wanted = np.flatnonzero(part == number)
            table = self._table(self._parts[number]).take(row[wanted])
            same = [stored == keys[k] for stored, k in zip(table["key"].to_pylist(), wanted.tolist(), strict=True)]
            wanted, table = wanted[same], table.filter(same)
            present[wanted] = True
            if len(wanted):
                values[wanted] = np.column_stack([table[name].to_numpy() for name in self.columns])
            for k, cause in zip(wanted, table["cause"].to_pylist(), strict=True):
                causes[k] = cause
        return Found(present, values, tuple(causes))

    def add(self, keys: Sequence[bytes], values: FloatArray, causes: Sequence[str]) -> None:
        """Keep values; one part for each call, so add many at once.

        Args:
            keys: 32 bytes for each structure.
            values: shape (n, columns).
            causes: why there are no values, empty where there are.
        """
        if not len(keys):
            return
        import pyarrow as pa

        arrays = {name: pa.array(column) for name, column in zip(self.columns, values.T, strict=True)}
        table = pa.table({"key": pa.array(keys, pa.binary(_KEY_BYTES)), **arrays, "cause": pa.array(causes)})
        self._write(table)
        small = [name for name in self._names() if int(name.split("-")[0]) < _SMALL_PART_ROWS]
        if len(small) >= _SMALL_PARTS:
            self._merge(small)

    def _write(self, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        stamp = self.folder / _STAMP
        if not stamp.exists():
            fresh = self.folder / f".{uuid.uuid4().hex}"
            fresh.write_text(json.dumps(self.stamp, indent=1, sort_keys=True), encoding="utf-8")
            fresh.replace(stamp)
        name = f"{table.num_rows}-{uuid.uuid4().hex}{_PART}"
        partial = self.folder / f".{name}"
        pq.write_table(table, partial, compression="zstd", use_dictionary=["cause"])
        partial.replace(self.folder / name)
        self._listed = False

    def _merge(self, names: list[str]) -> None:
        """Write small parts as one; a reader that has the old list finds them gone and lists again."""
        import pyarrow as pa

        tables = [self._table(name) for name in names]
        self._write(pa.concat_tables(tables).combine_chunks())
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
            self._open.pop(name, None)

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        found = (entry.name for entry in os.scandir(self.folder))
        return sorted(name for name in found if name.endswith(_PART) and not name.startswith("."))

    def _refresh(self) -> None:
        """Read the keys of parts that came since the last look; other processes may have merged some."""
        names = self._names()
        if self._listed and names == self._parts:
            return
        for _ in range(3):
            try:
                keys = [self._keys(name) for name in names]
                break
            except FileNotFoundError:
                names = self._names()
        else:
            raise DataError(f"the feature cache in {self.folder} changes faster than it can be read; try again")
        self._parts, self._index, self._listed = names, _Index.of(keys), True

    def _keys(self, name: str) -> FloatArray:
        """First eight bytes of each key of a part, as unsigned integers."""
        packed = self._table(name, only_keys=True)["key"].combine_chunks()
        raw = np.frombuffer(b"".join(packed.to_pylist()), dtype=">u8").reshape(-1, _KEY_BYTES // 8)
        return raw[:, 0]

    def _table(self, name: str, *, only_keys: bool = False) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        try:
            table = pq.read_table(self.folder / name, columns=["key"] if only_keys else None)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{self.folder / name} is damaged ({error}); delete it, it is computed again"
            ) from error
        if not only_keys:
            self._open[name] = table
            if len(self._open) > _PARTS_IN_MEMORY:
                self._open.popitem(last=False)
        return table


@dataclass(frozen=True)
class _Index:
    """Sorted first bytes of all keys, with the part and row each is in."""

    prefixes: np.ndarray[Any, np.dtype[np.uint64]]
    parts: IntArray
    rows: IntArray

    @classmethod
    def empty(cls) -> _Index:
        nothing = np.empty(0, dtype=np.int64)
        return cls(np.empty(0, dtype=np.uint64), nothing, nothing)

    @classmethod
    def of(cls, keys: Sequence[Any]) -> _Index:
        if not keys:
            return cls.empty()
        prefixes = np.concatenate(keys).astype(np.uint64)
        parts = np.repeat(np.arange(len(keys)), [len(k) for k in keys])
        rows = np.concatenate([np.arange(len(k)) for k in keys])
        order = np.argsort(prefixes, kind="stable")
        return cls(prefixes[order], parts[order], rows[order])

    def find(self, keys: Sequence[bytes]) -> tuple[IntArray, IntArray]:
        """Part and row of each key; -1 where there is none."""
        wanted = np.frombuffer(b"".join(keys), dtype=">u8").reshape(-1, _KEY_BYTES // 8)[:, 0].astype(np.uint64)
        if not len(self.prefixes):
            missing = np.full(len(keys), -1)
            return missing, missing
        place = np.minimum(np.searchsorted(self.prefixes, wanted), len(self.prefixes) - 1)
        hit = self.prefixes[place] == wanted
        return np.where(hit, self.parts[place], -1), np.where(hit, self.rows[place], -1)


def stamp_of(featurizer: StructureFeaturizer) -> dict[str, Any]:
    """Return everything the values of a featurizer depend on besides the structure."""
    return {
        "name": featurizer.name,
        "columns": list(featurizer.columns),
        "parameters": dict(featurizer.parameters),
        "version": featurizer.version,
        "packages": {name: _installed(name) for name in sorted({"numpy", *featurizer.packages})},
    }


@cache
def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _differences(name: str, older: Shelf, now: Shelf) -> Iterator[Drift]:
    keys = older.keys()
    if not keys or not len(now):
        return
    before, after = older.take(keys), now.take(keys)
    both = after.present
    for column in [c for c in now.columns if c in older.columns]:
        was = before.values[both, older.columns.index(column)]
        is_now = after.values[both, now.columns.index(column)]
        difference = np.abs(is_now - was)
        lost = np.isnan(was) != np.isnan(is_now)
        scale = np.fmax(np.abs(was), np.abs(is_now))
        changed = int(np.sum(lost | (difference > 1e-9 * np.fmax(scale, 1.0))))
        if both.any():
            largest = float(np.nanmax(difference)) if np.isfinite(difference).any() else 0.0
            yield Drift(name, column, _versions(older), int(both.sum()), changed, largest)


def _versions(shelf: Shelf) -> dict[str, str]:
    return {**shelf.stamp["packages"], "featurizer": str(shelf.stamp["version"])}
