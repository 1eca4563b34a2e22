"""Unit cells of a table's rows, read from its columns; formula units that are not stated are inferred."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore_models.features.composition import row_sum
from hstore_models.features.electrolyte import Lattice, conductor_families, ionic_volumes_a3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore_models.features.composition import CompositionBatch, FloatArray

LENGTHS = ("a", "b", "c")
"""Columns of the edges of the cell, angstrom."""

ANGLES = ("alpha", "beta", "gamma")
"""Columns of its angles, degrees."""

FORMULA_UNITS = ("formula_units", "Z")
"""Columns that may state how many of the formula as written are in the cell; the first that is there counts."""

CELL_CONTENTS = ("true_composition", "True Composition")
"""Columns that may state the composition of the whole cell."""

SPACE_GROUPS = ("space_group_number", "Space group #", "space_group", "Space group")
"""Columns that may state the space group, as its number or its Hermann-Mauguin symbol."""

CELL_COLUMNS: tuple[str, ...] = (*LENGTHS, *ANGLES, *FORMULA_UNITS, *CELL_CONTENTS, *SPACE_GROUPS)
"""Every column that is looked at."""

IONIC_VOLUME_RATIOS: Mapping[str, float] = {
    "garnet": 1.61, "polyanion": 1.53, "perovskite": 1.51, "oxide": 1.59, "sulfide": 1.44, "halide": 1.37,
    "other": 1.53,
}  # fmt: skip
"""Chemistry (:func:`~hstore_models.features.electrolyte.conductor_families`) -> volume of a crystal over that of
its ions as spheres: medians of the training split of OBELiX, doi 10.1039/D5DD00441A; of others, that of all."""

_SCREW_AXIS = re.compile(r"([2346])([1-5])")
_SETTINGS = "HRSZ"
"""Letters that may end a symbol to name its setting."""


def lattice_of(frame: pd.DataFrame, batch: CompositionBatch) -> Lattice:
    """Read the unit cells of a table.

    Args:
        frame: table of n rows; it may have any of ``CELL_COLUMNS``. Without its angles a cell is not known.
        batch: the n materials as their formulas are written.

    Returns:
        The cells, NaN where not known. Formula units that are not stated follow from the composition of the whole
        cell, else from its volume.
    """
    lengths, angles = _numbers(frame, LENGTHS), _numbers(frame, ANGLES)
    lengths = np.where(lengths > 0, lengths, np.nan)
    angles = np.where((angles > 0) & (angles < 180), angles, np.nan)
    bare = Lattice(lengths, angles, np.ones(len(batch)))
    units = _first_number(frame, FORMULA_UNITS)
    units = np.where(units > 0, units, _from_contents(frame, batch))
    volume = bare.volume_a3
    if np.isfinite(volume).any():  # most questions are of formulas alone
        ratios = np.array([IONIC_VOLUME_RATIOS[name.partition(" ")[2]] for name in conductor_families(batch)])
        expected = ratios * ionic_volumes_a3(batch) * row_sum(batch.amounts)
        units = np.where(np.isnan(units), infer_formula_units(volume, expected), units)
    return Lattice(lengths, angles, units, _space_groups(frame))


def infer_formula_units(volume_a3: FloatArray, expected_a3: FloatArray) -> FloatArray:
    """Infer how many formula units a cell holds: the nearest whole number, or 1 over one for split formulas.

    Right for 87 % of the cells the ratios were taken from, else mostly one off: large cells are ambiguous.

    Args:
        volume_a3: volume of the cell, cubic angstrom, shape ``(n,)``.
        expected_a3: volume that one formula unit is expected to take, cubic angstrom, shape ``(n,)``.

    Returns:
        Formula units, shape ``(n,)``; NaN where a volume is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = volume_a3 / expected_a3
        return np.asarray(np.where(ratio >= 1.0, np.round(ratio), 1.0 / np.round(1.0 / ratio)))


def _numbers(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Return columns as numbers, shape (n, len(names)); NaN where absent or no number."""
    return np.stack([_first_number(frame, (name,)) for name in names], axis=1)


def _first_number(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    for name in names:
        if name in frame:
            return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    return np.full(len(frame), np.nan)


def _from_contents(frame: pd.DataFrame, batch: CompositionBatch) -> FloatArray:
    """Divide the atoms of the whole cell by those of the formula."""
    name = next((name for name in CELL_CONTENTS if name in frame), "")
    if not name:
        return np.full(len(batch), np.nan)
    return np.array([_atoms(cell) for cell in frame[name]]) / row_sum(batch.amounts)


def _atoms(cell: object) -> float:
    try:
        return sum(parse_amounts(str(cell)).values())
    except FormulaError:  # a remark, or empty: the cell is then known by its volume alone
        return float("nan")


def _space_groups(frame: pd.DataFrame) -> FloatArray:
    """Return numbers of space groups, shape (n,); NaN where not stated or no space group."""
    found = np.full(len(frame), np.nan)
    for name in SPACE_GROUPS:
        if name in frame:
            stated = np.array([_space_group_number(cell) for cell in frame[name]], dtype=np.float64)
            found = np.where(np.isnan(found), stated, found)
    return found


def _space_group_number(cell: object) -> float:
    text = str(cell).replace(" ", "")
    try:
        number = float(text)
    except ValueError:
        return _number_of_symbol(text)
    return number if number in range(1, 231) else float("nan")


@cache
def _number_of_symbol(symbol: str) -> float:
    """Look a symbol up as it is, with its screw axes marked (``P21/c`` is ``P2_1/c``), and without its setting."""
    from pymatgen.symmetry.groups import SpaceGroup

    short = symbol.rstrip(_SETTINGS)
    for spelling in dict.fromkeys(
        (symbol, _SCREW_AXIS.sub(r"\1_\2", symbol), short, _SCREW_AXIS.sub(r"\1_\2", short))
    ):
        try:
            return float(SpaceGroup(spelling).int_number)
        except ValueError:  # no symbol that pymatgen knows in this spelling
            continue
    return float("nan")
