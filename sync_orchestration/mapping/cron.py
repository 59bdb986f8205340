"""Cron expressions of five fields, and of six (seconds first, as Spring writes them), as far as five can say them."""

import re

_SECONDS_EVERY_MINUTE = re.compile(r"^[0-5]?\d$")
_FIELDS = 5


class CronError(ValueError):
    """A cron expression that cannot be used; the message says why."""


def five_fields(expression: str) -> str:
    """Return the expression in five fields: minute, hour, day of month, month, day of week.

    Six fields are accepted where the seconds are one fixed number: a schedule has no seconds, so they are dropped.
    A question mark is a star. Raises CronError for what cannot be said in five fields.
    """
    fields = [("*" if field == "?" else field) for field in expression.split()]
    if len(fields) == _FIELDS + 1:
        seconds, *fields = fields
        if not _SECONDS_EVERY_MINUTE.match(seconds):
            raise CronError(
                f"{expression!r} fires several times a minute (seconds {seconds!r}); a schedule fires once a minute at "
                "most. Write one fixed second, e.g. 0."
            )
        if len(fields) == _FIELDS and fields[2] != "*" and fields[4] != "*":
            raise CronError(
                f"{expression!r} names days of the month and of the week. With six fields both must hold, with five "
                "either is enough: leave one of them a star."
            )
    if len(fields) != _FIELDS:
        raise CronError(
            f"{expression!r} has {len(expression.split())} fields; cron has five, or six with seconds first."
        )
    for field in fields:
        if re.search(r"[LW#]", field.upper().replace("WED", "").replace("JUL", "")):
            raise CronError(f"{expression!r} uses {field!r}: L, W and # cannot be said in five fields.")
    return " ".join(fields)
