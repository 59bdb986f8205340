"""The stand-in's whole state: companies, switches, credentials, quota, and the file that keeps them."""

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ..faults import Faults
from .address_book import fill_company
from .company import Company, CompanyCard
from .hooks import HookDispatcher
from .persistence import company_from_state, company_state, write_atomically
from .switches import FlexiSwitches
from .values import ZONE, datetime_text


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FlexiWorld:
    """One ABRA Flexi server. Safe to use from other threads while it is being served."""

    def __init__(
        self,
        *,
        seed: int = 0,
        user: str = "sync",
        password: str = "sync",  # noqa: S107 - the published password of a stand-in
        switches: FlexiSwitches | None = None,
        clock: Callable[[], datetime] = _utc_now,
        state_file: Path | None = None,
    ) -> None:
        self.seed = seed
        self.user = user
        self.password = password
        self.switches = switches or FlexiSwitches()
        self.clock = clock
        self.state_file = state_file
        self.faults = Faults(seed=seed)
        self.lock = threading.RLock()
        self.companies: dict[str, Company] = {}
        self.hooks: dict[str, HookDispatcher] = {}
        self.planted: dict[str, list[int]] = {}
        self.requests_by_day: Counter[str] = Counter()
        if state_file is not None and state_file.exists():
            self._load(json.loads(state_file.read_text(encoding="utf-8")))

    @classmethod
    def demo(
        cls,
        *,
        seed: int = 1,
        partners: int = 2000,
        switches: FlexiSwitches | None = None,
        clock: Callable[[], datetime] = _utc_now,
        state_file: Path | None = None,
    ) -> "FlexiWorld":
        """Return a server with the company ``demo``, full of made-up partners; the same for the same seed.

        `planted` then lists, by kind of trouble, the ids that a target system will refuse.
        """
        world = cls(seed=seed, switches=switches, clock=clock, state_file=state_file)
        if "demo" not in world.companies:
            company = world.add_company("demo", title="Demo s.r.o.")
            world.planted = fill_company(company, seed=seed, partners=partners)
            world.save()
        return world

    def add_company(self, name: str, *, title: str | None = None, changes_enabled: bool = True) -> Company:
        """Add an empty company; `name` is its place in URLs."""
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise ValueError(f"not a database name: {name}")
        with self.lock:
            number = len(self.companies) + 1
            rng = random.Random(f"{self.seed}/{name}")
            created = datetime(2021, 3, number % 28 + 1, 9, 30, 42, 673_000, tzinfo=ZONE)
            card = CompanyCard(number, name, title or name, datetime_text(created), f"{rng.getrandbits(128):032x}")
            company = self._adopt(card, rng)
            company.log.enabled = changes_enabled
            return company

    def remove_company(self, name: str) -> None:
        """Delete a company; its name may be given to another one later."""
        with self.lock:
            del self.companies[name]
            del self.hooks[name]

    def restore(self, name: str, to_version: int, *, skip_changelog: bool = False) -> None:
        """Restore a company's backup of `to_version`; its web hooks are gone afterwards."""
        with self.lock:
            self.companies[name].restore(to_version, skip_changelog=skip_changelog)
            self.hooks[name].hooks.clear()

    def now(self) -> datetime:
        """Return the server's time, by whatever clock it has at the moment."""
        return self.clock()

    def seconds_of_quota_pause(self) -> int | None:
        """Count one request; returns for how long to stay away once the day's quota is used up."""
        with self.lock:
            day = self.now().astimezone(ZONE).date().isoformat()
            self.requests_by_day[day] += 1
            quota = self.switches.daily_quota
            if quota is None or self.requests_by_day[day] <= quota:
                return None
            return self.switches.quota_retry_after_seconds

    def change_switches(self, changes: Mapping[str, JsonValue]) -> None:
        """Change some switches, checked."""
        self.switches = FlexiSwitches.model_validate({**self.switches.model_dump(), **changes})

    def save(self) -> None:
        """Write everything to the state file, if there is one."""
        if self.state_file is None:
            return
        with self.lock:
            state = {
                "switches": self.switches.model_dump(),
                "planted": self.planted,
                "companies": [company_state(c, self.hooks[c.name]) for c in self.companies.values()],
            }
            write_atomically(self.state_file, json.dumps(state, ensure_ascii=False))

    def overview(self) -> dict[str, JsonValue]:
        """Return counts for a person who wants to see what is there."""
        with self.lock:
            return {
                "companies": {name: self._company_overview(c) for name, c in self.companies.items()},
                "planted": {kind: list[JsonValue](ids) for kind, ids in self.planted.items()},
                "requests_by_day": dict(self.requests_by_day),
            }

    def _company_overview(self, company: Company) -> dict[str, JsonValue]:
        return {
            "records": {path: len(table.records) for path, table in company.tables.items()},
            "changes_enabled": company.log.enabled,
            "global_version": company.global_version,
            "changes": len(company.log.versions),
            "held_changes": len(company.log.held),
            "hooks": len(self.hooks[company.name].hooks),
        }

    def _adopt(self, card: CompanyCard, rng: random.Random) -> Company:
        company = Company(
            card=card,
            switches=lambda: self.switches,
            clock=self.now,
            rng=rng,
            lock=self.lock,
            on_commit=self._on_commit,
        )
        self.companies[card.name] = company
        self.hooks[card.name] = HookDispatcher(company)
        return company

    def _on_commit(self, company: Company) -> None:
        dispatcher = self.hooks.get(company.name)
        if dispatcher is not None:
            dispatcher.wake()

    def _load(self, state: Mapping[str, Any]) -> None:
        self.switches = FlexiSwitches.model_validate(state["switches"])
        self.planted = state["planted"]
        for one in state["companies"]:
            company = self._adopt(CompanyCard(**one["card"]), random.Random(self.seed))
            company_from_state(company, self.hooks[company.name], one)
