"""What to ask for: an OPTIMADE filter, checked before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = {
    "ESCAPED_STRING": "text in double quotes", "IDENTIFIER": "a property", "OPERATOR": "a comparison",
    "SIGNED_INT": "a number", "SIGNED_FLOAT": "a number", "LPAR": "(", "RPAR": ")", "COMMA": ",", "DOT": ".",
    "COLON": ":", "NESTED_IDENTIFIER": "a property",
}  # fmt: skip
"""What the grammar's tokens are called in messages; the others are words of the language."""


@dataclass(frozen=True)
class OptimadeQuery:
    """A question to all providers; the parts are joined by AND."""

    expression: str = ""
    """Filter in the language of OPTIMADE, such as ``nelements=2 AND elements HAS "H"``."""
    elements: tuple[str, ...] = ()
    """Elements that must all be present."""
    chemical_systems: tuple[str, ...] = ()
    """Exact chemical systems such as ``"La-Ni-H"``; any of them."""
    limit: int | None = None
    """At most so many structures from each provider."""

    def __post_init__(self) -> None:
        """Refuse what would match everything, an unknown element, and what is no OPTIMADE filter."""
        if not (self.expression.strip() or self.elements or self.chemical_systems):
            raise InputError(
                "a query without filter, elements or chemical system asks for a whole database; "
                "give one, such as --elements Mg,H"
            )
        for symbol in (*self.elements, *(el for system in self.chemical_systems for el in system.split("-"))):
            if symbol not in ATOMIC_MASS_G_PER_MOL:
                raise InputError(f"{symbol!r} is not an element; use symbols such as La or Ni")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit must be at least 1, got {self.limit}")
        if self.expression.strip():
            check_filter(self.expression)

    @property
    def filter(self) -> str:
        """The filter that is sent."""
        parts = [self.expression.strip()] if self.expression.strip() else []
        if self.elements:
            parts.append(_has_all(self.elements))
        if self.chemical_systems:
            systems = [
                f"({_has_all(elements)} AND nelements={len(elements)})"
                for elements in (sorted(set(system.split("-"))) for system in self.chemical_systems)
            ]
            parts.append(" OR ".join(systems))
        return parts[0] if len(parts) == 1 else " AND ".join(f"({part})" for part in parts)


def check_filter(text: str) -> None:
    """Check a filter with the library's own grammar.

    Raises:
        InputError: it does not follow the grammar; the message shows where.
    """
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF
    from optimade.exceptions import BadRequest

    try:
        tree = _parser().parse(text)
    except BadRequest as error:
        cause = error.__cause__
        if isinstance(cause, UnexpectedCharacters):
            raise _misread(text, cause.pos_in_stream or 0, cause.allowed or ()) from None
        if isinstance(cause, UnexpectedEOF):
            raise _misread(text, len(text), cause.expected) from None
        raise InputError(
            f"the filter {text!r} cannot be read: {cause}; see the filter language of OPTIMADE"
        ) from None
    # the grammar takes expressions one after the other, of which servers read the first alone
    if tree.data == "filter" and len(tree.children) > 1:
        raise InputError(f"the filter {text!r} holds expressions without AND or OR between them; join them")


@cache
def _parser() -> Any:
    from optimade.filterparser import LarkParser

    return LarkParser()


def _has_all(elements: Iterable[str]) -> str:
    return "elements HAS ALL " + ",".join(f'"{symbol}"' for symbol in elements)


def _misread(text: str, position: int, expected: Iterable[str]) -> InputError:
    """Point at the place where a filter stops making sense."""
    tokens = {name.strip("_") for name in expected if not name.startswith("$")} - {"WS"}
    names = sorted({_WORDS.get(name, name) for name in tokens})
    wanted = f"; possible here: {', '.join(names)}" if names else ""
    place = "at its end" if position >= len(text) else f"at character {position + 1}"
    line = re.sub(r"\s", " ", text)
    return InputError(f"the filter is wrong {place}{wanted}\n  {line}\n  {' ' * position}^")
