"""Web hooks: the server posts new changes to registered addresses, patiently and at least once."""

import threading
import time
from dataclasses import dataclass, field

import requests
from pydantic import JsonValue

from .answers import Answer, FlexiError, envelope
from .changelog import Page
from .company import Company
from .feed import MAXIMUM_LIMIT, listing_text
from .lists import Parameters

ANSWER_SECONDS = 30
"""A receiver must answer within this time."""


@dataclass
class Hook:
    """One registered address and how far it has been told."""

    id: int
    url: str
    format: str
    last_version: int
    secret: str = ""
    failures: int = 0
    due: float = 0.0


@dataclass
class HookDispatcher:
    """The hooks of one company and the thread that delivers to them."""

    company: Company
    hooks: dict[int, Hook] = field(default_factory=dict)
    next_id: int = 1
    delivered: int = 0
    _woken: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def register(self, params: Parameters) -> Hook:
        """Add a hook as the parameters of the request say."""
        extension = params.one("format").lower()
        if not params.one("url") or extension not in ("json", "xml"):
            raise FlexiError(400, "Parametry url a format jsou povinné.")
        if not self.company.log.enabled:
            raise FlexiError(400, "Changes API není zapnuté.")
        current = self.company.log.highest_visible()
        last_version = params.number("lastVersion", current)
        if last_version > self.company.log.last_assigned:
            raise FlexiError(400, "Parametr lastVersion je větší než globální verze.")
        hook = Hook(self.next_id, params.one("url"), extension, last_version, params.one("secKey"))
        self.next_id += 1
        self.hooks[hook.id] = hook
        self.wake()
        return hook

    def remove(self, hook_id: int) -> None:
        if self.hooks.pop(hook_id, None) is None:
            raise FlexiError(404, "Web hook nebyl nalezen.")

    def retry(self, hook_id: int) -> None:
        """Forget the penalty and deliver now."""
        if hook_id not in self.hooks:
            raise FlexiError(404, "Web hook nebyl nalezen.")
        self.hooks[hook_id].failures = 0
        self.hooks[hook_id].due = 0.0
        self.wake()

    def listed(self) -> Answer:
        shown: list[JsonValue] = [
            {
                "id": str(hook.id),
                "url": hook.url,
                "format": hook.format.upper(),
                "lastVersion": str(hook.last_version),
                "penalty": str(hook.failures),
            }
            for hook in self.hooks.values()
        ]
        return Answer(200, envelope(hooks=shown))

    def wake(self) -> None:
        """Look for something to deliver; called after every commit."""
        if not self.hooks:
            return
        due = time.monotonic() + self.company.switches().hook_delay_seconds
        for hook in list(self.hooks.values()):
            if not hook.failures and not hook.due and self._pending(hook).rows:
                hook.due = due
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="flexi-hooks")
            self._thread.start()
        self._woken.set()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until the delivery under way, if there is one, has ended."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            hook = self._due_hook()
            if hook is not None:
                self._idle.clear()
                self._deliver(hook)
                continue
            self._idle.set()
            self._woken.wait(self._seconds_to_next())
            self._woken.clear()

    def _due_hook(self) -> Hook | None:
        now = time.monotonic()
        with self.company.lock:
            hooks = [h for h in self.hooks.values() if h.due <= now and self._may(h)]
            return next((h for h in hooks if self._pending(h).rows), None)

    def _seconds_to_next(self) -> float | None:
        now = time.monotonic()
        waiting = [h.due for h in list(self.hooks.values()) if h.due > now and self._may(h)]
        return min(waiting) - now if waiting else None

    def _may(self, hook: Hook) -> bool:
        return hook.failures < self.company.switches().hook_attempts

    def _pending(self, hook: Hook) -> Page:
        with self.company.lock:
            return self.company.log.peek(hook.last_version + 1, MAXIMUM_LIMIT)

    def _deliver(self, hook: Hook) -> None:
        page = self._pending(hook)
        if not page.rows:
            return
        last = page.rows[-1].version
        text = listing_text(page, last, "none", hook.format)
        status, location = call(hook, text)
        with self.company.lock:
            if status in (301, 308) and location:
                hook.url = location
            elif status == 410:
                self.hooks.pop(hook.id, None)
            elif 200 <= status < 300:
                hook.last_version, hook.failures, hook.due = last, 0, 0.0
                self.delivered += 1
            else:
                penalty = self.company.switches().hook_penalty_seconds
                hook.due = time.monotonic() + penalty * 2**hook.failures
                hook.failures += 1


def call(hook: Hook, text: str) -> tuple[int, str | None]:
    """Post to the hook's address; returns the status (599 for no answer) and where it has moved."""
    headers = {"Content-Type": f"application/{hook.format}; charset=UTF-8"}
    if hook.secret:
        headers["X-FB-Hook-SecKey"] = hook.secret
    try:
        response = requests.post(
            hook.url, text.encode(), headers=headers, timeout=ANSWER_SECONDS, allow_redirects=False
        )
    except requests.RequestException:
        return 599, None
    return response.status_code, response.headers.get("Location")


def try_address(company: Company, params: Parameters) -> None:
    """Make the call without changes by which a registration is tried. Raises FlexiError."""
    hook = Hook(0, params.one("url"), params.one("format").lower(), 0, params.one("secKey"))
    empty_body = company.switches().hook_ping == "empty_body"
    text = "" if empty_body else listing_text(Page([], None), company.global_version, "none", hook.format)
    status, _ = call(hook, text)
    if not 200 <= status < 300:
        raise FlexiError(400, f"Adresa web hooku neodpovídá (stav {status}).")


def done() -> Answer:
    """Answer that a hook was registered, removed or retried."""
    return Answer(200, envelope(success="true"))
