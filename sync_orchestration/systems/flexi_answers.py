"""What ABRA Flexi's answers say: their envelope, lists of records, and the change feed in both renderings."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from sync_orchestration.interface.rows import Operation
from sync_orchestration.pipeline.errors import SyncError, UnavailableError
from sync_orchestration.systems.http import Answer, HttpClient


class FlexiChange(NamedTuple):
    """One row of the feed, in either rendering. `version` is unique in the company and grows, with gaps.

    A tuple, for a feed brings many and one is made in half the time.
    """

    evidence: str
    version: int
    operation: Operation
    record_id: str
    external_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlexiFeedPage:
    """One answer of the feed; `next_version` is None when nothing more is listed ("none")."""

    changes: list[FlexiChange]
    global_version: int
    next_version: int | None


def parsed(answer: Answer) -> Any:
    """Return the JSON of an error answer, None if it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def message_of(body: Any) -> str | None:
    """Return the first thing that an answer complains of, None if it does not."""
    winstrom = body.get("winstrom") if isinstance(body, dict) else None
    if not isinstance(winstrom, dict):
        return None
    if winstrom.get("message"):
        return str(winstrom["message"])
    for result in _dicts_in(winstrom.get("results")):
        for error in _dicts_in(result.get("errors")):
            return str(error.get("message"))
    return None


def _dicts_in(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def winstrom_of(body: Any, http: HttpClient, answer: Answer) -> dict[str, Any]:
    """Return what the envelope `winstrom` holds. Raises UnavailableError when there is none."""
    winstrom = body.get("winstrom") if isinstance(body, dict) else None
    if not isinstance(winstrom, dict):
        raise UnavailableError(f"Flexi answered {answer.what} with unexpected JSON: “{http.quote(answer.body)}”")
    return winstrom


def rows_of(winstrom: dict[str, Any], evidence: str, answer: Answer, http: HttpClient) -> list[dict[str, Any]]:
    """Return the list of records. A missing list is an error, for taken as empty it would read as mass deletion."""
    rows = winstrom.get(evidence)
    if not isinstance(rows, list):
        raise UnavailableError(
            f"Flexi answered {answer.what} without a list of {evidence}: “{http.quote(answer.body)}”"
        )
    try:
        for row in rows:
            row["id"] = str(int(row["id"]))
    except (TypeError, ValueError, KeyError, OverflowError):
        raise UnavailableError(
            f"Flexi answered {answer.what} with a record of {evidence} that has no numeric id: "
            f"“{http.quote(answer.body)}”"
        ) from None
    return rows


def page_from_json(winstrom: dict[str, Any], answer: Answer, http: HttpClient) -> FlexiFeedPage:
    """Read the JSON rendering. Raises UnavailableError when it is none or is cut off."""
    try:
        changes = [
            FlexiChange(
                evidence=str(row["@evidence"]),
                version=int(row["@in-version"]),
                operation=_operation(row["@operation"]),
                record_id=str(int(row["id"])),
                external_ids=tuple(map(str, row.get("external-ids") or ())),
            )
            for row in winstrom["changes"]
        ]
        return FlexiFeedPage(changes, int(winstrom["@globalVersion"]), _next(winstrom["next"]))
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise _not_a_feed(answer, http, error) from error


def page_from_xml(answer: Answer, http: HttpClient) -> FlexiFeedPage:
    """Read the XML rendering: the evidence is the element's name, every id an <id>, the first one numeric.

    Entities and DTDs are refused, for the body comes from outside.
    """
    if answer.content_type == "text/html":
        raise UnavailableError(http.not_json(answer, "XML"))
    try:
        root = fromstring(answer.body, forbid_dtd=True)
        changes = []
        for element in root:
            if element.tag == "next":
                continue
            ids = [(child.text or "") for child in element.findall("id")]
            changes.append(
                FlexiChange(
                    evidence=element.tag,
                    version=int(element.attrib["in-version"]),
                    operation=_operation(element.attrib["operation"]),
                    record_id=str(int(ids[0])),
                    external_ids=tuple(ids[1:]),
                )
            )
        return FlexiFeedPage(changes, int(root.attrib["globalVersion"]), _next(root.findtext("next")))
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise _not_a_feed(answer, http, error) from error


def _operation(value: str) -> Operation:
    if value not in ("create", "update", "delete"):
        raise ValueError(f"unknown operation {value!r}")
    return value  # type: ignore[return-value]


def _next(value: str | None) -> int | None:
    if value is None:
        raise ValueError("the answer has no `next`, so it may be cut off")
    return None if value == "none" else int(value)


def _not_a_feed(answer: Answer, http: HttpClient, error: Exception) -> SyncError:
    return UnavailableError(
        f"Flexi answered {answer.what} with something that is no change feed or is cut off "
        f"({type(error).__name__}: {http.masked(str(error))}): “{http.quote(answer.body)}”"
    )
