"""Alfresco Full Text Search, the part that a contractor sweep can need: parsed into terms.

Fields may be escaped or not and may carry an ``@``: ``@sys\\:node\\-dbid:<0 TO MAX]`` and
``sys:node-dbid:[1 TO 9]`` are the same kind of term.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sync_orchestration.sandbox.alfresco.errors import QueryError
from sync_orchestration.sandbox.alfresco.model import short_qname


@dataclass(frozen=True)
class Term:
    """``field:value``; `exact` is AFTS's ``=`` prefix."""

    field: str
    value: str
    exact: bool = False


@dataclass(frozen=True)
class Range:
    """``field:[low TO high]``; None is an open end (``MIN``, ``MAX``)."""

    field: str
    low: str | None
    high: str | None
    low_inclusive: bool
    high_inclusive: bool


@dataclass(frozen=True)
class Not:
    """Everything that the operand does not match."""

    operand: "Query"


@dataclass(frozen=True)
class Junction:
    """AND or OR over operands; an AND of nothing is everything."""

    operator: Literal["AND", "OR"]
    operands: tuple["Query", ...]


Query = Term | Range | Not | Junction

_NAME = re.compile(r"@?((?:\\.|\{[^}]*\}|[\w\-./])+)(?::((?:\\.|[\w\-.])+)(?=:))?:")
_RANGE = re.compile(
    r"([\[<])\s*(?:\"([^\"]*)\"|([^\s\]>]+))\s+TO\s+(?:\"([^\"]*)\"|([^\s\]>]+))\s*([\]>])", re.IGNORECASE
)
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"')
_BARE = re.compile(r"(?:\\.|[^\s()\"])+")
_AND = re.compile(r"(?:AND\b|&&)", re.IGNORECASE)
_OR = re.compile(r"(?:OR\b|\|\|)", re.IGNORECASE)
_NOT = re.compile(r"(?:NOT\b|!|-)", re.IGNORECASE)


def parse(text: str) -> Query:
    """Parse a query; terms that stand side by side are joined by AND, the search API's default operator."""
    parser = _Parser(text)
    query = parser.disjunction()
    if parser.rest():
        raise QueryError(f"Failed to parse query: {text} (at {parser.position})")
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def rest(self) -> str:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1
        return self.text[self.position :]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.rest()
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    def disjunction(self) -> Query:
        operands = [self.conjunction()]
        while self.take(_OR):
            operands.append(self.conjunction())
        return operands[0] if len(operands) == 1 else Junction("OR", tuple(operands))

    def conjunction(self) -> Query:
        operands = [self.negation()]
        while self.take(_AND) or self._another_follows():
            operands.append(self.negation())
        return operands[0] if len(operands) == 1 else Junction("AND", tuple(operands))

    def _another_follows(self) -> bool:
        rest = self.rest()
        return bool(rest) and not rest.startswith(")") and not _OR.match(rest)

    def negation(self) -> Query:
        if self.take(_NOT):
            return Not(self.negation())
        if self.rest().startswith("("):
            self.position += 1
            inner = self.disjunction()
            if not self.rest().startswith(")"):
                raise QueryError(f"Failed to parse query: {self.text} (missing parenthesis)")
            self.position += 1
            return inner
        return self.term()

    def term(self) -> Query:
        exact = self.rest().startswith("=")
        if exact or self.rest().startswith(("+", "~")):
            self.position += 1
        name = self.take(_NAME)
        if name is None:
            raise QueryError(f"Failed to parse query: {self.text} (at {self.position})")
        field = short_qname(_unescaped(":".join(part for part in name.groups() if part)))
        if bounds := self.take(_RANGE):
            return _range(field, bounds)
        if quoted := self.take(_QUOTED):
            return Term(field, _unescaped(quoted[1]), exact)
        if bare := self.take(_BARE):
            return Term(field, _unescaped(bare[0]), exact)
        raise QueryError(f"Failed to parse query: {self.text} (no value for {field})")


def _range(field: str, match: re.Match[str]) -> Range:
    opening, low_quoted, low, high_quoted, high, closing = match.groups()
    return Range(
        field,
        low_quoted if low_quoted is not None else _bound(low, "MIN"),
        high_quoted if high_quoted is not None else _bound(high, "MAX"),
        low_inclusive=opening == "[",
        high_inclusive=closing == "]",
    )


def _bound(text: str, open_end: str) -> str | None:
    return None if text in (open_end, "*") else _unescaped(text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
