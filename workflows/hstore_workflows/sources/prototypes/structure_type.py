"""A structure type: sites with roles in place of elements, and the contacts that decide its size."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hstore.formula import canonical_formula, parse_amounts
from hstore.licences import OWN_DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pymatgen.core import Structure

LIGAND = "H"
"""Role of the anion: hydrogen in the hydride types, another anion where one takes its place."""
CENTRE = "M"
"""Role of the central atom of a complex anion."""
_SHELL = 1.35
"""Neighbours within this multiple of the shortest distance count for the coordination number."""
_SAME_ANION = 0.3
"""Anion centres closer than this are one and the same, Å."""
_LONGEST_BOND = 2.4
_LONGEST_CONTACT = 5.0


@dataclass(frozen=True, eq=False)
class Contacts:
    """Vectors between one kind of site and hydrogen, split so that cell and bonds can change independently."""

    scaling: NDArray[np.float64]
    """Part that scales with the cell, Å, shape ``(n_contacts, 3)``."""
    bonded: NDArray[np.float64]
    """Part to be multiplied by the bond length of the anion, shape ``(n_contacts, 3)``."""

    def lengths(self, scale: float, bond: float) -> NDArray[np.float64]:
        """Return the distances, Å, in a cell scaled by ``scale`` with bonds of ``bond`` Å."""
        found: NDArray[np.float64] = np.linalg.norm(scale * self.scaling + bond * self.bonded, axis=1)
        return found

    def shortest(self, scale: float, bond: float) -> float:
        """Return the shortest of the distances, Å; infinite without contacts."""
        return float(self.lengths(scale, bond).min(initial=np.inf))

    def shell(self, bond: float) -> Contacts:
        """Return the contacts of the first coordination shell of the unscaled prototype."""
        lengths = self.lengths(1.0, bond)
        near = lengths <= _SHELL * lengths.min(initial=np.inf)
        return Contacts(self.scaling[near], self.bonded[near])


@dataclass(frozen=True)
class Window:
    """Sizes between which a structure type is known."""

    coordination: tuple[int, ...]
    """Coordination number of the radius, or of each radius."""
    low: float
    """Lower end, allowed."""
    high: float
    """Upper end, allowed."""

    def holds(self, value: float) -> bool:
        """Tell whether a value lies in the window."""
        return self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class Frame:
    """What follows from the sites of a type alone."""

    anchors: NDArray[np.float64]
    """Position of each site, or of the anion centre it is bonded to, Å, shape ``(n_sites, 3)``."""
    directions: NDArray[np.float64]
    """Unit vector from the anion centre to the site, zero for sites outside anions, shape ``(n_sites, 3)``."""
    bond: float
    """Mean bond length inside the anions, Å; zero without anions."""
    shells: Mapping[str, Contacts]
    """First coordination shell of each cation role, all its sites together."""
    hydrogen: Contacts
    """Contacts of hydrogen with hydrogen of other anions."""
    coordination: Mapping[str, int]
    """Hydrogen neighbours of each cation role, at least 3."""
    closest: Mapping[tuple[str, str], float]
    """Shortest distance between two roles other than H, Å; both orders are present, pairs beyond 5 Å absent."""


@dataclass(frozen=True, eq=False)
class Prototype:
    """A structure type, with roles in place of elements."""

    slug: str
    """Short name, part of the material id."""
    structure_type: str
    """Name as printed."""
    source: str
    """Where the structure is described: ``doi:`` and the identifier, or the reference in words."""
    examples: tuple[str, ...]
    """Compounds reported with this structure."""
    lattice: NDArray[np.float64]
    """Primitive cell vectors, Å, shape ``(3, 3)``."""
    roles: tuple[str, ...]
    """Role of each site: a letter, with H for hydrogen (or the anion in its place) and M for an anion's centre."""
    frame: Frame
    """Anions, shells and contacts of the cell as given."""
    calibration: Mapping[str, float]
    """Mean distance in the reference compound over its radius sum, per cation role; 1 without a reference."""
    ratio: Mapping[str, Window] = field(default_factory=dict)
    """Windows of the radius ratio r+/r-, by role."""
    tolerance: Window | None = None
    """Window of Goldschmidt's tolerance factor, with the coordination numbers of A and B."""
    stretch: tuple[float, float] = (0.85, 1.2)
    """Scale of the cell, relative to the one given, between which complex salts are believed."""
    twins: frozenset[tuple[str, str]] = frozenset()
    """Pairs of roles that symmetry makes one: swapping their elements changes nothing."""
    alloy_class: str = ""
    """What its hydrogen-free metal is, such as ``ab5``; empty for salts."""
    reference: Mapping[str, str] = field(default_factory=dict)
    """Element of each role in the compound whose cell is given; empty where cells are taken as absolute."""
    licence: str = OWN_DATA
    """Licence of the table it stands in."""
    in_pool: bool = False
    """Whether the shipped enumeration uses the type."""

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of sites of each role in the primitive cell, in the order of the sites."""
        return {role: self.roles.count(role) for role in dict.fromkeys(self.roles)}

    @cached_property
    def cations(self) -> tuple[str, ...]:
        """Roles other than H and M, in alphabetical order."""
        return tuple(sorted({*self.roles} - {LIGAND, CENTRE}))

    @cached_property
    def known(self) -> frozenset[str]:
        """Canonical formulas of the examples."""
        return frozenset(canonical_formula(parse_amounts(example)) for example in self.examples)

    @cached_property
    def volume(self) -> float:
        """Volume of the cell as given, cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice)))


