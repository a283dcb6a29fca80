"""Whom a text names with @, and whom it does not."""

from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.accounts.models import User
from stories.mentions import marked, names_in, people
from stories.text import render

PIECES = [
    "@alice",
    "@",
    "@b'c",
    "سلمى",
    "@سلمى",
    " ",
    "\n",
    "\n\n",
    "`",
    "*",
    "&",
    "&lt;",
    "<b>",
    "x",
    ".",
    ",",
    "'",
    "’s",
    "_",
    "FT-1",
    "](http://a)",
    "\\",
    "> ",
    "- ",
    "#",
    "\u200f",
    "/",
    "\xa0",
]


def named(text):
    return {each[-1] for each in names_in([text])}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@alice", {"alice"}),
        ("What does @alice say?", {"alice"}),
        ("(@alice, @bob; and **@wanda**)", {"alice", "bob", "wanda"}),
        ("@alice and again @alice!", {"alice"}),
        ("@[Ada  Lovelace] and @[Zoë B.]", {"Ada Lovelace", "Zoë B."}),
        ("سلمى: @سلمى،\u200f شكرا", {"سلمى"}),
        ("\u200f@[سلمى بنت أحمد]\u200f", {"سلمى بنت أحمد"}),
        ("@हिन्दी नमस्ते", {"हिन्दी"}),
        ("@می\u200cخواهم بیا", {"می\u200cخواهم"}),
        ("@王小明，你好", {"王小明"}),
        ("# @alice\n\n- @bob\n\n> @wanda", {"alice", "bob", "wanda"}),
    ],
)
def test_who_is_named(text, names):
    assert named(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@ alice",
        "@[]",
        "@[ali\nce]",
        "alice@example.org and bob.@example.org, b+@example.org",
        "<alice@example.org> mailto:alice@example.org",
        "سلمى@example.org",
        "@alice@mastodon.social",
        "https://example.org/@alice",
        "`@alice` and ``x @bob``",
        "```\n@alice\n```",
        "    @alice",
        "[@alice](https://example.org/)",
        "@[alice](https://example.org/)",
        "\u202e\u2066@\u2069",
    ],
)
def test_who_is_not(text):
    assert names_in([text]) == set()


def test_the_end_of_a_sentence_is_not_the_end_of_a_name(alice, bob):
    dot = User.objects.create_user("bob.")
    assert people(names_in(["Ask @alice. And @alice's friends, or @bob"])) == {alice, bob}
    assert people(names_in(["Ask @bob."])) == {dot}


def test_nobody_is_meant_by_a_name_without_an_account(alice, django_assert_num_queries):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with django_assert_num_queries(1):
        assert people(names_in(["@Alice @nobody @alice @[No Body] @property"])) == set()
    with django_assert_num_queries(0):
        assert people(names_in(["Nobody at all"])) == set()


def test_a_long_text_is_read_quickly():
    assert names_in(["@" * 20_000, "@[" * 10_000, "@a" * 10_000, "@" + "a.'" * 6_000]) != set()


def test_those_who_are_known_stand_out_and_nothing_else_changes():
    html = marked("@alice, `@alice`, @nobody's a@alice", {"alice"})
    assert html.count('<strong class="mention"><bdi>@alice</bdi></strong>') == 1
    assert "<code>@alice</code>, @nobody's a@alice" in html


def test_no_name_brings_html_along():
    html = marked("@[<b>x & y</b>] @<script>alert(1)</script>", {"<b>x & y</b>", "<script>"})
    assert "<bdi>@&lt;b&gt;x &amp; y&lt;/b&gt;</bdi>" in html
    assert "<script>" not in html
    sneaky = '[x](http://a "></a> @alice FT-2 <img src=x onerror=alert(1)>")'
    assert "<img" not in marked(sneaky, {"alice"})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_marking_adds_marks_alone(text):
    known = {one for each in names_in([text]) for one in each}
    html = marked(text, known)
    plain = html.replace('<strong class="mention"><bdi>', "").replace("</bdi></strong>", "")
    assert unescape(plain) == unescape(render(text))
    assert html.count('class="mention"') >= len(names_in([text]))
    assert marked(text, set()) == render(text)
