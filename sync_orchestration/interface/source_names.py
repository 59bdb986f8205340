"""Under which names of sources the rows of a sync stand."""

from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from sync_orchestration.interface.queries import query


def only_other_source(conn: Connection[Any], sync: str, source_system: str) -> str | None:
    """Return another name under which rows of the sync stand, where none stands under this one; otherwise None."""
    params = {"sync": sync, "source_system": source_system}
    with conn.cursor(row_factory=scalar_row) as cur:
        found = cur.execute(query("only_other_source"), params).fetchone()
    return None if found is None else str(found)
