"""Databases as older releases left them: the tables of a version, filled as after some weeks of syncing.

What is filled in grows with the schema: a column or table that a version does not have yet is left out.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from sync_orchestration.mapping.diff import payload_hash

Conn = Connection[Any]
Rows = dict[str, list[dict[str, Any]]]

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DEAD_WORKER = 7
WINDOW = "000000000000"

_SCHEMAS = resources.files("sync_orchestration.interface") / "sql"


def versions() -> list[str]:
    """Every version of the schema, oldest first."""
    names = [file.name for file in _SCHEMAS.iterdir() if file.name.startswith("schema_")]
    return sorted(name.removeprefix("schema_").removesuffix(".sql") for name in names)


def make(conn: Conn, version: str) -> None:
    """Make the tables of a version in an empty database, by the released files alone."""
    for each in versions():
        if each <= version:
            text = (_SCHEMAS / f"schema_{each}.sql").read_text(encoding="utf-8")
            conn.execute(text.encode())
    conn.execute("CREATE TABLE sync.alembic_version (version_num varchar(32) PRIMARY KEY)")
    conn.execute("INSERT INTO sync.alembic_version VALUES (%s)", [version])


def fill(conn: Conn) -> None:
    """Fill every table that there is."""
    for table, rows in _content().items():
        known = _columns(conn, table)
        for row in rows if known else []:
            _insert(conn, table, {name: value for name, value in row.items() if name in known})
    conn.execute("SELECT setval('sync.settling', 1000), setval('sync.worker_number', %s)", [DEAD_WORKER])


def everything(conn: Conn) -> Rows:
    """Return all rows of all tables of the schema, the version left out."""
    tables = conn.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sync' ORDER BY table_name"
    ).fetchall()
    found = {}
    for (table,) in tables:
        if table != "alembic_version":
            text = sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY to_jsonb(t)::text").format(
                sql.Identifier("sync", table)
            )
            found[table] = [row for (row,) in conn.execute(text)]
    return found


def lost(before: Rows, after: Rows) -> list[str]:
    """Return what was there before and is not after: tables, rows, values. New columns are no loss."""
    gone = []
    for table, rows in before.items():
        left = [_text(row, rows[0]) for row in after.get(table, [])] if rows else []
        gone += [f"{table}: {row}" for row in rows if _text(row, rows[0]) not in left]
        if len(left) != len(rows):
            gone.append(f"{table}: {len(rows)} rows became {len(left)}")
    return gone


def _text(row: Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    return json.dumps({name: row.get(name, "(no such column)") for name in columns}, sort_keys=True)


def _columns(conn: Conn, table: str) -> set[str]:
    found = conn.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'sync' AND table_name = %s", [table]
    )
    return {name for (name,) in found}


def _insert(conn: Conn, table: str, row: Mapping[str, Any]) -> None:
    values = [Jsonb(value) if name in _JSON else value for name, value in row.items()]
    text = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("sync", table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
    )
    conn.execute(text, values)


_JSON = {"payload", "external_ids", "bodies", "written"}


def _content() -> Rows:
    return {
        "interface_row": [*_rows()],
        "interface_attempt": [*_attempts()],
        "sync_state": [*_states()],
        "lookup_answer": [
            {"lookup": "kontur/inn", "number": "7707083893", "bodies": [{"ogrn": "1027700132195"}], "asked_at": NOON},
            {"lookup": "kontur/inn", "number": "7700000000", "bodies": [], "asked_at": NOON},
        ],
        "connection_pause": [{"server": "https://flexi.example:5434", "until": NOON}],
        "incident": [*_incidents()],
        "field_seen": [
            {
                "sync": "partners",
                "side": "source",
                "field": "nazev",
                "kind": "text",
                "required": False,
                "readonly": False,
                "share": 0.5,
                "records": 300,
                "config_hash": "c0ffee",
                "seen_at": NOON,
            },
        ],
        "wake": [
            {"kind": "flexi", "name": "flexi", "record_key": "", "number": 3, "received_at": NOON},
            {"kind": "odoo", "name": "odoo_to_rest", "record_key": "41", "number": 4, "received_at": NOON},
        ],
    }


def _row(key: str, status: str, position: int, **more: Any) -> dict[str, Any]:
    payload: Any = {"name": f"Alfa {key} s.r.o.", "dic": "CZ12345679", "tagy": ["a", "b"], "nic": None}
    row = {
        "sync": "partners",
        "source_system": "flexi",
        "record_key": key,
        "entity": "adresar",
        "operation": "update",
        "position": position,
        "partition_key": WINDOW,
        "payload": payload,
        "payload_hash": payload_hash(payload),
        "external_ids": [f"code:{key}"],
        "received_at": NOON,
        "status": status,
        "run_id": "0f0e0d0c",
        **more,
    }
    if row["operation"] == "delete":
        del row["payload"], row["payload_hash"]
    return row


def _rows() -> Iterator[dict[str, Any]]:
    settled = {"target_system": "odoo", "processed_at": NOON, "last_attempt_at": NOON, "attempts": 1}
    failed = {"first_failed_at": NOON, "last_attempt_at": NOON, "attempts": 3, "target_system": "odoo"}
    yield _row("new", "pending", 10, operation="create")
    yield _row("changed", "pending", 11, target_id="311", target_system="odoo")
    yield _row("later", "pending", 12, next_attempt_at=NOON + timedelta(days=36_500))
    yield _row("going", "pending", 13, operation="delete", target_id="313", target_system="odoo")
    yield _row("held", "processing", 14, claimed_by=DEAD_WORKER, claimed_position=14, in_doubt=True)
    yield _row("overtaken", "processing", 15, claimed_by=DEAD_WORKER, claimed_position=None)
    yield _row("done", "processed", 16, target_id="316", settled_version=101, written={"name": "Alfa"}, **settled)
    yield _row("gone", "processed", 17, operation="delete", settled_version=102, **settled)
    yield _row("refused", "failed", 18, error_code="required", error_field="name", error_message="empty", **failed)
    yield _row("passing", "failed", 19, error_code="concurrent_update", next_attempt_at=NOON, **failed)
    yield _row("child", "failed", 20, error_code="waits", awaits="done", **failed)
    yield _row(
        "flood", "failed", 21, operation="delete", target_id="321", error_code="delete_held", delete_confirmed=False
    )
    yield _row("left out", "skipped", 22, error_message="country is empty", settled_version=103, **settled)
    for number in range(300):
        yield _row(f"bulk-{number}", "processed", 100 + number, settled_version=200 + number, target_id=f"9{number}")
    yield _row("C-1", "pending", 1_767_600_000, sync="pushed", source_system="erp", version=5)


def _attempts() -> Iterator[dict[str, Any]]:
    base = {"sync": "partners", "source_system": "flexi", "model": "res.partner", "operation": "update"}
    for number in range(200):
        status = ("success", "error", "skipped")[number % 3]
        more = {"error": "Name is missing", "response_code": 200} if status == "error" else {}
        at = NOON + timedelta(minutes=number)
        yield base | {"record_key": f"bulk-{number}", "started_at": at, "duration_ms": 40, "status": status, **more}


def _states() -> Iterator[dict[str, Any]]:
    yield {"sync": "partners", "last_position": 400, "count_processed": 300, "status": "TRIGGER_WAITING",
           "config_hash": "c0ffee", "fingerprint": "demo/1", "first_window": WINDOW,
           "recent_positions": [398, 399, 400]}  # fmt: skip
    yield {"sync": "baseline", "status": "IN_PROGRESS", "baseline_from": 77, "baseline_after": "bulk-150",
           "baseline_seen": NOON, "first_window": WINDOW, "fingerprint": "demo/2"}  # fmt: skip
    yield {"sync": "sweep", "status": "IN_PROGRESS", "last_position": 4_623, "pass_end": 9_000,
           "processed_position": 4_600, "count_processed": 1_500, "first_window": WINDOW}  # fmt: skip
    yield {"sync": "waiting", "status": "RETRY_WAITING", "last_position": 5, "pass_end": 9, "try_count": 2,
           "next_try": NOON, "error": "Alfresco does not answer."}  # fmt: skip
    yield {"sync": "stopped", "status": "ERROR", "last_position": 5, "try_count": 3, "error": "Flexi refuses the user"}


def _incidents() -> Iterator[dict[str, Any]]:
    base = {"opened_at": NOON, "opened_title": "partners failed", "opened_message": "Flexi does not answer."}
    yield {**base, "subject": "partners", "kind": "run_failure", "opened_accepted": ["a1b2"], "notified_opened": True}
    yield {**base, "subject": "partners", "kind": "failed_rows", "closed_at": NOON, "closed_title": "over",
           "closed_message": "It goes on.", "notified_opened": True, "notified_closed": True}  # fmt: skip
