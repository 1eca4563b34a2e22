"""Symmetry operations of structure files: read from text, looked up by name, applied to positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray, IntArray

MOST_OPERATIONS = 1000
"""More operations in one cell than real files have: 192 in a conventional cell, some hundreds in supercells."""
_TERM = re.compile(
    r"([+-]?)(?:(\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})(?:/(\d{1,6}(?:\.\d{0,6})?))?(\*?[xyz])?|([xyz]))"
)
_HALL_NUMBERS = 530
_MONOCLINIC = range(3, 16)
_GRID = 10080
"""A translation in cells times this is whole for every denominator up to 10, and 12, 14, 15, 16, 18 ... 48."""


@dataclass(frozen=True, eq=False)
class Operations:
    """Symmetry operations x -> R x + t of fractional coordinates."""

    rotations: IntArray
    """R, shape (k, 3, 3)."""
    translations: FloatArray
    """t, shape (k, 3)."""

    def __len__(self) -> int:
        """Return the number of operations."""
        return len(self.rotations)


IDENTITY = Operations(np.eye(3, dtype=np.int64)[None], np.zeros((1, 3)))
"""The operations of P1."""


def operations_of(texts: Sequence[str]) -> Operations:
    """Read operations such as ``-y, x-y, z+1/3``.

    Raises:
        InputError: one cannot be read, there are too many, or they form no group (some are missing or wrong).
    """
    if len(texts) > MOST_OPERATIONS:
        raise InputError(f"{len(texts)} symmetry operations; at most {MOST_OPERATIONS} are read")
    return _group(tuple(texts))


@lru_cache(maxsize=256)
def _group(texts: tuple[str, ...]) -> Operations:
    read = [_operation(text) for text in texts]
    rotations = np.array([rotation for rotation, _ in read], dtype=np.int64)
    translations = np.mod(np.array([shift for _, shift in read]), 1.0)
    distinct = np.unique(np.concatenate([rotations.reshape(-1, 9), _gridded(translations)], axis=1), axis=0)
    if len(distinct) == len(read):
        operations = Operations(rotations, translations)
    else:  # operations given twice count once
        operations = Operations(distinct[:, :9].reshape(-1, 3, 3), distinct[:, 9:] / _GRID)
    _check_closed(operations)
    return operations


@lru_cache(maxsize=4096)
def _operation(text: str) -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    parts = re.sub(r"[\s'\"]", "", text[:200]).lower().split(",")
    if len(parts) != 3:
        raise InputError(f"symmetry operation {text[:40]!r} must have three parts, as in 'x, y, z+1/2'")
    rows, shifts = zip(*(_component(part, text) for part in parts), strict=True)
    if abs(round(float(np.linalg.det(np.array(rows, dtype=float))))) != 1:
        raise InputError(f"symmetry operation {text[:40]!r} changes the volume; correct it")
    return rows, shifts


def _component(part: str, text: str) -> tuple[tuple[int, ...], float]:
    row = [0, 0, 0]
    shift = 0.0
    position = 0
    while position < len(part):
        match = _TERM.match(part, position)
        if match is None or (position and not match.group(1)):
            raise InputError(f"symmetry operation {text[:40]!r} cannot be read at {part[position:][:10]!r}")
        sign = -1 if match.group(1) == "-" else 1
        number, divisor, scaled, letter = match.group(2), match.group(3), match.group(4), match.group(5)
        if divisor is not None and float(divisor) == 0.0:
            raise InputError(f"symmetry operation {text[:40]!r} divides by zero; correct it")
        value = sign * (float(number) / float(divisor or 1.0) if number else 1.0)
        if letter or scaled:
            if value != int(value) or abs(value) > 8:
                raise InputError(f"symmetry operation {text[:40]!r} multiplies a coordinate by {value:g}")
            row["xyz".index((letter or scaled)[-1])] += int(value)
        else:
            shift += _exact(value)
        position = match.end()
    if not part:
        raise InputError(f"symmetry operation {text[:40]!r} has an empty part; write 'x, y, z'")
    return tuple(row), shift


def _exact(value: float) -> float:
    """Take decimals such as 0.333 for the twenty-fourth they stand for."""
    nearest = round(value * 24) / 24
    return nearest if abs(value - nearest) < 5e-4 else value


def _gridded(translations: FloatArray) -> IntArray:
    return np.mod(np.rint(translations * _GRID).astype(np.int64), _GRID)


def _check_closed(operations: Operations) -> None:
    """Refuse a list that does not contain the product of each two of its operations."""
    shifts = _gridded(operations.translations)
    if np.abs(operations.translations * _GRID - np.rint(operations.translations * _GRID)).max() > 1e-3:
        return  # translations of an unusual supercell, whose sums cannot be compared as integers
    rotations = operations.rotations
    known = set(map(tuple, np.concatenate([rotations.reshape(-1, 9), shifts], axis=1).tolist()))
    for rotation, shift in zip(rotations, shifts, strict=True):
        products = np.concatenate(
            [(rotation @ rotations).reshape(-1, 9), np.mod(shifts @ rotation.T + shift, _GRID)], axis=1
        )
        if not known.issuperset(map(tuple, products.tolist())):
            raise InputError(
                f"the {len(operations)} symmetry operations form no group: products of them are missing; "
                "complete or correct the list"
            )


def named_operations(name: str, *, hexagonal: bool) -> list[Operations]:
    """Look up the operations of a Hermann-Mauguin symbol.

    Args:
        name: symbol, blanks and underscores as one likes, with or without setting (``R-3m:H``, ``Fd-3m S``).
        hexagonal: whether the cell has an angle gamma of 120 degrees, which decides the axes of R groups.

    Returns:
        One set, or two where the symbol leaves the origin open; none when the symbol is unknown.
    """
    key = _symbol_key(name)
    numbers = _symbols().get(key, [])
    if not numbers and key[-1:] in {"s", "z", "h", "r", "1", "2"}:  # settings as databases append them
        setting = {"s": "1", "z": "2"}.get(key[-1], key[-1])
        numbers = _symbols().get(f"{key[:-1].rstrip(':')}:{setting}", [])
    return _chosen(numbers, hexagonal=hexagonal)


def hall_operations(symbol: str) -> list[Operations]:
    """Look up the operations of a Hall symbol, such as ``-P 2ybc``; none when it is unknown."""
    number = _hall_symbols().get(" ".join(symbol[:60].replace("_", " ").split()).lower())
    return [_tabulated(number)] if number else []


def numbered_operations(number: int, *, hexagonal: bool) -> list[Operations]:
    """Look up the operations of a space group by its number in the International Tables, standard axes.

    Args:
        number: 1 to 230.
        hexagonal: as for :func:`named_operations`.
    """
    return _chosen(_standard_settings().get(number, []), hexagonal=hexagonal)


def _chosen(numbers: list[int], *, hexagonal: bool) -> list[Operations]:
    import moyopy

    settings = {n: str(moyopy.HallSymbolEntry(n).setting) for n in numbers}
    if set(settings.values()) == {"H", "R"}:
        wanted = "H" if hexagonal else "R"
        numbers = [n for n in numbers if settings[n] == wanted]
    return [_tabulated(n) for n in numbers]


def _symbol_key(name: str) -> str:
    return re.sub(r"[\s_'\"]", "", name[:60]).lower()


@cache
def _symbols() -> dict[str, list[int]]:
    """Hall numbers by symbol, with and without setting."""
    import moyopy

    found: dict[str, list[int]] = {}
    for number in range(1, _HALL_NUMBERS + 1):
        entry = moyopy.HallSymbolEntry(number)
        setting = str(entry.setting).lower()
        full, short = _symbol_key(entry.hm_full), _symbol_key(entry.hm_short)
        keys = {full}
        if entry.number not in _MONOCLINIC:
            keys |= {short, *_former_symbols(short)}
        elif setting.lstrip("-").startswith("b"):
            keys.add(_symbol_key(entry.hm_full.replace(" 1", "")))
        if setting.endswith("ba-c") and setting != "ba-c":
            continue  # other axes of Ccce under the same symbol
        for key in sorted(keys):
            found.setdefault(key, []).append(number)
            if setting:
                found.setdefault(f"{key}:{setting[0]}", []).append(number)
    return found


@cache
def _hall_symbols() -> dict[str, int]:
    import moyopy

    return {moyopy.HallSymbolEntry(number).hall_symbol.lower(): number for number in range(1, _HALL_NUMBERS + 1)}


def _former_symbols(short: str) -> set[str]:
    """Symbols before 1992 wrote a or b, b or c, a or c for the double glide plane e of C, A, B cells."""
    glides = {"c": "ab", "a": "bc", "b": "ac"}.get(short[0], "") if "e" in short else ""
    return {short.replace("e", glide) for glide in glides}


@cache
def _standard_settings() -> dict[int, list[int]]:
    """Hall numbers of the standard axes of each space group; two where origin or axes are open."""
    import moyopy

    found: dict[int, list[int]] = {}
    for number in range(1, _HALL_NUMBERS + 1):
        entry = moyopy.HallSymbolEntry(number)
        if entry.number not in found or str(entry.setting) in {"2", "R"}:
            found.setdefault(entry.number, []).append(number)
    return found


@cache
def _tabulated(hall_number: int) -> Operations:
    import moyopy

    entry = moyopy.HallSymbolEntry(hall_number)
    given = moyopy.operations_from_number(entry.number, setting=moyopy.Setting.hall_number(hall_number))
    shifts = [[float(Fraction(t).limit_denominator(24)) for t in shift] for shift in given.translations]
    return Operations(np.array(given.rotations, dtype=np.int64), np.mod(np.array(shifts), 1.0))
