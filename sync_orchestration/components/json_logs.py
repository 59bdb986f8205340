"""Logs as JSON lines, where SYNC_LOG_FORMAT says so: of Dagster's processes, of runs, of the intake and its server.

Dagster and uvicorn install handlers of their own and can be told no formatter but theirs. So every handler of the
process is given this one, at whatever time it is made.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from sync_orchestration.components.known_secrets import known_secrets
from sync_orchestration.mapping.scrub import mask

VARIABLE = "SYNC_LOG_FORMAT"
FIELDS = ("sync", "window", "run_id", "system")
"""What a line tells beside time, level, logger and message, where it is known; or by `extra` of the logging call."""

_OURS = "sync_orchestration"
_RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class JsonLines(logging.Formatter):
    """Renders a record as one line of JSON, without any known secret."""

    def format(self, record: logging.LogRecord) -> str:
        of_run: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": of_run.get("orig_message") or record.getMessage(),
        }
        known = {**_of_run(of_run), **{name: getattr(record, name, None) for name in FIELDS if hasattr(record, name)}}
        line |= {name: str(known[name]) for name in FIELDS if known.get(name)}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = self.formatException(record.exc_info)
        # Masked before it is escaped, for a secret may hold what JSON escapes.
        secrets = known_secrets()
        return json.dumps({name: mask(text, secrets) for name, text in line.items()}, ensure_ascii=False)


def _of_run(told: dict[str, Any]) -> dict[str, Any]:
    """Return what Dagster knows of the run that a record belongs to."""
    tags = told.get("job_tags") or {}
    windows = list(dict.fromkeys(tags[name] for name in _RANGE if name in tags))
    return {
        "sync": tags.get("sync/name") or told.get("job_name"),
        "window": "…".join(windows) or tags.get("dagster/partition"),
        "run_id": told.get("run_id"),
    }


def follow_log_format() -> None:
    """Let this process log JSON lines from now on, if the environment asks for it; safe to call again."""
    if os.environ.get(VARIABLE) != "json" or getattr(logging.Handler.setFormatter, "is_ours", False):
        return
    lines, set_formatter = JsonLines(), logging.Handler.setFormatter

    def set_ours(self: logging.Handler, fmt: logging.Formatter | None) -> None:
        del fmt
        set_formatter(self, lines)

    set_ours.is_ours = True  # type: ignore[attr-defined]
    logging.Handler.setFormatter = set_ours  # type: ignore[method-assign]
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        if (handler := reference()) is not None:
            handler.setFormatter(lines)
    ours = logging.getLogger(_OURS)
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(lines)
    ours.addHandler(to_stderr)
    ours.setLevel(logging.INFO)
    ours.propagate = False
