"""Where REST APIs differ from each other, as switches. No standard settles any of these."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Paging = Literal["page", "offset", "cursor", "link", "next_url", "none"]


class RestSwitches(BaseModel):
    """Which REST API the stand-in is today, and which traps it sets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What records and answers look like.
    ids: Literal["integer", "uuid"] = "integer"
    """Every record has both; the switch says which one is its ``id``."""
    envelope: Literal["bare", "lists", "data"] = "data"
    """``bare``: items and lists as they are; ``lists``: only lists wrapped (Stripe); ``data``: both (Pipedrive)."""
    list_field: str = "data"
    """Dotted path of the records in a wrapped list."""
    times: Literal["iso", "epoch"] = "iso"
    """ISO 8601 with ``Z``, or whole seconds since 1970; for ``updated_at`` and for ``updated_since``."""
    time_digits: Literal[0, 3, 6] = 0
    """Digits of a second that are shown; more are kept, so what is shown is rounded down."""
    errors: Literal["list", "fields", "message", "problem", "text"] = "list"
    """``{"errors": [{"field", "message"}]}``; ``{"message", "errors": {field: [message]}}`` (Laravel);
    ``{"message"}``; RFC 9457 ``application/problem+json``; plain text."""

    # Lists.
    paging: Paging = "page"
    """Also by path: ``/by/cursor/contacts`` pages by cursor whatever stands here."""
    default_page: int = Field(default=30, ge=1)
    max_page: int = Field(default=100, ge=1)
    above_max: Literal["cap", "refuse"] = "cap"
    """More per page than `max_page`: silently fewer, or 400."""
    totals: bool = True
    """Tell how many records and pages there are (paging by page and offset)."""
    order: Literal["id", "newest_first", "updated_at"] = "id"
    """By anything but `id`, records move between pages while somebody reads them."""
    beyond_end: Literal["empty", "not_found"] = "empty"
    """A page number after the last page (GitHub and Django REST Framework disagree)."""
    cursor_field: str = "meta.next_cursor"
    next_field: str = "next"
    next_relative: bool = False
    """Next-URLs without scheme and host, in the body and in ``Link``."""
    foreign_next: str | None = None
    """Scheme and host that next-URLs point at instead of this server, such as ``http://127.0.0.2:9``."""
    link_style: Literal["plain", "tricky"] = "plain"
    """``tricky``: all that RFC 8288 allows: two header lines, commas in quotes, several relations in one link."""
    endless: bool = False
    """The last page is served again for every page after it, and always names a next one."""
    ignores_paging: bool = False
    """Every request is answered with the first page."""
    empty_page: int | None = Field(default=None, ge=1)
    """The number of a page that comes empty although more follow; no record is lost by it."""
    last_empty: bool = False
    """After the last record comes one page more, with nothing on it."""
    duplicates: bool = False
    """Every page begins with the last record of the page before."""
    ignores_filter: bool = False
    """Filters are unknown parameters, and those are ignored: everything is returned."""

    # Writing.
    deletes: Literal["tombstone", "vanish"] = "tombstone"
    """Deleted records stay in lists as ``{"id", "updated_at", "deleted": true}``, or are no longer there."""
    deleted_item: Literal["not_found", "gone", "record"] = "not_found"
    """The path of a deleted record: 404, 410, or (GET only) its tombstone with 200."""
    unknown_fields: Literal["accept", "ignore", "refuse"] = "accept"
    invalid_status: Literal[400, 422] = 422
    location: Literal["absolute", "relative", "absent"] = "absolute"
    write_body: Literal["record", "id", "none"] = "record"
    """What a create or an update answers with; ``none`` makes updates 204."""
    batches: bool = True
    batch_limit: int = Field(default=100, ge=1)
    batch_status: Literal[200, 207] = 207
    batch_shuffled: bool = False
    batch_atomic: bool = False
    """One bad item refuses the whole batch with 422, and the answer does not say which."""
    idempotency: Literal["off", "on", "required"] = "on"
    """Whether ``Idempotency-Key`` means something on POST; ``required`` answers 400 without one."""
    idempotency_keeps_failures: bool = False
    """A refusal is remembered under the key too, as the IETF draft has it (Stripe forgets refused bodies)."""

    # Access and quota.
    auth: Literal["none", "basic", "bearer", "key"] = "bearer"
    forbidden: tuple[str, ...] = ()
    """What is answered with 403: beginnings of paths (``/partners``) or of method and path (``DELETE /partners``)."""
    max_calls: int | None = Field(default=None, ge=0)
    """Calls allowed per `window_seconds`."""
    window_seconds: float = Field(default=1.0, gt=0)
    quota_status: Literal[403, 429, 503] = 429
    quota_hint: Literal["seconds", "date", "absent", "reset_epoch", "reset_seconds"] = "seconds"
    """``Retry-After`` in seconds or as a date, nothing, or ``X-RateLimit-Reset`` as a moment or as a span."""

    # Time.
    latency_seconds: float = Field(default=0.0, ge=0)
    """Every request waits this long before it does its work."""
    held: bool = False
    """Every request waits before its work until this is lifted."""
