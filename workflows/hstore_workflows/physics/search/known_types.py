"""Structure types that are known, with the elements of a composition put in: starts of tries, and what is new.

The types are the AFLOW library as pymatgen ships it, the types of known hydrides, and published hydrides and
hosts. A type takes a composition when it holds as many sites of each kind; every way to put the elements in
counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError
from hstore.formula import parse_amounts, written_formula
from hstore_models.invariants import Fingerprint, fingerprint
from hstore_models.physics.random_crystals import GROUPS, distances_least
from hstore_workflows.sameness import same_structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstore.arrays import FloatArray, IntArray

SITES_MOST = 60
"""Types with more sites in the primitive cell are left out."""
_TOUCHING = 1.35
"""Nearest pairs of a start lie at this multiple of the least distance of their elements, which is about the sum of
their radii."""
_LOOKED_AT = 12
"""Nearest types, by invariants, that are compared site by site."""
_UNSEEN = 0.5
"""Weight of a space group of which the library has no structure; one that it has counts 1 for each."""


@dataclass(frozen=True)
class KnownType:
    """A known structure type with the elements of a composition."""

    label: str
    """Name of the type and the elements in it."""
    crystal: Crystal
    """Its primitive cell, of such a size that the nearest atoms touch."""


@dataclass(frozen=True)
class Novelty:
    """How far a structure is from those known."""

    nearest: str
    """The known type that it is, or the nearest one; empty where no type holds the composition."""
    distance: float
    """Largest difference of any entry of the two fingerprints; infinite where there is no type."""
    topological_distance: float
    """How far their topologies are apart (:func:`topology_apart`); NaN where there is no type or it has none."""
    known: bool
    """Whether pymatgen's ``StructureMatcher`` calls the two the same, at equal volumes."""

    def as_json(self) -> dict[str, Any]:
        """Return all of it; no type is null."""
        apart, topological = (
            round(one, 4) if np.isfinite(one) else None for one in (self.distance, self.topological_distance)
        )
        return {
            "nearest_type": self.nearest or None,
            "distance": apart,
            "topological_distance": topological,
            "known_type": self.known,
        }


_ELEMENTS = dict(enumerate(SYMBOLS, 1))
_FILTERS = ("all", "hydrogen", "metal")
_NOTHING = Novelty("", float("inf"), float("nan"), known=False)


@cache
def group_weights() -> tuple[float, ...]:
    """Return how often each space group is to be drawn: its structures in the AFLOW library, and a little, (230,).

    This is what is known of crystals in general: nothing of the composition searched for goes in but that the
    library, like any, may hold its structure type.
    """
    from hstore_workflows.sources.prototypes.aflow import load_entries

    counts = Counter(int(label.split("_")[2]) for label in load_entries())
    return tuple(counts[group] + _UNSEEN for group in range(1, GROUPS + 1))


