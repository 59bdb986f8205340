"""Messengers: people are told by e-mail, chat or web hook, through Apprise, each named by one address.

An address holds its secrets (tgram://token/chat), so it is never shown: a messenger is called by its number and kind.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import unquote

from apprise import LOGGER_NAME, Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType

from sync_orchestration.interface.incidents import Message
from sync_orchestration.mapping.plain_text import plain
from sync_orchestration.mapping.scrub import mask
from sync_orchestration.systems.quiet_logs import silence

silence()

# Its own log would name addresses; what it says of a message is taken from the answer.
_log = logging.getLogger(LOGGER_NAME)
_log.setLevel(logging.WARNING)
_log.propagate = False
_log.addHandler(logging.NullHandler())

_SECONDS = 20
_BETWEEN = re.compile(r",?\s+|,(?=[a-z][a-z0-9]*://)|,$", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9]{1,19})://", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LONG, _LONG_WITH_DIGITS, _SHORTEST = 20, 8, 3
_LOOK = {"bad": NotifyType.FAILURE, "good": NotifyType.SUCCESS, "test": NotifyType.INFO}

Mood = Literal["bad", "good", "test"]


@dataclass(frozen=True, slots=True)
class Messenger:
    """One address. `mark` stands for it where who has been told is remembered; no service: it is not understood."""

    number: int
    kind: str
    mark: str
    secrets: tuple[str, ...]
    service: NotifyBase | None

    def __str__(self) -> str:
        return f"target {self.number} ({self.kind})"

    @property
    def misunderstood(self) -> str | None:
        """Why nothing can be sent to the address; None when something can."""
        return None if self.service else "the address is not understood; Apprise's documentation shows its form"

    def tell(self, message: Message, mood: Mood) -> str | None:
        """Send a message; returns None when it was accepted, else why it was not."""
        if self.service is None:
            return self.misunderstood
        caller = Apprise(asset=_asset())
        caller.add(self.service)
        answer = caller.notify(
            body=message.text,
            title=message.title,
            notify_type=_LOOK[mood],
            body_format=NotifyFormat.TEXT,
            timeout=_SECONDS,
        )
        if answer:
            return None
        said = " ".join(entry.message for entry in answer.logs()) or "it did not accept the message"
        return plain(mask(" ".join(said.split()), self.secrets))[:500]


def messengers(addresses: str) -> list[Messenger]:
    """Return the messengers at addresses that are separated by blanks or commas; nothing is sent."""
    return [_messenger(number, address) for number, address in enumerate(_separated(addresses), start=1)]


def secrets_in(addresses: str) -> list[str]:
    """Return what is secret in addresses that are separated by blanks or commas."""
    return [secret for address in _separated(addresses) for secret in _secrets(address)]


def _separated(addresses: str) -> list[str]:
    return [address for address in _BETWEEN.split(addresses.strip()) if address]


def _messenger(number: int, address: str) -> Messenger:
    service = Apprise.instantiate(address, asset=_asset())
    scheme = _SCHEME.match(address)
    kind = str(service.service_name) if service else scheme[1] if scheme else "no address"
    return Messenger(number, kind, sha256(address.encode()).hexdigest()[:16], (*_secrets(address),), service)


def _asset() -> AppriseAsset:
    return AppriseAsset(
        app_id="sync_orchestration", app_desc="sync_orchestration", app_url="", language="en", secure_logging=True
    )


def _secrets(address: str) -> Iterator[str]:
    """Yield what is secret in an address: all of it, its password, and every part that looks like a token."""
    yield address
    rest = address.partition("://")[2] or address
    user = rest.partition("/")[0].rpartition("@")[0]
    password = user.partition(":")[2]
    if len(password) >= _SHORTEST:
        yield from (password, unquote(password))
    for part in re.split(r"[/:@?&=#,;]+", rest):
        is_long = len(part) >= _LONG or (len(part) >= _LONG_WITH_DIGITS and re.search(r"\d", part))
        if is_long and not _HOST.fullmatch(part):
            yield from (part, unquote(part))
