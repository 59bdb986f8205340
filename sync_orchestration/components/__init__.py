"""How a YAML becomes assets, checks, sensors, schedules and jobs. Only here and in definitions.py is Dagster used."""

from sync_orchestration.components.connections import Connections
from sync_orchestration.components.intake import Intake
from sync_orchestration.components.notifications import Notifications
from sync_orchestration.components.record_sync import RecordSync

__all__ = ["Connections", "Intake", "Notifications", "RecordSync"]
