"""The one door that Dagster opens: everything under defs/, and one policy for all of it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import dagster as dg

from sync_orchestration import defs as own_folder
from sync_orchestration.components.connections import Connection, Connections
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake import Intake, IntakeModel, refuse_strangers, secret_variables
from sync_orchestration.components.json_logs import follow_log_format
from sync_orchestration.components.known_secrets import remember_secrets
from sync_orchestration.components.maintenance import maintenance_definitions
from sync_orchestration.components.mistakes import mistake_in, refuse_contradictions
from sync_orchestration.components.notifications import (
    Notifications,
    NotificationSettings,
    notification_definitions,
    the_one,
)
from sync_orchestration.components.record_sync import RecordSync
from sync_orchestration.components.schema import schema_definitions
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.tracing import ENDPOINTS, start_tracing
from sync_orchestration.components.wakes import wake_sensors
from sync_orchestration.pipeline.errors import ConfigurationError


@dataclass(frozen=True)
class Project:
    """What the YAML folders say: connections and syncs by name, and the definitions built of them."""

    connections: dict[str, Connection]
    syncs: dict[str, SyncSettings]
    definitions: dg.Definitions
    notifications: NotificationSettings | None = None
    intake: IntakeModel | None = None

    def missing_variables(self, sync: SyncSettings) -> list[str]:
        """Return the unset environment variables that keep a sync switched off."""
        names = sync.connections
        return [v for name in names if name in self.connections for v in self.connections[name].missing_variables()]


def load_project(defs_folder: ModuleType = own_folder) -> Project:
    """Load every YAML under defs/. Raises ConfigurationError, which names file and line of a mistake in it.

    Logs and traces of the process follow what the environment says of them from here on.
    """
    follow_log_format()
    tree = dg.ComponentTree.from_module(defs_module=defs_folder, project_root=Path(__file__).parent.parent)
    with warnings.catch_warnings():
        # Components, backfill policies and code references are beta in Dagster 1.13; they are used on purpose, the
        # version is pinned, and thirty warnings would bury what a command has to say.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        try:
            built = tree.build_defs()
        except Exception as error:
            if mistake := mistake_in(error):
                raise mistake from None
            raise
    connections: dict[str, Connection] = {}
    for component in tree.get_all_components(of_type=Connections):
        connections.update(component.connections)
    settings = [component.settings for component in tree.get_all_components(of_type=RecordSync)]
    refuse_contradictions(connections, settings)
    syncs = {sync.name: sync for sync in sorted(settings, key=lambda s: (_turn(s), s.name))}
    policy = dg.Definitions(resources={"interface": InterfaceDatabase()}, executor=dg.in_process_executor)
    notifications = the_one([component.settings for component in tree.get_all_components(of_type=Notifications)])
    intake = _the_intake([component.model for component in tree.get_all_components(of_type=Intake)])
    if intake:
        refuse_strangers(intake, syncs, connections)
    remember_secrets(
        [name for connection in connections.values() for name in connection.secret_variables()],
        urls=[*(connection.url.removeprefix("$") for connection in connections.values()), *ENDPOINTS],
        messengers=[notifications.variable] if notifications else [],
    )
    remember_secrets(secret_variables(intake) if intake else [])
    start_tracing()
    everything = dg.Definitions.merge(
        built,
        dg.Definitions(sensors=wake_sensors(intake, syncs)),
        maintenance_definitions(list(syncs.values()), connections, notifications),
        schema_definitions(list(syncs.values())),
        notification_definitions(notifications, list(syncs), connections),
        policy,
    )
    return Project(connections, syncs, everything, notifications, intake)


def _the_intake(found: Sequence[IntakeModel]) -> IntakeModel | None:
    if len(found) > 1:
        raise ConfigurationError("Two folders are of the type Intake. Keep one: it may name several senders.")
    return found[0] if found else None


def _turn(sync: SyncSettings) -> int:
    """Return when a sync's turn is: after those that write what it reads."""
    if sync.source.kind == "interface":
        return 1
    return 2 if sync.source.reads else 0


@dg.definitions
def definitions() -> dg.Definitions:
    """Return what Dagster is to know."""
    return load_project().definitions
