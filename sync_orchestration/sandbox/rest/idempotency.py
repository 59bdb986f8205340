"""``Idempotency-Key`` as in the IETF draft: the first answer again, 422 for another body, 409 while it runs."""

import hashlib
import json
from dataclasses import asdict, dataclass

from sync_orchestration.sandbox.rest.answers import Answer, RefusedError
from sync_orchestration.sandbox.rest.records import Json


@dataclass(slots=True)
class _Use:
    fingerprint: str
    answer: Answer | None = None


class IdempotencyKeys:
    """The keys that were used. The caller holds the world's lock."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}
        self._unsaved: dict[str, _Use] = {}
        self.replayed = 0
        """How many requests were answered with an earlier answer."""

    def claim(self, key: str, fingerprint: str) -> Answer | None:
        """Begin to work under `key`; the first answer, when that work was done before."""
        use = self._uses.get(key)
        if use is None:
            self._uses[key] = _Use(fingerprint)
            return None
        if use.fingerprint != fingerprint:
            raise RefusedError(422, "This Idempotency-Key was used for another request")
        if use.answer is None:
            raise RefusedError(409, "A request with this Idempotency-Key is still being processed")
        self.replayed += 1
        return use.answer

    def keep(self, key: str, answer: Answer) -> None:
        """Give this answer from now on."""
        self._uses[key].answer = answer
        self._unsaved[key] = self._uses[key]

    def release(self, key: str) -> None:
        """Forget a key whose work came to nothing; a kept answer stays."""
        use = self._uses.get(key)
        if use is not None and use.answer is None:
            del self._uses[key]

    def expire(self) -> None:
        """Forget all keys, as servers do after a day or so."""
        self._uses.clear()
        self._unsaved.clear()

    def take_unsaved(self) -> list[Json]:
        """The keys that were answered since this was asked last, for the state file."""
        taken = [
            {"key": key, "fingerprint": use.fingerprint, "answer": asdict(use.answer)}
            for key, use in self._unsaved.items()
            if use.answer is not None
        ]
        self._unsaved.clear()
        return taken

    def load(self, stored: Json) -> None:
        """Take back a key that `take_unsaved` has given."""
        answer = stored["answer"]
        headers = tuple((name, value) for name, value in answer["headers"])
        self._uses[stored["key"]] = _Use(stored["fingerprint"], Answer(answer["status"], headers, answer["content"]))


def key_of(header: str) -> str:
    """The key in a header: the draft has a quoted string, most clients send it without the quotes."""
    quoted = len(header) >= 2 and header.startswith('"') and header.endswith('"')
    return header[1:-1] if quoted else header


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same: method, path, and the JSON, however it is written."""
    try:
        content = json.dumps(json.loads(body), sort_keys=True).encode()
    except ValueError:
        content = body
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), content))).hexdigest()
