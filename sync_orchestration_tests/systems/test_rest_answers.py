"""What a REST API says about a refusal is found in every common shape, in one line, and never too long."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_orchestration.systems.http import Answer, HttpClient, HttpSettings
from sync_orchestration.systems.rest.answers import LONGEST_MESSAGE, Said, said_by, said_in

from .arbitrary import json_values

SECRET = "geheim"
HTTP = HttpClient(HttpSettings("Shop", "http://shop.example", secrets=(SECRET,)))


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        ({"title": "Invalid", "detail": "no name", "status": 400, "type": "about:blank"}, "Invalid; no name", None),
        (
            {"title": "Invalid", "errors": [{"detail": "is bad", "pointer": p} for p in ("#/age", "#/data/vat")]},
            "Invalid; age: is bad; vat: is bad",
            "age, vat",
        ),
        ({"errors": [{"field": "email", "message": "is\n not  valid"}]}, "email: is not valid", "email"),
        ({"errors": {"email": ["is taken", "is short"]}}, "email: is taken; email: is short", "email"),
        ({"errors": {"non_field_errors": ["no"]}}, "no", None),
        ({"errors": ["one", "two"]}, "one; two", None),
        ({"message": "no"}, "no", None),
        ({"error": {"message": "no", "param": "amount", "code": 7}}, "amount: no", "amount"),
        ({"error": "no"}, "no", None),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant; expired", None),
        ({"detail": [{"loc": ["body", "lines", 0, "qty"], "msg": "bad"}]}, "lines.0.qty: bad", "lines.0.qty"),
        ({"errors": [{"title": "Bad", "source": {"pointer": "/data/attributes/name"}}]}, "name: Bad", "name"),
        ({"name": ["This field is required."]}, "name: This field is required.", "name"),
        ({"errors": {"name": {"message": "required", "kind": "x"}}}, "name: required", "name"),
        ({"invalid-params": [{"name": "age", "reason": "negative"}], "title": "Bad"}, "Bad; age: negative", "age"),
        ({"name": "ValidationError", "message": "no", "path": "/partners"}, "no", None),
        ({"status": 400, "error": "Bad Request", "path": "/partners", "message": ""}, "Bad Request", None),
        ([{"field": "a", "message": "b"}], "a: b", "a"),
        ("only text", "only text", None),
        ({"code": 5}, "", None),
        (None, "", None),
    ],
)
def test_the_other_sides_reason_is_read_in_its_common_shapes(body: Any, message: str, field: str | None) -> None:
    assert said_in(body) == Said(message, field)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"plain\n text", "plain text"),
        (b"<html>" + b"x" * 1_000, "<html>" + "x" * 194),
        (b'{"code": 5}', '{"code": 5}'),
        (b"{}", ""),
        (b"", ""),
        (b"[" * 200_000, "[" * 200),
        (f'{{"message": "the key {SECRET} is wrong"}}'.encode(), "the key *** is wrong"),
        (("x" * 496 + SECRET).join(('{"message": "', '"}')).encode(), "x" * 496 + "***"),
    ],
)
def test_an_answer_without_a_known_shape_is_quoted_and_no_secret_is_told(body: bytes, message: str) -> None:
    assert said_by(HTTP, Answer(422, {}, body, "POST /partners")).message == message


ERRORS = st.recursive(
    json_values(),
    lambda inner: st.dictionaries(
        st.sampled_from(["errors", "error", "detail", "message", "title", "field", "loc", "pointer", "source", "name"]),
        inner | st.lists(inner, max_size=4) | st.text(max_size=700),
    ),
    max_leaves=8,
)


@given(ERRORS)
def test_whatever_an_error_says_it_is_one_line_and_never_too_long(body: Any) -> None:
    said = said_in(body, lambda text: text.replace("a", "***"))
    assert len(said.message) <= LONGEST_MESSAGE
    assert len(said.message.splitlines()) <= 1
    assert said.field is None or 0 < len(said.field) <= 100


@given(st.binary(max_size=800) | ERRORS.map(lambda body: json.dumps(body).encode()))
def test_whatever_an_error_answer_holds_it_can_be_told(body: bytes) -> None:
    assert len(said_by(HTTP, Answer(422, {}, body, "POST /partners")).message) <= LONGEST_MESSAGE
