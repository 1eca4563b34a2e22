"""Tables of the result store, as typed SQLAlchemy classes.

What queries filter on is a column; the rest is JSON. Text that orders pages uses code-point order in both
databases (SQLite's default; collation ``C`` in PostgreSQL), so pages look the same in both.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, kept in UTC; SQLite has no time zones of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> datetime | None:
        """Convert to UTC before writing."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> datetime | None:
        """Read back as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


KEY = String().with_variant(String(collation="C"), "postgresql")
"""Text compared by code point in both databases."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: String(),
        float: Double(),
        int: BigInteger(),
        date: Date(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
        dict[str, float]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        list[list[float]]: JSON(none_as_null=True),
    }


def table_of(row: type[Base]) -> Table:
    """Return the table behind a row class."""
    return cast("Table", row.__table__)


class AccessColumns:
    """Whose a row is and who may see it; part of every table of records."""

    lab_id: Mapped[str | None] = mapped_column(KEY)
    visibility: Mapped[str] = mapped_column()
    embargo_until: Mapped[date | None] = mapped_column()


def _access_check() -> CheckConstraint:
    return CheckConstraint(
        "visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)", name="lab_records_name_their_lab"
    )


def _access_rules(table: str) -> tuple[CheckConstraint, Index]:
    """Constraint and index of the access columns.

    One index with ``lab_id`` in front, not three: given one index for each side of the OR in a scope, SQLite
    joins them and then sorts the whole table again for every page.
    """
    return (
        _access_check(),
        Index(f"ix_{table}_access", "lab_id", "visibility", "embargo_until"),
    )


class LabColumns(AccessColumns):
    """When a record of a lab was told and taken back; besides these and its access a row is never changed."""

    recorded_at: Mapped[datetime | None] = mapped_column()
    retracted_at: Mapped[datetime | None] = mapped_column()


class ValueColumns:
    """One property value with conditions (K, bar), definitions and origin."""

    property: Mapped[str] = mapped_column()
    value: Mapped[float] = mapped_column()
    unit: Mapped[str] = mapped_column()
    kind: Mapped[str] = mapped_column()
    standard_deviation: Mapped[float | None] = mapped_column()
    lower: Mapped[float | None] = mapped_column()
    upper: Mapped[float | None] = mapped_column()
    temperature_k: Mapped[float | None] = mapped_column()
    pressure_bar: Mapped[float | None] = mapped_column()
    charge_pressure_bar: Mapped[float | None] = mapped_column()
    charge_temperature_k: Mapped[float | None] = mapped_column()
    discharge_pressure_bar: Mapped[float | None] = mapped_column()
    discharge_temperature_k: Mapped[float | None] = mapped_column()
    capacity_definition: Mapped[str | None] = mapped_column()
    mass_basis: Mapped[str | None] = mapped_column()
    uptake_kind: Mapped[str | None] = mapped_column()
    provenance: Mapped[dict[str, Any]] = mapped_column()


class FilterColumns(AccessColumns):
    """What most filters ask of a material, repeated wherever materials are walked, so that none is looked up.

    Elements are bits of two numbers, in the order of the periodic table: 60 in the low one, the others in the
    high one.
    """

    family: Mapped[str] = mapped_column(KEY)
    known: Mapped[bool] = mapped_column()
    n_elements: Mapped[int] = mapped_column()
    elements_low: Mapped[int] = mapped_column()
    elements_high: Mapped[int] = mapped_column()


class MaterialRow(AccessColumns, Base):
    """A candidate material."""

    __tablename__ = "materials"
    __table_args__ = (
        *_access_rules("materials"),
        Index(None, "family", "material_id"),
        Index(None, "chemical_system", "material_id"),
        Index(None, "composition", "material_id"),
    )

    material_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    formula: Mapped[str] = mapped_column()
    composition: Mapped[str] = mapped_column()
    chemical_system: Mapped[str] = mapped_column()
    family: Mapped[str] = mapped_column()
    known: Mapped[bool] = mapped_column()
    name: Mapped[str] = mapped_column()
    reason: Mapped[str] = mapped_column()
    structure: Mapped[dict[str, Any] | None] = mapped_column()
    descriptors: Mapped[dict[str, float]] = mapped_column()
    provenance: Mapped[dict[str, Any]] = mapped_column()
    merged: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'"))


class MergedMaterialRow(Base):
    """Identifiers of merged records; an index for look-up, reached only through a scoped query of materials."""

    __tablename__ = "merged_materials"

    merged_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True, index=True
    )


class MaterialElementRow(FilterColumns, Base):
    """Elements of each material; an index of ``materials``, written in the transaction that writes those."""

    __tablename__ = "material_elements"
    __table_args__ = (_access_check(), {"sqlite_with_rowid": False})

    element: Mapped[str] = mapped_column(primary_key=True)
    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True, index=True
    )


