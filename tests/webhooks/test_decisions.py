"""What a push leads to."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.webhooks.decisions import Push, Rules, decide, matches, normal_address, same_repository

OURS = "https://github.com/wikimedia/hat"


def push(ref="refs/heads/main", **more):
    return Push(repositories=(f"{OURS}.git",), ref=ref, **more)


def rules(**more):
    return Rules(repository=OURS, **more)


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("main", "main", True),
        ("main", "mai", False),
        ("release/1.0", "release/*", True),
        ("release/1.0/x", "release/*", False),
        ("release/1.0/x", "release/**", True),
        ("release", "release/**", True),
        ("feature/x", "*", False),
        ("feature/x", "**", True),
        ("web/app.py", "*.py", False),
        ("web/app.py", "**/*.py", True),
        ("app.py", "**/*.py", True),
        ("a/b/c/d.py", "a/**/d.py", True),
        ("a/d.py", "a/**/d.py", True),
        ("a/b/c/d.js", "a/**/d.py", False),
        ("docs/a/b.md", "docs/", True),
        ("docs.md", "docs/", False),
        ("pages/[id].js", "pages/*.js", True),
        ("v1", "v[0-9]", True),
        ("Main", "main", False),
    ],
)
def test_a_pattern_fits_or_not(path, pattern, fits):
    assert matches(path, pattern) is fits


def test_a_wicked_pattern_takes_no_time():
    started = time.monotonic()
    matches("a" * 4000, "*a" * 90 + "b")
    matches("/".join("a" * 2000), "/".join(["**", "a"] * 45) + "/b")
    assert time.monotonic() - started < 2


@given(path=st.text(max_size=40), pattern=st.text(max_size=40))
def test_any_pattern_can_be_asked(path, pattern):
    assert matches(path, pattern) in (True, False)
    assert matches(path, "**")


@pytest.mark.parametrize(
    "other",
    [
        "https://github.com/wikimedia/hat",
        "https://github.com/wikimedia/hat.git",
        "https://github.com/wikimedia/hat/",
        "https://GitHub.com/Wikimedia/Hat.git",
        "https://github.com:443/wikimedia/hat",
        "git@github.com:wikimedia/hat.git",
        "ssh://git@github.com/wikimedia/hat.git",
        "ssh://git@github.com:22/wikimedia/hat",
        "git://github.com/wikimedia/hat.git",
        "https://token@github.com/wikimedia/hat",
        "wikimedia/hat",
    ],
)
def test_addresses_of_one_repository(other):
    assert same_repository(other, OURS)


@pytest.mark.parametrize(
    "other",
    [
        "",
        "https://github.com/mallory/hat",
        "https://evil.example/wikimedia/hat",
        "https://github.com/wikimedia/hat-fork",
        "https://github.com.evil.example/wikimedia/hat",
        "https://github.com:8443/wikimedia/hat",
        "at",
        "https://[broken",
        "git@evil.example:wikimedia/hat.git",
    ],
)
def test_addresses_of_another_repository(other):
    assert not same_repository(other, OURS)


@given(st.text(max_size=60))
def test_any_address_can_be_compared(text):
    assert isinstance(normal_address(text), str)
    same_repository(text, OURS)


def test_a_push_to_a_named_branch_is_built():
    assert decide(push(), rules(branches=["main"])).starts
    assert decide(push("refs/heads/dev"), rules()).starts


def test_a_push_to_another_branch_says_which_ones_count():
    decision = decide(push("refs/heads/dev"), rules(branches=["main", "release/*"]))
    assert not decision.starts
    assert decision.reason == (
        "ignored because the push was to “dev”; this hook builds main, release/*"
    )


def test_a_tag_is_built_only_when_asked_for():
    assert "builds no tags" in decide(push("refs/tags/v1"), rules()).reason
    assert decide(push("refs/tags/v1"), rules(builds_tags=True, branches=["main"])).starts


def test_a_deletion_is_ignored():
    assert "deleted" in decide(push(is_deletion=True), rules()).reason
    assert "deleted" in decide(push("refs/tags/v1", is_deletion=True), rules()).reason


@pytest.mark.parametrize("ref", ["refs/changes/01/1/1", "refs/meta/config", "", "main"])
def test_a_ref_that_is_no_branch_is_ignored(ref):
    assert "neither" in decide(push(ref), rules()).reason


def test_a_push_to_another_repository_is_ignored():
    other = Push(repositories=("https://github.com/mallory/hat",), ref="refs/heads/main")
    decision = decide(other, rules())
    assert not decision.starts
    assert "mallory/hat" in decision.reason
    assert "settings" in decide(push(), Rules(repository="")).reason
    assert not decide(Push(repositories=(), ref="refs/heads/main"), rules()).starts


def test_only_files_that_count_start_a_build():
    wanted = rules(include=["web/**"], exclude=["web/docs/**"])
    assert "“web/a.py”" in decide(push(files=("x", "web/a.py")), wanted).reason
    assert not decide(push(files=("x", "web/docs/a")), wanted).starts
    assert decide(push(files=("README.md",)), rules(exclude=["docs/**"])).starts
    assert not decide(push(files=("docs/a",)), rules(exclude=["docs/**"])).starts


def test_when_it_is_not_known_what_changed_it_is_built_and_that_is_said():
    decision = decide(push(files_note="the push was forced"), rules(include=["web/**"]))
    assert decision.starts
    assert "the push was forced" in decision.reason
