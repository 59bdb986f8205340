"""The kinds of systems that a YAML may name: which connection each needs, and what it can be in a sync.

A new kind is a line of KINDS with its functions, and its settings; a user's own system is of the kind python.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sync_orchestration.components import python_parts
from sync_orchestration.components.connections import (
    AlfrescoConnection,
    Connection,
    FlexiConnection,
    KonturConnection,
    OdooConnection,
    PythonConnection,
    RestConnection,
)
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.fields_read import (
    mapped_fields,
    mapped_paths,
    needed_fields,
    needed_paths,
    properties,
)
from sync_orchestration.components.intake_source import IntakeSourceSettings
from sync_orchestration.components.python_settings import (
    PythonLookupSettings,
    PythonSourceSettings,
    PythonTargetSettings,
)
from sync_orchestration.components.rest_parts import check_rest, rest_source, rest_target
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.source_settings import (
    AlfrescoSourceSettings,
    FlexiSourceSettings,
    InterfaceSourceSettings,
    KonturLookupSettings,
    OdooSourceSettings,
    RestSourceSettings,
)
from sync_orchestration.components.target_settings import AlfrescoTargetSettings, OdooTargetSettings, RestTargetSettings
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.lookup import Lookup
from sync_orchestration.pipeline.protocols import Source, Target
from sync_orchestration.pipeline.pushed import PushedSource
from sync_orchestration.pipeline.relay import RelaySource
from sync_orchestration.systems.alfresco.source import AlfrescoSource
from sync_orchestration.systems.alfresco.target import AlfrescoTarget
from sync_orchestration.systems.flexi import FlexiSource
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.kontur import KonturLookup
from sync_orchestration.systems.odoo.reading import RecordReading
from sync_orchestration.systems.odoo.source import OdooSource
from sync_orchestration.systems.odoo.target import OdooTarget

_LATE = 4_000_000_000
"""A time (in the year 2096) after which nothing has changed: so a question about changes has a short answer."""

Warn = Callable[[str], None]
AnySource = Connection | InterfaceDatabase
"""What a source is read by: a connection, or the interface tables themselves."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of system: its connection, what it can be in a sync, and how its connection is tried.

    Each of `source`, `target` and `lookup` opens that part of a sync and returns it with the client whose requests
    are counted (None: it sends none of its own); None where the kind cannot be that. `target` is also given the
    connection of the source. `watches` names what a sync cannot do without in the source's records, as the source
    names its fields. `external_ids` makes the stable ids of records in the target from their keys. `check` tries a
    connection with harmless calls and returns a sentence. All raise SyncError.
    """

    connection: type[Connection] | type[InterfaceDatabase]
    source: Callable[[SyncSettings, Any, Any, Warn], tuple[Source, HttpClient | None]] | None = None
    target: Callable[[SyncSettings, Any, Any, AnySource, Warn], tuple[Target, HttpClient | None]] | None = None
    lookup: Callable[[Any, Any], tuple[Lookup, HttpClient | None]] | None = None
    watches: Callable[[SyncSettings], list[str]] = needed_paths
    external_ids: Callable[[SyncSettings, AnySource], Callable[[str], str]] = lambda _settings, _source: str
    check: Callable[[str, Any, Sequence[SyncSettings]], str] | None = None


def open_source(settings: SyncSettings, connection: AnySource, warn: Warn) -> tuple[Source, HttpClient | None]:
    """Open the source of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
    source = settings.source
    kind = KINDS[source.kind]
    if kind.source is None or not isinstance(connection, kind.connection):
        raise _of_another_kind(settings, source)
    return kind.source(settings, source, connection, warn)


def open_target(
    settings: SyncSettings, connection: Connection, source: AnySource, warn: Warn
) -> tuple[Target, HttpClient | None]:
    """Open the target of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
    target = settings.target
    kind = KINDS[target.kind]
    if kind.target is None or not isinstance(connection, kind.connection):
        raise _of_another_kind(settings, target)
    return kind.target(settings, target, connection, source, warn)


def open_lookup(settings: SyncSettings, connection: Connection) -> tuple[Lookup, HttpClient | None]:
    """Open the lookup of a sync. Raises ConfigurationError when its connection is of another kind or unset."""
    lookup = settings.lookup
    if lookup is None:
        raise ConfigurationError(f"{settings.name} looks nothing up.")
    kind = KINDS[lookup.kind]
    if kind.lookup is None or not isinstance(connection, kind.connection):
        raise _of_another_kind(settings, lookup)
    return kind.lookup(lookup, connection)


def external_ids(settings: SyncSettings, source: AnySource) -> Callable[[str], str]:
    """Return what makes the stable id of a record in the target from its key."""
    return KINDS[settings.target.kind].external_ids(settings, source)


def watched_paths(settings: SyncSettings) -> list[str]:
    """Return what the sync cannot do without in the source's records, as the source names its fields."""
    return KINDS[settings.source.kind].watches(settings)


