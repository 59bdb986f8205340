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
    {"kind": "hang", "seconds": 0.4},
    {"kind": "hang_after", "seconds": 0.4},
    {"kind": "slow", "seconds": 0.05},
)
HANG_TIMEOUT = 0.2
"""Seconds of patience on a day on which a server may hang."""

NAMES = [f"{fault['kind']}{' ' + str(fault['status']) if 'status' in fault else ''}" for fault in FAULTS]


def fault_rule(number: int, times: int, skip: int, *, believed: bool) -> FaultRule:
    """One of FAULTS; what hangs does so once or twice, for each time costs real seconds.

    `believed`: any REST API may answer an update with a 200 and whatever it likes, so that an answer which only says so
    is believed. There, the lie is told only where more is asked of an answer: of one to a POST, the id.
    """
    fault = FAULTS[number % len(FAULTS)]
    most = 2 if fault["kind"].startswith("hang") else 6
    method = "POST" if believed and fault.get("status") == 200 else None
    return FaultRule.model_validate({**fault, "times": 1 + times % most, "skip": skip, "method": method})


def patience_on(rules: Sequence[FaultRule]) -> float:
    """Return the timeout of clients on a day with these faults."""
    return HANG_TIMEOUT if any(rule.kind.startswith("hang") for rule in rules) else 60.0
