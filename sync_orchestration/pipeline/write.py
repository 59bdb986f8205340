"""Write and settle: due rows are claimed, planned, sent to the target in batches, and get their outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from psycopg import Connection

from sync_orchestration.interface import requeue, rows
from sync_orchestration.interface.attempts import Attempt, log_attempts
from sync_orchestration.interface.looks import holders
from sync_orchestration.interface.rows import ClaimedRow, Scope, Settlement, Worker
from sync_orchestration.interface.state import change_state, database_time, lock_state
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.breaker import Breaker, probe_of
from sync_orchestration.pipeline.errors import SyncError, may_have_acted
from sync_orchestration.pipeline.guard import DeleteGuard, held_message
from sync_orchestration.pipeline.passes import progress
from sync_orchestration.pipeline.plan import PlannedWrite, Translation, plan_writes
from sync_orchestration.pipeline.protocols import Observer, Outcome, PartlyDoneError, Target
from sync_orchestration.pipeline.spans import span
from sync_orchestration.pipeline.taken import Holders

_RETRY_DELAYS = [timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6)]


@dataclass(frozen=True, slots=True)
class Writing:
    """How one sync writes its target. `claim_batch` rows are read and compared at once.

    `manner` is a hash of the settings that decide what is sent for a payload.
    """

    sync: str
    target_system: str
    translation: Translation
    guard: DeleteGuard
    claim_batch: int = 1_000
    manner: str = ""


@dataclass(slots=True)
class WriteCounts:
    """What became of the rows of a pass. `processed` counts written rows, `unchanged` those that needed no write."""

    processed: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Writer:
    """One pass over due rows, on one database session, for one run."""

    worker: Worker
    target: Target
    writing: Writing
    observer: Observer
    counts: WriteCounts = field(default_factory=WriteCounts)
    _archived: int = field(default=0, init=False)
    _upserts: Breaker = field(default_factory=Breaker, init=False)
    _deletes: Breaker = field(default_factory=Breaker, init=False)
    _written_since_look: bool = field(default=False, init=False)

    @property
    def conn(self) -> Connection[Any]:
        return self.worker.connection

    def write(self, scope: Scope) -> WriteCounts:
        """Write every due row of `scope`. Rows of dead workers are taken over first.

        Raises SyncError when the target is at fault, or refuses everything; rows that it has not answered are pending
        again then.
        """
        sync = self.writing.sync
        rows.release_dead_claims(self.conn, sync)
        requeue.requeue_due(self.conn, sync)
        known, deletes = rows.count_known_and_deletes(self.conn, sync)
        batch, sure = list[ClaimedRow](), list[str]()
        try:
            while batch := self._claimed(scope):
                for _, group in groupby(sorted(batch, key=_sender), key=_sender):
                    self._write_rows(list(group), known, deletes)
        except SyncError as error:
            if not may_have_acted(error):
                sure = [row.record_key for row in batch if not row.in_doubt]
            raise
        finally:
            rows.unclaim(self.worker, sync, sure)
        return self.counts

    def _claimed(self, scope: Scope) -> list[ClaimedRow]:
        """Claim the next rows; when there are none, those that waited for what has been written meanwhile."""
        sync, limit, manner = self.writing.sync, self.writing.claim_batch, self.writing.manner
        batch = rows.claim(self.worker, sync, scope, limit, manner)
        if not batch and self._written_since_look and requeue.requeue_waiting(self.conn, sync):
            self._written_since_look = False
            batch = rows.claim(self.worker, sync, scope, limit, manner)
        return batch

    def _write_rows(self, batch: list[ClaimedRow], known: int, deletes: int) -> None:
        """Write rows of one source system; those that name others of the batch come after them."""
        while batch:
            written_before = self.counts.processed + self.counts.unchanged
            waiting = self._write_ready(batch, known, deletes)
            if waiting and self.counts.processed + self.counts.unchanged == written_before:
                self._settle(waiting, {}, database_time(self.conn))
                return
            batch = [plan.row for plan in waiting]

    def _write_ready(self, batch: list[ClaimedRow], known: int, deletes: int) -> list[PlannedWrite]:
        """Write the rows that wait for no other; returns those that do."""
        system, wanted = self.writing.target_system, any(row.target_id is None for row in batch)
        with rows.adoption_lock(self.conn, system, self.target.model, wanted=wanted):
            planned = plan_writes(batch, self.writing.translation, self.target, self._holders)
            ready = self._hold_flood([plan for plan in planned if plan.action != "wait"], known, deletes)
            started_at = database_time(self.conn)
            outcomes, fault = self._apply(ready)
            # What the target answered before it failed is settled; the rest is given back and stays pending.
            answered = [p for p in ready if p.row.record_key in outcomes or not _is_sent(p)]
            self._settle(answered, outcomes, started_at)
        if fault is not None:
            raise fault
        return [plan for plan in planned if plan.action == "wait"]

    def _holders(self, target_ids: Sequence[str]) -> Holders:
        return holders(self.conn, self.writing.sync, target_ids)

    def _hold_flood(self, planned: list[PlannedWrite], known: int, deletes: int) -> list[PlannedWrite]:
        guard = self.writing.guard
        allowed = guard.allowed(known)
        kept: list[PlannedWrite] = []
        for plan in planned:
            held = plan.action == "delete" and deletes > allowed and plan.row.target_id is not None
            if self._archives(plan):
                self._archived += 1
                held = self._archived > allowed
            if held and not plan.row.delete_confirmed:
                message = held_message(max(deletes, self._archived), known, guard)
                error = RecordError("delete_held", None, message)
                kept.append(PlannedWrite(plan.row, "fail", plan.record, plan.current, errors=(error,)))
            else:
                kept.append(plan)
        return kept

    def _archives(self, plan: PlannedWrite) -> bool:
        name = self.writing.translation.archive_field
        return (
            plan.action == "update"
            and name is not None
            and plan.changes is not None
            and name in plan.changes
            and not plan.changes[name][1]
        )

    @span("write")
    def _apply(self, planned: Sequence[PlannedWrite]) -> tuple[dict[str, Outcome], SyncError | None]:
        """Send the planned writes; returns the outcome of each, and what stopped it if not all have one."""
        upserts = [p for p in planned if p.action in ("create", "update") and p.record is not None]
        deletes = [p for p in planned if p.action == "delete" and p.record is not None]
        outcomes: dict[str, Outcome] = {}
        try:
            while upserts:
                probe, upserts = self._next(upserts, self._upserts)
                self._upserts = self._send(probe, self._upsert, self._upserts, outcomes, "everything")
            while deletes:
                probe, deletes = self._next(deletes, self._deletes)
                self._deletes = self._send(probe, self._delete, self._deletes, outcomes, "every delete")
        except PartlyDoneError as error:
            return {**outcomes, **error.outcomes}, error.cause
        except SyncError as error:
            if not outcomes:
                raise
            return outcomes, error
        return outcomes, None

    def _next(self, planned: list[PlannedWrite], breaker: Breaker) -> tuple[list[PlannedWrite], list[PlannedWrite]]:
        """Return the writes to send next and those after them: all at once, or a probe."""
        size = breaker.at_a_time
        return (planned, []) if size is None else probe_of(planned, size, lambda plan: plan.row.attempts == 0)

    def _send(
        self,
        planned: Sequence[PlannedWrite],
        send: Callable[[Sequence[PlannedWrite]], Mapping[str, Outcome]],
        breaker: Breaker,
        outcomes: dict[str, Outcome],
        what: str,
    ) -> Breaker:
        """Send some writes and add their outcomes; raises SyncError when it is enough of refusals."""
        told = send(planned)
        outcomes.update(told)
        breaker = breaker.after(told)
        if fault := breaker.fault(what):
            raise fault
        return breaker

    def _upsert(self, planned: Sequence[PlannedWrite]) -> Mapping[str, Outcome]:
        current = {p.row.record_key: p.current for p in planned if p.current is not None}
        return self.target.upsert([p.record for p in planned if p.record is not None], current)

    def _delete(self, planned: Sequence[PlannedWrite]) -> Mapping[str, Outcome]:
        return self.target.delete([p.record for p in planned if p.record is not None])

    @span("settle")
    def _settle(self, planned: Sequence[PlannedWrite], outcomes: dict[str, Outcome], started_at: datetime) -> None:
        settlements = [self._settlement(plan, outcomes.get(plan.row.record_key), started_at) for plan in planned]
        attempts = [
            self._attempt(settlement, outcomes.get(settlement.row.record_key), started_at)
            for settlement in settlements
            if settlement.counts
        ]
        sync = self.writing.sync
        with self.conn.transaction():
            rows.settle(self.worker, sync=sync, target_system=self.writing.target_system, settlements=settlements)
            log_attempts(self.conn, attempts)
            state = lock_state(self.conn, sync)
            change_state(self.conn, state, **progress(state, [row.row.position for row in settlements]))
        self._count(settlements)

    def _settlement(self, plan: PlannedWrite, outcome: Outcome | None, now: datetime) -> Settlement:
        row = plan.row
        if plan.action == "skip":
            skipped = _skip(plan, plan.current.target_id if plan.current else row.target_id)
            return replace(skipped, in_doubt=row.in_doubt)
        if plan.action == "unchanged":
            target_id = plan.current.target_id if plan.current else row.target_id
            return Settlement(row, "processed", target_id, counts=False)
        if plan.action in ("fail", "wait"):
            # Nothing was sent, so what an earlier try left in doubt is so still.
            again = _next_attempt(row, now) if plan.action == "wait" else None
            return replace(_failure(row, plan.errors, again), in_doubt=row.in_doubt, awaits=plan.awaits)
        if outcome is None:
            raise RuntimeError(f"the target told no outcome for record {row.record_key}")
        if outcome.error is None and plan.reason:
            return replace(_skip(plan, outcome.target_id), written=outcome.written)
        if outcome.error is None:
            return Settlement(row, "processed", outcome.target_id, written=outcome.written)
        failure = _failure(row, (outcome.error,), _next_attempt(row, now) if outcome.transient else None)
        # The record that a refused field names may be gone from the target; then it comes back with a new id.
        return replace(failure, in_doubt=outcome.in_doubt, awaits=plan.relatives.get(outcome.error.field or ""))

    def _attempt(self, settlement: Settlement, outcome: Outcome | None, started_at: datetime) -> Attempt:
        row = settlement.row
        return Attempt(
            sync=row.sync,
            source_system=row.source_system,
            record_key=row.record_key,
            model=self.target.model,
            operation=row.operation,
            run_id=self.worker.run_id,
            started_at=started_at,
            duration_ms=0 if outcome is None else outcome.duration_ms,
            status={"processed": "success", "skipped": "skipped"}.get(settlement.status, "error"),  # type: ignore[arg-type]
            response_code=None if outcome is None else outcome.response_code,
            error=settlement.error_message,
        )

    def _count(self, settlements: Sequence[Settlement]) -> None:
        ordered = sorted(settlements, key=_counted_as)
        for name, group in groupby(ordered, key=_counted_as):
            number = len(list(group))
            setattr(self.counts, name, getattr(self.counts, name) + number)
            self._written_since_look |= name == "processed"
            self.observer.progress(name, number)


def _sender(row: ClaimedRow) -> str:
    return row.source_system


def _is_sent(plan: PlannedWrite) -> bool:
    return plan.action in ("create", "update", "delete")


def _skip(plan: PlannedWrite, target_id: str | None) -> Settlement:
    """Settle a row as skipped with its reason, or because another sync has precedence over what it says."""
    error = plan.errors[0] if plan.errors else RecordError("skipped", None, plan.reason or "")
    return Settlement(
        plan.row, "skipped", target_id, error_code=error.code, error_field=error.field, error_message=error.message
    )


def _counted_as(settlement: Settlement) -> str:
    if settlement.status == "processed" and not settlement.counts:
        return "unchanged"
    return settlement.status


def _failure(row: ClaimedRow, errors: Sequence[RecordError], next_attempt_at: datetime | None) -> Settlement:
    """Settle a row as failed with all its errors; code and field are those of the first."""
    message = "; ".join(error.message for error in errors)
    return Settlement(
        row,
        "failed",
        row.target_id,
        error_code=errors[0].code,
        error_field=", ".join(dict.fromkeys(error.field for error in errors if error.field)) or None,
        error_message=message,
        next_attempt_at=next_attempt_at,
    )


def _next_attempt(row: ClaimedRow, now: datetime) -> datetime | None:
    """Return when to try a passing fault again; after the last delay the row waits for a person."""
    if row.attempts >= len(_RETRY_DELAYS):
        return None
    return now + _RETRY_DELAYS[row.attempts]
