import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync_orchestration.mapping.records import JSON
from sync_orchestration.mapping.scrub import SENSITIVE_NAMES, is_sensitive, mask, scrub
from sync_orchestration_tests.mapping.json_values import VALUES


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "PASSWORD",
        "PassWord",
        "user_password2",
        "passwd",
        "api_key",
        "apiKey",
        "APIKey",
        "X-API-KEY",
        "apikey",
        "access_token",
        "idocs:accessToken",
        "clientSecret",
        "Authorization",
        "heslo",
        "přístupovéHeslo",
        "oauth2Token",
        "tokens",
    ],
)
def test_a_key_named_like_a_secret_goes(key: str) -> None:
    assert is_sensitive(key)
    assert scrub({key: "x", "name": "kept"}) == {"name": "kept"}


@pytest.mark.parametrize(
    "key", ["tokenizer", "secretary", "name", "author", "keyboard", "passwordless", "", "_", "monkey", "klic"]
)
def test_a_key_that_only_begins_like_a_secret_stays(key: str) -> None:
    assert scrub({key: "x"}) == {key: "x"}


def test_the_names_can_be_extended() -> None:
    assert scrub({"card_pin": 1, "token": 2, "a": 3}, SENSITIVE_NAMES | {"pin"}) == {"a": 3}
    assert scrub({"cardPIN": 1, "a": 3}, ["pin"]) == {"a": 3}


def test_order_lists_and_the_original_are_kept() -> None:
    payload: JSON = {"z": [1, {"token": 1, "b": [[], {}]}, "x"], "a": None}
    before = json.dumps(payload)
    assert json.dumps(scrub(payload)) == '{"z": [1, {"b": [[], {}]}, "x"], "a": null}'
    assert json.dumps(payload) == before


def test_depth_is_no_hiding_place() -> None:
    payload: JSON = {"token": "s"}
    for _ in range(20_000):
        payload = [{"inner": payload}]
    clean = scrub(payload)
    for _ in range(20_000):
        assert isinstance(clean, list)
        (item,) = clean
        assert isinstance(item, dict)
        clean = item["inner"]
    assert clean == {}


KEYS = st.one_of(st.sampled_from(["password", "apiKey", "access_token", "Client-Secret"]), st.text(max_size=5))
NESTED: st.SearchStrategy[JSON] = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=15,
)


def keys_of(value: JSON) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys_of(item))]
    return [key for item in value for key in keys_of(item)] if isinstance(value, list) else []


@given(NESTED)
def test_no_secret_is_left_at_any_depth_and_nothing_else_is_lost(payload: JSON) -> None:
    clean = scrub(payload)
    assert not any(map(is_sensitive, keys_of(clean)))
    assert repr(scrub(clean)) == repr(clean)
    if not any(map(is_sensitive, keys_of(payload))):
        assert repr(clean) == repr(payload)


def test_a_secret_is_masked_in_every_usual_form() -> None:
    secret = 'p:ß/ "x"+1'
    basic = base64.b64encode(f"api:{secret}".encode()).decode()
    text = " | ".join(
        [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret), f"Basic {basic}"]
    )
    assert mask(text, [secret]) == '*** | *** | *** | *** | "***" | Basic ***'


def test_without_secrets_a_text_stays() -> None:
    assert mask("text", []) == "text"
    assert mask("text", [""]) == "text"


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert mask("abcdef", ["abc", "abcdef"]) == "***"


SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=20)


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
def test_a_masked_text_never_holds_the_secret(secret: str, before: str, after: str) -> None:
    for form in (secret, quote(secret, safe=""), quote_plus(secret)):
        assert form not in mask(before + form + after, [secret])


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(secret=SECRETS, user=st.text(st.characters(codec="utf-8"), max_size=6), tail=st.text("abc", max_size=3))
def test_a_basic_authorization_is_masked_as_a_whole(encode: object, secret: str, user: str, tail: str) -> None:
    encoder = base64.urlsafe_b64encode if encode is base64.urlsafe_b64encode else base64.b64encode
    encoded = encoder(f"{user}:{secret}{tail}".encode()).decode()
    # A secret that is itself a piece of the surrounding words masks them too.
    assume(secret not in "Basic " + encoded + " ok")
    assert mask(f"Basic {encoded} ok", [secret]) == "Basic *** ok"
