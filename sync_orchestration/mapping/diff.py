"""Has anything changed? Hashes of payloads and differences between a mapped and a current record."""

import hashlib
import json
from collections.abc import Callable, Mapping

from sync_orchestration.mapping.records import JSON, Value

# Made once, for json.dumps makes an encoder at each call. ASCII on purpose: half a surrogate pair, which JSON allows,
# has no UTF-8 form.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical_text(value: JSON) -> str:
    """Return a JSON value as ASCII text, the same for any order of its objects' keys.

    Raises TypeError for what is not JSON, ValueError for a value that contains itself.
    """
    return _canonical(value)


def text_hash(canonical: str) -> str:
    """Return the SHA-256 (hex) of a canonical text."""
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def payload_hash(value: JSON) -> str:
    """Return the SHA-256 (hex) of a JSON value; raises as `canonical_text` does."""
    return text_hash(canonical_text(value))


def changed_fields(
    new: Mapping[str, Value],
    current: Mapping[str, Value],
    same: Callable[[str, Value, Value], bool],
) -> dict[str, tuple[Value, Value]]:
    """Return the fields of ``new`` that differ from ``current``, each as ``(current, new)``.

    ``same(field, current value, new value)`` is the target's own idea of equality (its numbers, dates and
    relations have more than one spelling). A field missing in ``current`` counts as empty; a field missing in
    ``new`` is none of the sync's business. An empty result means that there is nothing to write.
    """
    changed = {}
    for field, wanted in new.items():
        present = current.get(field, "")
        if not same(field, present, wanted):
            changed[field] = (present, wanted)
    return changed
