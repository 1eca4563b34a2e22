"""From the address of a search of materials to the words of the store, and back to an answer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError, unknown_name
from hstore.formula import canonical_formula, parse_amounts
from hstore.licences import stated
from hstore.properties import PROPERTIES
from hstore.store.numbers import KINDS
from hstore.store.search import BY_COMPOSITION, BY_IDENTIFIER, NumberRange, Order, Wanted
from hstore_api.cursor import read_cursor, write_cursor
from hstore_api.material_schemas import MaterialOrigin, MaterialSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore.records import Scope
    from hstore.store import Store
    from hstore.store.search import BestNumber, Page, Position
    from hstore_api.material_schemas import MaterialQuery

FIELDS = tuple(name for name in MaterialSummary.model_fields if name != "values")
"""Fields an item can have, apart from its numbers."""

_BOUND = re.compile(
    r"(?P<name>[^<>=]+?)\s*(?::(?P<word>ge|gt|le|lt|eq):|(?P<sign>>=|<=|>|<|=))\s*(?P<value>[^:<>=]+)"
    r"(?::(?P<kind>[a-z]+))?\Z"
)
_WORDS = {">=": "ge", ">": "gt", "<=": "le", "<": "lt", "=": "eq"}
_ORIGIN = tuple(MaterialOrigin.model_fields)
_TABLE_ORIGIN = ("source", "reference", "licence")


@dataclass(frozen=True)
class Asked:
    """A question about materials, in the words of the store."""

    wanted: Wanted
    """Which materials."""
    order: Order
    """In which order."""
    after: Position | None
    """Where the page before ended."""
    fields: tuple[str, ...]
    """Fields of each item, the identifier first."""
    numbers: tuple[str, ...]
    """Numbers to bring along."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of ``materials`` that the fields are made of; each field is one."""
        return self.fields[1:]

    def items(self, page: Page) -> list[dict[str, Any]]:
        """Return the items of a page as they go out in JSON."""
        return [self._item(row, page.numbers[row["material_id"]]) for row in page.rows]

    def _item(self, row: dict[str, Any], numbers: Mapping[str, BestNumber]) -> dict[str, Any]:
        if "provenance" in row:
            row["provenance"] = {name: row["provenance"].get(name) for name in _ORIGIN}
        if self.numbers:
            row["values"] = {name: _number(name, found) for name, found in numbers.items()}
        return row

    def table_columns(self) -> dict[str, type]:
        """Return the columns of a table with their types: fields, origin, then numbers with their kind."""
        columns: dict[str, type] = {}
        for field in self.fields:
            if field == "provenance":
                columns |= dict.fromkeys(_TABLE_ORIGIN, str)
            elif field != "descriptors":
                columns[field] = bool if field == "known" else str
        for name in self.numbers:
            columns |= {name: float, f"{name}_kind": str}
        return columns

    def table_rows(self, page: Page) -> list[dict[str, Any]]:
        """Return the items of a page as the rows of a table."""
        return [self._table_row(row, page.numbers[row["material_id"]]) for row in page.rows]

    def _table_row(self, row: dict[str, Any], numbers: Mapping[str, BestNumber]) -> dict[str, Any]:
        origin = row.get("provenance") or {}
        row |= {name: origin.get(name) for name in _TABLE_ORIGIN} | {"licence": stated(origin.get("licence"))}
        for name, found in numbers.items():
            row |= {name: found.value, f"{name}_kind": found.kind}
        return row

    def cursor(self, position: Position) -> str:
        """Return ``next`` of a page that ended there."""
        return write_position(self.wanted, self.order, position)


