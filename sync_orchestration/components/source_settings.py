"""The attributes of a sync's source and lookup: what stands under ``source:`` and ``lookup:`` in its YAML."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sync_orchestration.mapping.conditions import compile_condition
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.pipeline.landing import Feed
from sync_orchestration.pipeline.windows import DAY


class Settings(BaseModel):
    """Attributes of a YAML: nothing that is not known, and nothing that changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(Settings):
    """What all sources have."""

    reads: str | None = Field(None, description="Key of the asset that these records are, for the lineage.")

    @property
    def feed(self) -> Feed:
        """What the source's positions are."""
        return "versions"

    @property
    def sweeps(self) -> bool:
        """True for a source without a feed: each pass reads it whole."""
        return self.feed == "sweep"

    @property
    def pushed(self) -> bool:
        """True where records come by themselves and there is nobody to ask."""
        return False

    @property
    def rewinds(self) -> bool:
        """True where times that lie behind the cursor everywhere are a sign of a restored backup."""
        return False

    @property
    def more_fields(self) -> list[str]:
        """Fields that are read although neither mapping nor condition names them."""
        return []

    @property
    def inventory_cron(self) -> str | None:
        """When the source is counted through, for what its feed cannot tell."""
        return None


class FlexiSourceSettings(SourceSettings):
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
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.evidence}").split("/")


class AlfrescoSourceSettings(SourceSettings):
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
    def feed(self) -> Feed:
        """A repository has no feed: each pass reads it whole, which also heals what the index showed late."""
        return "sweep"

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.type.rpartition(':')[2]}s").split("/")


class InterfaceSourceSettings(SourceSettings):
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
    def asset_key(self) -> list[str]:
        return (self.asset or f"interface/{self.sync}").split("/")


class TimedSourceSettings(SourceSettings):
    """A source whose records carry the time of their newest change; its windows are days (UTC)."""

    asset: str | None = Field(None, description="Asset key.")
    page: int = Field(500, ge=1, le=5_000, description="Records in one page.")
    overlap: int = Field(
        900,
        ge=0,
        le=86_400,
        description="Seconds behind the cursor that each read lists again, for changes that became visible late.",
    )

    @property
    def window(self) -> int:
        return DAY

    @property
    def feed(self) -> Feed:
        return "times"


class OdooSourceSettings(TimedSourceSettings):
    """Records of one Odoo model, followed by write_date."""

    kind: Literal["odoo"] = Field(description="Which kind of source this is.")
    connection: str = Field(description="Name of the Odoo connection.")
    model: str = Field("res.partner", description="The model to read.")
    domain: list[Any] = Field(
        default_factory=list,
        description="Odoo domain of the records that take part, e.g. [[is_company, =, true]]. One that no longer "
        "matches is deleted in the target.",
    )
    fields: list[str] = Field(
        default_factory=list, description="More fields to read than the mapping names, for python functions."
    )
    archived: bool = Field(default=False, description="True: archived records take part; False: they count as deleted.")
    inventory: str | None = Field(
        "7 * * * *",
        description="Cron of the inventory, which finds deletes and what write_date does not tell; null: never.",
    )

    @field_validator("domain")
    @classmethod
    def _is_a_domain(cls, value: list[Any]) -> list[Any]:
        for term in value:
            if not (term in ("&", "|", "!") or (isinstance(term, list) and len(term) == 3)):
                raise ValueError(f"{term!r} is no term of a domain: [field, operator, value], or one of & | !")
        # Read from its end, each operator joins the terms after it; more conditions will stand beside this domain.
        terms = 0
        for term in reversed(value):
            terms += {"!": 0, "&": -1, "|": -1}.get(term, 1) if isinstance(term, str) else 1
            if terms < 1:
                raise ValueError(f"the domain lacks a term: {term!r} stands before too few of them")
        return value

    @field_validator("inventory")
    @classmethod
    def _is_a_cron(cls, value: str | None) -> str | None:
        return None if value is None else five_fields(value)

    @property
    def entity(self) -> str:
        return self.model

    @property
    def rewinds(self) -> bool:
        return True

    @property
    def more_fields(self) -> list[str]:
        return self.fields

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/changed_{self.model.replace('.', '_')}").split("/")

    @property
    def inventory_cron(self) -> str | None:
        return self.inventory


