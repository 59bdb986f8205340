"""Where one record stands and why, what happens to it next and when, and what a person can do; decided from facts."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync_orchestration.interface.looks import Relative
from sync_orchestration.interface.single import WaitingWake, WholeRow
from sync_orchestration.interface.state import SyncState
from sync_orchestration.pipeline.plan import Action

COMMAND = "sync-orchestration"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides, besides its row, what happens to a record next.

    `looks` says what brings the sync to run, as people say it. `unset` are the variables that keep it switched off,
    `off_peak` is why triggers may begin nothing now, `rests_until` when a failed pass may run again, `pauses` until
    when a connection's server wants to be left alone. `awaited` is the record that the row waits for, if it is known,
    `action` what a run would do with the row now, if that could be told.
    """

    looks: str
    state: SyncState
    pushed: bool = False
    enabled: bool = True
    unset: Sequence[str] = ()
    off_peak: str | None = None
    rests_until: datetime | None = None
    pauses: Mapping[str, datetime] = field(default_factory=dict)
    wakes: Sequence[WaitingWake] = ()
    awaited: Relative | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that will happen, or that it waits for; `at` is the earliest time, None where nobody knows it."""

    what: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person can do, with the exact command where there is one."""

    what: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a record stands, what comes, and what can be done."""

    standing: str
    coming: tuple[Coming, ...]
    advice: tuple[Advice, ...]


def outlook(row: WholeRow, around: Circumstances) -> Outlook:
    """Return where a record stands and what follows from it."""
    return Outlook(_standing(row), tuple(_coming(row, around)), tuple(_advice(row, around)))


def command(*words: str, key: str | None = None) -> str:
    """Return a command line of the program that a shell takes as it is; `key` comes last."""
    # A key that begins with a dash would be taken for an option.
    last = [] if key is None else ["--", key] if key.startswith("-") else [key]
    return shlex.join([COMMAND, *words, *last])


def _standing(row: WholeRow) -> str:
    target = row.target_system or "the target"
    match row.status:
        case "processed" if row.operation == "delete":
            said = f"Gone from the source; its delete was done in {target}."
        case "processed":
            said = f"Written: it is {row.target_id} in {target}, as the source said it last."
        case "skipped":
            said = f"Skipped: {row.error_message or 'it does not take part'}"
        case "failed":
            where = f"{row.error_field}: " if row.error_field else ""
            said = f"Failed ({row.error_code}): {where}{row.error_message}"
        case "processing":
            said = f"Is being written at this moment, by the run {row.run_id}."
        case "pending":
            before = f"; before, it ended with: {row.error_message}" if row.error_message else "."
            said = f"Received ({row.operation}), waits to be written{before}"
    return said


def _coming(row: WholeRow, around: Circumstances) -> list[Coming]:
    if row.status in ("processed", "skipped"):
        found = [Coming("Nothing, until its sender pushes it again." if around.pushed else _UNTIL_IT_CHANGES)]
    elif row.status == "processing":
        found = [Coming("Its outcome is stored as soon as the target has answered.")]
    else:
        found = _waits_of_the_row(row, around)
    if _runs_by_itself(row):
        found += _waits_of_the_sync(around)
    return found + [Coming(_told(wake)) for wake in around.wakes]


_UNTIL_IT_CHANGES = "Nothing, until it changes in the source."


def _runs_by_itself(row: WholeRow) -> bool:
    """Tell whether the next run takes the row up without anybody's word."""
    return row.status == "pending" or (row.status == "failed" and (row.next_attempt_at is not None or bool(row.awaits)))


def _waits_of_the_row(row: WholeRow, around: Circumstances) -> list[Coming]:
    found = []
    if row.awaits and _seems_gone(around.awaited):
        gone = f"the record {row.awaits!r}, which seems gone from the target"
        found.append(Coming(f"It follows by itself when {gone}, is written anew."))
    elif row.awaits:
        found.append(Coming(f"It follows by itself when the record {row.awaits!r} is written, {_of(around.awaited)}."))
    if row.error_code == "delete_held" and row.status == "failed":
        return [Coming("The guard holds its delete until a person confirms it.")]
    if row.next_attempt_at is not None:
        return [*found, Coming("It is tried again by itself.", row.next_attempt_at)]
    if row.status == "pending":
        return [Coming("The next run of the sync writes it.")]
    if not found:
        change = "for its sender to push it again" if around.pushed else "for a change of it in the source"
        found.append(Coming(f"It waits for a person's word, or {change}; nothing else tries it again."))
    return found


def _seems_gone(awaited: Relative | None) -> bool:
    """Tell whether a record that is waited for was written: then the target no longer has it."""
    return awaited is not None and awaited.status == "processed" and awaited.operation != "delete"


def _of(awaited: Relative | None) -> str:
    if awaited is None:
        return "which has not arrived yet"
    if awaited.operation == "delete":
        return "which was deleted in the source"
    return f"which is {awaited.status} now"


def _waits_of_the_sync(around: Circumstances) -> list[Coming]:
    """Return what keeps the sync from running, and what sets it off."""
    if around.unset:
        return [Coming(f"The sync is switched off: {', '.join(around.unset)} not set.")]
    state = around.state
    found = [
        Coming(f"The server of the connection {name} asked all for patience.", until)
        for name, until in sorted(around.pauses.items())
    ]
    if state.error and state.status in ("RETRY_WAITING", "ERROR"):
        found.append(Coming(f"The last pass of the sync stopped: {state.error}", around.rests_until))
    if not around.enabled:
        return [*found, Coming("Nothing triggers this sync (enabled: false); a run by hand does.")]
    if around.off_peak:
        found.append(Coming(f"The sync {around.off_peak}."))
    return [*found, Coming(around.looks)]


def _told(wake: WaitingWake) -> str:
    whom = "this record" if wake.record_key else "everything"
    return f"A hook ({wake.kind}) has told {wake.name} to look at {whom}; that is not done yet."


def _advice(row: WholeRow, around: Circumstances) -> list[Advice]:
    sync, key = row.sync, row.record_key
    found: list[Advice] = []
    if around.unset:
        found.append(Advice(f"Set {', '.join(around.unset)}.", command("check")))
    if around.state.error and around.state.status in ("RETRY_WAITING", "ERROR"):
        found.append(Advice("See which system is at fault.", command("check")))
    match row.status:
        case "failed" if row.error_code == "delete_held":
            found.append(
                Advice("If the delete is right, confirm it.", command("retry", "--confirm-deletes", sync, key=key))
            )
        case "failed" if row.awaits and _seems_gone(around.awaited):
            found.append(
                Advice(
                    "Write whatever is no longer in the target, then this one follows.", command("run", sync, "--all")
                )
            )
        case "failed" if row.awaits:
            found.append(
                Advice("See why the record that it waits for is not written.", command("explain", sync, key=row.awaits))
            )
        case "failed" if row.error_code == "in_doubt":
            found.append(Advice("See whether it is in the target; then let it go on.", command("retry", sync, key=key)))
        case "failed":
            mended = "and push it again" if around.pushed else "and the change brings it again by itself"
            found.append(
                Advice(
                    f"Mend it in the source, {mended}. If the reason was elsewhere, try it again once that is mended.",
                    command("retry", sync, key=key),
                )
            )
        case "pending":
            found.append(Advice("Write it now, with all that waits.", command("run", sync)))
        case "processed" | "skipped" if around.action in ("create", "update"):
            found.append(
                Advice(
                    "The target no longer holds what the source said. Write all that differs.",
                    command("run", sync, "--all"),
                )
            )
        case _:
            pass
    return found
