"""What a call costs, in seconds, as measured on community 18.0 and 19.0 with two shared cores."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import Json
from .table import Transaction

AUTHENTICATE_SECONDS = 0.8
_STATEMENT_SECONDS = 0.03


@dataclass(frozen=True)
class _Rates:
    """Records per second of wall time; a pair is default context and tracking_disable."""

    call_seconds: float
    load_insert: tuple[float, float]
    load_update: tuple[float, float]
    load_unchanged: float
    create: tuple[float, float]
    write: tuple[float, float]
    unlink: float
    archive: float
    refused_row: float
    read: float


_RATES = {
    18: _Rates(0.0086, (184, 454), (56, 70), 75, (330, 400), (187, 200), 1000, 1500, 435, 12_200),
    19: _Rates(0.0088, (210, 372), (43, 47), 68, (240, 370), (182, 200), 900, 2500, 476, 10_900),
}
JSON2_CALL_SECONDS = 0.0187


def seconds(
    version: int, method: str, context: Mapping[str, Json], tx: Transaction, result: Json, *, json2: bool
) -> float:
    """Return the time the call takes on a real server."""
    rates = _RATES[version]
    quiet = 1 if context.get("tracking_disable") else 0
    total = JSON2_CALL_SECONDS if json2 else rates.call_seconds
    if method == "load" and isinstance(result, dict) and result["ids"] is False:
        return total + len(result["messages"]) / rates.refused_row + _STATEMENT_SECONDS
    created, changed, unchanged, removed = _effects(tx)
    if method == "load":
        total += created / rates.load_insert[quiet]
        total += changed / rates.load_update[quiet] + unchanged / rates.load_unchanged
    elif method in ("action_archive", "action_unarchive"):
        total += changed / rates.archive
    else:
        total += created / rates.create[quiet] + (changed + unchanged) / rates.write[quiet]
    total += removed / rates.unlink
    if created or changed or unchanged or removed:
        total += _STATEMENT_SECONDS
    return total + (len(result) / rates.read if method in ("search_read", "read") else 0)


def _effects(tx: Transaction) -> tuple[int, int, int, int]:
    created = changed = unchanged = removed = 0
    for (model, _), (old, new) in tx.net().items():
        if model == "ir.model.data" or old is new:
            continue
        if old is None:
            created += 1
        elif new is None:
            removed += 1
        elif _content(old) == _content(new):
            unchanged += 1
        else:
            changed += 1
    return created, changed, unchanged, removed


def _content(row: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in row.items() if name not in ("write_date", "write_uid", "message_ids")}
