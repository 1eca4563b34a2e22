"""JSON and JSON lines: structures of pymatgen, materials and snapshots of hstore, databases of ASE."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.partial import PartialCrystal
from hstore.records import Material
from hstore_workflows.sources.files.ase_database import ase_json_rows, is_ase_json
from hstore_workflows.sources.files.found import Found, settle
from hstore_workflows.sources.files.place import Place, Step
from hstore_workflows.sources.files.text import decoded
from hstore_workflows.sources.occupancy import MOST_CHANGE, difference
from hstore_workflows.sources.snapshot import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_workflows.sources.files.place import Document

LONGEST_LINE = 1 << 26
"""Bytes of one JSON line."""
MOST_BLANK_LINES = 10_000
"""Blank lines in one piece of a file."""

_HEADING, _CLOSING = f'"{FORMAT}"'.encode(), b'{"count":'
"""What the first and the last line of a snapshot have."""
_NAMES = ("material_id", "id", "entry_id", "name", "label")
_MATERIAL_KEYS = frozenset({"material_id", "formula", "family", "provenance"})


def read_json(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each structure of the file: one, those of a list, or the rows of an ASE database.

    Args:
        document: the file, parsed as a whole.
        start: number of entries done.
        most_sites: largest number of sites of a structure.

    Raises:
        InputError: it is no JSON, or nests too deeply.
    """
    content = _parsed(decoded(document.content()))
    if is_ase_json(content):
        rows = ase_json_rows(content, most_sites=most_sites)
    else:
        entries = content if isinstance(content, list) else [content]
        rows = ((_entry_name(entry, n), partial(_found, entry, most_sites)) for n, entry in enumerate(entries, 1))
    for index, (entry, load) in enumerate(rows, start=1):
        if index > start.entries:
            yield Step(entry, load, Place(index, index))


def read_json_lines(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each line.

    Args:
        document: the file.
        start: offset in bytes and number of entries before it.
        most_sites: largest number of sites of a structure.

    Raises:
        InputError: a line is too long, or a snapshot has no closing line.
    """
    with document.reading() as stream:
        stream.seek(start.offset)
        index = start.entries
        snapshot = bool(start.flags)
        blank = 0
        while line := stream.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise InputError(f"line {index + 1} has more than {LONGEST_LINE} bytes; correct the file")
            if stream.tell() == len(line) and _HEADING in line[:200]:
                snapshot = True
                continue
            if snapshot and line.startswith(_CLOSING):
                return
            if not line.strip():
                blank += 1
                if blank > MOST_BLANK_LINES:
                    raise InputError(f"more than {MOST_BLANK_LINES} lines are blank; remove them")
                continue
            index += 1
            yield Step(
                str(index), partial(_line_found, line, most_sites), Place(stream.tell(), index, int(snapshot))
            )
        if snapshot:
            raise InputError(f"the snapshot was cut short after {index} materials; export it again")


def _line_found(line: bytes, most_sites: int) -> Found:
    return _found(_parsed(decoded(line)), most_sites)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InputError("the JSON nests too deeply; give structures as pymatgen writes them") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"it is no JSON ({error}); correct the file") from error


def _refuse_constant(word: str) -> NoReturn:
    raise InputError(f"{word} is no number of JSON; correct the file")


def _entry_name(entry: Any, number: int) -> str:
    name = (
        next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "")
        if isinstance(entry, dict)
        else ""
    )
    return name[:80] or str(number)


def _found(entry: Any, most_sites: int) -> Found:
    if not isinstance(entry, dict):
        raise InputError(f"an entry must be an object, got {str(entry)[:30]!r}; give structures or records")
    if entry.keys() >= _MATERIAL_KEYS:
        return _material(entry, most_sites)
    if "sites" in entry and "lattice" in entry:
        return settle(_structure(entry, most_sites))
    if isinstance(entry.get("structure"), dict):
        name = next((str(entry[key]) for key in _NAMES if isinstance(entry.get(key), str)), "")
        return settle(_structure(entry["structure"], most_sites), name=name[:120])
    raise InputError(
        f"no structure among the keys {', '.join(map(str, list(entry)[:8]))[:120]}; give the dictionary of a "
        "pymatgen Structure, an object with one under 'structure', or a record of hstore"
    )


def _structure(structure: dict[str, Any], most_sites: int) -> PartialCrystal:
    sites = structure.get("sites")
    if isinstance(sites, list) and len(sites) > most_sites:
        raise InputError(f"{len(sites)} sites are given; at most {most_sites} are read (--max-sites)")
    return PartialCrystal.from_dict(structure)


def _material(entry: dict[str, Any], most_sites: int) -> Found:
    try:
        material = Material.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{where}: {first['msg']}, got {str(first['input'])[:60]!r}; correct the record"
        ) from error
    if material.structure is None:
        return Found(material.formula, record=material)
    found = settle(_structure(material.structure, most_sites))
    assert found.crystal is not None
    if difference(parse_amounts(material.formula), found.crystal.amounts) > MOST_CHANGE:
        raise InputError(
            f"the structure holds {found.formula} but the formula says {material.composition}; one is wrong"
        )
    note = "; ".join(filter(None, (material.provenance.note, *found.notes)))
    provenance = material.provenance.model_copy(update={"note": note or None})
    record = material.model_copy(update={"structure": found.crystal.to_dict(), "provenance": provenance})
    return Found(material.formula, crystal=found.crystal, record=record)
