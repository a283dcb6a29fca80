"""What is kept of a process's output."""

import base64
import itertools
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builds.lifecycle.cleaning import LINE_LIMIT, Cleaner

SECRET = "s3cret/valüe+1"


def clean(data, *, secrets=(), pieces=None):
    cleaner = Cleaner(secrets)
    out = b"".join(cleaner.feed(piece) for piece in (pieces or [data]))
    return out + cleaner.close()


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"plain\n", b"plain\n"),
        (b"no end", b"no end\n"),
        (b"10%\r50%\r100%\n", b"100%\n"),
        (b"windows\r\n", b"windows\n"),
        (b"nul\0l\n", b"null\n"),
        (b"\x1b[31mred\x1b[0m\n", b"\x1b[31mred\x1b[0m\n"),
        (b"\x1b[2K\x1b[1Aup\n", b"up\n"),
        (b"\x1b]0;title\x07text\n", b"text\n"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", b"link\n"),
        (b"bell\x07\x08\n", b"bell\n"),
        (b"bad \xff utf-8\n", "bad \ufffd utf-8\n".encode()),
        (b"<script>alert(1)</script>\n", b"<script>alert(1)</script>\n"),
    ],
)
def test_a_line_is_made_fit_to_keep(raw, kept):
    assert clean(raw) == kept


@given(cut=st.integers(0, 60))
def test_a_secret_is_found_wherever_the_output_is_cut(cut):
    raw = f"before {SECRET} after\nnext\n".encode()
    assert clean(raw, secrets=[SECRET], pieces=[raw[:cut], raw[cut:]]) == (
        b"before [redacted] after\nnext\n"
    )


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        base64.b64encode(SECRET.encode()),
        base64.urlsafe_b64encode(SECRET.encode()),
        quote(SECRET, safe="").encode(),
    ],
)
def test_a_secret_is_found_in_other_forms(form):
    assert clean(b"x" + form + b"y\n", secrets=[SECRET]) == b"x[redacted]y\n"


def test_a_secret_of_several_lines_is_found_line_by_line():
    kept = clean(b"-----KEY\nabcdefgh\nother\n", secrets=["-----KEY\nabcdefgh\n"])
    assert kept == b"[redacted]\n[redacted]\nother\n"


def test_a_secret_with_an_escape_inside_is_found():
    assert SECRET.encode() not in clean(
        SECRET[:3].encode() + b"\x1b[2K" + SECRET[3:].encode(), secrets=[SECRET]
    )


def test_a_short_value_is_not_taken_for_a_secret():
    assert clean(b"abc\n", secrets=["abc"]) == b"abc\n"


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_how_output_is_cut_makes_no_difference(data, cuts):
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert clean(data, pieces=pieces) == clean(data)


@given(data=st.binary(max_size=400))
def test_cleaning_twice_changes_nothing(data):
    once = clean(data, secrets=[SECRET])
    assert clean(once, secrets=[SECRET]) == once


def test_a_long_line_is_cut_and_says_so():
    kept = clean(b"x" * 1_000_000 + b"\nnext\n")
    first, second, _rest = kept.split(b"\n")
    assert len(first) <= LINE_LIMIT
    assert b"bytes cut]" in first
    assert second == b"next"


def test_a_line_without_end_is_not_held_in_memory():
    cleaner = Cleaner([])
    for _number in range(200):
        cleaner.feed(b"x" * 100_000)
    assert len(cleaner._rest) < 200_000
    assert b"bytes cut]" in cleaner.close()
