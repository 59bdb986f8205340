"""A company as JSON and back. Only what differs from a blank record is kept of each record."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .changelog import ChangeRow
from .company import Company
from .hooks import Hook, HookDispatcher
from .records import Record, Undo


def company_state(company: Company, dispatcher: HookDispatcher) -> dict[str, Any]:
    """Return all that is needed to bring the company back."""
    log = company.log
    tables = {}
    for path, table in company.tables.items():
        blank = table.evidence.blank
        records = [
            [r.id, {k: v for k, v in r.values.items() if v != blank[k]}, r.ext_ids] for r in table.records.values()
        ]
        tables[path] = {"next_id": table.next_id, "records": records}
    return {
        "card": asdict(company.card),
        "tables": tables,
        "log": {
            "enabled": log.enabled,
            "last_assigned": log.last_assigned,
            "forgotten_up_to": log.forgotten_up_to,
            "holding": log.holding,
            "rows": [log.rows[version] for version in log.versions],
            "held": list(log.held.values()),
        },
        "journal": [[u.version, u.recorded, u.evidence, u.record_id, u.before, u.ext_ids] for u in company.journal],
        "hooks": [asdict(hook) for hook in dispatcher.hooks.values()],
        "next_hook_id": dispatcher.next_id,
    }


def company_from_state(company: Company, dispatcher: HookDispatcher, state: dict[str, Any]) -> None:
    """Fill an empty company from its saved state."""
    for path, saved in state["tables"].items():
        table = company.tables[path]
        blank = table.evidence.blank
        for record_id, values, ext_ids in saved["records"]:
            table.insert(Record(record_id, {**blank, **values}, tuple(ext_ids)))
        table.next_id = saved["next_id"]
    log, saved_log = company.log, state["log"]
    log.enabled = saved_log["enabled"]
    log.last_assigned = saved_log["last_assigned"]
    log.forgotten_up_to = saved_log["forgotten_up_to"]
    log.publish(map(_row, saved_log["rows"]), late_every=0, late_answers=1)
    log.held = {row.version: row for row in map(_row, saved_log["held"])}
    log.holding = saved_log["holding"]
    company.journal = [
        Undo(version, recorded, evidence, record_id, before, tuple(ext_ids))
        for version, recorded, evidence, record_id, before, ext_ids in state["journal"]
    ]
    dispatcher.hooks = {saved["id"]: Hook(**{**saved, "due": 0.0}) for saved in state["hooks"]}
    dispatcher.next_id = state["next_hook_id"]


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at once, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(path.suffix + ".part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _row(saved: list[Any]) -> ChangeRow:
    version, evidence, operation, timestamp, record_id, identifiers = saved
    return ChangeRow(version, evidence, operation, timestamp, record_id, tuple(identifiers))
