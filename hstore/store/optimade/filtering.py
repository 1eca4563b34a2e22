"""Conditions as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, false, or_, true

from hstore.errors import InputError
from hstore.store.optimade.conditions import And, Compare, Foreign, Has, Known, Length, Match, Not, Or
from hstore.store.optimade.fields import Asking, Clause, Field, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstore.records import Scope
    from hstore.store.optimade.conditions import Condition

MAX_JOINED = 6
"""Questions to tables beside the entries that a database may answer by joins.

Of more, each is asked of every entry: PostgreSQL takes gigabytes to plan a hundred joins.
"""

MAX_BESIDE = 30
"""Most questions of a condition to tables beside the entries."""

Question = Compare | Match | Has | Length | Known


def where(condition: Condition | None, fields: Mapping[str, Field], scope: Scope) -> Clause:
    """Return the clause of entries that meet a condition; all constants are bound parameters.

    Args:
        condition: None for all entries.
        fields: of the entries, by name; the condition names no other.
        scope: in whose name; numbers it does not see are not there.

    Raises:
        UnsupportedFilterError: a field cannot be asked like that.
        InputError: a constant cannot be read, or there are too many questions.
    """
    if condition is None:
        return true()
    beside = sum(fields[question.field].is_beside for question in _questions(condition))
    if beside > MAX_BESIDE:
        raise InputError(
            f"the filter asks {beside} questions of sites, formulas, references or values; at most {MAX_BESIDE} "
            "are answered at a time, ask in parts"
        )
    return _truth(condition, fields, Asking(scope, by_row=beside > MAX_JOINED)).true


def _questions(condition: Condition) -> Iterator[Question]:
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _questions(part)
        case Not(part):
            yield from _questions(part)
        case Foreign():
            return
        case _:
            yield condition


def _truth(condition: Condition, fields: Mapping[str, Field], asking: Asking) -> Truth:
    match condition:
        case And(parts) | Or(parts):
            truths = [_truth(part, fields, asking) for part in parts]
            all_true, any_true = and_(*(t.true for t in truths)), or_(*(t.true for t in truths))
            all_false, any_false = and_(*(t.false for t in truths)), or_(*(t.false for t in truths))
            return Truth(all_true, any_false) if isinstance(condition, And) else Truth(any_true, all_false)
        case Not(part):
            inner = _truth(part, fields, asking)
            return Truth(inner.false, inner.true)
        case Foreign(None):
            return Truth(false(), false())
        case Foreign(known):
            return Truth(false(), true()) if known else Truth(true(), false())
        case _:
            return _asked(condition, fields[condition.field], asking)


def _asked(condition: Question, field: Field, asking: Asking) -> Truth:
    match condition:
        case Compare(_, operator, value):
            return field.compare(operator, value, asking)
        case Match(_, place, text):
            return field.match(place, text, asking)
        case Has(_, holding, values):
            return field.has(holding, values, asking)
        case Length(_, operator, value):
            return field.length(operator, value, asking)
        case Known(_, known):
            clauses = field.known(asking)
            return clauses if known else Truth(clauses.false, clauses.true)
