"""An Odoo whose clock the test sets, and a source of some of its partners."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync_orchestration.systems.odoo.client import OdooClient
from sync_orchestration.systems.odoo.reading import RecordReading
from sync_orchestration.systems.odoo.source import OdooSource
from sync_orchestration_tests.systems.conftest import KEY, PARTNER, PASSWORD, Odoo, Switchboard, open_odoo

MORNING = datetime(2026, 11, 22, 4, 46, 23, 250_000, tzinfo=UTC)
OURS = [["ref", "=", "ours"]]
"""The domain of the partners that a test has made, apart from those that every Odoo has."""


@dataclass
class Days:
    """An Odoo and its clock, which stands still unless it is set."""

    odoo: Odoo
    now: datetime

    @contextmanager
    def at(self, **earlier: float) -> Iterator[None]:
        """Do something so much earlier (hours=1, microseconds=5)."""
        kept, self.now = self.now, self.now - timedelta(**earlier)
        yield
        self.now = kept

    def wait(self, **later: float) -> None:
        self.now += timedelta(**later)

    @property
    def second(self) -> int:
        """The position of what is written now."""
        return int(self.now.timestamp())

    def create(self, name: str = "A", **values: Any) -> str:
        return str(self.odoo.create(**{"name": name, "ref": "ours", **values}))

    def write(self, key: str, **values: Any) -> None:
        self.odoo.world.call(PARTNER, "write", [int(key)], values)

    def delete(self, key: str) -> None:
        self.odoo.world.call(PARTNER, "unlink", [int(key)])

    def source(
        self,
        *paths: str,
        model: str = PARTNER,
        domain: list[Any] | None = None,
        client: OdooClient | None = None,
        **settings: Any,
    ) -> OdooSource:
        client = client or self.odoo.client()
        reading = RecordReading(client, model, paths or ("name",))
        return OdooSource(client, model, reading, OURS if domain is None else domain, **settings)

    def calls(self, method: str, model: str = PARTNER) -> int:
        """How often a method was called since the world began."""
        return int(self.odoo.world.calls[f"{model}.{method}"])


@dataclass
class _Clock:
    days: Days | None = field(default=None)

    def __call__(self) -> datetime:
        return MORNING if self.days is None else self.days.now


def open_days(board: Switchboard, name: str, **world: Any) -> Days:
    clock = _Clock()
    clock.days = Days(open_odoo(board, name, clock=clock, **world), MORNING)
    # What every Odoo has from its installation is older than what a test does.
    clock.days.wait(days=1)
    return clock.days


@pytest.fixture(params=["odoo 18", "odoo 19 with an API key"])
def days(request: pytest.FixtureRequest, board: Switchboard) -> Days:
    """The same test for 18, which compares times with their microseconds, and 19, which compares whole seconds."""
    return open_days(board, request.param)


__all__ = ["KEY", "MORNING", "OURS", "PARTNER", "PASSWORD", "Days", "days", "open_days"]
