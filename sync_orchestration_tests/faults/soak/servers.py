"""The stand-ins of all syncs, and the intake, in a process of their own: ``… soak.servers DATABASE_URL RECORDS``.

Prints its addresses, then does what it is told, a line of JSON each, and answers with a line of JSON.
"""

import dataclasses
import json
import os
import sys
from contextlib import ExitStack
from typing import Any

from sync_orchestration.components.intake import IntakeModel, intake_settings, references
from sync_orchestration.intake import intake_app
from sync_orchestration.sandbox.server import serve
from sync_orchestration_tests.faults.stages import INTAKE, NO_LIMIT
from sync_orchestration_tests.faults.watching import shipped_connections
from sync_orchestration_tests.faults.working import shipped_settings
from sync_orchestration_tests.faults.worlds import WORLDS, Deed, World
from sync_orchestration_tests.faults.worlds.intake_partners import IntakePartnersWorld


class Servers:
    """All worlds, served."""

    def __init__(self, database_url: str, records: int, stack: ExitStack) -> None:
        self.worlds: dict[str, World] = {}
        self.variables: dict[str, dict[str, str]] = {}
        self.urls: dict[str, dict[str, str]] = {}
        for number, (sync, kind) in enumerate(WORLDS.items()):
            if kind.upstream:
                continue  # its world is that of the sync that it follows, and more
            self._open(sync, kind, 18 + number % 2, stack)
        for sync, kind in WORLDS.items():
            for above in kind.upstream:
                # Both syncs work in one world: the one with the more systems.
                self._open(sync, kind, 19, stack)
                self.worlds[above], self.variables[above] = self.worlds[sync], self.variables[sync]
                self.urls[above] = self.urls[sync]
        self._open_intake(database_url, stack)
        for world in dict.fromkeys(self.worlds.values()):
            world.begin(records)
            world.look()

    def _open(self, sync: str, kind: type[World], version: int, stack: ExitStack) -> None:
        world = kind(version)
        self.worlds[sync] = world
        self.urls[sync] = {name: stack.enter_context(serve(app)) for name, app in world.served().items()}
        self.variables[sync] = world.variables(self.urls[sync])

    def _open_intake(self, database_url: str, stack: ExitStack) -> None:
        world = self.worlds["intake_partners"]
        assert isinstance(world, IntakePartnersWorld)
        os.environ.update(self.variables["intake_partners"])
        syncs = {"intake_partners": shipped_settings("intake_partners")}
        settings = intake_settings(IntakeModel.model_validate({**INTAKE, **NO_LIMIT}), syncs, "http://localhost")
        app = intake_app(settings, database_url, references(syncs, shipped_connections()))
        stack.callback(app.close)
        world.intake_url = stack.enter_context(serve(app))

    def obey(self, order: dict[str, Any]) -> Any:
        world = self.worlds[order["sync"]]
        match order["what"]:
            case "do":
                return world.do(Deed(*order["deed"]))
            case "settle":
                world.settle()
                world.look()
                return None
            case "picture":
                kind = WORLDS[order["sync"]]
                picture = kind.picture(world)
                told = dataclasses.asdict(picture)
                return {name: sorted(value) if isinstance(value, set) else value for name, value in told.items()}
            case _:
                # The ledger of a world is that of the target of the sync with the more systems.
                return dict(world.written) if world.sync == order["sync"] else {}


def main() -> None:
    """Serve until standard input ends."""
    with ExitStack() as stack:
        servers = Servers(sys.argv[1], int(sys.argv[2]), stack)
        _say({"variables": servers.variables, "urls": servers.urls})
        for line in sys.stdin:
            _say(servers.obey(json.loads(line)))


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
