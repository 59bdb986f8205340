"""Interface rows: landing what a source says, claiming what is to be written, settling what became of it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, dict_row, scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.texts import is_storable_json, storable, to_json

Operation = Literal["create", "update", "delete"]
Status = Literal["pending", "processing", "processed", "failed", "skipped"]
Payload = dict[str, Any]
"""One record as JSON: text keys, any JSON values."""

_WORKER_LOCKS = 0x5359  # the class of the advisory locks that workers hold
_ADOPTION_LOCKS = 0x4144  # … and of those that keep two workers from linking one target record twice


@dataclass(frozen=True, slots=True)
class LandedRecord:
    """The newest state of one record, as read from a source; `payload` is None for a delete.

    `payload_text` is the payload as JSON in ASCII, where it has been rendered already.
    """

    key: str
    entity: str
    operation: Operation
    position: int
    partition_key: str
    payload: Payload | None
    payload_hash: str | None
    external_ids: Sequence[str] = ()
    payload_text: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A row that this worker alone may write until it settles it.

    `first_tried_at` is when the row came in doubt, by this claim or by an earlier one that was to write the very same
    in the same manner; None where that one was to write something else.
    """

    sync: str
    source_system: str
    record_key: str
    entity: str
    operation: Operation
    position: int
    payload: Payload | None
    external_ids: list[str]
    attempts: int
    target_id: str | None
    delete_confirmed: bool
    written: Payload | None = None
    in_doubt: bool = False
    first_tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a claimed row. `counts`: it was a try at the target, not merely a look.

    `written` is what the target holds now, where that is remembered (None: what was remembered stays); `in_doubt`
    says that the target may have acted without telling; `awaits` is the key of a record that must be written first.
    """

    row: ClaimedRow
    status: Status
    target_id: str | None = None
    error_code: str | None = None
    error_field: str | None = None
    error_message: str | None = None
    next_attempt_at: datetime | None = None
    counts: bool = True
    written: Payload | None = None
    in_doubt: bool = False
    awaits: str | None = None


@dataclass(frozen=True, slots=True)
class FailingRow:
    """A failed row as people are shown it."""

    source_system: str
    record_key: str
    operation: Operation
    status: Status
    error_code: str | None
    error_field: str | None
    error_message: str | None
    attempts: int
    first_failed_at: datetime | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    partition_key: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A claimer of rows. Its number is locked in its database session: when the session ends, so do its claims."""

    number: int
    run_id: str
    connection: Connection[Any] = field(repr=False)


def land(
    conn: Connection[Any],
    *,
    sync: str,
    source_system: str,
    run_id: str,
    records: Iterable[LandedRecord],
    force: bool = False,
) -> int:
    """Store records in the caller's transaction; returns how many rows are new or changed.

    `force` makes every row pending again, unchanged ones too: for a repeated window or a read of the whole source,
    after which `land_missing` can tell which rows were not met.
    """
    with conn.cursor() as cur:
        _stage(cur, records)
        cur.execute(
            query("land_staging"),
            {"sync": sync, "source_system": source_system, "run_id": run_id, "force": force},
        )
        landed = cur.rowcount
        cur.execute("DROP TABLE staging")
    return landed


def land_missing(
    conn: Connection[Any],
    *,
    sync: str,
    source_system: str,
    run_id: str,
    position: int,
    partition_key: str,
    not_seen_since: datetime,
) -> int:
    """Land a delete for each record that a read of the whole source did not meet; returns their number."""
    place = {"position": position, "partition_key": partition_key, "not_seen_since": not_seen_since}
    owner = {"sync": sync, "source_system": source_system, "run_id": run_id}
    with conn.cursor() as cur:
        cur.execute(query("create_staging"))
        cur.execute(query("land_missing_as_deleted"), {**owner, **place})
        missing = cur.rowcount
        cur.execute(query("land_staging"), {**owner, "force": False})
        cur.execute("DROP TABLE staging")
    return missing


def _stage(cur: Any, records: Iterable[LandedRecord]) -> None:
    cur.execute(query("create_staging"))
    with cur.copy(query("copy_staging")) as copy:
        for record in records:
            copy.write_row(
                (
                    record.key,
                    record.entity,
                    record.operation,
                    record.position,
                    record.partition_key,
                    _payload_text(record),
                    record.payload_hash,
                    to_json(list(record.external_ids)) if record.external_ids else "[]",
                )
            )


