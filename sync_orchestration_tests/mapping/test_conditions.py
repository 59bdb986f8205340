import builtins
import json
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync_orchestration.mapping.condition_tokens import LONGEST, ConditionError
from sync_orchestration.mapping.conditions import DEEPEST, compile_condition
from sync_orchestration.mapping.records import JSON
from sync_orchestration_tests.mapping.json_values import VALUES, records

RECORD: JSON = {
    "stat": "code:CZ",
    "stat@showAs": "CZ: Česko",
    "idocs:inn": "7700",
    "limit": "500.0",
    "qty": 5,
    "active": "true",
    "off": False,
    "note": " ",
    "tags": [],
    "heads": [{"fio": "O'Neil"}],
    "changed": "2026-05-27",
    "andy": "x",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("stat = 'code:CZ'", True),
        ('stat = "code:CZ"', True),
        ("stat != 'code:CZ'", False),
        ("stat@showAs = 'CZ: Česko'", True),
        ("idocs:inn = '7700'", True),
        ("heads.0.fio = 'O''Neil'", True),
        ("heads.1.fio = 'x'", False),
        ("limit = 500", True),  # a number in text
        ("limit = '500'", False),  # text against text
        ("limit >= 500 and limit <= 500.00", True),
        ("limit < 1000", True),
        ("qty = 5.0", True),
        ("qty = '5'", True),
        ("qty > -1", True),
        ("stat > 5", False),
        ("stat <= 5", False),
        ("stat != 5", True),
        ("active = true", True),
        ("active", True),
        ("off", False),
        ("off = false", True),
        ("off is empty", False),  # false is an answer
        ("not off", True),
        ("note is empty", True),
        ("tags is empty", True),
        ("nothing is empty", True),
        ("nothing = null", True),
        ("nothing = ''", True),
        ("nothing <= ''", False),
        ("nothing < 5", False),
        ("nothing != 5", True),
        ("stat is not empty", True),
        ("stat in ('code:CZ', 'code:SK')", True),
        ("stat not in ('code:CZ', 'code:SK')", False),
        ("qty in (1, 5)", True),
        ("nothing in ('', 'x')", True),
        ("changed >= '2026-01-01'", True),
        ("andy = 'x'", True),  # begins like a word of the language
        ("changed = changed", True),
        ("heads = 'x'", False),
        ("heads > 0", False),
        ("active < 5", False),
        ("stat = 'x' or qty = 5 and limit = 500", True),
        ("(stat = 'x' or qty = 5) and limit = 1", False),
        ("NOT stat = 'x' AND NOT (qty = 1)", True),
        ("not not qty=5", True),
        ("  qty\n= 5  ", True),
        ("5 = qty", True),
    ],
)
def test_a_condition_holds(text: str, holds: bool) -> None:
    condition = compile_condition(text)
    assert condition.holds(RECORD) is holds
    assert condition.text == text


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "expected a field or a value, but the condition ends"),
        ("a =", 4, "expected a field or a value, but the condition ends"),
        ("a == 5", 3, "'=' means nothing here; equality is one ="),
        ("a = 'x", 5, "the text in quotes has no end"),
        ("a = 5 b", 7, "expected and, or, or the end, but there is b"),
        ("a = 5x", 5, "'5' means nothing here"),
        ("(a = 5", 7, "expected ), but the condition ends"),
        ("a in 5", 6, "expected (, but there is 5"),
        ("a in ()", 7, "expected a value, but there is )"),
        ("a in (b)", 7, "expected a value, but there is b"),
        ("a is 5", 6, "expected empty, but there is 5"),
        ("a not 5", 7, "expected in, but there is 5"),
        ("'x'", 4, "expected a comparison, but the condition ends"),
        ("a & b", 3, "'&' means nothing here"),
        ("a..b = 1", 2, "'.' means nothing here"),
        ("__import__('os')", 11, "expected"),
        ("a = " + "9" * 31, 5, "more than 30 digits"),
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), DEEPEST + 2, "nested more than"),
        ("not " * 100 + "a", 133, "nested more than"),
        ("a" * (LONGEST + 1), LONGEST + 1, "at most"),
    ],
)
def test_a_wrong_condition_is_refused_with_its_column(text: str, column: int, said: str) -> None:
    with pytest.raises(ConditionError) as refusal:
        compile_condition(text)
    assert refusal.value.column == column
    assert said in str(refusal.value)
    assert str(refusal.value).startswith(f"column {column}: ")


