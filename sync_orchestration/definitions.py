"""The one door that Dagster opens: everything under defs/, and one policy for all of it."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from zlib import crc32

import dagster as dg

from sync_orchestration import defs as own_folder
from sync_orchestration.components.connections import Connection, Connections, unset_variables
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.intake import Intake, IntakeModel, refuse_strangers, secret_variables
from sync_orchestration.components.json_logs import follow_log_format
from sync_orchestration.components.known_secrets import remember_secrets
from sync_orchestration.components.maintenance import maintenance_definitions
from sync_orchestration.components.mistakes import (
    mistake_in,
    refuse_contradictions,
    refuse_equal_connections,
    refuse_equal_syncs,
)
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
from sync_orchestration.defs_dir import DEFS_VARIABLE, users_folder
from sync_orchestration.pipeline.errors import ConfigurationError

"""Names the folder of the user's own YAML, beside which his Python files stand."""

Component = TypeVar("Component", bound=dg.Component)


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
        return unset_variables([self.connections[name] for name in sync.connections if name in self.connections])


def load_project(defs_folder: ModuleType | None = None) -> Project:
    """Load every YAML of the package's defs/ and of the folder that SYNC_DEFS_DIR names, or of `defs_folder` alone.

    Raises ConfigurationError, which names file and line of a mistake in it. Logs and traces of the process follow what
    the environment says of them from here on.
    """
    follow_log_format()
    trees = [_tree(folder) for folder in ([defs_folder] if defs_folder else defs_folders())]
    with _plain_mistakes([tree.defs_module_path for tree in trees[1:]]):
        found = [component for tree in trees for component in tree.get_all_components(of_type=Connections)]
        refuse_equal_connections([(one.folder, list(one.connections)) for one in found])
        connections: dict[str, Connection] = {}
        for one in found:
            connections.update(one.connections)
        flows = [component for tree in trees for component in tree.get_all_components(of_type=RecordSync)]
        refuse_equal_syncs([(flow.folder, flow.settings) for flow in flows])
        settings = [flow.settings for flow in flows]
        refuse_contradictions(connections, settings)
        first, *others = [tree.build_defs() for tree in trees]
    built = dg.Definitions.merge(first, *map(_without_tree, others))
    syncs = {sync.name: sync for sync in sorted(settings, key=lambda s: (_turn(s), s.name))}
    policy = dg.Definitions(resources={"interface": InterfaceDatabase()}, executor=dg.in_process_executor)
    notifications = the_one([component.settings for component in _nearest(trees, Notifications)])
    intake = _the_intake([component.model for component in _nearest(trees, Intake)])
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


def defs_folders() -> list[ModuleType]:
    """Return the folders whose YAML is loaded: the package's own, and the user's that SYNC_DEFS_DIR names.

    Raises ConfigurationError when that is no folder.
    """
    folder = users_folder()
    if folder is None:
        return [own_folder]
    if not folder.is_dir():
        raise ConfigurationError(f"{DEFS_VARIABLE} names {folder}, which is no folder. Make it, or unset the variable.")
    is_empty = next(folder.rglob("defs.yaml"), None) is None  # which Dagster would take for a mistake
    return [own_folder] if is_empty else [own_folder, _as_module(folder)]


def _as_module(folder: Path) -> ModuleType:
    """Return a folder anywhere as the package that Dagster takes for a place of definitions."""
    module = ModuleType(f"sync_defs_{crc32(str(folder).encode()):08x}")
    module.__file__ = str(folder / "__init__.py")
    module.__path__ = [str(folder)]
    return sys.modules.setdefault(module.__name__, module)


def _tree(folder: ModuleType) -> dg.ComponentTree:
    return dg.ComponentTree.from_module(defs_module=folder, project_root=Path(__file__).parent.parent)


def _without_tree(built: dg.Definitions) -> dg.Definitions:
    """Return definitions without the tree of components that they come from: Dagster knows one in a code location."""
    return dg.Definitions(
        assets=built.assets,
        asset_checks=built.asset_checks,
        jobs=built.jobs,
        schedules=built.schedules,
        sensors=built.sensors,
        resources=built.resources,
        loggers=built.loggers,
        metadata=built.metadata,
    )


@contextmanager
def _plain_mistakes(own: Sequence[Path]) -> Iterator[None]:
    """Load components; a mistake in a YAML, or in a Python file of the user's `own` folders, is told in plain words."""
    with warnings.catch_warnings():
        # Components, backfill policies and code references are beta in Dagster 1.13; they are used on purpose, the
        # version is pinned, and thirty warnings would bury what a command has to say.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        try:
            yield
        except Exception as error:
            if mistake := mistake_in(error, own):
                raise mistake from None
            raise


def _nearest(trees: Sequence[dg.ComponentTree], kind: type[Component]) -> list[Component]:
    """Return the components of a kind of which there is one: the user's own come before the package's."""
    of_each = (list(tree.get_all_components(of_type=kind)) for tree in reversed(trees))
    return next((found for found in of_each if found), [])


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
