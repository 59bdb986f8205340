"""What may go wrong between a sync and its systems, drawn from numbers, so that any source of chance can draw."""

from collections.abc import Sequence
from typing import Any

from sync_orchestration.sandbox.faults import FaultRule

_JSON = {"content-type": "application/json"}

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "3600"}},
    {"kind": "reset"},
    {"kind": "reset_after"},
    {"kind": "truncate"},
    {"kind": "html"},
    {"kind": "status", "status": 200, "body": "not what was asked for", "headers": {"content-type": "text/plain"}},
    {"kind": "status", "status": 200, "body": '{"unexpected": true}', "headers": _JSON},
    {"kind": "hang"},
    {"kind": "hang_after"},
    {"kind": "slow", "seconds": 0.05},
    {"kind": "endless"},
)
HANG_TIMEOUT = 0.2
"""Seconds of silence that are borne on a day on which a server may hang or never end."""
PATIENCE = 2.0
"""How many of these timeouts a whole exchange may last."""

NAMES = [f"{fault['kind']}{' ' + str(fault['status']) if 'status' in fault else ''}" for fault in FAULTS]

LASTING = {"hang": 2, "hang_after": 2, "endless": 100 * PATIENCE}


def fault_rule(number: int, times: int, skip: int, *, believed: bool, timeout: float = HANG_TIMEOUT) -> FaultRule:
    """One of FAULTS; what outlasts the `timeout` does so once or twice, for each time costs real seconds.

    `believed`: any REST API may answer an update with a 200 and whatever it likes, so that an answer which only says so
    is believed. There, the lie is told only where more is asked of an answer: of one to a POST, the id.
    """
    fault = FAULTS[number % len(FAULTS)]
    if lasts := LASTING.get(fault["kind"]):
        fault = {**fault, "seconds": lasts * timeout}
    most = 2 if lasts else 6
    method = "POST" if believed and fault.get("status") == 200 else None
    return FaultRule.model_validate({**fault, "times": 1 + times % most, "skip": skip, "method": method})


def patience_on(rules: Sequence[FaultRule]) -> float:
    """Return the timeout of clients on a day with these faults."""
    return HANG_TIMEOUT if any(rule.kind in LASTING for rule in rules) else 60.0
