"""A stand-in repository spoken to in one of both dialects, and what a pass does with its nodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import ASGIApp

from sync_orchestration.mapping.records import RecordError
from sync_orchestration.pipeline.protocols import CurrentRecord, Outcome, TargetRecord
from sync_orchestration.sandbox.alfresco import AlfrescoSwitches, AlfrescoWorld, alfresco_app
from sync_orchestration.systems.alfresco.citeck import CiteckRecords
from sync_orchestration.systems.alfresco.dialect import Dialect
from sync_orchestration.systems.alfresco.source import AlfrescoSource
from sync_orchestration.systems.alfresco.target import AlfrescoTarget
from sync_orchestration.systems.alfresco.v1 import AlfrescoV1
from sync_orchestration.systems.http import HttpClient, HttpSettings
from sync_orchestration_tests.recording import Recording

TYPE = "idocs:contractor"
PASSWORD = "пароль-admin 100%"
ATTRIBUTES = [
    f"idocs:{name}"
    for name in (
        *("inn", "kpp", "okpo", "shortOrganizationName", "code", "contractorID", "contractorType"),
        *("doNotSendContractToEdiFlag", "nosuch", "nosuchother"),
    )
]
"""What a mapping names, two that the model does not know among it."""
RECORDS = "/alfresco/s/citeck/ecos/records"
SEARCH, METADATA = "/search", "/metadata"


class Server(Protocol):
    """What plays an app under an address."""

    url: str
    app: ASGIApp | None


@dataclass
class Repository:
    """A repository over HTTP, spoken to in one dialect."""

    world: AlfrescoWorld
    recording: Recording
    dialect: Dialect
    name: str
    opened: Callable[[str], Dialect] = field(repr=False)

    def source(self, page: int = 100) -> AlfrescoSource:
        return AlfrescoSource(self.dialect, page)

    def target(self) -> AlfrescoTarget:
        return AlfrescoTarget(self.dialect, TYPE)

    def add(self, count: int) -> list[str]:
        return [self.world.add({"idocs:inn": f"{i:010d}", "idocs:kpp": "770101001"}).uuid for i in range(count)]

    def switch(self, **changes: Any) -> None:
        self.world.switches = AlfrescoSwitches.model_validate({**self.world.switches.model_dump(), **changes})

    def read(self, page: int = 100, start: int = 0) -> list[str]:
        return [change.key for found in self.source(page).changes(start) for change in found.changes]

    @property
    def searches(self) -> list[Any]:
        if self.name == "citeck":
            return [a.body for a in self.recording.to("/records/query") if "query" in a.body]
        return [a.body for a in self.recording.to(SEARCH)]


def opened(name: str, url: str, password: str = PASSWORD) -> AlfrescoV1 | CiteckRecords:
    http = HttpClient(HttpSettings("Alfresco", url, ("admin", password), tries=2, first_delay=0.0, secrets=(password,)))
    return CiteckRecords(http, TYPE, ATTRIBUTES, RECORDS) if name == "citeck" else AlfrescoV1(http, TYPE)


def repository(board: Server, name: str) -> Repository:
    world = AlfrescoWorld(seed=5, users={"admin": PASSWORD})
    recording = Recording(alfresco_app(world))
    board.app = recording
    return Repository(world, recording, opened(name, board.url), name, lambda p: opened(name, board.url, p))


def record(key: str, seen: Mapping[str, Any] | None = None, **values: Any) -> TargetRecord:
    return TargetRecord(key, key, {f"idocs:{n}": v for n, v in values.items()}, key, dict(seen) if seen else None)


def written(repo: Repository, *records: TargetRecord) -> dict[str, Outcome | RecordError]:
    """What a pass does: compare, then change what was found to differ."""
    target = repo.target()
    found = target.current(records)
    good = {key: one for key, one in found.items() if isinstance(one, CurrentRecord)}
    outcomes: dict[str, Outcome | RecordError] = {k: e for k, e in found.items() if isinstance(e, RecordError)}
    return outcomes | dict(target.upsert([r for r in records if r.key in good], good))
