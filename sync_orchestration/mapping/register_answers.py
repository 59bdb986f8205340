"""What an answer of the company register says: one item of Kontur's ``/api3/req``, made flat for a mapping.

An item is ``{inn, ogrn, UL: {…}}`` for a legal entity and ``{inn, ogrn, IP: {…}}`` for an entrepreneur. The register
leaves out what is false or unknown; so does ``contractor_view``, and nothing here raises over an odd item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sync_orchestration.mapping.json_parts import JsonObject, object_in, objects_in, text_in
from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.register_addresses import Address, read_address
from sync_orchestration.mapping.registration_numbers import clean_number

Item = JsonObject
State = Literal["active", "reorganizing", "dissolving", "bankrupting", "dissolved"]
KppKind = Literal["ordinary", "branch", "largest_taxpayer"]

# Worst first: a company can be several of these at once.
_STATES: tuple[State, ...] = ("dissolved", "bankrupting", "dissolving", "reorganizing")
_STATE_TEXTS: Mapping[State, str] = {
    "active": "Действующее",
    "reorganizing": "В процессе реорганизации",
    "dissolving": "В процессе ликвидации",
    "bankrupting": "В процессе банкротства",
    "dissolved": "Деятельность прекращена",
}

# Fifth and sixth digit of a KPP, the reason of registration: 01 is the company at its own address; these are its
# branches, representations and other divisions (the tax service's list of reasons).
_BRANCH_REASONS = frozenset({"02", "03", "04", "05", "31", "32", "43", "44", "45"})
_LARGEST_TAXPAYER_REASON = "50"
_KPP_LENGTH = 9

_ENTREPRENEUR_FULL, _ENTREPRENEUR_SHORT = "Индивидуальный предприниматель", "ИП"
_DIRECTOR, _DEPUTY = "директор", "заместител"
_NO_ADDRESS = Address(line="")


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several bodies share one INN and nothing says which is meant. ``message`` names them all."""

    candidates: tuple[Item, ...]
    message: str


# Which body is meant


def choose_body(items: Sequence[Item], stored_ogrn: str | None) -> Item | Ambiguous | None:
    """Choose among the bodies of one INN: that of the stored OGRN, else the only one that is alive.

    Returns None where there are no items at all. A single item is chosen whatever the stored OGRN says: the
    question was for its INN, and a company may have been registered anew.
    """
    bodies = list({text_in(item.get("ogrn")) or str(number): item for number, item in enumerate(items)}.values())
    if len(bodies) < 2:
        return bodies[0] if bodies else None
    wanted = clean_number(stored_ogrn, "ogrn").number
    for item in bodies:
        if wanted is not None and text_in(item.get("ogrn")) == wanted:
            return item
    alive = [item for item in bodies if is_alive(item)]
    if len(alive) == 1:
        return alive[0]
    return _ambiguous(bodies, len(alive))


def _ambiguous(bodies: list[Item], alive: int) -> Ambiguous:
    listed = "; ".join(f"{text_in(item.get('ogrn'))} {full_name(item)} ({state(item)})" for item in bodies)
    of_them = "none of them" if not alive else f"{alive} of them"
    inn = text_in(bodies[0].get("inn"))
    message = f"INN {inn} has {len(bodies)} bodies, {of_them} alive; store the OGRN of the right one: {listed}"
    return Ambiguous(tuple(bodies), message)


# What kind of body it is, and how it fares


def is_entrepreneur(item: Item) -> bool:
    """Tell whether an item is an individual entrepreneur (IP), not a legal entity (UL)."""
    if "UL" in item and "IP" in item:  # seen in a copied example, never in an answer
        return len(text_in(item.get("ogrn")) or "") == 15
    return "IP" in item


def state(item: Item) -> State:
    """Return how a company fares, the gravest thing first; the register says only what is true."""
    status = object_in(_body(item).get("status"))
    for name in _STATES:
        if status.get(name) is True:
            return name
    # A date of dissolution beside a status without "dissolved" has been seen with companies that live.
    return "dissolved" if not status and text_in(_body(item).get("dissolutionDate")) else "active"


def _tells_state(item: Item) -> bool:
    return bool(object_in(_body(item).get("status")) or text_in(_body(item).get("dissolutionDate")))


def is_alive(item: Item) -> bool:
    """Tell whether a company or entrepreneur still exists, be it in bankruptcy or liquidation."""
    return state(item) != "dissolved"


def status_text(item: Item) -> str:
    """Return the state in the register's own words, or in ours where it gives none."""
    return text_in(object_in(_body(item).get("status")).get("statusString")) or _STATE_TEXTS[state(item)]


# Names, numbers, head


def full_name(item: Item) -> str | None:
    """Return the full name of a legal entity, or «Индивидуальный предприниматель» and the person's name."""
    if is_entrepreneur(item):
        return _entrepreneur(item, _ENTREPRENEUR_FULL)
    return text_in(object_in(_body(item).get("legalName")).get("full"))


