"""The attributes of a RecordSync: what stands in its YAML. Every description shows in editors and in the UI."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sync_orchestration.mapping.compile import Mapping, compile_mapping
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.fields import Fields, RuleSpec
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.passes import RetryPolicy


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FlexiSourceSettings(_Settings):
    """Records of one evidence of an ABRA Flexi company, by its Changes API."""

    kind: Literal["flexi"]
    connection: str = Field(description="Name of the Flexi connection.")
    evidence: str = Field("adresar", description="The evidence to read, e.g. adresar.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<evidence>.")
    children: dict[str, str] = Field(
        default_factory=dict,
        description="Child evidences whose changes are changes of the record, each with the relation under which the "
        "record carries them, e.g. kontakt: kontakty.",
    )
    window: int = Field(10_000, ge=100, description="Versions in one partition; few large ones are cheapest.")
    overlap: int = Field(
        1_000, ge=0, le=1_000, description="Versions behind the cursor that each read lists again, for late commits."
    )
    page: int = Field(500, ge=1, le=1_000, description="Records in one page of a full read and in one batch fetch.")

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.evidence}").split("/")


class OdooTargetSettings(_Settings):
    """Records of one Odoo model, created and updated by external id."""

    kind: Literal["odoo"]
    connection: str = Field(description="Name of the Odoo connection.")
    model: str = Field("res.partner", description="The model to write.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<sync>.")
    external_id: str = Field(
        "{source}_{company}.{entity}_{key}",
        pattern=r"^[^\s.]+\.\S*\{key\}\S*$",
        description="Pattern of the external id, module.name; {source}, {company}, {entity}, {key} are filled in.",
    )
    match_on: list[str] = Field(
        default_factory=list,
        description="Link a new record to the one existing record with the same value, tried field by field, instead "
        "of creating a double. Several matches fail the record.",
    )
    deletion: Literal["archive", "unlink"] = Field("archive", description="What a delete in the source does in Odoo.")
    batch: int = Field(500, ge=1, le=1_000, description="Records in one load.")
    context: dict[str, Any] = Field(
        default_factory=lambda: {"tracking_disable": True},
        description="Odoo context of every write. tracking_disable saves a third to a half of the time and keeps the "
        "changes out of the chatter.",
    )


class GuardSettings(_Settings):
    """How many deletes or archives of one pass are plausible; more are held for a person's word."""

    share: float = Field(0.10, ge=0, le=1, description="Largest plausible share of the known records.")
    least: int = Field(50, ge=0, description="This many always pass.")


class TriggerSettings(_Settings):
    """When the sync runs by itself."""

    poll_seconds: int = Field(30, ge=5, description="How often the source is asked whether anything changed.")
    reconcile: str | None = Field("30 3 * * *", description="Cron of the comparison of source and target; null: never.")
    timezone: str = Field("UTC", description="Time zone of the cron expressions.")
    windows_per_run: int = Field(10, ge=1, description="Most partitions that one run takes on.")
    retry_delays_seconds: list[int] = Field(
        default_factory=lambda: [10, 60, 600], description="Waits before a failed pass is tried again."
    )


class SyncSettings(_Settings):
    """One sync: which records flow from where to where, how they are translated, and what sets it off."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the sync, its job and its sensor.")
    description: str = Field("", description="What this sync is for; shows in the UI.")
    enabled: bool = Field(default=True, description="False: loaded, but nothing triggers it.")
    source: Annotated[FlexiSourceSettings, Field(description="Where records come from.")]
    target: Annotated[OdooTargetSettings, Field(description="Where records go to.")]
    mapping: Fields = Field(description="Field of the target: path in the source, or a description of where from.")
    rules: list[RuleSpec] = Field(default_factory=list, description="What must hold of a record before it is written.")
    when: str | None = Field(None, description="Condition on the source record; one that does not meet it is skipped.")
    sensitive: list[str] = Field(default_factory=list, description="More field names that are never stored nor sent.")
    guard: GuardSettings = Field(default_factory=lambda: GuardSettings.model_validate({}))
    triggers: TriggerSettings = Field(default_factory=lambda: TriggerSettings.model_validate({}))

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, value: str | None) -> str | None:
        if value is not None:
            compile_condition(value)
        return value

    @model_validator(mode="after")
    def _maps(self) -> "SyncSettings":
        self.compiled()
        return self

    def compiled(self) -> Mapping:
        """Return the mapping with its rules, compiled. Raises MappingError, which pydantic shows with its place."""
        return compile_mapping(self.mapping, self.rules)

    @property
    def target_asset_key(self) -> list[str]:
        return (self.target.asset or f"{self.target.connection}/{self.name}").split("/")

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
        return payload_hash(self.model_dump(mode="json", include={"source", "target", "mapping", "rules", "when"}))
