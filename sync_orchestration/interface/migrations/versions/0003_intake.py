"""Versions of pushed records, hints that wake a sync."""

from importlib import resources

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run ``schema_0003.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0003.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
