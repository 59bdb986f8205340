"""Notifications: people are told when a run has failed for good or too many records fail, and when that is over."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, field_validator

from sync_orchestration.components.connections import Connection
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.known_secrets import known_secrets
from sync_orchestration.components.telling import Watch, deliver, look_at_rows, look_at_runs, look_at_states
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.incidents import Message
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.incidents import Threshold
from sync_orchestration.systems.messengers import Messenger, messengers

TEST_JOB = "test_notification"


class ThresholdSettings(BaseModel):
    """How many failed records of a sync are worth a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: int = Field(10, ge=1, description="Told when at least this many records of a sync fail.")
    share: float = Field(0.0, ge=0, le=1, description="And when they are at least this share of all its records.")

    def threshold(self) -> Threshold:
        return Threshold(self.at_least, self.share)


class NotificationSettings(BaseModel):
    """The attributes of a Notifications component."""

    # What is refused may be an address that somebody wrote into the file.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    urls: str = Field(
        "$SYNC_NOTIFY_URLS",
        description="Variable with the addresses to tell, as Apprise writes them, separated by blanks. Unset: off.",
        json_schema_extra={"pattern": r"^\$"},
    )
    ui_url: str = Field("$SYNC_UI_URL", description="Address of the Dagster UI for links; unset: messages have none.")
    failed_rows: ThresholdSettings = Field(
        default_factory=lambda: ThresholdSettings.model_validate({}),
        description="How many failed records of a sync are worth a message.",
    )
    syncs: dict[str, ThresholdSettings] = Field(
        default_factory=dict, description="Another threshold for single syncs, by their names."
    )

    @field_validator("urls")
    @classmethod
    def _no_secret_in_a_file(cls, value: str) -> str:
        if not value.startswith("$"):
            raise ValueError("these addresses hold secrets: write the name of their variable, like $SYNC_NOTIFY_URLS")
        return value

    @property
    def variable(self) -> str:
        """Name of the environment variable that holds the addresses."""
        return self.urls.removeprefix("$")

    def messengers(self) -> list[Messenger]:
        """Return whom to tell; nobody while the variable is unset."""
        return messengers(os.environ.get(self.variable, ""))

    @property
    def switched_off(self) -> str:
        return f"switched off: {self.variable} not set"

    def thresholds(self, syncs: Sequence[str]) -> dict[str, Threshold]:
        """Return the threshold of each sync. Raises ConfigurationError for one that does not exist."""
        if unknown := sorted(set(self.syncs) - set(syncs)):
            raise ConfigurationError(f"Notifications name the sync {unknown[0]!r}, which does not exist.")
        return {sync: self.syncs.get(sync, self.failed_rows).threshold() for sync in syncs}

    def link(self) -> str | None:
        """Return the address of the UI without a slash at its end, if one is known."""
        is_variable = self.ui_url.startswith("$")
        found = os.environ.get(self.ui_url.removeprefix("$"), "") if is_variable else self.ui_url
        return found.rstrip("/") or None


class Notifications(dg.Component):
    """Whom to tell of incidents, one YAML folder. Its sensor and job are built where all syncs are known."""

    def __init__(self, settings: NotificationSettings) -> None:
        self.settings = settings

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return NotificationSettings

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "Notifications":
        del context
        return cls(NotificationSettings.model_validate(attributes or {}))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build nothing by itself; see notification_definitions."""
        del context
        return dg.Definitions()


def the_one(found: Sequence[NotificationSettings]) -> NotificationSettings | None:
    """Return the settings of the one folder of notifications, if there is one. Raises ConfigurationError for more."""
    if len(found) > 1:
        raise ConfigurationError("Two folders are of the type Notifications. Keep one: it may name several addresses.")
    return found[0] if found else None


def notification_definitions(
    settings: NotificationSettings | None, syncs: Sequence[str], connections: Mapping[str, Connection]
) -> dg.Definitions:
    """Build the sensor that tells of incidents, and the job that tries it out; nothing without settings."""
    if settings is None:
        return dg.Definitions()
    thresholds = settings.thresholds(syncs)
    return dg.Definitions(sensors=[_sensor(settings, thresholds, connections)], jobs=[_test_job(settings)])


def _sensor(
    settings: NotificationSettings, thresholds: Mapping[str, Threshold], connections: Mapping[str, Connection]
) -> dg.SensorDefinition:
    @dg.sensor(
        name="notifications_sensor",
        minimum_interval_seconds=60,
        required_resource_keys={"interface"},
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people when a run has failed for good or too many records of a sync fail, once, and once "
        "more when that is over.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        people = settings.messengers()
        if not people:
            context.update_cursor("")
            return dg.SkipReason(settings.switched_off)
        now = datetime.now(UTC)
        watch = Watch(
            syncs=thresholds,
            secrets=(*configured_secrets(connections), *known_secrets(), *(s for one in people for s in one.secrets)),
            link=settings.link(),
            ignored={TEST_JOB},
        )
        interface: InterfaceDatabase = context.resources.interface
        try:
            with interface.session() as conn:
                since = datetime.fromisoformat(context.cursor) if context.cursor else None
                look_at_runs(conn, context.instance, watch, since, now)
                look_at_rows(conn, watch)
                look_at_states(conn, watch)
                context.update_cursor(now.isoformat())
                report = deliver(conn, people)
        except DatabaseError as error:
            return dg.SkipReason(str(error))
        for problem in report.problems:
            context.log.warning(problem)
        return dg.SkipReason(report.sentence)

    return sensor


def _test_job(settings: NotificationSettings) -> dg.JobDefinition:
    @dg.op(description="Sends one message to everybody who would be told of an incident.")
    def message_to_all(context: dg.OpExecutionContext) -> None:
        tried = try_out(settings)
        if not tried:
            raise dg.Failure(description=f"Notifications are {settings.switched_off}.", allow_retries=False)
        rows = [
            dg.TableRecord({"target": t.name, "accepted": t.problem is None, "why not": t.problem or ""}) for t in tried
        ]
        table = dg.MetadataValue.table(rows)
        if refused := [f"{t.name}: {t.problem}" for t in tried if t.problem]:
            raise dg.Failure(description="; ".join(refused), metadata={"targets": table}, allow_retries=False)
        context.log.info(f"accepted by {', '.join(t.name for t in tried)}")
        context.add_output_metadata({"targets": table})

    @dg.job(
        name=TEST_JOB,
        description="Sends one test message to everybody who would be told of an incident, and says who accepted it.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},
    )
    def job() -> None:
        message_to_all()

    return job


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the test message at one target."""

    name: str
    problem: str | None


def try_out(settings: NotificationSettings) -> list[Tried]:
    """Send a test message to everybody; returns nothing while notifications are switched off."""
    link = settings.link()
    text = "This is a test of the notifications of sync_orchestration. Nothing is wrong."
    message = Message("sync_orchestration: test", f"{text}\n{link}" if link else text)
    return [Tried(str(one), one.tell(message, "test")) for one in settings.messengers()]


def configured_secrets(connections: Mapping[str, Connection]) -> list[str]:
    """Return every secret that the environment gives to the connections and to the database."""
    found: list[Any] = [urlsplit(os.environ.get("SYNC_POSTGRES_URL", "")).password]
    for connection in connections.values():
        found += [os.environ.get(name) for name in connection.secret_variables()]
    return [secret for secret in found if secret]
