"""What the register knows of one company or entrepreneur, free of any wire format."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Topo:
    """One step of an address: short name without a dot, full name, value."""

    short: str
    full: str
    value: str

    def line(self) -> str:
        """The step as the register writes it in a one-line address."""
        if self.full in ("область", "край"):
            return f"{self.value} {self.full}"
        return f"{self.short}. {self.value}" if self.dotted else f"{self.short} {self.value}"

    @property
    def dotted(self) -> bool:
        """Whether the short name is an abbreviation that takes a dot (not «р-н», not «край»)."""
        return "-" not in self.short and self.short != self.full


@dataclass(frozen=True)
class Place:
    """A Russian address in steps; a federal city is a region and has no city of its own."""

    region_code: str
    region: Topo
    zip_code: str | None = None
    district: Topo | None = None
    city: Topo | None = None
    settlement: Topo | None = None
    street: Topo | None = None
    house: str | None = None
    bulk: str | None = None
    flat: str | None = None

    def one_line(self) -> str:
        """The address as one line, in the register's wording of 2024."""
        steps = (self.region, self.district, self.city, self.settlement, self.street)
        parts = [self.zip_code, *(step.line() for step in steps if step)]
        for short, value in (("д.", self.house), ("к.", self.bulk), ("кв.", self.flat)):
            if value:
                parts.append(f"{short} {value}")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Person:
    """A natural person's name."""

    last: str
    first: str
    middle: str

    @property
    def fio(self) -> str:
        """Family name, first name, patronymic."""
        return f"{self.last} {self.first} {self.middle}"


@dataclass(frozen=True)
class Head:
    """Who leads the company, and since when."""

    person: Person
    position: str
    inn: str
    since: str


@dataclass(frozen=True)
class Branch:
    """A branch; the register knows the KPP of some only."""

    place: Place
    since: str
    name: str | None = None
    kpp: str | None = None


@dataclass(frozen=True)
class Manager:
    """A management company that leads the company in place of a director."""

    name: str
    inn: str
    ogrn: str
    since: str


@dataclass(frozen=True)
class Company:
    """A legal entity (``UL``) or an individual entrepreneur (``IP``).

    `role` says what the company is in the demo's world; `registered` is false for a company whose number is
    well-formed but which the register does not know.
    """

    kind: Literal["UL", "IP"]
    role: str
    inn: str
    ogrn: str
    registration_date: str
    okpo: str | None = None
    kpp: str | None = None
    full_name: str | None = None
    short_name: str | None = None
    readable_name: str | None = None
    person: Person | None = None
    place: Place | None = None
    heads: tuple[Head, ...] = ()
    managers: tuple[Manager, ...] = ()
    branches: tuple[Branch, ...] = ()
    old_kpps: tuple[str, ...] = ()
    largest_taxpayer_kpp: str | None = None
    dissolved: str | None = None
    registered: bool = True

    @property
    def status(self) -> str:
        """The register's words for the company's state."""
        if not self.dissolved:
            return "Действующее"
        if self.kind == "IP":
            return (
                "Индивидуальный предприниматель прекратил деятельность в связи с принятием им соответствующего решения"
            )
        return "Юридическое лицо ликвидировано"
