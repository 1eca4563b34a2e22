"""Keys, audit, idempotent answers, jobs, workers, isotherms, and the numbers materials are sought by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from hstore.store.numbers import rebuild
from hstore.store.optimade.index import rebuild as rebuild_optimade

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    make_access_tables()
    make_job_tables()
    make_isotherms()
    make_lab_tables()
    make_search_tables()


def make_access_tables() -> None:
    """Make what keys, their quotas, the audit log and repeated writes need."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", KEY, nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lab_id", KEY),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("requests_per_minute", sa.BigInteger()),
        sa.Column("predictions_per_day", sa.BigInteger()),
        sa.Column("concurrent_jobs", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_lab_id"), "api_keys", ["lab_id"])
    op.create_table(
        "key_usage",
        sa.Column("key_id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.key_id"], name=op.f("fk_key_usage_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_id", "day", "what", name=op.f("pk_key_usage")),
    )
    op.create_table(
        "audit",
        sa.Column("entry_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("key_id", KEY),
        sa.Column("lab_id", KEY),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("request_id", KEY, nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_index(op.f("ix_audit_lab_id_entry_id"), "audit", ["lab_id", "entry_id"])
    op.create_table(
        "idempotency",
        sa.Column("caller", KEY, nullable=False),
        sa.Column("idempotency_key", KEY, nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "idempotency_key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"])


def make_job_tables() -> None:
    """Make jobs, their logs and their workers."""
    op.create_table(
        "jobs",
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("key_id", KEY),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("executor_id", KEY, nullable=False),
        sa.Column("lab_id", KEY),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("embargo_until", sa.Date()),
        sa.CheckConstraint(
            "visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)",
            name=op.f("ck_jobs_lab_records_name_their_lab"),
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_access", "jobs", ["lab_id", "visibility", "embargo_until"])
    op.create_index(op.f("ix_jobs_state_created_at"), "jobs", ["state", "created_at"])
    op.create_table(
        "job_events",
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("progress", sa.Double()),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.job_id"], name=op.f("fk_job_events_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "sequence", name=op.f("pk_job_events")),
    )
    op.create_table(
        "workers",
        sa.Column("executor_id", KEY, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("heartbeat_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name=op.f("pk_workers")),
    )


def make_isotherms() -> None:
    """Make the isotherms of labs."""
    op.create_table(
        "isotherms",
        sa.Column("isotherm_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("temperature_k", sa.Double(), nullable=False),
        sa.Column("uptake_kind", sa.String(), nullable=False),
        sa.Column("mass_basis", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("measured_on", sa.Date()),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("replaces", KEY),
        sa.Column("lab_id", KEY),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("embargo_until", sa.Date()),
        sa.CheckConstraint(
            "visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)",
            name=op.f("ck_isotherms_lab_records_name_their_lab"),
        ),
        sa.ForeignKeyConstraint(["material_id"], ["materials.material_id"], name=op.f("fk_isotherms_material_id")),
        sa.ForeignKeyConstraint(["replaces"], ["isotherms.isotherm_id"], name=op.f("fk_isotherms_replaces")),
        sa.PrimaryKeyConstraint("isotherm_id", name=op.f("pk_isotherms")),
        sa.UniqueConstraint("replaces", name=op.f("uq_isotherms_replaces")),
    )
    op.create_index("ix_isotherms_access", "isotherms", ["lab_id", "visibility", "embargo_until"])
    op.create_index(op.f("ix_isotherms_material_id_isotherm_id"), "isotherms", ["material_id", "isotherm_id"])


def make_lab_tables() -> None:
    """Make what belongs to measurements and isotherms of labs."""
    for table in ("measurements", "isotherms"):
        op.add_column(table, sa.Column("recorded_at", INSTANT))
        op.add_column(table, sa.Column("retracted_at", INSTANT))
    op.create_table(
        "held_records",
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("lab_id", KEY, nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("held_at", INSTANT, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("material", sa.JSON()),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_held_records")),
    )
    index("held_records", "lab_id", "record_id")
    op.create_table(
        "record_events",
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("key_id", KEY),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_record_events")),
    )
    index("record_events", "record_id", "event_id")


def make_search_tables() -> None:
    """Make what materials are sought by, and fill it from the records there are."""
    make_elements(*filters("material_elements"), with_rowid=False)
    op.create_table(
        "material_index",
        sa.Column("material_id", KEY, nullable=False),
        *filters("material_index"),
        sa.Column("has_structure", sa.Boolean(), nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("chemical_system", KEY, nullable=False),
        sa.Column("composition", KEY, nullable=False),
        sa.Column("formula", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        material_key("material_index"),
        sa.PrimaryKeyConstraint("material_id", name=op.f("pk_material_index")),
        sqlite_with_rowid=False,
    )
    for column in ("family", "chemical_system", "composition", "source"):
        index("material_index", column, "material_id")
    op.create_table(
        "material_numbers",
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        *filters("material_numbers"),
        material_key("material_numbers"),
        sa.PrimaryKeyConstraint("material_id", "name", "kind", "origin", name=op.f("pk_material_numbers")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_material_numbers_walk",
        "material_numbers",
        [
            "name", "value", "material_id", "family", "known", "n_elements", "elements_low", "elements_high",
            "visibility", "embargo_until", "lab_id", "kind", "origin",
        ],
    )  # fmt: skip
    rebuild(op.get_bind())
    make_optimade_tables()


def make_optimade_tables() -> None:
    """Make what OPTIMADE asks of materials, and fill it from the records there are."""
    op.create_table(
        "material_optimade",
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("chemical_formula_descriptive", KEY, nullable=False),
        sa.Column("chemical_formula_reduced", KEY, nullable=False),
        sa.Column("chemical_formula_hill", KEY),
        sa.Column("chemical_formula_anonymous", KEY),
        sa.Column("nsites", sa.BigInteger()),
        sa.Column("disorder", sa.Boolean(), nullable=False),
        sa.Column("implicit_atoms", sa.Boolean(), nullable=False),
        sa.Column("last_modified", INSTANT, nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        material_key("material_optimade"),
        sa.PrimaryKeyConstraint("material_id", name=op.f("pk_material_optimade")),
        sqlite_with_rowid=False,
    )
    for column in ("chemical_formula_reduced", "chemical_formula_anonymous"):
        index("material_optimade", column, "material_id")
    op.create_table(
        "publications",
        sa.Column("reference_id", KEY, nullable=False),
        sa.Column("doi", KEY, nullable=False),
        sa.PrimaryKeyConstraint("reference_id", name=op.f("pk_publications")),
    )
    op.create_table(
        "material_publications",
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("reference_id", KEY, nullable=False),
        material_key("material_publications"),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["publications.reference_id"], name=op.f("fk_material_publications_reference_id")
        ),
        sa.PrimaryKeyConstraint("material_id", "reference_id", name=op.f("pk_material_publications")),
        sqlite_with_rowid=False,
    )
    index("material_publications", "reference_id", "material_id")
    rebuild_optimade(op.get_bind())


def access(table: str) -> tuple[sa.Column[Any] | sa.CheckConstraint, ...]:
    """Columns of who may see a row."""
    return (
        sa.Column("lab_id", KEY),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("embargo_until", sa.Date()),
        sa.CheckConstraint(
            "visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)",
            name=op.f(f"ck_{table}_lab_records_name_their_lab"),
        ),
    )


def filters(table: str) -> tuple[sa.Column[Any] | sa.CheckConstraint, ...]:
    """Columns of what most filters ask of a material."""
    return (
        *access(table),
        sa.Column("family", KEY, nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("n_elements", sa.BigInteger(), nullable=False),
        sa.Column("elements_low", sa.BigInteger(), nullable=False),
        sa.Column("elements_high", sa.BigInteger(), nullable=False),
    )


def make_elements(*columns: sa.Column[Any] | sa.CheckConstraint, with_rowid: bool) -> None:
    """Make the elements of materials, with what filters ask of these."""
    op.drop_table("material_elements")
    op.create_table(
        "material_elements",
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        *columns,
        material_key("material_elements"),
        sa.PrimaryKeyConstraint("element", "material_id", name=op.f("pk_material_elements")),
        sqlite_with_rowid=with_rowid,
    )
    index("material_elements", "material_id")


def plain_elements() -> None:
    """Make the elements of materials as they were before, with nothing beside."""
    table = sa.table("material_elements", sa.column("element"), sa.column("material_id"))
    held = [dict(row) for row in op.get_bind().execute(sa.select(table)).mappings()]
    make_elements(with_rowid=True)
    op.bulk_insert(table, held)


def material_key(table: str) -> sa.ForeignKeyConstraint:
    """Refer to a material; what is kept of it goes when it goes."""
    name = op.f(f"fk_{table}_material_id")
    return sa.ForeignKeyConstraint(["material_id"], ["materials.material_id"], name=name, ondelete="CASCADE")


def index(table: str, *columns: str) -> None:
    """Make an index named after its columns."""
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def downgrade() -> None:
    op.drop_table("material_publications")
    op.drop_table("publications")
    op.drop_table("material_optimade")
    op.drop_table("material_numbers")
    op.drop_table("material_index")
    plain_elements()
    op.drop_table("record_events")
    op.drop_table("held_records")
    for column in ("recorded_at", "retracted_at"):
        op.drop_column("measurements", column)
    op.drop_table("key_usage")
    op.drop_table("job_events")
    op.drop_table("isotherms")
    op.drop_table("workers")
    op.drop_table("jobs")
    op.drop_table("idempotency")
    op.drop_table("audit")
    op.drop_table("api_keys")
