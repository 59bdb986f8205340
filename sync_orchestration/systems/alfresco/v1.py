"""The plain Alfresco dialect: search and nodes of the public REST API v1.

Sources: Alfresco's rest-api-explorer (alfresco-search.yaml, alfresco-core.yaml) and docs (transactional metadata
queries), alfresco-community-repo. What is silent there, and dangerous, is said at its place.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.alfresco.dialect import Changed, Node, NodePage, Properties, Refusal
from sync_orchestration.systems.http import Answer, HttpClient
from sync_orchestration.systems.request_spans import KeyedPath

_API = "/alfresco/api/-default-/public"
_NODES = f"{_API}/alfresco/versions/1/nodes"
_PARALLEL_READS = 4
_NODES_TO_SKIP = 100
_REFUSALS = {
    400: ("invalid", "Alfresco does not take these values"),
    403: ("forbidden", "the user may not change this node (403)"),
    404: ("vanished", "the node no longer exists"),
    409: ("locked", "the node is locked or was changed at the same time"),
    422: ("integrity", "Alfresco's integrity rules refuse the change"),
}


class AlfrescoV1:
    """Nodes of one type through the REST API v1."""

    def __init__(self, http: HttpClient, node_type: str) -> None:
        self.http = http
        self.node_type = node_type

    def page(self, above: int, limit: int, skip: int) -> NodePage:
        """Search with a range in every query, first page included.

        Without a range the database engine answers, silently unordered; its answers carry no consistency context,
        and one without it is refused.
        """
        found = self._search(above, limit, skip, ascending=True)
        nodes = [
            Node(row["entry"]["id"], None, row["entry"].get("properties") or {}) for row in found.get("entries", [])
        ]
        return NodePage(nodes, bool(found["pagination"].get("hasMoreItems")))

    def dbid(self, node_id: str) -> int:
        """Ask the metadata web script, for the REST API never tells properties of the system namespace."""
        properties = self._metadata(node_id)
        value = str(properties.get("sys:node-dbid", ""))
        if not value.isascii() or not value.isdecimal():
            raise UnavailableError(
                self.http.masked(f"Alfresco told no node-dbid of the node {node_id} but {value[:40]!r}.")
            )
        return int(value)

    def newest(self) -> int:
        """Search once more, descending; the first node that may be read is the newest."""
        limit, skip = 1, 0
        while True:
            found = self._search(0, limit, skip, ascending=False)
            if entries := found.get("entries"):
                return self.dbid(entries[0]["entry"]["id"])
            if not found["pagination"].get("hasMoreItems"):
                return 0
            limit, skip = _NODES_TO_SKIP, skip + limit

    def read(self, node_ids: Sequence[str]) -> Mapping[str, Properties | Refusal]:
        """Read nodes each by itself, a few at a time: the REST API has no batch read."""
        with ThreadPoolExecutor(max_workers=_PARALLEL_READS) as pool:
            read = dict(zip(node_ids, pool.map(carried(self._node), node_ids), strict=True))
        return {node_id: properties for node_id, properties in read.items() if properties is not None}

    def _node(self, node_id: str) -> Properties | Refusal | None:
        path = _path_of(node_id)
        if path is None:
            return None
        answer, body = self.http.send_json("GET", path)
        if answer.status == 404:
            return None
        if answer.status == 403:
            # The search lists only what may be read, so this right was taken away from the one node.
            said = _summary(answer, self.http)
            return Refusal("forbidden", f"the user may not read this node (403): {said}", 403)
        self._refuse_errors(answer, body)
        entry = _entry_in(body)
        if entry is None:
            raise self._misunderstood(answer)
        return entry.get("properties") or {}

    def change(self, node_id: str, properties: Properties) -> Changed | Refusal:
        """PUT merges properties: absent ones stay, null unsets one. Aspects are never sent: they would be replaced.

        The answer is the node as it is then: some properties, as who has changed it when, are passed over in silence.
        """
        path = _path_of(node_id)
        if path is None:
            return Refusal("vanished", "no node has such an id", 404)
        answer, reply = self.http.send_json("PUT", path, json_body={"properties": dict(properties)})
        if answer.status == 200:
            # A page for people, or whatever else stands before a repository, has changed nothing.
            entry = _entry_in(reply)
            if entry is None:
                raise self._misunderstood(answer)
            # A node without any value is told without this key; then it is read again.
            stored = entry.get("properties")
            return Changed(stored if isinstance(stored, dict) else None)
        if answer.status in _REFUSALS:
            code, meaning = _REFUSALS[answer.status]
            return Refusal(
                code, f"{meaning}: {_summary(answer, self.http)}", answer.status, transient=answer.status == 409
            )
        self._refuse_errors(answer, None)
        raise UnavailableError(f"Alfresco answered {answer.what} with status {answer.status}.")

    def check(self) -> str:
        """Search one node of the type."""
        found = self._search(0, 1, 0, ascending=True)
        return f"{found['pagination'].get('totalItems', 'some')} nodes of {self.node_type}"

    def _search(self, above: int, limit: int, skip: int, *, ascending: bool) -> dict[str, Any]:
        body = {
            "query": {
                "language": "afts",
                "query": f'TYPE:"{self.node_type}" AND sys:node\\-dbid:<{above} TO MAX]',
            },
            "paging": {"maxItems": limit, "skipCount": skip},
            # `ascending` is false unless it is said.
            "sort": [{"type": "FIELD", "field": "sys:node-dbid", "ascending": ascending}],
            "include": ["properties"],
        }
        answer, reply = self.http.send_json("POST", f"{_API}/search/versions/1/search", json_body=body)
        self._refuse_errors(answer, reply)
        found = _listing_in(reply)
        if found is None:
            raise self._misunderstood(answer)
        if "consistency" not in (found.get("context") or {}) and found.get("entries"):
            raise ConfigurationError(
                "Alfresco answered the search from its database, not from the search index, so the order is not that "
                "of node-dbid. Switch the index on (Search Services), or use the dialect citeck."
            )
        return found

    def _metadata(self, node_id: str) -> dict[str, Any]:
        params = {"nodeRef": f"workspace://SpacesStore/{node_id}", "shortQNames": "true"}
        answer, body = self.http.send_json("GET", "/alfresco/s/api/metadata", params=params)
        self._refuse_errors(answer, body)
        properties = body.get("properties") if isinstance(body, dict) else None
        return properties if isinstance(properties, dict) else {}

    def _misunderstood(self, answer: Answer) -> UnavailableError:
        said = f"with something else than its API does: “{self.http.quote(answer.body)}”"
        return UnavailableError(self.http.masked(f"Alfresco answered {answer.what} {said}"))

    def _refuse_errors(self, answer: Answer, body: Any) -> None:
        if answer.status == 200:
            return
        said = _summary(answer, self.http)
        at = self.http.settings.shown_url
        if answer.status == 401:
            raise ConfigurationError(
                f"Alfresco at {at} refuses the user or password (401): check ALFRESCO_USER and ALFRESCO_PASSWORD."
            )
        if answer.status == 403:
            raise ConfigurationError(f"The Alfresco user may not do {answer.what} (403): {said}")
        if answer.status == 404:
            raise ConfigurationError(f"There is no Alfresco at {at}, or not this API (404): check ALFRESCO_URL. {said}")
        if answer.status == 400 or (answer.status == 500 and self.node_type in said):
            raise ConfigurationError(
                f"Alfresco refuses the search for {self.node_type} ({answer.status}): {said.rstrip('.')}. Does the "
                "type of the sync exist there?"
            )
        del body
        raise UnavailableError(f"Alfresco could not answer {answer.what} (status {answer.status}): {said}")


def _listing_in(body: Any) -> dict[str, Any] | None:
    """Return the list of nodes that a search is answered with, None for another answer."""
    found = body.get("list") if isinstance(body, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("pagination"), dict):
        return None
    rows = found.get("entries", [])
    whole = isinstance(rows, list) and all(isinstance((_entry_in(row) or {}).get("id"), str) for row in rows)
    return found if whole else None


def _entry_in(body: Any) -> dict[str, Any] | None:
    """Return the node that an answer holds, None where it holds none."""
    entry = body.get("entry") if isinstance(body, dict) else None
    return entry if isinstance(entry, dict) else None


def _path_of(node_id: str) -> str | None:
    """Return the path of a node; None for an id that would lead out of it: dots are climbed by, even when quoted."""
    segment = quote(node_id, safe="", errors="replace")
    return None if segment in ("", ".", "..") else KeyedPath(f"{_NODES}/{segment}", f"{_NODES}/{{id}}")


def _summary(answer: Answer, http: HttpClient) -> str:
    """Return the brief summary of an error body, without the eight-digit log number that it begins with."""
    try:
        brief = str(json.loads(answer.body)["error"]["briefSummary"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return http.quote(answer.body)
    number, _, text = brief.partition(" ")
    return http.masked(text if number.isdecimal() and text else brief)
