"""Which fields of a source's records a sync reads: those of its mapping, its condition and its lookup."""

from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.mapping.paths import top_of
from sync_orchestration.pipeline.lookup import ANSWER


def mapped_paths(settings: SyncSettings) -> list[str]:
    """Return every path into the source's record that mapping and condition read."""
    condition = settings.condition()
    more = settings.source.more_fields
    return sorted({*settings.compiled().paths, *(condition.paths if condition else ()), *more})


def mapped_fields(settings: SyncSettings) -> tuple[str, ...]:
    """Return the source's fields that are read; none means all of them."""
    if settings.compiled().reads_whole_record:
        return ()
    return tuple(sorted({top_of(path) for path in mapped_paths(settings)}))


def needed_paths(settings: SyncSettings) -> list[str]:
    """Return every path without which the sync can do nothing: of the mapping, and of the lookup's question."""
    asked = settings.lookup.asks_with if settings.lookup else []
    return sorted({path for path in [*mapped_paths(settings), *asked] if top_of(path) != ANSWER})


def needed_fields(settings: SyncSettings) -> list[str]:
    """Return the fields that those paths begin with."""
    return sorted({top_of(path) for path in needed_paths(settings)})


def properties(settings: SyncSettings) -> list[str]:
    """Return the fields that source and target share: what is written, and what the lookup asks with."""
    lookup = settings.lookup
    asked = {*lookup.asks_with, *lookup.helped_by} if lookup else set[str]()
    return sorted(asked | set(settings.compiled().targets) | (set(mapped_fields(settings)) - {ANSWER}))
