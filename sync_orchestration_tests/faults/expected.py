"""What Odoo must hold for a Flexi record, worked out apart from the product's mapping."""

import html
import re
from datetime import UTC, datetime
from typing import Any

from sync_orchestration.sandbox.flexi import Company

KNOWN_COUNTRIES = {"CZ", "SK"}
REFUSED_VAT = "CZ12345670"


def records(company: Company) -> dict[str, dict[str, str]]:
    """Every record of the address book by key, its country as a code and its first contact with it."""
    found = {}
    contacts = [company.record("kontakt", one) or {} for one in company.ids("kontakt")]
    for record_id in company.ids("adresar"):
        record = company.record("adresar", record_id) or {}
        country = company.record("stat", int(record["stat"])) if record["stat"] else None
        mine = sorted((c for c in contacts if c["firma"] == str(record_id)), key=lambda c: int(c["id"]))
        found[str(record_id)] = {
            **record,
            "country": country["kod"] if country else "",
            "contact": mine[0]["prijmeni"] if mine else "",
        }
    return found


def is_skipped(record: dict[str, str]) -> bool:
    return record["poznam"] == "internal"


def is_refused(record: dict[str, str]) -> bool:
    emails = [part.strip() for part in re.split("[,;]", record["email"]) if part.strip()]
    return (
        not record["nazev"].strip()
        or any(not re.fullmatch(r"\w+@\w+\.\w+", email) for email in emails)
        or (record["country"] != "" and record["country"] not in KNOWN_COUNTRIES)
        or record["dic"] == REFUSED_VAT
    )


def values(record: dict[str, str], version: int) -> dict[str, Any]:
    """The partner that this record is to become; texts as Odoo tells them, False for an empty one."""
    year = datetime.now(UTC).year
    begins, ends = int(record["platiOd"] or 0), int(record["platiDo"] or 9999)
    website = record["www"].strip()
    wanted: dict[str, Any] = {
        "name": record["nazev"].strip(),
        "ref": record["kod"].strip(),
        "company_registry": record["ic"].strip(),
        "vat": record["dic"].strip(),
        "street": record["ulice"].strip(),
        "city": record["mesto"].strip(),
        "zip": record["psc"].strip(),
        "country": record["country"],
        "phone": record["tel"].strip(),
        "email": record["email"].strip(),
        "website": f"http://{website}" if website else "",
        "comment": " ".join(record["popis"].split()),
        "function": record["contact"].strip(),
        "is_company": record["ic"].strip() != "",
        "active": begins <= year and (ends in (0, 9999) or year <= ends),
    }
    if version < 19:
        wanted["mobile"] = record["mobil"].strip()
    return wanted


def partner_values(partner: dict[str, Any], version: int, countries: dict[int, str]) -> dict[str, Any]:
    """The same of a partner that Odoo holds."""
    names = ["name", "ref", "company_registry", "vat", "street", "city", "zip", "phone", "email", "website", "function"]
    if version < 19:
        names.append("mobile")
    found: dict[str, Any] = {name: partner[name] or "" for name in names}
    words = html.unescape(re.sub("<[^>]*>", "", (partner["comment"] or "").replace("<br/>", " ").replace("<br>", " ")))
    return found | {
        "country": countries[partner["country_id"][0]] if partner["country_id"] else "",
        "comment": " ".join(words.split()),
        "is_company": partner["is_company"],
        "active": partner["active"],
    }
