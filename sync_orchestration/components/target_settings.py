"""The attributes of a sync's target: what stands under ``target:`` in its YAML."""

from string import Formatter
from typing import Any, Literal

from pydantic import Field, field_validator

from sync_orchestration.components.source_settings import Settings

_PLACEHOLDERS = frozenset({"source", "company", "entity", "key"})
_CLAIM_BATCH = 1_000
_ROUNDS = 25


class TargetSettings(Settings):
    """What all targets have."""

    connection: str = Field(description="Name of the connection.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<sync>.")

    @property
    def archive_field(self) -> str | None:
        """The flag whose fall hides a record in the target; None: it has none."""
        return None

    @property
    def keeps_deleted(self) -> bool:
        """Whether a record that is gone from the source stays in the target."""
        return False

    @property
    def claim_batch(self) -> int:
        """How many rows are settled at once."""
        return _CLAIM_BATCH

    def related(self, target_id: str) -> Any:
        """Return what a field holds that names the record with this id."""
        return target_id


class OdooTargetSettings(TargetSettings):
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

    @property
    def archive_field(self) -> str | None:
        return "active"

    def related(self, target_id: str) -> int:
        return int(target_id)


class AlfrescoTargetSettings(TargetSettings):
    """Existing nodes of an Alfresco or Citeck repository, changed where they differ; none is created or deleted."""

    kind: Literal["alfresco"] = Field(description="Which kind of target this is.")
    connection: str = Field(description="Name of the Alfresco connection.")
    type: str = Field("idocs:contractor", description="The type of the nodes, with its prefix.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<sync>.")
    parallel: int = Field(4, ge=1, le=16, description="Changes sent at a time.")

    @property
    def model(self) -> str:
        return self.type


class RequestSettings(Settings):
    """One kind of request."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(description="The HTTP method.")
    path: str = Field(
        pattern=r"^/", description="Path of the request; {id} is the target's id, {key} the source's key."
    )


class BatchSettings(Settings):
    """How several records go in one request."""

    size: int = Field(100, ge=1, le=10_000, description="Records in one request.")
    path: str = Field(pattern=r"^/", description="Path of the request.")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="The HTTP method.")
    items: str | None = Field(None, description="Key of the body that holds the records; unset: the body is the list.")
    results: str | None = Field(None, description="Path in the answer to the list of results; unset: the answer is it.")
    result_id: str = Field("id", description="Path in a result to the record's id.")
    result_error: str | None = Field("error", description="Path in a result to what is wrong with the record.")
    result_status: str | None = Field(None, description="Path in a result to its HTTP status, a truth or a word.")
    index: str | None = Field(
        None, description="Path in a result to its record's number (from 0) or key; unset: results are in order."
    )
    updates: bool = Field(default=False, description="True: known records go into the batch as well, with their id.")


class RestTargetSettings(TargetSettings):
    """Records of a collection of any REST API: POST makes one, PUT or PATCH changes it, DELETE removes it."""

    kind: Literal["rest"] = Field(description="Which kind of target this is.")
    connection: str = Field(description="Name of the REST connection.")
    path: str = Field(pattern=r"^/", description="Path of the collection, e.g. /partners; names it in the log.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<sync>.")
    create: RequestSettings | None = Field(None, description="How a record is made; by default POST to the path.")
    update: RequestSettings | None = Field(None, description="How one is changed; by default PUT to <path>/{id}.")
    delete: RequestSettings | None = Field(None, description="How one is removed; by default DELETE <path>/{id}.")
    deletion: Literal["delete", "keep"] = Field("delete", description="keep: a record gone from the source stays.")
    id_field: str = Field("id", description="Path in the answer to the id of the record.")
    record: str | None = Field(None, description="Path in an answer to the record, e.g. data; unset: it is the record.")
    wrap: str | None = Field(
        None, description="Key of the body that holds the record, e.g. data; unset: the body is it."
    )
    key_field: str | None = Field(None, description="Field that carries the source's key, e.g. external_ref.")
    find: str | None = Field(
        None,
        pattern=r"^/.*\{key\}",
        description="Path that finds a record by the source's key, e.g. /partners?external_ref={key}. Asked when an "
        "answer was lost, so that nothing is made twice. Without it such a record waits for a person, unless the "
        "very same request can be sent again under its idempotency key.",
    )
    find_records: str | None = Field(None, description="Path in that answer to the list of records.")
    batch: BatchSettings | None = Field(None, description="Several records in one request; unset: one by one.")
    headers: dict[str, str] = Field(default_factory=dict, description="More headers of every request; no secrets.")
    idempotency_header: str | None = Field(
        "Idempotency-Key",
        description="Header by which the API knows a repeated request. Without `find` it is relied on: null if the API "
        "has none.",
    )
    idempotency_hours: float = Field(
        20, gt=0, le=8_760, description="How long the API surely remembers such a header; many do for 24 hours."
    )
    verify: bool = Field(
        default=False,
        description="True: each known record is read and compared; False: it is compared with what it was given.",
    )
    parallel: int = Field(4, ge=1, le=32, description="Requests sent at a time.")

    @property
    def keeps_deleted(self) -> bool:
        return self.deletion == "keep"

    @property
    def model(self) -> str:
        return self.path

    @property
    def claim_batch(self) -> int:
        """Where each row is a request, no more than a killed worker may put in doubt.

        Fewest where nobody can find out afterwards what became of a request.
        """
        in_one = 1 if self.batch is None else self.batch.size
        rounds = _ROUNDS if self.find or (self.idempotency_header and self.batch is None) else 1
        return min(self.parallel * in_one * rounds, max(_CLAIM_BATCH, in_one))
