"""The fields of outside systems as they were seen last."""

from importlib import resources

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run ``schema_0004.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0004.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
