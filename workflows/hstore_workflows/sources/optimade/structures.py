"""Structures of OPTIMADE as crystals.

Read here rather than by the library's adapter, because that needs the whole entry to follow the specification: a
formula in the wrong order would cost a good structure. What the geometry rests on is checked in full, and the
species are read by the library's model. The tests hold both against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.partial import PartialCrystal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

_UNPLACED = {
    "implicit_atoms": "some atoms have no position (implicit_atoms)",
    "site_attachments": "some atoms have no position of their own (site_attachments)",
    "assemblies": "sites are occupied together or not at all (assemblies)",
}
_LEAST_VOLUME_ANGSTROM3 = 1e-3
_FARTHEST_ANGSTROM = 1e5
_NO_ELEMENT = "X"
_VACANCY = "vacancy"


def crystal_of(attributes: Mapping[str, Any]) -> PartialCrystal:
    """Read the geometry of a structure entry.

    Args:
        attributes: the member ``attributes`` of the entry.

    Returns:
        The crystal; sites may be shared by elements or empty at times, for the caller to order or refuse.

    Raises:
        InputError: it is not periodic in three dimensions, something is missing, lengths do not fit, a number is
            not finite, or an atom has no position or no element.
    """
    _check_periodic(attributes)
    _check_placed(attributes)
    lattice = _numbers(attributes, "lattice_vectors", rows=3)
    if not abs(np.linalg.det(lattice)) > _LEAST_VOLUME_ANGSTROM3:
        raise InputError(f"lattice_vectors span no volume ({np.linalg.det(lattice):.2g} A^3)")
    names = attributes.get("species_at_sites")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"species_at_sites must be a list with a name for each site, got {_brief(names)}")
    positions = _numbers(attributes, "cartesian_site_positions", rows=len(names))
    stated = attributes.get("nsites")
    if stated is not None and stated != len(names):
        raise InputError(
            f"nsites is {_brief(stated)} but species_at_sites names {len(names)}; one of them is wrong"
        )
    species = _species(attributes.get("species"))
    unknown = sorted(set(names) - species.keys())
    if unknown:
        raise InputError(f"species_at_sites names {', '.join(unknown[:5])}, which species does not describe")
    return PartialCrystal(
        lattice_angstrom=lattice,
        fractional=np.asarray(np.linalg.solve(lattice.T, positions.T).T, dtype=float),
        occupancies=tuple(species[name] for name in names),
    )


def _check_periodic(attributes: Mapping[str, Any]) -> None:
    stated = {
        name: (attributes.get(name), periodic)
        for name, periodic in (("dimension_types", [1, 1, 1]), ("nperiodic_dimensions", 3))
        if attributes.get(name) is not None
    }
    if not stated:
        raise InputError("dimension_types is missing; without it a crystal cannot be told from a molecule")
    for name, (given, periodic) in stated.items():
        if given != periodic:
            raise InputError(f"it must be periodic in three dimensions, but {name} is {_brief(given)}")


def _check_placed(attributes: Mapping[str, Any]) -> None:
    flags = attributes.get("structure_features")
    flags = [*flags] if isinstance(flags, list) else []
    if attributes.get("assemblies"):
        flags.append("assemblies")
    for flag, cause in _UNPLACED.items():
        if flag in flags:
            raise InputError(f"{cause}; such a structure cannot be used")


def _numbers(attributes: Mapping[str, Any], field: str, *, rows: int) -> FloatArray:
    """Read vectors, shape (rows, 3), angstrom."""
    given = attributes.get(field)
    if not isinstance(given, list):
        raise InputError(f"{field} must be a list of vectors, got {_brief(given)}")
    try:
        vectors = np.asarray(given, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{field} must hold numbers in threes ({error})") from error
    if vectors.shape != (rows, 3):
        raise InputError(f"{field} must have {rows} rows of 3 numbers, got shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise InputError(f"{field} must hold finite numbers; some are missing or NaN")
    if np.abs(vectors).max() > _FARTHEST_ANGSTROM:
        raise InputError(f"{field} must lie within {_FARTHEST_ANGSTROM:g} A, got {np.abs(vectors).max():.3g}")
    return vectors


def _species(given: Any) -> dict[str, dict[str, float]]:
    """Return the share of each element for each species; a vacancy is what is missing to 1."""
    from optimade.models.structures import Species
    from pydantic import ValidationError

    if not isinstance(given, list):
        raise InputError(f"species must be a list that says what the names of sites mean, got {_brief(given)}")
    shares: dict[str, dict[str, float]] = {}
    for entry in given:
        try:
            species = Species.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(
                f"species {_brief(entry)} does not follow OPTIMADE ({place}: {first['msg']})"
            ) from None
        if species.name in shares:
            raise InputError(f"species describes {species.name!r} twice")
        if species.attached:
            raise InputError(f"species {species.name!r} has atoms attached that have no position of their own")
        if _NO_ELEMENT in species.chemical_symbols:
            raise InputError(f"species {species.name!r} is no element (X)")
        if not all(np.isfinite(part) and part >= 0 for part in species.concentration):
            raise InputError(
                f"species {species.name!r} has a concentration that is no share: {species.concentration}"
            )
        held: dict[str, float] = {}
        for symbol, part in zip(species.chemical_symbols, species.concentration, strict=True):
            if symbol != _VACANCY and part > 0:
                held[symbol] = held.get(symbol, 0.0) + part
        shares[species.name] = held
    return shares


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