def read_query(query: MaterialQuery, store: Store, scope: Scope) -> Asked:
    """Read a question about materials.

    Raises:
        UnknownNameError: an element, a number or a field is unknown; close matches are named, of numbers only
            those which the scope may see.
        FormulaError: the formula cannot be read.
        InputError: a bound is not of the form that is allowed, or ``after`` is of another question.
    """
    wanted = Wanted(
        family=query.family,
        elements=_symbols(query.elements, ","),
        elements_any=_symbols(query.elements_any, ","),
        exclude_elements=_symbols(query.exclude_elements, ","),
        only_elements=_symbols(query.only_elements, ","),
        n_elements_min=query.n_elements_min,
        n_elements_max=query.n_elements_max,
        chemical_system="-".join(sorted(_symbols(query.chemical_system, "-"))) or None,
        composition=canonical_formula(parse_amounts(query.formula)) if query.formula else None,
        known=query.known,
        source=query.source,
        has_structure=query.has_structure,
        text=query.text,
        ranges=_ranges(query.where),
    )
    order = _order(query.sort)
    asked = [found.name for found in wanted.ranges] + ([order.by] if order.is_number else [])
    numbers = tuple(dict.fromkeys([*asked, *_listed(query.properties)]))
    check_numbers(numbers, store, scope)
    after = None if query.after is None else read_position(wanted, order, query.after)
    return Asked(wanted, order, after, _fields(query.fields), numbers)


def write_position(wanted: Wanted, order: Order, position: Position) -> str:
    """Write where a page ended, for the next page of the same question."""
    return write_cursor((wanted, order), position)


def read_position(wanted: Wanted, order: Order, text: str) -> Position:
    """Read where a page ended.

    Raises:
        InputError: it is of no page, or of one with other filters or in another order.
    """
    kind = {BY_IDENTIFIER: None, BY_COMPOSITION: str}.get(order.by, float)
    return read_cursor((wanted, order), text, kind)


def check_numbers(names: Iterable[str], store: Store, scope: Scope) -> None:
    """Refuse numbers that no material has.

    Raises:
        UnknownNameError: one is neither a property nor seen by the scope; close matches are named.
    """
    for name in names:
        if name not in PROPERTIES and not store.search.has_number(name, scope=scope):
            raise unknown_name("number", name, {*PROPERTIES, *store.search.number_names(scope=scope)})


def _symbols(text: str | None, separator: str) -> tuple[str, ...]:
    symbols = tuple(part.strip() for part in text.split(separator)) if text else ()
    for symbol in symbols:
        if symbol not in ATOMIC_MASS_G_PER_MOL:
            raise unknown_name("element", symbol, ATOMIC_MASS_G_PER_MOL)
    return symbols


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _fields(text: str | None) -> tuple[str, ...]:
    if text is None:
        return FIELDS
    named = _listed(text)
    for name in named:
        if name not in FIELDS:
            raise unknown_name("field", name, FIELDS)
    return tuple(dict.fromkeys(["material_id", *named]))


def _order(text: str) -> Order:
    return Order(text.removeprefix("-"), descending=text.startswith("-"))


def _ranges(bounds: tuple[str, ...]) -> tuple[NumberRange, ...]:
    """Read bounds; several of one number become one range."""
    found: dict[tuple[str, str | None], NumberRange] = {}
    for text in bounds:
        bound = _bound(text)
        key = (bound.name, bound.kind)
        found[key] = _both(found[key], bound) if key in found else bound
    return tuple(found.values())


def _bound(text: str) -> NumberRange:
    match = _BOUND.match(text)
    if match is None:
        raise InputError(
            f"where is NAME>=VALUE with one of >=, >, <=, < and =, or NAME:ge:VALUE with ge, gt, le, lt or eq; "
            f"got {text!r}"
        )
    name, kind = match["name"].strip(), match["kind"]
    if kind is not None and kind not in KINDS:
        raise unknown_name("kind of number", kind, KINDS)
    value, word = _value(match["value"], text), match["word"] or _WORDS[match["sign"]]
    low = value if word in {"ge", "gt", "eq"} else None
    high = value if word in {"le", "lt", "eq"} else None
    return NumberRange(name, kind, low, word == "gt", high, word == "lt")


def _value(text: str, bound: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"where compares with a finite number, such as 2.5; got {text.strip()!r} in {bound!r}")
    return value


def _both(one: NumberRange, other: NumberRange) -> NumberRange:
    """Return the range within both."""
    lows = [(r.low, r.low_open) for r in (one, other) if r.low is not None]
    highs = [(r.high, not r.high_open) for r in (one, other) if r.high is not None]
    low, low_open = max(lows, default=(None, False))
    high, closed = min(highs, default=(None, True))
    return replace(one, low=low, low_open=low_open, high=high, high_open=not closed)


def _number(name: str, found: BestNumber) -> dict[str, Any]:
    known = PROPERTIES.get(name)
    return {"value": found.value, "kind": found.kind, "unit": known.unit if known else None}
