"""Statements of searches: built once for each shape of a question, its values bound when it is asked.

To build a statement costs several times what it takes to run it, and questions of one shape come again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Double,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from hstore.store.numbers import KINDS, MAX_NAME, element_masks, other_elements
from hstore.store.queries import visible
from hstore.store.schema import MaterialElementRow, MaterialIndexRow, MaterialNumberRow, MaterialRow, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.records import Scope
    from hstore.store.search import NumberRange, Position, Wanted

End = Literal["none", "closed", "open"]
"""Whether a range ends, and whether the end itself is in it."""

Walk = Literal["materials", "element", "few", "composition", "number", "gathered"]
"""What is walked: all materials, those of an element, the few that keep some bounds, compositions, the values of a
number, or the values of a number of few materials."""

RANK = {kind: rank for rank, kind in enumerate(KINDS)}
"""Kinds of numbers, the lowest counts first."""

_SHAPES = 2000
_SETS = ("elements", "elements_any", "exclude_elements", "only_elements")
_REPEATED = ("family", "known", "n_elements_min", "n_elements_max", *_SETS)
_ALONE = ("chemical_system", "composition", "source", "has_structure", "text")


@dataclass(frozen=True)
class Viewer:
    """In whose name a statement runs, as parameters where a scope has values; see :func:`visible`."""

    everything: bool
    """True for the operator's own tools."""
    lab_id: Any
    """Parameter of the lab; None for readers without one."""
    today: Any
    """Parameter of the day."""


@dataclass(frozen=True)
class RangeShape:
    """Which bounds a range has."""

    kind: bool
    """Whether it names a kind."""
    low: End
    """Its lower end."""
    high: End
    """Its upper end."""


@dataclass(frozen=True)
class Shape:
    """All of a question but its values."""

    everything: bool
    """Whether the scope sees everything."""
    lab: bool
    """Whether the scope has a lab."""
    filters: tuple[str, ...]
    """Filters on the material itself, by the names they have in :class:`Wanted`."""
    ranges: tuple[RangeShape, ...]
    """Bounds of numbers; the one that orders may come behind those that are to be kept."""
    kept: int
    """How many of the ranges are to be kept."""

    @property
    def viewer(self) -> Viewer:
        """In whose name it is asked."""
        lab = bindparam("lab_id", type_=String()) if self.lab else None
        return Viewer(self.everything, lab, bindparam("today", type_=Date()))


@dataclass(frozen=True)
class Plan:
    """How a question is answered: slow or fast, the answer is the same."""

    walk: Walk
    """What is walked."""
    few: int = -1
    """Place of the range which few numbers keep."""
    by: int = -1
    """Place of the range whose values order."""
    base: Walk = "materials"
    """How the materials are found whose values are gathered."""


def shape_of(wanted: Wanted, ranges: tuple[NumberRange, ...], scope: Scope) -> Shape:
    """Return the shape of a question.

    Args:
        wanted: which materials.
        ranges: those of the question and, where it is not among them, the one that orders.
        scope: in whose name.
    """
    filters = [name for name in (*_REPEATED, *_ALONE) if getattr(wanted, name) not in {None, ()}]
    shapes = tuple(map(_range_shape, ranges))
    return Shape(scope.everything, scope.lab_id is not None, tuple(filters), shapes, len(wanted.ranges))


def values_of(wanted: Wanted, ranges: tuple[NumberRange, ...], scope: Scope) -> dict[str, Any]:
    """Return the values that go with :func:`shape_of`."""
    values: dict[str, Any] = {"lab_id": scope.lab_id, "today": scope.today}
    values |= {name: getattr(wanted, name) for name in (*_REPEATED, *_ALONE) if name not in _SETS}
    values["family"] = None if wanted.family is None else wanted.family.value
    values["source"] = None if wanted.source is None else wanted.source[:MAX_NAME]
    values["text"] = None if wanted.text is None else _containing(wanted.text)
    for name in _SETS:
        masks = other_elements if name == "only_elements" else element_masks
        values[f"{name}_low"], values[f"{name}_high"] = masks(getattr(wanted, name))
    for place, found in enumerate(ranges):
        values |= {f"{part}_{place}": getattr(found, part) for part in ("name", "kind", "low", "high")}
    return values


@lru_cache(maxsize=_SHAPES)
def ordered(shape: Shape, plan: Plan, *, descending: bool, after: bool) -> Select[Any]:
    """Return the statement that finds ``most`` identifiers in order, and behind each the value it is ordered by.

    Args:
        shape: of the question.
        plan: how it is answered.
        descending: from the end.
        after: whether to begin behind a position, ``after_value`` and ``after_id``.
    """
    statement = found(shape, plan)
    columns = list(statement.selected_columns)[::-1]  # the value in front of the identifier
    if plan.walk == "gathered":
        columns[0] = _shifted(MaterialNumberRow.value)
    if after:
        last = [bindparam("after_value", type_=columns[0].type), bindparam("after_id", type_=String())]
        position = columns[0] if len(columns) == 1 else tuple_(*columns)
        bound = last[-1] if len(columns) == 1 else tuple_(*last)
        statement = statement.where(position < bound if descending else position > bound)
    statement = statement.order_by(*(column.desc() if descending else column for column in columns))
    return statement.limit(bindparam("most", type_=BigInteger()))


