"""Filters of OPTIMADE, from text to conditions.

The grammar is the library's. It is parsed by LALR, not by Earley as the library does: the language allows it, the
trees are the same (a test compares them), and a long filter takes 5 % of the time.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import LarkError, UnexpectedInput, VisitError
from optimade.exceptions import BadRequest, NotImplementedResponse
from optimade.filterparser.lark_parser import AVAILABLE_PARSERS

from hstore.store.optimade.conditions import (
    And,
    Compare,
    Foreign,
    Has,
    Holding,
    Known,
    Length,
    Match,
    Not,
    Or,
    Place,
)
from hstore_api.optimade.properties import is_foreign

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Collection

    from lark.tree import Meta

    from hstore.store.optimade.conditions import Condition, Operator, Value

MAX_CHARACTERS = 4096
"""Longest filter."""

MAX_DEPTH = 30
"""Most brackets that are open at a time."""

_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_SPACE = re.compile(r"[ \t\r\n\f]+")


def read_filter(
    text: str, fields: Collection[str], undefined: Collection[str], warn: Callable[[str], None]
) -> Condition | None:
    """Read a filter.

    Args:
        text: the filter; an empty one asks for nothing.
        fields: names of the fields that can be asked.
        undefined: names of fields that OPTIMADE defines and no entry here has.
        warn: told of fields of other providers.

    Raises:
        BadRequest: it cannot be read, is too long or too deep, or names a field that is not known.
        NotImplementedResponse: it uses a part of the language that may be left out, and is.
    """
    if not _SPACE.sub("", text):
        return None
    check_size(text)
    try:
        return cast("Condition", _Reader(text, fields, undefined, warn).transform(_parser().parse(text)))
    except VisitError as error:
        raise error.orig_exc from None
    except LarkError as error:
        raise BadRequest(_misread(text, error)) from None


def check_size(text: str) -> None:
    """Refuse what would take too long to read.

    An open quote is found here, for the library's pattern of a text takes a time exponential in the tabs behind
    one; so are characters that no name has and that a database may refuse.

    Raises:
        BadRequest: the filter is too long or too deep, a text in it has no end, or has control characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(f"the filter has {len(text)} characters, at most {MAX_CHARACTERS} are read; ask in parts")
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            if not character.isprintable():
                raise BadRequest(f"a text in the filter holds the control character {character!r}; leave it out")
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
            continue
        quoted = character == '"'
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth > MAX_DEPTH:
            raise BadRequest(f"the filter opens more than {MAX_DEPTH} brackets at a time; write it flatter")
    if quoted:
        raise BadRequest("a text in the filter has no end; close it with a double quote")


class _Name(str):
    """Name of a field, to be told from a text."""

    __slots__ = ()


