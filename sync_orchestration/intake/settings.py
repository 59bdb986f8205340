"""The settings of the intake as plain data: who may push what, which hooks there are, how much is too much."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from sync_orchestration.intake.contract import IntakeConfigurationError, SyncContract

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_HASH = "sha256:"
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Sender:
    """A source system. `tokens` are all valid at once: ``sha256:<hex of the token's hash>``, or the token itself."""

    name: str
    tokens: tuple[str, ...] = field(repr=False)
    syncs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hook:
    """Another system's call at ``/hooks/<kind>/<name>`` that something changed; it wakes `name` and carries no data.

    The secret comes in `header`, or (None) as last part of the path or as bearer token, for systems whose calls have
    no header. `key_field` is the field of the body with the id of the changed record; None: the body is not looked at.
    Of `secrets` all are valid at once, in the form of a sender's tokens.
    """

    kind: str
    name: str
    secrets: tuple[str, ...] = field(repr=False)
    header: str | None = None
    key_field: str | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """A person, or several who share a log-in, at the record browser; `tokens` are like a sender's.

    Who may `look` reads only; who may `operate` has the buttons too.
    """

    name: str
    tokens: tuple[str, ...] = field(repr=False)
    may: Literal["look", "operate"] = "look"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much. The memory for bodies is at most (`running` + `waiting`) · `body_bytes`.

    `records` counts those of one push, `calls` those of one JSON-RPC batch. `calls_per_second` and `burst` are each
    sender's own; every call of a batch counts. `running` calls are worked on at once, `waiting` more may be read or
    wait; the rest is told to come again. A call waits for the database for at most `database_seconds`. `depth` counts
    nested lists and objects of a body, `text_length` the characters of any text in data.
    """

    body_bytes: int = 5 * 1024 * 1024
    body_seconds: float = 30.0
    hook_bytes: int = 64 * 1024
    records: int = 1_000
    calls: int = 50
    depth: int = 32
    text_length: int = 100_000
    calls_per_second: float = 50.0
    burst: int = 100
    running: int = 4
    waiting: int = 16
    database_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise IntakeConfigurationError(f"limits: {name} must be more than 0")
        if self.calls > self.burst:
            raise IntakeConfigurationError("limits: a full batch could never pass; burst must be at least calls")


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """Everything that the intake is told. Raises IntakeConfigurationError for what contradicts itself.

    `public_url` is where senders reach it, for the documentation. Documentation and metrics tell names of syncs; where
    they are not open, they need the token of any sender. Without `operators` the record browser is off; `dagster_url`
    is where its links to runs lead.
    """

    contracts: tuple[SyncContract, ...]
    senders: tuple[Sender, ...]
    hooks: tuple[Hook, ...] = ()
    operators: tuple[Operator, ...] = ()
    limits: Limits = field(default_factory=Limits)
    title: str = "Intake of records"
    public_url: str = "http://localhost:8080"
    dagster_url: str = "http://127.0.0.1:3000"
    open_documentation: bool = True
    open_metrics: bool = True

    def __post_init__(self) -> None:
        _refuse_doubles("sync", (one.name for one in self.contracts))
        _refuse_doubles("sender", (one.name for one in self.senders))
        _refuse_doubles("hook", (f"{one.kind}/{one.name}" for one in self.hooks))
        _refuse_doubles("operator", (one.name for one in self.operators))
        known = {one.name for one in self.contracts}
        tokens: list[str] = []
        for sender in self.senders:
            if not sender.name.strip():
                raise IntakeConfigurationError("a sender has no name")
            if unknown := sorted(sender.syncs - known):
                raise IntakeConfigurationError(f"sender {sender.name!r}: there is no sync {unknown[0]!r} to push to")
            tokens += checked_secrets(f"sender {sender.name!r}", sender.tokens)
        for operator in self.operators:
            if not operator.name.strip():
                raise IntakeConfigurationError("an operator has no name")
            tokens += checked_secrets(f"operator {operator.name!r}", operator.tokens)
        if len(tokens) != len(set(tokens)):
            raise IntakeConfigurationError("two senders or operators have the same token; each needs its own")
        for hook in self.hooks:
            checked_hook(hook)


def checked_secrets(owner: str, secrets: tuple[str, ...]) -> list[str]:
    """Return the secrets of an owner; raises IntakeConfigurationError for none, an empty one or half a hash."""
    if not secrets:
        raise IntakeConfigurationError(f"{owner} has no token or secret")
    for secret in secrets:
        if not secret.strip():
            raise IntakeConfigurationError(f"{owner} has an empty token or secret; is its variable unset?")
        if secret.startswith(_HASH) and not _HEX_DIGEST.fullmatch(secret.removeprefix(_HASH)):
            raise IntakeConfigurationError(f"{owner} has a hash that is not sha256: and 64 small hexadecimal digits")
    return list(secrets)


def checked_hook(hook: Hook) -> None:
    """Raise IntakeConfigurationError for a hook that has no address or no secret."""
    if not _SEGMENT.fullmatch(hook.kind) or not _SEGMENT.fullmatch(hook.name):
        raise IntakeConfigurationError(f"hook {hook.kind}/{hook.name}: only letters, digits, - and _ make an address")
    if hook.header is not None and not _HEADER.fullmatch(hook.header):
        raise IntakeConfigurationError(f"hook {hook.kind}/{hook.name}: {hook.header!r} is not the name of a header")
    checked_secrets(f"hook {hook.kind}/{hook.name}", hook.secrets)


def _refuse_doubles(what: str, names: Iterable[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise IntakeConfigurationError(f"there are two of {what} {name!r}")
