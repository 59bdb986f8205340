"""RecordSync: one YAML becomes one sync - two partitioned assets, their status, checks, a job and its triggers."""

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from sync_orchestration.components.assets import lookup_asset, source_asset, status_asset, target_asset
from sync_orchestration.components.checks import feed_is_fresh, no_failed_records, quota_is_left, source_matches_target
from sync_orchestration.components.schedules import schedules_of
from sync_orchestration.components.schema import schema_is_as_mapped
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.triggers import comparison_job, poll_sensor, sync_job


class RecordSync(dg.Component):
    """One flow of records from a source to a target."""

    def __init__(self, settings: SyncSettings, folder: Path | None = None) -> None:
        self.settings = settings
        self.folder = folder

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return SyncSettings

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "RecordSync":
        settings = SyncSettings.model_validate(attributes)
        folder = context.path.parent if context.path.is_file() else context.path
        settings.find_classes(folder, context.defs_module_path)
        if (yaml := folder / "defs.yaml").exists():
            settings.remember_file(yaml)
        return cls(settings, folder)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build everything that Dagster is to know of this sync."""
        del context
        settings = self.settings
        asked = settings.lookup if settings.source.sweeps else None
        checks = [no_failed_records(settings), schema_is_as_mapped(settings)]
        if not settings.source.pushed:
            checks = [feed_is_fresh(settings), *checks]
            checks += [quota_is_left(settings, asked)] if asked else [source_matches_target(settings)]
        return dg.Definitions(
            assets=[
                source_asset(settings),
                *([lookup_asset(settings, asked)] if asked else []),
                target_asset(settings),
                status_asset(settings),
            ],
            asset_checks=checks,
            jobs=[sync_job(settings), *([] if settings.source.pushed else [comparison_job(settings)])],
            sensors=[poll_sensor(settings)],
            schedules=schedules_of(settings),
        )
