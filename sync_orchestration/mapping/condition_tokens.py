"""The words of the condition language: cuts a condition's text into tokens that know their column."""

import re
from dataclasses import dataclass
from typing import Literal

from sync_orchestration.mapping.errors import MappingError
from sync_orchestration.mapping.records import JSON

LONGEST = 2000
"""The largest number of characters of a condition."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.@:-]))
    | (?P<sign><=|>=|!=|=(?!=)|<|>|\(|\)|,)
    | (?P<name>[^\W\d][\w@:-]*(?:\.[\w@:-]+)*|@[\w@:-]+)
    )""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not", "in", "is", "empty"})
_CONSTANTS: dict[str, JSON] = {"true": True, "false": False, "null": None}


class ConditionError(MappingError):
    """A condition cannot be understood; ``column`` (from 1) is where, the message says why."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a condition. ``word`` is a path or, in small letters, a word or sign of the language."""

    kind: Literal["literal", "word", "path", "end"]
    column: int
    shown: str = ""
    word: str = ""
    value: JSON = None


def tokens_of(text: str) -> list[Token]:
    """Cut a condition into tokens; the last is the end. Raises ConditionError."""
    if len(text) > LONGEST:
        msg = f"a condition has at most {LONGEST} characters, this one has {len(text)}"
        raise ConditionError(msg, LONGEST + 1)
    end = len(text.rstrip())
    tokens: list[Token] = []
    place = 0
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise _unreadable(text, place)
        tokens.append(_token(found))
        place = found.end()
    tokens.append(Token("end", end + 1))
    return tokens


def _token(found: re.Match[str]) -> Token:
    kind = found.lastgroup or ""
    shown = found[kind]
    column = found.start(kind) + 1
    if kind == "text":
        quote = shown[0]
        return Token("literal", column, shown, value=shown[1:-1].replace(quote * 2, quote))
    if kind == "number":
        return Token("literal", column, shown, value=float(shown) if "." in shown else _whole(shown, column))
    word = shown.lower()
    if kind == "name" and word in _CONSTANTS:
        return Token("literal", column, shown, value=_CONSTANTS[word])
    if kind == "sign" or word in _WORDS:
        return Token("word", column, shown, word)
    return Token("path", column, shown, shown)


def _whole(shown: str, column: int) -> int:
    if len(shown) > 30:
        msg = "a number of more than 30 digits"
        raise ConditionError(msg, column)
    return int(shown)


def _unreadable(text: str, place: int) -> ConditionError:
    rest = text[place:]
    column = place + len(rest) - len(rest.lstrip()) + 1
    first = text[column - 1]
    if first in "'\"":
        return ConditionError("the text in quotes has no end", column)
    hint = "; equality is one =" if text[column - 1 : column + 1] == "==" else ""
    return ConditionError(f"'{first}' means nothing here{hint}", column)
