"""The attributes of a RecordSync: what stands in its YAML. Every description shows in editors and in the UI."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PrivateAttr, field_validator, model_validator

from sync_orchestration.components.intake_source import IntakeSourceSettings
from sync_orchestration.components.loaded_file import LoadedFile
from sync_orchestration.components.python_settings import (
    PythonLookupSettings,
    PythonSettings,
    PythonSourceSettings,
    PythonTargetSettings,
)
from sync_orchestration.components.source_settings import (
    AlfrescoSourceSettings,
    FlexiSourceSettings,
    InterfaceSourceSettings,
    KonturLookupSettings,
    OdooSourceSettings,
    RestSourceSettings,
    Settings,
)
from sync_orchestration.components.target_settings import AlfrescoTargetSettings, OdooTargetSettings, RestTargetSettings
from sync_orchestration.intake import Limits, SyncContract
from sync_orchestration.intake.checks import DataChecker
from sync_orchestration.mapping.compile import Mapping, compile_mapping
from sync_orchestration.mapping.conditions import Condition, compile_condition
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.fields import Fields, FieldSpec, ReferenceSpec, RuleSpec
from sync_orchestration.mapping.hours import OffPeak, off_peak
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.passes import RetryPolicy

# Everything that decides what is read and written; a change of it begins a sweep anew.
_DECISIVE = {
    "source", "lookup", "target", "mapping", "rules", "keep_when_empty", "only_when_empty", "precedence", "when",
}  # fmt: skip

_OF_ANSWERS = {"id_field", "record", "find", "find_records", "verify", "parallel", "idempotency_hours"}


class PrecedenceSettings(Settings):
    """Another sync into the same target whose word counts more."""

    sync: str = Field(description="On target records that this other sync is linked to as well, it decides.")
    fields: list[str] = Field(
        default_factory=list, description="The fields that it decides; empty: all that this sync maps."
    )


class GuardSettings(Settings):
    """How many deletes or archives of one pass are plausible; more are held for a person's word."""

    share: float = Field(0.10, ge=0, le=1, description="Largest plausible share of the known records.")
    least: int = Field(50, ge=0, description="This many always pass.")


