"""The Changes API: its switch, its status and the feed itself."""

import json
from xml.sax.saxutils import escape

from .answers import Answer, FlexiError, envelope, open_tag, unknown_address
from .changelog import ChangeRow, Page
from .company import Company
from .lists import Parameters

DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 1000

LOCK_ERROR = (
    'ERROR: could not obtain lock on relation "drady" '
    'Kde: SQL statement "LOCK TABLE drady IN ACCESS EXCLUSIVE MODE NOWAIT"'
)
"""What PostgreSQL says when somebody is logged in while the triggers are to be installed."""


def control(company: Company, action: str) -> Answer:
    """Switch recording on or off."""
    if company.switches().rest_licence != "full":
        raise FlexiError(403, "REST API není licencováno.")
    if action == "disable":
        company.disable_changes()
    elif company.switches().users_logged_in and not company.log.enabled:
        raise FlexiError(500, LOCK_ERROR)
    else:
        company.enable_changes()
    return Answer(200, envelope(success="true"))


def status(company: Company) -> Answer:
    """Say in ``success`` whether recording is on."""
    if company.switches().rest_licence == "none":
        raise FlexiError(403, "REST API není licencováno.")
    return Answer(200, envelope(success="true" if company.log.enabled else "false"))


def feed(company: Company, params: Parameters, extension: str, url: str) -> Answer:
    """Answer the listing of changes."""
    switches = company.switches()
    if not company.log.enabled:
        if switches.changes_when_off == "403":
            raise FlexiError(403, "Changes API není zapnuté.")
        if switches.changes_when_off == "404":
            raise unknown_address(url)
        return _listing(company, Page([], None), extension)
    start = _start(company, params)
    limit = _limit(company, params)
    page = company.log.page(start, limit, params.all("evidence")) if limit else Page([], None)
    return _listing(company, page, extension)


def listing_text(page: Page, global_version: int, next_text: str, extension: str) -> str:
    """Return the body of a listing, which is also what a web hook delivers."""
    if extension == "xml":
        return _xml(page.rows, global_version, next_text)
    inner = {
        "@globalVersion": str(global_version),
        "changes": [_json_row(row) for row in page.rows],
        "next": next_text,
    }
    text = json.dumps({"winstrom": inner}, ensure_ascii=False, separators=(",", ":"))
    # The vendor's JSON example of the feed escapes slashes.
    return text.replace("/", "\\/")


def _listing(company: Company, page: Page, extension: str) -> Answer:
    next_text = "none"
    if page.following is not None:
        last_plus_one = company.switches().next_value == "last_plus_one"
        next_text = str(page.rows[-1].version + 1 if last_plus_one else page.following)
    text = listing_text(page, company.global_version, next_text, extension)
    if extension == "html":
        return Answer(200, text=f"<html><body><pre>{escape(text)}</pre></body></html>")
    return Answer(200, text=text, media_type=f"application/{extension}")


def _start(company: Company, params: Parameters) -> int:
    start = params.number("start", 0)
    too_old = "start" in params.values and start <= company.log.forgotten_up_to and start > 0
    if too_old and company.switches().start_before_retention == "400":
        raise FlexiError(400, f"Změny od verze {start} již nejsou k dispozici.")
    return start


def _limit(company: Company, params: Parameters) -> int:
    switches = company.switches()
    text = params.one("limit")
    if not text:
        return DEFAULT_LIMIT
    if not text.isdigit():
        return _refuse_limit(text) if switches.feed_limit_malformed == "400" else DEFAULT_LIMIT
    limit = int(text)
    if limit == 0:
        if switches.feed_limit_zero == "400":
            _refuse_limit(text)
        return DEFAULT_LIMIT if switches.feed_limit_zero == "default" else 0
    if limit > MAXIMUM_LIMIT and switches.feed_limit_over_maximum == "400":
        _refuse_limit(text)
    return min(limit, MAXIMUM_LIMIT)


def _refuse_limit(text: str) -> int:
    raise FlexiError(400, f"Neplatná hodnota parametru limit: {text}")


def _json_row(row: ChangeRow) -> dict[str, object]:
    return {
        "@evidence": row.evidence,
        "@in-version": str(row.version),
        "@operation": row.operation,
        "@timestamp": row.timestamp,
        "id": str(row.record_id),
        "external-ids": row.identifiers,
    }


def _xml(rows: list[ChangeRow], global_version: int, next_text: str) -> str:
    parts = [
        '<?xml version="1.0"?>\n',
        open_tag("winstrom", {"version": "1.0", "globalVersion": str(global_version)}),
    ]
    for row in rows:
        attributes = {
            "in-version": str(row.version),
            "operation": row.operation,
            "timestamp": row.timestamp,
        }
        ids = "".join(f"<id>{escape(text)}</id>" for text in (str(row.record_id), *row.identifiers))
        parts.append(f"{open_tag(row.evidence, attributes)}{ids}</{row.evidence}>")
    parts.append(f"<next>{next_text}</next></winstrom>")
    return "".join(parts)
