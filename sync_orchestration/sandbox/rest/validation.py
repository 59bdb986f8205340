"""What the CRM takes for a partner, and what it says about anything else."""

import re
from collections.abc import Mapping
from typing import Any

from sync_orchestration.sandbox.rest.answers import FieldError, RefusedError
from sync_orchestration.sandbox.rest.records import READ_ONLY, Collection, Json
from sync_orchestration.sandbox.rest.switches import RestSwitches

KNOWN_FIELDS = frozenset(
    {
        *("name", "email", "phone", "mobile", "vat", "street", "zip", "city", "country"),
        *("external_ref", "is_company", "active", "note", "website"),
    }
)
_LONGEST_NAME = 255
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_COUNTRY = re.compile(r"[A-Z]{2}")


def usable(values: Mapping[str, Any], collection: Collection, switches: RestSwitches) -> Json:
    """What a client may set of the values that it sent."""
    sent = {name: value for name, value in values.items() if name not in READ_ONLY}
    if collection.name != "partners" or switches.unknown_fields == "accept":
        return sent
    unknown = [name for name in sent if name not in KNOWN_FIELDS]
    if unknown and switches.unknown_fields == "refuse":
        raise _invalid(tuple(FieldError(name, "is not a field of this record") for name in unknown), switches)
    return {name: value for name, value in sent.items() if name not in unknown}


def check(values: Mapping[str, Any], collection: Collection, switches: RestSwitches, *, number: int = 0) -> None:
    """Refuse values that record `number` (0: a new one) cannot have; contacts are free of rules."""
    if collection.name != "partners":
        return
    wrong = tuple(_wrong_fields(values))
    if wrong:
        raise _invalid(wrong, switches)
    _check_unique_vat(values, collection, switches, number)


def _wrong_fields(values: Mapping[str, Any]) -> list[FieldError]:
    wrong: list[FieldError] = []
    name = values.get("name")
    if not isinstance(name, str) or not name.strip():
        wrong.append(FieldError("name", "is required"))
    elif len(name) > _LONGEST_NAME:
        wrong.append(FieldError("name", f"is too long (at most {_LONGEST_NAME} characters)"))
    for field, pattern in (("email", _EMAIL), ("country", _COUNTRY)):
        value = values.get(field)
        if value not in (None, "") and not (isinstance(value, str) and pattern.fullmatch(value)):
            wrong.append(FieldError(field, "is not a valid e-mail address" if field == "email" else "is no ISO code"))
    if not isinstance(values.get("is_company", False), bool | None):
        wrong.append(FieldError("is_company", "must be true or false"))
    return wrong


def _check_unique_vat(values: Mapping[str, Any], collection: Collection, switches: RestSwitches, number: int) -> None:
    vat = values.get("vat")
    if not vat:
        return
    for other in collection:
        if other.number != number and not other.deleted and other.values.get("vat") == vat:
            existing = other.id(switches)
            fields = (FieldError("vat", f"is already used. Existing ID: {existing}"),)
            raise RefusedError(409, "The record conflicts with another one", fields=fields, existing_id=existing)


def _invalid(wrong: tuple[FieldError, ...], switches: RestSwitches) -> RefusedError:
    return RefusedError(switches.invalid_status, "Validation failed", fields=wrong)
