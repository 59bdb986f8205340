"""Kontur.Focus: the company register, asked by INN or OGRN, a hundred numbers in one request.

Source: Kontur's OpenAPI of "Фокус API" 3.0 (api3) and recorded answers of public clients.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sync_orchestration.interface.rows import Payload
from sync_orchestration.mapping.records import RecordError
from sync_orchestration.mapping.register_answers import Ambiguous, choose_body, contractor_view
from sync_orchestration.mapping.registration_numbers import clean_number
from sync_orchestration.pipeline.errors import ConfigurationError, UnavailableError
from sync_orchestration.pipeline.lookup import Question, Usage
from sync_orchestration.systems.http import Answer, HttpClient

MOST_NUMBERS = 100
"""The most numbers that one request may ask for (Kontur's OpenAPI, /api3/req)."""

_NOT_IN_THE_REGISTER = frozenset({"empty", "zeros", "foreign", "edrpou"})


class KonturClient:
    """The register behind one key. The key goes into the query, so no redirect is followed and messages are masked."""

    def __init__(self, http: HttpClient, key: str) -> None:
        self.http = http
        self._key = key

    def companies(self, kind: Literal["inn", "ogrn"], numbers: Sequence[str]) -> list[Payload]:
        """Ask for up to a hundred numbers of one kind; unknown ones are left out, one number may have several bodies.

        Numbers must be well-formed: a request with none such is answered with 400.
        """
        params = [("key", self._key), (kind, ",".join(numbers))]
        answer = self.http.send("GET", "/api3/req", params=params)
        self._refuse_errors(answer)
        items = self._array(answer)
        if not all(isinstance(item, dict) for item in items):
            raise UnavailableError(
                f"Kontur answered with something else than companies: “{self.http.quote(answer.body)}”"
            )
        return items

    def usage(self) -> list[Usage]:
        """Return what is spent of each quota; costs nothing."""
        answer = self.http.send("GET", "/api3/stat", params=[("key", self._key)])
        self._refuse_errors(answer)
        return [
            Usage(str(row.get("methodName", "")), int(row.get("limit") or 0), int(row.get("spent") or 0))
            for row in self._array(answer)
            if isinstance(row, dict)
        ]

    def check(self) -> str:
        """Ask for the usage; returns a sentence for people."""
        return "; ".join(f"{u.method}: {u.spent} of {u.limit} spent" for u in self.usage()) or "the key is accepted"

    def _array(self, answer: Answer) -> list[Any]:
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise UnavailableError(self.http.not_json(answer)) from None
        if not isinstance(body, list):
            raise UnavailableError(f"Kontur answered with something else than a list: “{self.http.quote(answer.body)}”")
        return body

    def _refuse_errors(self, answer: Answer) -> None:
        if answer.status == 200:
            return
        said = self.http.quote(answer.body)
        if answer.status in (401, 403) or "key" in said.lower():
            raise ConfigurationError(
                f"Kontur refuses the key ({answer.status}): {said}. Check KONTUR_KEY and the tariff."
            )
        if answer.status == 402:
            raise ConfigurationError(
                f"Kontur's quota is used up (402): {said}. Extend it, or wait for the next period."
            )
        if answer.status == 404:
            raise ConfigurationError(f"There is no Kontur at {self.http.settings.shown_url} (404): check KONTUR_URL.")
        if answer.status >= 500:
            raise UnavailableError(f"Kontur could not answer (status {answer.status}): {said}")
        raise ConfigurationError(f"Kontur refused the request with status {answer.status}: {said}")


@dataclass(frozen=True, slots=True)
class KonturLookup:
    """The register as a Lookup: `attribute` of a record holds its number, `search` says which kind it is.

    `stored_ogrn` and `stored_kpp` name the attributes that help to choose among several bodies of one INN, and to
    leave the KPP of a branch or a largest taxpayer alone.
    """

    client: KonturClient
    attribute: str
    search: Literal["inn", "ogrn"]
    stored_ogrn: str = "idocs:ogrn"
    stored_kpp: str = "idocs:kpp"
    batch: int = MOST_NUMBERS

    @property
    def name(self) -> str:
        return f"kontur/{self.search}"

    def usage(self) -> list[Usage]:
        """Return what is spent of each quota."""
        return self.client.usage()

    def question(self, payload: Payload) -> Question:
        """Return the number to ask for; numbers that are no Russian ones, or wrong, are never asked."""
        cleaned = clean_number(payload.get(self.attribute), self.search)
        if cleaned.number is not None:
            return Question(cleaned.number)
        code = cleaned.code or "not_a_number"
        error = RecordError(code, self.attribute, cleaned.message or f"there is no number in {self.attribute}")
        return Question(None, error, skip=code in _NOT_IN_THE_REGISTER)

    def ask(self, numbers: Sequence[str]) -> Mapping[str, list[Payload]]:
        """Ask once for all numbers, and join the bodies back by number, never by place."""
        wanted = set(numbers)
        found: dict[str, list[Payload]] = {}
        for item in self.client.companies(self.search, list(numbers)):
            number = str(item.get(self.search, ""))
            if number in wanted:
                found.setdefault(number, []).append(item)
        return found

    def answer(self, payload: Payload, bodies: Sequence[Payload]) -> Payload | RecordError | None:
        """Return what the register says of this record; None when it knows nothing, an error when it knows too much."""
        body = choose_body(bodies, _text(payload.get(self.stored_ogrn)))
        if body is None:
            return None
        if isinstance(body, Ambiguous):
            return RecordError("ambiguous", self.attribute, body.message)
        return contractor_view(body, stored_kpp=_text(payload.get(self.stored_kpp)))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
