"""Run the steps on the connection that Alembic was given, inside its transaction."""

from __future__ import annotations

from alembic import context

from web.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
