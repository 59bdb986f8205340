"""How records of a REST API are written: which request does what, and where its answers say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from sync_orchestration.systems.http import HttpClient


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of request. In the path stand ``{id}``, the record's id there, and ``{key}``, its key here."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    path: str


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How up to `size` records are written with one request.

    The array stands at `items` of the body (None: it is the body), the results at `results` of the answer (None: the
    answer). Within one result stand `result_id`, `result_error` (anything there is an error), `result_status` (an
    HTTP status, a truth or a word) and `index`: the place in the array, or the key, of the record that it is of;
    without one the results are in the order of the array. `updates`: known records go along, with their id at the
    `id_field` of the resource; otherwise they are updated one by one.
    """

    path: str
    size: int = 100
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    items: str | None = None
    results: str | None = None
    result_id: str = "id"
    result_error: str | None = "error"
    result_status: str | None = None
    index: str | None = None
    updates: bool = False


def own_path(path: str) -> str:
    """Return the pattern of the path of one record below that of its collection."""
    return path.partition("?")[0].rstrip("/") + "/{id}"


@dataclass(frozen=True, slots=True)
class Resource:
    """Records of a REST API that are written to. Where a default is None, `path` is meant.

    `create` is POST to `path`, `update` is PATCH to ``path/{id}``, `delete` is DELETE there. `id_field` is
    the dotted path of the id in an answer, `wrap` the key under which a body goes, `key_field` the field of the body
    that carries our own key. `find` is a path that lists the records with our ``{key}``, at `find_records` of its
    answer. `read` is where one record is read (None: where it is updated), at `record` of the answer; with `verify`
    each known record is read before it is written. With an `idempotency_header` the server itself refuses to do a
    request twice, as long as `keys_last`; `namespace` keeps apart syncs whose records have the same keys. `parallel`
    requests run at a time.
    """

    http: HttpClient
    path: str
    create: Call | None = None
    update: Call | None = None
    delete: Call | None = None
    read: str | None = None
    id_field: str = "id"
    wrap: str | None = None
    key_field: str | None = None
    find: str | None = None
    find_records: str | None = None
    record: str | None = None
    verify: bool = False
    batch: BatchSettings | None = None
    idempotency_header: str | None = None
    keys_last: timedelta = timedelta(hours=20)
    namespace: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    parallel: int = 4

    @property
    def creating(self) -> Call:
        return self.create or Call("POST", self.path)

    @property
    def puts(self) -> bool:
        """Whether making the same record again has no effect by its nature: it is put to a place of its own."""
        return (self.creating.method if self.batch is None else self.batch.method) == "PUT"

    @property
    def repeats(self) -> bool:
        """Whether the request that makes a record can be the very same one later. The next pass cuts other batches."""
        return bool(self.idempotency_header) and self.batch is None

    @property
    def updating(self) -> Call:
        return self.update or Call("PATCH", own_path(self.path))

    @property
    def deleting(self) -> Call:
        return self.delete or Call("DELETE", own_path(self.path))

    @property
    def reading(self) -> str:
        return self.read or self.updating.path
