"""Sizes of ions beside hydride and other simple anions: Shannon's effective ionic radii (angstrom)."""

from __future__ import annotations

from functools import cache

from hstore.errors import InputError

HYDRIDE_RADIUS_ANGSTROM = 1.28
"""Radius of H- beside Shannon's cation radii, Å.

Mean distance less cation radius is 1.28 in LiH, 1.23 in MgH2, 1.26 in CaH2, 1.29 in LaH2 and 1.25 in NaAlH4;
only the rock-salt hydrides of the heavier alkali metals want more (1.42 in NaH) and come out too small.
"""
_ANION_COORDINATION = 6
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


@cache
def anion_radius(element: str, charge: int) -> float:
    """Return the radius of an anion, Å: :data:`HYDRIDE_RADIUS_ANGSTROM` for H-, Shannon's for 6 neighbours else.

    Args:
        element: symbol.
        charge: charge, negative.

    Raises:
        InputError: no radius is tabulated for this charge.
    """
    if element == "H":
        return HYDRIDE_RADIUS_ANGSTROM
    return cation_radius(element, charge, _ANION_COORDINATION)


def cation_radius(element: str, charge: int, coordination: int) -> float:
    """Return Shannon's effective ionic radius, Å, for the nearest tabulated coordination number.

    Raises:
        InputError: no radius is tabulated for this charge.
    """
    return _nearest_radius(element, charge, coordination)[0]


@cache
def has_radius(element: str, charge: int) -> bool:
    """Tell whether a Shannon radius is tabulated for an element with this charge."""
    return bool(_shannon(element, charge))


@cache
def radius_sum(
    element: str, charge: int, coordination: int, anion_radius_angstrom: float = HYDRIDE_RADIUS_ANGSTROM
) -> float:
    """Return the expected distance of a cation to its anions, Å.

    Shannon's radius (doi:10.1107/S0567739476001551) plus that of the anion, lengthened by the eighth
    root of the ratio of coordination numbers (Pauling, Born exponent 9) where the wanted one is not tabulated.

    Raises:
        InputError: no radius is tabulated for this charge.
    """
    radius, tabulated = _nearest_radius(element, charge, coordination)
    stretch: float = (coordination / tabulated) ** 0.125
    return (radius + anion_radius_angstrom) * stretch


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
            f"no Shannon radius of {element} with charge {charge:+d}; leave it out of this structure type"
        )
    nearest = min(known, key=lambda number: (abs(number - coordination), number))
    return known[nearest], nearest
