"""One running Odoo process: its database, its lock, its counts and its armed faults."""

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from . import state
from .database import Clock, Database
from .errors import Json
from .switches import OdooSwitches
from .table import Transaction


class Instance:
    """What calls need of the server they run in. Safe to use from several threads."""

    def __init__(
        self,
        version: int,
        *,
        switches: OdooSwitches,
        clock: Clock,
        custom_fields: Mapping[str, str] | None,
        state_file: Path | None,
    ) -> None:
        self.version = version
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self.created: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.unlinked: Counter[str] = Counter()
        self.webhook_outcomes: list[str] = []
        self.db = Database(version, switches, clock, custom_fields)
        self._armed: Counter[str] = Counter()
        self._state_file = state_file
        self.switches = switches

    @property
    def switches(self) -> OdooSwitches:
        return self.db.switches

    @switches.setter
    def switches(self, switches: OdooSwitches) -> None:
        with self.lock:
            self.db.switches = switches
            self._armed = Counter(concurrent_loads=switches.concurrent_loads, pool_errors=switches.pool_errors)

    def take_armed(self, name: str) -> bool:
        """Use up one of the armed faults of that name, if one is left."""
        if self._armed[name] <= 0:
            return False
        self._armed[name] -= 1
        return True

    def committed(self, tx: Transaction) -> None:
        """Count what a transaction has changed, and store it."""
        for (model, _), (old, new) in tx.net().items():
            if old is None and new is not None:
                self.created[model] += 1
            elif old is not None and new is None:
                self.unlinked[model] += 1
            elif old is not new:
                self.written[model] += 1
        if tx.log:
            self.save()

    def summary(self) -> dict[str, Json]:
        """Return the overview that ``/_sandbox/state`` shows."""
        with self.lock:
            return {
                "version": self.version,
                "records": {name: len(table.rows) for name, table in self.db.tables.items()},
                "calls": dict(self.calls),
                "created": dict(self.created),
                "written": dict(self.written),
                "unlinked": dict(self.unlinked),
                "messages": len(self.db.messages),
                "webhooks": dict(Counter(self.webhook_outcomes)),
                "switches": self.switches.model_dump(mode="json"),
            }

    def save(self) -> None:
        """Store the whole state, where a state file was asked for."""
        if self._state_file is not None:
            state.save(self.db, self._state_file)
