"""Random crystals of a composition with the symmetry of a space group, from which searches begin.

Most known crystals are symmetric, and low energies are found far more often among symmetric starts than among
random places of all atoms (Pickard and Needs 2011, doi 10.1088/0953-8984/23/5/053201). A space group is drawn,
then Wyckoff positions that hold the atoms of the cell, then a lattice, by PyXtal (Fredericks et al. 2021, doi
10.1016/j.cpc.2020.107810): the volume of each element lies between those of spheres of its covalent and of its
van der Waals radius. Distances are bounded here, because those of hydrides are not those PyXtal assumes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import HstoreError, InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.arrays import FloatArray

GROUPS = 230
"""Space groups, numbered from 1."""
HYDROGEN_APART_ANGSTROM = 1.6
"""Least distance of two hydrogen atoms: below it they pair up; in hydrides they keep 2.1 (Switendick, doi
10.1524/zpch.1979.117.117.089), or 1.6 inside complex anions."""
_METAL_HYDROGEN = 0.8
"""Least distance of hydrogen to another element over the sum of covalent radii: 0.96 in Mg2FeH6, 1.0 to 1.3 in
the hydrides of the table ``hydride_phases``."""
_OTHERS = 0.75
"""The same for two atoms that are not hydrogen."""
_DRAWS = 400
"""Space groups drawn before a composition counts as one that no crystal is found for."""


class PlacingError(HstoreError):
    """No random crystal of a composition could be made."""


@dataclass(frozen=True)
class Drawn:
    """Random crystals of one space group."""

    crystals: tuple[Crystal, ...]
    """Their primitive cells, at least one."""
    space_group: int
    """Number of the space group they were drawn in; their symmetry may be higher."""
    refused: int
    """Space groups drawn before that hold no such cell, or in which the atoms found no place."""


def random_crystals(
    counts: Mapping[str, int],
    random: np.random.Generator,
    *,
    number: int = 1,
    weights: Sequence[float] | None = None,
) -> Drawn:
    """Draw a space group that holds a cell, and crystals in it.

    Args:
        counts: element -> atoms in the primitive cell.
        random: what is drawn from; equal states give equal crystals with one version of PyXtal.
        number: crystals tried in the space group; those that find no place are left out.
        weights: weight of each space group, shape (230,); equal ones when None.

    Raises:
        MissingExtraError: PyXtal is not installed.
        InputError: counts or weights cannot be used.
        PlacingError: none of the space groups drawn took the atoms.
    """
    chances = _chances(counts, weights)
    tolerances = distances_least(tuple(counts))
    for refused in range(_DRAWS):
        group = int(random.choice(GROUPS, p=chances)) + 1
        if not _holds(group, tuple(counts.values())):
            continue
        first = _place(group, counts, tolerances, random)
        if first is None:  # hundreds of placements failed; others would too
            continue
        others = (_place(group, counts, tolerances, random) for _ in range(number - 1))
        return Drawn((first, *(one for one in others if one is not None)), group, refused)
    told = " ".join(f"{element}{n}" for element, n in counts.items())
    raise PlacingError(
        f"no crystal with {told} in its primitive cell was found in {_DRAWS} space groups drawn; "
        "ask for other formula units"
    )


def require_pyxtal() -> None:
    """Refuse to go on without PyXtal, before anything expensive starts.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec("pyxtal") is None:
        raise MissingExtraError(
            "random crystals need pyxtal, which is not installed; run: pip install 'hstore[search]'"
        )


def distances_least(elements: Sequence[str]) -> dict[tuple[str, str], float]:
    """Return the least distance of each pair of elements, angstrom; both orders are there."""
    from ase.data import atomic_numbers, covalent_radii

    radii = {element: float(covalent_radii[atomic_numbers[element]]) for element in elements}
    found = {}
    for one in elements:
        for other in elements:
            if one == other == "H":
                least = HYDROGEN_APART_ANGSTROM
            else:
                least = (_METAL_HYDROGEN if "H" in (one, other) else _OTHERS) * (radii[one] + radii[other])
            found[one, other] = least
    return found


def _chances(counts: Mapping[str, int], weights: Sequence[float] | None) -> FloatArray:
    unknown = [element for element in counts if element not in SYMBOLS]
    if not counts or unknown or min(counts.values()) < 1:
        raise InputError(f"a cell holds at least one atom of each of its elements, got {dict(counts)}")
    chances = np.ones(GROUPS) if weights is None else np.asarray(weights, float)
    if chances.shape != (GROUPS,) or not np.isfinite(chances).all() or chances.min() < 0 or not chances.any():
        raise InputError(
            f"weights are {GROUPS} numbers of at least 0, one for each space group and not all 0, "
            f"got {chances.size} from {chances.min(initial=np.inf):g}"
        )
    return np.asarray(chances / chances.sum())


def _place(
    group: int,
    counts: Mapping[str, int],
    tolerances: Mapping[tuple[str, str], float],
    random: np.random.Generator,
) -> Crystal | None:
    """Place atoms in a space group; None where they found no place."""
    made, symmetry, compatibility_error, tolerance_matrix = _pyxtal()
    child = random.spawn(1)[0]
    matrix = tolerance_matrix(*((*pair, least) for pair, least in tolerances.items()), prototype="atomic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyXtal's, as it enlarges a cell
        try:
            drawn = made(
                dim=3,
                group=symmetry(group),
                species=list(counts),
                numIons=list(counts.values()),
                conventional=False,
                tm=matrix,
                random_state=child,
            )
        except (compatibility_error, RuntimeError, ValueError, IndexError):  # of many kinds; it is drawn anew
            return None
    return _crystal(drawn) if drawn.valid else None


@cache
def _holds(group: int, counts: tuple[int, ...]) -> bool:
    """Tell whether Wyckoff positions of a space group add up to the atoms of a primitive cell."""
    _, symmetry, _, _ = _pyxtal()
    known = symmetry(group)
    return bool(known.check_compatible(np.asarray(counts) * known.cellsize())[0])


def _crystal(drawn: Any) -> Crystal | None:
    """Return the primitive cell of what PyXtal placed."""
    from moyopy import Cell, MoyoDataset

    places, numbers = [], []
    for site in drawn.atom_sites:
        places.append(np.asarray(site.coords, float) % 1.0)
        numbers += [SYMBOLS.index(str(site.specie)) + 1] * len(site.coords)
    cell = Cell(np.asarray(drawn.lattice.matrix).tolist(), np.concatenate(places).tolist(), numbers)
    try:
        primitive = MoyoDataset(cell, symprec=_SYMMETRIC_ANGSTROM).prim_std_cell
    except ValueError:  # no symmetry is found at this tolerance
        return None
    return Crystal(np.asarray(primitive.basis), np.asarray(primitive.positions), np.asarray(primitive.numbers))


_SYMMETRIC_ANGSTROM = 1e-4
"""Tolerance at which a crystal made by symmetry is symmetric."""


@cache
def _pyxtal() -> tuple[Any, Any, Any, Any]:
    require_pyxtal()
    from pyxtal.crystal import random_crystal as make
    from pyxtal.msg import Comp_CompatibilityError
    from pyxtal.symmetry import Group
    from pyxtal.tolerance import Tol_matrix

    return make, cache(Group), Comp_CompatibilityError, Tol_matrix
