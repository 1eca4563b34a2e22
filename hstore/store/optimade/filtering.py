"""Conditions as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, false, not_, or_, true

from hstore.store.optimade.conditions import And, Compare, Foreign, Has, Known, Length, Match, Not, Or
from hstore.store.optimade.fields import Clause, Field, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Scope
    from hstore.store.optimade.conditions import Condition


def where(condition: Condition | None, fields: Mapping[str, Field], scope: Scope) -> Clause:
    """Return the clause of entries that meet a condition; all constants are bound parameters.

    Args:
        condition: None for all entries.
        fields: of the entries, by name; the condition names no other.
        scope: in whose name; numbers it does not see are not there.

    Raises:
        UnsupportedFilterError: a field cannot be asked like that.
        InputError: a constant cannot be read.
    """
    return true() if condition is None else _truth(condition, fields, scope).true


def _truth(condition: Condition, fields: Mapping[str, Field], scope: Scope) -> Truth:
    match condition:
        case And(parts) | Or(parts):
            truths = [_truth(part, fields, scope) for part in parts]
            all_true, any_true = and_(*(t.true for t in truths)), or_(*(t.true for t in truths))
            all_false, any_false = and_(*(t.false for t in truths)), or_(*(t.false for t in truths))
            return Truth(all_true, any_false) if isinstance(condition, And) else Truth(any_true, all_false)
        case Not(part):
            inner = _truth(part, fields, scope)
            return Truth(inner.false, inner.true)
        case Foreign(None):
            return Truth(false(), false())
        case Foreign(known):
            return Truth(false(), true()) if known else Truth(true(), false())
        case _:
            return _asked(condition, fields[condition.field], scope)


def _asked(condition: Compare | Match | Has | Length | Known, field: Field, scope: Scope) -> Truth:
    match condition:
        case Compare(_, operator, value):
            return field.compare(operator, value, scope)
        case Match(_, place, text):
            return field.match(place, text, scope)
        case Has(_, holding, values):
            return field.has(holding, values, scope)
        case Length(_, operator, value):
            return field.length(operator, value, scope)
        case Known(_, known):
            clause = field.known(scope)
            return Truth(clause, not_(clause)) if known else Truth(not_(clause), clause)
