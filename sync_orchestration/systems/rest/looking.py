"""What a REST API holds now: a known record read by its id, one in doubt looked up by our key."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sync_orchestration.mapping.records import JSON, RecordError
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.protocols import CurrentRecord, TargetRecord
from sync_orchestration.pipeline.spans import carried
from sync_orchestration.systems.http import Answer
from sync_orchestration.systems.rest.addresses import filled
from sync_orchestration.systems.rest.answers import refused_credentials, refused_rights, said_by
from sync_orchestration.systems.rest.bodies import UNKNOWN, flat
from sync_orchestration.systems.rest.doubts import doubtful, may_be_sent_again
from sync_orchestration.systems.rest.judging import GONE, id_in, is_success
from sync_orchestration.systems.rest.reading import get_json, is_null_at, key_text, read_at, shape
from sync_orchestration.systems.rest.settings import Resource

_NAMED_IDS = 5

Found = CurrentRecord | RecordError | None


@dataclass(slots=True)
class Looker:
    """Reads records of one resource, a few at a time; remembers whether it was ever let in."""

    resource: Resource
    _has_answered: bool = field(default=False, init=False)

    def look(self, records: Sequence[TargetRecord]) -> Mapping[str, Found]:
        """Return what is there of each record, None for one that is not.

        Raises SyncError when reading as such is at fault.
        """
        waiting, found = list(reversed(records)), dict[str, Found]()
        while waiting and not self._has_answered:
            record = waiting.pop()
            found[record.key] = self._look_at(record)
        if waiting:
            rest = waiting[::-1]
            with ThreadPoolExecutor(max_workers=self.resource.parallel) as pool:
                found.update(zip((r.key for r in rest), pool.map(carried(self._look_at), rest), strict=True))
        return found

    def _look_at(self, record: TargetRecord) -> Found:
        if record.target_id is not None:
            if not self.resource.verify:
                return remembered(record)
            found = self._read(record, record.target_id)
            return self.find_again(record) if found is None else found
        if record.in_doubt and not self.resource.find:
            return None if may_be_sent_again(self.resource, record) else doubtful()
        return self.find_again(record)

    def find_again(self, record: TargetRecord) -> Found:
        """Look up a record by its key where an earlier try may have made it, anew if it has vanished since.

        Raises SyncError when reading as such is at fault.
        """
        return self._find(record) if record.in_doubt and self.resource.find else None

    def _read(self, record: TargetRecord, target_id: str) -> Found:
        path = filled(self.resource.reading, {"id": target_id, "key": record.external_id})
        if isinstance(path, RecordError):
            return path
        answer, body = self._get(path)
        if answer.status in GONE:
            return None
        if answer.status >= 500:
            # Its writing will tell; nothing is known against the record.
            return remembered(record)
        if not is_success(answer):
            return self._refusal(answer)
        values = read_at(body, self.resource.record)
        if not isinstance(values, dict):
            return RecordError("not_understood", None, f"reading it gives no record, but {shape(body)}")
        return CurrentRecord(target_id, flat(values, record.values.keys()))

    def _find(self, record: TargetRecord) -> Found:
        path = filled(self.resource.find or "", {"key": record.external_id})
        if isinstance(path, RecordError):
            return path
        answer, body = self._get(path)
        if answer.status in GONE:
            return None
        if not is_success(answer):
            return self._refusal(answer)
        found = {}
        for match in self._matches(body, record.external_id, answer):
            target_id = id_in(match, self.resource.id_field)
            if target_id is None:
                return RecordError("no_id", None, f"a record found by its key has no id, but {shape(match)}")
            found[target_id] = match
        if len(found) > 1:
            listed = ", ".join(sorted(found)[:_NAMED_IDS]) + ("…" if len(found) > _NAMED_IDS else "")
            message = f"{len(found)} records have the key {record.external_id} (ids {listed}): leave one of them"
            return RecordError("ambiguous_match", self.resource.key_field, message)
        return next(
            (CurrentRecord(i, flat(match, record.values.keys()), linked=False) for i, match in found.items()), None
        )

    def _matches(self, body: JSON, key: str, answer: Answer) -> list[JSON]:
        """Return the records that are ours; a server that does not know the filter lists others, too."""
        resource = self.resource
        path = resource.find_records
        listed = read_at(body, path)
        if isinstance(listed, dict):
            listed = [listed]
        if not isinstance(listed, list) and not (body is None or (listed is None and is_null_at(body, path))):
            raise ConfigurationError(
                f"{resource.http.settings.name} answered {resource.http.masked(answer.what)} without a list of "
                f"records at '{path or ''}': the answer has {shape(body)}. Correct find_records."
            )
        field_name = resource.key_field
        return [
            match
            for match in (listed if isinstance(listed, list) else [])
            if field_name is None
            or not isinstance(match, dict)
            or field_name not in match
            or key_text(match[field_name]) == key
        ]

    def _get(self, path: str) -> tuple[Answer, JSON]:
        """GET, and refuse what no other record would change."""
        http = self.resource.http
        answer, body = get_json(http, path, [], self.resource.headers)
        if answer.status == 401:
            raise refused_credentials(http, answer)
        if answer.status == 403 and not self._has_answered:
            raise refused_rights(http, answer)
        self._has_answered = True
        return answer, body

    def _refusal(self, answer: Answer) -> RecordError:
        said = said_by(self.resource.http, answer)
        code = "forbidden" if answer.status == 403 else "server_error" if answer.status >= 500 else "refused"
        return RecordError(code, said.field, f"it cannot be read, status {answer.status}: {said.message}".rstrip(": "))


def remembered(record: TargetRecord) -> CurrentRecord:
    """Return a known record as it was written last; after a write in doubt nobody knows."""
    known = (None if record.in_doubt else record.written) or {}
    return CurrentRecord(record.target_id or "", {**dict.fromkeys(record.values, UNKNOWN), **known})
