"""The Citeck dialect: the ECOS Records API, which filters on node-dbid and tells it.

Source: Citeck's ecos-docs and ecos-records. A refused query or change is HTTP status 200 with an ERROR message, as
long as the body names version 1; a change of several records is one transaction.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.systems.alfresco.dialect import Changed, Node, NodePage, Properties, Refusal
from sync_orchestration.systems.http import Answer, HttpClient

_PREFIX = "alfresco/@workspace://SpacesStore/"
_NODES_TO_SKIP = 100


class CiteckRecords:
    """Nodes of one type through the Records API; `attributes` are the properties that are read."""

    def __init__(self, http: HttpClient, node_type: str, attributes: Sequence[str], path: str) -> None:
        self.http = http
        self.node_type = node_type
        self._attributes = {name: f"{name}?str" for name in attributes}
        self._path = path

    def page(self, above: int, limit: int, skip: int) -> NodePage:
        """Query with a range of node-dbid, ascending."""
        reply = self._query(above, limit, skip, ascending=True)
        nodes = [_node(record) for record in reply["records"]]
        # A node that is gone may still be listed, with nothing but nulls.
        return NodePage([node for node in nodes if node.dbid], bool(reply.get("hasMore")))

    def dbid(self, node_id: str) -> int:
        """Read the node-dbid of one record."""
        reply = self._call("query", {"records": [_PREFIX + node_id], "attributes": {"dbid": "sys:node-dbid?str"}})
        return _number(reply["records"][0]["attributes"].get("dbid"))

    def newest(self) -> int:
        """Query once more, descending; the first record that may be read is the newest."""
        limit, skip = 1, 0
        while True:
            reply = self._query(0, limit, skip, ascending=False)
            if found := [node.dbid for node in map(_node, reply["records"]) if node.dbid]:
                return found[0]
            if not reply.get("hasMore"):
                return 0
            limit, skip = _NODES_TO_SKIP, skip + limit

    def read(self, node_ids: Sequence[str]) -> Mapping[str, Properties | Refusal]:
        """Read records by id in one request, straight from the repository."""
        if not node_ids:
            return {}
        asked = {
            "records": [_PREFIX + i for i in node_ids],
            "attributes": {**self._attributes, "dbid": "sys:node-dbid?str"},
        }
        nodes = [_node(record) for record in self._call("query", asked)["records"]]
        return {node.node_id: node.properties for node in nodes if node.dbid}

    def change(self, node_id: str, properties: Properties) -> Changed | Refusal:
        """Mutate one record, in a transaction of its own; a property set to None is unset.

        A protected or unknown property is passed over without a word, and the answer tells no values.
        """
        record = {"id": _PREFIX + node_id, "attributes": dict(properties)}
        answer, reply = self._send("mutate", {"records": [record]})
        if errors := _errors(reply):
            code = _code(errors[0])
            said = self.http.masked(errors[0])
            message = f"the user may not change this node: {said}" if code == "forbidden" else said
            return Refusal(code, message, 200, transient=code == "locked")
        if not isinstance(reply.get("records"), list):
            raise self._without_records(answer)
        return Changed()

    def check(self) -> str:
        """Query one record of the type."""
        return f"{self._query(0, 1, 0, ascending=True).get('totalCount', 'some')} records of {self.node_type}"

    def _query(self, above: int, limit: int, skip: int, *, ascending: bool) -> dict[str, Any]:
        predicate = {
            "t": "and",
            "val": [
                {"t": "eq", "att": "TYPE", "val": self.node_type},
                {"t": "gt", "att": "sys:node-dbid", "val": above},
            ],
        }
        query = {
            "sourceId": "alfresco/",
            "language": "predicate",
            "query": predicate,
            "sortBy": [{"attribute": "sys:node-dbid", "ascending": ascending}],
            "page": {"maxItems": limit, "skipCount": skip},
            "consistency": "EVENTUAL",
        }
        return self._call("query", {"query": query, "attributes": {**self._attributes, "dbid": "sys:node-dbid?str"}})

    def _call(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer, reply = self._send(action, body)
        if errors := _errors(reply):
            raise ConfigurationError(f"Citeck refused {answer.what}: {self.http.masked(errors[0])}")
        if not isinstance(reply.get("records"), list):
            raise self._without_records(answer)
        return reply

    def _without_records(self, answer: Answer) -> UnavailableError:
        return UnavailableError(f"Citeck answered {answer.what} without records: “{self.http.quote(answer.body)}”")

    def _send(self, action: str, body: Mapping[str, Any]) -> tuple[Answer, dict[str, Any]]:
        answer, reply = self.http.send_json("POST", f"{self._path}/{action}", json_body={"version": 1, **body})
        if answer.status in (401, 403):
            raise ConfigurationError(
                f"Citeck at {self.http.settings.shown_url} refuses the user ({answer.status}): check ALFRESCO_USER and "
                "ALFRESCO_PASSWORD."
            )
        if answer.status == 404:
            raise ConfigurationError(f"There is no Records API at {self.http.settings.shown_url}{self._path} (404).")
        if answer.status != 200 or not isinstance(reply, dict):
            raise UnavailableError(f"Citeck answered {answer.what} with status {answer.status}.")
        return answer, reply


def _node(record: Mapping[str, Any]) -> Node:
    attributes = dict(record.get("attributes") or {})
    dbid = attributes.pop("dbid", None)
    properties = {name: value for name, value in attributes.items() if value not in (None, "")}
    return Node(str(record["id"]).rpartition("/")[2], _number(dbid) or None, properties)


def _number(value: Any) -> int:
    """Read a node-dbid strictly: some renderings write 1,927."""
    text = str(value or "0")
    if not text.isascii() or not text.isdecimal():
        # Quoted only where it is nearly a number, for anything else may be anything.
        told = repr(text) if re.fullmatch(r"[\d.,\s-]{1,40}", text) else "a text"
        raise UnavailableError(f"Citeck told a node-dbid that is no plain number: {told}.")
    return int(text)


def _errors(reply: Mapping[str, Any]) -> list[str]:
    found = []
    for message in reply.get("messages") or []:
        if message.get("level") == "ERROR":
            said = message.get("msg")
            found.append(str(said.get("msg") if isinstance(said, dict) else said))
    return found


def _code(message: str) -> str:
    lowered = message.lower()
    if "lock" in lowered:
        return "locked"
    if "permission" in lowered:
        return "forbidden"
    if "does not exist" in lowered or "not found" in lowered or "invalidnoderef" in lowered.replace(" ", ""):
        return "vanished"
    return "integrity" if "integrity" in lowered else "refused"
