"""Run by Alembic. Only `gateway.store.migrate` starts it, with a connection that already acts as the owner."""

from alembic import context

from gateway.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    compare_type=True,
    compare_server_default=False,  # PostgreSQL prints a default's cast its own way
)
with context.begin_transaction():
    context.run_migrations()
