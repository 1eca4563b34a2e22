"""The syntax of CIF 1.1: data blocks of tags, values and loops, read line by line in linear time.

Hall, S. R.; Allen, F. H.; Brown, I. D. Acta Cryst. A 1991, 47, 655-685, doi:10.1107/S010876739101067X. Lenient
where files in the wild are sloppy and nothing can be misread: a quote that is not closed ends with its line,
words behind the value of a tag are ignored, a tag without a value is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 100_000
"""Characters; the standard allows 2048."""
MOST_COLUMNS = 1000
"""Tags in one loop."""
MOST_VALUES = 2_000_000
"""Values in one loop; reflections and powder patterns stay below."""
MOST_ATOM_VALUES = 400_000
"""Values in a loop of atoms or symmetry operations."""

_UNKNOWN = frozenset({"?", "."})
_WORD = re.compile(r"\S+")
_BLOCK_START = re.compile(r"data_", re.IGNORECASE)


class _Quoted(str):
    """A value given in quotes or as a text field, which is never a tag or keyword."""

    __slots__ = ()


class Span(NamedTuple):
    """Where a data block stands in the file."""

    name: str
    """Name behind ``data_``."""
    first: int
    """Index of its first line after the heading."""
    end: int
    """Index of the line after its last."""


@dataclass
class Block:
    """One data block."""

    name: str
    """Name behind ``data_``, may be empty."""
    columns: dict[str, list[str]] = field(default_factory=dict)
    """Tag (lower case, dots as underscores) -> values; one value outside loops."""

    def column(self, *tags: str) -> list[str]:
        """Return the values of the first of these tags that is there; empty when none is."""
        return next((self.columns[tag] for tag in tags if tag in self.columns), [])

    def text(self, *tags: str) -> str:
        """Return the first known value of these tags as one line; empty when none has one."""
        for tag in tags:
            for value in self.columns.get(tag, ())[:1]:
                if type(value) is _Quoted or value not in _UNKNOWN:
                    return " ".join(str(value).split())
        return ""


def spans(lines: list[str]) -> Iterator[Span]:
    """Find the data blocks, without reading them.

    Args:
        lines: the file, split at line ends.
    """
    name, first, inside = "", -1, False
    for number, line in enumerate(lines):
        if line[:1] == ";":
            inside = not inside
            continue
        if inside or "data_" not in line[:80].lower():
            continue
        heading = line.strip()
        if not _BLOCK_START.match(heading):
            continue
        if first >= 0:
            yield Span(name, first, number)
        name, first = heading.split()[0][5:], number + 1
    if first >= 0:
        yield Span(name, first, len(lines))


def read_block(lines: list[str], span: Span) -> Block:
    """Read one data block.

    Raises:
        InputError: a text field is not closed, a loop is not complete, a tag stands twice with different
            values, there is a save frame, or a line is too long.
    """
    reader = _Reader(Block(span.name))
    number = span.first
    while number < span.end:
        line = lines[number]
        if line[:1] == ";":
            number = reader.text_field(lines, number, span.end)
            continue
        if len(line) > LONGEST_LINE:
            raise InputError(f"line {number + 1} has {len(line)} characters; at most {LONGEST_LINE} are read")
        reader.line(line, number)
        number += 1
    reader.finish()
    return reader.block


class _Reader:
    """Collects tags and values of one block."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._tag = ""
        """Tag that waits for its value."""
        self._header: list[str] | None = None
        """Tags of the loop being opened or filled."""
        self._filling = False
        self._values: list[str] = []
        self._most = MOST_VALUES

    def line(self, line: str, number: int) -> None:
        """Take one line outside text fields."""
        if self._filling and not ("_" in line or "'" in line or '"' in line or "#" in line):
            self._values.extend(line.split())  # most lines of a large file: rows of a loop
            self._check_values()
            return
        for token in _tokens(line):
            self._take(token, number)

    def text_field(self, lines: list[str], start: int, end: int) -> int:
        """Take a text field that begins on this line; return the number of the line after it."""
        parts = [lines[start][1:]]
        for number in range(start + 1, end):
            if lines[number][:1] == ";":
                self._value(_Quoted("\n".join(parts)))
                rest = lines[number][1:]
                if rest.strip():
                    self.line(rest[:LONGEST_LINE], number)
                return number + 1
            parts.append(lines[number])
        raise InputError(f"the text field opened in line {start + 1} is never closed; the file may be cut off")

    def finish(self) -> None:
        """Close what is open at the end of the block."""
        self._close_tag()
        self._close_loop()

    def _take(self, token: str, number: int) -> None:
        if type(token) is _Quoted:
            self._value(token)
        elif token[0] == "_":
            self._new_tag(token.lower().replace(".", "_"))
        elif "_" in token and (word := token.lower()).startswith(("loop_", "save_", "stop_", "global_")):
            if word == "loop_":
                self.finish()
                self._header = []
            elif word.startswith("save_") or word in {"stop_", "global_"}:
                raise InputError(f"{token[:20]!r} in line {number + 1} belongs to dictionaries, not to structures")
            else:
                self._value(token)
        else:
            self._value(token)

    def _new_tag(self, tag: str) -> None:
        if self._header is not None and not self._filling:
            if len(self._header) >= MOST_COLUMNS:
                raise InputError(f"a loop has more than {MOST_COLUMNS} columns; correct the file")
            self._header.append(tag)
            return
        self.finish()
        self._tag = tag

    def _value(self, value: str) -> None:
        if self._header:
            if not self._filling:
                self._filling = True
                small = any(tag.startswith("_atom_site_") or tag.endswith("xyz") for tag in self._header)
                self._most = MOST_ATOM_VALUES if small else MOST_VALUES
            self._values.append(value)
            self._check_values()
        elif self._tag:
            self._store(self._tag, [value])
            self._tag = ""

    def _check_values(self) -> None:
        if len(self._values) > self._most:
            assert self._header
            raise InputError(f"the loop of {self._header[0]} has more than {self._most} values; split the file")

    def _close_tag(self) -> None:
        if self._tag:
            self._store(self._tag, ["?"])
            self._tag = ""

    def _close_loop(self) -> None:
        header, values = self._header, self._values
        self._header, self._filling, self._values = None, False, []
        if not header:
            return
        width = len(header)
        if len(values) % width:
            raise InputError(
                f"the loop of {header[0]} has {len(values)} values in {width} columns; complete its rows"
            )
        for place, tag in enumerate(header):
            self._store(tag, values[place::width])

    def _store(self, tag: str, values: list[str]) -> None:
        if self.block.columns.setdefault(tag, values) != values:
            raise InputError(f"{tag} stands twice with different values; keep one of them")


def _tokens(line: str) -> Iterator[str]:
    """Split a line at blanks, quotes respected, comments dropped."""
    if not ("'" in line or '"' in line or "#" in line):
        yield from line.split()
        return
    position = 0
    while match := _WORD.search(line, position):
        start, position = match.span()
        first = line[start]
        if first == "#":
            return
        if first in {"'", '"'}:
            end = _closing(line, first, start + 1)
            if end < 0:
                yield _Quoted(line[start + 1 :].strip())
                return
            yield _Quoted(line[start + 1 : end])
            position = end + 1
        else:
            yield match.group()


def _closing(line: str, quote: str, start: int) -> int:
    """Place of the quote that is followed by a blank or the end; -1 when there is none."""
    place = line.find(quote, start)
    while place >= 0 and place + 1 < len(line) and not line[place + 1].isspace():
        place = line.find(quote, place + 1)
    return place
