"""Makes the Python classes of the user's own into sources, targets and lookups, and answers for what they do.

A class that fails in a way of its own stops the pass with one plain sentence that names file and line, and no secret.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

from sync_orchestration.components.connections import PythonConnection
from sync_orchestration.components.known_secrets import without_secrets
from sync_orchestration.components.python_settings import PythonSettings
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.components.user_classes import UserClass, described, line_in
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.mapping.scrub import mask
from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError
from sync_orchestration.pipeline.lookup import Metered
from sync_orchestration.pipeline.protocols import ChangePage, Outcome, SourceHead, TargetRecord
from sync_orchestration.systems.http import HttpClient

_YIELD = {"changes": ChangePage, "snapshot": Sequence, "inventory": Sequence}
_RETURN = {
    "head": SourceHead, "peek": ChangePage, "fetch": Mapping, "select": Sequence, "describe": Mapping,
    "resolve": Mapping, "current": Mapping, "upsert": Mapping, "delete": Mapping, "ask": Mapping, "usage": Sequence,
}  # fmt: skip
_UNLIKELY = "sync-orchestration-check"
_WRITE = frozenset({"upsert", "delete"})


def made(settings: PythonSettings, connection: PythonConnection) -> tuple[Any, HttpClient | None]:
    """Make the class of a source, target or lookup, with the client that it was given, if it takes one.

    Raises ConfigurationError when a variable is unset or the class cannot be made.
    """
    found, name = settings.user_class, settings.connection
    if missing := connection.missing_variables():
        raise ConfigurationError(f"{name} is switched off: set {', '.join(missing)}.")
    secrets = connection.secret_values()
    arguments = found.arguments(settings.options, secrets)
    http = connection.logged_in(name, tuple(secrets.values())) if found.takes("http") else None
    if http is not None:
        arguments["http"] = http
    if found.takes("url"):
        arguments["url"] = connection.value("url")
    masked = http.masked if http is not None else lambda text: mask(text, tuple(secrets.values()))
    return _answered_for(found, lambda text: without_secrets(masked(text)))(**arguments), http


def check(name: str, connection: PythonConnection, syncs: Sequence[SyncSettings]) -> str:
    """Ask every class that uses the connection something harmless; returns a sentence. Raises SyncError."""
    parts = [part for sync in syncs for part in sync.python_parts if part.connection == name]
    return "; ".join(dict.fromkeys(_asked(part, made(part, connection)[0]) for part in parts)) or "no sync uses it"


def _asked(part: PythonSettings, system: Any) -> str:
    match part.user_class.role:
        case "source":
            system.peek(system.head().position + 1)
        case "target":
            system.current([TargetRecord(_UNLIKELY, _UNLIKELY, {}, None)])
        case "lookup":
            if not isinstance(system, Metered):
                return f"{part.user_class.name} is not asked, since that may have to be paid for"
            system.usage()
    return f"{part.user_class.name} answers"


def _answered_for(found: UserClass, masked: Callable[[str], str]) -> type[Any]:
    """Return the class with each of its methods watched over."""
    watch = _Watch(found, masked)
    methods = {name: watch.over(name) for name in found.methods}
    return type(found.name, (found.own,), {**methods, "__init__": watch.over("__init__"), "__doc__": found.own.__doc__})


class _Watch:
    """Turns what a user's class raises, or answers wrongly, into plain sentences."""

    def __init__(self, found: UserClass, masked: Callable[[str], str]) -> None:
        self.found = found
        self.masked = masked

    def over(self, name: str) -> Any:
        """Return the method of this name with the watch over it, static or not."""
        method = getattr(self.found.own, name)
        plain = isinstance(inspect.getattr_static(self.found.own, name), staticmethod | classmethod)

        @wraps(method)
        def watched(own: Any, *arguments: Any, **named: Any) -> Any:
            given = arguments if plain else (own, *arguments)
            try:
                answer = method(*given, **named)
            except SyncError:
                raise
            except Exception as error:  # noqa: BLE001 - it is the user's own code
                raise self._failed(name, error) from None
            if name in _YIELD:
                return self._each(name, answer)
            if name in _RETURN:
                self._refuse_other(name, answer, _RETURN[name])
            return _every_outcome(self.found, name, arguments[0], answer) if name in _WRITE else answer

        return watched

    def _each(self, name: str, answers: Any) -> Iterator[Any]:
        """Yield what a method yields; a list that it returned instead is as good."""
        try:
            for answer in answers:
                self._refuse_other(name, answer, _YIELD[name])
                yield answer
        except SyncError:
            raise
        except Exception as error:  # noqa: BLE001 - it is the user's own code
            raise self._failed(name, error) from None

    def _refuse_other(self, name: str, answer: Any, wanted: type) -> None:
        if not isinstance(answer, wanted):
            raise ConfigurationError(
                f"{name} of {self.found} gives {type(answer).__name__}, where {wanted.__name__} is expected."
            )

    def _failed(self, name: str, error: Exception) -> SyncError:
        line = line_in(self.found.file, error)
        where = f"{self.found.file}, line {line}" if line else str(self.found.file)
        said = f"{self.found.name}.{name} failed in {where}: {self.masked(described(error))}."
        # Nobody can tell a mistake in the class from a fault that passes, so it is tried again, and then given up.
        return UnavailableError(said, may_have_acted=name in _WRITE)


def _every_outcome(
    found: UserClass, name: str, records: Sequence[TargetRecord], told: Mapping[str, Outcome]
) -> Mapping[str, Outcome]:
    """Return an outcome for each record: one of which nothing was told has failed, and nobody knows how far it came."""
    silence = RecordError("no_outcome", None, f"{found.name}.{name} told nothing of this record")
    missing = [record.key for record in records if record.key not in told]
    return {**told, **{key: Outcome(error=silence, in_doubt=True) for key in missing}}
