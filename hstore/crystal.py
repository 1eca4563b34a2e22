"""Crystal structures as plain arrays: what the fast paths work on, and what processes hand to each other.

A :class:`Crystal` is ordered (one element on each site). Reading one from the pymatgen dictionary of a
:class:`~hstore.records.Material` needs no pymatgen and takes microseconds for each site.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL, SYMBOLS
from hstore.errors import InputError
from hstore.formula import written_formula

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray, IntArray

_ATOMIC_NUMBER = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}
_LEAST_VOLUME_ANGSTROM3 = 1e-3
_HASH_DECIMALS = 8


@dataclass(frozen=True, eq=False)
class Crystal:
    """A periodic, ordered crystal.

    Raises:
        InputError: shapes do not fit, a number is not finite, an atomic number is unknown, there is no site,
            or the cell has no volume.
    """

    lattice_angstrom: FloatArray
    """Cell vectors in rows, shape (3, 3), angstrom."""
    fractional: FloatArray
    """Fractional coordinates, shape (n, 3); any cell, as the source gave them."""
    numbers: IntArray
    """Atomic number of each site, shape (n,)."""

    def __post_init__(self) -> None:
        """Bring the arrays to their types and refuse what is no crystal."""
        lattice = np.ascontiguousarray(self.lattice_angstrom, dtype=float)
        fractional = np.ascontiguousarray(self.fractional, dtype=float)
        numbers = np.ascontiguousarray(self.numbers, dtype=np.int64)
        object.__setattr__(self, "lattice_angstrom", lattice)
        object.__setattr__(self, "fractional", fractional)
        object.__setattr__(self, "numbers", numbers)
        if lattice.shape != (3, 3) or fractional.shape != (len(numbers), 3) or numbers.ndim != 1:
            raise InputError(
                f"a crystal needs a (3, 3) lattice and (n, 3) coordinates for n sites, got {lattice.shape}, "
                f"{fractional.shape} and {numbers.shape}"
            )
        if not len(numbers):
            raise InputError("a crystal needs at least one site, got none")
        if not (np.isfinite(lattice).all() and np.isfinite(fractional).all()):
            raise InputError("lattice and coordinates must be finite numbers; correct the structure")
        if numbers.min() < 1 or numbers.max() > len(SYMBOLS):
            raise InputError(f"atomic numbers go from 1 to {len(SYMBOLS)}, got {numbers.min()} to {numbers.max()}")
        if self.volume_angstrom3 < _LEAST_VOLUME_ANGSTROM3:
            raise InputError(f"the cell has no volume ({self.volume_angstrom3:.2g} A^3); correct the lattice")

    @classmethod
    def from_dict(cls, structure: Mapping[str, Any]) -> Crystal:
        """Read the dictionary form of a pymatgen ``Structure``.

        Raises:
            InputError: parts are missing or misshapen, or a site is shared by several elements.
        """
        try:
            matrix = structure["lattice"]["matrix"]
            sites = structure["sites"]
            numbers = [_number(site["species"]) for site in sites]
            fractional = [site["abc"] for site in sites]
            return cls(np.asarray(matrix, float), np.asarray(fractional, float), np.asarray(numbers))
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(
                f"the structure lacks what a pymatgen dictionary has ({type(error).__name__}: {error}); "
                "give lattice.matrix and sites with species and abc"
            ) from error
        except ValueError as error:
            raise error if isinstance(error, InputError) else InputError(f"structure: {error}") from error

    @classmethod
    def from_pymatgen(cls, structure: Any) -> Crystal:
        """Take the arrays of an ordered pymatgen ``Structure``.

        Raises:
            InputError: a site is shared by several elements or by none.
        """
        if not structure.is_ordered:
            raise InputError("the structure has partially occupied sites; order it first")
        numbers = np.asarray([site.specie.Z for site in structure])
        return cls(structure.lattice.matrix, structure.frac_coords, numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary form of a pymatgen ``Structure``, with only what is needed to read it back."""
        return {
            "@module": "pymatgen.core.structure",
            "@class": "Structure",
            "lattice": {"matrix": self.lattice_angstrom.tolist()},
            "sites": [
                {"species": [{"element": symbol, "occu": 1}], "abc": place, "properties": {}, "label": symbol}
                for symbol, place in zip(self.symbols, self.fractional.tolist(), strict=True)
            ],
        }

    def to_pymatgen(self) -> Any:
        """Return a pymatgen ``Structure``."""
        from pymatgen.core.structure import Structure

        return Structure(self.lattice_angstrom, list(self.symbols), self.fractional)

    def __len__(self) -> int:
        """Return the number of sites in the cell."""
        return len(self.numbers)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Element symbol of each site."""
        return tuple(SYMBOLS[z - 1] for z in self.numbers)

    @cached_property
    def volume_angstrom3(self) -> float:
        """Volume of the cell, cubic angstrom."""
        a, b, c = self.lattice_angstrom
        return float(abs(np.dot(a, np.cross(b, c))))

    @cached_property
    def cartesian_angstrom(self) -> FloatArray:
        """Cartesian coordinates, shape (n, 3), angstrom."""
        return np.asarray(self.fractional @ self.lattice_angstrom)

    @cached_property
    def mass_g_per_mol(self) -> float:
        """Mass of the cell, g/mol."""
        return sum(ATOMIC_MASS_G_PER_MOL[symbol] for symbol in self.symbols)

    @cached_property
    def amounts(self) -> dict[str, float]:
        """Atoms of each element in the cell."""
        counts = np.bincount(self.numbers)
        return {SYMBOLS[z - 1]: float(counts[z]) for z in np.flatnonzero(counts).tolist()}

    @property
    def formula(self) -> str:
        """Formula of the cell's content, as chemists write it."""
        return written_formula(self.amounts)

    @cached_property
    def key(self) -> str:
        """SHA-256 over lattice, coordinates and elements as given: equal for equal arrays, to 1e-8."""
        digest = hashlib.sha256(np.array(len(self), dtype="<i8").tobytes())
        for part in (self.lattice_angstrom, self.fractional):
            digest.update((np.round(part, _HASH_DECIMALS) + 0.0).astype("<f8").tobytes())
        digest.update(self.numbers.astype("<i8").tobytes())
        return digest.hexdigest()


def _number(species: list[dict[str, Any]]) -> int:
    if len(species) != 1 or abs(float(species[0]["occu"]) - 1.0) > 1e-6:
        named = ", ".join(f"{s['element']} {s['occu']}" for s in species) or "nothing"
        raise InputError(f"a site holds {named}; order the structure first (one element on each site)")
    symbol = str(species[0]["element"])
    if symbol not in _ATOMIC_NUMBER:
        raise InputError(f"{symbol!r} is no element hstore knows; isotopes and dummy atoms must be replaced")
    return _ATOMIC_NUMBER[symbol]
