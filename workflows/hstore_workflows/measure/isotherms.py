"""Take isotherms from a lab: units to bar and wt%, order and size checked, each with a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from hstore.errors import InputError, unknown_name
from hstore.formula import ParsedFormula, parse_formula
from hstore.records import Branch, MeasuredIsotherm, Provenance
from hstore.store.lab_records import lock_lab, open_materials
from hstore_workflows.measure.identity import check_access, held_record, is_opened, record_id
from hstore_workflows.measure.isotherm_units import basis_of, pressure_scale, uptake_scale
from hstore_workflows.measure.materials import Materials
from hstore_workflows.measure.rows import Unusable
from hstore_workflows.measure.verdicts import Taken, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import Connection

    from hstore.records import Access, Material, Scope
    from hstore.store import Store
    from hstore.store.isotherms import StoredIsotherm
    from hstore.store.lab_records import Author, Held
    from hstore_workflows.measure.materials import Found

LEAST_POINTS, MOST_POINTS = 3, 5000
"""Points of an isotherm."""

_PREFIX = "i"
_MOST_WT_PCT = 25.0
_LEAST_WT_PCT = -2.0
_MOST_BAR = 1e7
_BRANCHES = tuple(branch.value for branch in Branch)
_SHOWN = 80


@dataclass(frozen=True)
class ToldIsotherm:
    """An isotherm as a lab tells it."""

    points: Sequence[Sequence[float]]
    """Pressure and uptake of each point, in the units below."""
    temperature_k: float
    """Temperature, K."""
    uptake_kind: str
    """excess, absolute or total."""
    material_id: str = ""
    """Material that the lab may see; empty where there is a formula."""
    formula: str = ""
    """Formula; empty where there is an identifier."""
    pressure_unit: str = "bar"
    """Unit of the pressures."""
    uptake_unit: str = "wt%"
    """Unit of the uptakes."""
    mass_basis: str | None = None
    """Per mass of what; wt% needs it, other units say it."""
    branch: str = "adsorption"
    """adsorption or desorption."""
    measured_on: date | None = None
    """Day of the measurement."""
    sample: str | None = None
    """Sample, in the lab's own words."""
    instrument: str | None = None
    """Instrument, in the lab's own words."""
    note: str | None = None
    """Anything a reader must know."""
    reference: str | None = None
    """DOI, where it is published."""
    licence: str | None = None
    """Licence."""
    row_id: str | None = None
    """The lab's own name for it."""
    confirmed: bool = False
    """True where it is true, however unlikely."""

    @property
    def parsed(self) -> ParsedFormula | None:
        """The formula, read."""
        return parse_formula(self.formula) if self.formula else None


def take_isotherms(
    store: Store, told: Sequence[ToldIsotherm | Unusable], *, access: Access, author: Author, scope: Scope
) -> Taken:
    """Take isotherms; a bad one does not stop the others.

    Args:
        store: the result store.
        told: what the lab tells; all that can be used is written in one transaction.
        access: of what is written; its lab owns it.
        author: who tells them, of the same lab.
        scope: what that lab may see.

    Returns:
        A verdict on each.

    Raises:
        InputError: the access names no lab, or an embargo that has ended.
    """
    check_access(access)
    with store.database.transaction("isotherms") as connection:
        return _Batch(store, connection, access, author, scope).take(told)


