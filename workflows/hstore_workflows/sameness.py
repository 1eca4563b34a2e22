"""When two records are of one material: what is remembered of each, and how two of them are compared.

Only records of equal composition are compared. With structures, their fingerprints must agree within the
tolerances here and then pymatgen's ``StructureMatcher`` (its defaults: ltol 0.2, stol 0.3, angle_tol 5 degrees,
primitive cells, scaled to equal volume) must call them the same. What the tolerances were
chosen from is in docs/explanation/deduplication.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import parse_formula
from hstore.records import Family
from hstore.workers import TooSlowError, processor_time
from hstore_models.invariants import Fingerprint, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore.records import Material

FINGERPRINT_TOLERANCE = 0.03
"""Largest difference of any entry of two fingerprints: 2 % of strain and atoms displaced by 0.05 angstrom."""

VOLUME_TOLERANCE = 0.10
"""Largest difference of the volumes per atom, as part of the smaller one: 3 % of each length."""

DESCRIPTOR_TOLERANCE = 0.01
"""Largest relative difference of a descriptor of two sorbents without structure."""

MATCH_SECONDS = 20.0
"""Time limit for one comparison of two structures, seconds of processor time."""

_PRIMITIVE_TOLERANCE_ANGSTROM = 1e-3
_NAMES_A_PHASE = ("phase note", "prototype", "space group", "remark")
"""Notes on a formula that may tell phases of one composition apart; to merge two phases would lose one of them."""

Task: TypeAlias = Crystal | tuple[Crystal, Crystal]
"""Work for another process: a crystal to take the fingerprint of, or two to compare."""

Answer: TypeAlias = Fingerprint | bool
"""The fingerprint, or whether the two are the same."""


def work(task: Task, *, match_seconds: float = MATCH_SECONDS) -> Answer:
    """Do a task; at the top level of a module, for it runs in worker processes.

    Raises:
        InputError: the crystal has no fingerprint, or the comparison took too long.
    """
    if isinstance(task, Crystal):
        return fingerprint(task)
    return same_structure(*task, match_seconds=match_seconds)


def same_structure(one: Crystal, other: Crystal, *, match_seconds: float = MATCH_SECONDS) -> bool:
    """Ask ``StructureMatcher`` whether two crystals have the same structure.

    Raises:
        InputError: there is no answer after so many seconds of processor time, which do not depend on what else
            the machine does.
    """
    if one.key == other.key:
        return True
    matcher = _matcher()
    structures = [crystal.to_pymatgen() for crystal in equal_cells(one, other)]
    try:
        with processor_time(match_seconds):
            return bool(matcher.fit(*structures))
    except TooSlowError:
        raise InputError(f"there was no answer after {match_seconds:g} s of processor time") from None


def equal_cells(one: Crystal, other: Crystal) -> tuple[Crystal, Crystal]:
    """Return two crystals in primitive cells where those have equally many atoms, else as they are.

    ``StructureMatcher`` looks for primitive cells itself and with a wider tolerance, but takes seconds in cells of
    a thousand atoms; those of frameworks are often centred. Cells of unequal size it would not compare.
    """
    small = (_primitive(one), _primitive(other))
    return small if len(small[0]) == len(small[1]) else (one, other)


def _primitive(crystal: Crystal) -> Crystal:
    """Return a primitive cell of a crystal that is periodic to 0.001 angstrom, or else the crystal as it is."""
    import moyopy

    cell = moyopy.Cell(crystal.lattice_angstrom.tolist(), crystal.fractional.tolist(), crystal.numbers.tolist())
    try:
        found = moyopy.MoyoDataset(cell, symprec=_PRIMITIVE_TOLERANCE_ANGSTROM).prim_std_cell
    except ValueError:  # no symmetry is found at this tolerance
        return crystal
    return Crystal(np.asarray(found.basis), np.asarray(found.positions), np.asarray(found.numbers))


@cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher()


@dataclass(frozen=True)
class Label:
    """What tells records without structure apart."""

    family: Family
    """Family, by mechanism."""
    name: str
    """Name in lower case, with single spaces."""
    phase: tuple[str, ...]
    """What is written behind the formula, such as ``(HT)``, ``(CaCu5)``, ``(P4/nmm)`` or ``(alpha)``."""
    descriptors: Mapping[str, float]
    """Descriptors of a sorbent, whose composition says little; empty for other families."""

    @classmethod
    def of(cls, material: Material) -> Label:
        """Return the label of a record."""
        notes = parse_formula(material.formula).notes
        return cls(
            family=material.family,
            name=" ".join(material.name.lower().split()),
            phase=tuple(note for note in notes if note.startswith(_NAMES_A_PHASE)),
            descriptors=material.own_descriptors() if material.family is Family.SORBENT else {},
        )

    def agrees_with(self, other: Label) -> bool:
        """Tell whether nothing tells two records of equal composition apart.

        Sorbents without a name must share a descriptor, and what they share must agree.
        """
        if (self.family, self.name, self.phase) != (other.family, other.name, other.phase):
            return False
        shared = self.descriptors.keys() & other.descriptors.keys()
        if self.family is Family.SORBENT and not (self.name or shared):
            return False
        return all(_close(self.descriptors[name], other.descriptors[name]) for name in shared)


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= DESCRIPTOR_TOLERANCE * max(abs(one), abs(other))


def crystal_of(material: Material) -> Crystal | str:
    """Return the crystal of a material with structure, or why it cannot be used."""
    try:
        return Crystal.from_dict(material.structure or {})
    except InputError as error:
        return str(error)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is remembered of a material to find the others it may be the same as."""

    material_id: str
    """Its identifier."""
    log_volume: float = np.nan
    """Natural logarithm of the volume per atom in cubic angstrom; NaN without fingerprint."""
    distances: NDArray[np.float32] | None = None
    """Fingerprint, to seven digits; None without structure, or where it has none."""
    label: Label | None = None
    """What it is compared by without structure; None with one."""
    note: str = ""
    """Why it has a structure but no fingerprint, and so is compared with nothing."""

    @classmethod
    def of(cls, material_id: str, found: Fingerprint) -> Sketch:
        """Keep of a fingerprint what is compared."""
        return cls(material_id, float(np.log(found.volume_angstrom3)), found.distances.astype(np.float32))


