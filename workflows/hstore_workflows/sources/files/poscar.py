"""POSCAR and CONTCAR files of VASP, versions 4 (elements in comment or beside atoms) and 5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.partial import PartialCrystal, checked_lattice, element_of
from hstore_workflows.sources.files.found import Found, settle
from hstore_workflows.sources.files.place import Place, Step
from hstore_workflows.sources.files.text import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.arrays import FloatArray
    from hstore_workflows.sources.files.place import Document

_HEADER_LINES = 7


def read_poscar(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield the one structure of the file.

    Args:
        document: the file.
        start: where to begin; nothing follows the first place.
        most_sites: largest number of atoms.
    """
    if start.entries == 0:
        yield Step("1", lambda: poscar_structure(decoded(document.content()), most_sites=most_sites), Place(1, 1))


def poscar_structure(text: str, *, most_sites: int) -> Found:
    """Read the text of a POSCAR.

    Raises:
        InputError: it is cut off, elements are not named, or a number cannot be read.
    """
    lines = text.splitlines()
    if len(lines) <= _HEADER_LINES:
        raise InputError(
            f"a POSCAR needs more than {_HEADER_LINES} lines, got {len(lines)}; the file may be cut off"
        )
    lattice = checked_lattice(_lattice(lines))
    words = lines[5].split()
    named = bool(words) and not all(word.isdecimal() for word in words)
    counts = _counts(lines[6 if named else 5])
    total = sum(counts)
    if total > most_sites:
        raise InputError(f"{total} atoms are stated; at most {most_sites} are read (--max-sites)")
    line = 7 if named else 6
    if lines[line].strip()[:1].lower() == "s":  # selective dynamics
        line += 1
    cartesian = lines[line].strip()[:1].lower() in {"c", "k"} if line < len(lines) else False
    rows = [text.split() for text in lines[line + 1 : line + 1 + total]]
    if len(rows) < total or any(len(row) < 3 for row in rows):
        raise InputError(f"{total} atoms are stated but their coordinates are not all there; complete the file")
    coordinates = np.array([[_number(word) for word in row[:3]] for row in rows])
    if cartesian:
        coordinates = np.linalg.solve(lattice.T, (coordinates * _scale(lines, lattice)).T).T
    symbols = _symbols(words if named else [], counts, rows, lines[0])
    return settle(PartialCrystal.whole(lattice, coordinates, symbols))


def _lattice(lines: list[str]) -> FloatArray:
    vectors = [[_number(word) for word in line.split()[:3]] for line in lines[2:5]]
    if any(len(vector) != 3 for vector in vectors):
        raise InputError("lines 3 to 5 of a POSCAR are the cell vectors, three numbers each; correct them")
    bare = np.array(vectors)
    if not abs(np.linalg.det(bare)) > 0:
        raise InputError("the cell vectors span no volume; correct them")
    scales = [_number(word) for word in lines[1].split()[:3]]
    if len(scales) == 3:
        return np.asarray(bare * np.array(scales))
    if len(scales) != 1 or scales[0] == 0:
        raise InputError(f"line 2 of a POSCAR is the scale, got {lines[1][:40]!r}; give one number or three")
    if scales[0] < 0:  # minus the volume
        return np.asarray(bare * (-scales[0] / abs(np.linalg.det(bare))) ** (1 / 3))
    return np.asarray(bare * scales[0])


def _scale(lines: list[str], lattice: FloatArray) -> FloatArray:
    """Factors of the Cartesian coordinates: those of the cell vectors."""
    scales = [_number(word) for word in lines[1].split()[:3]]
    if len(scales) == 3:
        return np.array(scales)
    bare = np.array([[_number(word) for word in line.split()[:3]] for line in lines[2:5]])
    return np.full(3, (abs(np.linalg.det(lattice)) / abs(np.linalg.det(bare))) ** (1 / 3))


def _counts(line: str) -> list[int]:
    words = re.split(r"[!#]", line, maxsplit=1)[0].split()
    if not words or not all(word.isdecimal() and len(word) < 10 for word in words):
        raise InputError(f"the numbers of atoms must be whole, got {line[:40]!r}; correct the file")
    return [int(word) for word in words]


def _symbols(words: list[str], counts: list[int], rows: list[list[str]], comment: str) -> list[str]:
    """Element of each atom: from the line of symbols, beside the atoms, or from the comment."""
    if words:
        if len(words) != len(counts):
            raise InputError(f"{len(words)} elements but {len(counts)} numbers of atoms; make them agree")
        names = [re.split(r"[_/.]", word)[0] for word in words]  # Fe_pv, Si/5b5e2b
        return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    beside = [row[-1] for row in rows]
    if all(_is_element(word) for word in set(beside)):
        return beside
    names = comment.split()
    if len(names) == len(counts) and all(_is_element(word) for word in names):
        return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    raise InputError("the elements are not named; write them above the numbers of atoms, as VASP 5 does")


def _is_element(word: str) -> bool:
    if word in {"T", "F"} or not word[:1].isalpha():  # T and F are flags of selective dynamics
        return False
    try:
        element_of(word)
    except InputError:
        return False
    return True


def _number(word: str) -> float:
    try:
        value = float(word.replace("d", "e").replace("D", "e"))
    except ValueError:
        value = np.nan
    if not np.isfinite(value) or "_" in word:
        raise InputError(f"a number is expected, got {word[:24]!r}; correct the file")
    return value
