"""When a row came in doubt, and about what."""

from importlib import resources

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run ``schema_0006.sql``."""
    sql = resources.files("sync_orchestration.interface").joinpath("sql/schema_0006.sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)
