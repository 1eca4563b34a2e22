"""Tables of candidates: formulas, descriptors, and structures by path or as CIF text."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.formula import canonical_formula
from hstore_workflows.licensing import LICENCE_COLUMNS
from hstore_workflows.sources.files.found import Found
from hstore_workflows.sources.files.place import START, Document, Place, Step
from hstore_workflows.sources.occupancy import MOST_CHANGE, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore_workflows.tables import UserTable

STRUCTURE_COLUMN = "structure"
"""Column with the path of a structure file below the folder of the table, or with the text of a CIF."""
_NAME_COLUMNS = ("name", "material_id", "id", "ID")
_CIF_MARK = "data_"


def read_table_rows(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each row.

    Args:
        document: a CSV or Parquet file on disk.
        start: number of rows done.
        most_sites: largest number of sites of a structure.

    Raises:
        InputError: it is no table, or has no formula column.
    """
    if document.path is None:
        raise InputError("tables inside archives are not read, for their structures may be anywhere; unpack it")
    status = document.path.stat()
    table = _checked(document.path, status.st_mtime_ns, status.st_size)
    rejects = {reject.row: reject for reject in table.rejects}
    usable = {int(row): place for place, row in enumerate(table.frame["row"])}
    for row in range(start.entries + 1, len(rejects) + len(usable) + 1):
        load: Callable[[], Found]
        if row in rejects:
            load = partial(_refuse, rejects[row].cause)
        else:
            load = partial(_row, table, usable[row], document, most_sites)
        yield Step(str(row), load, Place(row, row))


@lru_cache(maxsize=1)
def _checked(path: Path, _changed_ns: int, _size: int) -> UserTable:
    """Read and check a table once for all the pieces it is read in."""
    from hstore_workflows.tables import check_table, read_table

    return check_table(read_table(path))


def _refuse(cause: str) -> Found:
    raise InputError(cause)


def _row(table: UserTable, place: int, document: Document, most_sites: int) -> Found:
    row = table.frame.iloc[place]
    amounts = table.amounts[place]
    name = next((_text(row.get(column)) for column in _NAME_COLUMNS if _text(row.get(column))), "")
    notes = tuple(filter(None, [table.notes[place]]))
    descriptors = _descriptors(row)
    licence = next((_text(row.get(column)) for column in LICENCE_COLUMNS if _text(row.get(column))), "")[:80]
    structure = _text(row.get(STRUCTURE_COLUMN))
    if not structure:
        return Found(
            _text(row["formula"]), name=name[:120], notes=notes, descriptors=descriptors, licence=licence or None
        )
    found = _structure(structure, document, most_sites)
    assert found.crystal is not None
    if difference(amounts, found.crystal.amounts) > MOST_CHANGE:
        raise InputError(
            f"the structure holds {found.formula} but the formula says {canonical_formula(amounts)}; one is wrong"
        )
    return Found(
        found.formula,
        crystal=found.crystal,
        name=(name or found.name)[:120],
        notes=(*notes, *found.notes),
        descriptors=descriptors,
        known=found.known,
        licence=licence or found.licence,
    )


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else str(cell)


def _descriptors(row: Any) -> dict[str, float]:
    """Named descriptors and known properties of a row, where they are numbers."""
    from hstore.properties import PROPERTIES
    from hstore_workflows.tables import DESCRIPTORS

    found = {}
    for name in row.index:
        if name in DESCRIPTORS or name in PROPERTIES:
            try:
                value = float(row[name])
            except (TypeError, ValueError):
                continue
            if math.isfinite(value):
                found[str(name)] = PROPERTIES[name].check(value, where=name) if name in PROPERTIES else value
    return found


def _structure(text: str, document: Document, most_sites: int) -> Found:
    from hstore_workflows.sources.files.reading import steps_of

    assert document.path is not None
    if "\n" in text or text.startswith(_CIF_MARK):
        inner = Document("structure.cif", None, text.encode(), most_bytes=document.most_bytes)
    else:
        inner = Document(Path(text).name, _below(document.path.parent, text), most_bytes=document.most_bytes)
    steps = list(steps_of(inner, START, most_sites=most_sites))
    if len(steps) != 1:
        raise InputError(f"{text[:60]!r} holds {len(steps)} structures; a row names a file with one")
    found = steps[0].load()
    if found.crystal is None:
        raise InputError(f"{text[:60]!r} holds no structure; name a structure file")
    return found


def _below(folder: Path, text: str) -> Path:
    """Return the file a row names, which must be below the folder of its table."""
    path = folder / text
    if Path(text).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"structure {text[:60]!r} must be a path below the folder of the table")
    if not path.is_file():
        raise InputError(f"structure {text[:60]!r} is no file in the folder of the table; correct the path")
    return path
