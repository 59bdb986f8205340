"""What the server says about itself: companies, evidences, properties and relations."""

from collections.abc import Iterable

from pydantic import JsonValue

from .answers import Answer, Body
from .company import Company
from .schema import EVIDENCES, Evidence, Field


def companies(listed: Iterable[Company]) -> Answer:
    """Answer the list of companies."""
    cards: list[JsonValue] = [_card(company) for company in listed]
    return Answer(200, {"companies": {"company": cards}})


def one_company(company: Company) -> Answer:
    """Answer one company: an object here, not a list."""
    return Answer(200, {"companies": {"company": _card(company)}})


def evidence_list(company: Company) -> Answer:
    """Answer all evidences; this body has no ``winstrom``."""
    rows: list[JsonValue] = [_evidence(company, evidence) for evidence in EVIDENCES.values()]
    card = company.card
    inner: Body = {"@version": "1.0", "companyId": card.name, "companyName": card.title, "evidence": rows}
    return Answer(200, {"evidences": inner})


def properties(evidence: Evidence) -> Answer:
    """Answer the fields of an evidence."""
    rows: list[JsonValue] = [_property(field) for field in evidence.fields]
    inner: Body = {
        "@version": "1.0",
        "evidenceName": evidence.title,
        "tagName": evidence.path,
        "dbName": evidence.bean.rpartition(".")[2],
        "property": rows,
    }
    return Answer(200, {"properties": inner})


def relations(evidence: Evidence) -> Answer:
    """Answer the collections of an evidence."""
    rows: list[JsonValue] = [
        {"url": c.name, "evidenceType": _type_name(c.evidence), "name": EVIDENCES[c.evidence].title}
        for c in evidence.collections
    ]
    return Answer(200, {"relations": {"@version": "1.0", "relation": rows}})


def _card(company: Company) -> Body:
    card = company.card
    return {
        "createDt": card.created,
        "dbNazev": card.name,
        "id": str(card.id),
        "licenseGroup": card.licence_group,
        "nazev": card.title,
        "show": "true",
        "stavEnum": card.state,
        "watchingChanges": "true" if company.log.enabled else "false",
    }


def _evidence(company: Company, evidence: Evidence) -> Body:
    shown: Body = {
        "evidenceName": evidence.title,
        "evidencePath": evidence.path,
        "importStatus": evidence.import_status,
        "evidenceAccess": "true",
        "evidenceType": _type_name(evidence.path),
        "beanKey": evidence.bean,
        "className": evidence.bean,
        "extIdSupported": "true",
    }
    if evidence.validity:
        year = company.clock().year
        shown["evidenceFilter"] = f"PlatiOd <= {year} AND PlatiDo >= {year}"
    if evidence.has_code:
        shown["findByCodeProperties"] = "kod"
    return shown


def _property(field: Field) -> Body:
    shown: Body = {
        "propertyName": field.name,
        "name": field.title,
        "title": field.title,
        "type": field.type,
        "inId": _text(flag=field.name == "id"),
        "inSummary": _text(flag=field.in_summary),
        "inDetail": "true",
        "mandatory": _text(flag=field.mandatory),
        "isWritable": _text(flag=field.writable),
        "isUpperCase": _text(flag=field.upper),
    }
    if field.type == "numeric":
        shown["digits"], shown["decimal"] = field.size.split(",")
    elif field.size:
        shown["maxLength"] = field.size
    if field.target:
        shown["fkEvidencePath"] = field.target
    if field.choices:
        choices: list[JsonValue] = [{"@key": key, "$": label} for key, label in field.choices.items()]
        shown["values"] = {"value": choices}
    return shown


def _text(*, flag: bool) -> str:
    return "true" if flag else "false"


def _type_name(path: str) -> str:
    names = {"kontakt": "ADR_KONTAKT", "adresar-bankovni-ucet": "ADR_BANKOVNI_UCET"}
    return names.get(path, path.upper().replace("-", "_"))
