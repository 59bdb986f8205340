"""Nodes of a type as a Source: read whole, again and again, in the order of their node-dbid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, ChangePage, SourceHead, SourceRecord
from sync_orchestration.systems.alfresco.dialect import Dialect, NodePage, Refusal


@dataclass(frozen=True, slots=True)
class AlfrescoSource:
    """The key of a record is its node id, its position its node-dbid.

    Where the dialect does not tell each node's dbid, the page's last one is asked for and stands for all of the
    page: one request a page, and never lower than the true one.
    """

    dialect: Dialect
    page: int = 100

    def head(self) -> SourceHead:
        """Return the newest node-dbid. Repositories have no history that could be reset."""
        return SourceHead(self.dialect.newest(), "repository")

    def peek(self, start: int) -> ChangePage:
        """Return the first page from `start` on."""
        return next(self.changes(start))

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield pages with payloads until the server says that there is no more; empty pages are walked over."""
        above, skip = max(start - 1, 0), 0
        while True:
            page = self.dialect.page(above, self.page, skip)
            if not page.nodes:
                if not page.more:
                    yield ChangePage([], above + 1, above, more=False)
                    return
                skip += self.page
                continue
            changes = self._changes(page, above)
            above, skip = changes[-1].position, 0
            yield ChangePage(changes, above + 1, above, page.more)
            if not page.more:
                return

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Read nodes afresh. Raises ConfigurationError for one that may not be read: it is not gone."""
        records: dict[str, SourceRecord] = {}
        for key, found in self.dialect.read(keys).items():
            if isinstance(found, Refusal):
                raise ConfigurationError(f"The node {key} cannot be read: {found.message}")
            records[key] = SourceRecord(key, dict(found))
        return records

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all nodes in pages; `after` is a node-dbid here."""
        for page in self.changes(int(after or 0)):
            yield [SourceRecord(c.key, c.payload or {}) for c in page.changes]

    def _changes(self, page: NodePage, above: int) -> list[Change]:
        last = page.nodes[-1].dbid or self.dialect.dbid(page.nodes[-1].node_id)
        positions = [node.dbid or last for node in page.nodes]
        if positions[0] <= above or positions != sorted(positions):
            raise UnavailableError(
                f"Alfresco did not answer in the order of node-dbid: above {above} it listed {positions[0]} … {last}. "
                "Is the search index up to date?"
            )
        return [
            Change(node.node_id, "update", position, payload=dict(node.properties))
            for node, position in zip(page.nodes, positions, strict=True)
        ]