@lru_cache(maxsize=_SHAPES)
def licences_counted(shape: Shape, plan: Plan, *, descending: bool, after: bool) -> Select[Any]:
    """Return the statement that counts the licences of what :func:`ordered` finds."""
    chosen = ordered(shape, plan, descending=descending, after=after).subquery()
    licence = MaterialRow.provenance["licence"].as_string()
    return (
        select(licence, func.count())
        .join(chosen, chosen.c.material_id == MaterialRow.material_id)
        .where(visible(MaterialRow, shape.viewer))
        .group_by(licence)
    )


def position_values(after: Position | None) -> dict[str, Any]:
    """Return the values of a position."""
    return {} if after is None else {"after_value": after[0], "after_id": after[1]}


@lru_cache(maxsize=_SHAPES)
def counted(shape: Shape, plan: Plan) -> Select[int]:
    """Return the statement that counts what would be found, up to ``most``."""
    return _count(found(shape, plan))


@lru_cache(maxsize=_SHAPES)
def range_counted(shape: Shape, place: int) -> Select[int]:
    """Return the statement that counts the numbers within a range, up to ``most``."""
    within = _in_range(shape, place, MaterialNumberRow, MaterialNumberRow.value)
    return _count(select(MaterialNumberRow.material_id).where(within))


@lru_cache(maxsize=1)
def element_counted() -> Select[int]:
    """Return the statement that counts the materials of the element ``element``, up to ``most``."""
    row = MaterialElementRow
    return _count(select(row.material_id).where(row.element == bindparam("element", type_=String())))


@lru_cache(maxsize=_SHAPES)
def rows_of(columns: tuple[str, ...], *, everything: bool, lab: bool) -> Select[Any]:
    """Return the statement that reads columns of the materials ``names``."""
    viewer = Shape(everything, lab, (), (), 0).viewer
    chosen = MaterialRow.material_id.in_(bindparam("names", expanding=True))
    wanted = [getattr(MaterialRow, name) for name in columns]
    return select(MaterialRow.material_id, *wanted).where(chosen, visible(MaterialRow, viewer))


@lru_cache(maxsize=_SHAPES)
def numbers_of(shape: Shape) -> Select[Any]:
    """Return the statement that reads the numbers of the materials ``names`` within the ranges of a shape."""
    row = MaterialNumberRow
    chosen = row.material_id.in_(bindparam("names", expanding=True))
    within = or_(*(_lookup(shape, place, row) for place in range(len(shape.ranges))))
    columns: list[Any] = [row.material_id, row.name, row.value, row.kind]
    return select(*columns).where(chosen, within)


def found(shape: Shape, plan: Plan) -> Select[Any]:
    """Return the statement that finds identifiers, and behind each the value it is ordered by, in any order."""
    if plan.walk == "number":
        return _by_number(shape, plan.by)
    if plan.walk == "gathered":
        return _gathered(shape, plan)
    row = MaterialIndexRow
    if plan.walk == "element":
        return _by_element(shape)
    columns = (row.material_id, row.composition) if plan.walk == "composition" else (row.material_id,)
    filters = (visible(row, shape.viewer), *_filters(shape, row, _REPEATED), *_filters(shape, row, _ALONE))
    statement = select(*columns).where(*filters, *_kept(shape, row.material_id, but=plan.few))
    if plan.walk != "few":
        return statement
    within = _in_range(shape, plan.few, MaterialNumberRow, MaterialNumberRow.value)
    return statement.where(row.material_id.in_(select(MaterialNumberRow.material_id).where(within)))


def _range_shape(found: NumberRange) -> RangeShape:
    low: End = "none" if found.low is None else "open" if found.low_open else "closed"
    high: End = "none" if found.high is None else "open" if found.high_open else "closed"
    return RangeShape(found.kind is not None, low, high)


def _containing(text: str) -> str:
    escaped = text.lower().replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"%{escaped}%"


def _count(statement: Select[Any]) -> Select[int]:
    few = statement.limit(bindparam("most", type_=BigInteger())).subquery()
    return select(func.count()).select_from(few)


def _filters(shape: Shape, row: Any, names: tuple[str, ...]) -> Iterator[ColumnElement[bool]]:
    """Yield the clauses of some filters on the material, where they are asked for."""
    for name in names:
        if name in shape.filters:
            yield from _of_elements(name, row) if name in _SETS else (_filter(name, row),)


