"""Databases of the Atomic Simulation Environment: SQLite (``.db``) and JSON.

They are read directly and read-only: ``ase.db.connect`` would add its tables to any other SQLite file it is given.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.elements import SYMBOLS
from hstore.errors import InputError
from hstore.partial import PartialCrystal, checked_lattice
from hstore_workflows.sources.files.found import Found, settle
from hstore_workflows.sources.files.place import Place, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hstore_workflows.sources.files.place import Document

_QUERY = """
SELECT id, length(numbers), numbers, positions, cell, pbc, key_value_pairs FROM systems WHERE id > ? ORDER BY id
"""
_PERIODIC = 7
_MAGIC = b"SQLite format 3\0"
_NAME_KEYS = ("name", "label", "material_id", "uid")


def read_ase_sqlite(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each row.

    Args:
        document: the file; one of an archive is held in memory.
        start: id of the last row done, and number of rows before.
        most_sites: largest number of atoms in a row.

    Raises:
        InputError: it is no SQLite file, has no table ``systems``, or is damaged.
    """
    index = start.entries
    with closing(_connected(document)) as connection:
        try:
            for row in connection.execute(_QUERY, (start.offset,)):
                index += 1
                yield Step(str(row[0]), _row_loader(row, most_sites), Place(int(row[0]), index))
        except (sqlite3.Error, OverflowError, TypeError, ValueError) as error:
            raise InputError(
                f"it cannot be read as an ASE database ({error}); give a file that ase.db wrote"
            ) from error


def _connected(document: Document) -> sqlite3.Connection:
    with document.reading() as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise InputError("it is no SQLite file; give a file that ase.db wrote")
    if document.path is not None and not document.gzipped:
        uri = document.path.absolute().as_uri()
        return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)
    connection = sqlite3.connect(":memory:")
    connection.deserialize(document.content())
    return connection


def _row_loader(row: tuple[Any, ...], most_sites: int) -> Callable[[], Found]:
    def load() -> Found:
        _, length, numbers, positions, cell, pbc, pairs = row
        if not isinstance(numbers, bytes) or not isinstance(positions, bytes) or not isinstance(cell, bytes):
            raise InputError("the row has no numbers, positions and cell; write it with ase.db")
        if int(length) // 4 > most_sites:
            raise InputError(f"{int(length) // 4} atoms are stored; at most {most_sites} are read (--max-sites)")
        if pbc != _PERIODIC:
            raise InputError("the row is not periodic in three directions; only crystals are read")
        return _structure(
            np.frombuffer(numbers, dtype="<i4"),
            np.frombuffer(positions, dtype="<f8"),
            np.frombuffer(cell, dtype="<f8"),
            json.loads(pairs) if isinstance(pairs, str) else {},
        )

    return load


def is_ase_json(content: Any) -> bool:
    """Tell whether parsed JSON is an ASE database: rows by id, ``ids`` and ``nextid``."""
    return isinstance(content, dict) and "ids" in content and "nextid" in content


def ase_json_rows(content: Mapping[str, Any], *, most_sites: int) -> Iterator[tuple[str, Callable[[], Found]]]:
    """Yield id and loader of each row of a parsed ASE database in JSON."""
    ids = content["ids"]
    for number in ids if isinstance(ids, list) else []:
        row = content.get(str(number))

        def load(row: Any = row) -> Found:
            if not isinstance(row, dict):
                raise InputError("the row is listed but missing; write it with ase.db")
            numbers = _array(row.get("numbers"))
            if numbers.size > most_sites:
                raise InputError(f"{numbers.size} atoms are stored; at most {most_sites} are read (--max-sites)")
            if not _array(row.get("pbc", [False])).astype(bool).all():
                raise InputError("the row is not periodic in three directions; only crystals are read")
            pairs = row.get("key_value_pairs")
            return _structure(
                numbers,
                _array(row.get("positions")),
                _array(row.get("cell")),
                pairs if isinstance(pairs, dict) else {},
            )

        yield str(number)[:40], load


def _array(value: Any) -> np.ndarray[Any, Any]:
    """Read an array as ASE writes it: nested lists, or ``{"__ndarray__": [shape, type, flat]}``, maybe wrapped."""
    for _ in range(3):
        if isinstance(value, dict) and "__ndarray__" in value:
            value = value["__ndarray__"][2]
        elif isinstance(value, dict) and "array" in value:
            value = value["array"]
    try:
        return np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise InputError(f"an array of the row cannot be read ({error}); write it with ase.db") from error


def _structure(
    numbers: np.ndarray[Any, Any],
    positions: np.ndarray[Any, Any],
    cell: np.ndarray[Any, Any],
    pairs: dict[str, Any],
) -> Found:
    if not numbers.size or positions.size != 3 * numbers.size or cell.size != 9:
        raise InputError(
            f"{numbers.size} atoms, {positions.size} coordinates and {cell.size} cell components do not fit "
            "together; write the row with ase.db"
        )
    if not (np.isfinite(numbers).all() and np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise InputError("numbers, positions and cell must be finite; correct the row")
    whole = numbers.astype(np.int64)
    if whole.min() < 1 or whole.max() > len(SYMBOLS):
        raise InputError(f"atomic numbers go from 1 to {len(SYMBOLS)}, got {whole.min()} to {whole.max()}")
    lattice = checked_lattice(cell.reshape(3, 3))
    fractional = np.linalg.solve(lattice.T, np.asarray(positions, dtype=float).reshape(-1, 3).T).T
    name = next((str(pairs[key]) for key in _NAME_KEYS if isinstance(pairs.get(key), str)), "")
    return settle(PartialCrystal.whole(lattice, fractional, [SYMBOLS[z - 1] for z in whole]), name=name[:120])
