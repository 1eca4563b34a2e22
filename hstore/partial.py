"""Crystals as files give them: positions that may be shared by elements, or empty part of the time.

:mod:`hstore_workflows.sources.occupancy` makes them ordered, where a rule allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.elements import SYMBOLS
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

_ELEMENTS = frozenset(SYMBOLS)
_ISOTOPES = {"D": "H", "T": "H"}
_SPECIES = re.compile(r"([A-Za-z]{1,3})(?:\d{0,2}\.?\d{0,4}[+-]\d{0,2}|\d{1,2})?\Z")
_FARTHEST_CELL = 1000.0
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}
LONGEST_AXIS_ANGSTROM = 1000.0
"""Longest component of a cell vector."""
LEAST_SPACING_ANGSTROM = 0.5
"""Least distance between opposite faces of a cell."""
LEAST_VOLUME_PER_ATOM_ANGSTROM3 = 1.5
"""Smaller volumes do not occur: hydrogen in LaH10 at 150 GPa has about 3 cubic angstrom for each atom."""
LEAST_DISTANCE_ANGSTROM = 0.5
"""Atoms do not come closer: H2 has 0.74 angstrom."""


@dataclass(frozen=True, eq=False)
class PartialCrystal:
    """A periodic crystal whose positions hold one element, several, or one at times."""

    lattice_angstrom: FloatArray
    """Cell vectors in rows, shape (3, 3), angstrom."""
    fractional: FloatArray
    """Fractional coordinates, shape (n, 3)."""
    occupancies: tuple[dict[str, float], ...]
    """For each position, the share of time each element is there."""

    def __post_init__(self) -> None:
        """Bring the arrays to their types and refuse cells and coordinates that no crystal has."""
        object.__setattr__(self, "lattice_angstrom", checked_lattice(self.lattice_angstrom))
        fractional = np.ascontiguousarray(self.fractional, dtype=float)
        object.__setattr__(self, "fractional", fractional)
        if fractional.shape != (len(self.occupancies), 3) or not len(fractional):
            raise InputError(
                f"{len(self.occupancies)} positions and coordinates of shape {fractional.shape}; correct them"
            )
        if not np.abs(fractional).max() <= _FARTHEST_CELL:  # also true for NaN
            raise InputError(
                f"fractional coordinates must be numbers between -{_FARTHEST_CELL:g} and {_FARTHEST_CELL:g}"
            )

    @classmethod
    def from_dict(cls, structure: Mapping[str, Any]) -> PartialCrystal:
        """Read the dictionary form of a pymatgen ``Structure``, isotopes and oxidation states set aside.

        Raises:
            InputError: parts are missing or misshapen, or an element is unknown.
        """
        try:
            matrix = np.asarray(structure["lattice"]["matrix"], dtype=float)
            sites = structure["sites"]
            fractional = np.asarray([site["abc"] for site in sites], dtype=float).reshape(-1, 3)
            occupancies = tuple(_shares(site["species"]) for site in sites)
        except (KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the structure lacks what a pymatgen dictionary has ({type(error).__name__}: {error}); "
                "give lattice.matrix and sites with species and abc"
            ) from error
        return cls(matrix, fractional, occupancies)

    @classmethod
    def whole(cls, lattice: FloatArray, fractional: FloatArray, symbols: list[str]) -> PartialCrystal:
        """Make one in which every position holds one atom.

        Args:
            lattice: cell vectors in rows, shape (3, 3), angstrom.
            fractional: fractional coordinates, shape (n, 3).
            symbols: element of each position, isotopes allowed.

        Raises:
            InputError: an element is unknown.
        """
        known = {symbol: element_of(symbol) for symbol in set(symbols)}
        return cls(lattice, fractional, tuple({known[symbol]: 1.0} for symbol in symbols))

    def __len__(self) -> int:
        """Return the number of positions in the cell."""
        return len(self.occupancies)

    @cached_property
    def amounts(self) -> dict[str, float]:
        """Atoms of each element in the cell, in the order of atomic numbers."""
        total: dict[str, float] = {}
        for shares in self.occupancies:
            for symbol, share in shares.items():
                total[symbol] = total.get(symbol, 0.0) + share
        return {symbol: total[symbol] for symbol in sorted(total, key=_NUMBER_OF.__getitem__)}


def checked_lattice(matrix: Any) -> FloatArray:
    """Return cell vectors, shape (3, 3), if a crystal can have them.

    Raises:
        InputError: they are no nine numbers, too long, or span a cell that is flat or thin.
    """
    lattice = np.ascontiguousarray(matrix, dtype=float)
    if lattice.shape != (3, 3) or not np.isfinite(lattice).all():
        raise InputError(
            f"the cell needs three vectors of three finite numbers, got shape {lattice.shape}; correct it"
        )
    if np.abs(lattice).max() > LONGEST_AXIS_ANGSTROM:
        raise InputError(
            f"a cell vector is longer than {LONGEST_AXIS_ANGSTROM:g} A ({np.abs(lattice).max():.3g} A)"
        )
    crossed = np.cross(lattice[[1, 2, 0]], lattice[[2, 0, 1]])
    area = np.linalg.norm(crossed, axis=1)
    volume = abs(float(lattice[0] @ crossed[0]))
    spacing = volume / area.max() if area.max() > 0 else 0.0
    if spacing < LEAST_SPACING_ANGSTROM:
        raise InputError(
            f"the cell is only {spacing:.2g} A thick, {LEAST_SPACING_ANGSTROM} A are possible; correct it"
        )
    return lattice


def element_of(text: str) -> str:
    """Return the element of a species label such as ``Li``, ``Fe3+``, ``O2-`` or ``D``, which is hydrogen here.

    Raises:
        InputError: it names no element; dummies and vacancies (X, Va) do not.
    """
    if text in _ELEMENTS:
        return text
    match = _SPECIES.match(text.strip())
    if match:
        symbol = match.group(1).capitalize()
        if symbol in _ELEMENTS:
            return symbol
        if symbol in _ISOTOPES:
            return _ISOTOPES[symbol]
    raise InputError(f"{text[:20]!r} is no element; replace dummy atoms, vacancies and groups by elements")


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element symbol."""
    return _NUMBER_OF[symbol]


def close_pairs(
    lattice: FloatArray, fractional: FloatArray, cutoff_angstrom: float
) -> tuple[FloatArray, FloatArray]:
    """Return pairs of positions closer than a cutoff, periodic images included, each pair once.

    Args:
        lattice: cell vectors in rows, shape (3, 3), angstrom.
        fractional: fractional coordinates, shape (n, 3).
        cutoff_angstrom: largest distance, angstrom.

    Returns:
        indices of the pairs, shape (pairs, 2), and their distances, shape (pairs,), angstrom.
    """
    from vesin import NeighborList

    # a cell list finer than the spacing of the atoms costs time and finds nothing more
    spacing = (abs(np.linalg.det(lattice)) / max(len(fractional), 1)) ** (1 / 3)
    reach = max(cutoff_angstrom, min(1.4 * spacing, 4.0))
    calculator = NeighborList(cutoff=float(reach), full_list=False)
    pairs, distances = calculator.compute(
        points=fractional @ lattice, box=np.asarray(lattice), periodic=True, quantities="Pd"
    )
    near = distances < cutoff_angstrom
    return np.asarray(pairs)[near].astype(np.int64), np.asarray(distances)[near]


def _shares(species: list[dict[str, Any]]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for entry in species:
        symbol = element_of(str(entry["element"]))
        shares[symbol] = shares.get(symbol, 0.0) + float(entry["occu"])
    return shares