class MeasurementRow(LabColumns, ValueColumns, Base):
    """A measured value; a correction is a new row that names the one it replaces."""

    __tablename__ = "measurements"
    __table_args__ = (
        *_access_rules("measurements"),
        Index(None, "material_id", "measurement_id"),
        Index(None, "property", "measurement_id"),
        UniqueConstraint("replaces"),
    )

    measurement_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    material_id: Mapped[str] = mapped_column(KEY, ForeignKey("materials.material_id"))
    measured_on: Mapped[date | None] = mapped_column()
    replaces: Mapped[str | None] = mapped_column(KEY, ForeignKey("measurements.measurement_id"))


class PredictionRow(AccessColumns, ValueColumns, Base):
    """A model's answer; one row for each material, property, model, conditions, definitions and owner."""

    __tablename__ = "predictions"
    __table_args__ = (
        *_access_rules("predictions"),
        Index(None, "material_id", "prediction_id"),
        Index(None, "property", "material_id", "prediction_id"),
        Index(None, "model_id", "material_id", "prediction_id"),
    )

    prediction_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    material_id: Mapped[str] = mapped_column(KEY, ForeignKey("materials.material_id"))
    model_id: Mapped[str] = mapped_column(KEY)
    in_domain: Mapped[bool] = mapped_column()
    reason: Mapped[str] = mapped_column()


class ScreenRow(AccessColumns, Base):
    """A finished screening run."""

    __tablename__ = "screens"
    __table_args__ = (*_access_rules("screens"), Index(None, "target", "created_at"))

    screen_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    target: Mapped[str] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(index=True)
    n_candidates: Mapped[int] = mapped_column()
    n_rejected: Mapped[int] = mapped_column()
    manifest: Mapped[dict[str, Any]] = mapped_column()
    top: Mapped[list[dict[str, Any]]] = mapped_column()


class MaterialIndexRow(FilterColumns, Base):
    """What filters ask of a material, apart from its long columns; an index of ``materials``.

    ``words`` is formula and name in lower case, for texts sought in them.
    """

    __tablename__ = "material_index"
    __table_args__ = (
        _access_check(),
        Index(None, "family", "material_id"),
        Index(None, "chemical_system", "material_id"),
        Index(None, "composition", "material_id"),
        Index(None, "source", "material_id"),
        {"sqlite_with_rowid": False},
    )

    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True
    )
    has_structure: Mapped[bool] = mapped_column()
    source: Mapped[str] = mapped_column(KEY)
    chemical_system: Mapped[str] = mapped_column(KEY)
    composition: Mapped[str] = mapped_column(KEY)
    formula: Mapped[str] = mapped_column()
    name: Mapped[str] = mapped_column()
    words: Mapped[str] = mapped_column()


class MaterialNumberRow(FilterColumns, Base):
    """Numbers of each material by name, for filters and orders: descriptors, measurements and predictions.

    An index of the other tables, written in the transaction that writes those. ``origin`` is the measurement or
    the prediction, and empty for descriptors.
    """

    __tablename__ = "material_numbers"
    __table_args__ = (
        _access_check(),
        Index(
            "ix_material_numbers_walk",
            "name", "value", "material_id", "family", "known", "n_elements", "elements_low", "elements_high",
            "visibility", "embargo_until", "lab_id", "kind", "origin",
        ),
        {"sqlite_with_rowid": False},
    )  # fmt: skip

    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column(KEY, primary_key=True)
    origin: Mapped[str] = mapped_column(KEY, primary_key=True)
    value: Mapped[float] = mapped_column()


class MaterialOptimadeRow(Base):
    """What OPTIMADE asks of a material; an index for queries, reached only through a scoped one of materials."""

    __tablename__ = "material_optimade"
    __table_args__ = (
        Index(None, "chemical_formula_reduced", "material_id"),
        Index(None, "chemical_formula_anonymous", "material_id"),
        {"sqlite_with_rowid": False},
    )

    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True
    )
    chemical_formula_descriptive: Mapped[str] = mapped_column(KEY)
    chemical_formula_reduced: Mapped[str] = mapped_column(KEY)
    chemical_formula_hill: Mapped[str | None] = mapped_column(KEY)
    chemical_formula_anonymous: Mapped[str | None] = mapped_column(KEY)
    nsites: Mapped[int | None] = mapped_column()
    disorder: Mapped[bool] = mapped_column()
    implicit_atoms: Mapped[bool] = mapped_column()
    last_modified: Mapped[datetime] = mapped_column()
    content_hash: Mapped[str] = mapped_column()


class PublicationRow(Base):
    """A work that materials refer to; seen by who sees one of those materials."""

    __tablename__ = "publications"

    reference_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    doi: Mapped[str] = mapped_column(KEY)


class MaterialPublicationRow(Base):
    """Which works a material refers to; reached only through a scoped query of materials."""

    __tablename__ = "material_publications"
    __table_args__ = (Index(None, "reference_id", "material_id"), {"sqlite_with_rowid": False})

    material_id: Mapped[str] = mapped_column(
        KEY, ForeignKey("materials.material_id", ondelete="CASCADE"), primary_key=True
    )
    reference_id: Mapped[str] = mapped_column(KEY, ForeignKey("publications.reference_id"), primary_key=True)


