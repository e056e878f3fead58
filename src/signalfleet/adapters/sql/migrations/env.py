"""Runs the migrations on the connection that `migrate` hands over, in one transaction."""

from alembic import context

from signalfleet.adapters.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
