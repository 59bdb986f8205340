"""Keeps the rows of a stand-in in a JSON file, so that a demo's servers can be stopped and started."""

import json
from pathlib import Path

from .database import Database
from .errors import Json


def save(db: Database, path: Path) -> None:
    """Write all rows, replacing the file at once."""
    state: dict[str, Json] = {
        "tables": {
            name: {"next_id": table.next_id, "rows": list(table.rows.values())} for name, table in db.tables.items()
        },
        "messages": list(db.messages.values()),
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state), encoding="utf-8")
    temporary.replace(path)


def restore(db: Database, path: Path) -> None:
    """Replace all rows by those of the file."""
    state = json.loads(path.read_text(encoding="utf-8"))
    for name, stored in state["tables"].items():
        table = db.tables[name]
        for row_id in list(table.rows):
            table.put(row_id, None)
        for row in stored["rows"]:
            table.put(row["id"], row)
        table.next_id = stored["next_id"]
    db.messages = {message["id"]: message for message in state["messages"]}
