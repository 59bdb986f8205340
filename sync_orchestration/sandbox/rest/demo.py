"""The demo's contacts: invented people in six countries, and the troubles planted among them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sync_orchestration.sandbox.rest.records import Json

FEWEST = 40
_DAYS = 10
_COUNTRIES = (
    ("CZ", "+420", ("Praha", "Brno", "Ostrava", "Plzeň"), ("Jana", "Petr", "Lucie"), ("Dvořáková", "Novotný", "Říha")),
    ("SK", "+421", ("Bratislava", "Košice", "Žilina"), ("Zuzana", "Marek"), ("Kováčová", "Horváth", "Ďurica")),
    ("DE", "+49", ("Berlin", "Köln", "Nürnberg"), ("Jürgen", "Sabine"), ("Müller", "Schröder", "Weiß")),
    ("PL", "+48", ("Warszawa", "Łódź", "Kraków"), ("Paweł", "Agnieszka"), ("Wójcik", "Zieliński", "Mazur")),
    ("UA", "+380", ("Київ", "Львів", "Одеса"), ("Олена", "Тарас"), ("Шевченко", "Коваль", "Їжакевич")),
    ("US", "+1", ("Portland", "Austin", "St. Louis"), ("Mary", "James"), ("O'Brien", "Smith", "García")),
)
_DOMAINS = ("example.com", "example.org", "mail.example.net")
_BAD_EMAILS = ("jana.dvorakova(at)example.com", "petr@", "not an address")


@dataclass
class DemoContacts:
    """Contacts in the order of their ids, with their times, and where the troubles are (counted from 1)."""

    contacts: list[tuple[Json, datetime]] = field(default_factory=list)
    planted: dict[str, list[int]] = field(default_factory=dict)


def demo_contacts(seed: int, count: int, today: datetime) -> DemoContacts:
    """`count` contacts that were changed in the ten days before `today`, at least 40 of them."""
    if count < FEWEST:
        raise ValueError(f"the troubles of the demo need at least {FEWEST} contacts")
    rng = random.Random(seed)
    first = today - timedelta(days=_DAYS)
    step = timedelta(days=_DAYS) / (count + 1)
    times = [first + step * (n + 1) for n in range(count)]
    # Ids follow the time of creation; later changes put one contact in five out of that order.
    times = [_changed_later(rng, time, today) if rng.random() < 0.2 else time for time in times]
    world = DemoContacts([(_contact(rng, n), time) for n, time in enumerate(times, start=1)])
    _plant(world, rng)
    _import_at_once(world, first + timedelta(days=3), count)
    return world


def _contact(rng: random.Random, number: int) -> Json:
    country, prefix, cities, firsts, lasts = rng.choice(_COUNTRIES)
    return {
        "name": f"{rng.choice(firsts)} {rng.choice(lasts)}",
        "email": f"contact{number}@{rng.choice(_DOMAINS)}" if rng.random() < 0.9 else None,
        "phone": f"{prefix} {rng.randint(100, 999)} {rng.randint(100_000, 999_999)}" if rng.random() < 0.8 else None,
        "city": rng.choice(cities),
        "country": country,
    }


def _changed_later(rng: random.Random, created: datetime, today: datetime) -> datetime:
    return created + (today - created) * rng.random()


def _plant(world: DemoContacts, rng: random.Random) -> None:
    """Give some contacts one trouble each; nobody has two."""
    free = rng.sample(range(2, len(world.contacts)), 2 * FEWEST // 3)

    def plant(kind: str, how_many: int, spoil: Callable[[Json, int], None]) -> None:
        for turn in range(how_many):
            number = free.pop()
            spoil(world.contacts[number - 1][0], turn)
            world.planted.setdefault(kind, []).append(number)

    plant("bad_email", 3, lambda contact, turn: contact.update(email=_BAD_EMAILS[turn]))
    plant("no_name", 2, lambda contact, turn: contact.update(name="" if turn else None))
    plant("unknown_country", 2, lambda contact, _: contact.update(country="XX"))
    plant("no_country", 2, lambda contact, _: contact.update(country=None))
    plant("spaces", 2, lambda contact, _: contact.update(name=f"  {contact['name']} ", city=f"{contact['city']}\u00a0"))
    plant("deleted", 8, lambda _contact, _turn: None)
    originals = [world.contacts[free.pop() - 1][0] for _ in range(2)]
    plant("duplicate", 2, lambda contact, turn: contact.update(originals[turn] | {"email": f"twin{turn}@example.com"}))
    for original, number in zip(originals, world.planted["duplicate"], strict=True):
        original["email"] = world.contacts[number - 1][0]["email"]


def _import_at_once(world: DemoContacts, moment: datetime, count: int) -> None:
    """Two contacts in five came in one import: they share a moment, and do not fit on one page."""
    troubled = {number for numbers in world.planted.values() for number in numbers}
    numbers = [number for number in range(count // 3, count + 1) if number not in troubled][: count * 2 // 5]
    for number in numbers:
        world.contacts[number - 1] = (world.contacts[number - 1][0], moment)
    world.planted["same_moment"] = numbers
