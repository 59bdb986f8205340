"""What Alfresco's and Citeck's documentation leaves open, and what an installation can be like, as switches."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AlfrescoSwitches(BaseModel):
    """How the stand-in behaves where real installations differ or nothing is documented."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: Literal["solr", "noindex", "elasticsearch"] = "solr"
    """The search subsystem. Without an index no range can be asked; Elasticsearch refuses fields it does not map."""
    consistency: Literal["TRANSACTIONAL_IF_POSSIBLE", "EVENTUAL"] = "TRANSACTIONAL_IF_POSSIBLE"
    """The repository's default; ``EVENTUAL`` sends every query to the index."""
    max_permission_checks: int = Field(default=1000, ge=1)
    """``system.acl.maxPermissionChecks``: where database answers and unlimited queries end, without a word."""
    query_error_status: Literal[400, 500] = 500
    """A query that cannot be parsed or run. Its exceptions are not in the REST status map, hence 500."""

    index_lag_seconds: float | None = Field(default=0.0, ge=0)
    """How long after its commit a change is in the index; ``null``: only when the index is told to track."""
    stale_search_rows: bool = False
    """Serve rows with the properties that the index knows. The v1 search reads them from the repository."""
    vanished_records: Literal["drop", "nulls"] = "drop"
    """Rows of the Records API whose node is gone: left out, or there with nothing but nulls."""

    auto_name: bool = True
    """Citeck's naming behaviour: every update regenerates ``cm:name`` from the full organization name."""
    read_only: bool = False
    """The repository refuses writes (an unmapped exception: 500) and says so in its discovery answer."""
    metadata_numbers: Literal["plain", "freemarker"] = "plain"
    """``freemarker`` renders numbers of the metadata web script for people: ``"1,927"``."""

    bearer: bool = False
    """An identity service is configured, so that bearer tokens are accepted beside Basic."""
    gateway_auth: Literal["bearer", "any"] = "bearer"
    """Whether the Citeck gateway takes Basic and tickets too."""
    ready: bool = True
    """The readiness probe: 200 or 503."""
    discovery: bool = True
    """The discovery API can be disabled: 501."""

    records_sort_ascending: bool = False
    """What a ``sortBy`` of the Records API means when it does not name its direction."""
    records_error_type: Literal["text", "records-error"] = "text"
    """The two message types that version 1 answers are known to use."""
    protected_attributes: frozenset[str] = frozenset()
    """Attributes that a record mutation skips without a word."""
