"""What res.partner does beyond its fields: tidied values, the tax number, and what contacts take from companies."""

import re
from urllib.parse import urlsplit

from . import vat
from .data import PHONE_CODES
from .database import Env
from .errors import Json, Row, ValidationError

ADDRESS = ("street", "street2", "zip", "city", "state_id", "country_id")
COMMERCIAL = ("vat", "company_registry")


def tidy(env: Env, vals: Row, old: Row | None) -> Row:
    """Return the given values as the partner model rewrites them before they are stored."""
    tidied = dict(vals)
    if "company_type" in tidied:
        tidied["is_company"] = tidied.pop("company_type") == "company"
    if tidied.get("website"):
        tidied["website"] = _with_scheme(str(tidied["website"]))
    if tidied.get("vat") and env.db.switches.base_vat:
        country = tidied.get("country_id", old["country_id"] if old else False)
        code = _country_code(env, country)
        number = str(tidied["vat"])
        tidied["vat"] = vat.fix_18(number, code) if env.db.version < 19 else vat.check_19(number, code)[0]
    return tidied


def derive(env: Env, row: Row) -> None:
    """Fill in the stored computed fields of a row that is about to be stored."""
    row["complete_name"] = env.db.complete_name(row)
    row["phone_sanitized"] = _sanitized_phone(row["phone"], _country_code(env, row["country_id"]))


def inherited(env: Env, row: Row, changed: set[str]) -> Row:
    """Return what a contact takes over from its company: the address, and the commercial fields."""
    parent = env.db.row("res.partner", row["parent_id"]) if row["parent_id"] else None
    if parent is None or "parent_id" not in changed:
        return {}
    taken: Row = {}
    if not row["is_company"]:
        taken |= {name: parent[name] for name in COMMERCIAL}
    if row["type"] == "contact" and any(parent[name] for name in ADDRESS):
        taken |= {name: parent[name] for name in ADDRESS}
    return taken


def passed_down(env: Env, row: Row, changed: set[str]) -> list[tuple[int, Row]]:
    """Return the changes a company hands to its contacts after it was written itself."""
    handed: list[tuple[int, Row]] = []
    for child_id in env.db.tables["res.partner"].find("parent_id", [row["id"]]):
        child = env.db.tables["res.partner"].rows[child_id]
        vals: Row = {}
        if not child["is_company"]:
            vals |= {name: row[name] for name in COMMERCIAL if name in changed}
        if child["type"] == "contact" and changed & set(ADDRESS):
            vals |= {name: row[name] for name in ADDRESS}
        if vals or "name" in changed:
            handed.append((child_id, vals))
    return handed


def check(env: Env, row: Row, changed: set[str]) -> None:
    """Check the Python constraints: no loop of parents, and the tax number."""
    if "parent_id" in changed:
        check_hierarchy(env, "res.partner", row, "You cannot create recursive Partner hierarchies.")
    if env.db.switches.base_vat and changed & {"vat", "country_id"}:
        _check_vat(env, row)


def check_hierarchy(env: Env, model: str, row: Row, message: str) -> None:
    """Refuse a record that is its own ancestor."""
    seen = {row["id"]}
    parent: Json = row["parent_id"]
    while parent:
        if parent in seen:
            raise ValidationError(message)
        seen.add(parent)
        parent = (env.db.row(model, parent) or {}).get("parent_id")


def _check_vat(env: Env, row: Row) -> None:
    number = row["vat"]
    if not number or len(number) == 1 or env.context.get("no_vat_validation"):
        return
    country = _country_code(env, _commercial_partner(env, row)["country_id"])
    if env.db.version >= 19:
        wrong = vat.check_19(number, country)[1]
    else:
        wrong = None if vat.is_valid_18(number, country, is_company=row["is_company"]) else number
    if wrong is not None:
        raise ValidationError(vat.error_message(country, wrong, row["name"], env.db.version))


def _commercial_partner(env: Env, row: Row) -> Row:
    parent = env.db.row("res.partner", row["parent_id"]) if row["parent_id"] else None
    return row if row["is_company"] or parent is None else _commercial_partner(env, parent)


def _country_code(env: Env, country_id: Json) -> str | None:
    country = env.db.row("res.country", country_id) if country_id else None
    return country["code"] if country else None


def _with_scheme(website: str) -> str:
    return website if urlsplit(website).scheme else f"http://{website}"


def _sanitized_phone(phone: Json, country: str | None) -> Json:
    """Return the number in E.164, or False where it cannot be one."""
    if not phone:
        return False
    digits = re.sub(r"\D", "", phone)
    prefix = PHONE_CODES.get(country or "", "")
    if phone.strip().startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if not prefix or len(digits) < 7:
        return False
    if digits.startswith(prefix) and len(digits) > 10:
        return f"+{digits}"
    return f"+{prefix}{digits.removeprefix('0')}"
