"""Silences urllib3's own log, which tells whole addresses and pieces of answers: keys stand in both.

What matters of an exchange is in our errors, masked. A filter, unlike a level, no later logging configuration undoes.
"""

import logging

_TALKATIVE = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


def _is_grave(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def silence() -> None:
    """Let nothing below an error pass (urllib3 logs none); safe to call again."""
    for name in _TALKATIVE:
        logging.getLogger(f"urllib3.{name}").addFilter(_is_grave)
