"""What the shell offers at the Tab key: names of syncs, keys of failing records, kinds of new syncs.

It must answer at once and say nothing else: no Dagster, nothing is started, and where nothing can be reached there is
nothing to offer.
"""

import os
from contextlib import suppress

import typer

from sync_orchestration.cli.defs_folder import defs_folders, kinds, sync_names
from sync_orchestration.cli.usage import UsageError

_MOST_KEYS = 50
_SECONDS = 1
_QUERY_MILLISECONDS = 500


def complete_sync(incomplete: str) -> list[str]:
    """Offer the syncs whose names begin so."""
    return [name for name in sync_names(defs_folders()) if name.startswith(incomplete)]


def complete_syncs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer those that are not on the line yet."""
    given = ctx.params.get("syncs") or []
    return [name for name in complete_sync(incomplete) if name not in given]


def complete_failing_key(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the failing records of the sync on the line whose keys begin so, those aside that are there already."""
    # After an option that still lacks its value the line is not parsed; its words are left over.
    sync = ctx.params.get("sync") or next((word for word in ctx.args if not word.startswith("-")), None)
    given = ctx.params.get("keys") or []
    return [key for key in _failing_keys(str(sync), incomplete) if key not in given] if sync else []


def complete_kind(incomplete: str) -> list[str]:
    """Offer the kinds of syncs that can be made."""
    return [kind for kind in kinds() if kind.startswith(incomplete)]


def _failing_keys(sync: str, prefix: str) -> list[str]:
    # Importing psycopg takes as long as all the rest.
    import psycopg  # noqa: PLC0415

    from sync_orchestration.interface.embedded import EmbeddedPostgresError  # noqa: PLC0415
    from sync_orchestration.interface.single import failing_keys_like  # noqa: PLC0415

    with suppress(psycopg.Error, EmbeddedPostgresError, OSError, ValueError, UsageError):
        if url := _running_database():
            limit = f"-c statement_timeout={_QUERY_MILLISECONDS}"
            with psycopg.connect(url, autocommit=True, connect_timeout=_SECONDS, options=limit) as conn:
                return failing_keys_like(conn, sync, prefix, _MOST_KEYS)
    return []


def _running_database() -> str | None:
    """Return the URL of the database, None where the embedded one does not run; nothing is started."""
    from sync_orchestration.cli.environment import load_settings  # noqa: PLC0415
    from sync_orchestration.interface.database import state_dir  # noqa: PLC0415
    from sync_orchestration.interface.embedded import embedded_url, is_running  # noqa: PLC0415

    load_settings()
    if url := os.environ.get("SYNC_POSTGRES_URL"):
        return url
    return embedded_url(state_dir()) if is_running(state_dir()) else None
