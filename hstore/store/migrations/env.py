"""Alembic's entry: run the revisions on the connection handed over by ``hstore.store.migration``."""

from __future__ import annotations

from alembic import context

from hstore.store.migration import VERSION_TABLE
from hstore.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    compare_type=True,
    # Other programs (Optuna) may keep tables of their own in the same database.
    include_name=lambda name, kind, _parents: kind != "table" or name in Base.metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
