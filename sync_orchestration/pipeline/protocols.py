"""What a system must offer to take part: as a Source of changes, as a Target of writes, or as a Lookup."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from sync_orchestration.interface.rows import Operation, Payload
from sync_orchestration.mapping.records import RecordError, Reference
from sync_orchestration.pipeline.errors import SyncError


@dataclass(frozen=True, slots=True)
class Change:
    """Notice that a record changed at `position`. With a `payload` the record need not be fetched.

    A source that only knows which part of a record went away (a deleted child) gives that part as `part`, a
    fragment of the payloads that hold it, and an empty key.
    """

    key: str
    operation: Operation
    position: int
    external_ids: Sequence[str] = ()
    payload: Payload | None = None
    part: Payload | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in ascending position; everything below `next_position` has been listed.

    `newest` is the source's newest position as it told with the page, listed or not.
    """

    changes: Sequence[Change]
    next_position: int
    newest: int
    more: bool


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record as it is in the source now; `position` is where its newest change is, where the source tells it."""

    key: str
    payload: Payload
    external_ids: Sequence[str] = ()
    position: int | None = None


@dataclass(frozen=True, slots=True)
class SourceHead:
    """Where a source stands: its newest position, and which history its positions count."""

    position: int
    fingerprint: str


class Source(Protocol):
    """A system that says what changed, in the order of its own positions.

    `fetch` and the pages of `snapshot` are asked for in a thread of their own, one at a time, while what came before
    is landed: they share no database connection with the reader.
    """

    def head(self) -> SourceHead:
        """Return where the source stands; raises SyncError when changes are not tracked."""

    def peek(self, start: int) -> ChangePage:
        """Return the first changes at or after `start`, with one request."""

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield the changes at or after `start`, page by page, until none is left."""

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Return the current records of `keys`, in one request; a key that is gone is left out."""

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all records in pages by ascending key, going on after the key `after`."""


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """One record that a source has, without its payload (None) or with it; `position` is where its newest change is."""

    key: str
    position: int
    payload: Payload | None = None


@runtime_checkable
class InventorySource(Source, Protocol):
    """A source that can be counted through, for what its feed does not tell: deletes, late and lost changes."""

    def inventory(self) -> Iterator[Sequence[InventoryItem]]:
        """Yield every record that is there, in pages; raises SyncError rather than leave some out."""


@runtime_checkable
class SelectableSource(Source, Protocol):
    """A source whose records can be chosen by a condition of its own."""

    def select(self, domain: list[Any]) -> list[str]:
        """Return the keys of the records that match `domain`."""


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """What the target shall hold for one source record. References are resolved by then.

    `seen` is the record as its source told it; a target that is the same system may spare itself a read by it.
    `written` is what the target was last given and took, for one that cannot be read in batches. `in_doubt`: an
    earlier try may have reached the target without our hearing of it. `first_tried_at` is when the first try was of
    all those since which nothing was heard, this one included; None where one of them was of something else.
    """

    key: str
    external_id: str
    values: Mapping[str, Any]
    target_id: str | None
    seen: Payload | None = None
    written: Payload | None = None
    in_doubt: bool = False
    first_tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """What the target holds now; `linked` is False for a record that was found by its content (adoption)."""

    target_id: str
    values: Mapping[str, Any]
    linked: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a target made of one record: an id, or an error that is this record's alone.

    `written` is what it holds now, where that is to be remembered. `in_doubt`: it may have acted without saying so.
    """

    target_id: str | None = None
    error: RecordError | None = None
    transient: bool = False
    response_code: int | None = None
    duration_ms: int = 0
    written: Payload | None = None
    in_doubt: bool = False


class PartlyDoneError(SyncError):
    """The target failed on the way: `outcomes` are those of the records that it has answered, `cause` what stopped it.

    The answered records are settled, the others stay pending, and the pass ends with `cause`.
    """

    def __init__(self, cause: SyncError, outcomes: Mapping[str, Outcome]) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.outcomes = outcomes


class Target(Protocol):
    """A system that records are written to. Every answer is per record, by its key."""

    @property
    def model(self) -> str:
        """What is written: a model, a type, a path; for people and the log."""

    def resolve(self, references: Sequence[Reference]) -> Mapping[Reference, Any]:
        """Return the target's own value for each reference that exists there."""

    def current(self, records: Sequence[TargetRecord]) -> Mapping[str, CurrentRecord | RecordError]:
        """Return what the target holds for each record that it has, in batches; or why that cannot be told."""

    def same(self, field: str, current: Any, wanted: Any) -> bool:
        """Tell whether writing `wanted` over `current` would change nothing."""

    def upsert(self, records: Sequence[TargetRecord], current: Mapping[str, CurrentRecord]) -> Mapping[str, Outcome]:
        """Create or update the records by their external ids; repeating it has no further effect."""

    def delete(self, records: Sequence[TargetRecord]) -> Mapping[str, Outcome]:
        """Delete or archive the records; one that is not there is a success without a target id."""


class Observer(Protocol):
    """Hears how a pass goes on. It must not raise: progress is not worth a record."""

    def progress(self, step: str, count: int) -> None:
        """`count` more records have passed `step` (landed, processed, unchanged, failed, skipped)."""

    def warn(self, message: str) -> None:
        """Something that a person should know but that stops nothing."""
