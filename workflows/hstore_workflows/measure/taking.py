"""Take rows of measurements from a lab: each gets a verdict, and what is told twice is written once.

Rows are read apart from the database and written a thousand at a time, each thousand in one transaction with its
entry in the audit log. A crash leaves whole thousands; telling the same rows again writes what is missing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from hstore.errors import InputError
from hstore.formula import parse_formula
from hstore.properties import get_property
from hstore.records import Kind, Measurement, PropertyValue, Provenance
from hstore.store.lab_records import RecordStateError, lock_lab, open_materials
from hstore.store.measured import KnownValue
from hstore_workflows.measure.cells import text_cells
from hstore_workflows.measure.comparing import MOST_COMPARED, comparable, difference_note, differing, expected
from hstore_workflows.measure.identity import check_access, held_record, is_opened, record_id
from hstore_workflows.measure.materials import Materials
from hstore_workflows.measure.plausible import beyond_composition, doubt, unusual
from hstore_workflows.measure.readings import Reading
from hstore_workflows.measure.rows import RowReader, Unusable, Value
from hstore_workflows.measure.verdicts import Taken, Verdict
from hstore_workflows.sources.mp_records import NON_METALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from hstore.records import Access, Material, Scope
    from hstore.store import Store
    from hstore.store.lab_records import Author, Held
    from hstore.store.measured import StoredMeasurement
    from hstore_workflows.measure.materials import Found

CHUNK_ROWS = 1000
"""Rows written in one transaction."""

_Known: TypeAlias = "dict[tuple[str, str], deque[KnownValue]]"
_CAPACITY = "h2_capacity_wt_pct"
_PREFIX = "m"


def take(
    store: Store, rows: Iterable[Mapping[str, Any]], *, access: Access, author: Author, scope: Scope
) -> Taken:
    """Take rows of measurements; a bad one does not stop the others.

    Args:
        store: the result store.
        rows: any number, as in a table: see :data:`hstore_workflows.measure.rows.WORDS`.
        access: of what is written; its lab owns it.
        author: who tells them, of the same lab.
        scope: what that lab may see.

    Returns:
        A verdict on each value.

    Raises:
        InputError: the access names no lab, or an embargo that has ended.
    """
    check_access(access)
    reader, verdicts = RowReader(), list[Verdict]()
    numbered = enumerate(rows, 1)
    while chunk := list(islice(numbered, CHUNK_ROWS)):
        told = [value for place, row in chunk for value in reader.read(place, text_cells(row))]
        with store.database.transaction("measurements") as connection:
            verdicts += Chunk(store, connection, access, author, scope).take(told)
    return Taken(tuple(verdicts), reader.ignored)


@dataclass
class Chunk:
    """Judges values that are written together; values of before and among them are compared with each other."""

    store: Store
    connection: Connection
    access: Access
    author: Author
    scope: Scope
    measurements: dict[str, Measurement] = field(default_factory=dict)
    materials: dict[str, Material] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    known: _Known = field(default_factory=lambda: defaultdict(partial(deque, maxlen=MOST_COMPARED)))
    predicted: _Known = field(default_factory=lambda: defaultdict(partial(deque, maxlen=MOST_COMPARED)))

    def take(self, told: Sequence[Value | Unusable]) -> list[Verdict]:
        """Judge values and write those that can be used."""
        lock_lab(self.connection, self.author.lab_id)
        usable = [value for value in told if isinstance(value, Value)]
        subjects = [value.subject for value in usable]
        materials = Materials.look_up(self.store, subjects, access=self.access, scope=self.scope)
        found = [_placed(value, materials, self.access, None) for value in told]
        placed = [one for one in found if isinstance(one, _Placed)]
        self.look_around(placed)
        names = [one.measurement.measurement_id for one in placed]
        stored = {s.measurement.measurement_id: s for s in self.store.measured.some(names, scope=self.scope)}
        verdicts = [self.verdict(one, stored) if isinstance(one, _Placed) else one for one in found]
        self.write("measurements.create", verdicts)
        return verdicts

    def correct(self, told: Value, original: StoredMeasurement) -> Verdict:
        """Judge a value that is to take the place of another, and write it.

        Raises:
            InputError: its material cannot be found, or it says the same.
            RecordStateError: the other was corrected to something else.
        """
        materials = Materials.look_up(self.store, [told.subject], access=self.access, scope=self.scope)
        old = original.measurement
        one = _placed(told, materials, self.access, old.measurement_id)
        if isinstance(one, Verdict):
            raise InputError(one.cause)
        if original.state.corrected_by == one.measurement.measurement_id:
            return one.verdict("duplicate", "it was corrected so before")
        if original.state.corrected_by is not None:
            raise RecordStateError(
                f"{old.measurement_id!r} was corrected by {original.state.corrected_by!r}; correct that one"
            )
        if _content(old) | {"replaces": None} == _said(one.measurement, old):
            raise InputError("the correction says what is stored; change a cell, such as value")
        self.look_around([one])
        key = (one.found.composition, told.property)
        others = [known for known in self.known[key] if known.record_id != old.measurement_id]
        self.known[key] = deque(others, maxlen=MOST_COMPARED)
        verdict = self.verdict(one, {})
        self.write("measurements.correct", [verdict])
        return verdict

    def look_around(self, placed: Sequence[_Placed]) -> None:
        """Read what is known of the same compositions and properties."""
        compositions = {one.found.composition for one in placed}
        properties = {one.value.property for one in placed}
        measured, predicted = self.store.measured.known_values(compositions, properties, scope=self.scope)
        for held, values in ((self.known, measured), (self.predicted, predicted)):
            for known in values:
                held[known.composition, known.property].append(known)

    def verdict(self, one: _Placed, stored: Mapping[str, StoredMeasurement]) -> Verdict:
        """Judge a value that has its material, and keep what is to be written."""
        name = one.measurement.measurement_id
        if name in stored:
            return one.duplicate(stored[name].measurement, _became(stored[name]))
        if name in self.measurements or name in self.held:
            before = self.measurements.get(name) or Measurement.model_validate(self.held[name].record)
            return one.duplicate(before, "the same row stands above; tell a repetition with a row_id of its own")
        key = (one.found.composition, one.value.property)
        alike = [k for k in self.known[key] if comparable(k, one.value.conditions, one.value.basis)]
        if not one.value.subject.confirmed and (cause := self._doubt(one, alike)):
            self.held[name] = held_record(self.store.measured, one.measurement, one.found.fresh, cause)
            return one.verdict("held", f"{cause}; confirm it, or tell the right value")
        self.measurements[name] = one.measurement
        if one.found.fresh is not None:
            self.materials.setdefault(one.found.material_id, one.found.fresh)
        new = Reading(one.value.value, one.value.standard_deviation, self.author.lab_id, one.value.subject.place)
        note = difference_note(get_property(one.value.property).unit, differing(new, alike))
        self.known[key].append(one.known(self.author.lab_id))
        return one.verdict("stored", notes=(note,) if note else ())

    def write(self, action: str, verdicts: Sequence[Verdict]) -> None:
        """Write what was kept, with its entry in the audit log."""
        names = [*self.measurements, *self.held]
        if not names:
            return
        records, lab = self.store.measured, self.author.lab_id
        records.put(self.connection, list(self.measurements.values()), list(self.materials.values()))
        records.discard(self.connection, lab, names)
        records.hold(self.connection, self.author, self.held.values())
        if is_opened(self.access):
            used = {measurement.material_id for measurement in self.measurements.values()}
            open_materials(self.connection, lab, used, self.access.embargo_until)
        self.store.audit.add(
            action,
            names,
            key_id=self.author.key_id,
            lab_id=lab,
            request_id=self.author.request_id,
            detail=Taken(tuple(verdicts)).counts,
        )

    def _doubt(self, one: _Placed, alike: Sequence[KnownValue]) -> str:
        value = one.value
        if cause := unusual(value.property, value.value):
            return cause
        if value.property == _CAPACITY:
            parsed = value.subject.parsed or parse_formula(one.found.composition)
            metallic = not NON_METALS & set(parsed.amounts)
            if cause := beyond_composition(value.value, value.basis, parsed.amounts, metallic=metallic):
                return cause
        key = (one.found.composition, value.property)
        predicted = [k for k in self.predicted[key] if _same_state(k, value)]
        return doubt(value.property, value.value, expected(alike, predicted))


@dataclass(frozen=True)
class _Placed:
    """A value with its material, as it will be written."""

    value: Value
    found: Found
    measurement: Measurement

    def verdict(self, word: str, cause: str = "", notes: tuple[str, ...] = ()) -> Verdict:
        """Return a verdict on it."""
        return Verdict(
            row=self.value.subject.place,
            verdict=word,
            record_id=self.measurement.measurement_id,
            material=self.value.subject.named,
            material_id=self.found.material_id,
            property=self.value.property,
            value=self.value.value,
            cause=cause,
            notes=(*self.value.notes, *self.found.notes, *notes),
        )

    def duplicate(self, before: Measurement, cause: str) -> Verdict:
        """Return the verdict where the row was told before; another content under its row_id is refused."""
        if _content(before) == _content(self.measurement):
            return self.verdict("duplicate", cause)
        row_id = self.measurement.value.provenance.row_id
        return self.verdict(
            "rejected",
            f"row_id {row_id!r} was told before with other content; correct {before.measurement_id!r}, or give "
            "this row another row_id",
        )

    def known(self, lab_id: str) -> KnownValue:
        """Return it as a value to compare later ones with."""
        value = self.measurement.value
        return KnownValue(
            self.found.composition,
            value.property,
            self.measurement.measurement_id,
            self.found.material_id,
            lab_id,
            value.value,
            value.standard_deviation,
            None,
            None,
            value.conditions,
            value.basis,
        )


def _placed(
    told: Value | Unusable, materials: Materials, access: Access, replaces: str | None
) -> _Placed | Verdict:
    """Find the material of a value and build its record, or say why that cannot be done."""
    if isinstance(told, Unusable):
        return Verdict(told.place, "rejected", material=told.named, property=told.property, cause=told.cause)
    try:
        found = materials.of(told.subject)
        return _Placed(told, found, _record(told, found.material_id, access, replaces))
    except ValueError as error:  # InputError, or what a record refuses at construction
        place, named = told.subject.place, told.subject.named
        return Verdict(place, "rejected", material=named, property=told.property, cause=_plain(error))


def _record(told: Value, material_id: str, access: Access, replaces: str | None) -> Measurement:
    value = PropertyValue(
        property=told.property,
        value=told.value,
        kind=Kind.MEASURED,
        standard_deviation=told.standard_deviation,
        conditions=told.conditions,
        basis=told.basis,
        provenance=Provenance(source=f"lab {access.lab_id}", **told.subject.words),
    )
    measured_on, row_id = told.subject.measured_on, told.subject.words.get("row_id")
    content = [material_id, value.model_dump(mode="json"), str(measured_on or "")]
    identity = ["row", row_id, told.property] if row_id else ["content", *content]
    if replaces is not None:
        identity = ["correction", replaces, *content]
    return Measurement(
        measurement_id=record_id(_PREFIX, str(access.lab_id), *identity),
        material_id=material_id,
        value=value,
        measured_on=measured_on,
        replaces=replaces,
        access=access,
    )


def _content(measurement: Measurement) -> dict[str, Any]:
    return measurement.model_dump(mode="json", exclude={"access", "measurement_id"})


def _said(measurement: Measurement, old: Measurement) -> dict[str, Any]:
    """Return what a correction says, with the name that its row had."""
    said = _content(measurement)
    said["replaces"] = None
    said["value"]["provenance"]["row_id"] = old.value.provenance.row_id
    return said


def _became(stored: StoredMeasurement) -> str:
    """Say what became of a row that was told before."""
    if stored.state.retracted_at is not None:
        day = stored.state.retracted_at.date()
        return f"it was told before and retracted on {day}; give a row_id to tell it anew"
    if stored.state.corrected_by is not None:
        return f"it was told before and corrected by {stored.state.corrected_by!r}"
    return "it was told before; tell a repetition with a row_id of its own"


def _same_state(known: KnownValue, value: Value) -> bool:
    """Tell whether a prediction is of the state of a value; predictions do not state definitions."""
    return comparable(known, value.conditions, known.basis) and all(
        getattr(known.conditions, name) is not None for name in get_property(value.property).conditions
    )


def _plain(error: ValueError) -> str:
    """Return the message of an error on one line."""
    return " ".join(str(error).split()) if not isinstance(error, InputError) else str(error)
