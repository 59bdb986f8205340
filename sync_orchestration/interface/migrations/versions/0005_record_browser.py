"""Indexes and words by which people find any row, and their words among the attempts."""

from importlib import resources

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run ``schema_0005.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0005.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
