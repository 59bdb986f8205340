"""The intake: other systems push records here, and hear at once what is wrong with them."""

from sync_orchestration.intake.app import IntakeApp, intake_app
from sync_orchestration.intake.contract import (
    FieldContract,
    IntakeConfigurationError,
    RelatedModel,
    SyncContract,
)
from sync_orchestration.intake.records.views import Comparison, Mapped, SyncView
from sync_orchestration.intake.references import References, TargetUnreachableError
from sync_orchestration.intake.run_figures import Quota, RunFigures, Times
from sync_orchestration.intake.settings import Hook, IntakeSettings, Limits, Operator, Sender

__all__ = [
    "Comparison",
    "FieldContract",
    "Hook",
    "IntakeApp",
    "IntakeConfigurationError",
    "IntakeSettings",
    "Limits",
    "Mapped",
    "Operator",
    "Quota",
    "References",
    "RelatedModel",
    "RunFigures",
    "Sender",
    "SyncContract",
    "SyncView",
    "TargetUnreachableError",
    "Times",
    "intake_app",
]