def test_a_condition_names_the_fields_that_it_reads() -> None:
    condition = compile_condition("heads.0.fio = 'x' and not (stat@showAs is empty or a in (1))")
    assert condition.source_paths == {"heads", "stat@showAs", "a"}


def test_the_longest_condition_is_still_compiled() -> None:
    condition = compile_condition(" or ".join(["a=1"] * 280))
    assert condition.holds({"a": "1"})


SIGNS = ["(", ")", ",", "=", "!=", "<", "<=", ">", ">=", "==", ";", "{", "\\", "'", '"']
NAMES = ["a", "b.0", "@c", "and", "or", "not", "in", "is", "empty", "true", "null", "lambda", "__import__('os')"]
WORDS = st.sampled_from([*SIGNS, *NAMES, "'x'", "5", "-1.5"])


@given(st.one_of(st.text(), st.lists(WORDS, max_size=20).map(" ".join)), records("a", "b", "@c"))
def test_any_text_either_is_a_condition_or_is_refused(text: str, record: JSON) -> None:
    column, answer = 1, False
    try:
        answer = compile_condition(text).holds(record)
    except ConditionError as refusal:
        column = refusal.column
    assert isinstance(answer, bool)
    assert 1 <= column <= len(text) + 1


OPERATORS = ["=", "!=", "<", "<=", ">", ">="]
OPERANDS = ["b", "5", "'5'", "''", "true", "null", "-0.5"]
TOTAL = [compile_condition(f"a {operator} {operand}") for operator in OPERATORS for operand in OPERANDS] + [
    compile_condition(text) for text in ("a", "a is empty", "a is not empty", "a in (1, 'x', true)", "not a.0.x")
]


@given(st.one_of(records("a", "b"), VALUES))
def test_a_condition_answers_for_any_record(record: JSON) -> None:
    assert all(isinstance(condition.holds(record), bool) for condition in TOTAL)


@given(VALUES, VALUES)
def test_the_comparisons_agree_with_one_another(left: JSON, right: JSON) -> None:
    answers = {operator: compile_condition(f"a {operator} b").holds({"a": left, "b": right}) for operator in OPERATORS}
    assert answers["="] is not answers["!="]
    assert not (answers["<"] and answers[">"])
    if answers["<"] or answers[">"]:
        assert not answers["="]
    assert answers["<"] <= answers["<="]
    assert answers[">"] <= answers[">="]


ATTRIBUTES = sorted({name for kind in (dict, list, str, int, bool) for name in dir(kind)})


@given(st.lists(st.sampled_from([*ATTRIBUTES, "a", "0"]), min_size=1, max_size=4).map(".".join), VALUES)
def test_a_path_finds_keys_of_json_and_never_what_python_has_under_that_name(path: str, value: JSON) -> None:
    first, *steps = path.split(".")
    assume(first != "0")  # a number is a value, not a path
    found = compile_condition(f"{path} is not empty").holds({"a": value})
    if first != "a" or any(step in ATTRIBUTES and f'"{step}"' not in json.dumps(value) for step in steps):
        assert not found


HOSTILE = [
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('touch /tmp/executed')",
    "a.__class__.__init__.__globals__ is empty and exec('1')",
    "[x for x in (1).__class__.__mro__]",
    "lambda: a",
    "a if a else b",
    "f'{a}' = 'x'",
    "a = eval('1')",
    "open('/etc/passwd') = ''",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_python_is_no_condition(text: str) -> None:
    with pytest.raises(ConditionError):
        compile_condition(text)


@pytest.mark.parametrize("name", ["eval", "exec", "compile", "__import__", "open"])
def test_nothing_is_executed_whatever_the_condition(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    conditions = [*HOSTILE, "a", "a.__class__ = 'x'", "__builtins__ is empty", "eval = 'x' or exec in ('y')"]
    with monkeypatch.context() as patch:
        patch.setattr(builtins, name, lambda *given, **more: called.append((given, more)))
        for text in conditions:
            with suppress(ConditionError):
                compile_condition(text).holds({"a": {"b": [1, "x"]}})
    assert called == []
