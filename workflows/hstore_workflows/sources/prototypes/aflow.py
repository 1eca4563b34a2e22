"""The AFLOW library of prototypes, as pymatgen ships it, as structure types for salts and for alloys.

Mehl et al. 2017 (doi:10.1016/j.commatsci.2017.01.017), Hicks et al. 2019 (doi:10.1016/j.commatsci.2018.10.043);
the file belongs to pymatgen (MIT licence) and is read from the installed package.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import DataError
from hstore_workflows.sources.prototypes.ions import METALS
from hstore_workflows.sources.prototypes.structure_type import LIGAND, Prototype, Window, frame_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Structure

SOURCE = "doi:10.1016/j.commatsci.2017.01.017"
LICENCE = "MIT"
SITES_MOST = 60
"""Types with more sites in the primitive cell are left out."""
ROLES = (2, 3)
"""Numbers of elements for which types are decorated."""
_REACH = 5.0
_OVERLAP = 0.75
_PM_PER_ANGSTROM = 100.0
_SAME_DISTANCE = 0.02

_RATIO_WINDOWS = {
    3: (0.12, 0.28),
    4: (0.18, 0.52),
    5: (0.26, 0.73),
    6: (0.33, 0.92),
    7: (0.45, 1.05),
    8: (0.58, 1.25),
    9: (0.58, 1.35),
}
"""Radius ratios of a cation by its coordination number: Pauling's limits, 20 % below to 25 % above the next."""
_LARGEST = (0.70, 1.60)


@dataclass(frozen=True)
class Entry:
    """One structure of the library."""

    label: str
    """AFLOW label such as ``AB2_cF12_225_a_c``; a number is added where the library has a label twice."""
    name: str
    """Label with the mineral or the Strukturbericht symbol, as printed."""
    aliases: frozenset[str]
    """Other names a user may ask by, in lower case."""
    compound: str
    """The compound the structure was measured on."""
    structure: Mapping[str, Any]
    """pymatgen dictionary."""

    @property
    def elements(self) -> list[str]:
        """Elements in alphabetical order, which is the order of the letters in the label."""
        return sorted({site["species"][0]["element"] for site in self.structure["sites"]})


@cache
def load_entries() -> dict[str, Entry]:
    """Read the library, by label in the order of the file.

    Raises:
        DataError: the installed pymatgen has no such file.
    """
    spec = find_spec("pymatgen.analysis.prototypes")
    path = Path(spec.origin).with_name("aflow_prototypes.json.gz") if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError("the installed pymatgen has no AFLOW prototypes; install pymatgen 2026.10 or newer")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = json.load(stream)
    entries: dict[str, Entry] = {}
    for row in rows:
        entry = _entry(row, taken=entries)
        entries[entry.label] = entry
    return entries


def usable(entry: Entry) -> bool:
    """Tell whether a type is small enough, of two or three elements, and free of overlapping atoms."""
    return (
        len(entry.elements) in ROLES and len(entry.structure["sites"]) <= SITES_MOST and not _overlaps(entry.label)
    )


@cache
def _overlaps(label: str) -> bool:
    """Tell whether atoms lie inside each other in the file, as in its MgNi2, Mg2Ni, NiTi and brookite."""
    from hstore_models.features.composition import ATOMIC_NUMBER
    from hstore_models.features.elemental import elemental_column

    structure = _structure(load_entries()[label])
    first, second, _, distances = structure.get_neighbor_list(_REACH)
    numbers = [ATOMIC_NUMBER[site.specie.symbol] for site in structure]
    radii = elemental_column("CovalentRadius")[numbers] / _PM_PER_ANGSTROM
    together = radii[first] + radii[second]
    return bool(np.nanmin(distances / together, initial=np.inf) < _OVERLAP)


def host_type(entry: Entry) -> Prototype:
    """Return the type with a letter for every element, for alloys; a metallic compound is its own reference."""
    letters = dict(zip(entry.elements, "ABC", strict=False))
    metallic = {*entry.elements} <= {*METALS}
    reference = {letter: element for element, letter in letters.items()} if metallic else {}
    return _prototype(entry, entry.label, letters, reference)


