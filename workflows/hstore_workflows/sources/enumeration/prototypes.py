"""Hydride structure prototypes: reading them, and decorating them with elements at sensible distances.

A decorated structure is a starting point for a relaxation, not a prediction of lattice constants: the cell
is scaled as a whole until the mean cation-hydrogen distance of every first shell reaches at least the sum of
the radii, relative to the compound the prototype was measured on, while hydrogen stays at its usual bond
length from the centre of its complex anion.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pymatgen.core import Structure

HYDRIDE_RADIUS_ANGSTROM = 1.28
"""Radius of H- beside Shannon's cation radii, Å.

Mean distance less cation radius is 1.28 in LiH, 1.23 in MgH2, 1.26 in CaH2, 1.29 in LaH2 and 1.25 in NaAlH4;
only the rock-salt hydrides of the heavier alkali metals want more (1.42 in NaH) and come out too small.
"""
HYDROGEN_DISTANCE_LEAST_ANGSTROM = 1.6
"""Shortest allowed distance of two hydrogen atoms that do not share an anion centre, Å."""
RATTLING_MOST = 1.18
"""Largest ratio of a cation's shortest distance to its radius sum; a looser cation would leave its site."""

_PLACEHOLDERS = {"A": "Cs", "B": "Rb", "M": "Re", "H": "H"}
_ROMAN = {
    "III": 3,
    "IV": 4,
    "V": 5,
    "VI": 6,
    "VII": 7,
    "VIII": 8,
    "IX": 9,
    "X": 10,
    "XI": 11,
    "XII": 12,
    "XIV": 14,
}
_SHELL = 1.35
"""Neighbours within this multiple of the shortest distance count for the coordination number."""
_SAME_ANION = 0.3
"""Anion centres closer than this are one and the same, Å."""


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
        near = lengths <= _SHELL * lengths.min()
        return Contacts(self.scaling[near], self.bonded[near])


@dataclass(frozen=True, eq=False)
class Prototype:
    """A structure type, with roles in place of elements."""

    slug: str
    """Short name, part of the material id."""
    structure_type: str
    """Name as printed."""
    doi: str
    """Where the structure is described."""
    examples: tuple[str, ...]
    """Compounds reported with this structure."""
    lattice: NDArray[np.float64]
    """Primitive cell vectors, Å, shape ``(3, 3)``."""
    roles: tuple[str, ...]
    """Role of each site: A, B, M or H."""
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
    """Hydrogen neighbours of each cation role."""
    calibration: Mapping[str, float]
    """Mean distance in the reference compound over its radius sum, per cation role; 1 without a reference."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of sites of each role in the primitive cell."""
        return {role: self.roles.count(role) for role in dict.fromkeys(self.roles)}


@dataclass(frozen=True)
class Decorated:
    """A prototype with elements."""

    structure: Structure
    """The crystal structure."""
    distances: dict[str, tuple[float, float]]
    """Per cation role: mean distance to hydrogen in the first shell and the one its radius asks for, Å."""


@cache
def load_prototypes() -> dict[str, Prototype]:
    """Read every prototype of the package, by slug."""
    text = files("hstore_workflows.sources.enumeration").joinpath("prototypes.toml").read_text(encoding="utf-8")
    return {entry["slug"]: _prototype(entry) for entry in tomllib.loads(text)["prototype"]}


def cation_radius(element: str, charge: int, coordination: int) -> float:
    """Return Shannon's effective ionic radius, Å, for the nearest tabulated coordination number.

    Raises:
        InputError: no radius is tabulated for this charge.
    """
    return _nearest_radius(element, charge, coordination)[0]


def has_radius(element: str, charge: int) -> bool:
    """Tell whether a Shannon radius is tabulated for an element with this charge."""
    return bool(_shannon(element, charge))


def radius_sum(element: str, charge: int, coordination: int) -> float:
    """Return the expected distance of a cation to hydride, Å.

    Shannon's radius (doi:10.1107/S0567739476001551) plus :data:`HYDRIDE_RADIUS_ANGSTROM`, lengthened by the eighth
    root of the ratio of coordination numbers (Pauling, Born exponent 9) where the wanted one is not tabulated.
    """
    radius, tabulated = _nearest_radius(element, charge, coordination)
    stretch: float = (coordination / tabulated) ** 0.125
    return (radius + HYDRIDE_RADIUS_ANGSTROM) * stretch


def decorate(
    prototype: Prototype, elements: Mapping[str, str], charges: Mapping[str, int], bond: float = 0.0
) -> Decorated | None:
    """Put elements on a prototype and scale its cell.

    Args:
        prototype: the structure type.
        elements: element of each role except H.
        charges: charge of each cation role (A, B).
        bond: distance of hydrogen to the anion centre M, Å; zero for prototypes without one.

    Returns:
        The structure, or None when a cation would rattle in its site or hydrogen atoms come too close.

    Raises:
        InputError: a cation has no tabulated radius for its charge.
    """
    sums = {role: _wanted(prototype, role, elements[role], charges[role]) for role in prototype.shells}
    scale = max(_scale(shell, bond, sums[role]) for role, shell in prototype.shells.items())
    distances = {
        role: (float(shell.lengths(scale, bond).mean()), sums[role]) for role, shell in prototype.shells.items()
    }
    if any(found > RATTLING_MOST * wanted for found, wanted in distances.values()):
        return None
    if prototype.hydrogen.shortest(scale, bond) < HYDROGEN_DISTANCE_LEAST_ANGSTROM:
        return None
    return Decorated(_build(prototype, elements, scale, bond), distances)


