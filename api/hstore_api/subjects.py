"""What predictions are asked about: formulas, structures and rows of tables, each read or with its cause."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError, InputError
from hstore_api.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.workers import Outcome
    from hstore_api.prediction_schemas import StructureInput

SITES = 1000
"""Most sites of a structure's cell."""

_LOADED_BEFORE = ("hstore_models.features.structure.geometry", "hstore_models.features.unit_cell")
_SECONDS = 5.0
_PATIENCE_S = 30.0
_RETRY_AFTER_S = 10
_MEMORY_MIB = 1536


@dataclass(frozen=True)
class Subject:
    """One material that is asked about."""

    formula: str
    """Formula as given, or of the structure; empty where there is none."""
    amounts: dict[str, float] | None
    """Amounts of the elements, empty for a sorbent known by its texture; None where it cannot be read."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Descriptors, unit cell and conditions of its own."""
    name: str = ""
    """Name as given."""
    cause: str = ""
    """Why it cannot be read; empty where it can."""
    note: str = ""
    """What was read into it."""
    structured: bool = False
    """True for a structure."""


def of_formula(text: str) -> Subject:
    """Read a formula."""
    from hstore_workflows.tables import host_formula

    try:
        return Subject(text, host_formula(text).amounts)
    except FormulaError as error:
        return Subject(text, None, cause=str(error))


def of_rows(rows: Sequence[Mapping[str, Any]], *, formulas: bool) -> list[Subject]:
    """Read rows of a table, as ``hstore predict`` reads a file.

    Args:
        rows: column -> cell; columns that a row lacks are empty cells.
        formulas: True where a formula is needed, False where descriptors are.

    Raises:
        InputError: there is no column of formulas, or of descriptors, though one is needed.
    """
    import pandas as pd

    from hstore_workflows.tables import check_table

    table = check_table(pd.DataFrame(list(rows)), formulas=formulas, temperatures=True)
    names = [str(row.get("name") or "") for row in rows]
    found = {
        reject.row - 1: Subject(reject.formula, None, name=names[reject.row - 1], cause=reject.cause)
        for reject in table.rejects
    }
    records = table.frame.to_dict("records")
    for record, amounts, note in zip(records, table.amounts, table.notes, strict=True):
        place = int(record.pop("row")) - 1
        formula = record.get("formula")
        text = "" if formula is None or pd.isna(formula) else str(formula)
        given = {str(column): cell for column, cell in record.items() if column != "formula" and not pd.isna(cell)}
        found[place] = Subject(text, amounts, given, names[place], note=note)
    return [found[place] for place in range(len(rows))]


class StructureReader:
    """A process that reads structures, ended where one takes too long or too much memory; started when needed."""

    def __init__(self) -> None:
        self._crew: Any = None
        self._turn = threading.Lock()

    def read(self, structures: Sequence[StructureInput]) -> list[Subject]:
        """Read structures; one that cannot be read has its cause.

        Raises:
            BusyError: those of others take too long.
        """
        texts = [
            ("x.cif", s.cif) if s.cif is not None else ("x.json", json.dumps(s.structure)) for s in structures
        ]
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise BusyError(
                f"structures of others are being read; ask again in {_RETRY_AFTER_S} s",
                retry_after_s=_RETRY_AFTER_S,
            )
        try:
            outcomes = list(self._reading().map(texts))
        except BaseException:  # whatever stopped it, what was begun must not be taken for the next request's
            self.close()
            raise
        finally:
            self._turn.release()
        return [_of_outcome(given, outcome) for given, outcome in zip(structures, outcomes, strict=True)]

    def close(self) -> None:
        """End the process."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def _reading(self) -> Any:
        if self._crew is None:
            from hstore.workers import Crew, Limits
            from hstore_workflows.sources.files.reading import PRELOAD

            limits = Limits(seconds=_SECONDS, memory_mib=_MEMORY_MIB)
            preload = (*PRELOAD, *_LOADED_BEFORE)  # the time limit is for reading alone
            self._crew = Crew(_read_structure, workers=1, piece=1, limits=limits, preload=preload)
        return self._crew


def _of_outcome(given: StructureInput, outcome: Outcome[Any]) -> Subject:
    if outcome.value is None:
        return Subject("", None, name=given.name, cause=outcome.cause, structured=True)
    formula, columns, name, notes = outcome.value
    read = of_formula(formula)
    return Subject(formula, read.amounts, columns, given.name or name, read.cause, notes, structured=True)


def _read_structure(text: tuple[str, str]) -> tuple[str, dict[str, float | str], str, str]:
    """Return formula, unit cell, name and notes of a structure; in the other process."""
    from hstore_workflows.sources.files.found import Found
    from hstore_workflows.sources.files.place import Document
    from hstore_workflows.sources.files.reading import Piece, read_piece

    name, content = text
    answer = read_piece(Piece(Document(name, None, content.encode()), SITES, most_entries=2))
    entries = [found for _, found in answer.entries]
    if len(entries) != 1 or answer.rest is not None:
        raise InputError("it holds several structures; give each by itself")
    found = entries[0]
    if not isinstance(found, Found):
        raise InputError(found.cause)
    if found.crystal is None:
        raise InputError("it holds no structure; give a CIF, or the dictionary of a pymatgen Structure")
    return found.formula, _cell_columns(found.crystal), found.name, "; ".join(found.notes)


def _cell_columns(crystal: Any) -> dict[str, float | str]:
    """Return the conventional unit cell of a crystal in the columns that models read."""
    import numpy as np

    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.features.unit_cell import ANGLES, LENGTHS

    symmetry = Geometry(crystal).symmetry
    standard = symmetry.std_cell
    cell = Crystal(np.asarray(standard.basis), np.asarray(standard.positions), np.asarray(standard.numbers))
    edges = np.linalg.norm(cell.lattice_angstrom, axis=1)
    units = cell.lattice_angstrom / edges[:, None]
    cosines = np.clip([units[1] @ units[2], units[0] @ units[2], units[0] @ units[1]], -1.0, 1.0)
    return {
        **dict(zip(LENGTHS, edges.tolist(), strict=True)),
        **dict(zip(ANGLES, np.degrees(np.arccos(cosines)).tolist(), strict=True)),
        "space_group_number": int(symmetry.number),
        "true_composition": cell.formula,
    }
