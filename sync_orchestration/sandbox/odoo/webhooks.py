"""Outgoing web hooks: automation rules that post a record's values when it changes."""

from collections.abc import Iterable

import requests

from .database import Env, Hook
from .errors import Json, Row

TIMEOUT_SECONDS = 1.0


def announce(env: Env, model: str, old: Row | None, new: Row | None) -> None:
    """Queue the posts that a created (no `old`), written or deleted (no `new`) record triggers."""
    for hook in env.db.hooks:
        row = new or old
        if hook.model == model and row is not None and _fires(hook, old, new):
            env.tx.hooks.append((hook.url, body(hook, row)))


def body(hook: Hook, row: Row) -> Row:
    """Return the JSON that Odoo posts: many2one as id, dates as text with microseconds."""
    fields: dict[str, Json] = {name: row[name] for name in hook.fields}
    return {
        "_action": f"{hook.name}(#{hook.hook_id})",
        "_id": row["id"],
        "_model": hook.model,
        "id": row["id"],
        **fields,
    }


def deliver(posts: Iterable[tuple[str, Row]]) -> list[str]:
    """Post one by one, one second each at most, no retry; returns the outcome of each post."""
    outcomes = []
    for url, payload in posts:
        try:
            answer = requests.post(url, json=payload, timeout=TIMEOUT_SECONDS)
            outcomes.append(str(answer.status_code))
        except requests.RequestException as error:
            # Odoo only logs it: the receiver's trouble is never the user's.
            outcomes.append(type(error).__name__)
    return outcomes


def _fires(hook: Hook, old: Row | None, new: Row | None) -> bool:
    if old is None:
        return hook.trigger in ("on_create", "on_create_or_write")
    if new is None:
        return hook.trigger == "on_unlink"
    if hook.trigger in ("on_archive", "on_unarchive"):
        return bool(old["active"] != new["active"]) and bool(new["active"]) == (hook.trigger == "on_unarchive")
    if hook.trigger not in ("on_write", "on_create_or_write"):
        return False
    watched = hook.trigger_fields or [name for name in new if name not in ("write_date", "write_uid")]
    return any(old[name] != new[name] for name in watched)