def _wanted(prototype: Prototype, role: str, element: str, charge: int) -> float:
    return prototype.calibration[role] * radius_sum(element, charge, prototype.coordination[role])


@cache
def _shannon(element: str, charge: int) -> dict[int, float]:
    """Return the effective ionic radii by coordination number, Å; high spin where both are tabulated."""
    from pymatgen.core import Element

    table = Element(element).data.get("Shannon radii", {}).get(str(charge), {})
    chosen = {
        _ROMAN[name]: spins.get("High Spin") or spins.get("") or next(iter(spins.values()))
        for name, spins in table.items()
        if name in _ROMAN
    }
    return {number: float(radii["ionic_radius"]) for number, radii in chosen.items()}


@cache
def _nearest_radius(element: str, charge: int, coordination: int) -> tuple[float, int]:
    known = _shannon(element, charge)
    if not known:
        raise InputError(
            f"no Shannon radius of {element} with charge +{charge}; leave it out of this structure type"
        )
    nearest = min(known, key=lambda number: (abs(number - coordination), number))
    return known[nearest], nearest


def _prototype(entry: dict[str, Any]) -> Prototype:
    """Expand one entry of the table into its primitive cell."""
    structure = _primitive_structure(entry)
    names = {element: role for role, element in _PLACEHOLDERS.items()}
    roles = tuple(names[site.specie.symbol] for site in structure)
    bonds = _bonds(structure, roles)
    lengths = np.linalg.norm(bonds, axis=1)
    directions = bonds / np.where(lengths > 0, lengths, 1.0)[:, None]
    anchors = np.array(structure.cart_coords) - bonds
    bond = float(lengths[lengths > 0].mean()) if lengths.any() else 0.0
    shells: dict[str, Contacts] = {
        role: _contacts(structure, roles, role, anchors, directions).shell(bond) for role in "AB" if role in roles
    }
    coordination = {role: max(3, round(len(shell.scaling) / roles.count(role))) for role, shell in shells.items()}
    return Prototype(
        slug=entry["slug"],
        structure_type=entry["structure_type"],
        doi=entry["doi"],
        examples=tuple(entry["examples"]),
        lattice=np.array(structure.lattice.matrix),
        roles=roles,
        anchors=anchors,
        directions=directions,
        bond=bond,
        shells=shells,
        hydrogen=_contacts(structure, roles, "H", anchors, directions),
        coordination=coordination,
        calibration=_calibration(entry, shells, coordination, bond),
    )


def _calibration(
    entry: dict[str, Any], shells: Mapping[str, Contacts], coordination: Mapping[str, int], bond: float
) -> dict[str, float]:
    """Return the mean distance in the reference compound over its radius sum, per cation role."""
    if "reference" not in entry:
        return dict.fromkeys(shells, 1.0)
    wanted = {}
    for role in shells:
        element, charge = entry["reference"][role]
        wanted[role] = radius_sum(element, charge, coordination[role])
    return {role: float(shell.lengths(1.0, bond).mean()) / wanted[role] for role, shell in shells.items()}


def _primitive_structure(entry: dict[str, Any]) -> Structure:
    """Expand the sites of an entry; ASE does so five times faster than pymatgen's ``from_spacegroup``."""
    from ase.spacegroup import crystal
    from pymatgen.core import Structure

    atoms: Any = crystal(
        [_PLACEHOLDERS[site[0]] for site in entry["sites"]],
        [site[1:] for site in entry["sites"]],
        spacegroup=entry["space_group"],
        cellpar=entry["lattice"],
        primitive_cell=True,
    )
    structure = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    structure.sort()
    return structure


def _bonds(structure: Structure, roles: tuple[str, ...]) -> NDArray[np.float64]:
    """Vector from the nearest centre M to every hydrogen, zero elsewhere."""
    bonds = np.zeros((len(roles), 3))
    centres = [site for site, role in zip(structure, roles, strict=True) if role == "M"]
    if not centres:
        return bonds
    for index, role in enumerate(roles):
        if role == "H":
            images = structure.lattice.get_points_in_sphere(
                [site.frac_coords for site in centres], structure[index].coords, 2.4, zip_results=True
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
    for index in (number for number, name in enumerate(roles) if name == role):
        for near in structure.get_neighbors(structure[index], 5.0):
            if roles[near.index] != "H":
                continue
            shift = near.coords - structure[near.index].coords
            between = anchors[near.index] + shift - anchors[index]
            if role != "H" or np.linalg.norm(between) > _SAME_ANION:
                scaling.append(between)
                bonded.append(directions[near.index] - directions[index])
    return Contacts(np.array(scaling).reshape(-1, 3), np.array(bonded).reshape(-1, 3))


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


def _build(prototype: Prototype, elements: Mapping[str, str], scale: float, bond: float) -> Structure:
    from pymatgen.core import Lattice, Structure

    species = [elements.get(role, "H") for role in prototype.roles]
    positions = scale * prototype.anchors + bond * prototype.directions
    return Structure(Lattice(scale * prototype.lattice), species, positions, coords_are_cartesian=True)
