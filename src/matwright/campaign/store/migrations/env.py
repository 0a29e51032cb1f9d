"""Run by alembic: migrate on the connection, and in the transaction, that the store holds open."""

from __future__ import annotations

from alembic import context

from matwright.campaign.store.migrate import VERSION_TABLE
from matwright.campaign.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
