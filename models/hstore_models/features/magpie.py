"""The 132 Magpie descriptors, bit for bit those of matminer and some hundred times faster.

Ward et al., npj Comput. Mater. 2, 16028 (2016), doi 10.1038/npjcompumats.2016.28. Six statistics of 22
elemental properties, weighted by composition. The elemental table is read from the data files of the
installed matminer (modified BSD licence), so both always agree; matminer itself is not imported.

Kept from matminer 0.10: missing elemental values are filled with the mean over all 118 elements
(``impute_nan=True``), weights are the amounts as written, ``mode`` is the lowest value among the elements
with the largest amount, and amounts count as equal within ``numpy.isclose``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.compiled import compiled
from hstore_models.features.elemental import elemental_table

if TYPE_CHECKING:
    from hstore_models.features.composition import CompositionBatch, FloatArray, IntArray

PROPERTIES: tuple[str, ...] = (
    "Number", "MendeleevNumber", "AtomicWeight", "MeltingT", "Column", "Row", "CovalentRadius",
    "Electronegativity", "NsValence", "NpValence", "NdValence", "NfValence", "NValence", "NsUnfilled",
    "NpUnfilled", "NdUnfilled", "NfUnfilled", "NUnfilled", "GSvolume_pa", "GSbandgap", "GSmagmom",
    "SpaceGroupNumber",
)  # fmt: skip
"""The 22 elemental properties, in matminer's order and spelling."""

STATISTICS: tuple[str, ...] = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
"""The six statistics of each property."""

MAGPIE_NAMES: tuple[str, ...] = tuple(f"MagpieData {stat} {name}" for name in PROPERTIES for stat in STATISTICS)
"""The 132 names, equal to matminer's ``ElementProperty.from_preset("magpie").feature_labels()``."""

_PAIRWISE_FROM = 8
"""Elements from which on numpy, and so matminer, adds in another order than from left to right."""
_REL, _ABS = 1e-5, 1e-8
"""Tolerances of ``numpy.isclose``."""


def magpie_features(batch: CompositionBatch) -> FloatArray:
    """Compute the 132 Magpie descriptors of every material.

    Args:
        batch: n materials.

    Returns:
        Values of shape (n, 132), columns as in ``MAGPIE_NAMES``; never NaN but for rows without any element.

    Raises:
        DataError: matminer's elemental data files are missing or not in the expected layout.
    """
    values = np.full((len(batch), len(PROPERTIES), len(STATISTICS)), np.nan)
    table = elemental_table(PROPERTIES)
    compiled(_describe)(table, batch.atomic_numbers, batch.amounts, np.asarray(batch.counts), values)
    return values.reshape(len(batch), len(MAGPIE_NAMES))


def _describe(  # noqa: C901, PLR0912 - compiled: one nest of loops
    table: FloatArray, numbers: IntArray, amounts: FloatArray, counts: IntArray, values: FloatArray
) -> None:  # pragma: no cover - runs compiled
    """Fill the statistics of each property, shape ``(n, properties, statistics)``."""
    properties = table.shape[1]
    sums = np.empty(1 + 2 * properties)  # of the weights, of each property, of its deviations
    terms, lanes = np.empty(numbers.shape[1]), np.empty(_PAIRWISE_FROM)
    for row in range(len(counts)):
        count = counts[row]
        if count == 0:
            continue
        for step in range(len(sums)):
            column = (step - 1) % properties
            for place in range(count):
                weight, value = amounts[row, place], table[numbers[row, place], column]
                if step == 0:
                    terms[place] = weight
                elif step <= properties:
                    terms[place] = value * weight
                else:
                    terms[place] = abs(value - sums[1 + column] / sums[0]) * weight
            rest, total = 0, 0.0
            if count >= _PAIRWISE_FROM:
                rest = count - count % _PAIRWISE_FROM
                lanes[:] = terms[:_PAIRWISE_FROM]
                for place in range(_PAIRWISE_FROM, rest):
                    lanes[place % _PAIRWISE_FROM] += terms[place]
                total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + (
                    (lanes[4] + lanes[5]) + (lanes[6] + lanes[7])
                )
            for place in range(rest, count):
                total += terms[place]
            sums[step] = total
        most = amounts[row, :count].max()
        for column in range(properties):
            lowest, highest, mode = np.inf, -np.inf, np.inf
            for place in range(count):
                value = table[numbers[row, place], column]
                lowest, highest = min(lowest, value), max(highest, value)
                if abs(amounts[row, place] - most) <= _ABS + _REL * most:
                    mode = min(mode, value)
            mean, deviation = sums[1 + column] / sums[0], sums[1 + properties + column] / sums[0]
            values[row, column] = (lowest, highest, highest - lowest, mean, deviation, mode)