class TriggerSettings(Settings):
    """When the sync runs by itself."""

    cron: str | None = Field(
        None, description="Cron of a source that is read whole each time; five fields, or six with seconds first."
    )
    poll_seconds: int = Field(30, ge=5, description="How often the source is asked whether anything changed.")
    reconcile: str | None = Field("30 3 * * *", description="Cron of the comparison of source and target; null: never.")
    timezone: str = Field("UTC", description="Time zone of the cron expressions.")
    windows_per_run: int = Field(10, ge=1, description="Most partitions that one run takes on.")
    priority: int = Field(0, description="Priority of the runs in Dagster's queue; higher ones go first.")
    hours: str | None = Field(
        None, description="Off-peak hours in which triggers may begin a run, e.g. 22:00-06:00; unset: all day."
    )
    retry_delays_seconds: list[int] = Field(
        default_factory=lambda: [10, 60, 600], description="Waits before a failed pass is tried again."
    )

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: str | None) -> str | None:
        if value is not None:
            off_peak(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {value!r}; it is a name like Europe/Prague") from None
        return value

    @property
    def off_peak(self) -> OffPeak | None:
        return None if self.hours is None else off_peak(self.hours)


class SyncSettings(Settings):
    """One sync: which records flow from where to where, how they are translated, and what sets it off."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the sync, its job and its sensor.")
    description: str = Field("", description="What this sync is for; shows in the UI.")
    enabled: bool = Field(default=True, description="False: loaded, but nothing triggers it.")
    source: Annotated[
        FlexiSourceSettings
        | AlfrescoSourceSettings
        | InterfaceSourceSettings
        | OdooSourceSettings
        | RestSourceSettings
        | IntakeSourceSettings
        | PythonSourceSettings,
        Field(discriminator="kind", description="Where records come from."),
    ]
    lookup: Annotated[KonturLookupSettings | PythonLookupSettings, Field(discriminator="kind")] | None = Field(
        None, description="What another system is asked about the records."
    )
    target: Annotated[
        OdooTargetSettings | AlfrescoTargetSettings | RestTargetSettings | PythonTargetSettings,
        Field(discriminator="kind", description="Where records go to."),
    ]
    mapping: Fields = Field(description="Field of the target: path in the source, or a description of where from.")
    rules: list[RuleSpec] = Field(default_factory=list, description="What must hold of a record before it is written.")
    keep_when_empty: bool = Field(
        default=False, description="True: an empty value leaves the target's as it is, instead of clearing it."
    )
    only_when_empty: list[str] = Field(
        default_factory=list, description="Fields that are written only where the target has no value."
    )
    precedence: PrecedenceSettings | None = Field(None, description="A sync that has precedence over this one.")
    when: str | None = Field(None, description="Condition on the source record; one that does not meet it is skipped.")
    sensitive: list[str] = Field(default_factory=list, description="More field names that are never stored nor sent.")
    guard: GuardSettings = Field(
        default_factory=lambda: GuardSettings.model_validate({}),
        description="How many deletes of one pass are plausible; more are held until a person confirms them.",
    )
    triggers: TriggerSettings = Field(
        default_factory=lambda: TriggerSettings.model_validate({}), description="When the sync runs by itself."
    )
    _file: LoadedFile | None = PrivateAttr(default=None)

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, value: str | None) -> str | None:
        if value is not None:
            compile_condition(value)
        return value

    @field_validator("triggers")
    @classmethod
    def _has_a_cron(cls, value: TriggerSettings) -> TriggerSettings:
        if value.cron is not None:
            five_fields(value.cron)
        return value

    @model_validator(mode="after")
    def _maps(self) -> "SyncSettings":
        mapping = self.compiled()
        if isinstance(self.source, OdooSourceSettings) and mapping.reads_whole_record and not self.source.fields:
            raise ValueError(
                "say with `reads` which fields a python function of the mapping uses, or list source.fields"
            )
        return self

    @model_validator(mode="after")
    def _agrees_with_senders(self) -> "SyncSettings":
        if contract := self.contract():
            DataChecker.of(contract, Limits().text_length)
        return self

    def contract(self) -> SyncContract | None:
        """Return what is agreed with those who push records; None where nobody does. Raises a ValueError."""
        if not isinstance(self.source, IntakeSourceSettings):
            return None
        return self.source.contract(
            self.name,
            self.compiled(),
            self.condition(),
            description=self.description,
            sensitive=self.sensitive_names,
        )

    def compiled(self) -> Mapping:
        """Return the mapping with its rules, compiled. Raises MappingError, which pydantic shows with its place."""
        return compile_mapping(self.mapping, self.rules)

    def condition(self) -> Condition | None:
        """Return the condition under which a record takes part, compiled."""
        return compile_condition(self.when) if self.when else None

    def find_classes(self, folder: Path, root: Path) -> None:
        """Find the Python classes that the YAML in `folder` names. Raises ConfigurationError.

        They may stand beside it, or in a folder above it up to `root`.
        """
        for part in self.python_parts:
            part.find(folder, root)

    @property
    def python_parts(self) -> list[PythonSettings]:
        """Those of source, target and lookup that are Python classes of the user's own."""
        return [part for part in (self.source, self.target, self.lookup) if isinstance(part, PythonSettings)]

    @property
    def references(self) -> list[ReferenceSpec]:
        """The related records that the mapping names."""
        fields = [form for form in self.mapping.values() if isinstance(form, FieldSpec)]
        return [field.reference for field in fields if field.reference is not None]

    @property
    def target_asset_key(self) -> list[str]:
        return (self.target.asset or f"{self.target.connection}/{self.name}").split("/")

    @property
    def connections(self) -> list[str]:
        """Names of all connections that the sync uses: source, lookup, target."""
        lookup = [self.lookup.connection] if self.lookup else []
        return list(dict.fromkeys([self.source.connection, *lookup, self.target.connection]))

    @property
    def partitions(self) -> str:
        """Name of the dynamic partitions: the windows of this sync's source."""
        return f"{self.name}_windows"

    @property
    def sensitive_names(self) -> frozenset[str]:
        return SENSITIVE_NAMES | frozenset(self.sensitive)

    @property
    def delete_guard(self) -> DeleteGuard:
        return DeleteGuard(self.guard.share, self.guard.least)

    @property
    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(tuple(timedelta(seconds=s) for s in self.triggers.retry_delays_seconds))

    @property
    def config_hash(self) -> str:
        """Hash of everything that decides what is read and written."""
        return payload_hash(self.model_dump(mode="json", include=_DECISIVE))

    @property
    def sending_hash(self) -> str:
        """Hash of what decides which request is sent for a record; how its answer is read is no part of that."""
        deciding = _DECISIVE - {"source"}
        return payload_hash(self.model_dump(mode="json", include=deciding, exclude={"target": _OF_ANSWERS}))

    def remember_file(self, file: Path) -> None:
        """Remember the YAML that these settings were loaded from, as it is now."""
        self._file = LoadedFile.now(file)

    def differs_from(self, config_hash: str | None) -> bool:
        """Tell whether the last run had another configuration than this one, by its hash; None: nobody knows.

        A process that goes on after its YAML was changed on disk cannot tell: each run loads it anew and knows better.
        """
        if config_hash in (None, self.config_hash):
            return False
        return self._file is None or not self._file.has_changed