class PagingSettings(Settings):
    """How a collection is cut into pages, and where the next one is found."""

    kind: Literal["page", "offset", "cursor", "link", "next_url", "none"] = Field(
        description="page: by number; offset: by the number of records before it; cursor: by a token in the answer; "
        "link: by a Link header with rel=next; next_url: by an address in the answer; none: all at once."
    )
    param: str | None = Field(None, description="Query parameter of the page's number, offset or cursor.")
    size_param: str | None = Field(None, description="Query parameter of the number of records in a page.")
    first: int = Field(1, ge=0, description="Number of the first page.")
    field: str | None = Field(None, description="Path in the answer to the next cursor or address.")
    total: str | None = Field(None, description="Path in the answer to the number of all records.")
    total_pages: str | None = Field(None, description="Path in the answer to the number of pages.")


class ChangedSettings(Settings):
    """How records tell when they changed, and how only those after a time are asked for."""

    field: str = Field(description="Path in a record to the time of its newest change, e.g. updated_at.")
    param: str | None = Field(
        None, description="Query parameter that asks for changes at or after a time; unset: the API has none."
    )
    format: str = Field("iso", description="How that time is written: iso, date, epoch, epoch_ms or a strftime format.")


class RestSourceSettings(TimedSourceSettings):
    """Records of a paged collection of any REST API."""

    kind: Literal["rest"] = Field(description="Which kind of source this is.")
    connection: str = Field(description="Name of the REST connection.")
    path: str = Field(pattern=r"^/", description="Path of the collection, e.g. /contacts.")
    entity: str = Field("record", description="What the records are, for people.")
    records: str | None = Field(None, description="Path in the answer to the list of records; unset: the answer is it.")
    key: str = Field("id", description="Path in a record to its key.")
    params: dict[str, str] = Field(default_factory=dict, description="Query parameters of every page.")
    paging: PagingSettings = Field(
        default_factory=lambda: PagingSettings.model_validate({"kind": "none"}),
        description="How the collection is cut into pages.",
    )
    changed: ChangedSettings | None = Field(
        None, description="Only what changed is read; unset: all is read by the inventory and compared."
    )
    deleted: str | None = Field(None, description="Condition of a record that says of itself that it is deleted.")
    record_path: str | None = Field(
        None, pattern=r"^/.*\{key\}", description="Path of one record, e.g. /contacts/{key}; unset: found in the list."
    )
    record: str | None = Field(None, description="Path in the answer of record_path to the record; unset: it is it.")
    page: int = Field(100, ge=1, le=5_000, description="Records in one page.")
    parallel: int = Field(4, ge=1, le=32, description="Records asked for at a time by record_path.")
    inventory: str | None = Field(
        None,
        description="Cron of the inventory, which reads all to find deletes and changes that no time tells. By default "
        "every 15 minutes without `changed`, else once a day.",
    )

    @field_validator("inventory")
    @classmethod
    def _is_a_cron(cls, value: str | None) -> str | None:
        return None if value is None else five_fields(value)

    @field_validator("deleted")
    @classmethod
    def _is_a_condition(cls, value: str | None) -> str | None:
        if value is not None:
            compile_condition(value)
        return value

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.path.partition('?')[0].strip('/') or 'records'}").split("/")

    @property
    def inventory_cron(self) -> str | None:
        return self.inventory or ("23 2 * * *" if self.changed else "*/15 * * * *")


class LookupSettings(Settings):
    """What all lookups have. Their answers are found under `register`."""

    kind: str = Field(description="Which kind of lookup this is.")
    connection: str = Field(description="Name of the connection.")
    max_age_hours: float = Field(24, ge=0, description="A younger answer is not asked for again.")
    asset: str | None = Field(None, description="Asset key.")

    @property
    def asks_with(self) -> list[str]:
        """What a record must have so that the system can be asked about it."""
        return []

    @property
    def helped_by(self) -> list[str]:
        """What else of a record the lookup looks at, where it is there."""
        return []

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/answers").split("/")


class KonturLookupSettings(LookupSettings):
    """What the company register Kontur.Focus knows of each record."""

    kind: Literal["kontur"] = Field(description="Which kind of lookup this is.")
    connection: str = Field(description="Name of the Kontur connection.")
    attribute: str = Field("idocs:inn", description="The attribute of a record that holds its number.")
    search: Literal["inn", "ogrn"] = Field("inn", description="Which kind of number that is.")
    stored_ogrn: str = Field(
        "idocs:ogrn", description="Attribute that helps to choose among several bodies of one INN."
    )
    stored_kpp: str = Field("idocs:kpp", description="Attribute that tells branches and largest taxpayers.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/companies.")

    @property
    def asks_with(self) -> list[str]:
        return [self.attribute]

    @property
    def helped_by(self) -> list[str]:
        return [self.stored_ogrn, self.stored_kpp]

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/companies").split("/")
