"""Stand-in of Kontur.Focus ``api3``: base requisites of Russian companies by INN or OGRN."""

from sync_orchestration.sandbox.kontur.app import kontur_app
from sync_orchestration.sandbox.kontur.switches import KonturSwitches
from sync_orchestration.sandbox.kontur.world import KonturWorld

__all__ = ["KonturSwitches", "KonturWorld", "kontur_app"]