def _payload_text(record: LandedRecord) -> str | None:
    if record.payload_text is not None and is_storable_json(record.payload_text):
        return record.payload_text
    return None if record.payload is None else to_json(record.payload)


def hire_worker(conn: Connection[Any], run_id: str) -> Worker:
    """Take a worker number and lock it for the life of the session of `conn` (autocommit outside transactions)."""
    with conn.cursor(row_factory=scalar_row) as cur:
        number = int(cur.execute(query("take_worker_number")).fetchone() or 0)
        cur.execute(query("announce_worker"), {"lock_class": _WORKER_LOCKS, "number": number})
    conn.commit()
    return Worker(number, run_id, conn)


def release_dead_claims(conn: Connection[Any], sync: str) -> int:
    """Give back the rows whose worker's session has ended; returns their number."""
    params = {"sync": sync, "lock_class": _WORKER_LOCKS}
    return conn.execute(query("release_dead_claims"), params).rowcount


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of a sync a pass may write: those of some windows, those of some keys, or (both None) all."""

    partition_keys: Sequence[str] | None = None
    keys: Sequence[str] | None = None


def claim(worker: Worker, sync: str, scope: Scope, limit: int, manner: str = "") -> list[ClaimedRow]:
    """Claim up to `limit` due rows, oldest position first, to write them in some manner, and commit the claim."""
    conn = worker.connection
    with conn.transaction(), conn.cursor(row_factory=class_row(ClaimedRow)) as cur:
        cur.execute(
            query("claim"),
            {
                "sync": sync,
                "partition_keys": None if scope.partition_keys is None else list(scope.partition_keys),
                "keys": None if scope.keys is None else list(scope.keys),
                "limit": limit,
                "worker": worker.number,
                "run_id": worker.run_id,
                "manner": manner,
            },
        )
        rows = cur.fetchall()
    return sorted(rows, key=lambda row: (row.position, row.record_key))


def settle(worker: Worker, *, sync: str, target_system: str, settlements: Iterable[Settlement]) -> int:
    """Record outcomes in the caller's transaction; returns how many rows this worker still held.

    A row that was landed anew while it was written goes back to pending, so that the newer state is written.
    """
    with worker.connection.cursor() as cur:
        cur.execute(query("create_settling"))
        with cur.copy(query("copy_settling")) as copy:
            for s in settlements:
                copy.write_row(
                    (
                        s.row.source_system,
                        s.row.record_key,
                        s.status,
                        s.error_code,
                        storable(s.error_field),
                        storable(s.error_message),
                        s.next_attempt_at,
                        s.target_id,
                        s.counts,
                        None if s.written is None else to_json(s.written),
                        s.in_doubt,
                        s.awaits,
                    )
                )
        cur.execute(query("settle"), {"sync": sync, "target_system": target_system, "worker": worker.number})
        settled = cur.rowcount
        cur.execute("DROP TABLE settling")
    return settled


def unclaim(worker: Worker, sync: str, sure: Sequence[str] = ()) -> int:
    """Give back every row that this worker holds unsettled; returns their number.

    The records of `sure` have certainly not been sent.
    """
    params = {"sync": sync, "worker": worker.number, "sure": list(sure)}
    return worker.connection.execute(query("unclaim"), params).rowcount


def rebase_positions(conn: Connection[Any], sync: str, position: int) -> int:
    """Lower positions above `position` to it, after the source began to count from an earlier point again."""
    return conn.execute(query("rebase_positions"), {"sync": sync, "position": position}).rowcount


def keys_of_window(conn: Connection[Any], sync: str, partition_key: str) -> list[str]:
    """Return the keys of all rows whose newest position lies in the window, sorted as text."""
    with conn.cursor(row_factory=scalar_row) as cur:
        params = {"sync": sync, "partition_key": partition_key}
        return [str(key) for key in cur.execute(query("keys_of_window"), params)]


def places(conn: Connection[Any], sync: str, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return position and window of each known key."""
    cur = conn.execute(query("keys_with_positions"), {"sync": sync, "keys": list(keys)})
    return {key: (position, partition_key) for key, position, partition_key in cur}


@dataclass(frozen=True, slots=True)
class RowVersion:
    """What of a record has been landed."""

    position: int
    payload_hash: str | None
    is_delete: bool


def versions(conn: Connection[Any], sync: str, keys: Sequence[str]) -> dict[str, RowVersion]:
    """Return what was landed of each known key."""
    cur = conn.execute(query("row_versions"), {"sync": sync, "keys": list(keys)})
    return {key: RowVersion(position, digest, is_delete) for key, position, digest, is_delete in cur}