def _filter(name: str, row: Any) -> ColumnElement[bool]:
    if name == "text":
        return row.words.like(bindparam(name, type_=String()), escape="/")  # type: ignore[no-any-return] # any row
    column = row.n_elements if name.startswith("n_elements") else getattr(row, name)
    value = bindparam(name, type_=column.type)
    clause: ColumnElement[bool] = column == value
    if name == "n_elements_min":
        clause = column >= value
    elif name == "n_elements_max":
        clause = column <= value
    return clause


def _of_elements(name: str, row: Any) -> Iterator[ColumnElement[bool]]:
    bits = (row.elements_low, row.elements_high)
    masks = [bindparam(f"{name}_{part}", type_=BigInteger()) for part in ("low", "high")]
    shared = [(column.bitwise_and(mask), mask) for column, mask in zip(bits, masks, strict=True)]
    if name == "elements_any":
        yield or_(*(both != 0 for both, _ in shared))
    else:
        yield from (both == (mask if name == "elements" else 0) for both, mask in shared)


def _fits(shape: Shape, key: Any) -> ColumnElement[bool]:
    """Return the clause that a material may be seen and passes the filters that are not repeated elsewhere."""
    row = MaterialIndexRow
    alone = (visible(row, shape.viewer), *_filters(shape, row, _ALONE))
    return select(literal(1)).where(row.material_id == key, *alone).exists()


def _kept(shape: Shape, key: Any, *, but: int = -1) -> Iterator[ColumnElement[bool]]:
    """Yield the clauses that some number of the material keeps each range."""
    for place in range(shape.kept):
        if place != but:
            number = table_of(MaterialNumberRow).alias()
            yield select(literal(1)).where(number.c.material_id == key, _lookup(shape, place, number.c)).exists()


def _in_range(shape: Shape, place: int, number: Any, value: Any) -> ColumnElement[bool]:
    """Return the WHERE clause for the numbers within a range that may be seen."""
    bounds = shape.ranges[place]
    low: ColumnElement[float] = bindparam(f"low_{place}", type_=Double())
    high: ColumnElement[float] = bindparam(f"high_{place}", type_=Double())
    parts: list[ColumnElement[bool]] = [
        number.name == bindparam(f"name_{place}", type_=String()),
        visible(number, shape.viewer),
    ]
    if bounds.kind:
        parts.append(number.kind == bindparam(f"kind_{place}", type_=String()))
    if bounds.low != "none":
        parts.append(value > low if bounds.low == "open" else value >= low)
    if bounds.high != "none":
        parts.append(value < high if bounds.high == "open" else value <= high)
    return and_(*parts)


def _lookup(shape: Shape, place: int, number: Any) -> ColumnElement[bool]:
    """Return the same clause for numbers that are looked up by material."""
    return _in_range(shape, place, number, _shifted(number.value))


def _shifted(value: Any) -> Any:
    """Return a value as no index has it, or SQLite would walk all values in order for each material."""
    return value + 0.0


def _by_element(shape: Shape) -> Select[Any]:
    row = MaterialElementRow
    of_element = (row.element == bindparam("element", type_=String()), visible(row, shape.viewer))
    lookups = [_fits(shape, row.material_id)] if set(_ALONE) & set(shape.filters) else []
    statement = select(row.material_id).where(*of_element, *_filters(shape, row, _REPEATED))
    return statement.where(*lookups, *_kept(shape, row.material_id))


def _by_number(shape: Shape, place: int) -> Select[Any]:
    row = MaterialNumberRow
    within = (_in_range(shape, place, row, row.value), *_filters(shape, row, _REPEATED))
    lookups = (*_kept(shape, row.material_id, but=place), _fits(shape, row.material_id), ~_better(shape, place))
    columns: list[Any] = [row.material_id, row.value]
    return select(*columns).where(*within, *lookups)


def _gathered(shape: Shape, plan: Plan) -> Select[Any]:
    row = MaterialNumberRow
    few = found(shape, Plan(plan.base, few=plan.few))
    counts = (_lookup(shape, plan.by, row), ~_better(shape, plan.by))
    return select(row.material_id, _shifted(row.value).label("value")).where(row.material_id.in_(few), *counts)


def _better(shape: Shape, place: int) -> ColumnElement[bool]:
    """Return the clause that another value of the same number counts before this one."""
    row, other = MaterialNumberRow, table_of(MaterialNumberRow).alias()
    this, that = (case(RANK, value=column) for column in (row.kind, other.c.kind))
    greater = or_(other.c.value > row.value, and_(other.c.value == row.value, other.c.origin < row.origin))
    before = or_(that < this, and_(that == this, greater))
    same = (other.c.material_id == row.material_id, _lookup(shape, place, other.c))
    return select(literal(1)).where(*same, before).exists()
