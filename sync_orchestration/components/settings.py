"""The attributes of a RecordSync: what stands in its YAML. Every description shows in editors and in the UI."""

from datetime import timedelta
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sync_orchestration.mapping.compile import Mapping, compile_mapping
from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.mapping.diff import payload_hash
from sync_orchestration.mapping.fields import Fields, RuleSpec
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.passes import RetryPolicy

# Everything that decides what is read and written; a change of it begins a sweep anew.
_DECISIVE = {
    "source", "lookup", "target", "mapping", "rules", "keep_when_empty", "only_when_empty", "precedence", "when",
}  # fmt: skip
_PLACEHOLDERS = frozenset({"source", "company", "entity", "key"})


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FlexiSourceSettings(_Settings):
    """Records of one evidence of an ABRA Flexi company, by its Changes API."""

    kind: Literal["flexi"] = Field(description="Which kind of source this is.")
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
    def entity(self) -> str:
        return self.evidence

    @property
    def sweeps(self) -> bool:
        return False

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.evidence}").split("/")


class AlfrescoSourceSettings(_Settings):
    """Nodes of one type of an Alfresco or Citeck repository, read whole in the order of their node-dbid."""

    kind: Literal["alfresco"] = Field(description="Which kind of source this is.")
    connection: str = Field(description="Name of the Alfresco connection.")
    type: str = Field("idocs:contractor", description="The type of the nodes, with its prefix.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<type without prefix>s.")
    batch: int = Field(100, ge=1, le=100, description="Nodes in one search and in one question to the register.")
    window: int = Field(10_000, ge=100, description="Node-dbids in one partition.")

    @property
    def entity(self) -> str:
        return self.type

    @property
    def page(self) -> int:
        return self.batch

    @property
    def overlap(self) -> int:
        return 0

    @property
    def sweeps(self) -> bool:
        """A repository has no feed: each pass reads it whole, which also heals what the index showed late."""
        return True

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.type.rpartition(':')[2]}s").split("/")


class InterfaceSourceSettings(_Settings):
    """Records that another sync has processed, as the interface table holds them."""

    kind: Literal["interface"] = Field(description="Which kind of source this is.")
    sync: str = Field(description="The sync whose processed records are read.")
    reads: str = Field(description="Key of the asset that the other sync writes, for the lineage.")
    asset: str | None = Field(None, description="Asset key; by default interface/<sync>.")
    window: int = Field(10_000, ge=100, description="Settlings in one partition.")
    overlap: int = Field(1_000, ge=0, description="Settlings behind the cursor that each read lists again.")
    page: int = Field(500, ge=1, le=1_000, description="Records read at once.")

    @property
    def connection(self) -> str:
        return "interface"

    @property
    def entity(self) -> str:
        return self.sync

    @property
    def sweeps(self) -> bool:
        return False

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"interface/{self.sync}").split("/")


class KonturLookupSettings(_Settings):
    """What the company register Kontur.Focus knows of each record; its answers are found under `register`."""

    kind: Literal["kontur"] = Field(description="Which kind of lookup this is.")
    connection: str = Field(description="Name of the Kontur connection.")
    attribute: str = Field("idocs:inn", description="The attribute of a record that holds its number.")
    search: Literal["inn", "ogrn"] = Field("inn", description="Which kind of number that is.")
    stored_ogrn: str = Field(
        "idocs:ogrn", description="Attribute that helps to choose among several bodies of one INN."
    )
    stored_kpp: str = Field("idocs:kpp", description="Attribute that tells branches and largest taxpayers.")
    max_age_hours: float = Field(24, ge=0, description="A younger answer is not asked for again.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/companies.")

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/companies").split("/")


class OdooTargetSettings(_Settings):
    """Records of one Odoo model, created and updated by external id."""

    kind: Literal["odoo"] = Field(description="Which kind of target this is.")
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

    @field_validator("external_id")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        unknown = {name for _, name, _, _ in Formatter().parse(value) if name is not None} - _PLACEHOLDERS
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in sorted(_PLACEHOLDERS))
            raise ValueError(f"there is no {{{sorted(unknown)[0]}}} to fill in; there are {known}")
        return value


class AlfrescoTargetSettings(_Settings):
    """Existing nodes of an Alfresco or Citeck repository, changed where they differ; none is created or deleted."""

    kind: Literal["alfresco"] = Field(description="Which kind of target this is.")
    connection: str = Field(description="Name of the Alfresco connection.")
    type: str = Field("idocs:contractor", description="The type of the nodes, with its prefix.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<sync>.")
    parallel: int = Field(4, ge=1, le=16, description="Changes sent at a time.")

    @property
    def model(self) -> str:
        return self.type


class PrecedenceSettings(_Settings):
    """Another sync into the same target whose word counts more."""

    sync: str = Field(description="On target records that this other sync is linked to as well, it decides.")
    fields: list[str] = Field(
        default_factory=list, description="The fields that it decides; empty: all that this sync maps."
    )


class GuardSettings(_Settings):
    """How many deletes or archives of one pass are plausible; more are held for a person's word."""

    share: float = Field(0.10, ge=0, le=1, description="Largest plausible share of the known records.")
    least: int = Field(50, ge=0, description="This many always pass.")


class TriggerSettings(_Settings):
    """When the sync runs by itself."""

    cron: str | None = Field(
        None, description="Cron of a source that is read whole each time; five fields, or six with seconds first."
    )
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
    source: Annotated[
        FlexiSourceSettings | AlfrescoSourceSettings | InterfaceSourceSettings,
        Field(discriminator="kind", description="Where records come from."),
    ]
    lookup: KonturLookupSettings | None = Field(None, description="What another system is asked about the records.")
    target: Annotated[
        OdooTargetSettings | AlfrescoTargetSettings, Field(discriminator="kind", description="Where records go to.")
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
    guard: GuardSettings = Field(default_factory=lambda: GuardSettings.model_validate({}))
    triggers: TriggerSettings = Field(default_factory=lambda: TriggerSettings.model_validate({}))

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
        self.compiled()
        return self

    def compiled(self) -> Mapping:
        """Return the mapping with its rules, compiled. Raises MappingError, which pydantic shows with its place."""
        return compile_mapping(self.mapping, self.rules)

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
