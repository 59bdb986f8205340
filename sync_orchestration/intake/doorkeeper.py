"""Who is calling? Tokens and secrets, known only by their hashes and compared in constant time."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sync_orchestration.intake.settings import Hook, IntakeSettings, Sender

_HASH = "sha256:"
_BEARER = "bearer "


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a configured secret, given as ``sha256:<hex>`` or as it is."""
    if secret.startswith(_HASH):
        return bytes.fromhex(secret.removeprefix(_HASH))
    return _digest(secret.encode("utf-8", "surrogatepass"))


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Knows the senders by their tokens and the hooks by their secrets."""

    _senders: tuple[tuple[bytes, Sender], ...] = field(repr=False)
    _hooks: Mapping[tuple[str, str], tuple[bytes, ...]] = field(repr=False)

    @classmethod
    def of(cls, settings: IntakeSettings) -> "Doorkeeper":
        senders = tuple((digest_of(token), sender) for sender in settings.senders for token in sender.tokens)
        hooks = {(hook.kind, hook.name): tuple(map(digest_of, hook.secrets)) for hook in settings.hooks}
        return cls(senders, hooks)

    def sender(self, authorization: str | None) -> Sender | None:
        """Return whose bearer token an Authorization header carries. Every known token is compared, found or not."""
        digest = _digest(bearer_token(authorization))
        found: Sender | None = None
        for known, sender in self._senders:
            if hmac.compare_digest(known, digest):
                found = sender
        return found

    def opens(self, hook: Hook | None, secret: bytes) -> bool:
        """Tell whether a secret is one of the hook's; an unknown hook costs a comparison too, and is never opened."""
        digest = _digest(secret)
        known: Iterable[bytes] = (b"\0" * 32,)
        if hook is not None:
            known = self._hooks[hook.kind, hook.name]
        matches = [hmac.compare_digest(one, digest) for one in known]
        return hook is not None and any(matches)


def bearer_token(authorization: str | None) -> bytes:
    """Return the token of an Authorization header, empty where there is none."""
    # Starlette decodes headers as Latin-1; a token beyond ASCII is meant as the UTF-8 that was sent.
    if authorization is None or not authorization.lower().startswith(_BEARER):
        return b""
    return authorization[len(_BEARER) :].strip().encode("latin-1", "replace")
