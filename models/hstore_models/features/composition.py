"""Many compositions as padded arrays, the one input of every composition descriptor.

A row holds its elements in the order of the formula, filled up with zeros to the widest row. Row sums run
from left to right, so a row's descriptors do not depend on the rows it is computed with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from operator import methodcaller
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FormulaError, InputError
from hstore.formula import formula_text, parse_amounts
from hstore_models.compiled import compiled
from hstore_models.features.plain_formulas import MIN_AMOUNT, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

SYMBOLS: tuple[str, ...] = ("", *ATOMIC_MASS_G_PER_MOL)
"""Element symbol by atomic number; index 0 is the padding."""

ATOMIC_NUMBER: dict[str, int] = {symbol: z for z, symbol in enumerate(SYMBOLS) if z}
"""Atomic number by element symbol, hydrogen to lawrencium."""


class _Numbers(dict[str, int]):
    """Atomic numbers in which an unknown element has 0."""

    def __missing__(self, _symbol: str) -> int:
        return 0


_NUMBERS = _Numbers(ATOMIC_NUMBER)
_VALUES = methodcaller("values")
_FEW_ROWS = 16
"""Rows up to which the steps of Python cost more than the sums."""


@dataclass(frozen=True, slots=True)
class RejectedFormula:
    """A formula that could not be read."""

    index: int
    """Position in the list that was given, from zero."""
    formula: str
    """The formula as given."""
    cause: str
    """Why it could not be read, and what to do."""


@dataclass(frozen=True, eq=False)
class CompositionBatch:
    """Compositions of n materials with at most k elements each."""

    atomic_numbers: IntArray
    """Atomic numbers, shape (n, k); 0 pads rows with fewer elements at their end."""
    amounts: FloatArray
    """Amounts per formula unit as written, shape (n, k); 0 where padded."""

    @classmethod
    def from_amounts(cls, amounts: Sequence[Mapping[str, float]]) -> CompositionBatch:
        """Build a batch from amounts of elements, one mapping of symbol to amount per material.

        Raises:
            FormulaError: a row is empty, names an unknown element or holds an amount that is not a finite
                number of at least ``MIN_AMOUNT``; the message says which row.
        """
        counts = np.fromiter(map(len, amounts), dtype=np.intp, count=len(amounts))
        total = int(counts.sum())
        symbols, values = chain.from_iterable(amounts), chain.from_iterable(map(_VALUES, amounts))
        numbers = np.fromiter(map(_NUMBERS.__getitem__, symbols), dtype=np.intp, count=total)
        given = np.fromiter(values, dtype=np.float64, count=total)
        if not (counts.all() and numbers.all() and ((given >= MIN_AMOUNT) & (given < np.inf)).all()):
            for index, row in enumerate(amounts):
                cause = _defect(row)
                if cause:
                    raise FormulaError(f"row {index} ({dict(row)!r}): {cause}")
        return _padded(counts, numbers, given)

    @classmethod
    def from_formulas(cls, formulas: Sequence[str]) -> tuple[CompositionBatch, list[RejectedFormula]]:
        """Read formulas into a batch of those which could be read, in order, and the list of the others."""
        plain = read_plain(formulas)
        others: dict[int, dict[str, float]] = {}
        rejected: list[RejectedFormula] = []
        for index in np.flatnonzero(plain.counts == 0).tolist():
            try:
                row = parse_amounts(formulas[index])
            except FormulaError as error:
                rejected.append(RejectedFormula(index, str(formulas[index]), str(error)))
                continue
            cause = _defect(row)
            if cause:
                rejected.append(RejectedFormula(index, formulas[index], cause))
            else:
                others[index] = row
        widest = max(map(len, others.values()), default=1)
        batch = _padded(plain.counts, plain.atomic_numbers, plain.amounts, least=widest)
        for index, row in others.items():
            batch.atomic_numbers[index, : len(row)] = [ATOMIC_NUMBER[symbol] for symbol in row]
            batch.amounts[index, : len(row)] = list(row.values())
        return (batch.take(batch.present[:, 0]) if rejected else batch), rejected

    def __len__(self) -> int:
        """Return the number of materials, n."""
        return len(self.amounts)

    @cached_property
    def present(self) -> BoolArray:
        """True where an element stands, False where the row is padded; shape (n, k)."""
        return self.atomic_numbers > 0

    @cached_property
    def counts(self) -> IntArray:
        """Number of elements of each material, shape (n,)."""
        return np.asarray(self.present.sum(axis=1))

    @cached_property
    def fractions(self) -> FloatArray:
        """Atomic fractions, shape (n, k); the same bits as pymatgen's ``get_atomic_fraction``."""
        return divide(self.amounts, row_sum(self.amounts)[:, None], otherwise=0.0)

    def fraction_of(self, symbols: Iterable[str]) -> FloatArray:
        """Return the total atomic fraction of some elements, shape (n,).

        Raises:
            InputError: a symbol is not an element.
        """
        return row_sum(np.where(self.contains(symbols), self.fractions, 0.0))

    def contains(self, symbols: Iterable[str]) -> BoolArray:
        """Mark where one of some elements stands, shape (n, k).

        Raises:
            InputError: a symbol is not an element.
        """
        return _marked(tuple(symbols))[self.atomic_numbers]

    def without(self, symbols: Iterable[str]) -> CompositionBatch:
        """Return the batch with some elements taken out; rows of nothing else become empty rows."""
        gone = self.contains(symbols)
        if not gone.any():
            return self
        order = np.argsort(gone | ~self.present, axis=1, kind="stable")
        numbers = np.take_along_axis(np.where(gone, 0, self.atomic_numbers), order, axis=1)
        amounts = np.take_along_axis(np.where(gone, 0.0, self.amounts), order, axis=1)
        return CompositionBatch(numbers, amounts)

    def take(self, rows: IntArray | BoolArray | slice) -> CompositionBatch:
        """Return some rows, by position, mask or slice."""
        return CompositionBatch(self.atomic_numbers[rows], self.amounts[rows])

    def chunks(self, rows: int) -> Iterator[CompositionBatch]:
        """Yield the batch in pieces of at most that many rows, in order."""
        for start in range(0, len(self), rows):
            yield self.take(slice(start, start + rows))

    def formulas(self) -> list[str]:
        """Write each material as a formula, elements in the order of the row."""
        rows = zip(self.atomic_numbers.tolist(), self.amounts.tolist(), strict=True)
        return [formula_text({SYMBOLS[z]: n for z, n in zip(*row, strict=True) if z}) for row in rows]