class _Reader(Transformer[Token, Any]):
    """Turns the tree of a filter into conditions, from its leaves up."""

    def __init__(
        self, text: str, fields: Collection[str], undefined: Collection[str], warn: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._text = text
        self._fields = fields
        self._undefined = undefined
        self._warn = warn

    def filter(self, parts: list[Condition]) -> Condition:
        """Take the one expression a filter has; the grammar allows several."""
        if len(parts) != 1:
            raise BadRequest("the filter holds expressions without AND or OR between them; join them")
        return parts[0]

    def expression(self, parts: list[Condition]) -> Condition:
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def expression_clause(self, parts: list[Condition]) -> Condition:
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def expression_phrase(self, parts: list[Any]) -> Condition:
        condition = cast("Condition", parts[-1])
        return Not(condition) if len(parts) == 2 else condition

    @v_args(inline=True)
    def comparison(self, condition: Condition) -> Condition:
        return condition

    @v_args(inline=True)
    def property_first_comparison(self, name: _Name, ask: Callable[[str], Condition]) -> Condition:
        return self._asked(name, ask)

    @v_args(inline=True)
    def constant_first_comparison(self, constant: Value, operator: Token, name: Any) -> Condition:
        if not isinstance(name, _Name):
            raise NotImplementedResponse(f"{constant!r} is compared with {name!r}; one side must be a field")
        return self._asked(name, _comparing(_REVERSED[operator], constant))

    @v_args(inline=True)
    def value_op_rhs(self, operator: Token, value: Any) -> Callable[[str], Condition]:
        return _comparing(str(operator), _constant(value))

    def known_op_rhs(self, parts: list[Token]) -> Callable[[str], Condition]:
        return lambda name: Known(name, parts[-1].type == "KNOWN")

    def fuzzy_string_op_rhs(self, parts: list[Any]) -> Callable[[str], Condition]:
        place = {"CONTAINS": Place.ANYWHERE, "STARTS": Place.START, "ENDS": Place.END}[parts[0].type]
        text = _constant(parts[-1])
        if not isinstance(text, str):
            raise NotImplementedResponse(f"{place.value} looks for a text, got {text!r}; put it in double quotes")
        return lambda name: Match(name, place, text)

    def set_op_rhs(self, parts: list[Any]) -> Callable[[str], Condition]:
        _, *words, values = parts
        values = values if isinstance(values, tuple) else (_constant(values),)
        word = words[0].type if words else "ALL"
        if word == "OPERATOR":
            _refuse_operator(words[0])
            word = "ALL"
        holding = Holding[word]
        return lambda name: Has(name, holding, values)

    def length_op_rhs(self, parts: list[Any]) -> Callable[[str], Condition]:
        operator = cast("Operator", str(parts[1]) if len(parts) == 3 else "=")
        return lambda name: Length(name, operator, parts[-1])

    def set_zip_op_rhs(self, _: list[Any]) -> Callable[[str], Condition]:
        raise NotImplementedResponse(
            "lists cannot be asked side by side, as in elements:elements_ratios; ask each"
        )

    def property_zip_addon(self, _: list[Any]) -> None:
        """Left to :meth:`set_zip_op_rhs`, as the next two are."""

    def value_zip(self, _: list[Any]) -> None:
        """Left to :meth:`set_zip_op_rhs`."""

    def value_zip_list(self, _: list[Any]) -> None:
        """Left to :meth:`set_zip_op_rhs`."""

    def value_list(self, parts: list[Any]) -> tuple[Value, ...]:
        for part in parts:
            if isinstance(part, Token):
                _refuse_operator(part)
        return tuple(_constant(part) for part in parts if not isinstance(part, Token))

    @v_args(inline=True)
    def value(self, value: Any) -> Any:
        return value

    @v_args(inline=True)
    def constant(self, value: Any) -> Any:
        return value

    @v_args(inline=True)
    def non_string_value(self, value: Any) -> Any:
        return value

    @v_args(inline=True)
    def not_implemented_string(self, text: str) -> Any:
        raise NotImplementedResponse(f"a constant is compared with the text {text!r}; one side must be a field")

    def property(self, parts: list[Token]) -> _Name:
        return _Name(".".join(parts))

    @v_args(inline=True)
    def string(self, token: Token) -> str:
        return re.sub(r"\\(.)", r"\1", token[1:-1])

    @v_args(inline=True)
    def number(self, token: Token) -> int | float:
        return int(token) if token.type == "SIGNED_INT" else float(token)

    @v_args(inline=True)
    def signed_int(self, token: Token) -> int:
        return int(token)

    @v_args(meta=True)
    def bool(self, meta: Meta, _: list[Any]) -> builtins.bool:
        """Look the word up in the text, for the grammar drops it from the tree."""
        return self._text[meta.start_pos : meta.end_pos] == "TRUE"

    def _asked(self, name: _Name, ask: Callable[[str], Condition]) -> Condition:
        condition = ask(name)
        if self._knows(name):
            return condition
        return Foreign(condition.known if isinstance(condition, Known) else None)

    def _knows(self, name: _Name) -> builtins.bool:
        """Tell a field of hstore or OPTIMADE from one of another provider, of which a warning tells.

        Raises:
            BadRequest: the name is none of these.
            NotImplementedResponse: it is a part of a field that can be asked as a whole only.
        """
        if name in self._fields:
            return True
        first = name.partition(".")[0]
        if name in self._undefined:
            return False
        if first != name and (first in self._fields or first in self._undefined or f"{first}.id" in self._fields):
            raise NotImplementedResponse(f"{name!r} is a part of {first!r} and cannot be asked")
        if is_foreign(first):
            self._warn(f"the field {name!r} is of another provider; no entry here has it")
            return False
        raise BadRequest(f"there is no field {name!r}; /info lists those there are")


def _comparing(operator: str, value: Value) -> Callable[[str], Condition]:
    return lambda name: Compare(name, cast("Operator", operator), value)


def _constant(value: Any) -> Value:
    if isinstance(value, _Name):
        raise NotImplementedResponse(f"a field is compared with the field {value!r}; compare with a constant")
    return cast("Value", value)


def _refuse_operator(operator: Token) -> None:
    if operator != "=":
        raise NotImplementedResponse(f"items of a list cannot be compared by {str(operator)!r}; name the values")


def _misread(text: str, error: LarkError) -> str:
    position = getattr(error, "pos_in_stream", None) if isinstance(error, UnexpectedInput) else None
    if position is None or not 0 <= position < len(text):
        return "the filter ends too early or cannot be read; see the filter language of OPTIMADE"
    return (
        f"the filter cannot be read at character {position + 1}, {text[position : position + 20]!r}; "
        "see the filter language of OPTIMADE"
    )


@cache
def _parser() -> Lark:
    with AVAILABLE_PARSERS[max(AVAILABLE_PARSERS)]["default"].open(encoding="utf-8") as grammar:
        return Lark(grammar, parser="lalr", maybe_placeholders=False, propagate_positions=True)