def short_name(item: Item) -> str | None:
    """Return the short name of a legal entity (else the readable one), or «ИП» and the person's name."""
    if is_entrepreneur(item):
        return _entrepreneur(item, _ENTREPRENEUR_SHORT)
    names = object_in(_body(item).get("legalName"))
    return text_in(names.get("short")) or text_in(names.get("readable"))


def ogrn(item: Item) -> str | None:
    """Return the OGRN of a legal entity; entrepreneurs have an OGRNIP instead."""
    return None if is_entrepreneur(item) else text_in(item.get("ogrn"))


def psrnsp(item: Item) -> str | None:
    """Return the OGRNIP of an entrepreneur (``idocs:psrnsp``)."""
    return text_in(item.get("ogrn")) if is_entrepreneur(item) else None


def kpp(item: Item) -> str | None:
    """Return the KPP of a legal entity at its own address."""
    return text_in(_body(item).get("kpp"))


def okpo(item: Item) -> str | None:
    """Return the code of statistics: 8 digits of a legal entity, 10 of an entrepreneur."""
    return text_in(_body(item).get("okpo"))


def head(item: Item) -> str | None:
    """Return who leads a legal entity: the first director, else the first head, else the management company."""
    heads = [(_person(head), text_in(head.get("position")) or "") for head in objects_in(_body(item).get("heads"))]
    named = [(name, position) for name, position in heads if name]
    directors = [name for name, position in named if _is_director(position.casefold())]
    managers = [text_in(manager.get("name")) for manager in objects_in(_body(item).get("managementCompanies"))]
    return next(filter(None, [*directors, *(name for name, _ in named), *managers]), None)


def kpp_kind(stored_kpp: str | None, item: Item) -> KppKind:
    """Tell what a KPP that a record already holds stands for.

    The company's own KPP is ``ordinary``, whatever its digits, and so is a former one or none.
    """
    stored = _kpp_as_written(stored_kpp)
    if len(stored) != _KPP_LENGTH or stored == kpp(item):
        return "ordinary"
    reason = stored[4:6]
    if reason == _LARGEST_TAXPAYER_REASON:
        return "largest_taxpayer"
    branches = {text_in(branch.get("kpp")) for branch in objects_in(_body(item).get("branches"))}
    return "branch" if stored in branches or reason in _BRANCH_REASONS else "ordinary"


def kpp_is_special(stored_kpp: str | None, item: Item) -> bool:
    """Tell whether a record's KPP is a branch's or a largest taxpayer's, so that it must be left alone."""
    return kpp_kind(stored_kpp, item) != "ordinary"


def legal_address(item: Item) -> Address | None:
    """Return the legal address of a legal entity; the register gives none of entrepreneurs."""
    return read_address(object_in(_body(item).get("legalAddress")))


# Everything at once


def contractor_view(item: Item, *, stored_kpp: str | None = None) -> dict[str, JSON]:
    """Flatten an item into the fields that a mapping to contractors or partners uses; no value is ever empty.

    ``inn``, ``ogrn`` or ``psrnsp``, ``name`` (short, else full), ``full_name``, ``short_name``, ``kpp``, ``okpo``,
    ``head``, ``address``, ``zip``, ``region``, ``city``, ``street``, ``status`` (words), ``state`` (one of State),
    ``active`` (bool). What the register does not say is absent: it must not blank what a record holds. Of a
    record whose KPP is a branch's, the KPP and the address are its own, so both are absent; of one with a largest
    taxpayer's KPP, the KPP.
    """
    held = kpp_kind(stored_kpp, item)
    address = (None if held == "branch" else legal_address(item)) or _NO_ADDRESS
    view: dict[str, str | None] = {
        "inn": text_in(item.get("inn")),
        "ogrn": ogrn(item),
        "psrnsp": psrnsp(item),
        "name": short_name(item) or full_name(item),
        "full_name": full_name(item),
        "short_name": short_name(item),
        "kpp": kpp(item) if held == "ordinary" else None,
        "okpo": okpo(item),
        "head": head(item),
        "address": address.line,
        "zip": address.zip,
        "region": address.region,
        "city": address.city,
        "street": address.street,
    }
    said: dict[str, JSON] = {key: value for key, value in view.items() if value}
    if _tells_state(item):
        said |= {"status": status_text(item), "state": state(item), "active": is_alive(item)}
    return said


def _body(item: Item) -> Item:
    return object_in(item.get("IP" if is_entrepreneur(item) else "UL"))


def _entrepreneur(item: Item, title: str) -> str | None:
    person = _person(_body(item))
    return f"{title} {person}" if person else None


def _person(body: Item) -> str | None:
    """Return a person's name: family name, first name, patronymic."""
    parts = object_in(body.get("structuredFio"))
    names = (text_in(parts.get(part)) for part in ("lastName", "firstName", "middleName"))
    return text_in(body.get("fio")) or " ".join(filter(None, names)) or None


def _is_director(position: str) -> bool:
    return _DIRECTOR in position and _DEPUTY not in position


def _kpp_as_written(stored: str | None) -> str:
    """Return a stored KPP without spaces, and with the leading zero that a spreadsheet dropped."""
    written = "".join((stored or "").split())
    return f"0{written}" if len(written) == _KPP_LENGTH - 1 and written.isdigit() else written