@cache
def _marked(symbols: tuple[str, ...]) -> BoolArray:
    """Mark the atomic numbers of some elements; callers name the same few groups again and again."""
    marked = np.zeros(len(SYMBOLS), dtype=bool)
    for symbol in symbols:
        if symbol not in ATOMIC_NUMBER:
            raise InputError(f"{symbol!r} is not an element; use symbols such as 'Li' or 'Ni'")
        marked[ATOMIC_NUMBER[symbol]] = True
    return marked


def row_sum(values: FloatArray) -> FloatArray:
    """Sum an array of shape (n, k, ...) over its second axis from left to right, as padding requires.

    ``ndarray.sum`` groups its terms by the width of the array, which would make a row's last bit depend on
    how far it is padded.
    """
    if len(values) <= _FEW_ROWS and values.shape[1]:
        # The same sums in the same order; adding 0 makes a negative zero the positive one it is below.
        return np.asarray(np.add.accumulate(values, axis=1, dtype=np.float64)[:, -1] + 0.0)
    total = np.zeros(values.shape[:1] + values.shape[2:])
    for column in range(values.shape[1]):
        total += values[:, column]
    return total


def divide(numerator: FloatArray, denominator: FloatArray, *, otherwise: float = np.nan) -> FloatArray:
    """Divide where the denominator is not zero, and put ``otherwise`` where it is."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient = np.full(shape, otherwise)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def weighted_mean(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Average values over elements, both of shape (n, k); elements of zero weight count for nothing.

    Returns:
        Means of shape (n,); NaN where all weights are zero, or where an element of positive weight is NaN.
    """
    means = np.empty(len(weights))
    compiled(_average)(np.ascontiguousarray(weights), np.ascontiguousarray(values), means)
    return means


def _average(
    weights: FloatArray, values: FloatArray, means: FloatArray
) -> None:  # pragma: no cover - runs compiled
    for row in range(len(weights)):
        total, weight = 0.0, 0.0
        for column in range(weights.shape[1]):
            if weights[row, column] > 0:
                total += weights[row, column] * values[row, column]
            weight += weights[row, column]
        means[row] = total / weight if weight != 0 else np.nan


def weighted_deviation(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the standard deviation that belongs to :func:`weighted_mean`, shape (n,)."""
    return np.sqrt(weighted_mean(weights, (values - weighted_mean(weights, values)[:, None]) ** 2))


def _defect(row: Mapping[str, float]) -> str:
    """Say what is wrong with a row of amounts; an empty string when nothing is."""
    unknown = [symbol for symbol in row if symbol not in ATOMIC_NUMBER]
    if unknown:
        return f"unknown element {', '.join(map(repr, unknown))}; use symbols from H to Lr"
    bad = {symbol: n for symbol, n in row.items() if not MIN_AMOUNT <= n < np.inf}
    if bad or not row:
        given = bad or "no element at all"
        return f"every amount must be a finite number of at least {MIN_AMOUNT:g}, got {given}; correct it"
    return ""


def _padded(counts: IntArray, numbers: IntArray, amounts: FloatArray, *, least: int = 1) -> CompositionBatch:
    """Make rows, of at least a width, of elements that stand one after the other."""
    width = max(least, int(counts.max(initial=1)))
    present = np.arange(width) < counts[:, None]
    batch = CompositionBatch(np.zeros(present.shape, dtype=np.intp), np.zeros(present.shape))
    batch.atomic_numbers[present], batch.amounts[present] = numbers, amounts
    return batch
