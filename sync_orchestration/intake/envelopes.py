"""The envelope of a pushed record: key, operation, version, data."""

from dataclasses import dataclass, replace
from typing import Any

from sync_orchestration.intake.checks import LARGEST_INTEGER, is_storable, shortened
from sync_orchestration.intake.contract import SyncContract
from sync_orchestration.interface.rows import Operation
from sync_orchestration.mapping.records import JSON, RecordError

ENVELOPE_FIELDS = ("key", "operation", "version", "data")
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the data. What is wrong has a harmless value here and its error beside it.

    `data` is None for a delete, and where there is none that could be checked.
    """

    key: str = ""
    shown_key: str | None = None
    operation: Operation = "update"
    version: int | None = None
    data: dict[str, JSON] | None = None

    def with_version(self, version: int | None) -> "Envelope":
        """Return the same envelope with another version."""
        return replace(self, version=version)


def read_envelope(record: Any, contract: SyncContract) -> tuple[Envelope, list[RecordError]]:
    """Return the envelope of a record as it was sent, and all that is wrong with it."""
    if not isinstance(record, dict):
        return Envelope(), [RecordError("record", None, "the record is not an object with a key and data")]
    errors = [
        RecordError("unknown_field", shortened(name), f"a record has {', '.join(ENVELOPE_FIELDS)}, and nothing else")
        for name in record
        if name not in ENVELOPE_FIELDS
    ]
    key, operation = record.get("key"), record.get("operation", "update")
    version, data = record.get("version"), record.get("data")
    if complaint := _wrong_key(key, contract.key_length):
        errors.append(RecordError("key", "key", complaint))
    known_operation = isinstance(operation, str) and operation in contract.operations
    if not known_operation:
        errors.append(RecordError("operation", "operation", f"an operation is {' or '.join(contract.operations)}"))
    if version is not None and not _is_version(version):
        errors.append(RecordError("version", "version", f"a version is a whole number from 0 to {LARGEST_INTEGER}"))
    is_delete = operation == "delete"
    if not isinstance(data, dict) and not (is_delete and data is None):
        errors.append(RecordError("data", "data", "the data is not an object with the record's fields"))
    envelope = Envelope(
        key=key if isinstance(key, str) else "",
        shown_key=key[:_LONGEST_SHOWN] if isinstance(key, str) else None,
        operation=operation if known_operation else "update",
        version=version if _is_version(version) else None,
        data=data if isinstance(data, dict) and not is_delete else None,
    )
    return envelope, errors


def _wrong_key(key: Any, longest: int) -> str | None:
    if not isinstance(key, str) or not key.strip():
        return "the key is missing, or not a text with something in it"
    if len(key) > longest:
        return f"the key has {len(key)} characters, at most {longest} are allowed"
    if key != key.strip() or not key.isprintable() or not is_storable(key):
        return "the key begins or ends with a space, or holds characters that cannot be printed"
    return None


def _is_version(version: Any) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and 0 <= version <= LARGEST_INTEGER
