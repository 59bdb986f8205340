"""The one place that sends a request: retries, limits, what a failed answer means, and that no secret gets out."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from sync_orchestration.mapping.plain_text import plain
from sync_orchestration.mapping.scrub import longest_form, mask
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.systems.http_faults import never_arrived, retry_after, root_cause, took_too_long
from sync_orchestration.systems.quiet_logs import silence
from sync_orchestration.systems.request_spans import note_status, request_span
from sync_orchestration.systems.sessions import open_session, password_in
from sync_orchestration.systems.sharing import Pause, Turns

silence()

_PASSING_STATUSES = {429, 502, 503, 504}
_QUOTE = 200
_PATIENCE = 2  # so many times the longest wait are waited for a server that keeps asking for more

_WRONG_SETTINGS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
)
_BROKEN_OFF = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to talk to one system.

    `timeout` is in seconds, for connecting and for each silence while reading; a whole exchange may take as much
    `patience` times. `secrets` are the values that must never appear in a message. `longest_wait` bounds how long a
    request waits for a server that asks for patience (429 with Retry-After); a longer wait ends the pass instead.
    `parallel` requests may be under way at the server at a time, where its turns are shared. `max_body` is in bytes.
    """

    name: str
    base_url: str
    auth: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    patience: float = 10.0
    verify_tls: bool = True
    tries: int = 4
    first_delay: float = 0.5
    longest_wait: float = 30.0
    parallel: int = 4
    max_body: int = 256 * 1024 * 1024
    secrets: tuple[str, ...] = ()

    @property
    def shown_url(self) -> str:
        """The address as messages print it: without a user and password that somebody wrote into it."""
        try:
            parts = urlsplit(self.base_url)
        except ValueError:
            return self.base_url.rpartition("@")[2]
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def server(self) -> str:
        """Scheme, host and port: what a pause and turns hold for."""
        return "/".join(self.shown_url.split("/")[:3]).lower()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that arrived whole. Statuses other than passing faults are the caller's to judge.

    `is_repeated`: the same was sent before, and may have been done, but that answer did not arrive.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    what: str
    is_repeated: bool = False

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class _PassingFaultError(Exception):
    """A fault that the same request may not meet again."""

    def __init__(self, message: str, retry_after: float | None = None, *, may_have_acted: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.may_have_acted = may_have_acted


class HttpClient:
    """Sends requests to one system; safe to share between threads (one session a thread).

    With `pause` a server's Retry-After holds for every worker that shares it, not only for the request that met it;
    with `turns` a request waits for one of the turns that all workers share.

    Raises UnavailableError when the system cannot be reached or keeps failing, ConfigurationError when the
    address, the certificate or a redirect shows that it is not the system that was meant.
    """

    def __init__(self, settings: HttpSettings, on_request: Callable[[], None] | None = None) -> None:
        self.settings = settings
        self.requests_sent = 0
        self.pause: Pause | None = None
        self.turns: Turns | None = None
        self._on_request = on_request
        self._count_lock = threading.Lock()
        self._local = threading.local()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: list[tuple[str, str]] | Mapping[str, str] | None = None,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        refusals: Collection[int] = (),
    ) -> Answer:
        """Send one request and return its answer.

        With `repeatable` False a request that may have arrived is not sent again, for its effect could double.
        `refusals` are statuses that elsewhere mean a broken server, but whose answers this caller understands.
        """
        data = None if json_body is None else json.dumps(json_body, ensure_ascii=False).encode("utf-8", "replace")
        sent_headers = dict(headers or {})
        if data is not None:
            sent_headers.setdefault("Content-Type", "application/json")
        elif method in ("POST", "PUT"):
            sent_headers.setdefault("Content-Length", "0")
        return self._with_retries(
            lambda: self._judged(
                self._attempt(method, path, params, data, sent_headers, repeatable=repeatable),
                refusals,
                repeatable=repeatable,
            )
        )

    def send_json(self, method: str, path: str, **request: Any) -> tuple[Answer, Any]:
        """Send one request and return its answer with the parsed JSON.

        A success that is not JSON is asked for again, then raises UnavailableError which quotes its beginning. With
        an error status the JSON is None instead, for the status says enough. Arguments as for `send`.
        """

        def attempt() -> tuple[Answer, Any]:
            answer = self.send(method, path, **request)
            try:
                return answer, json.loads(answer.body)
            except (ValueError, RecursionError) as error:
                if answer.status >= 400:
                    return answer, None
                raise _PassingFaultError(self.not_json(answer)) from error

        if not request.get("repeatable", True):
            return self._once(attempt)
        return self._with_retries(attempt)

    def not_json(self, answer: Answer, wanted: str = "JSON") -> str:
        """Describe an answer that should have been JSON, or whatever was `wanted`."""
        said = f"{self.settings.name} answered {answer.what} with"
        quoted = f"(status {answer.status}) instead of {wanted}: “{self.quote(answer.body)}”."
        if answer.content_type != "text/html":
            return f"{said} a body that is not {wanted} or is cut off {quoted}"
        return (
            f"{said} an HTML page {quoted} Is {self.settings.shown_url} its address, or does a login page or a proxy "
            "answer in its place?"
        )

    def quote(self, body: bytes) -> str:
        """Return the first characters of a body for a message, on one line and without secrets."""
        # Masked before it is cut, or half a secret would be left at the end; half a one where it is read to goes too.
        end = longest_form(self._secrets)
        read = _QUOTE * 10 + end
        text = self.masked(body[:read].decode("utf-8", "replace"))
        return " ".join((text[:-end] if end and len(body) > read else text).split())[:_QUOTE]

    def masked(self, text: str) -> str:
        """Return `text` as one plain line without any secret that this client knows of."""
        return plain(mask(text, self._secrets))

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (*self.settings.secrets, *password_in(self.settings.base_url))

    def _once(self, attempt: Callable[[], T]) -> T:
        try:
            return attempt()
        except _PassingFaultError as fault:
            raise UnavailableError(str(fault), fault.retry_after, may_have_acted=fault.may_have_acted) from None

    def _with_retries(self, attempt: Callable[[], T]) -> T:
        settings = self.settings
        growing = wait_random_exponential(multiplier=settings.first_delay, max=20)

        def wait(state: RetryCallState) -> float:
            fault = state.outcome.exception() if state.outcome else None
            asked = fault.retry_after if isinstance(fault, _PassingFaultError) else None
            return max(growing(state), asked or 0.0)

        failures, patience, acted = 0, _PATIENCE * settings.longest_wait, False

        def has_failed_enough(state: RetryCallState) -> bool:
            # Being told when to come back is how a quota works: for a while that is no failure.
            nonlocal failures, patience, acted
            fault = state.outcome.exception() if state.outcome else None
            if isinstance(fault, _PassingFaultError):
                # What an earlier try may have done is not undone by how the last one ended.
                fault.may_have_acted = acted = acted or fault.may_have_acted
            asked = (fault.retry_after if isinstance(fault, _PassingFaultError) else None) or 0.0
            failures += not 0 < asked <= patience
            patience -= asked
            return failures >= settings.tries

        def worth_another_try(error: BaseException) -> bool:
            return isinstance(error, _PassingFaultError) and (error.retry_after or 0) <= settings.longest_wait

        retrying = Retrying(
            stop=has_failed_enough,
            wait=wait,
            retry=retry_if_exception(worth_another_try),
            reraise=True,
        )
        found = self._once(lambda: retrying(attempt))
        return replace(found, is_repeated=True) if acted and isinstance(found, Answer) else found

    def _attempt(
        self,
        method: str,
        path: str,
        params: Any,
        data: bytes | None,
        headers: Mapping[str, str],
        *,
        repeatable: bool,
    ) -> Answer:
        what = f"{method} {path}"
        self._keep_pause(what)
        with self._count_lock:
            self.requests_sent += 1
        if self._on_request is not None:
            self._on_request()
        try:
            with self._turn(what), request_span(self.settings.name, self.settings.server, method, path) as opened:
                answer = self._exchange(method, path, params, data, headers, what)
                note_status(opened, answer.status)
                return answer
        except requests.exceptions.SSLError as error:
            raise self._tls_fault(error) from None
        except requests.exceptions.ConnectTimeout:
            raise _PassingFaultError(self._unreachable("no connection within the time limit")) from None
        except _WRONG_SETTINGS as error:
            raise ConfigurationError(
                f"No request can be sent to {self.settings.name} at {self.settings.shown_url}: "
                f"{self.masked(root_cause(error))}. Check its address and its password or key for stray characters."
            ) from None
        except _BROKEN_OFF as error:
            fault = self.masked(
                f"The answer of {self.settings.name} to {what} broke off or is garbled: {root_cause(error)}."
            )
            raise self._lost(fault, error, repeatable=repeatable) from None
        # ValueError: requests reads the address of a redirect even when it does not follow it.
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            if took_too_long(error):
                seconds = self.settings.timeout * self.settings.patience
                raise UnavailableError(
                    f"{self.settings.name} is too slow: {self.masked(what)} was not over after {seconds:.0f} s.",
                    may_have_acted=True,
                ) from None
            raise self._lost(self._unreachable(root_cause(error)), error, repeatable=repeatable) from None

    def _keep_pause(self, what: str) -> None:
        """Leave a server alone that has asked for it; a long wait is not this process's to sit out."""
        while self.pause is not None and (wait := self.pause.remaining()) > 0:
            if wait > self.settings.longest_wait:
                name = self.settings.name
                raise _PassingFaultError(f"{name} asked for patience: {what} may be sent in {wait:.0f} s.", wait)
            time.sleep(wait)

    @contextmanager
    def _turn(self, what: str) -> Iterator[None]:
        """Wait for a turn at the server and hold it; the server may have asked for patience meanwhile."""
        with self.turns.turn() if self.turns else nullcontext():
            if self.turns:
                self._keep_pause(what)
            yield

    def _tls_fault(self, error: requests.exceptions.SSLError) -> Exception:
        where = f"{self.settings.name} ({self.settings.shown_url})"
        why = self.masked(root_cause(error))
        kind = repr(error)
        if isinstance(error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in kind:
            return ConfigurationError(
                f"The TLS certificate of {where} is not trusted: {why}. Install its CA, or set verify_tls: false by "
                "name."
            )
        if "WRONG_VERSION_NUMBER" in kind or "RECORD_LAYER_FAILURE" in kind:
            return ConfigurationError(
                f"What answers at {where} does not speak TLS: {why}. Does its address begin with http://, or has it "
                "another port?"
            )
        return _PassingFaultError(self._unreachable(why))

    def _lost(self, fault: str, error: BaseException, *, repeatable: bool) -> Exception:
        """Return what to raise for a request whose answer did not arrive."""
        arrived = not never_arrived(error)
        if repeatable or not arrived:
            return _PassingFaultError(fault, may_have_acted=arrived)
        return UnavailableError(fault, may_have_acted=True)

    def _exchange(
        self, method: str, path: str, params: Any, data: bytes | None, headers: Mapping[str, str], what: str
    ) -> Answer:
        url = self.settings.base_url.rstrip("/") + path
        with self._session().request(
            method,
            url,
            params=params,
            data=data,
            # As bytes, for http.client would encode text as Latin-1 and fail on a key beyond it.
            headers={name: value.encode("utf-8", "surrogateescape") for name, value in headers.items()},
            timeout=self.settings.timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = self._bounded_body(response, what)
            return Answer(response.status_code, response.headers, body, what)

    def _bounded_body(self, response: requests.Response, what: str) -> bytes:
        pieces, size = [], 0
        for piece in response.iter_content(1 << 16):
            size += len(piece)
            if size > self.settings.max_body:
                raise ConfigurationError(
                    f"{self.settings.name} answered {what} with more than {self.settings.max_body >> 20} MiB; "
                    "the answer was not read to its end. Make the batches of this sync smaller."
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _judged(self, answer: Answer, refusals: Collection[int], *, repeatable: bool) -> Answer:
        name = self.settings.name
        if answer.status in refusals:
            return answer
        # A 500 with JSON is a refusal that its reader understands (Odoo's JSON-2); with HTML the server broke.
        broken = answer.status == 500 and not answer.content_type.endswith("json")
        if answer.status in _PASSING_STATUSES or broken:
            wait = retry_after(answer.headers)
            reason = {429: "asked for patience", 500: "failed"}.get(answer.status, "is not available")
            waiting = "" if wait is None else f"; it asks to wait {wait:.0f} s"
            quoted = f": “{self.quote(answer.body)}”" if broken else ""
            message = f"{name} {reason}: {answer.what} was answered with status {answer.status}{waiting}{quoted}."
            if wait and self.pause is not None:
                self.pause.prolong(wait)
            if repeatable or answer.status in (429, 503):
                raise _PassingFaultError(message, wait, may_have_acted=answer.status not in (429, 503))
            raise UnavailableError(message, wait, may_have_acted=True)
        if answer.status in (301, 302, 303, 307, 308):
            where = self.masked(answer.headers.get("Location", "nowhere"))
            raise ConfigurationError(
                f"{name} answered {answer.what} with a redirect to {where}. Is the URL right "
                f"({self.settings.shown_url}), and does the user exist?"
            )
        return answer

    def _unreachable(self, why: str) -> str:
        return self.masked(f"{self.settings.name} cannot be reached at {self.settings.shown_url}: {why}.")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            settings = self.settings
            session = self._local.session = open_session(
                settings.base_url,
                settings.auth,
                settings.headers,
                verify_tls=settings.verify_tls,
                seconds=settings.timeout * settings.patience,
            )
        return session
