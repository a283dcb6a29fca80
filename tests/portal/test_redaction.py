"""Secrets are found in the forms in which programs write them."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.redaction import REDACTED, SHORTEST_SECRET, Redactor

SECRET = 'hun+ter/2 "ünï"&=%'
RAW = SECRET.encode()
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=SHORTEST_SECRET)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        base64.b64encode(RAW).decode(),
        base64.b64encode(b"x" + RAW).decode(),
        base64.b64encode(b"xy" + RAW + b"\n").decode(),
        base64.urlsafe_b64encode(b"Authorization: " + RAW).decode(),
    ],
)
def test_every_form_is_taken_out(form):
    assert REDACTED in Redactor([SECRET]).text(f"before {form} after")


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), secret=texts)
def test_base64_does_not_give_a_secret_away_wherever_in_it_it_is(before, after, secret):
    raw = secret.encode()
    left = Redactor([secret]).clean(base64.b64encode(before + raw + after))
    for start in range(4):
        part = left.split(b"[")[0][start:]
        decoded = base64.b64decode(part[: len(part) // 4 * 4], validate=False)
        assert raw not in decoded
    assert REDACTED.encode() in left


@given(data=st.text(), secret=texts)
def test_what_holds_no_secret_is_left_alone(data, secret):
    redactor = Redactor([secret])
    assume(not redactor.finds(data.encode("utf-8", "surrogatepass")))
    assert redactor.text(data) == data


def test_a_long_secret_is_found_in_base64_of_several_lines():
    secret = "0123456789abcdef" * 12
    printed = base64.encodebytes(secret.encode())
    left = Redactor([secret]).clean(printed)
    assert not any(line and line in left for line in printed.splitlines()[:-1])


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_a_value_too_short_to_be_meant_is_left(secret):
    assert Redactor([secret]).text("abc abc") == "abc abc"


def test_everything_in_a_structure_is_cleaned():
    value = {"a": [SECRET, 1, None], SECRET: {"b": f"x{SECRET}"}}
    assert Redactor([SECRET]).json(value) == {
        "a": [REDACTED, 1, None],
        REDACTED: {"b": f"x{REDACTED}"},
    }


@given(offset=st.integers(0, 60), length=st.integers(1, 60))
def test_the_beginning_of_a_text_ends_in_no_part_of_a_secret(offset, length):
    body = b"." * offset + RAW + b"." * 40 + RAW + b"." * 200
    shown = Redactor([SECRET]).beginning(lambda size: body[:size], length)
    assert len(shown) <= length
    assert RAW[:4] not in shown
