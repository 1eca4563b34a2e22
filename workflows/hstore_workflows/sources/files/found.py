"""What was found in a file, checked: an ordered crystal or a formula, with what the file says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore.formula import canonical_formula
from hstore.partial import (
    LEAST_DISTANCE_ANGSTROM,
    LEAST_VOLUME_PER_ATOM_ANGSTROM3,
    close_pairs,
)
from hstore_workflows.sources.occupancy import Ordered, ordered

if TYPE_CHECKING:
    from hstore.crystal import Crystal
    from hstore.partial import PartialCrystal
    from hstore.records import Material


@dataclass(frozen=True)
class Found:
    """One usable entry of a document."""

    formula: str
    """Composition of the crystal, or the formula as given where there is no crystal."""
    crystal: Crystal | None = None
    """Ordered structure."""
    name: str = ""
    """Name people use for it, if the file states one."""
    notes: tuple[str, ...] = ()
    """What a reader must know: origin, symmetry, rules applied."""
    descriptors: dict[str, float] = field(default_factory=dict)
    """Descriptors the file supplies."""
    known: bool = False
    """Whether the file refers to a publication or database of structures."""
    licence: str | None = None
    """Licence the file states."""
    record: Material | None = None
    """The complete record, where the file holds one."""


@dataclass(frozen=True)
class Unusable:
    """One entry that cannot be used."""

    entry: str
    """Name or number in its document; empty for the document as a whole."""
    cause: str
    """Why, and what to do."""


def settle(
    structure: PartialCrystal,
    *,
    stated: dict[str, float] | None = None,
    name: str = "",
    notes: tuple[str, ...] = (),
    known: bool = False,
    licence: str | None = None,
) -> Found:
    """Order a structure, check that it is physical, and describe it.

    Args:
        structure: as the file gives it.
        stated: amounts of the elements by the file, where the structure was already simplified.
        name: name people use for it.
        notes: what the file says of its origin.
        known: whether it is reported in the literature.
        licence: licence the file states.

    Raises:
        InputError: no rule orders it, or it is no possible crystal.
    """
    result = ordered(structure, stated=stated)
    check_possible(result.crystal)
    return Found(
        formula=canonical_formula(result.crystal.amounts),
        crystal=result.crystal,
        name=name,
        notes=(*notes, *_ordering_notes(result)),
        known=known,
        licence=licence,
    )


def check_possible(crystal: Crystal) -> None:
    """Refuse what no crystal is: atoms in one place, or denser than matter under extreme pressure.

    Raises:
        InputError: naming the distance or the volume.
    """
    volume = crystal.volume_angstrom3 / len(crystal)
    if volume < LEAST_VOLUME_PER_ATOM_ANGSTROM3:
        raise InputError(f"each atom has only {volume:.2g} A^3; correct cell or coordinates")
    pairs, distances = close_pairs(crystal.lattice_angstrom, crystal.fractional, LEAST_DISTANCE_ANGSTROM)
    if len(pairs):
        nearest = int(distances.argmin())
        one, other = (crystal.symbols[place] for place in pairs[nearest])
        raise InputError(
            f"{len(pairs)} pairs of atoms are closer than {LEAST_DISTANCE_ANGSTROM} A, the nearest {one} and "
            f"{other} at {distances[nearest]:.2f} A; correct the coordinates"
        )


def _ordering_notes(result: Ordered) -> tuple[str, ...]:
    if not result.rules:
        return ()
    cells = f" in a cell of {result.cells} times the volume" if result.cells > 1 else ""
    change = f"{100 * result.change:.1f} % of the atoms differ from the stated composition"
    return (f"ordered by rule ({', '.join(result.rules)}){cells}; {change}",)
