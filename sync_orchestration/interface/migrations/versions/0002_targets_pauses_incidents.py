"""Columns for targets that cannot be read in batches, pauses of servers, incidents."""

from importlib import resources

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run ``schema_0002.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0002.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