@cache
def known_types(formula: str) -> tuple[KnownType, ...]:
    """Return every known type that holds a composition, with its elements, in the order of the libraries.

    Args:
        formula: whole numbers of atoms.
    """
    amounts = {element: round(n) for element, n in parse_amounts(formula).items()}
    divisor = gcd(*amounts.values())
    amounts = {element: n // divisor for element, n in amounts.items()}
    found: list[KnownType] = []
    for label, crystal, names in _library():
        sites = np.bincount(crystal.numbers, minlength=len(SYMBOLS) + 1)
        roles = [int(z) for z in np.flatnonzero(sites)]
        if len(roles) != len(amounts):
            continue
        shared = gcd(*(int(sites[z]) for z in roles))
        for elements in permutations(amounts):
            if all(sites[z] // shared == amounts[element] for z, element in zip(roles, elements, strict=True)):
                numbers = _replaced(crystal.numbers, dict(zip(roles, elements, strict=True)))
                told = [f"{element} on {names[z]}" for z, element in zip(roles, elements, strict=True)]
                same = all(element == names[z] for z, element in zip(roles, elements, strict=True))
                sized = _sized(Crystal(crystal.lattice_angstrom, crystal.fractional, numbers))
                found.append(KnownType(label if same else f"{label}: {', '.join(told)}", sized))
    return tuple(found)


def novelty(crystal: Crystal, formula: str) -> Novelty:
    """Compare a structure with every known type that holds its composition."""
    try:
        mine = fingerprint(crystal)
    except InputError:  # too flat for a list of neighbours; nothing known looks so
        return _NOTHING
    ranked = [(mine.distance_to(other), known) for known, other in _prints(formula)]
    ranked.sort(key=lambda row: row[0])
    if not ranked:
        return _NOTHING
    same = next((row for row in ranked[:_LOOKED_AT] if _same(crystal, row[1].crystal)), None)
    distance, nearest = same or ranked[0]
    return Novelty(nearest.label, distance, topology_apart(crystal, nearest.crystal), known=same is not None)


def topology_apart(one: Crystal, other: Crystal) -> float:
    """Return how far the topologies of two crystals of equal composition are apart.

    Of all atoms, of the metals and of the hydrogen (:mod:`hstore_models.features.structure.topology`): the hops
    that join them in one, two and three dimensions, the bottlenecks of the channels between them, and the largest
    void. All are extremes of persistent homology, which displaced atoms move by no more than twice as far.

    Returns:
        The largest difference of any of them over the cube root of the volume per atom; NaN where one has none.
    """
    try:
        mine, others = _lengths(one), _lengths(other)
    except InputError:  # sites coincide, or the cell is too empty
        return float("nan")
    return float(np.abs(mine - others).max()) if mine.shape == others.shape else float("nan")


def _lengths(crystal: Crystal) -> FloatArray:
    """Return the lengths that are compared, over the cube root of the volume per atom."""
    from hstore_models.features.structure.topology import persistence_by_filter

    lengths = []
    for name, (found, _) in sorted(persistence_by_filter(crystal).items()):
        if name in _FILTERS:
            voids = found.intervals[2].death_angstrom
            lengths += [*found.hop_angstrom, *found.channel_radius_angstrom, voids.max(initial=0.0)]
    return np.asarray(np.asarray(lengths) / np.cbrt(crystal.volume_angstrom3 / len(crystal)))


@cache
def _prints(formula: str) -> tuple[tuple[KnownType, Fingerprint], ...]:
    found = []
    for known in known_types(formula):
        try:
            found.append((known, fingerprint(known.crystal)))
        except InputError:  # a degenerate cell of the library
            continue
    return tuple(found)


def _same(one: Crystal, other: Crystal) -> bool:
    try:
        return same_structure(one, other)
    except InputError:  # no answer in time
        return False


@cache
def _library() -> tuple[tuple[str, Crystal, Mapping[int, str]], ...]:
    return tuple(row for row in _structures() if len(row[1]) <= SITES_MOST)


def _structures() -> Iterator[tuple[str, Crystal, Mapping[int, str]]]:
    """Yield name and crystal of each structure, and what its sites are called, by atomic number."""
    from hstore_workflows.physics.phases import published_phases
    from hstore_workflows.sources.prototypes.aflow import load_entries
    from hstore_workflows.sources.prototypes.hydride_types import load_prototypes

    for entry in load_entries().values():
        yield entry.name, Crystal.from_dict(entry.structure), _ELEMENTS
    for prototype in load_prototypes().values():
        roles = sorted(prototype.counts)
        numbers = np.array([roles.index(role) + 1 for role in prototype.roles])  # any elements, told apart
        frame = prototype.frame
        positions = frame.anchors + frame.bond * frame.directions
        crystal = Crystal(prototype.lattice, positions @ np.linalg.inv(prototype.lattice), numbers)
        yield prototype.structure_type, crystal, dict(enumerate(roles, 1))
    for formula, crystal in published_phases().items():
        yield f"published {written_formula(parse_amounts(formula))}", crystal, _ELEMENTS


def _replaced(numbers: IntArray, elements: Mapping[int, str]) -> IntArray:
    found = numbers.copy()
    for role, element in elements.items():
        found[numbers == role] = SYMBOLS.index(element) + 1
    return found


def _sized(crystal: Crystal) -> Crystal:
    """Return the crystal scaled until its nearest atoms touch."""
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    least = distances_least(tuple(dict.fromkeys(crystal.symbols)))
    atoms = Atoms(
        numbers=crystal.numbers, positions=crystal.cartesian_angstrom, cell=crystal.lattice_angstrom, pbc=True
    )
    reach = 3.0 * float(np.cbrt(crystal.volume_angstrom3 / len(crystal)))
    first, second, apart = neighbor_list("ijd", atoms, reach)
    wanted = np.array([least[crystal.symbols[i], crystal.symbols[j]] for i, j in zip(first, second, strict=True)])
    scale = _TOUCHING * float((wanted / apart).max(initial=0.0))
    return Crystal(crystal.lattice_angstrom * (scale or 1.0), crystal.fractional, crystal.numbers)
