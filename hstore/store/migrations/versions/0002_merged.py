"""Records merged into others, and the index that finds the kept record by their identifiers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("materials", sa.Column("merged", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    op.create_table(
        "merged_materials",
        sa.Column("merged_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["material_id"],
            ["materials.material_id"],
            name=op.f("fk_merged_materials_material_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("merged_id", "material_id", name=op.f("pk_merged_materials")),
    )
    op.create_index(op.f("ix_merged_materials_material_id"), "merged_materials", ("material_id",))


def downgrade() -> None:
    op.drop_table("merged_materials")
    op.drop_column("materials", "merged")
