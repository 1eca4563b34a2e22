"""Ordered crystals from partially occupied ones, by stated rules or not at all.

The rules, in this order:

1. **nearly whole**: a position occupied to at least 0.98 is full, one to at most 0.02 is empty. A sum up to 1.02
   is scaled to 1; more is an error of the file.
2. **dominant element**: where elements share a position and one has more than nine tenths of it, that one takes
   it all. Without such an element the structure is not usable: an arrangement would be invented, and properties
   of a solid solution with it. Elements on split positions less than 0.5 angstrom apart count as sharing one.
3. **alternative positions** and **vacancies spread**: positions of one element that are empty at times are
   filled by whole atoms, as many as the occupancies say, in the cell or in the smallest supercell (at most 8
   cells, 400 atoms) where the numbers come out. No two atoms on such positions may be closer than 0.7 times the
   sum of their covalent radii (Cordero et al. 2008, doi:10.1039/b801115j; H-H 1.45 angstrom); among the
   arrangements that keep this, swaps of atoms and vacancies lower the sum of 1/d^2 between like atoms until none
   does, so that they are spread evenly. The search is deterministic. It is called *alternative positions* when
   the occupancies of positions too close to each other add up to one (a split atom, a molecule in two
   orientations), *vacancies spread* otherwise.

Whatever the rules, at most :data:`MOST_CHANGE` of the atoms may differ from the stated composition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import formula_text
from hstore.partial import PartialCrystal, atomic_number, close_pairs
from hstore_workflows.sources.arrangement import arranged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hstore_workflows.sources.arrangement import Arrangement

NEARLY = 0.02
"""Occupancies this close to 0 or 1 are 0 or 1."""
DOMINANT_SHARE = 0.9
"""An element with more than this share of a position takes it all."""
SHARED_PLACE_ANGSTROM = 0.5
"""Different elements on partial positions closer than this share one position."""
MOST_CHANGE = 0.02
"""Largest part of the atoms that may differ from the stated composition."""

WHOLE, DOMINANT, ALTERNATIVE, SPREAD = (
    "nearly whole occupancy",
    "dominant element",
    "alternative positions",
    "vacancies spread",
)
"""Names of the rules."""

_EXACT = 1e-3


@dataclass(frozen=True)
class Ordered:
    """An ordered crystal and how it came to be."""

    crystal: Crystal
    """One element on each site."""
    rules: tuple[str, ...] = ()
    """Rules that were applied; none for a crystal that was ordered."""
    change: float = 0.0
    """Part of the atoms that differ from the stated composition."""
    cells: int = 1
    """Cells of the given structure in that of the crystal."""


def ordered(
    structure: PartialCrystal | Mapping[str, Any], *, stated: Mapping[str, float] | None = None
) -> Ordered:
    """Order a crystal by the rules at the head of this module.

    Args:
        structure: crystal with occupancies, or the dictionary form of a pymatgen ``Structure``.
        stated: amounts of the elements to compare with, where they are not those of ``structure``.

    Raises:
        InputError: no rule applies, the composition would change too much, or an occupancy is impossible; the
            message names the composition, which can be screened by formula.
    """
    given = structure if isinstance(structure, PartialCrystal) else PartialCrystal.from_dict(structure)
    if all(len(shares) == 1 and abs(sum(shares.values()) - 1.0) < 1e-6 for shares in given.occupancies):
        crystal = _crystal(given, [next(iter(shares)) for shares in given.occupancies])
        return Ordered(crystal, change=difference(given.amounts, crystal.amounts) if stated is None else 0.0)
    return _by_rule(given, dict(stated or given.amounts))


def _by_rule(given: PartialCrystal, stated: dict[str, float]) -> Ordered:
    rules: list[str] = []
    places, symbols, shares = _settled(given, stated, rules)
    settled = PartialCrystal(
        given.lattice_angstrom,
        given.fractional[places],
        tuple({symbol: share} for symbol, share in zip(symbols, shares, strict=True)),
    )
    cells = 1
    if any(share < 1.0 for share in shares):
        _refuse_hidden_mixing(settled, stated)
        arrangement = _arrangement(settled, stated)
        rules.append(ALTERNATIVE if arrangement.alternatives else SPREAD)
        crystal, cells = arrangement.crystal, arrangement.cells
    else:
        crystal = _crystal(settled, symbols)
    change = difference(stated, crystal.amounts)
    if change > MOST_CHANGE:
        raise _unusable(f"ordering would exchange {100 * change:.1f} % of the atoms", stated)
    return Ordered(crystal, tuple(dict.fromkeys(rules)), change, cells)


def _settled(
    given: PartialCrystal, stated: dict[str, float], rules: list[str]
) -> tuple[list[int], list[str], list[float]]:
    """Apply the first two rules; return the positions left, the element of each and its occupancy."""
    places: list[int] = []
    symbols: list[str] = []
    kept: list[float] = []
    for place, shares in enumerate(given.occupancies):
        total = sum(shares.values())
        if not all(0 <= share < np.inf for share in shares.values()):
            raise InputError(f"position {place + 1} has the occupancies {_shown(shares)}; they go from 0 to 1")
        if total > 1.0 + NEARLY:
            raise InputError(
                f"position {place + 1} holds {_shown(shares)}, {total:.4g} atoms in one place; correct the file"
            )
        if total <= NEARLY:
            rules.append(WHOLE)
            continue
        symbol, share = max(shares.items(), key=lambda item: (item[1], -atomic_number(item[0])))
        if len(shares) > 1 and share < total:
            if share <= DOMINANT_SHARE * total:
                raise _unusable(
                    f"position {place + 1} is shared by {_shown(shares)} and none has above {DOMINANT_SHARE}",
                    stated,
                )
            rules.append(DOMINANT)
        if abs(total - 1.0) > 1e-6 and total >= 1.0 - NEARLY:
            rules.append(WHOLE)
        places.append(place)
        symbols.append(symbol)
        kept.append(1.0 if total >= 1.0 - NEARLY else total)
    if not places:
        raise InputError("no position is occupied; give the occupancies of the atoms")
    return places, symbols, kept


def _refuse_hidden_mixing(settled: PartialCrystal, stated: dict[str, float]) -> None:
    pairs, _ = close_pairs(settled.lattice_angstrom, settled.fractional, SHARED_PLACE_ANGSTROM)
    for first, second in pairs.tolist():
        here, there = settled.occupancies[first], settled.occupancies[second]
        if set(here) != set(there):
            raise _unusable(
                f"positions {first + 1} and {second + 1}, {_shown(here)} and {_shown(there)}, are one place "
                f"shared by elements of which none has above {DOMINANT_SHARE}",
                stated,
            )


def _arrangement(settled: PartialCrystal, stated: dict[str, float]) -> Arrangement:
    found = arranged(settled, lambda crystal_amounts: difference(stated, crystal_amounts), most_change=MOST_CHANGE)
    if isinstance(found, str):
        raise _unusable(found, stated)
    return found


def _crystal(structure: PartialCrystal, symbols: list[str]) -> Crystal:
    numbers = np.array([atomic_number(symbol) for symbol in symbols], dtype=np.int64)
    return Crystal(structure.lattice_angstrom, structure.fractional, numbers)


def difference(stated: Mapping[str, float], amounts: Mapping[str, float]) -> float:
    """Part of the atoms that would have to be exchanged to come from one composition to the other."""
    before, after = sum(stated.values()), sum(amounts.values())
    symbols = set(stated) | set(amounts)
    return 0.5 * sum(abs(stated.get(el, 0.0) / before - amounts.get(el, 0.0) / after) for el in symbols)


def _shown(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{symbol} {share:.3g}" for symbol, share in shares.items())


def _unusable(reason: str, stated: dict[str, float]) -> InputError:
    rounded = {symbol: round(amount, 3) for symbol, amount in stated.items() if amount >= _EXACT}
    return InputError(
        f"partly occupied: {reason}; not usable as a structure, but its composition {formula_text(rounded)[:80]} "
        "can be screened by formula"
    )
