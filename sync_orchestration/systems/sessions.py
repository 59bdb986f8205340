"""Opens the session over which one thread talks to one system: log-in, TLS, proxies, and an end to every exchange."""

import os
from collections.abc import Mapping
from urllib.parse import unquote

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_environ_proxies

from sync_orchestration.systems.deadlines import BoundedAdapter


def open_session(
    base_url: str, auth: tuple[str, str] | None, headers: Mapping[str, str], *, verify_tls: bool, seconds: float
) -> requests.Session:
    """Return a session for requests to `base_url` that retries nothing; each exchange has `seconds` in all."""
    session = requests.Session()
    # Reading proxies and ~/.netrc anew at each request costs as much as the request; once is enough.
    session.proxies = dict(get_environ_proxies(base_url))
    session.trust_env = False
    session.verify = verify_tls and _ca_bundle()
    session.auth = _basic(auth)
    session.headers.update(headers)
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(seconds))
    return session


def _basic(auth: tuple[str, str] | None) -> HTTPBasicAuth | None:
    if auth is None:
        return None
    user, password = auth
    # As bytes, for requests would encode text as Latin-1 and fail on a password beyond it.
    return HTTPBasicAuth(user.encode("utf-8"), password.encode("utf-8"))


def _ca_bundle() -> bool | str:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def password_in(url: str) -> tuple[str, ...]:
    """Return the password that an address carries, as it is written and as it is meant."""
    userinfo = url.partition("//")[2].rpartition("@")[0]
    password = userinfo.partition(":")[2]
    return (password, unquote(password)) if password else ()
