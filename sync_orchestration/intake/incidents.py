"""What nobody expected: the caller gets a number, the log gets the number and the place, neither gets data."""

import logging
import traceback
from uuid import uuid4

from sync_orchestration.intake.kinds import INTERNAL, CallError

_log = logging.getLogger(__name__)


def incident(error: BaseException) -> CallError:
    """Log an unexpected exception and return what the caller is told.

    The exception's message is left out of the log: a database's or a parser's complaint quotes the data.
    """
    number = uuid4().hex[:12]
    frames = "".join(traceback.format_tb(error.__traceback__))
    state = getattr(error, "sqlstate", None)
    _log.error("incident %s: %s%s\n%s", number, type(error).__name__, f" (SQLSTATE {state})" if state else "", frames)
    return CallError(INTERNAL, data={"incident": number})
