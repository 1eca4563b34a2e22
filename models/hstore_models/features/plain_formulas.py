"""Many formulas of symbols and numbers alone, read by one compiled loop.

A formula that is anything more (brackets, percentages, notes, words, amounts of 0 or beyond belief) is left to
:mod:`hstore.formula`; where one is read here, its amounts are the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.formula import MAX_FORMULA_LENGTH
from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

MIN_AMOUNT = 1e-8
"""Smallest amount per formula unit that counts as present, as in pymatgen's ``Composition``."""

_MOST_AMOUNT = 1e6
_FEW = 64
"""Formulas up to which it costs more to load the compiled loop than to read one after the other."""
_DIGITS = 15
"""Digits of a number that is the quotient of two exact ones, and so rounded as by ``float``."""
_POWERS = 10.0 ** np.arange(_DIGITS + 1)
_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE, _DOT, _TWO, _H, _O = map(ord, "AZaz09.2HO")


@dataclass(frozen=True)
class PlainFormulas:
    """The formulas that could be read here, their elements one after the other in order of appearance."""

    counts: NDArray[np.intp]
    """Elements of each formula, shape ``(n,)``; 0 where it was left."""
    atomic_numbers: NDArray[np.intp]
    """Atomic number of each element, shape ``(m,)``."""
    amounts: FloatArray
    """Amount of each element in its formula unit as written, shape ``(m,)``."""

    def rows(self) -> list[dict[str, float]]:
        """Return the amounts of each formula by symbol; empty where it was left."""
        known = ("", *ATOMIC_MASS_G_PER_MOL)
        symbols, amounts = [known[z] for z in self.atomic_numbers.tolist()], self.amounts.tolist()
        ends = np.cumsum(self.counts).tolist()
        return [dict(zip(symbols[i:j], amounts[i:j], strict=True)) for i, j in pairwise([0, *ends])]


def read_plain(formulas: Sequence[str]) -> PlainFormulas:
    """Read the plain ones among many formulas; of few, all are left."""
    counts = np.zeros(len(formulas), dtype=np.intp)
    if len(formulas) <= _FEW:
        return PlainFormulas(counts, np.empty(0, dtype=np.intp), np.empty(0))
    texts = [text if isinstance(text, str) and text.isascii() else "" for text in formulas]
    letters = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.intp, count=len(texts)))
    capitals = np.count_nonzero((letters >= _A) & (letters <= _Z))
    numbers, amounts = np.empty(capitals, dtype=np.intp), np.empty(capitals)
    filled = compiled(_read)(letters, ends, _symbols(), _POWERS, counts, numbers, amounts)
    return PlainFormulas(counts, numbers[:filled], amounts[:filled])


@cache
def _symbols() -> NDArray[np.intp]:
    """Atomic number by first and second letter, shape ``(26, 27)``; 0 for no element, column 0 for no letter."""
    table = np.zeros((26, 27), dtype=np.intp)
    for number, symbol in enumerate(ATOMIC_MASS_G_PER_MOL, start=1):
        table[ord(symbol[0]) - _A, ord(symbol[1]) - _SMALL_A + 1 if symbol[1:] else 0] = number
    return table


def _read(  # noqa: C901, PLR0912 - compiled: one nest of loops
    letters: NDArray[np.uint8],
    ends: NDArray[np.intp],
    symbols: NDArray[np.intp],
    powers: FloatArray,
    counts: NDArray[np.intp],
    numbers: NDArray[np.intp],
    amounts: FloatArray,
) -> int:  # pragma: no cover - runs compiled
    """Fill counts, atomic numbers and amounts; return how many elements there are in all."""
    place, filled = 0, 0
    for row in range(len(ends)):
        start, end, first = place, ends[row], filled
        plain = 0 < end - start <= MAX_FORMULA_LENGTH
        numbered, dotted = False, False
        while plain and place < end:
            if not _A <= letters[place] <= _Z:
                plain = False
                break
            one, two = letters[place] - _A, 0
            place += 1
            if place < end and _SMALL_A <= letters[place] <= _SMALL_Z:
                two = letters[place] - _SMALL_A + 1
                place += 1
            mantissa, digits, decimals, dots = 0, 0, 0, 0
            while place < end and (_ZERO <= letters[place] <= _NINE or letters[place] == _DOT):
                if letters[place] == _DOT:
                    dots += 1
                elif digits < _DIGITS + 1:
                    mantissa = 10 * mantissa + (letters[place] - _ZERO)
                    digits += 1
                    decimals += dots
                place += 1
            amount = 1.0
            if digits or dots:
                numbered, dotted = True, dotted or dots > 0
                plain = 0 < digits <= _DIGITS and dots <= 1
                amount = mantissa / powers[decimals] if plain else 0.0
            number = symbols[one, two]
            plain = plain and number > 0 and amount >= MIN_AMOUNT
            spot = first
            while spot < filled and numbers[spot] != number:
                spot += 1
            if spot == filled:
                numbers[spot], amounts[spot] = number, 0.0
                filled += 1
            amounts[spot] += amount
            plain = plain and amounts[spot] <= _MOST_AMOUNT
        # Letters alone may be a word for a missing value, and a dot before H2O that of crystal water.
        if dotted and letters[end - 3] == _H and letters[end - 2] == _TWO and letters[end - 1] == _O:
            plain = False
        if plain and numbered:
            counts[row] = filled - first
        else:
            filled = first
        place = end
    return filled
