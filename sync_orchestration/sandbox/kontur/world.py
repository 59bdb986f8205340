"""The register's memory: its companies, the key, the quota, and every number it was asked for."""

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from sync_orchestration.sandbox.check_digits import is_inn, is_ogrn
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.company import Company
from sync_orchestration.sandbox.faults import Faults
from sync_orchestration.sandbox.kontur.items import egr_details_item, req_item
from sync_orchestration.sandbox.kontur.switches import KonturSwitches, Shape

Param = Literal["inn", "ogrn"]
Method = Literal["req", "egrDetails"]

_COMPANIES = TypeAdapter(list[Company])
_SHAPES: tuple[Shape, ...] = ("2018", "2021", "2024")
_LENGTHS = {"inn": (10, 12), "ogrn": (13, 15)}
_RENDER = {"req": req_item, "egrDetails": egr_details_item}


class KonturWorld:
    """One register with one customer's key. All methods may be called from any thread."""

    def __init__(
        self,
        companies: Iterable[Company] = (),
        *,
        seed: int = 0,
        key: str = "sandbox-kontur-key-000001",
        state_file: Path | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.faults = Faults(seed)
        self.switches = KonturSwitches()
        self.key = key
        self.asked: Counter[str] = Counter()
        """How often each number was asked for, malformed ones included."""
        self.calls: Counter[str] = Counter()
        """How many calls each method has answered with companies."""
        self.spent_on: set[str] = set()
        """OGRN of the companies that have been paid for in this period."""
        self._random = random.Random(seed)
        self._companies: dict[str, Company] = {}
        self._by_inn: dict[str, list[str]] = {}
        self._rendered: dict[tuple[Method, Shape, str], bytes] = {}
        self._recent: deque[float] = deque()
        self._state_file = state_file
        if state_file and state_file.exists():
            self._load(state_file)
        else:
            self.add(*companies)

    @classmethod
    def demo(cls, seed: int = 1, contractors: int = 1500, *, state_file: Path | None = None) -> Self:
        """The register that knows the companies of ``AlfrescoWorld.demo`` with the same arguments."""
        known = (c for c in demo_companies(seed, contractors) if c.registered)
        return cls(known, seed=seed, state_file=state_file)

    @property
    def companies(self) -> tuple[Company, ...]:
        """Everything the register knows, in no meaningful order."""
        with self.lock:
            return tuple(self._companies.values())

    def add(self, *companies: Company) -> None:
        """Enter companies; one with a known OGRN replaces what the register knew."""
        with self.lock:
            for company in companies:
                self._forget(company.ogrn)
                self._companies[company.ogrn] = company
                self._by_inn.setdefault(company.inn, []).append(company.ogrn)
            self.save()

    def change(self, ogrn: str, **changes: Any) -> Company:
        """Change some of a company's fields, as a new register entry does."""
        with self.lock:
            changed = replace(self._companies[ogrn], **changes)
            self.add(changed)
            return changed

    def remove(self, ogrn: str) -> None:
        """Forget a company: its number is then well-formed but unknown."""
        with self.lock:
            self._forget(ogrn)
            self.save()

    def found(self, number: str) -> list[Company]:
        """The bodies that an INN or an OGRN stands for."""
        with self.lock:
            return self.find("inn", number) or self.find("ogrn", number)

    def find(self, param: Param, number: str) -> list[Company]:
        """The bodies of one number of one kind."""
        ogrns = self._by_inn.get(number, []) if param == "inn" else [number]
        return [self._companies[ogrn] for ogrn in ogrns if ogrn in self._companies]

    def is_well_formed(self, param: Param, number: str) -> bool:
        """Whether the register takes `number` for a possible number at all."""
        if not number.isascii() or not number.isdigit() or len(number) not in _LENGTHS[param]:
            return False
        if param == "inn" and number.startswith("99") and self.switches.foreign_inn == "malformed":
            return False
        if self.switches.malformed == "length":
            return True
        return is_inn(number) if param == "inn" else is_ogrn(number)

    def may_call(self) -> bool:
        """Count a call against the rate limit; false when there have been too many."""
        allowed, now = self.switches.max_calls, time.monotonic()
        if allowed is None:
            return True
        while self._recent and self._recent[0] <= now - self.switches.window_seconds:
            self._recent.popleft()
        if len(self._recent) >= allowed:
            return False
        self._recent.append(now)
        return True

    def spent(self) -> int:
        """What this period has cost, in the unit of the tariff."""
        by_company = self.switches.limit_type == "LegalEntities"
        return len(self.spent_on) if by_company else self.calls.total()

    def pay(self, method: Method, companies: list[Company]) -> bool:
        """Charge one answer to the quota; false, and nothing charged, when the quota does not suffice."""
        new = {company.ogrn for company in companies} - self.spent_on
        price = len(new) if self.switches.limit_type == "LegalEntities" else 1
        if price and self.spent() + price > self.switches.limit:
            return False
        self.spent_on |= new
        self.calls[method] += 1
        self.save()
        return True

    def answer(self, method: Method, companies: list[Company]) -> bytes:
        """The JSON array for these companies, in whatever order the switches say."""
        if self.switches.shuffle:
            companies = self._random.sample(companies, len(companies))
        return b"[" + b",".join(self._render(method, company) for company in companies) + b"]"

    def stat(self) -> list[dict[str, Any]]:
        """The answer of ``/api3/stat``: one quota that both methods share."""
        year = datetime.now(UTC).year
        return [
            {
                "methodName": "req & egrDetails",
                "limit": self.switches.limit,
                "limitType": self.switches.limit_type,
                "periodStartDate": f"{year}-01-01",
                "periodEndDate": f"{year}-12-31",
                "spent": self.spent(),
            }
        ]

    def overview(self) -> dict[str, Any]:
        """Counts for ``/_sandbox/state``."""
        with self.lock:
            return {
                "companies": len(self._companies),
                "asked_numbers": self.asked.total(),
                "asked_distinct": len(self.asked),
                "asked_more_than_once": sum(1 for count in self.asked.values() if count > 1),
                "calls": dict(self.calls),
                "spent": self.spent(),
                "limit": self.switches.limit,
            }

    def save(self) -> None:
        """Write the whole state to the state file, if there is one."""
        if self._state_file is None:
            return
        state = {
            "companies": _COMPANIES.dump_python(list(self._companies.values()), mode="json"),
            "asked": self.asked,
            "calls": self.calls,
            "spent_on": sorted(self.spent_on),
            "switches": self.switches.model_dump(mode="json"),
        }
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        fresh.replace(self._state_file)

    def _load(self, state_file: Path) -> None:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        self._state_file = None
        self.add(*_COMPANIES.validate_python(state["companies"]))
        self._state_file = state_file
        self.asked = Counter(state["asked"])
        self.calls = Counter(state["calls"])
        self.spent_on = set(state["spent_on"])
        self.switches = KonturSwitches.model_validate(state["switches"])

    def _forget(self, ogrn: str) -> None:
        company = self._companies.pop(ogrn, None)
        if company is None:
            return
        self._by_inn[company.inn].remove(ogrn)
        for key in [key for key in self._rendered if key[2] == ogrn]:
            del self._rendered[key]

    def _render(self, method: Method, company: Company) -> bytes:
        shape = self.switches.shape
        year = _SHAPES[int(company.ogrn) % 3] if shape == "mixed" else shape
        key = (method, year, company.ogrn)
        if key not in self._rendered:
            item = _RENDER[method](company, year)
            self._rendered[key] = json.dumps(item, ensure_ascii=False).encode()
        return self._rendered[key]
