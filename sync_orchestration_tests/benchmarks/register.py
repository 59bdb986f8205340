"""Asking the company register: contractors in batches of a hundred, kept, against one number a request."""

from dataclasses import dataclass
from multiprocessing.connection import Connection as Line
from statistics import median

import requests

from sync_orchestration.interface.database import connect
from sync_orchestration.mapping.registration_numbers import clean_number
from sync_orchestration.pipeline.lookup import Enquiry
from sync_orchestration.sandbox.companies import demo_companies
from sync_orchestration.sandbox.kontur import KonturWorld, kontur_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration.systems.kontur import KonturClient, KonturLookup
from sync_orchestration_tests.benchmarks.measured import Grid, Machine, Measured, load_now
from sync_orchestration_tests.benchmarks.stand_ins import (
    elsewhere,
    fresh_database,
    in_own_process,
    postgres,
    until_closed,
)
from sync_orchestration_tests.benchmarks.watching import watched

CONTRACTORS = 10_000
_KEY = "key-of-the-benchmark-0001"
_ATTRIBUTE = "idocs:inn"


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds and requests that it took to ask about all contractors, and about how many something was found."""

    seconds: float
    waiting: float
    requests: int
    found: int


def measure_register(rounds: int, contractors: int = CONTRACTORS) -> Measured:
    """Ask about the same contractors in turn: in batches, again within the day, and one by one."""
    before = load_now()
    numbers = _numbers(contractors)
    found: dict[str, list[Asked]] = {"ours": [], "ours, again within a day": [], "one by one": []}
    with elsewhere(_serve, contractors) as register, postgres() as server:
        for number in range(rounds):
            works = [_ask_in_batches, _ask_one_by_one]
            for work in works if number % 2 else reversed(works):
                with fresh_database(server) as url:
                    for name, asked in in_own_process(work, register, url, numbers).items():
                        found[name].append(asked)
    rows = tuple(
        (
            name,
            f"{median(one.requests for one in several) * 10_000 / len(numbers):,.0f}",
            f"{median(one.seconds for one in several) * 10_000 / len(numbers):.2f}",
            f"{median(one.waiting for one in several) * 10_000 / len(numbers):.2f}",
            f"{several[0].found:,}",
        )
        for name, several in found.items()
    )
    pairs = zip(found["one by one"], found["ours"], strict=True)
    faster = median(single.seconds / batched.seconds for single, batched in pairs)
    return Measured(
        name="register",
        title="Asking Kontur about contractors",
        grids=(
            Grid(
                title=f"{len(numbers):,} contractors, for 10,000 of them; {rounds} rounds in turn, medians",
                head=("", "requests", "seconds", "waiting s", "found"),
                rows=rows,
            ),
        ),
        notes=(
            f"Ours is {faster:.1f} times as fast at a register that answers at once over the loopback; each "
            "millisecond that a real one takes adds 0.1 s to ours and 10 s to one by one.",
        ),
        machine=Machine(load=(before, load_now())),
    )


def _ask_in_batches(register: str, database_url: str, numbers: list[str]) -> dict[str, Asked]:
    payloads = [{_ATTRIBUTE: number} for number in numbers]
    told = {}
    with connect(database_url) as conn:
        for name in ("ours", "ours, again within a day"):
            http = HttpClient(HttpSettings("Kontur", register, secrets=(_KEY,)))
            enquiry = Enquiry(conn, KonturLookup(KonturClient(http, _KEY), _ATTRIBUTE, "inn"))
            with watched() as spent:
                answers = enquiry.ask_about(payloads)
            known = sum(bool(bodies) for bodies in answers.values())
            told[name] = Asked(spent.seconds, spent.waiting, http.requests_sent, known)
    return told


def _ask_one_by_one(register: str, database_url: str, numbers: list[str]) -> dict[str, Asked]:
    with requests.Session() as session, watched() as spent:
        session.trust_env = False
        answers = {
            number: session.get(f"{register}/api3/req", params={"key": _KEY, "inn": number}).json()
            for number in numbers
        }
    known = sum(bool(bodies) for bodies in answers.values())
    return {"one by one": Asked(spent.seconds, spent.waiting, len(numbers), known)}


def _numbers(contractors: int) -> list[str]:
    """Return the distinct numbers of the made-up companies that may be asked for."""
    numbers = (clean_number(company.inn, "inn").number for company in demo_companies(1, contractors))
    return list(dict.fromkeys(number for number in numbers if number is not None))


def _serve(line: Line, contractors: int) -> None:
    known = (company for company in demo_companies(1, contractors) if company.registered)
    with serve(kontur_app(KonturWorld(known, key=_KEY))) as url:
        line.send(url)
        until_closed(line)