def salt_types(entry: Entry) -> list[Prototype]:
    """Return the type once for each element whose sites the anion could take, symmetry-equivalent ones once."""
    twins = host_type(entry).twins
    found = []
    for number, ligand in enumerate(entry.elements):
        letter = "ABC"[number]
        if any((other, letter) in twins for other in "ABC"[:number]):
            continue
        letters = dict(zip(entry.elements, "ABC", strict=False)) | {ligand: LIGAND}
        found.append(_prototype(entry, f"{entry.label}.{letter}", letters))
    return [prototype for prototype in found if all(len(s.scaling) for s in prototype.frame.shells.values())]


def _entry(row: dict[str, Any], *, taken: Mapping[str, Entry]) -> Entry:
    tags, structure = row["tags"], row["snl"]
    label = base = str(tags["aflow"])
    number = 1
    while label in taken:
        number += 1
        label = f"{base}-{number}"
    words = [str(tags[key]).strip() for key in ("mineral", "strukturbericht")]
    words = [word.replace("\\", "").replace("$", "") for word in words if word and word != "None"]
    counts: dict[str, int] = {}
    for site in structure["sites"]:
        symbol = site["species"][0]["element"]
        counts[symbol] = counts.get(symbol, 0) + 1
    divisor = int(np.gcd.reduce(list(counts.values())))
    compound = "".join(f"{el}{n // divisor if n > divisor else ''}" for el, n in sorted(counts.items()))
    name = f"{label} ({', '.join([*words, compound])})"
    aliases = frozenset(word.lower() for word in (label, *words))
    return Entry(label, name, aliases, compound, structure)


def _prototype(
    entry: Entry, slug: str, letters: Mapping[str, str], reference: Mapping[str, str] | None = None
) -> Prototype:
    structure = _structure(entry)
    roles = tuple(letters[site.specie.symbol] for site in structure)
    frame = frame_of(structure, roles)
    return Prototype(
        slug=slug,
        structure_type=entry.name,
        source=SOURCE,
        licence=LICENCE,
        examples=(),
        lattice=np.array(structure.lattice.matrix),
        roles=roles,
        frame=frame,
        calibration=dict.fromkeys(frame.shells, 1.0),
        ratio={
            role: Window((number,), *_RATIO_WINDOWS.get(number, _LARGEST))
            for role, number in frame.coordination.items()
            if LIGAND in roles
        },
        twins=_twins(structure, roles),
        reference=reference or {},
    )


def _structure(entry: Entry) -> Structure:
    from pymatgen.core import Structure

    return Structure.from_dict(dict(entry.structure, **{"@class": "Structure"}))


def _twins(structure: Structure, roles: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Find pairs of roles whose swap leaves all distances up to 5 Å between all roles as they are."""
    first, second, _, distances = structure.get_neighbor_list(_REACH)
    found: dict[tuple[str, str], list[float]] = {}
    for i, j, distance in zip(first, second, distances, strict=True):
        found.setdefault((roles[i], roles[j]), []).append(float(distance))
    shells = {pair: np.sort(lengths) for pair, lengths in found.items()}
    letters = sorted({*roles} - {LIGAND})
    twins = set()
    for a, b in combinations(letters, 2):
        swap = {a: b, b: a}
        names = [(one, two) for one in {*roles} for two in {*roles}]
        same = all(_equal(shells.get(p), shells.get((swap.get(p[0], p[0]), swap.get(p[1], p[1])))) for p in names)
        if same and roles.count(a) == roles.count(b):
            twins |= {(a, b), (b, a)}
    return frozenset(twins)


def _equal(one: Any, two: Any) -> bool:
    if one is None or two is None:
        return one is two
    return len(one) == len(two) and bool(np.abs(one - two).max() < _SAME_DISTANCE)
