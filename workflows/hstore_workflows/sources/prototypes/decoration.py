"""Decorating a salt-like structure type with elements at sensible distances.

A decorated structure is a starting point for a relaxation, not a prediction of lattice constants: the cell
is scaled as a whole until the mean cation-hydrogen distance of every first shell reaches at least the sum of
the radii, relative to the compound the prototype was measured on, while hydrogen stays at its usual bond
length from the centre of its complex anion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.sources.prototypes.radii import HYDRIDE_RADIUS_ANGSTROM, radius_sum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

    from hstore.crystal import Crystal
    from hstore_workflows.sources.prototypes.structure_type import Contacts, Prototype

HYDROGEN_DISTANCE_LEAST_ANGSTROM = 1.6
"""Shortest allowed distance of two hydrogen atoms that do not share an anion centre, Å."""
RATTLING_MOST = 1.18
"""Largest ratio of a cation's shortest distance to its radius sum; a looser cation would leave its site."""


class Misfit(StrEnum):
    """Why elements do not go on a structure type."""

    RATTLES = "a cation would rattle in its site"
    HYDROGEN_CLOSE = "anions come too close to each other"
    METALS_CLOSE = "metal atoms come too close to each other"
    METALS_APART = "a metal atom touches no other"
    METAL_HYDROGEN_CLOSE = "hydrogen comes too close to a metal atom"


@dataclass(frozen=True)
class Decorated:
    """A prototype with elements."""

    prototype: Prototype
    """The structure type."""
    elements: Mapping[str, str]
    """Element of each role; hydrogen where H is not named."""
    scale: float
    """Length of the cell relative to the prototype's."""
    bond: float
    """Distance of hydrogen to the anion centre, Å; zero without one."""
    distances: Mapping[str, tuple[float, float]]
    """Per cation role: mean distance to hydrogen in the first shell and the one its radius asks for, Å."""

    @property
    def species(self) -> list[str]:
        """Element of each site."""
        return [self.elements.get(role, "H") for role in self.prototype.roles]

    def structure(self) -> Structure:
        """Return the crystal structure as a pymatgen object."""
        from pymatgen.core import Lattice, Structure

        frame = self.prototype.frame
        positions = self.scale * frame.anchors + self.bond * frame.directions
        return Structure(
            Lattice(self.scale * self.prototype.lattice), self.species, positions, coords_are_cartesian=True
        )

    def crystal(self) -> Crystal:
        """Return the crystal structure as arrays, without pymatgen."""
        from hstore.crystal import Crystal
        from hstore.elements import SYMBOLS

        frame = self.prototype.frame
        lattice = self.scale * self.prototype.lattice
        positions = self.scale * frame.anchors + self.bond * frame.directions
        number = {role: SYMBOLS.index(self.elements.get(role, "H")) + 1 for role in self.prototype.counts}
        return Crystal(
            lattice,
            positions @ np.linalg.inv(lattice),
            np.array([number[role] for role in self.prototype.roles]),
        )


def decorate(
    prototype: Prototype,
    elements: Mapping[str, str],
    charges: Mapping[str, int],
    bond: float = 0.0,
    *,
    anion_radius_angstrom: float = HYDRIDE_RADIUS_ANGSTROM,
) -> Decorated | Misfit:
    """Put elements on a prototype and scale its cell.

    Args:
        prototype: the structure type.
        elements: element of each role except H.
        charges: charge of each cation role.
        bond: distance of hydrogen to the anion centre M, Å; zero for prototypes without one.
        anion_radius_angstrom: radius of the anion, Å; that of H- unless another anion is in its place.

    Returns:
        The decoration, or why there is none: a cation would rattle in its site, or hydrogen atoms come too close.

    Raises:
        InputError: a cation has no tabulated radius for its charge.
    """
    frame = prototype.frame
    sums = {
        role: prototype.calibration[role]
        * radius_sum(elements[role], charges[role], frame.coordination[role], anion_radius_angstrom)
        for role in frame.shells
    }
    scale = max(_scale(shell, bond, sums[role]) for role, shell in frame.shells.items())
    distances = {
        role: (float(shell.lengths(scale, bond).mean()), sums[role]) for role, shell in frame.shells.items()
    }
    if any(found > RATTLING_MOST * wanted for found, wanted in distances.values()):
        return Misfit.RATTLES
    least = HYDROGEN_DISTANCE_LEAST_ANGSTROM * anion_radius_angstrom / HYDRIDE_RADIUS_ANGSTROM
    if frame.hydrogen.shortest(scale, bond) < least:
        return Misfit.HYDROGEN_CLOSE
    return Decorated(prototype, elements, scale, bond, distances)


def _scale(shell: Contacts, bond: float, wanted: float) -> float:
    """Return the cell scale at which the mean distance of a shell equals the wanted one, by bisection."""
    low, high = 0.3, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        if shell.lengths(middle, bond).mean() < wanted:
            low = middle
        else:
            high = middle
    return high
