"""The addresses of the record browser."""

from collections.abc import Mapping

from starlette.routing import Route

from sync_orchestration.intake.records.buttons import Buttons
from sync_orchestration.intake.records.chart import Charts
from sync_orchestration.intake.records.desk import Desk
from sync_orchestration.intake.records.export import Exports
from sync_orchestration.intake.records.front import Front
from sync_orchestration.intake.records.listing import Listing
from sync_orchestration.intake.records.record import RecordPages
from sync_orchestration.intake.records.views import SyncView
from sync_orchestration.intake.settings import IntakeSettings
from sync_orchestration.intake.storage import Storage


def record_routes(settings: IntakeSettings, storage: Storage, views: Mapping[str, SyncView]) -> list[Route]:
    """Return the routes; those of single records come last, for they match much."""
    desk = Desk(settings, storage, views)
    parts = (Front(desk), Listing(desk), Charts(desk), Exports(desk), Buttons(desk), RecordPages(desk))
    return [route for part in parts for route in part.routes()]
