"""Web hooks of a Flexi company: which addresses it calls after a change, and how they are registered and removed.

Source: the vendor's article 4744379 (Web hooks). The secret of a hook travels in the query string, since Flexi takes
it nowhere else, so it is masked in everything that is said or logged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from sync_orchestration.pipeline.errors import ConfigurationError, SyncError, UnavailableError, may_have_acted
from sync_orchestration.systems.flexi import FlexiClient
from sync_orchestration.systems.flexi_answers import message_of, parsed, winstrom_of
from sync_orchestration.systems.http import Answer, HttpClient

SECRET = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a secret may be made of: it must stand in a header as it is, and be found wherever it is to be masked."""

_OWN_SERVER = 'on a server of your own, flexibee-server.xml needs <entry key="enableHooks">true</entry>'
_NO_RIGHT = (
    "Flexi refuses web hooks (403). Check that the licence has the REST API for reading and writing and that the "
    f"user may use it; {_OWN_SERVER}."
)
_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class FlexiHook:
    """An address that Flexi calls. `penalty` says how badly it answered of late, in Flexi's own words."""

    id: str
    url: str = field(repr=False)
    format: str
    last_version: str
    penalty: str

    @property
    def shown_url(self) -> str:
        """The address without a user, password or parameters, which may be somebody's secrets."""
        return shown(self.url)


@dataclass(frozen=True, slots=True)
class FlexiHooks:
    """The web hooks of one company; made by `of`. `secret` is what Flexi sends with each call to our address."""

    client: FlexiClient
    secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, client: FlexiClient, secret: str = "") -> "FlexiHooks":
        """Return the hooks of a client's company; no message of theirs holds the secret."""
        settings = client.http.settings
        http = HttpClient(replace(settings, secrets=(*settings.secrets, secret)))
        return cls(FlexiClient(http, client.company, client.feed_format), secret)

    def listed(self) -> list[FlexiHook]:
        """Return all hooks of the company, of other programs too."""
        http = self.client.http
        answer, body = http.send_json("GET", f"{self.client.base}/hooks.json")
        self._refuse_errors(answer)
        return [self._hook(row, answer) for row in _rows(winstrom_of(body, http, answer))]

    def leading_to(self, url: str) -> list[FlexiHook]:
        """Return the hooks that call `url`."""
        return [hook for hook in self.listed() if hook.url == url]

    def register(self, url: str, *, skip_url_test: bool = False) -> bool:
        """Let Flexi call `url` after each change; False when it does so already, and nothing is registered."""
        if not SECRET.fullmatch(self.secret):
            raise ConfigurationError("The secret of a web hook must be of letters, digits and - . _ ~ + / = only.")
        if not self.client.tracking_is_on():
            raise ConfigurationError(
                f"Web hooks need the Changes API, which is switched off in the Flexi company {self.client.company}. "
                "Switch it on first: job flexi_changes_control, action enable."
            )
        if self.leading_to(url):
            return False
        try:
            self._send_registration(url, skip_url_test=skip_url_test)
        except SyncError as error:
            # The answer may be lost and the hook be there; sent blindly once more it would be there twice.
            if not may_have_acted(error) or not self.leading_to(url):
                raise
            return True
        if not self.leading_to(url):
            raise UnavailableError(f"Flexi confirmed the web hook to {self._masked(url)}, but does not list it.")
        return True

    def revive(self, hook_id: str) -> None:
        """Let Flexi forget the penalty of a hook and call it now."""
        self._known(hook_id)
        answer = self.client.http.send("PUT", f"{self._path(hook_id)}/retry", headers=_JSON)
        self._refuse_errors(answer, hook_id)

    def remove(self, hook_id: str) -> None:
        """Let Flexi call a hook's address no more."""
        self._known(hook_id)
        answer = self.client.http.send("DELETE", self._path(hook_id), headers=_JSON)
        # Somebody else was faster, or an earlier try of this request whose answer was lost.
        if answer.status != 404:
            self._refuse_errors(answer, hook_id)

    def _send_registration(self, url: str, *, skip_url_test: bool) -> None:
        params = {"url": url, "format": "JSON", "secKey": self.secret}
        if skip_url_test:
            params["skipUrlTest"] = "true"
        http = self.client.http
        answer = http.send("PUT", f"{self.client.base}/hooks.json", params=params, repeatable=False, refusals=(500,))
        if answer.status in (401, 402, 403, 404):
            self._refuse_errors(answer)
        if not 200 <= answer.status < 300 or _says_no(answer):
            said = http.masked(message_of(parsed(answer)) or "") or http.quote(answer.body)
            raise ConfigurationError(
                f"Flexi did not register the web hook (status {answer.status}): “{said}”. It tries the address first: "
                f"{self._masked(url)} must be reachable from the Flexi server, and the intake must answer there and "
                f"know the same secret; {_OWN_SERVER}."
            )

    def _known(self, hook_id: str) -> None:
        hooks = [hook.id for hook in self.listed()]
        if hook_id not in hooks:
            there = f"there are {', '.join(hooks)}" if hooks else "there is none at all"
            raise ConfigurationError(
                f"The Flexi company {self.client.company} has no web hook {self.client.http.masked(hook_id)!r}; "
                f"{there}."
            )

    def _path(self, hook_id: str) -> str:
        return f"{self.client.base}/hooks/{quote(hook_id, safe='')}"

    def _masked(self, url: str) -> str:
        return self.client.http.masked(shown(url))

    def _refuse_errors(self, answer: Answer, hook_id: str | None = None) -> None:
        """Raise the SyncError that an error answer stands for."""
        if 200 <= answer.status < 300 and not _says_no(answer):
            return
        http, company = self.client.http, self.client.company
        if answer.status == 404:
            what = f"the web hook {hook_id}" if hook_id else "its web hooks"
            raise ConfigurationError(
                f"Flexi at {http.settings.shown_url} does not know the company {company!r} or {what} (404). Check "
                f"FLEXI_COMPANY and the user's rights; {_OWN_SERVER}."
            )
        if 200 <= answer.status < 300:
            said = http.masked(message_of(parsed(answer)) or "") or http.quote(answer.body)
            raise ConfigurationError(f"Flexi refused {answer.what}: “{said}”.")
        self.client.refuse_errors(answer, parsed(answer), no_licence=_NO_RIGHT)

    def _hook(self, row: Any, answer: Answer) -> FlexiHook:
        if not isinstance(row, dict) or not row.get("id") or not row.get("url"):
            raise UnavailableError(
                f"Flexi answered {answer.what} with something that is no web hook: "
                f"“{self.client.http.quote(answer.body)}”"
            )
        # What the penalty is called is not documented.
        penalty = next((value for name, value in row.items() if "penal" in name.lower()), "")
        shown_parts = (row.get("format", ""), row.get("lastVersion", ""), penalty)
        return FlexiHook(str(row["id"]), str(row["url"]), *map(str, shown_parts))


def shown(url: str) -> str:
    """Return an address as it may be printed: without user, password and parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _rows(winstrom: Mapping[str, Any]) -> list[Any]:
    """Return the rows of the list, which stand under `hooks` or `hook`; which one is not documented, nor for none."""
    found: Any = winstrom
    for name in ("hooks", "hook"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    if found is winstrom or not found:
        return []
    return found if isinstance(found, list) else [found]


def _says_no(answer: Answer) -> bool:
    body = parsed(answer)
    winstrom = body.get("winstrom") if isinstance(body, dict) else None
    return isinstance(winstrom, dict) and str(winstrom.get("success", "true")).lower() == "false"
