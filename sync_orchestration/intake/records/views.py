"""What the record browser knows of a sync beside its rows; the floors above say it, for they know mapping and systems.

Every text that comes from outside is masked by whoever gives it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from sync_orchestration.interface.single import WholeRow
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a sync's mapping makes of a record now. `note` says what is to be known about it, e.g. that it is left out.

    Related records stand in `values` as texts; `related` names their fields.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[RecordError, ...] = ()
    note: str | None = None
    related: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What writing a record now would do in the target. `changes` names each field that differs: (there, ours)."""

    action: str
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    errors: tuple[RecordError, ...] = ()
    reason: str | None = None


class TargetNotComparedError(Exception):
    """The target cannot be read now; the message is for people."""


@dataclass(frozen=True, slots=True)
class SyncView:
    """One sync. The links lead to the record's page in its source and target, where those have one.

    `compare` reads the target and raises TargetNotComparedError. Fields named like one of `sensitive` are not shown.
    """

    map: Callable[[Connection[Any], WholeRow], Mapped]
    compare: Callable[[Connection[Any], WholeRow], Comparison]
    source_link: Callable[[WholeRow], str | None] = lambda _row: None
    target_link: Callable[[WholeRow], str | None] = lambda _row: None
    sensitive: frozenset[str] = SENSITIVE_NAMES