def keys_containing(conn: Connection[Any], sync: str, part: Payload) -> list[str]:
    """Return the keys of the records whose payload contains `part` (PostgreSQL's jsonb containment)."""
    with conn.cursor(row_factory=scalar_row) as cur:
        params = {"sync": sync, "part": to_json(part)}
        return [str(key) for key in cur.execute(query("keys_containing"), params)]


def waiting_payloads(conn: Connection[Any], sync: str, partition_keys: Sequence[str]) -> list[Payload]:
    """Return the payloads of the rows of these windows that are still to be written, oldest position first."""
    params = {"sync": sync, "partition_keys": list(partition_keys)}
    return [payload for _, payload in conn.execute(query("payloads_of_windows"), params)]


def pending_windows(conn: Connection[Any], sync: str) -> list[str]:
    """Return the windows that hold rows to be written now: due ones and those of dead workers."""
    with conn.cursor(row_factory=scalar_row) as cur:
        params = {"sync": sync, "lock_class": _WORKER_LOCKS}
        return [str(key) for key in cur.execute(query("pending_windows"), params)]


@dataclass(frozen=True, slots=True)
class Link:
    """Which target record a row is, and what that was last given, where it is remembered."""

    target_id: str
    written: Payload | None = None


def links(conn: Connection[Any], sync: str) -> dict[str, Link]:
    """Return the link of every record that should be in the target, by record key."""
    rows = conn.execute(query("linked_rows"), {"sync": sync})
    return {key: Link(target_id, written) for key, target_id, written in rows}


def failing_keys(conn: Connection[Any], sync: str) -> list[str]:
    """Return the keys of all failed rows."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return [str(key) for key in cur.execute(query("failing_keys"), {"sync": sync})]


def known_targets(conn: Connection[Any], sync: str, target_ids: Sequence[str]) -> set[str]:
    """Return those of `target_ids` to which some row of the sync is linked already."""
    with conn.cursor(row_factory=scalar_row) as cur:
        params = {"sync": sync, "target_ids": list(target_ids)}
        return {str(target_id) for target_id in cur.execute(query("existing_targets"), params)}


@contextmanager
def adoption_lock(conn: Connection[Any], target_system: str, model: str, *, wanted: bool) -> Iterator[None]:
    """Let one worker at a time look for records of a target's model to adopt, so that none is adopted or made twice.

    Two syncs may write the same model, and each finds what the other has made only when that is there.
    """
    params = {"lock_class": _ADOPTION_LOCKS, "place": f"{target_system} {model}"}
    if wanted:
        conn.execute(query("lock_adoption"), params)
    try:
        yield
    finally:
        if wanted and not conn.broken:
            conn.execute(query("unlock_adoption"), params)


def count_known_and_deletes(conn: Connection[Any], sync: str) -> tuple[int, int]:
    """Return how many rows have a target record, and how many of those wait to be deleted unconfirmed."""
    row = conn.execute(query("count_known"), {"sync": sync}).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def failing_rows(
    conn: Connection[Any], sync: str, *, partition_keys: Sequence[str] | None = None, limit: int = 50
) -> list[FailingRow]:
    """Return the rows that have failed longest, of all windows or of `partition_keys`."""
    params = {
        "sync": sync,
        "limit": limit,
        "partition_keys": None if partition_keys is None else list(partition_keys),
    }
    with conn.cursor(row_factory=class_row(FailingRow)) as cur:
        return cur.execute(query("failing_rows"), params).fetchall()


def count_failing(conn: Connection[Any], sync: str, *, partition_keys: Sequence[str] | None = None) -> int:
    """Return the number of failed rows, of all windows or of `partition_keys`."""
    params = {"sync": sync, "partition_keys": None if partition_keys is None else list(partition_keys)}
    row = conn.execute(query("count_failing"), params).fetchone()
    return 0 if row is None else row[0]


def counts_by_status(conn: Connection[Any], sync: str | None = None) -> dict[str, dict[str, int]]:
    """Return the number of rows by status for each sync that has any."""
    counts: dict[str, dict[str, int]] = {}
    with conn.cursor(row_factory=dict_row) as cur:
        for row in cur.execute(query("counts_by_status"), {"sync": sync}):
            counts.setdefault(row["sync"], {})[row["status"]] = row["rows"]
    return counts
