"""Runs the migrations: on the connection that `migrate` hands over, or into a script.

PostgreSQL gets the script, since its driver here is asynchronous alone; so a migration must not
read rows in Python. Either way `migrate` opens and ends the transaction.
"""

from alembic import context

from signalfleet.adapters.sql.schema import metadata

if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        target_metadata=metadata,
        literal_binds=True,
        transactional_ddl=False,
    )
    context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