class _Batch:
    """Judges isotherms that are written together."""

    def __init__(self, store: Store, connection: Connection, access: Access, author: Author, scope: Scope) -> None:
        self._store, self._connection = store, connection
        self._access, self._author, self._scope = access, author, scope
        self._isotherms: dict[str, MeasuredIsotherm] = {}
        self._materials: dict[str, Material] = {}
        self._held: dict[str, Held] = {}

    def take(self, told: Sequence[ToldIsotherm | Unusable]) -> Taken:
        lock_lab(self._connection, self._author.lab_id)
        readable = [one for one in told if isinstance(one, ToldIsotherm) and _can_be_read(one)]
        materials = Materials.look_up(self._store, readable, access=self._access, scope=self._scope)
        verdicts = tuple(self._verdict(place, one, materials) for place, one in enumerate(told, 1))
        self._write(verdicts)
        return Taken(verdicts)

    def _verdict(self, place: int, told: ToldIsotherm | Unusable, materials: Materials) -> Verdict:
        if isinstance(told, Unusable):
            return Verdict(place, "rejected", material=told.named, cause=told.cause)
        named = (told.material_id or told.formula)[:_SHOWN]
        try:
            isotherm, found, notes = self._record(told, materials)
        except ValueError as error:  # InputError, or what a record refuses at construction
            return Verdict(place, "rejected", material=named, cause=" ".join(str(error).split()))
        name, notes = isotherm.isotherm_id, (*notes, *found.notes)
        said = partial(
            Verdict, row=place, record_id=name, material=named, material_id=found.material_id, notes=notes
        )
        before = self._before(name)
        if before is not None:
            if _content(before) != _content(isotherm):
                cause = f"row_id {told.row_id!r} was told before with other content; give another row_id"
                return Verdict(place, "rejected", material=named, cause=cause)
            return said(verdict="duplicate", cause=self._became(name))
        if not told.confirmed and (cause := _doubt(isotherm)):
            self._held[name] = held_record(self._store.isotherms, isotherm, found.fresh, cause)
            return said(verdict="held", cause=f"{cause}; confirm it, or tell the right points")
        self._isotherms[name] = isotherm
        if found.fresh is not None:
            self._materials.setdefault(found.material_id, found.fresh)
        return said(verdict="stored")

    def _record(self, told: ToldIsotherm, materials: Materials) -> tuple[MeasuredIsotherm, Found, tuple[str, ...]]:
        if not told.material_id and not told.formula:
            raise InputError("names no material; give material_id or formula")
        found = materials.of(told)
        amounts = (told.parsed or parse_formula(found.composition)).amounts
        pressure, uptake = pressure_scale(told.pressure_unit), uptake_scale(told.uptake_unit, amounts)
        if told.branch not in _BRANCHES:
            raise unknown_name("branch", told.branch[:_SHOWN], _BRANCHES)
        points, order = _points(told, pressure.factor, uptake.factor)
        words = ("sample", "instrument", "note", "reference", "licence", "row_id")
        provenance = Provenance(
            source=f"lab {self._access.lab_id}", **{name: getattr(told, name) or None for name in words}
        )
        isotherm = MeasuredIsotherm(
            isotherm_id="-",
            material_id=found.material_id,
            temperature_k=told.temperature_k,
            branch=Branch(told.branch),
            uptake_kind=told.uptake_kind,
            mass_basis=basis_of(uptake, told.mass_basis),
            points=points,
            measured_on=told.measured_on,
            provenance=provenance,
            access=self._access,
        )
        identity = ["row", told.row_id] if told.row_id else ["content", _content(isotherm)]
        name = record_id(_PREFIX, str(self._access.lab_id), *identity)
        notes = tuple(filter(None, (pressure.note, uptake.note, order)))
        return isotherm.model_copy(update={"isotherm_id": name}), found, notes

    def _before(self, name: str) -> MeasuredIsotherm | None:
        if name in self._isotherms:
            return self._isotherms[name]
        if name in self._held:
            return MeasuredIsotherm.model_validate(self._held[name].record)
        stored = self._stored(name)
        return None if stored is None else stored.isotherm

    def _stored(self, name: str) -> StoredIsotherm | None:
        return self._store.isotherms.get(name, scope=self._scope)

    def _became(self, name: str) -> str:
        stored = self._stored(name)
        if stored is not None and stored.state.retracted_at is not None:
            day = stored.state.retracted_at.date()
            return f"it was told before and retracted on {day}; give a row_id to tell it anew"
        return "it was told before; tell a repetition with a row_id of its own"

    def _write(self, verdicts: Sequence[Verdict]) -> None:
        names = [*self._isotherms, *self._held]
        if not names:
            return
        records, lab = self._store.isotherms, self._author.lab_id
        records.put(self._connection, list(self._isotherms.values()), list(self._materials.values()))
        records.discard(self._connection, lab, names)
        records.hold(self._connection, self._author, self._held.values())
        if is_opened(self._access):
            used = {isotherm.material_id for isotherm in self._isotherms.values()}
            open_materials(self._connection, lab, used, self._access.embargo_until)
        self._store.audit.add(
            "isotherms.create",
            names,
            key_id=self._author.key_id,
            lab_id=lab,
            request_id=self._author.request_id,
            detail=Taken(tuple(verdicts)).counts,
        )


def _points(told: ToldIsotherm, bar: float, wt_pct: float) -> tuple[tuple[tuple[float, float], ...], str]:
    """Return the points in canonical units with rising pressures, and a remark where they came in another order.

    Raises:
        InputError: there are too few or too many, a point is no pair of finite numbers, or a pressure is not
            above 0 or stands twice.
    """
    if not LEAST_POINTS <= len(told.points) <= MOST_POINTS:
        raise InputError(f"an isotherm has {LEAST_POINTS} to {MOST_POINTS} points, got {len(told.points)}")
    points = []
    for place, point in enumerate(told.points, 1):
        if len(point) != 2 or not all(map(math.isfinite, point)):
            raise InputError(f"point {place} must be a pressure and an uptake, got {list(point)[:3]}")
        pressure, uptake = point[0] * bar, point[1] * wt_pct
        if not 0 < pressure <= _MOST_BAR:
            raise InputError(
                f"pressures must lie above 0 and at most {_MOST_BAR:g} bar, got {point[0]:g} {told.pressure_unit} "
                f"at point {place}; leave the point at zero pressure out"
            )
        points.append((pressure, uptake))
    ordered = sorted(points)
    for (before, _), (after, _) in pairwise(ordered):
        if before == after:
            raise InputError(
                f"pressure {before:g} bar stands twice; tell adsorption and desorption as two isotherms, and of "
                "repeated points the mean"
            )
    falling = points == ordered[::-1]
    if points == ordered or (falling and told.branch == Branch.DESORPTION):
        return tuple(ordered), ""
    return tuple(ordered), "points put in the order of their pressures"


def _doubt(isotherm: MeasuredIsotherm) -> str:
    """Return why an isotherm can hardly be true; empty where nothing is wrong."""
    uptakes = [uptake for _, uptake in isotherm.points]
    if max(uptakes) > _MOST_WT_PCT:
        return f"uptake {max(uptakes):g} wt% is more than any material has taken up; check uptake_unit"
    if min(uptakes) < _LEAST_WT_PCT:
        return f"uptake {min(uptakes):g} wt% is far below 0; check the zero of the instrument and uptake_unit"
    if isotherm.uptake_kind != "excess" and uptakes[-1] < 0.5 * max(uptakes):
        return (
            f"{isotherm.uptake_kind} uptake falls from {max(uptakes):g} to {uptakes[-1]:g} wt% with pressure; "
            "only an excess uptake does"
        )
    return ""


def _content(isotherm: MeasuredIsotherm) -> dict[str, object]:
    return isotherm.model_dump(mode="json", exclude={"access", "isotherm_id"})


def _can_be_read(told: ToldIsotherm) -> bool:
    """Tell whether an isotherm names a material that can be looked up; others are refused later, with cause."""
    try:
        return bool(told.material_id) or told.parsed is not None
    except InputError:
        return False
