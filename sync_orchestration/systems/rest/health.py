"""Is a REST API there, and does it let us in?"""

from collections.abc import Mapping

from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.systems.http import HttpClient
from sync_orchestration.systems.rest.answers import fault_of
from sync_orchestration.systems.rest.reading import parsed


def check(http: HttpClient, path: str, params: Mapping[str, str] | None = None) -> str:
    """Read `path`, which changes nothing, with `params` that keep the answer short; returns a sentence for people.

    Raises ConfigurationError when the certificate, the credentials, the rights or the path are wrong, and
    UnavailableError when nothing answers at the address.
    """
    answer = http.send("GET", path, params=dict(params or {}))
    if not 200 <= answer.status < 300:
        raise fault_of(http, answer)
    if not answer.body:
        return f"answered with status {answer.status} without content"
    try:
        parsed(answer)
    except ValueError:
        raise ConfigurationError(http.not_json(answer)) from None
    return f"answered with status {answer.status} in JSON"
