"""What the stand-in does where public text does not say what ABRA Flexi does."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FlexiSwitches(BaseModel):
    """Every undocumented or configurable behaviour, with the most plausible one as the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # The feed of changes
    changes_when_off: Literal["empty", "403", "404"] = "empty"
    feed_limit_over_maximum: Literal["clamp", "400"] = "clamp"
    feed_limit_zero: Literal["default", "empty", "400"] = "default"
    feed_limit_malformed: Literal["400", "default"] = "400"
    start_before_retention: Literal["oldest", "400"] = "oldest"
    next_value: Literal["next_existing", "last_plus_one"] = "next_existing"
    global_version: Literal["highest_visible", "last_assigned"] = "highest_visible"
    version_gaps: bool = True
    duplicate_updates: bool = False  # 3 to 8 rows for one update, sharing one timestamp
    child_change_updates_partner: bool = False
    # Every n-th version is left out of the first answers that reach past it (0: none is)
    late_visible_every: int = Field(default=0, ge=0)
    late_visible_answers: int = Field(default=1, ge=1)

    # Enabling the feed, licence, quota
    users_logged_in: bool = False
    rest_licence: Literal["full", "read_only", "none"] = "full"
    daily_quota: int | None = None
    quota_retry_after_seconds: int = 600

    # Access
    missing_auth: Literal["401", "redirect"] = "401"
    error_500_body: Literal["html", "json"] = "html"

    # Reading
    get_by_code: Literal["redirect", "not_found", "direct"] = "redirect"
    default_order: Literal["kod", "id"] = "kod"
    order_suffix: Literal["A_descends", "D_descends"] = "A_descends"
    validity_filter: bool = True
    validity_filter_on_get_and_query: bool = True
    empty_collections_in_full: bool = True

    # Writing
    write_status: Literal["201", "200"] = "201"
    partial_failure: Literal["400", "201"] = "400"
    atomic_failure_results: Literal["failed_only", "one_per_record"] = "failed_only"

    # Web hooks; the real server calls about two seconds after the commit
    hook_ping: Literal["empty_body", "empty_list"] = "empty_body"
    hook_delay_seconds: float = Field(default=2.0, ge=0)
    hook_penalty_seconds: float = Field(default=10.0, ge=0)
    hook_attempts: int = Field(default=8, ge=1)
