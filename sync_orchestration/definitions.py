"""The one door that Dagster opens: everything under defs/, and one policy for all of it."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from sync_orchestration import defs as defs_folder
from sync_orchestration.components.connections import Connection, Connections
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.maintenance import maintenance_definitions
from sync_orchestration.components.record_sync import RecordSync
from sync_orchestration.components.settings import SyncSettings


@dataclass(frozen=True)
class Project:
    """What the YAML folders say: connections and syncs by name, and the definitions built of them."""

    connections: dict[str, Connection]
    syncs: dict[str, SyncSettings]
    definitions: dg.Definitions

    def missing_variables(self, sync: SyncSettings) -> list[str]:
        """Return the unset environment variables that keep a sync switched off."""
        names = (sync.source.connection, sync.target.connection)
        return [v for name in names if name in self.connections for v in self.connections[name].missing_variables()]


def load_project() -> Project:
    """Load every YAML under defs/. Raises Dagster's and pydantic's errors, which name file and line."""
    tree = dg.ComponentTree.from_module(defs_module=defs_folder, project_root=Path(__file__).parent.parent)
    with warnings.catch_warnings():
        # Components, backfill policies and code references are beta in Dagster 1.13; they are used on purpose, the
        # version is pinned, and thirty warnings would bury what a command has to say.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        built = tree.build_defs()
    connections: dict[str, Connection] = {}
    for component in tree.get_all_components(of_type=Connections):
        connections.update(component.connections)
    syncs = {c.settings.name: c.settings for c in tree.get_all_components(of_type=RecordSync)}
    policy = dg.Definitions(resources={"interface": InterfaceDatabase()}, executor=dg.in_process_executor)
    everything = dg.Definitions.merge(built, maintenance_definitions(list(syncs.values()), connections), policy)
    return Project(connections, syncs, everything)


@dg.definitions
def definitions() -> dg.Definitions:
    """Return what Dagster is to know."""
    return load_project().definitions
