"""Keeps business-partner records in step between systems, and shows every record's fate in Dagster."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Offer the component types under the short names that the YAML uses, loaded when first asked for."""
    if name in ("Connections", "Intake", "Notifications", "RecordSync"):
        from sync_orchestration import components  # noqa: PLC0415 - importing the package must not import Dagster

        return getattr(components, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
