"""The methods of the intake, the same for JSON-RPC and REST: push, status, schema."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from sync_orchestration.intake.checks import DataChecker, is_storable
from sync_orchestration.intake.contract import IntakeConfigurationError
from sync_orchestration.intake.documentation.json_schema import schema_of_sync
from sync_orchestration.intake.fates import fate, fates
from sync_orchestration.intake.kinds import (
    BAD_PARAMS,
    NO_ACCESS,
    REFUSED,
    TOO_LARGE,
    UNKNOWN_RECORD,
    CallError,
)
from sync_orchestration.intake.metrics import Metrics
from sync_orchestration.intake.pushing import Pusher, PushReport
from sync_orchestration.intake.references import References, RememberingReferences
from sync_orchestration.intake.run_figures import RunFigures
from sync_orchestration.intake.settings import IntakeSettings, Limits, Sender
from sync_orchestration.intake.storage import Storage
from sync_orchestration.intake.sync_metrics import SyncMetrics
from sync_orchestration.interface.intake import PushedRow, pending_counts, pushed_rows

_PENDING_BOUND = 100_000


@dataclass(slots=True)
class Caller:
    """Who calls, and what one HTTP request has brought. `suspicious`: texts may hold what cannot be stored.

    `news` gathers the syncs that have new rows.
    """

    sender: Sender
    suspicious: bool = False
    news: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Service:
    """What senders can do. Every method may block, and is called in a thread."""

    limits: Limits
    storage: Storage
    metrics: Metrics
    _pushers: Mapping[str, Pusher] = field(repr=False)

    @classmethod
    def of(
        cls,
        settings: IntakeSettings,
        storage: Storage,
        references: Mapping[str, References],
        relays: Mapping[str, str] = MappingProxyType({}),
        runs: Callable[[], RunFigures] | None = None,
    ) -> "Service":
        """Put the service together; `relays` and `runs` are for its metrics. Raises IntakeConfigurationError."""
        names = [contract.name for contract in settings.contracts]
        metrics = Metrics(partial(_pending, storage, names), SyncMetrics(storage, names, relays, runs))
        return cls(settings.limits, storage, metrics, pushers(settings, references))

    def push(self, caller: Caller, sync: Any, records: Any, *, atomic: Any = False) -> PushReport:
        """Take records. Raises CallError; its data has the report when all were refused."""
        pusher = self._pusher(caller, sync)
        if not isinstance(records, list) or not records:
            raise CallError(BAD_PARAMS, "records is not a list of at least one record.")
        if not isinstance(atomic, bool):
            raise CallError(BAD_PARAMS, "atomic is neither true nor false.")
        if len(records) > self.limits.records:
            raise CallError(TOO_LARGE, f"A call takes at most {self.limits.records} records; send them in parts.")
        report = pusher.push(caller.sender.name, records, self.storage.run, atomic=atomic, suspicious=caller.suspicious)
        counts = report.counts
        self.metrics.records(report.sync, counts.items())
        if counts["accepted"]:
            caller.news.add(report.sync)
        if report.is_refused:
            raise CallError(REFUSED, data={"report": report.as_json()})
        return report

    def status(self, caller: Caller, sync: Any, keys: Any) -> list[dict[str, Any]]:
        """Return the fate of each of `keys`; only what this sender has pushed is known."""
        name = self._pusher(caller, sync).checker.contract.name
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
            raise CallError(BAD_PARAMS, "keys is not a list of at least one text.")
        if len(keys) > self.limits.records:
            raise CallError(TOO_LARGE, f"A call takes at most {self.limits.records} keys.")
        return fates(keys, self._rows(caller, name, keys))

    def status_of_one(self, caller: Caller, sync: Any, key: Any) -> dict[str, Any]:
        """Return the fate of one record. Raises CallError (UNKNOWN_RECORD) where there is none."""
        name = self._pusher(caller, sync).checker.contract.name
        if not isinstance(key, str):
            raise CallError(BAD_PARAMS, "key is not a text.")
        row = self._rows(caller, name, [key]).get(key)
        if row is None:
            raise CallError(UNKNOWN_RECORD)
        return fate(key, row)

    def schema(self, caller: Caller, sync: Any) -> dict[str, Any]:
        """Return what the data of a sync must be."""
        return schema_of_sync(self._pusher(caller, sync).checker.contract, self.limits)

    def _pusher(self, caller: Caller, sync: Any) -> Pusher:
        """Return the pusher of a sync. One that does not exist and one that is not the caller's are answered alike."""
        pusher = self._pushers.get(sync) if isinstance(sync, str) else None
        if pusher is None or sync not in caller.sender.syncs:
            raise CallError(NO_ACCESS)
        return pusher

    def _rows(self, caller: Caller, sync: str, keys: Sequence[str]) -> dict[str, PushedRow]:
        askable = [key for key in keys if is_storable(key)]
        return self.storage.run(
            lambda conn: pushed_rows(conn, sync=sync, source_system=caller.sender.name, keys=askable)
        )


def pushers(settings: IntakeSettings, references: Mapping[str, References]) -> dict[str, Pusher]:
    """Compile the contracts. Raises IntakeConfigurationError when a sync's references have nobody to ask.

    Syncs with the same `References` share what it remembers.
    """
    remembering = {id(target): RememberingReferences(target) for target in references.values()}
    compiled: dict[str, Pusher] = {}
    for contract in settings.contracts:
        checker = DataChecker.of(contract, settings.limits.text_length)
        target = references.get(contract.name)
        if target is None and contract.has_references:
            raise IntakeConfigurationError(f"sync {contract.name!r} has references, but no target to look them up in")
        compiled[contract.name] = Pusher(checker, None if target is None else remembering[id(target)])
    return compiled


def _pending(storage: Storage, syncs: Sequence[str]) -> dict[str, int]:
    return storage.run(lambda conn: pending_counts(conn, syncs, _PENDING_BOUND))
