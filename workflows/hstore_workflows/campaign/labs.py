"""Labs: what each has at hand, what it does not handle, and how many experiments it does a week."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError, unknown_name
from hstore.formula import parse_amounts
from hstore_workflows.tables import FORMULA_COLUMNS, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hstore_models.features.composition import CompositionBatch

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}\Z")
_PRECURSOR_COLUMNS = ("precursor", "element", *FORMULA_COLUMNS)


@dataclass(frozen=True)
class Lab:
    """One lab of a campaign."""

    name: str
    """Its name."""
    elements: tuple[str, ...] | None = None
    """Elements it has, besides hydrogen, nitrogen and oxygen; None where it has all."""
    without: tuple[str, ...] = ()
    """Elements it does not handle."""
    per_week: int | None = None
    """Experiments it does in a week, and so the most that it has under way; None for no limit."""
    precursors: tuple[str, ...] = ()
    """Precursors it has, whose elements count as at hand."""

    def __post_init__(self) -> None:
        """Refuse names and numbers that cannot be meant."""
        check_lab_name(self.name)
        if self.per_week is not None and self.per_week < 1:
            raise InputError(
                f"a lab does at least 1 experiment a week, got {self.per_week}; leave out for no limit"
            )
        for symbol in (*(self.elements or ()), *self.without):
            if symbol not in ATOMIC_MASS_G_PER_MOL:
                raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)

    @property
    def at_hand(self) -> frozenset[str] | None:
        """Elements it has, those of its precursors included; None where it has all."""
        if self.elements is None and not self.precursors:
            return None
        return frozenset(self.elements or ()).union(*(parse_amounts(formula) for formula in self.precursors))

    def makeable(self, compositions: CompositionBatch) -> NDArray[np.bool_]:
        """Mark the candidates it has the elements for, shape (n,)."""
        from hstore_workflows.campaign.effort import makeable

        return makeable(compositions, self.at_hand, self.without)

    def room(self, in_flight: int) -> int | None:
        """Return how many more experiments it can take; None for no limit."""
        return None if self.per_week is None else max(0, self.per_week - in_flight)

    def as_json(self) -> dict[str, Any]:
        """Return what is written into the ledger."""
        elements = None if self.elements is None else list(self.elements)
        return {
            "elements": elements,
            "without": list(self.without),
            "per_week": self.per_week,
            "precursors": list(self.precursors),
        }

    @classmethod
    def read(cls, name: str, held: Mapping[str, Any]) -> Self:
        """Read what :meth:`as_json` wrote."""
        elements = held.get("elements")
        return cls(
            name,
            None if elements is None else tuple(elements),
            tuple(held.get("without", ())),
            held.get("per_week"),
            tuple(held.get("precursors", ())),
        )


def check_lab_name(name: str) -> str:
    """Return the name of a lab if it can be one.

    Raises:
        InputError: it cannot.
    """
    if not _NAME.match(name):
        raise InputError(f"lab name {name!r} must be letters, digits, blanks, '.', '-' or '_', 64 at most")
    return name


def element_symbols(text: str) -> tuple[str, ...]:
    """Read ``La,Ni,Mn``.

    Raises:
        UnknownNameError: a symbol is no element.
    """
    symbols = tuple(part.strip() for part in text.split(",") if part.strip())
    for symbol in symbols:
        if symbol not in ATOMIC_MASS_G_PER_MOL:
            raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)
    return symbols


def read_precursors(path: Path) -> tuple[str, ...]:
    """Read the precursors that a lab has from a table with a column ``precursor``, ``element`` or ``formula``.

    Raises:
        InputError: no such column, or a formula that cannot be read.
    """
    table = read_table(path)
    column = next((name for name in _PRECURSOR_COLUMNS if name in table), None)
    if column is None:
        raise InputError(
            f"{path} has no column precursor, element or formula, got {', '.join(map(str, table))}; rename one"
        )
    return _readable(str(text).strip() for text in table[column].dropna())


def _readable(formulas: Iterable[str]) -> tuple[str, ...]:
    found = []
    for formula in formulas:
        parse_amounts(formula)
        found.append(formula)
    return tuple(dict.fromkeys(found))