def tried(name: str, connection: Connection, syncs: Sequence[SyncSettings]) -> str:
    """Try one connection with what its syncs need of it; returns a sentence. Raises SyncError."""
    check = KINDS[connection.kind].check
    if check is None:
        raise TypeError(f"no check for {connection.kind}")
    return check(name, connection, syncs)


def _of_another_kind(settings: SyncSettings, part: Any) -> ConfigurationError:
    return ConfigurationError(f"The connection {part.connection!r} of {settings.name} is not of the kind {part.kind}.")


# Flexi


def _flexi_source(
    settings: SyncSettings, source: FlexiSourceSettings, connection: FlexiConnection, _warn: Warn
) -> tuple[Source, HttpClient]:
    client = connection.client()
    fields = mapped_fields(settings)
    return FlexiSource(client, source.evidence, fields, dict(source.children), source.page), client.http


# Odoo


def _odoo_source(
    settings: SyncSettings, source: OdooSourceSettings, connection: OdooConnection, _warn: Warn
) -> tuple[Source, HttpClient]:
    client = connection.client()
    reading = RecordReading(client, source.model, mapped_paths(settings))
    return OdooSource(client, source.model, reading, source.domain, source.page, source.archived), client.http


def _odoo_target(
    settings: SyncSettings, target: OdooTargetSettings, connection: OdooConnection, source: AnySource, warn: Warn
) -> tuple[Target, HttpClient]:
    client = connection.client()
    opened = OdooTarget(
        client=client,
        model=target.model,
        fields=list(settings.compiled().targets),
        module=_external_id_pattern(settings, source).partition(".")[0],
        match_on=target.match_on,
        deletion=target.deletion,
        context=target.context,
        batch=target.batch,
        warn=warn,
    )
    return opened, client.http


def _odoo_external_ids(settings: SyncSettings, source: AnySource) -> Callable[[str], str]:
    name = _external_id_pattern(settings, source).partition(".")[2]
    return lambda key: name.replace("{key}", key.replace(" ", "_"))


def _external_id_pattern(settings: SyncSettings, source: AnySource) -> str:
    """Return the pattern of external ids in Odoo with everything but {key} filled in."""
    if not isinstance(settings.target, OdooTargetSettings):
        raise ConfigurationError(f"{settings.name} has no external ids: its target is no Odoo.")
    company = source.value("company") if isinstance(source, FlexiConnection) else settings.source.connection
    parts = {"source": settings.source.kind, "company": company, "entity": settings.source.entity}
    return settings.target.external_id.format(**parts, key="{key}")


def _check_odoo(name: str, connection: OdooConnection, syncs: Sequence[SyncSettings]) -> str:
    detail = connection.client().check(_models(name, syncs))
    for sync in (s for s in syncs if s.source.connection == name):
        with _naming(sync.name):
            open_source(sync, connection, lambda _: None)[0].peek(_LATE)
    return "; ".join([detail, *_left_out(name, connection, syncs)])


def _left_out(name: str, connection: OdooConnection, syncs: Sequence[SyncSettings]) -> Iterator[str]:
    """Say which mapped fields this Odoo lacks: no failure, for a mapping may serve several versions."""
    client = connection.client()
    for sync in (s for s in syncs if s.target.connection == name):
        known = client.fields(sync.target.model)
        if lacking := [field for field in sync.compiled().targets if field not in known]:
            yield f"{sync.name}: this Odoo has no {', '.join(lacking)} on {sync.target.model}, left out of the sync"


# Alfresco


