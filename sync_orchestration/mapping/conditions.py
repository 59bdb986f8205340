"""The language of ``when:``, a small safe one: ``country = 'CZ' and (ic is not empty or total >= 1000)``.

What can be said, from the weakest binding to the strongest::

    a or b      a and b      not a      (a)
    path = literal    !=  <  <=  >  >=      path in ('a', 'b')    path not in (1, 2)
    path is empty     path is not empty     path                    (the field is true)

A literal is text in quotes of either kind (a quote in it is doubled), a number, ``true``, ``false`` or
``null``; a second path may stand for a literal. Words of the language are known in any case of letters.

How two values are compared is decided by them: as numbers if either is a number, as truths if either is a
truth, otherwise as text (so ISO dates compare well). Sources that send all values as text, like Flexi, need
no conversion: ``platiDo < 9999`` compares numbers because 9999 is one. ``null`` and ``''`` both mean empty,
and so does a missing field. What cannot be compared is unequal and neither less nor greater. Nothing is
ever evaluated as Python.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sync_orchestration.mapping.comparison import COMPARISONS, is_true, same
from sync_orchestration.mapping.condition_tokens import ConditionError, Token, tokens_of
from sync_orchestration.mapping.paths import compile_path, top_of
from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.values import is_empty

DEEPEST = 32
"""How many brackets and negations may stand inside one another."""

_Test = Callable[[JSON], bool]
_Operand = Callable[[JSON], JSON]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. ``paths`` are those that it looks at, ``source_paths`` the record's own fields of them."""

    text: str
    paths: frozenset[str]
    _test: _Test = field(repr=False, compare=False)

    @property
    def source_paths(self) -> frozenset[str]:
        return frozenset(top_of(path) for path in self.paths)

    def holds(self, record: JSON) -> bool:
        """Tell whether the condition is true of a record of the source. Never raises, whatever the record."""
        return self._test(record)


def compile_condition(text: str) -> Condition:
    """Compile a condition.

    Raises ConditionError, which carries the column, for anything that the language does not know and for a
    text that is too long or nested too deeply.
    """
    parser = _Parser(text)
    test = parser.parse()
    return Condition(text=text, paths=frozenset(parser.paths), _test=test)


class _Parser:
    """Recursive descent, one method per level of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._place = 0
        self._depth = 0
        self.paths: set[str] = set()

    def parse(self) -> _Test:
        test = self._any_of()
        if self._next.kind != "end":
            raise self._unexpected("and, or, or the end")
        return test

    def _any_of(self) -> _Test:
        tests = [self._all_of()]
        while self._takes("or"):
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else _either(tuple(tests))

    def _all_of(self) -> _Test:
        tests = [self._negation()]
        while self._takes("and"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else _both(tuple(tests))

    def _negation(self) -> _Test:
        if self._takes("not"):
            return _opposite(self._deeper(self._negation))
        if self._takes("("):
            test = self._deeper(self._any_of)
            self._expects(")")
            return test
        return self._comparison()

    def _deeper(self, level: Callable[[], _Test]) -> _Test:
        self._depth += 1
        if self._depth > DEEPEST:
            msg = f"nested more than {DEEPEST} deep"
            raise ConditionError(msg, self._next.column)
        test = level()
        self._depth -= 1
        return test

    def _comparison(self) -> _Test:
        is_field = self._next.kind == "path"
        left = self._operand()
        if self._next.word in COMPARISONS:
            return _compared(left, COMPARISONS[self._advance().word], self._operand())
        if self._takes("is"):
            negative = self._takes("not")
            self._expects("empty")
            return _opposite(_blank(left)) if negative else _blank(left)
        if self._takes("in"):
            return _member(left, self._literals())
        if self._takes("not"):
            self._expects("in")
            return _opposite(_member(left, self._literals()))
        if not is_field:
            raise self._unexpected("a comparison")
        return _truth(left)

    def _operand(self) -> _Operand:
        token = self._next
        if token.kind == "path":
            self._advance()
            path = compile_path(token.word)
            self.paths.add(path.text)
            return path.read
        return _always(self._literal("a field or a value"))

    def _literals(self) -> tuple[JSON, ...]:
        self._expects("(")
        values = [self._literal("a value")]
        while self._takes(","):
            values.append(self._literal("a value"))
        self._expects(")")
        return tuple(values)

    def _literal(self, wanted: str) -> JSON:
        if self._next.kind != "literal":
            raise self._unexpected(wanted)
        return self._advance().value

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _advance(self) -> Token:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _takes(self, word: str) -> bool:
        found = self._next.kind == "word" and self._next.word == word
        self._place += found
        return found

    def _expects(self, word: str) -> None:
        if not self._takes(word):
            raise self._unexpected(word)

    def _unexpected(self, wanted: str) -> ConditionError:
        token = self._next
        found = "the condition ends" if token.kind == "end" else f"there is {token.shown}"
        return ConditionError(f"expected {wanted}, but {found}", token.column)


def _either(tests: tuple[_Test, ...]) -> _Test:
    return lambda record: any(test(record) for test in tests)


def _both(tests: tuple[_Test, ...]) -> _Test:
    return lambda record: all(test(record) for test in tests)


def _opposite(test: _Test) -> _Test:
    return lambda record: not test(record)


def _always(value: JSON) -> _Operand:
    return lambda _record: value


def _compared(left: _Operand, compare: Callable[[JSON, JSON], bool], right: _Operand) -> _Test:
    return lambda record: compare(left(record), right(record))


def _blank(operand: _Operand) -> _Test:
    return lambda record: is_empty(operand(record))


def _truth(operand: _Operand) -> _Test:
    return lambda record: is_true(operand(record))


def _member(operand: _Operand, values: tuple[JSON, ...]) -> _Test:
    def test(record: JSON) -> bool:
        found = operand(record)
        return any(same(found, value) for value in values)

    return test
