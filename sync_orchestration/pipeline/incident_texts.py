"""What people are told of incidents, in plain sentences. What comes from outside has its secrets masked by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync_orchestration.interface.incidents import Message

_REASON = 400
_ROW_REASON = 160
_KEY = 60


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """One failing record as people are told of it: never its payload."""

    operation: str
    key: str
    field: str | None
    reason: str


def run_failed(subject: str, at: datetime, reason: str, *, is_sync: bool, link: str | None) -> Message:
    """Tell that a run failed for good."""
    what = "The sync" if is_sync else "The job"
    look = f"How it stands: sync-orchestration status {subject}" if is_sync else None
    sentence = f"{what} {subject} failed on {moment(at)}: {shortened(reason, _REASON)}"
    return Message(f"{subject}: the run failed", _lines(sentence, look, link))


def run_recovered(subject: str, began_at: datetime, at: datetime, *, is_sync: bool, link: str | None = None) -> Message:
    """Tell that a run succeeded after failures."""
    what = "The sync" if is_sync else "The job"
    sentence = (
        f"{what} {subject} succeeded on {moment(at)}. It had been failing since {moment(began_at)}, for "
        f"{duration(at - began_at)}."
    )
    return Message(f"{subject}: runs again", _lines(sentence, link))


def stands_still(sync: str, at: datetime, reason: str, *, link: str | None) -> Message:
    """Tell that a sync cannot even begin a run."""
    sentence = f"The sync {sync} stands still since {moment(at)}: {shortened(reason, _REASON)}"
    look = f"How it stands: sync-orchestration status {sync}"
    return Message(f"{sync}: stands still", _lines(sentence, look, link))


def goes_on(sync: str, began_at: datetime, at: datetime, *, link: str | None = None) -> Message:
    """Tell that a sync that stood still goes on."""
    sentence = (
        f"The sync {sync} goes on since {moment(at)}. It had stood still since {moment(began_at)}, for "
        f"{duration(at - began_at)}."
    )
    return Message(f"{sync}: goes on", _lines(sentence, link))


def rows_fail(
    sync: str, failed: int, since: datetime | None, first: Sequence[FailedRecord], *, link: str | None
) -> Message:
    """Tell that more records of a sync fail than its threshold allows, with the first of them."""
    began = f", the first since {moment(since)}" if since else ""
    rows = [
        f"- {record.operation} {shortened(record.key, _KEY)}: "
        + shortened(f"{record.field}: {record.reason}" if record.field else record.reason, _ROW_REASON)
        for record in first
    ]
    if failed > len(first):
        rows.append(f"- and {failed - len(first)} more")
    look = f"All of them: sync-orchestration status {sync} --failed"
    title = f"{sync}: {records(failed)} failing"
    return Message(title, _lines(f"{records(failed, of=sync)} failing{began}.", *rows, look, link))


def rows_recovered(sync: str, failed: int, began_at: datetime, at: datetime, *, link: str | None = None) -> Message:
    """Tell that the failing records of a sync are fewer than its threshold again."""
    left = f"Only {records(failed, of=sync)} still failing" if failed else f"No record of {sync} is failing any more"
    sentence = f"{left}. It began on {moment(began_at)} and took {duration(at - began_at)}."
    return Message(f"{sync}: the failing records are dealt with", _lines(sentence, link))


def records(number: int, of: str | None = None) -> str:
    """Return a number of records, of a sync if it is named, with its verb."""
    whose = f" of {of}" if of else ""
    return f"1 record{whose} is" if number == 1 else f"{number} records{whose} are"


def moment(at: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return at.astimezone(UTC).strftime("%d %b %Y %H:%M UTC")


def duration(span: timedelta) -> str:
    """Return a span in its two largest units."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join([part for part in parts if part][:2]) or "less than a minute"


def shortened(text: str, length: int) -> str:
    """Return `text` on one line, with at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
