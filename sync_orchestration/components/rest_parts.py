"""Puts the settings of a REST source or target together into the parts that the pipeline reads and writes with."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.source_settings import PagingSettings, RestSourceSettings
from sync_orchestration.components.target_settings import RequestSettings, RestTargetSettings
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.rest.health import check
from sync_orchestration.systems.rest.listing import ChangedBy, Collection
from sync_orchestration.systems.rest.paging import Cursor, LinkHeader, NextUrl, Offset, PageNumber, Paging, Single
from sync_orchestration.systems.rest.settings import BatchSettings, Call, Resource, own_path
from sync_orchestration.systems.rest.source import RestSource
from sync_orchestration.systems.rest.target import RestTarget

_UNLIKELY = "sync-orchestration-check"


def rest_source(settings: RestSourceSettings, http: HttpClient, warn: Callable[[str], None]) -> RestSource:
    """Return the source that reads a collection."""
    changed = settings.changed
    collection = Collection(
        http=http,
        path=settings.path,
        records=settings.records,
        key=settings.key,
        params=settings.params,
        paging=_paging(settings.paging, settings.page),
        record_path=settings.record_path,
        record=settings.record,
        changed=None if changed is None else ChangedBy(changed.field, changed.param, changed.format),
        deleted=None if settings.deleted is None else compile_condition(settings.deleted),
        parallel=settings.parallel,
    )
    return RestSource(collection, warn)


def _paging(paging: PagingSettings, size: int) -> Paging:
    match paging.kind:
        case "page":
            return PageNumber(
                paging.param or "page", paging.size_param, size, paging.first, paging.total, paging.total_pages
            )
        case "offset":
            return Offset(paging.param or "offset", paging.size_param, size, paging.total)
        case "cursor":
            return Cursor(paging.field or "next_cursor", paging.param or "cursor", paging.size_param, size)
        case "next_url":
            return NextUrl(paging.field or "next", paging.size_param, size)
        case "link":
            return LinkHeader(paging.size_param, size)
        case "none":
            return Single()


def rest_target(sync: str, settings: RestTargetSettings, http: HttpClient) -> RestTarget:
    """Return the target that writes a resource."""
    batch = settings.batch
    resource = Resource(
        http=http,
        path=settings.path,
        create=_call(settings.create),
        update=_call(settings.update) or Call("PUT", own_path(settings.path)),
        delete=_call(settings.delete),
        id_field=settings.id_field,
        wrap=settings.wrap,
        key_field=settings.key_field,
        find=settings.find,
        find_records=settings.find_records,
        record=settings.record,
        verify=settings.verify,
        batch=None if batch is None else BatchSettings(**batch.model_dump()),
        idempotency_header=settings.idempotency_header,
        keys_last=timedelta(hours=settings.idempotency_hours),
        namespace=sync,
        headers=settings.headers,
        parallel=settings.parallel,
    )
    return RestTarget(resource)


def check_rest(http: HttpClient, usual: str, connection: str, syncs: Sequence[SyncSettings]) -> str:
    """Read what the syncs of a connection read, a record at most where that can be asked for; returns a sentence.

    A target is looked at by its question for a record with an unlikely key. Raises SyncError.
    """
    looks = dict(_looks(connection, syncs)) or {usual: {}}
    return "; ".join(f"{path} {check(http, path, params)}" for path, params in looks.items())


def _looks(connection: str, syncs: Sequence[SyncSettings]) -> Iterator[tuple[str, dict[str, str]]]:
    for sync in syncs:
        source, target = sync.source, sync.target
        if isinstance(source, RestSourceSettings) and source.connection == connection:
            size = {source.paging.size_param: "1"} if source.paging.size_param else {}
            yield source.path, {**source.params, **size}
        if isinstance(target, RestTargetSettings) and target.connection == connection:
            yield target.find.replace("{key}", _UNLIKELY) if target.find else target.path, {}


def _call(request: RequestSettings | None) -> Call | None:
    return None if request is None else Call(request.method, request.path)
