"""Filters in the path, ``(stat='code:CZ' and nazev like 'stav')``: read, checked and compiled to a test."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .comparisons import COMPARISONS, Context, WqlError, condition_on, in_list, nothing_said
from .conditions import Condition, both, either, negated

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<date>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.-]*)"
    r"|(?P<sign><>|!=|<=|>=|==|=|<|>|\(|\)|,))"
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def compile_filter(text: str, context: Context) -> Condition:
    """Return the condition that the filter states. Raises WqlError."""
    parser = _Parser(_tokens(text), context)
    condition = parser.disjunction()
    parser.expect_end()
    return condition


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None or match.lastgroup is None:
            raise WqlError(stripped[position:])
        value = match[match.lastgroup]
        if match.lastgroup == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        tokens.append(_Token(match.lastgroup, value))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], context: Context) -> None:
        self._tokens = tokens
        self._context = context
        self._position = 0

    def disjunction(self) -> Condition:
        condition = self._conjunction()
        while self._took("or"):
            condition = either(condition, self._conjunction())
        return condition

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise WqlError(self._tokens[self._position].text)

    def _conjunction(self) -> Condition:
        condition = self._term()
        while self._took("and"):
            condition = both(condition, self._term())
        return condition

    def _term(self) -> Condition:
        if self._took("not"):
            return negated(self._term())
        if self._took("("):
            condition = self.disjunction()
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._next("word").text
        if self._took("is"):
            negative = self._took("not")
            condition = nothing_said(self._context, name, self._next("word").text.lower())
            return negated(condition) if negative else condition
        if self._took("in"):
            return in_list(self._context, name, self._value_list())
        if self._took("between"):
            low = condition_on(self._context, name, "gte", self._value())
            self._took("and")
            return both(low, condition_on(self._context, name, "lte", self._value()))
        operator = self._advance().text.lower()
        # `ge` and `le` look right and are not: the server knows gte and lte.
        if operator not in COMPARISONS:
            raise WqlError(operator)
        if operator in ("like", "begins", "ends") and self._took("similar"):
            operator += " similar"
        return condition_on(self._context, name, operator, self._value())

    def _value_list(self) -> list[str]:
        self._expect("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str:
        token = self._advance()
        if token.kind in ("text", "number", "date"):
            return token.text
        word = token.text.lower()
        if word in ("true", "false"):
            return word
        if token.kind == "word" and self._took("("):
            self._expect(")")
            return _function(word, self._context.now())
        raise WqlError(token.text)

    def _took(self, text: str) -> bool:
        if self._position == len(self._tokens):
            return False
        token = self._tokens[self._position]
        if token.kind == "text" or token.text.lower() != text:
            return False
        self._position += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise WqlError(f"chybí '{text}'")

    def _next(self, kind: str) -> _Token:
        token = self._advance()
        if token.kind != kind:
            raise WqlError(token.text)
        return token

    def _advance(self) -> _Token:
        if self._position == len(self._tokens):
            raise WqlError("nečekaný konec")
        self._position += 1
        return self._tokens[self._position - 1]


_FUNCTIONS: dict[str, Callable[[datetime], str]] = {
    "now": lambda now: now.isoformat(timespec="milliseconds"),
    "currentyear": lambda now: str(now.year),
}


def _function(name: str, now: datetime) -> str:
    if name not in _FUNCTIONS:
        raise WqlError(f"{name}()")
    return _FUNCTIONS[name](now)
