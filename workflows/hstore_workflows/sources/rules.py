"""Plausibility rules of alloys and salts: sizes, valence electrons, electronegativities, mixing enthalpies.

Element data are pymatgen's; the binary mixing enthalpies are those of Takeuchi and Inoue
(doi:10.2320/matertrans.46.2817) as shipped with matminer. Every function takes amounts in any unit; only
atomic fractions matter.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def metallic_radius(element: str) -> float:
    """Return the 12-coordinate metallic radius, Å; the atomic radius where no metallic one is tabulated."""
    from pymatgen.core import Element

    data = Element(element).data
    radius = data.get("Metallic radius")
    if not isinstance(radius, (int, float)):
        radius = data.get("Atomic radius")
    if not isinstance(radius, (int, float)):
        raise InputError(f"no metallic or atomic radius is tabulated for {element!r}; leave it out of the alloys")
    return float(radius)


@cache
def electronegativity(element: str) -> float:
    """Return the Pauling electronegativity."""
    from pymatgen.core import Element

    return float(Element(element).X)


@cache
def valence_electrons(element: str) -> int:
    """Return the electrons outside the closed shell: the group number, less ten in the p block."""
    from pymatgen.core import Element

    group = int(Element(element).group)
    last_d_group = 12
    return group if group <= last_d_group else group - 10


@cache
def _mixing_enthalpies() -> dict[frozenset[str], float]:
    """Binary mixing enthalpy of liquid equimolar alloys, kJ/mol, by unordered pair of elements."""
    from importlib.resources import files

    table = files("matminer.utils.data_files").joinpath("MiedemaLiquidDeltaHf.tsv").read_text(encoding="utf-8")
    rows = (line.split() for line in table.splitlines()[1:] if line.strip())
    return {frozenset((first, second)): float(value) for first, second, value in rows}


def fractions(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return atomic fractions, which sum to one."""
    total = sum(amounts.values())
    return {element: amount / total for element, amount in amounts.items()}


def mean_radius(amounts: Mapping[str, float]) -> float:
    """Return the composition-weighted metallic radius, Å."""
    return sum(share * metallic_radius(el) for el, share in fractions(amounts).items())


def mean_electronegativity(amounts: Mapping[str, float]) -> float:
    """Return the composition-weighted Pauling electronegativity."""
    return sum(share * electronegativity(el) for el, share in fractions(amounts).items())


def valence_electron_concentration(amounts: Mapping[str, float]) -> float:
    """Return the valence electrons per atom."""
    return sum(share * valence_electrons(el) for el, share in fractions(amounts).items())


def size_mismatch_pct(amounts: Mapping[str, float]) -> float:
    """Return the size mismatch delta = 100 sqrt(sum c_i (1 - r_i / r_mean)^2), percent.

    Zhang et al. 2008 (doi:10.1002/adem.200700240); solid solutions lie below about 6.6 %.
    """
    mean = mean_radius(amounts)
    return 100 * math.sqrt(
        sum(share * (1 - metallic_radius(el) / mean) ** 2 for el, share in fractions(amounts).items())
    )


def mixing_enthalpy_kj_per_mol(amounts: Mapping[str, float]) -> float:
    """Return the regular-solution mixing enthalpy 4 sum c_i c_j H_ij, kJ/mol of atoms.

    Raises:
        InputError: a pair of elements has no tabulated enthalpy.
    """
    table, shares, total = _mixing_enthalpies(), fractions(amounts), 0.0
    for first, second in combinations(shares, 2):
        pair = table.get(frozenset((first, second)))
        if pair is None:
            raise InputError(
                f"no mixing enthalpy is tabulated for {first}-{second}; leave the pair out of the alloys"
            )
        total += 4 * shares[first] * shares[second] * pair
    return total


def tolerance_factor(radius_a: float, radius_b: float, radius_anion: float) -> float:
    """Return Goldschmidt's tolerance factor (r_A + r_X) / (sqrt(2) (r_B + r_X)) of a perovskite ABX3."""
    return (radius_a + radius_anion) / (math.sqrt(2) * (radius_b + radius_anion))