class IsothermRow(LabColumns, Base):
    """A measured isotherm; a correction is a new row that names the one it replaces."""

    __tablename__ = "isotherms"
    __table_args__ = (
        *_access_rules("isotherms"),
        Index(None, "material_id", "isotherm_id"),
        UniqueConstraint("replaces"),
    )

    isotherm_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    material_id: Mapped[str] = mapped_column(KEY, ForeignKey("materials.material_id"))
    temperature_k: Mapped[float] = mapped_column()
    uptake_kind: Mapped[str] = mapped_column()
    mass_basis: Mapped[str] = mapped_column()
    branch: Mapped[str] = mapped_column()
    points: Mapped[list[list[float]]] = mapped_column()
    measured_on: Mapped[date | None] = mapped_column()
    provenance: Mapped[dict[str, Any]] = mapped_column()
    replaces: Mapped[str | None] = mapped_column(KEY, ForeignKey("isotherms.isotherm_id"))


class HeldRecordRow(Base):
    """A measurement or an isotherm that can hardly be true and waits until its lab confirms it."""

    __tablename__ = "held_records"
    __table_args__ = (Index(None, "lab_id", "record_id"),)

    record_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    lab_id: Mapped[str] = mapped_column(KEY)
    what: Mapped[str] = mapped_column()
    held_at: Mapped[datetime] = mapped_column()
    cause: Mapped[str] = mapped_column()
    record: Mapped[dict[str, Any]] = mapped_column()
    material: Mapped[dict[str, Any] | None] = mapped_column()


class RecordEventRow(Base):
    """What happened to a record of a lab after it was told; reached only through a scoped query of that record."""

    __tablename__ = "record_events"
    __table_args__ = (Index(None, "record_id", "event_id"),)

    event_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    record_id: Mapped[str] = mapped_column(KEY)
    at: Mapped[datetime] = mapped_column()
    action: Mapped[str] = mapped_column()
    key_id: Mapped[str | None] = mapped_column(KEY)
    detail: Mapped[dict[str, Any]] = mapped_column()


class ApiKeyRow(Base):
    """A key to the service; the key itself is shown once and only its hash is kept."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column()
    lab_id: Mapped[str | None] = mapped_column(KEY, index=True)
    permissions: Mapped[list[str]] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime | None] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()
    requests_per_minute: Mapped[int | None] = mapped_column()
    predictions_per_day: Mapped[int | None] = mapped_column()
    concurrent_jobs: Mapped[int | None] = mapped_column()


class KeyUsageRow(Base):
    """How much of a daily quota a key has used."""

    __tablename__ = "key_usage"

    key_id: Mapped[str] = mapped_column(KEY, ForeignKey("api_keys.key_id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column()


class IdempotencyRow(Base):
    """The answer to a write that named an idempotency key, given again when it is repeated."""

    __tablename__ = "idempotency"

    caller: Mapped[str] = mapped_column(KEY, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(KEY, primary_key=True)
    request_hash: Mapped[str] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int] = mapped_column()
    answer: Mapped[dict[str, Any]] = mapped_column()


class AuditRow(Base):
    """One write through a door of hstore: who, when, what."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "lab_id", "entry_id"),)

    entry_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    key_id: Mapped[str | None] = mapped_column(KEY)
    lab_id: Mapped[str | None] = mapped_column(KEY)
    action: Mapped[str] = mapped_column()
    subjects: Mapped[list[str]] = mapped_column()
    request_id: Mapped[str] = mapped_column(KEY)
    detail: Mapped[dict[str, Any]] = mapped_column()


class JobRow(AccessColumns, Base):
    """A job: what was asked, by whom, and how far it is; the worker's own journal makes it durable."""

    __tablename__ = "jobs"
    __table_args__ = (*_access_rules("jobs"), Index(None, "state", "created_at"))

    job_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column()
    parameters: Mapped[dict[str, Any]] = mapped_column()
    state: Mapped[str] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    started_at: Mapped[datetime | None] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()
    key_id: Mapped[str | None] = mapped_column(KEY)
    progress: Mapped[float] = mapped_column()
    step: Mapped[str] = mapped_column()
    result: Mapped[dict[str, Any] | None] = mapped_column()
    error: Mapped[str] = mapped_column()
    attempts: Mapped[int] = mapped_column()
    cancel_requested: Mapped[bool] = mapped_column()
    executor_id: Mapped[str] = mapped_column(KEY)


class JobEventRow(Base):
    """One line of the log of a job; reached only through a scoped query of jobs."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(KEY, ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column()
    level: Mapped[str] = mapped_column()
    message: Mapped[str] = mapped_column()
    progress: Mapped[float | None] = mapped_column()


class WorkerRow(Base):
    """A worker process and when it was last alive."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(KEY, primary_key=True)
    host: Mapped[str] = mapped_column()
    pid: Mapped[int] = mapped_column()
    started_at: Mapped[datetime] = mapped_column()
    heartbeat_at: Mapped[datetime] = mapped_column()
