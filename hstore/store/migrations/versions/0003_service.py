"""Keys, audit, idempotent answers, jobs, workers, isotherms, and the numbers materials are sought by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
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
        "audit",
        sa.Column("entry_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("key_id", KEY),
        sa.Column("lab_id", KEY),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
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
        sa.Column("executor_id", sa.String(), nullable=False),
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
        "workers",
        sa.Column("executor_id", KEY, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("heartbeat_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name=op.f("pk_workers")),
    )
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
        "material_numbers",
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("lab_id", KEY),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("embargo_until", sa.Date()),
        sa.CheckConstraint(
            "visibility = 'public' OR (visibility = 'lab' AND lab_id IS NOT NULL)",
            name=op.f("ck_material_numbers_lab_records_name_their_lab"),
        ),
        sa.ForeignKeyConstraint(
            ["material_id"],
            ["materials.material_id"],
            name=op.f("fk_material_numbers_material_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number_id", name=op.f("pk_material_numbers")),
    )
    op.create_index(op.f("ix_material_numbers_material_id_name"), "material_numbers", ["material_id", "name"])
    op.create_index(
        op.f("ix_material_numbers_name_value_material_id"), "material_numbers", ["name", "value", "material_id"]
    )


def downgrade() -> None:
    op.drop_table("material_numbers")
    op.drop_table("key_usage")
    op.drop_table("job_events")
    op.drop_table("isotherms")
    op.drop_table("workers")
    op.drop_table("jobs")
    op.drop_table("idempotency")
    op.drop_table("audit")
    op.drop_table("api_keys")