def _alfresco_source(
    settings: SyncSettings, source: AlfrescoSourceSettings, connection: AlfrescoConnection, _warn: Warn
) -> tuple[Source, HttpClient]:
    nodes = connection.nodes(source.type, properties(settings))
    return AlfrescoSource(nodes, source.batch), nodes.http


def _alfresco_target(
    settings: SyncSettings, target: AlfrescoTargetSettings, connection: AlfrescoConnection, _: AnySource, _warn: Warn
) -> tuple[Target, HttpClient]:
    nodes = connection.nodes(target.type, properties(settings))
    return AlfrescoTarget(nodes, target.type, target.parallel), nodes.http


def _check_alfresco(name: str, connection: AlfrescoConnection, syncs: Sequence[SyncSettings]) -> str:
    return "; ".join(connection.nodes(model, []).check() for model in _models(name, syncs))


# Kontur


def _kontur_lookup(lookup: KonturLookupSettings, connection: KonturConnection) -> tuple[Lookup, HttpClient]:
    client = connection.client()
    register = KonturLookup(client, lookup.attribute, lookup.search, lookup.stored_ogrn, lookup.stored_kpp)
    return register, client.http


# Any REST API


def _rest_source(
    _: SyncSettings, source: RestSourceSettings, connection: RestConnection, warn: Warn
) -> tuple[Source, HttpClient]:
    http = connection.client()
    return rest_source(source, http, warn), http


def _rest_target(
    settings: SyncSettings, target: RestTargetSettings, connection: RestConnection, _: AnySource, _warn: Warn
) -> tuple[Target, HttpClient]:
    http = connection.client()
    return rest_target(settings.name, target, http), http


def _check_rest(name: str, connection: RestConnection, syncs: Sequence[SyncSettings]) -> str:
    return check_rest(connection.client(), connection.check_path, name, syncs)


# The interface tables themselves


def _relay_source(
    _: SyncSettings, source: InterfaceSourceSettings, connection: InterfaceDatabase, _warn: Warn
) -> tuple[Source, None]:
    return RelaySource(connection.session, source.sync, source.page), None


def _pushed_source(
    _: SyncSettings, _source: IntakeSourceSettings, _connection: Any, _warn: Warn
) -> tuple[Source, None]:
    return PushedSource(), None


# A user's own


def _python_source(
    _: SyncSettings, source: PythonSourceSettings, connection: PythonConnection, _warn: Warn
) -> tuple[Source, HttpClient | None]:
    return python_parts.made(source, connection)


def _python_target(
    _: SyncSettings, target: PythonTargetSettings, connection: PythonConnection, _source: AnySource, _warn: Warn
) -> tuple[Target, HttpClient | None]:
    return python_parts.made(target, connection)


def _python_lookup(lookup: PythonLookupSettings, connection: PythonConnection) -> tuple[Lookup, HttpClient | None]:
    return python_parts.made(lookup, connection)


def _check_client(_: str, connection: FlexiConnection | KonturConnection, _syncs: Sequence[SyncSettings]) -> str:
    return connection.client().check()


def _models(name: str, syncs: Sequence[SyncSettings]) -> list[str]:
    return sorted({sync.target.model for sync in syncs if sync.target.connection == name})


@contextmanager
def _naming(sync: str) -> Iterator[None]:
    """Say which sync a mistake in the settings belongs to."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{sync}: {error}") from None


KINDS: Mapping[str, Kind] = {
    "flexi": Kind(FlexiConnection, source=_flexi_source, watches=needed_fields, check=_check_client),
    "odoo": Kind(
        OdooConnection,
        source=_odoo_source,
        target=_odoo_target,
        external_ids=_odoo_external_ids,
        check=_check_odoo,
    ),
    "alfresco": Kind(
        AlfrescoConnection,
        source=_alfresco_source,
        target=_alfresco_target,
        watches=properties,
        check=_check_alfresco,
    ),
    "kontur": Kind(KonturConnection, lookup=_kontur_lookup, check=_check_client),
    "rest": Kind(RestConnection, source=_rest_source, target=_rest_target, check=_check_rest),
    "python": Kind(
        PythonConnection,
        source=_python_source,
        target=_python_target,
        lookup=_python_lookup,
        check=python_parts.check,
    ),
    "interface": Kind(InterfaceDatabase, source=_relay_source),
    "intake": Kind(InterfaceDatabase, source=_pushed_source),
}
