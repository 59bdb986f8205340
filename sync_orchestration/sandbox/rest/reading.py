"""GET: lists with their filters, and single records."""

from datetime import UTC, datetime

from starlette.requests import Request

from sync_orchestration.sandbox.rest.answers import Answer, RefusedError, item_answer, json_answer, put_at
from sync_orchestration.sandbox.rest.cursors import in_order, moment
from sync_orchestration.sandbox.rest.paging import Page, page_of
from sync_orchestration.sandbox.rest.records import Collection, Json, Record
from sync_orchestration.sandbox.rest.switches import Paging, RestSwitches

FILTERS = ("external_ref", "vat", "email")
"""Fields that a list can be filtered by: the whole value, as it is written."""


def list_answer(collection: Collection, request: Request, style: Paging, switches: RestSwitches) -> Answer:
    """One page of a collection."""
    rows = in_order(_filtered(collection, request, switches), switches)
    page = page_of(rows, style, request, switches)
    records = [record.served(switches) for record in page.rows]
    if switches.envelope == "bare" and not page.fields:
        return json_answer(200, records, (*page.headers, *_count_headers(page)))
    body: Json = {}
    put_at(body, switches.list_field, records)
    for path, value in page.fields.items() | {f"meta.{name}": n for name, n in page.counts.items()}.items():
        put_at(body, path, value)
    return json_answer(200, body, page.headers)


def record_answer(collection: Collection, record_id: str, switches: RestSwitches) -> Answer:
    """One record."""
    record = collection.find(record_id, switches)
    if record is not None and record.deleted and switches.deleted_item == "record":
        return item_answer(200, record.served(switches), switches)
    return item_answer(200, living(record, switches).served(switches), switches)


def living(record: Record | None, switches: RestSwitches) -> Record:
    """The record, unless it is unknown or deleted."""
    if record is None or (record.deleted and switches.deleted_item != "gone"):
        raise RefusedError(404, "The record does not exist")
    if record.deleted:
        raise RefusedError(410, "The record was deleted")
    return record


def _filtered(collection: Collection, request: Request, switches: RestSwitches) -> list[Record]:
    rows = list(collection) if switches.deletes == "tombstone" else collection.live()
    if switches.ignores_filter:
        return rows
    asked = request.query_params
    if "updated_since" in asked:
        since = _moment(asked["updated_since"], switches)
        rows = [row for row in rows if row.updated_at >= since]
    for name in FILTERS:
        if name in asked:
            # Nothing is left of a deleted record to be found by.
            rows = [row for row in rows if not row.deleted and str(row.values.get(name, "")) == asked[name]]
    return rows


def _moment(text: str, switches: RestSwitches) -> datetime:
    try:
        return datetime.fromtimestamp(int(text), UTC) if switches.times == "epoch" else moment(text)
    except (ValueError, OverflowError, OSError) as error:
        raise RefusedError(400, f"updated_since is no valid time: {text}") from error


def _count_headers(page: Page) -> tuple[tuple[str, str], ...]:
    """Totals beside a bare list, as GitLab sends them."""
    names = {"page": "X-Page", "per_page": "X-Per-Page", "total": "X-Total", "total_pages": "X-Total-Pages"}
    return tuple((names[name], str(count)) for name, count in page.counts.items() if name in names)