@dataclass(frozen=True)
class _Table:
    """Sketches with fingerprints of one length, sorted by volume."""

    names: list[str]
    log_volumes: FloatArray
    distances: NDArray[np.float32]


class Block:
    """Sketches of the materials of one composition and owner."""

    def __init__(self) -> None:
        self._sketches: dict[str, Sketch] = {}
        self._tables: dict[int, _Table] | None = None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the identifiers."""
        return iter(self._sketches)

    def __getitem__(self, material_id: str) -> Sketch:
        """Return the sketch of a material."""
        return self._sketches[material_id]

    def put(self, sketch: Sketch) -> None:
        """Remember a material; an earlier sketch of it is forgotten."""
        self._sketches[sketch.material_id] = sketch
        self._tables = None

    def drop(self, material_ids: Iterable[str]) -> None:
        """Forget materials."""
        for name in material_ids:
            if self._sketches.pop(name, None):
                self._tables = None

    def rest(self) -> None:
        """Let go of what :meth:`look_alikes` works out from the sketches."""
        self._tables = None

    def look_alikes(self, sketch: Sketch) -> list[str]:
        """Return the identifiers of the others that may be the same material, in order."""
        if sketch.label is not None:
            label = sketch.label
            found = [s.material_id for s in self._sketches.values() if s.label and label.agrees_with(s.label)]
        elif sketch.distances is not None:
            found = self._near(sketch.log_volume, sketch.distances)
        else:
            found = []
        return sorted(name for name in found if name != sketch.material_id)

    def _near(self, log_volume: float, distances: NDArray[np.float32]) -> list[str]:
        if self._tables is None:
            self._tables = _tables(self._sketches.values())
        table = self._tables.get(len(distances))
        if table is None:
            return []
        width = np.log1p(VOLUME_TOLERANCE)
        low, high = np.searchsorted(table.log_volumes, (log_volume - width, log_volume + width))
        apart = np.abs(table.distances[low:high] - distances).max(axis=1)
        return [table.names[low + i] for i in np.flatnonzero(apart <= FINGERPRINT_TOLERANCE)]


def _tables(sketches: Iterable[Sketch]) -> dict[int, _Table]:
    by_length: dict[int, list[tuple[Sketch, NDArray[np.float32]]]] = {}
    for sketch in sketches:
        if sketch.distances is not None:
            by_length.setdefault(len(sketch.distances), []).append((sketch, sketch.distances))
    tables = {}
    for length, rows in by_length.items():
        rows.sort(key=lambda row: row[0].log_volume)
        names = [sketch.material_id for sketch, _ in rows]
        volumes = np.asarray([sketch.log_volume for sketch, _ in rows])
        tables[length] = _Table(names, volumes, np.asarray([distances for _, distances in rows]))
    return tables
