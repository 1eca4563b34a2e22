"""Extended XYZ: frames of atoms with a ``Lattice``, as ASE, OVITO and QUIP write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hstore.errors import InputError
from hstore.partial import PartialCrystal, checked_lattice
from hstore_workflows.sources.files.found import Found, settle
from hstore_workflows.sources.files.place import Place, Step
from hstore_workflows.sources.files.text import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore_workflows.sources.files.place import Document

LONGEST_LINE = 100_000
"""Bytes in one line."""

_VALUE = r"""(?:"([^"]*)"|'([^']*)'|\{([^}]*)\}|\[([^\]]*)\]|(\S+))"""
_LATTICE = re.compile(r"(?:^|\s)Lattice\s*=\s*" + _VALUE, re.IGNORECASE)
_PROPERTIES = re.compile(r"(?:^|\s)Properties\s*=\s*" + _VALUE, re.IGNORECASE)
_PERIODIC = re.compile(r"(?:^|\s)pbc\s*=\s*" + _VALUE, re.IGNORECASE)
_PLAIN = "species:S:1:pos:R:3"
_FALSE = frozenset({"F", "f", "0", "False", "false", "FALSE"})


def read_xyz(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each frame.

    Args:
        document: the file.
        start: offset in bytes and number of frames before it.
        most_sites: largest number of atoms in a frame.

    Raises:
        InputError: a frame does not begin with its number of atoms, or is cut off.
    """
    with document.reading() as stream:
        stream.seek(start.offset)
        index = start.entries
        while (header := _line(stream)).strip():
            index += 1
            if not header.strip().isdigit() or len(header) > 20:
                raise InputError(
                    f"frame {index} must begin with its number of atoms, got {header[:30]!r}; correct the file"
                )
            load = _frame(stream, int(header), index, most_sites)
            yield Step(str(index), load, Place(stream.tell(), index))
            if header[-1:] != b"\n":
                return


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise InputError(f"a line has more than {LONGEST_LINE} bytes; correct the file")
    return line


def _frame(stream: BinaryIO, count: int, index: int, most_sites: int) -> Callable[[], Found]:
    """Take the lines of one frame; those of a frame with too many atoms are passed over."""
    comment = _line(stream)
    lines: list[bytes] = []
    for done in range(count):
        line = _line(stream)
        if not line:
            raise InputError(
                f"frame {index} states {count} atoms but the file ends after {done}; it may be cut off"
            )
        if count <= most_sites:
            lines.append(line)

    def load() -> Found:
        if count > most_sites:
            raise InputError(f"{count} atoms are stated; at most {most_sites} are read (--max-sites)")
        if not count:
            raise InputError("the frame has no atoms; remove it")
        return xyz_structure(decoded(comment), [decoded(line) for line in lines])

    return load


def xyz_structure(comment: str, lines: list[str]) -> Found:
    """Read one frame.

    Args:
        comment: its second line, with ``Lattice`` and ``Properties``.
        lines: one for each atom.

    Raises:
        InputError: it is not periodic, or a value cannot be read.
    """
    lattice_text, properties = _given(_LATTICE, comment), _given(_PROPERTIES, comment)
    if lattice_text is None:
        raise InputError("the frame has no Lattice; only periodic structures are read, in extended XYZ")
    periodic = (_given(_PERIODIC, comment) or "T T T").replace(",", " ").split()
    if any(word in _FALSE for word in periodic):
        raise InputError(f"the frame is periodic in some directions only (pbc {' '.join(periodic)[:20]})")
    lattice = _numbers(lattice_text.replace(",", " ").split(), "Lattice")
    if len(lattice) != 9:
        raise InputError(f"Lattice must hold nine numbers, got {len(lattice)}; correct the frame")
    vectors = checked_lattice(np.array(lattice).reshape(3, 3))
    species, position, numbered = _columns(properties or _PLAIN)
    rows = [line.split() for line in lines]
    if any(len(row) < max(species + 1, position + 3) for row in rows):
        raise InputError("an atom has fewer columns than Properties states; complete the frame")
    symbols = [row[species] for row in rows]
    if numbered:
        symbols = [_by_number(text) for text in symbols]
    cartesian = np.array([_numbers(row[position : position + 3], "a coordinate") for row in rows])
    return settle(PartialCrystal.whole(vectors, np.linalg.solve(vectors.T, cartesian.T).T, symbols))


def _given(pattern: re.Pattern[str], comment: str) -> str | None:
    match = pattern.search(comment)
    return next((group for group in match.groups() if group is not None), "") if match else None


def _columns(properties: str) -> tuple[int, int, bool]:
    """Return the column of the species, the first column of the position, and whether species are numbers."""
    parts = properties.split(":")
    species = position = -1
    numbered = False
    column = 0
    for name, _, width in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if not width.isdecimal() or len(width) > 4:
            raise InputError(f"Properties must be name:type:columns, got {properties[:60]!r}; correct the frame")
        if name in {"species", "element"} or (name == "Z" and species < 0):
            species, numbered = column, name == "Z"
        elif name in {"pos", "positions"}:
            position = column
        column += int(width)
    if species < 0 or position < 0:
        raise InputError(f"Properties must name species and pos, got {properties[:60]!r}; correct the frame")
    return species, position, numbered


def _by_number(text: str) -> str:
    from hstore.elements import SYMBOLS

    if not text.isdecimal() or not 0 < int(text[:4]) <= len(SYMBOLS):
        raise InputError(f"atomic numbers go from 1 to {len(SYMBOLS)}, got {text[:20]!r}")
    return SYMBOLS[int(text) - 1]


def _numbers(words: list[str], what: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"{what} must be numbers ({error}); correct the frame") from error
    if not np.isfinite(values).all() or any("_" in word for word in words):
        raise InputError(f"{what} must be finite numbers, got {' '.join(words)[:60]!r}; correct the frame")
    return values