def frame_of(structure: Structure, roles: tuple[str, ...]) -> Frame:
    """Work out anions, shells and contacts of a structure.

    Args:
        structure: one site for each role, in the same order.
        roles: role of each site.
    """
    bonds = _bonds(structure, roles)
    lengths = np.linalg.norm(bonds, axis=1)
    directions = bonds / np.where(lengths > 0, lengths, 1.0)[:, None]
    anchors = np.array(structure.cart_coords) - bonds
    bond = float(lengths[lengths > 0].mean()) if lengths.any() else 0.0
    shells: dict[str, Contacts] = {
        role: _contacts(structure, roles, role, anchors, directions).shell(bond)
        for role in sorted({*roles} - {LIGAND, CENTRE})
    }
    return Frame(
        anchors=anchors,
        directions=directions,
        bond=bond,
        shells=shells,
        hydrogen=_contacts(structure, roles, LIGAND, anchors, directions),
        coordination={
            role: max(3, round(len(shell.scaling) / roles.count(role))) for role, shell in shells.items()
        },
        closest=_closest(structure, roles),
    )


def _bonds(structure: Structure, roles: tuple[str, ...]) -> NDArray[np.float64]:
    """Vector from the nearest centre M to every hydrogen, zero elsewhere."""
    bonds = np.zeros((len(roles), 3))
    centres = [site for site, role in zip(structure, roles, strict=True) if role == CENTRE]
    if not centres:
        return bonds
    for index, role in enumerate(roles):
        if role == LIGAND:
            images = structure.lattice.get_points_in_sphere(
                [site.frac_coords for site in centres], structure[index].coords, _LONGEST_BOND, zip_results=True
            )
            nearest = min(images, key=lambda image: float(image[1]))
            bonds[index] = structure[index].coords - structure.lattice.get_cartesian_coords(nearest[0])
    return bonds


def _contacts(
    structure: Structure,
    roles: tuple[str, ...],
    role: str,
    anchors: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> Contacts:
    """Return the contacts up to 5 Å of the sites of a role with hydrogen outside their own anion."""
    scaling, bonded = [], []
    if LIGAND not in roles:
        return Contacts(np.empty((0, 3)), np.empty((0, 3)))
    for index in (number for number, name in enumerate(roles) if name == role):
        for near in structure.get_neighbors(structure[index], _LONGEST_CONTACT):
            if roles[near.index] != LIGAND:
                continue
            shift = near.coords - structure[near.index].coords
            between = anchors[near.index] + shift - anchors[index]
            if role != LIGAND or np.linalg.norm(between) > _SAME_ANION:
                scaling.append(between)
                bonded.append(directions[near.index] - directions[index])
    return Contacts(np.array(scaling).reshape(-1, 3), np.array(bonded).reshape(-1, 3))


def _closest(structure: Structure, roles: tuple[str, ...]) -> dict[tuple[str, str], float]:
    """Return the shortest distance between two roles other than H; pairs farther apart than 5 Å are left out."""
    first, second, _, distances = structure.get_neighbor_list(_LONGEST_CONTACT)
    found: dict[tuple[str, str], float] = {}
    for i, j, distance in zip(first, second, distances, strict=True):
        pair = (roles[i], roles[j])
        if LIGAND not in pair:
            found[pair] = min(found.get(pair, np.inf), float(distance))
    return found
