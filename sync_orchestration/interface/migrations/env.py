"""Alembic's entry: runs the migrations on the connection that `migrate.migrate` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, **context.config.attributes["version_table"])
with context.begin_transaction():
    context.run_migrations()
connection.commit()
