"""The interface tables, first version."""

from importlib import resources

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run ``schema_0001.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0001.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
