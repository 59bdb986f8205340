"""The command `sync-orchestration` and what its subcommands need."""

from sync_orchestration.cli.main import main

__all__ = ["main"]
