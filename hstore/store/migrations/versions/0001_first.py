"""Materials, measurements, predictions and screens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


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


def property_value() -> tuple[sa.Column[Any], ...]:
    """Columns of one property value."""
    return (
        sa.Column("property", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("standard_deviation", sa.Double()),
        sa.Column("lower", sa.Double()),
        sa.Column("upper", sa.Double()),
        sa.Column("temperature_k", sa.Double()),
        sa.Column("pressure_bar", sa.Double()),
        sa.Column("charge_pressure_bar", sa.Double()),
        sa.Column("charge_temperature_k", sa.Double()),
        sa.Column("discharge_pressure_bar", sa.Double()),
        sa.Column("discharge_temperature_k", sa.Double()),
        sa.Column("capacity_definition", sa.String()),
        sa.Column("mass_basis", sa.String()),
        sa.Column("uptake_kind", sa.String()),
        sa.Column("provenance", sa.JSON(), nullable=False),
    )


def index(table: str, *columns: str) -> None:
    """Make an index named after its columns."""
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def index_access(table: str) -> None:
    """Make the index of who may see a row."""
    op.create_index(op.f(f"ix_{table}_access"), table, ("lab_id", "visibility", "embargo_until"))


def upgrade() -> None:
    make_materials()
    make_measurements()
    make_predictions()
    make_screens()


def make_materials() -> None:
    """Make materials and the index of their elements."""
    op.create_table(
        "materials",
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("formula", sa.String(), nullable=False),
        sa.Column("composition", sa.String(), nullable=False),
        sa.Column("chemical_system", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("structure", sa.JSON()),
        sa.Column("descriptors", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        *access("materials"),
        sa.PrimaryKeyConstraint("material_id", name=op.f("pk_materials")),
    )
    index_access("materials")
    index("materials", "family", "material_id")
    index("materials", "chemical_system", "material_id")
    index("materials", "composition", "material_id")
    op.create_table(
        "material_elements",
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["material_id"],
            ["materials.material_id"],
            name=op.f("fk_material_elements_material_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("element", "material_id", name=op.f("pk_material_elements")),
    )
    index("material_elements", "material_id")


def make_measurements() -> None:
    """Make measurements, corrections included."""
    op.create_table(
        "measurements",
        sa.Column("measurement_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("measured_on", sa.Date()),
        sa.Column("replaces", KEY),
        *property_value(),
        *access("measurements"),
        sa.ForeignKeyConstraint(
            ["material_id"], ["materials.material_id"], name=op.f("fk_measurements_material_id")
        ),
        sa.ForeignKeyConstraint(
            ["replaces"], ["measurements.measurement_id"], name=op.f("fk_measurements_replaces")
        ),
        sa.PrimaryKeyConstraint("measurement_id", name=op.f("pk_measurements")),
        sa.UniqueConstraint("replaces", name=op.f("uq_measurements_replaces")),
    )
    index_access("measurements")
    index("measurements", "material_id", "measurement_id")
    index("measurements", "property", "measurement_id")


def make_predictions() -> None:
    """Make predictions."""
    op.create_table(
        "predictions",
        sa.Column("prediction_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.Column("model_id", KEY, nullable=False),
        sa.Column("in_domain", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        *property_value(),
        *access("predictions"),
        sa.ForeignKeyConstraint(
            ["material_id"], ["materials.material_id"], name=op.f("fk_predictions_material_id")
        ),
        sa.PrimaryKeyConstraint("prediction_id", name=op.f("pk_predictions")),
    )
    index_access("predictions")
    index("predictions", "material_id", "prediction_id")
    index("predictions", "property", "material_id", "prediction_id")
    index("predictions", "model_id", "material_id", "prediction_id")


def make_screens() -> None:
    """Make screens."""
    op.create_table(
        "screens",
        sa.Column("screen_id", KEY, nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_candidates", sa.BigInteger(), nullable=False),
        sa.Column("n_rejected", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("top", sa.JSON(), nullable=False),
        *access("screens"),
        sa.PrimaryKeyConstraint("screen_id", name=op.f("pk_screens")),
    )
    index_access("screens")
    index("screens", "created_at")
    index("screens", "target", "created_at")


def downgrade() -> None:
    for table in ("screens", "predictions", "measurements", "material_elements", "materials"):
        op.drop_table(table)
