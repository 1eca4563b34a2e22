"""Structures of a search told apart, lowest energy first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore_models.invariants import fingerprint
from hstore_workflows.sameness import FINGERPRINT_TOLERANCE, VOLUME_TOLERANCE, same_structure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore.crystal import Crystal
    from hstore_models.invariants import Fingerprint
    from hstore_workflows.physics.search.tries import Try


@dataclass(eq=False)
class Structure:
    """One structure and the tries that ended in it."""

    best: Try
    """The try with the lowest energy."""
    print: Fingerprint | None
    """What is compared first; None where the cell is too flat for it."""
    found_by: list[str] = field(default_factory=list)
    """Kind and number of every try that ended in it, the best one first."""

    @property
    def crystal(self) -> Crystal:
        """Its relaxed cell."""
        return self.best.structure.crystal

    @property
    def energy_ev_per_atom(self) -> float:
        """Energy of an atom, eV."""
        return self.best.structure.energy_ev_per_atom

    def holds(self, crystal: Crystal, print_: Fingerprint | None) -> bool:
        """Tell whether a crystal is this structure."""
        if print_ is None or self.print is None:
            return False
        if self.print.volume_difference_to(print_) > VOLUME_TOLERANCE:
            return False
        if self.print.distance_to(print_) > FINGERPRINT_TOLERANCE:
            return False
        try:
            return same_structure(self.crystal, crystal)
        except InputError:  # no answer in time
            return False


def print_of(crystal: Crystal) -> Fingerprint | None:
    """Return the fingerprint of a crystal; None where its cell is too flat to have one."""
    try:
        return fingerprint(crystal)
    except InputError:
        return None


def told_apart(tries: Iterable[Try], *, most: int | None = None) -> list[Structure]:
    """Return the distinct structures of usable tries, lowest energy first.

    Args:
        tries: any; those without a structure are left out.
        most: distinct structures after which no further one is looked at.
    """
    found: list[Structure] = []
    usable = [one for one in tries if one.usable]
    for one in sorted(usable, key=lambda one: (one.structure.energy_ev_per_atom, one.kind, one.number)):
        crystal = one.structure.crystal
        mine = print_of(crystal)
        structure = next((known for known in found if known.holds(crystal, mine)), None)
        if structure is None:
            if len(found) == most:
                break
            structure = Structure(one, mine)
            found.append(structure)
        structure.found_by.append(one.label)
    return found


def note_early_finds(structures: Iterable[Structure], tries: Iterable[Try]) -> None:
    """Add to the structures the loosely relaxed tries that had ended in them already."""
    known = list(structures)
    for one in tries:
        if not one.usable:
            continue
        crystal = one.structure.crystal
        mine = print_of(crystal)
        structure = next((known for known in known if known.holds(crystal, mine)), None)
        if structure is not None:
            structure.found_by.append(one.label)
