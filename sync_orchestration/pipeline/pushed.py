"""Records that were pushed, as a Source: there is nothing to read, for what was accepted stands in the table."""

from collections.abc import Iterator, Mapping, Sequence

from sync_orchestration.pipeline.protocols import ChangePage, SourceHead, SourceRecord


class PushedSource:
    """A source that never has news of its own and cannot be asked for a record; nothing of it counts as gone."""

    def head(self) -> SourceHead:
        """Return the beginning of time: no position is the source's."""
        return SourceHead(0, "intake")

    def peek(self, start: int) -> ChangePage:
        """Return no changes."""
        return ChangePage([], start, start, more=False)

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield no changes."""
        yield self.peek(start)

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Raise, for whoever asks would take the silence for a delete."""
        raise RuntimeError(f"{len(keys)} pushed records were asked for where there is nobody to ask")

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield nothing."""
        del after
        return iter(())
