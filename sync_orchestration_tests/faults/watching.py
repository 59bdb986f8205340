"""The shipped connections with clients whose every request is heard of before it is sent."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import yaml
from pydantic import PrivateAttr

from sync_orchestration.components.connections import (
    AlfrescoConnection,
    Connection,
    ConnectionsModel,
    FlexiConnection,
    KonturConnection,
    OdooConnection,
    RestConnection,
)
from sync_orchestration.systems.http import HttpClient
from sync_orchestration_tests.faults.faulting import PATIENCE

Heard = Callable[[str], None]


def nothing(system: str) -> None:
    """Let the request pass."""


@dataclass
class Watch:
    """Hears of every request; a test puts in what is to happen then. `timeout` is the patience of all clients."""

    heard: Heard = nothing
    timeout: float = 60.0

    def client(self, client: HttpClient, system: str) -> HttpClient:
        """The same client with delays that suit a test, told by its settings."""
        settings = replace(
            client.settings, first_delay=0.001, longest_wait=0.5, timeout=self.timeout, patience=PATIENCE
        )
        return HttpClient(settings, lambda: self.heard(system))


class WatchedFlexi(FlexiConnection):
    """A Flexi connection whose requests are watched."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return self._watch.client(super().http(name, auth, secrets, **more), "flexi")


class WatchedOdoo(OdooConnection):
    """An Odoo connection whose requests are watched."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return self._watch.client(super().http(name, auth, secrets, **more), "odoo")


class WatchedAlfresco(AlfrescoConnection):
    """A repository whose requests are watched."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return self._watch.client(super().http(name, auth, secrets, **more), "alfresco")


class WatchedKontur(KonturConnection):
    """A register whose requests are watched."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return self._watch.client(super().http(name, auth, secrets, **more), "kontur")


class WatchedRest(RestConnection):
    """A REST API whose requests are watched."""

    _watch: Watch = PrivateAttr(default_factory=Watch)

    def http(self, name: str, auth: tuple[str, str] | None, secrets: tuple[str, ...], **more: Any) -> HttpClient:
        return self._watch.client(super().http(name, auth, secrets, **more), "rest")


Watched = WatchedFlexi | WatchedOdoo | WatchedAlfresco | WatchedKontur | WatchedRest
KINDS: dict[str, type[Watched]] = {
    "flexi": WatchedFlexi,
    "odoo": WatchedOdoo,
    "alfresco": WatchedAlfresco,
    "kontur": WatchedKontur,
    "rest": WatchedRest,
}


def watched_connections(watch: Watch) -> dict[str, Connection]:
    """The connections as they are shipped, whose values stand in the environment."""
    found: dict[str, Connection] = {}
    for name, given in _shipped().items():
        connection = KINDS[name](**given)
        connection._watch = watch
        found[name] = connection
    return found


def shipped_connections() -> dict[str, Connection]:
    """The same, without anybody who watches."""
    return dict(ConnectionsModel.model_validate({"connections": _shipped()}).connections)


def brisk_connections(timeout: float) -> dict[str, Connection]:
    """The shipped ones with little patience (`timeout` in seconds), so that many a hang fits into a short time."""
    given = {name: {**one, "timeout": timeout, "patience": PATIENCE} for name, one in _shipped().items()}
    return dict(ConnectionsModel.model_validate({"connections": given}).connections)


def _shipped() -> dict[str, dict[str, Any]]:
    text = resources.files("sync_orchestration.defs").joinpath("connections/defs.yaml").read_text("utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["attributes"]["connections"]
    return found
