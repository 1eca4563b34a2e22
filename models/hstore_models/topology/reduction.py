"""Which loop each triangle closes: column reduction of a boundary matrix over a prime field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from hstore.arrays import IntArray

PRIME = 2**31 - 1
"""Order of the field."""


def pivots(rows: IntArray, coefficients: IntArray, count: int) -> IntArray:
    """Reduce columns of three entries each from left to right.

    Args:
        rows: row of each entry, -1 for entries that count as zero, shape (columns, 3).
        coefficients: of the entries, 0 to PRIME - 1, shape (columns, 3).
        count: number of rows.

    Returns:
        The lowest row of each reduced column, -1 for columns that become zero, shape (columns,); no row stands
        twice.
    """
    found = compiled(_pivots)(
        np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(coefficients, np.int64), count, PRIME
    )
    return np.asarray(found)


def _pivots(  # noqa: C901, PLR0912 - compiled: one loop
    rows: IntArray, coefficients: IntArray, count: int, prime: int
) -> IntArray:  # pragma: no cover - runs compiled
    columns = len(rows)
    found = np.full(columns, -1, np.int64)
    column_of = np.full(count, -1, np.int64)
    starts = np.zeros(columns + 1, np.int64)
    size = 8 * columns + 64
    kept_row, kept_value = np.empty(size, np.int64), np.empty(size, np.int64)
    work = np.zeros(count, np.int64)
    for j in range(columns):
        low = -1
        for k in range(rows.shape[1]):
            row = rows[j, k]
            if row >= 0:
                work[row] = (work[row] + coefficients[j, k]) % prime
                low = max(low, row)
        while low >= 0:
            if work[low] == 0:
                low -= 1
                continue
            other = column_of[low]
            if other < 0:
                break
            factor = prime - work[low]
            for place in range(starts[other], starts[other + 1]):
                row = kept_row[place]
                work[row] = (work[row] + factor * kept_value[place]) % prime
        end = starts[j]
        if low >= 0:
            inverse, base, power = 1, work[low], prime - 2
            while power > 0:
                if power & 1:
                    inverse = inverse * base % prime
                base = base * base % prime
                power >>= 1
            if end + low + 1 > len(kept_row):
                grown_row = np.empty(2 * len(kept_row) + low + 1, np.int64)
                grown_value = np.empty(len(grown_row), np.int64)
                grown_row[:end], grown_value[:end] = kept_row[:end], kept_value[:end]
                kept_row, kept_value = grown_row, grown_value
            for row in range(low + 1):
                if work[row] != 0:
                    kept_row[end], kept_value[end] = row, work[row] * inverse % prime
                    work[row] = 0
                    end += 1
            column_of[low] = j
            found[j] = low
        starts[j + 1] = end
    return found
