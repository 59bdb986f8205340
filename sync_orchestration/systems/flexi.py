"""ABRA Flexi: the Changes API, lists and batch reads of one company, as a Source.

Sources of what is not obvious: vendor articles at podpora.flexibee.eu (4744362 Changes API, 4719623 URL
parameters, 5264924 /query) and recorded traffic of public clients.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.interface.rows import Payload
from sync_orchestration.pipeline.errors import ConfigurationError, TrackingOffError, UnavailableError
from sync_orchestration.pipeline.protocols import Change, ChangePage, SourceHead, SourceRecord
from sync_orchestration.systems.flexi_answers import (
    FlexiFeedPage,
    message_of,
    page_from_json,
    page_from_xml,
    parsed,
    rows_of,
    winstrom_of,
)
from sync_orchestration.systems.http import Answer, HttpClient

PAGE = 1_000
"""The largest page of the feed (article 4744362); more is undocumented."""

_NO_LICENCE = (
    "Flexi refuses the Changes API (403). Either the licence lacks the REST API for reading and writing, or the user "
    "may not use it: check Licence and the user's role in Flexi."
)


class FlexiClient:
    """One company of a Flexi server."""

    def __init__(self, http: HttpClient, company: str, feed_format: Literal["json", "xml"] = "json") -> None:
        self.http = http
        self.company = company
        self.feed_format = feed_format
        self.base = f"/c/{quote(company, safe='')}"

    def tracking_is_on(self) -> bool:
        """Tell whether the Changes API is on. The flag is the answer's `success`, which is no error here."""
        answer, body = self._json("GET", f"{self.base}/changes/status.json")
        self.refuse_errors(answer, body, no_licence=_NO_LICENCE)
        return str(winstrom_of(body, self.http, answer).get("success")).lower() == "true"

    def switch_tracking(self, *, on: bool) -> None:
        """Turn the Changes API on or off. Turning it on needs a moment in which nobody works in the company."""
        path = f"{self.base}/changes/{'enable' if on else 'disable'}.json"
        # The failed lock is a 500, which elsewhere is worth another try at once.
        answer = self.http.send("PUT", path, refusals=(500,))
        if answer.status == 200:
            return
        text = self.http.quote(answer.body)
        if "lock on relation" in text or "LOCK TABLE" in text:
            raise ConfigurationError(
                "Flexi could not lock its tables, since somebody is logged in. Have everybody leave the company "
                f"{self.company}, then switch tracking on again."
            )
        self.refuse_errors(answer, parsed(answer), no_licence=_NO_LICENCE)
        raise ConfigurationError(f"Flexi did not switch the Changes API (status {answer.status}): “{text}”.")

    def fingerprint(self) -> str:
        """Return what tells this company from another one of the same name: its id and time of creation."""
        answer, body = self._json("GET", f"{self.base}.json")
        self.refuse_errors(answer, body)
        companies = body.get("companies") if isinstance(body, dict) else None
        company = companies.get("company") if isinstance(companies, dict) else None
        if isinstance(company, list):
            listed = (c for c in company if isinstance(c, dict))
            company = next((c for c in listed if c.get("dbNazev") == self.company), None)
        if not isinstance(company, dict):
            raise UnavailableError(
                f"Flexi answered {answer.what} without the company's description: “{self.http.quote(answer.body)}”"
            )
        return f"{company.get('id', '')} {company.get('createDt', '')}"

    def global_version(self, evidence: str) -> int:
        """Return the company's newest version, as a list of `evidence` tells it."""
        params = {"limit": "1", "detail": "id", "add-global-version": "true"}
        answer, body = self._json("GET", f"{self.base}/{evidence}.json", params=params)
        self.refuse_errors(answer, body, evidence=evidence)
        version = winstrom_of(body, self.http, answer).get("@globalVersion")
        try:
            return int(version)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise TrackingOffError(_off_message(self.company)) from None

    def feed(self, start: int, evidences: Sequence[str], limit: int = PAGE) -> FlexiFeedPage:
        """Read one page of changes from version `start` on, inclusive."""
        params = [("start", str(start)), ("limit", str(limit)), *(("evidence", e) for e in evidences)]
        path = f"{self.base}/changes.{self.feed_format}"
        if self.feed_format == "xml":
            answer = self.http.send("GET", path, params=params)
            self.refuse_errors(answer, parsed(answer), no_licence=_NO_LICENCE)
            return page_from_xml(answer, self.http)
        answer, body = self._json("GET", path, params=params)
        self.refuse_errors(answer, body, no_licence=_NO_LICENCE)
        return page_from_json(winstrom_of(body, self.http, answer), answer, self.http)

    def records(
        self, evidence: str, ids: Sequence[str], detail: str, relations: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Read many records by numeric id in one request; ids that do not exist are left out by Flexi."""
        params = {"detail": detail, "limit": "0", "filtrovat-platnost": "false"}
        if relations:
            params["relations"] = ",".join(relations)
        answer, body = self._json(
            "POST",
            f"{self.base}/{evidence}/get.json",
            params=params,
            json_body={"winstrom": {"id": [int(i) for i in ids]}},
        )
        self.refuse_errors(answer, body, evidence=evidence)
        return rows_of(winstrom_of(body, self.http, answer), evidence, answer, self.http)

    def list_after(
        self, evidence: str, after: int | None, limit: int, detail: str, relations: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Read the next `limit` records by ascending id, those outside their validity included."""
        where = "" if after is None else "/" + quote(f"(id gt {after})", safe="()")
        params = {"order": "id", "limit": str(limit), "detail": detail, "filtrovat-platnost": "false"}
        if relations:
            params["relations"] = ",".join(relations)
        answer, body = self._json("GET", f"{self.base}/{evidence}{where}.json", params=params)
        self.refuse_errors(answer, body, evidence=evidence)
        found = rows_of(winstrom_of(body, self.http, answer), evidence, answer, self.http)
        ids = [int(row["id"]) for row in found]
        if ids != sorted(set(ids)) or (after is not None and ids and ids[0] <= after):
            raise UnavailableError(
                f"Flexi did not list {evidence} by ascending id after record {after}: its list goes from {ids[0]} to "
                f"{ids[-1]}, so reading on could miss records or never end."
            )
        return found

    def properties(self, evidence: str) -> dict[str, str]:
        """Return name → type of the fields of an evidence, as the server describes it."""
        answer, body = self._json("GET", f"{self.base}/{evidence}/properties.json")
        self.refuse_errors(answer, body, evidence=evidence)
        inner = body.get("properties") if isinstance(body, dict) else None
        listed = inner.get("property") if isinstance(inner, dict) else None
        # Where there is one, some lists of Flexi's are an object.
        rows = [row for row in ([listed] if isinstance(listed, dict) else listed or []) if isinstance(row, dict)]
        found = {str(row["propertyName"]): str(row.get("type", "")) for row in rows if row.get("propertyName")}
        if not found:
            raise UnavailableError(
                f"Flexi answered {answer.what} without any property: “{self.http.quote(answer.body)}”"
            )
        return found

    def check(self) -> str:
        """Try the connection with harmless calls; returns a sentence for people. Raises SyncError."""
        if not self.tracking_is_on():
            raise TrackingOffError(_off_message(self.company))
        return f"company {self.company}, Changes API on"

    def _json(self, method: str, path: str, **request: Any) -> tuple[Answer, Any]:
        return self.http.send_json(method, path, **request)

    def refuse_errors(
        self, answer: Answer, body: Any, *, evidence: str | None = None, no_licence: str | None = None
    ) -> None:
        """Raise the SyncError that an error answer stands for; statuses as in article 4719646."""
        if answer.status in (200, 201):
            return
        said = self.http.masked(message_of(body) or "") or self.http.quote(answer.body)
        at = self.http.settings.shown_url
        if answer.status == 401:
            raise ConfigurationError(
                f"Flexi at {at} refuses the user or password (401): check FLEXI_USER, FLEXI_PASSWORD."
            )
        if answer.status == 402:
            raise ConfigurationError("The Flexi licence does not include the REST API (402).")
        if answer.status == 403:
            raise ConfigurationError(
                no_licence or f"The Flexi user has no right to read {evidence or 'this'} (403): “{said}”."
            )
        if answer.status == 404:
            what = f"the evidence {evidence} in it" if evidence else "its Changes API, or that is switched off"
            raise ConfigurationError(
                f"Flexi at {at} has no company {self.company!r}, or the user may not see {what} (404). "
                "Check FLEXI_COMPANY (the name in the URL, e.g. demo) and the user's rights."
            )
        if answer.status == 409 or answer.status >= 500:
            raise UnavailableError(f"Flexi could not answer {answer.what} now (status {answer.status}): “{said}”.")
        raise ConfigurationError(f"Flexi refused {answer.what} with status {answer.status}: “{said}”.")


@dataclass(frozen=True, slots=True)
class FlexiSource:
    """The records of one evidence of a company, and the child evidences whose changes are theirs too.

    `children` maps a child evidence to the relation under which the parent's record carries it, e.g. kontakt to
    kontakty. `fields` are those to read (empty: all of them). The key of a record is its numeric id, which is
    never used again; codes change.
    """

    client: FlexiClient
    evidence: str
    fields: tuple[str, ...] = ()
    children: Mapping[str, str] = field(default_factory=dict)
    page: int = 500

    def head(self) -> SourceHead:
        """Return the newest version; raises TrackingOffError while the Changes API is off."""
        if not self.client.tracking_is_on():
            raise TrackingOffError(_off_message(self.client.company))
        return SourceHead(self.client.global_version(self.evidence), self.client.fingerprint())

    def peek(self, start: int) -> ChangePage:
        """Return the first page of changes as notices only: children are not traced to their parents."""
        return self._notices(self.client.feed(start, self._evidences), start)

    def changes(self, start: int) -> Iterator[ChangePage]:
        """Yield the pages of the feed until it says that there is no more; an empty or short page is not the end."""
        while True:
            feed_page = self.client.feed(start, self._evidences)
            page = self._notices(feed_page, start)
            yield replace(page, changes=self._with_parents(page.changes))
            if not page.more:
                return
            start = page.next_position

    def fetch(self, keys: Sequence[str]) -> Mapping[str, SourceRecord]:
        """Return the current records; one request for all keys. What is no number is the id of none."""
        ids = [key for key in keys if key.isascii() and key.isdecimal()]
        rows = self.client.records(self.evidence, ids, self._detail, self._relations) if ids else []
        return {record.key: record for record in map(_source_record, rows)}

    def snapshot(self, after: str | None) -> Iterator[Sequence[SourceRecord]]:
        """Yield all records by ascending id, keyed by the last one: offsets slip when rows are deleted meanwhile."""
        last = None if after is None else int(after)
        while True:
            rows = self.client.list_after(self.evidence, last, self.page, self._detail, self._relations)
            if not rows:
                return
            yield [_source_record(row) for row in rows]
            last = int(rows[-1]["id"])

    def describe(self) -> Mapping[str, Shape]:
        """Return what Flexi says of the evidence's fields, with one request; relations and ids are always there."""
        found = {name: Shape(kind) for name, kind in self.client.properties(self.evidence).items()}
        always = {name: Shape("list") for name in ("external-ids", *self._relations)}
        # What Flexi adds to a field (stat@showAs) comes and goes with it.
        added = {path: found[of] for path in self.fields if (of := path.partition("@")[0]) in found}
        return {**always, **added, **found}

    @property
    def _evidences(self) -> list[str]:
        return [self.evidence, *self.children]

    @property
    def _relations(self) -> list[str]:
        return list(self.children.values())

    @property
    def _detail(self) -> str:
        if not self.fields:
            return "full"
        return "custom:" + ",".join(dict.fromkeys(("id", "kod", *self.fields)))

    def _notices(self, page: FlexiFeedPage, start: int) -> ChangePage:
        """Turn a feed page into notices; a child's is marked by its evidence in `part` until it is traced."""
        changes = [
            Change(c.record_id, c.operation, c.version, c.external_ids)
            if c.evidence == self.evidence
            else Change("", c.operation, c.version, part={self.children[c.evidence]: [{"id": c.record_id}]})
            for c in page.changes
            if c.evidence == self.evidence or c.evidence in self.children
        ]
        last = max((c.version for c in page.changes), default=start - 1)
        if page.next_version is None:
            return ChangePage(changes, max(start, last + 1), page.global_version, more=False)
        if page.next_version <= max(start, last):
            raise UnavailableError(
                f"Flexi's change feed does not move on: after version {last} it says to continue at "
                f"{page.next_version}."
            )
        return ChangePage(changes, page.next_version, page.global_version, more=True)

    def _with_parents(self, changes: Sequence[Change]) -> list[Change]:
        """Turn changes of children into changes of their parents.

        A parent is asked of the children that still exist; a deleted one is looked for in what was landed.
        """
        parents = self._parents_of([change for change in changes if change.part is not None])
        traced: list[Change] = []
        for change in changes:
            if change.part is None:
                traced.append(change)
                continue
            traced.append(change)
            relation, (member, *_) = next(iter(change.part.items()))
            parent = parents.get((relation, member["id"]))
            if parent is not None:
                traced.append(Change(parent, "update", change.position))
        return traced

    def _parents_of(self, changes: Sequence[Change]) -> dict[tuple[str, str], str]:
        parents: dict[tuple[str, str], str] = {}
        for evidence, relation in self.children.items():
            ids = sorted({c.part[relation][0]["id"] for c in changes if c.part and relation in c.part}, key=int)
            if not ids:
                continue
            for row in self.client.records(evidence, ids, "custom:id,firma"):
                parent = str(row.get("firma@ref", "")).rpartition("/")[2].partition(".")[0]
                if parent.isdecimal():
                    parents[relation, str(row["id"])] = parent
        return parents


def _off_message(company: str) -> str:
    return (
        f"The Changes API of the Flexi company {company} is switched off, so changes are not recorded. Switch it on "
        "(job flexi_changes_control, or /c/…/changes/control in Flexi), then run a full reconciliation."
    )


def _source_record(row: Payload) -> SourceRecord:
    listed = row.get("external-ids")
    return SourceRecord(str(row["id"]), row, tuple(map(str, listed)) if isinstance(listed, list) else ())
