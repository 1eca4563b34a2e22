"""Formulas and structures in the forms in which OPTIMADE exchanges them.

Forms follow the OPTIMADE specification, version 1.2: integers only, elements in a fixed order, and flags where a
structure does not say all that its formula does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.formula import formula_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.formula import ParsedFormula
    from hstore.partial import PartialCrystal

MAX_PART = 10_000
"""Largest number in a reduced formula that had to be rounded."""

_DESCRIPTIVE = re.compile(r"[A-Za-z0-9.()\[\]{},+\-:= ]+\Z")
_TERM = re.compile(r"([A-Z][a-z]?)(\d*)")
_INTEGER = re.compile(r"[A-Za-z0-9]+\Z")
_WHOLE = 1e-6
_SCALE = 1000
_FULL_SITE = 1.001
_MISSING_SHARE = 0.02


def integer_amounts(amounts: Mapping[str, float], canonical: str) -> dict[str, int]:
    """Return amounts as integers without a common divisor, elements in alphabetical order.

    Amounts with more than three decimals that are no simple fractions are rounded to shares of :data:`MAX_PART`;
    no element is lost.

    Args:
        amounts: of each element.
        canonical: the same as :func:`hstore.formula.canonical_formula` writes it.
    """
    found = {el: int(n or 1) for el, n in _TERM.findall(canonical)} if _INTEGER.match(canonical) else {}
    if found.keys() == amounts.keys():
        return found
    exact = {el: round(_SCALE * amounts[el]) for el in sorted(amounts)}
    largest = max(amounts.values())
    if all(n > 0 and abs(_SCALE * amounts[el] - n) < _WHOLE for el, n in exact.items()):
        parts = exact
    else:
        parts = {el: max(1, round(MAX_PART * amounts[el] / largest)) for el in exact}
    divisor = math.gcd(*parts.values())
    return {el: part // divisor for el, part in parts.items()}


def reduced_formula(parts: Mapping[str, int]) -> str:
    """Write integer amounts with the elements in alphabetical order, such as ``H2Mg``."""
    return _written({el: parts[el] for el in sorted(parts)})


def anonymous_formula(parts: Mapping[str, int]) -> str | None:
    """Write integer amounts without their elements, the largest first, such as ``A5B``.

    Returns:
        None for more elements than letters: OPTIMADE goes on with Aa, whose place the models of its own library
        see both behind Z and before B, so they take no such formula.
    """
    if len(parts) > len(ascii_uppercase):
        return None
    return _written(dict(zip(ascii_uppercase, sorted(parts.values(), reverse=True), strict=False)))


def hill_formula(amounts: Mapping[str, float]) -> str | None:
    """Write amounts in Hill's order: carbon, hydrogen, the rest; only alphabetical where there is no carbon.

    Returns:
        None where an amount is no integer, for which the form is not defined.
    """
    parts = {el: round(n) for el, n in amounts.items()}
    if any(part < 1 or abs(amounts[el] - part) > _WHOLE for el, part in parts.items()):
        return None
    first = ("C", "H") if "C" in parts else ()
    order = [el for el in first if el in parts] + [el for el in sorted(parts) if el not in first]
    return _written({el: parts[el] for el in order})


def descriptive_formula(formula: str, parsed: ParsedFormula) -> str:
    """Return a formula as its source writes it, where that is element symbols, numbers and brackets alone."""
    if not parsed.notes and _DESCRIPTIVE.match(formula):
        return formula
    return formula_text(parsed.amounts)


@dataclass(frozen=True)
class Placement:
    """What a structure says of the atoms of a formula."""

    crystal: PartialCrystal
    """Cell and sites."""
    unplaced: tuple[str, ...]
    """Elements of which the formula has more atoms than the sites hold, in alphabetical order."""

    @property
    def disordered(self) -> bool:
        """Whether a site holds several elements, or an atom only at times."""
        return any(len(held) + (sum(held.values()) < 1 - _WHOLE) > 1 for held in self.crystal.occupancies)

    @classmethod
    def of(cls, structure: Mapping[str, Any] | None, amounts: Mapping[str, float]) -> Placement | None:
        """Read the pymatgen dictionary of a structure.

        Returns:
            None where there is none, where it cannot be read, or where it holds other elements than the formula.
        """
        if structure is None:
            return None
        from hstore.partial import PartialCrystal  # with numpy, which a store without structures does not need

        try:
            crystal = PartialCrystal.from_dict(structure)
        except InputError:
            return None
        placed = crystal.amounts
        real = all(
            all(share > 0 for share in held.values()) and sum(held.values()) <= _FULL_SITE
            for held in crystal.occupancies
        )
        if not real or not placed or not placed.keys() <= amounts.keys():
            return None
        scale = max(placed[el] / amounts[el] for el in placed)
        slack = _MISSING_SHARE * sum(placed.values())
        missing = sorted(el for el, n in amounts.items() if scale * n - placed.get(el, 0.0) > slack)
        return cls(crystal, tuple(missing))


def _written(parts: Mapping[str, int]) -> str:
    return "".join(f"{symbol}{'' if part == 1 else part}" for symbol, part in parts.items())
