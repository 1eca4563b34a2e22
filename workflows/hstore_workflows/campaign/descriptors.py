"""Candidates as numbers: standardised blocks of descriptors, those of the field beside general ones.

Strategies learn from a few dozen results, and then it matters most what they are told. Beside Magpie descriptors,
formulas get those of hydrides or of electrolytes, whichever the pool is made of; the seven texture columns of
sorbents get what follows from them. ``docs/how-to/campaigns.md`` says how much that gains on labelled pools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.features.composition import CompositionBatch

MAGPIE = "magpie"
"""Block of composition descriptors, and the word for it where columns are named."""
COLUMNS = "columns"
"""Block of the columns that a table describes its candidates by."""
DERIVED = frozenset({"hydride", "electrolyte", "pores"})
"""Blocks that are hstore's own knowledge of a field."""

LARGE = 50_000
"""Candidates from which on descriptors are in single precision, and of compositions Magpie's alone."""

_ANIONS = ("N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I")
"""What the anions of electrolytes are made of."""
_SOME, _MOST = 0.1, 0.9
"""Share of candidates of a kind from which on the pool is told of it, and above which of nothing else."""
_ANION_SHARE = 0.2
_CONSTANT = 1e-9


def composition_blocks(compositions: CompositionBatch) -> dict[str, FloatArray]:
    """Describe compositions.

    Args:
        compositions: n materials.

    Returns:
        Block -> standardised descriptors, shape ``(n, d)``, gaps filled by the median of the column.
    """
    from hstore_models.features.magpie import magpie_features

    large = len(compositions) > LARGE
    found = {MAGPIE: standardised(_in_chunks(compositions) if large else magpie_features(compositions))}
    if not large:
        found |= {name: standardised(_field_block(name, compositions)) for name in _fields(compositions)}
    return {name: block for name, block in found.items() if block.shape[1]}


def column_blocks(values: FloatArray, names: Sequence[str]) -> dict[str, FloatArray]:
    """Describe candidates by the columns of a table.

    Args:
        values: shape ``(n, d)``, NaN where missing.
        names: of the columns.

    Returns:
        Block -> standardised descriptors, shape ``(n, d)``.
    """
    from hstore_models.features.pores import PORE_DESCRIPTORS, pore_features

    found = {COLUMNS: standardised(filled(values))}
    if set(PORE_DESCRIPTORS) <= set(names):
        places = {name: values[:, list(names).index(name)] for name in PORE_DESCRIPTORS}
        found["pores"] = standardised(filled(pore_features(places)[0]))
    return {name: block for name, block in found.items() if block.shape[1]}


def or_nothing(blocks: Mapping[str, FloatArray], n: int) -> Mapping[str, FloatArray]:
    """Return blocks, or one that tells nothing apart where there are none."""
    return blocks or {"nothing": np.zeros((n, 1))}


def standardised(values: FloatArray) -> FloatArray:
    """Return columns with mean 0 and standard deviation 1, constant ones left out, shape ``(n, d)``.

    Columns are taken one by one, and in place where the pool is large, for the sake of memory.
    """
    result = values if len(values) > LARGE else values.copy()
    varied = np.ones(values.shape[1], dtype=bool)
    for place in range(values.shape[1]):
        column = values[:, place].astype(float)
        mean, spread = column.mean(), column.std()
        varied[place] = spread > _CONSTANT * (1.0 + abs(mean))
        if varied[place]:
            result[:, place] = (column - mean) / spread
    return result if varied.all() else result[:, varied]


def filled(values: FloatArray) -> FloatArray:
    """Return columns with gaps filled by their medians, 0 where a column has no value."""
    known = np.where(np.isfinite(values), values, np.nan)
    empty = np.isnan(known).all(axis=0)
    known[:, empty] = 0.0
    return np.where(np.isnan(known), np.nanmedian(known, axis=0), known)


def _in_chunks(compositions: CompositionBatch) -> FloatArray:
    """Return Magpie descriptors in single precision: half of the memory, seven digits."""
    from hstore_models.features.magpie import magpie_features

    n_columns = magpie_features(compositions.take(slice(0, 1))).shape[1]
    result: FloatArray = np.empty((len(compositions), n_columns), dtype=np.float32)
    for number, chunk in enumerate(compositions.chunks(LARGE)):
        result[number * LARGE : number * LARGE + len(chunk)] = magpie_features(chunk)
    return result


def _fields(compositions: CompositionBatch) -> list[str]:
    """Name the blocks that suit the pool: alloys and hydrides, electrolytes, or both."""
    share = float(np.mean(compositions.fraction_of(_ANIONS) >= _ANION_SHARE))
    if share < _SOME:
        return ["hydride"]
    return ["electrolyte"] if share > _MOST else ["hydride", "electrolyte"]


def _field_block(name: str, compositions: CompositionBatch) -> FloatArray:
    from hstore_models.features.composition import SYMBOLS
    from hstore_models.inputs import assemble
    from hstore_models.prediction import Query

    rows = zip(compositions.atomic_numbers.tolist(), compositions.amounts.tolist(), strict=True)
    query = Query.of([{SYMBOLS[z]: amount for z, amount in zip(*row, strict=True) if z} for row in rows])
    return filled(assemble(query, (name,), host=name == "hydride").values)
